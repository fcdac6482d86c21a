/* SPDX-License-Identifier: MIT
 *
 * param.c - the values of a statement's parameters.
 *
 * They are kept here until the first step, so that giving one never waits for the engine.
 */
#include "sqlite/sqlite.h"

#include <errno.h>
#include <string.h>

static void param_clear(struct belay_sqlite__param *param)
{
	if (param->type == SQLITE_TEXT || param->type == SQLITE_BLOB)
		sqlite3_free(param->as.bytes.data);
	param->type = SQLITE_NULL;
}

static int refuse_index(belay_sqlite_stmt *stmt, int index)
{
	struct belay_sqlite_error *error = &stmt->conn->error;

	error->code = SQLITE_RANGE;
	sqlite3_snprintf(sizeof error->message, error->message,
			 "no parameter %d: the statement has %d", index, stmt->n_params);
	return -ERANGE;
}

static int refuse_change(belay_sqlite_stmt *stmt)
{
	belay_sqlite__describe(&stmt->conn->error, NULL, SQLITE_MISUSE,
			       "a value can't be changed between the first step and the reset");
	return -EBUSY;
}

/* The parameter, emptied, for a new value. */
static int param_open(belay_sqlite_stmt *stmt, int index, struct belay_sqlite__param **ret)
{
	if (index < 1 || index > stmt->n_params)
		return refuse_index(stmt, index);
	if (stmt->state != READY)
		return refuse_change(stmt);
	*ret = &stmt->params[index - 1];
	param_clear(*ret);
	return 0;
}

static int bind_bytes(belay_sqlite_stmt *stmt, int index, int type, const void *value, size_t size)
{
	char *copy = sqlite3_malloc64(size + 1);
	struct belay_sqlite__param *param;
	int err;

	if (!copy)
		return belay_sqlite__refuse(stmt->conn, -ENOMEM);
	err = param_open(stmt, index, &param);
	if (err) {
		sqlite3_free(copy);
		return err;
	}
	memcpy(copy, value, size);
	param->type = type;
	param->as.bytes.data = copy;
	param->as.bytes.size = size;
	return 0;
}

/* Into the engine. The bytes stay ours, and stay in place until the statement is READY again. */
static int apply(sqlite3_stmt *raw, int index, const struct belay_sqlite__param *param)
{
	switch (param->type) {
	case SQLITE_INTEGER:
		return sqlite3_bind_int64(raw, index, param->as.integer);
	case SQLITE_FLOAT:
		return sqlite3_bind_double(raw, index, param->as.real);
	case SQLITE_TEXT:
		return sqlite3_bind_text64(raw, index, param->as.bytes.data, param->as.bytes.size,
					   SQLITE_STATIC, SQLITE_UTF8);
	case SQLITE_BLOB:
		return sqlite3_bind_blob64(raw, index, param->as.bytes.data, param->as.bytes.size,
					   SQLITE_STATIC);
	default:
		return sqlite3_bind_null(raw, index);
	}
}

int belay_sqlite__params_apply(belay_sqlite_stmt *stmt)
{
	int i, code = SQLITE_OK;

	for (i = 0; i < stmt->n_params && code == SQLITE_OK; i++)
		code = apply(stmt->raw, i + 1, &stmt->params[i]);
	return code;
}

void belay_sqlite__params_clear(belay_sqlite_stmt *stmt)
{
	int i;

	for (i = 0; i < stmt->n_params; i++)
		param_clear(&stmt->params[i]);
}

/* ---- Public ---------------------------------------------------------------------------------- */

int belay_sqlite_bind_int64(belay_sqlite_stmt *stmt, int index, int64_t value)
{
	struct belay_sqlite__param *param;
	int err = param_open(stmt, index, &param);

	if (err)
		return err;
	param->type = SQLITE_INTEGER;
	param->as.integer = value;
	return 0;
}

int belay_sqlite_bind_double(belay_sqlite_stmt *stmt, int index, double value)
{
	struct belay_sqlite__param *param;
	int err = param_open(stmt, index, &param);

	if (err)
		return err;
	param->type = SQLITE_FLOAT;
	param->as.real = value;
	return 0;
}

int belay_sqlite_bind_text(belay_sqlite_stmt *stmt, int index, const char *value)
{
	if (!value)
		return belay_sqlite_bind_null(stmt, index);
	return bind_bytes(stmt, index, SQLITE_TEXT, value, strlen(value));
}

int belay_sqlite_bind_blob(belay_sqlite_stmt *stmt, int index, const void *value, size_t size)
{
	if (!value)
		return belay_sqlite_bind_null(stmt, index);
	return bind_bytes(stmt, index, SQLITE_BLOB, value, size);
}

int belay_sqlite_bind_null(belay_sqlite_stmt *stmt, int index)
{
	struct belay_sqlite__param *param;

	return param_open(stmt, index, &param);
}

int belay_sqlite_param(const belay_sqlite_stmt *stmt, const char *name)
{
	return sqlite3_bind_parameter_index(stmt->raw, name);
}
