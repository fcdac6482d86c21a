/* SPDX-License-Identifier: MIT
 *
 * column.c - the columns of a statement's current row, which stands in a batch.
 */
#include "sqlite/sqlite.h"

static const struct belay_sqlite__cell *cell_of(const belay_sqlite_stmt *stmt, int column)
{
	static const struct belay_sqlite__cell none = {.type = SQLITE_NULL};

	if (column < 0 || column >= stmt->n_columns || !stmt->row)
		return &none;
	return &stmt->shown->cells[(stmt->row - 1) * (size_t)stmt->n_columns + (size_t)column];
}

static int64_t saturate(double real)
{
	if (real >= 0x1p63)
		return INT64_MAX;
	if (real < -0x1p63)
		return INT64_MIN;
	return real == real ? (int64_t)real : 0;
}

int belay_sqlite_columns(const belay_sqlite_stmt *stmt)
{
	return stmt->n_columns;
}

const char *belay_sqlite_name(const belay_sqlite_stmt *stmt, int column)
{
	return sqlite3_column_name(stmt->raw, column);
}

int belay_sqlite_type(const belay_sqlite_stmt *stmt, int column)
{
	return cell_of(stmt, column)->type;
}

int64_t belay_sqlite_int64(const belay_sqlite_stmt *stmt, int column)
{
	const struct belay_sqlite__cell *cell = cell_of(stmt, column);

	if (cell->type == SQLITE_INTEGER)
		return cell->as.integer;
	return cell->type == SQLITE_FLOAT ? saturate(cell->as.real) : 0;
}

double belay_sqlite_double(const belay_sqlite_stmt *stmt, int column)
{
	const struct belay_sqlite__cell *cell = cell_of(stmt, column);

	if (cell->type == SQLITE_FLOAT)
		return cell->as.real;
	return cell->type == SQLITE_INTEGER ? (double)cell->as.integer : 0;
}

const char *belay_sqlite_text(const belay_sqlite_stmt *stmt, int column)
{
	const struct belay_sqlite__cell *cell = cell_of(stmt, column);

	return cell->type == SQLITE_TEXT ? stmt->shown->bytes + cell->as.bytes.offset : NULL;
}

const void *belay_sqlite_blob(const belay_sqlite_stmt *stmt, int column, size_t *size)
{
	const struct belay_sqlite__cell *cell = cell_of(stmt, column);
	bool has_bytes = cell->type == SQLITE_TEXT || cell->type == SQLITE_BLOB;

	if (size)
		*size = has_bytes ? cell->as.bytes.size : 0;
	return has_bytes ? stmt->shown->bytes + cell->as.bytes.offset : NULL;
}
