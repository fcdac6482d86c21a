/* SPDX-License-Identifier: MIT
 *
 * stmt.c - statements: parameters in, rows out.
 *
 * States      READY -> RUNNING -> OVER, and READY again by a reset. outcome says how it was over: 0
 *             after the last row, or the error, and then why has the words. Rows that were fetched
 *             before that are still handed out, unless it is the caller's own context that is done.
 * Invariants  (1) in READY and OVER the engine's statement is not in progress: it holds no lock.
 *             (2) the engine's statement is touched by calls into the engine only; parameters and
 *                 rows are kept here, so that binding and reading never wait.
 *             (3) the current row stands in shown; a fetch fills the other batch, and they change
 *                 places only when it has a row: a step that fails leaves the current row alone.
 */
#include "sqlite/sqlite.h"

#include <errno.h>
#include <string.h>

enum {
	FETCH_ROWS = 128,    /* ahead at most, */
	FETCH_NS = 1000000,  /* and for so long, and so many bytes: */
	FETCH_BYTES = 1 << 16,
};

enum state {
	READY,
	RUNNING,
	OVER,
};

struct param {
	int type; /* SQLITE_NULL ... */
	union {
		int64_t integer;
		double real;
		struct {
			char *data; /* owned */
			size_t size;
		} bytes;
	} as;
};

struct belay_sqlite_stmt {
	belay_sqlite_conn *conn;
	sqlite3_stmt *raw;
	struct param *params;
	int n_params, n_columns;

	enum state state;
	int outcome;
	struct belay_sqlite_error why; /* the words for it, where it is an error */

	struct belay_sqlite__batch batches[2];
	struct belay_sqlite__batch *shown, *filling;
	size_t row;  /* the current one's number in shown, from 1; 0: none yet */
	size_t rows; /* in shown */

	struct belay_sqlite__call call; /* the one that is made now */
};

/* ---- Parameters ------------------------------------------------------------------------------ */

static void param_clear(struct param *param)
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
static int param_open(belay_sqlite_stmt *stmt, int index, struct param **ret)
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
	struct param *param;
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
static int apply(sqlite3_stmt *raw, int index, const struct param *param)
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

static int apply_all(belay_sqlite_stmt *stmt)
{
	int i, code = SQLITE_OK;

	for (i = 0; i < stmt->n_params && code == SQLITE_OK; i++)
		code = apply(stmt->raw, i + 1, &stmt->params[i]);
	return code;
}

/* ---- Fetching -------------------------------------------------------------------------------- */

static belay_sqlite_stmt *of_call(struct belay_sqlite__call *call)
{
	return belay__container(call, belay_sqlite_stmt, call);
}

static bool is_full(const belay_sqlite_stmt *stmt, size_t rows, int64_t until)
{
	return rows >= FETCH_ROWS || stmt->filling->n_bytes >= FETCH_BYTES || belay_now() >= until;
}

/* Steps until it is over or enough has been fetched. */
static int fetch(belay_sqlite_stmt *stmt)
{
	int64_t until = belay_now() + FETCH_NS;
	size_t rows = 0;
	int code;

	do {
		code = sqlite3_step(stmt->raw);
		if (code != SQLITE_ROW)
			return code;
		stmt->n_columns = sqlite3_data_count(stmt->raw); /* the schema may have changed */
		code = belay_sqlite__batch_add(stmt->filling, stmt->raw);
		if (code != SQLITE_OK)
			return code;
	} while (!is_full(stmt, ++rows, until));
	return SQLITE_ROW;
}

static int run_fetch(struct belay_sqlite__call *call)
{
	belay_sqlite_stmt *stmt = of_call(call);
	int code = SQLITE_OK;

	if (stmt->state == READY)
		code = apply_all(stmt);
	stmt->state = RUNNING;
	if (code == SQLITE_OK)
		code = fetch(stmt);
	if (code == SQLITE_ROW)
		return SQLITE_OK;
	stmt->state = OVER;
	return code == SQLITE_DONE ? SQLITE_OK : code;
}

/* An interrupt that came too late for this fetch has reset the statement in mid-read; left
 * RUNNING, it would start again from the first row. And what is over holds no locks: invariant 1.
 * Not before the verdict, which reads the engine's message. */
static void settle_fetch(struct belay_sqlite__call *call)
{
	belay_sqlite_stmt *stmt = of_call(call);

	if (stmt->state == RUNNING && !sqlite3_stmt_busy(stmt->raw)) {
		stmt->state = OVER;
		stmt->outcome = belay_err(call->ctx);
		if (!stmt->outcome)
			stmt->outcome = call->conn->tx ? belay_err(call->conn->tx->ctx) : -ESTALE;
	}
	if (stmt->state == OVER)
		sqlite3_reset(stmt->raw);
}

static void show_fetched(belay_sqlite_stmt *stmt)
{
	struct belay_sqlite__batch *shown = stmt->shown;

	stmt->shown = stmt->filling;
	stmt->filling = shown;
	stmt->row = 1;
	stmt->rows = stmt->n_columns ? stmt->shown->n_cells / (size_t)stmt->n_columns : 0;
}

/* ---- Ending a run ---------------------------------------------------------------------------- */

static void reset_raw(belay_sqlite_conn *conn, void *arg)
{
	sqlite3_reset(arg);
}

static void finalize_raw(belay_sqlite_conn *conn, void *arg)
{
	sqlite3_finalize(arg);
}

/* The caller's context is done: lets go of the locks, and keeps the current row. */
static int give_in(belay_sqlite_stmt *stmt, int err)
{
	belay_sqlite__refuse(stmt->conn, err);
	if (stmt->state != RUNNING)
		return err;
	belay_sqlite__clean(stmt->conn, reset_raw, stmt->raw);
	stmt->state = OVER;
	stmt->outcome = err;
	stmt->why = stmt->conn->error;
	stmt->rows = stmt->row;
	return err;
}

/* It is over; err is what the call came to. An interrupt that came too late was no error of its. */
static void note_outcome(belay_sqlite_stmt *stmt, int err)
{
	if (err)
		stmt->outcome = err;
	else if (stmt->outcome)
		belay_sqlite__refuse(stmt->conn, stmt->outcome);
	stmt->why = stmt->conn->error;
}

/* Other calls may have failed since. */
static int say_outcome(belay_sqlite_stmt *stmt)
{
	if (stmt->outcome)
		stmt->conn->error = stmt->why;
	return stmt->outcome;
}

static int fetch_next(belay_ctx *ctx, belay_sqlite_stmt *stmt)
{
	enum state before = stmt->state;
	int err;

	belay_sqlite__batch_clear(stmt->filling);
	stmt->call.run = run_fetch;
	stmt->call.settled = settle_fetch;
	err = belay_sqlite__call(ctx, stmt->conn, &stmt->call);
	if (err && stmt->state == before)
		return err; /* it did not begin */
	if (stmt->state == OVER)
		note_outcome(stmt, err);
	if (stmt->filling->n_cells == 0)
		return say_outcome(stmt);
	show_fetched(stmt);
	return 1;
}

/* ---- Preparing ------------------------------------------------------------------------------- */

struct preparing {
	struct belay_sqlite__call call;
	const char *sql;
	sqlite3_stmt *raw;
};

static int misused(struct belay_sqlite__call *call, const char *words)
{
	call->words = words;
	return SQLITE_MISUSE;
}

/* A second statement behind the first is refused: it would be dropped in silence. */
static int refuse_tail(struct belay_sqlite__call *call, const char *tail)
{
	sqlite3_stmt *second = NULL;
	int code = sqlite3_prepare_v2(call->conn->raw, tail, -1, &second, NULL);

	if (code == SQLITE_OK && second)
		code = misused(call, "more than one statement");
	sqlite3_finalize(second);
	return code;
}

static int run_prepare(struct belay_sqlite__call *call)
{
	struct preparing *preparing = belay__container(call, struct preparing, call);
	sqlite3 *raw = call->conn->raw;
	const char *tail;
	int code = sqlite3_prepare_v2(raw, preparing->sql, -1, &preparing->raw, &tail);

	if (code == SQLITE_OK && !preparing->raw)
		code = misused(call, "no statement");
	if (code == SQLITE_OK)
		code = refuse_tail(call, tail);
	if (code == SQLITE_OK)
		return code;
	sqlite3_finalize(preparing->raw);
	preparing->raw = NULL;
	return code;
}

static belay_sqlite_stmt *stmt_new(belay_sqlite_conn *conn, sqlite3_stmt *raw)
{
	size_t params = (size_t)sqlite3_bind_parameter_count(raw);
	belay_sqlite_stmt *stmt = sqlite3_malloc64(sizeof *stmt + params * sizeof(struct param));
	size_t i;

	if (!stmt)
		return NULL;
	memset(stmt, 0, sizeof *stmt);
	stmt->conn = conn;
	stmt->raw = raw;
	stmt->params = (struct param *)(stmt + 1);
	stmt->n_params = (int)params;
	stmt->n_columns = sqlite3_column_count(raw);
	stmt->shown = &stmt->batches[0];
	stmt->filling = &stmt->batches[1];
	for (i = 0; i < params; i++)
		stmt->params[i].type = SQLITE_NULL;
	return stmt;
}

/* ---- Public: statements ---------------------------------------------------------------------- */

int belay_sqlite_prepare(belay_ctx *ctx, belay_sqlite_conn *conn, const char *sql,
			 belay_sqlite_stmt **ret)
{
	struct preparing preparing = {.call.run = run_prepare, .sql = sql};
	belay_sqlite_stmt *stmt;
	int err = belay_sqlite__call(ctx, conn, &preparing.call);

	if (err)
		return err;
	stmt = stmt_new(conn, preparing.raw);
	if (!stmt) {
		belay_sqlite__clean(conn, finalize_raw, preparing.raw);
		return belay_sqlite__refuse(conn, -ENOMEM);
	}
	*ret = stmt;
	return 0;
}

void belay_sqlite_finalize(belay_sqlite_stmt *stmt)
{
	int i;

	if (!stmt)
		return;
	belay_sqlite__clean(stmt->conn, finalize_raw, stmt->raw);
	for (i = 0; i < stmt->n_params; i++)
		param_clear(&stmt->params[i]);
	belay_sqlite__batch_free(&stmt->batches[0]);
	belay_sqlite__batch_free(&stmt->batches[1]);
	sqlite3_free(stmt);
}

int belay_sqlite_step(belay_ctx *ctx, belay_sqlite_stmt *stmt)
{
	int err = belay_err(ctx);

	if (err)
		return give_in(stmt, err);
	if (stmt->row < stmt->rows) {
		stmt->row++;
		return 1;
	}
	return stmt->state == OVER ? say_outcome(stmt) : fetch_next(ctx, stmt);
}

void belay_sqlite_reset(belay_sqlite_stmt *stmt)
{
	if (stmt->state == RUNNING)
		belay_sqlite__clean(stmt->conn, reset_raw, stmt->raw);
	stmt->state = READY;
	stmt->outcome = 0;
	stmt->row = stmt->rows = 0;
}

/* ---- Public: parameters ---------------------------------------------------------------------- */

int belay_sqlite_bind_int64(belay_sqlite_stmt *stmt, int index, int64_t value)
{
	struct param *param;
	int err = param_open(stmt, index, &param);

	if (err)
		return err;
	param->type = SQLITE_INTEGER;
	param->as.integer = value;
	return 0;
}

int belay_sqlite_bind_double(belay_sqlite_stmt *stmt, int index, double value)
{
	struct param *param;
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
	struct param *param;

	return param_open(stmt, index, &param);
}

int belay_sqlite_param(const belay_sqlite_stmt *stmt, const char *name)
{
	return sqlite3_bind_parameter_index(stmt->raw, name);
}

/* ---- Public: columns ------------------------------------------------------------------------- */

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
