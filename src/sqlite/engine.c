/* SPDX-License-Identifier: MIT
 *
 * engine.c - one call into the engine, and how a context's end reaches it.
 *
 * sqlite3_interrupt() only raises a flag on the connection. The flag is lowered when a statement
 * starts while no other is in progress; until then every statement there fails. From that follow
 * two dangers: a flag raised a moment too early is lowered unseen, and one that stays up hits a
 * statement that it was not meant for. So the end has two ways in:
 *
 * The hook      raises the flag. It is armed only where no other statement is in progress on the
 *               connection, and disarmed (belay_hook_remove() waits for one that runs) before the
 *               lock is given back. Where it has fired, what is still in progress is reset, so that
 *               the next start lowers the flag: it never outlives its call.
 *               A flag raised before the start lowers it is raised again by the trace callback,
 *               which the engine calls after that and before the statement's first step.
 * The progress  handler asks the context every few hundred instructions. It leaves nothing behind,
 *               and serves where another statement is in mid-read, so that the flag can't be used.
 *               It can't see into one long instruction, as the flag can (count(*), parsing).
 *
 * Waiting for a lock of the database's is the busy handler's: it sleeps under the context.
 *
 * Locking     conn->lock through the whole call. Taken on blocking and plain threads only, never on
 *             a worker, but where no blocking thread can be had for a clean-up.
 */
#include "sqlite/sqlite.h"

#include <errno.h>

enum {
	PROGRESS_STEPS = 200, /* virtual machine instructions; a few microseconds */
};

/* ---- What the engine asks while it works ----------------------------------------------------- */

struct belay_sqlite__interrupt {
	struct belay_hook hook;
	sqlite3 *raw;
	bool armed;
	bool by_hook;  /* raised by the hook: read once that has been removed */
	bool at_start; /* raised by the trace callback */
};

static int on_progress(void *arg)
{
	const belay_sqlite_conn *conn = arg;

	return conn->ctx && belay_err(conn->ctx);
}

/* A statement has started: whatever flag was up has been lowered. */
static int on_start(unsigned what, void *arg, void *stmt, void *sql)
{
	belay_sqlite_conn *conn = arg;
	struct belay_sqlite__interrupt *interrupt = conn->interrupt;

	if (interrupt && interrupt->armed && on_progress(conn)) {
		interrupt->at_start = true;
		sqlite3_interrupt(conn->raw);
	}
	return 0;
}

/* Another connection holds a lock: 0.1 ms at first, then twice as long each time, up to 12.8 ms. */
static int on_busy(void *arg, int tries)
{
	belay_sqlite_conn *conn = arg;

	if (!conn->ctx)
		return 0;
	return belay_sleep(conn->ctx, BELAY_US(100) << (tries < 7 ? tries : 7)) == 0;
}

/* ---- Connecting ------------------------------------------------------------------------------ */

void belay_sqlite__disconnect(belay_sqlite_conn *conn)
{
	sqlite3_close_v2(conn->raw);
	conn->raw = NULL;
	conn->suspect = false;
}

static int connect_raw(belay_sqlite_conn *conn)
{
	const belay_sqlite *db = conn->db;
	int code = sqlite3_open_v2(db->path, &conn->raw, db->flags, NULL);

	if (code != SQLITE_OK)
		return code;
	sqlite3_extended_result_codes(conn->raw, 1);
	sqlite3_progress_handler(conn->raw, PROGRESS_STEPS, on_progress, conn);
	sqlite3_busy_handler(conn->raw, on_busy, conn);
	sqlite3_trace_v2(conn->raw, SQLITE_TRACE_STMT, on_start, conn);
	return SQLITE_OK;
}

/* ---- The interrupt --------------------------------------------------------------------------- */

static void on_end(struct belay_hook *hook)
{
	struct belay_sqlite__interrupt *interrupt =
		belay__container(hook, struct belay_sqlite__interrupt, hook);

	interrupt->by_hook = true;
	sqlite3_interrupt(interrupt->raw);
}

static bool in_progress(sqlite3 *raw)
{
	sqlite3_stmt *stmt;

	for (stmt = sqlite3_next_stmt(raw, NULL); stmt; stmt = sqlite3_next_stmt(raw, stmt))
		if (sqlite3_stmt_busy(stmt))
			return true;
	return false;
}

static void reset_all(sqlite3 *raw)
{
	sqlite3_stmt *stmt;

	for (stmt = sqlite3_next_stmt(raw, NULL); stmt; stmt = sqlite3_next_stmt(raw, stmt))
		if (sqlite3_stmt_busy(stmt))
			sqlite3_reset(stmt);
}

static void arm(struct belay_sqlite__interrupt *interrupt, belay_sqlite_conn *conn)
{
	*interrupt = (struct belay_sqlite__interrupt){.raw = conn->raw};
	interrupt->armed = !in_progress(conn->raw);
	conn->interrupt = interrupt;
	if (interrupt->armed)
		belay_hook_add(conn->ctx, &interrupt->hook, on_end);
}

static void disarm(struct belay_sqlite__interrupt *interrupt, belay_sqlite_conn *conn)
{
	conn->interrupt = NULL;
	if (!interrupt->armed)
		return;
	belay_hook_remove(&interrupt->hook);
	if (interrupt->by_hook || interrupt->at_start)
		reset_all(conn->raw);
}

/* ---- The call -------------------------------------------------------------------------------- */

/* Whose fault it was. Only with one of two codes can the context have stopped the engine. words
 * may be NULL: the engine has them. */
static int verdict(belay_sqlite_conn *conn, int code, const char *words)
{
	int stopped = belay_err(conn->ctx);
	int class = code & 0xff;

	if (code == SQLITE_OK)
		return 0;
	if (stopped && (class == SQLITE_INTERRUPT || class == SQLITE_BUSY)) {
		belay_sqlite__describe(&conn->error, NULL, code, belay_strerror(stopped));
		return stopped;
	}
	belay_sqlite__describe(&conn->error, conn->raw, code, words);
	if (class == SQLITE_IOERR || class == SQLITE_CORRUPT || class == SQLITE_NOTADB)
		conn->suspect = true;
	return belay_sqlite__errno(conn->raw, code);
}

int belay_sqlite__refuse(belay_sqlite_conn *conn, int err)
{
	int code = err == -ENOMEM ? SQLITE_NOMEM : SQLITE_INTERRUPT;

	belay_sqlite__describe(&conn->error, NULL, code, belay_strerror(err));
	return err;
}

/* A failed statement can make the engine roll back the whole transaction, and then what follows
 * would be committed piece by piece. So the transaction is over, and remembers why. */
static void check_transaction(belay_sqlite_conn *conn, int result)
{
	belay_sqlite_tx *tx = conn->tx;

	if (tx && !tx->committed && !tx->err && sqlite3_get_autocommit(conn->raw))
		tx->err = result ? result : -EINVAL;
}

static int run_connected(struct belay_sqlite__call *call)
{
	belay_sqlite_conn *conn = call->conn;
	struct belay_sqlite__interrupt interrupt;
	int code, result;

	arm(&interrupt, conn);
	code = call->run(call);
	result = verdict(conn, code, call->words);
	disarm(&interrupt, conn);
	check_transaction(conn, result);
	conn->changes = sqlite3_changes64(conn->raw);
	conn->last_rowid = sqlite3_last_insert_rowid(conn->raw);
	return result;
}

static int run_under(struct belay_sqlite__call *call, belay_ctx *ctx)
{
	belay_sqlite_conn *conn = call->conn;
	int err = belay_err(ctx);

	if (err)
		return belay_sqlite__refuse(conn, err);
	conn->ctx = ctx;
	if (!conn->raw) {
		err = verdict(conn, connect_raw(conn), NULL);
		if (err)
			belay_sqlite__disconnect(conn);
	}
	if (!err)
		err = run_connected(call);
	conn->ctx = NULL;
	if (call->settled)
		call->settled(call);
	return err;
}

/* In a transaction the end of its context counts as well as that of the call's. */
static int run_in_transaction(struct belay_sqlite__call *call, belay_sqlite_tx *tx)
{
	belay_ctx *both;
	int err;

	if (tx->err)
		return belay_sqlite__refuse(call->conn, tx->err);
	if (tx->ctx == call->ctx)
		return run_under(call, call->ctx);
	both = belay_with_merge(call->ctx, tx->ctx);
	err = run_under(call, both);
	belay_end(both);
	return err;
}

static void enter(void *arg)
{
	struct belay_sqlite__call *call = arg;
	belay_sqlite_conn *conn = call->conn;

	pthread_mutex_lock(&conn->lock);
	call->result = conn->tx ? run_in_transaction(call, conn->tx) : run_under(call, call->ctx);
	pthread_mutex_unlock(&conn->lock);
}

int belay_sqlite__call(belay_ctx *ctx, belay_sqlite_conn *conn, struct belay_sqlite__call *call)
{
	int err;

	call->conn = conn;
	call->ctx = ctx;
	err = belay_blocking(ctx, enter, call);
	return err ? belay_sqlite__refuse(conn, err) : call->result;
}

/* ---- Cleaning up ----------------------------------------------------------------------------- */

struct cleaning {
	belay_sqlite_conn *conn;
	void (*fn)(belay_sqlite_conn *conn, void *arg);
	void *arg;
};

static void enter_clean(void *arg)
{
	struct cleaning *cleaning = arg;

	pthread_mutex_lock(&cleaning->conn->lock);
	cleaning->fn(cleaning->conn, cleaning->arg);
	pthread_mutex_unlock(&cleaning->conn->lock);
}

void belay_sqlite__surely(void (*fn)(void *arg), void *arg)
{
	if (belay_blocking(belay_background(), fn, arg))
		fn(arg);
}

void belay_sqlite__clean(belay_sqlite_conn *conn, void (*fn)(belay_sqlite_conn *conn, void *arg),
			 void *arg)
{
	struct cleaning cleaning = {.conn = conn, .fn = fn, .arg = arg};

	belay_sqlite__surely(enter_clean, &cleaning);
}

/* ---- Public ---------------------------------------------------------------------------------- */

struct exec {
	struct belay_sqlite__call call;
	const char *sql;
};

static int run_exec(struct belay_sqlite__call *call)
{
	struct exec *exec = belay__container(call, struct exec, call);

	return sqlite3_exec(call->conn->raw, exec->sql, NULL, NULL, NULL);
}

int belay_sqlite_exec(belay_ctx *ctx, belay_sqlite_conn *conn, const char *sql)
{
	struct exec exec = {.call.run = run_exec, .sql = sql};

	return belay_sqlite__call(ctx, conn, &exec.call);
}

struct custom {
	struct belay_sqlite__call call;
	int (*fn)(sqlite3 *raw, void *arg);
	void *arg;
};

static int run_custom(struct belay_sqlite__call *call)
{
	struct custom *custom = belay__container(call, struct custom, call);

	return custom->fn(call->conn->raw, custom->arg);
}

int belay_sqlite_run(belay_ctx *ctx, belay_sqlite_conn *conn, int (*fn)(sqlite3 *raw, void *arg),
		     void *arg)
{
	struct custom custom = {.call.run = run_custom, .fn = fn, .arg = arg};

	return belay_sqlite__call(ctx, conn, &custom.call);
}

const struct belay_sqlite_error *belay_sqlite_error_of(const belay_sqlite_conn *conn)
{
	return &conn->error;
}

int64_t belay_sqlite_changes(const belay_sqlite_conn *conn)
{
	return conn->changes;
}

int64_t belay_sqlite_last_rowid(const belay_sqlite_conn *conn)
{
	return conn->last_rowid;
}
