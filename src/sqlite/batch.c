/* SPDX-License-Identifier: MIT
 *
 * batch.c - rows, copied out of the engine.
 *
 * A copy, so that a row that has been read stays what it is whatever happens to its statement, and
 * can be read on a worker without a lock. Offsets, not pointers: the bytes move as they grow. A
 * batch keeps its memory from one filling to the next.
 */
#include "sqlite/sqlite.h"

#include <string.h>

/* Makes room for n elements in all. False: out of memory, nothing changed. */
static bool reserve(void **array, size_t *room, size_t n, size_t element)
{
	size_t wanted = *room ? *room : 16;
	void *grown;

	if (n <= *room)
		return true;
	while (wanted < n)
		wanted *= 2;
	grown = sqlite3_realloc64(*array, wanted * element);
	if (!grown)
		return false;
	*array = grown;
	*room = wanted;
	return true;
}

static bool add_bytes(struct belay_sqlite__batch *batch, struct belay_sqlite__cell *cell,
		      const void *data, size_t size)
{
	if (!reserve((void **)&batch->bytes, &batch->room_bytes, batch->n_bytes + size + 1, 1))
		return false;
	cell->as.bytes.offset = batch->n_bytes;
	cell->as.bytes.size = size;
	if (size)
		memcpy(batch->bytes + batch->n_bytes, data, size);
	batch->bytes[batch->n_bytes + size] = '\0';
	batch->n_bytes += size + 1;
	return true;
}

static bool add_cell(struct belay_sqlite__batch *batch, sqlite3_stmt *raw, int column)
{
	struct belay_sqlite__cell *cell = &batch->cells[batch->n_cells];
	const void *data;

	cell->type = sqlite3_column_type(raw, column);
	batch->n_cells++;
	switch (cell->type) {
	case SQLITE_INTEGER:
		cell->as.integer = sqlite3_column_int64(raw, column);
		return true;
	case SQLITE_FLOAT:
		cell->as.real = sqlite3_column_double(raw, column);
		return true;
	case SQLITE_TEXT:
		data = sqlite3_column_text(raw, column);
		break;
	case SQLITE_BLOB:
		data = sqlite3_column_blob(raw, column);
		break;
	default:
		return true;
	}
	/* An empty blob has no address; text without one is the engine out of memory. */
	if (!data && (cell->type == SQLITE_TEXT || sqlite3_column_bytes(raw, column)))
		return false;
	return add_bytes(batch, cell, data, (size_t)sqlite3_column_bytes(raw, column));
}

int belay_sqlite__batch_add(struct belay_sqlite__batch *batch, sqlite3_stmt *raw)
{
	size_t cells = batch->n_cells, bytes = batch->n_bytes;
	int i, columns = sqlite3_data_count(raw);

	if (!reserve((void **)&batch->cells, &batch->room_cells, cells + (size_t)columns,
		     sizeof *batch->cells))
		return SQLITE_NOMEM;
	for (i = 0; i < columns; i++) {
		if (add_cell(batch, raw, i))
			continue;
		batch->n_cells = cells;
		batch->n_bytes = bytes;
		return SQLITE_NOMEM;
	}
	return SQLITE_OK;
}

void belay_sqlite__batch_clear(struct belay_sqlite__batch *batch)
{
	batch->n_cells = 0;
	batch->n_bytes = 0;
}

void belay_sqlite__batch_free(struct belay_sqlite__batch *batch)
{
	sqlite3_free(batch->cells);
	sqlite3_free(batch->bytes);
	memset(batch, 0, sizeof *batch);
}
