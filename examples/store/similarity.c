/* SPDX-License-Identifier: MIT
 *
 * similarity.c - how far two texts are apart.
 *
 * The matrix of the distances of all beginnings of a to all beginnings of b is walked column by
 * column. Neighbours in a column differ by -1, 0 or 1, so a column of up to 64 rows fits into two
 * words, one bit for each +1 and each -1, and the next column is some 15 operations away: G.
 * Myers, "A fast bit-vector algorithm for approximate string matching", J. ACM 46 (1999), in the
 * form for distances of H. Hyyrö (2003). Where the shorter text has more than 64 bytes, the first
 * 64 rows are one block and each further 64 another, with the difference at the seam handed down.
 */
#include "similarity.h"

#include <stdint.h>
#include <string.h>

enum {
	ROWS = 64,       /* of a block: the bits of a word                    */
	BLOCKS_MOST = 8, /* longer texts are compared by their first 512 bytes */
};

/* 64 rows of the column that was reached. */
struct block {
	uint64_t up, down; /* rows that are 1 more, 1 less than the one above */
	uint64_t equal[256]; /* rows whose byte this is                       */
};

/* One column on. in is the difference in the row above the block; returns that in row `last`. */
static int advance(struct block *block, unsigned char byte, int in, unsigned last)
{
	uint64_t equal = block->equal[byte], vertical, horizontal, more, less;
	int out;

	vertical = equal | block->down;
	equal |= in < 0;
	horizontal = (((equal & block->up) + block->up) ^ block->up) | equal;
	more = block->down | ~(horizontal | block->up);
	less = block->up & horizontal;
	out = (int)(more >> last & 1) - (int)(less >> last & 1);
	more = more << 1 | (in > 0);
	less = less << 1 | (in < 0);
	block->up = less | ~(vertical | more);
	block->down = more & vertical;
	return out;
}

/* Only the bytes that occur are set, and unset again by forget(): 2 KiB are more than the work. */
static void learn(struct block *blocks, const unsigned char *a, size_t length)
{
	size_t i;

	for (i = 0; i < length; i++)
		blocks[i / ROWS].equal[a[i]] |= UINT64_C(1) << i % ROWS;
	for (i = 0; i * ROWS < length; i++) {
		blocks[i].up = ~UINT64_C(0);
		blocks[i].down = 0;
	}
}

static void forget(struct block *blocks, const unsigned char *a, size_t length)
{
	size_t i;

	for (i = 0; i < length; i++)
		blocks[i / ROWS].equal[a[i]] = 0;
}

/* a is the shorter one, and not empty. */
static int distance(const unsigned char *a, size_t a_length, const unsigned char *b,
		    size_t b_length)
{
	static _Thread_local struct block blocks[BLOCKS_MOST]; /* all equal[] 0 between two calls */
	size_t n_blocks = (a_length + ROWS - 1) / ROWS, i, j;
	unsigned last = (unsigned)((a_length - 1) % ROWS); /* of the last block */
	int distance = (int)a_length;

	learn(blocks, a, a_length);
	for (i = 0; i < b_length; i++) {
		int difference = 1; /* above the first row: one more for each column */

		for (j = 0; j + 1 < n_blocks; j++)
			difference = advance(&blocks[j], b[i], difference, ROWS - 1);
		distance += advance(&blocks[j], b[i], difference, last);
	}
	forget(blocks, a, a_length);
	return distance;
}

static size_t cut(size_t length)
{
	return length < ROWS * BLOCKS_MOST ? length : ROWS * BLOCKS_MOST;
}

int edit_distance(const char *a, size_t a_length, const char *b, size_t b_length)
{
	a_length = cut(a_length);
	b_length = cut(b_length);
	if (a_length > b_length)
		return edit_distance(b, b_length, a, a_length);
	if (!a_length)
		return (int)b_length;
	return distance((const unsigned char *)a, a_length, (const unsigned char *)b, b_length);
}

static void sql_distance(sqlite3_context *call, int argc, sqlite3_value **argv)
{
	const char *a = (const char *)sqlite3_value_text(argv[0]);
	const char *b = (const char *)sqlite3_value_text(argv[1]);

	if (!a || !b)
		return; /* the result is NULL */
	sqlite3_result_int(call, edit_distance(a, (size_t)sqlite3_value_bytes(argv[0]), b,
					       (size_t)sqlite3_value_bytes(argv[1])));
}

int similarity_register(sqlite3 *raw)
{
	return sqlite3_create_function(raw, "distance", 2,
				       SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_INNOCUOUS, NULL,
				       sql_distance, NULL, NULL);
}
