/* SPDX-License-Identifier: MIT
 *
 * stmt.c - statements: prepared, stepped, reset.
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
		code = belay_sqlite__params_apply(stmt);
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
	enum belay_sqlite__state before = stmt->state;
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
	size_t i, params = (size_t)sqlite3_bind_parameter_count(raw);
	belay_sqlite_stmt *stmt =
		sqlite3_malloc64(sizeof *stmt + params * sizeof(struct belay_sqlite__param));

	if (!stmt)
		return NULL;
	memset(stmt, 0, sizeof *stmt);
	stmt->conn = conn;
	stmt->raw = raw;
	stmt->params = (struct belay_sqlite__param *)(stmt + 1);
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
	if (!stmt)
		return;
	belay_sqlite__clean(stmt->conn, finalize_raw, stmt->raw);
	belay_sqlite__params_clear(stmt);
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
