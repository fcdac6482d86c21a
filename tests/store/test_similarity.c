/* SPDX-License-Identifier: MIT
 *
 * test_similarity.c - the edit distance, against the plain matrix of the textbook.
 */
#include "similarity.h"

#include "check.h"

#include <stdlib.h>
#include <string.h>

enum { LONGEST = 600, TRIALS = 3000 };

static int smallest(int a, int b, int c)
{
	int m = a < b ? a : b;

	return m < c ? m : c;
}

static int plain_distance(const char *a, size_t n, const char *b, size_t m)
{
	static int matrix[LONGEST + 1][LONGEST + 1];
	size_t i, j;

	for (i = 0; i <= n; i++)
		matrix[i][0] = (int)i;
	for (j = 0; j <= m; j++)
		matrix[0][j] = (int)j;
	for (i = 1; i <= n; i++)
		for (j = 1; j <= m; j++)
			matrix[i][j] = smallest(matrix[i - 1][j] + 1, matrix[i][j - 1] + 1,
						matrix[i - 1][j - 1] + (a[i - 1] != b[j - 1]));
	return matrix[n][m];
}

static int distance_of(const char *a, const char *b)
{
	return edit_distance(a, strlen(a), b, strlen(b));
}

static void well_known_distances_are_right(void **state)
{
	assert_int_equal(distance_of("", ""), 0);
	assert_int_equal(distance_of("", "abc"), 3);
	assert_int_equal(distance_of("abc", ""), 3);
	assert_int_equal(distance_of("kitten", "sitting"), 3);
	assert_int_equal(distance_of("saturday", "sunday"), 3);
	assert_int_equal(distance_of("same", "same"), 0);
}

/* Lengths on both sides of 64 and 128, where blocks meet. */
static void it_agrees_with_the_matrix_at_all_lengths(void **state)
{
	char a[512], b[512];
	int trial;

	srand(1);
	for (trial = 0; trial < TRIALS; trial++) {
		size_t n = (size_t)rand() % 300, m = (size_t)rand() % 300, i;

		for (i = 0; i < n; i++)
			a[i] = (char)('a' + rand() % 4);
		for (i = 0; i < m; i++)
			b[i] = i < n && rand() % 5 ? a[i] : (char)('a' + rand() % 4);
		assert_int_equal(edit_distance(a, n, b, m), plain_distance(a, n, b, m));
	}
}

static void bytes_that_are_no_ascii_count_as_others(void **state)
{
	assert_int_equal(distance_of("\xc3\xa4\xff", "\xc3\xb6\xff"), 1);
}

/* What is behind that makes no difference, and the time stays bounded. */
static void only_the_first_512_bytes_are_compared(void **state)
{
	char a[LONGEST], b[LONGEST];

	memset(a, 'x', sizeof a);
	memset(b, 'x', sizeof b);
	b[511] = 'y';
	memset(b + 512, 'z', sizeof b - 512);
	assert_int_equal(edit_distance(a, sizeof a, b, sizeof b), 1);
}

static int first_int(sqlite3 *raw, const char *sql, int *ret_type)
{
	sqlite3_stmt *stmt;
	int value;

	assert_int_equal(sqlite3_prepare_v2(raw, sql, -1, &stmt, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
	value = sqlite3_column_int(stmt, 0);
	*ret_type = sqlite3_column_type(stmt, 0);
	sqlite3_finalize(stmt);
	return value;
}

static void sql_can_ask_for_it(void **state)
{
	sqlite3 *raw;
	int type;

	assert_int_equal(sqlite3_open(":memory:", &raw), SQLITE_OK);
	assert_int_equal(similarity_register(raw), SQLITE_OK);
	assert_int_equal(first_int(raw, "select distance('kitten', 'sitting')", &type), 3);
	first_int(raw, "select distance('kitten', null)", &type);
	assert_int_equal(type, SQLITE_NULL);
	sqlite3_close(raw);
}

BELAY_TEST_MAIN(cmocka_unit_test(well_known_distances_are_right),
		cmocka_unit_test(it_agrees_with_the_matrix_at_all_lengths),
		cmocka_unit_test(bytes_that_are_no_ascii_count_as_others),
		cmocka_unit_test(only_the_first_512_bytes_are_compared),
		cmocka_unit_test(sql_can_ask_for_it))
