/* SPDX-License-Identifier: MIT
 *
 * tx.c - transactions that end with their context.
 *
 * States      open -> committed | rolled back (err says why). Changed under conn->lock, once.
 * The end     An after-func on the transaction's context rolls back, behind the statement that the
 *             same end interrupts. The connection then answers every call with err, because a
 *             statement that came later would be committed by itself; that lasts until the owner
 *             has given up the transaction.
 * Memory      The rollback is compiled before the transaction begins, since it must not fail for
 *             want of memory: others would wait for the lock for ever.
 * Lifetime    The owner's commit or rollback frees it, after it has stopped the after-func or,
 *             where that runs already, waited for its element in rolled_back.
 */
#include "sqlite/sqlite.h"

#include <errno.h>
#include <string.h>

/* ---- Rolling back ---------------------------------------------------------------------------- */

static void undo(belay_sqlite_tx *tx, int err)
{
	if (tx->committed || tx->err)
		return;
	tx->err = err;
	if (!sqlite3_get_autocommit(tx->conn->raw)) {
		sqlite3_step(tx->rollback);
		sqlite3_reset(tx->rollback);
	}
	if (!sqlite3_get_autocommit(tx->conn->raw))
		tx->conn->suspect = true;
}

static void undo_ended(belay_sqlite_conn *conn, void *arg)
{
	belay_sqlite_tx *tx = arg;

	undo(tx, belay_err(tx->ctx));
}

static void on_end(void *arg)
{
	belay_sqlite_tx *tx = arg;
	belay_chan *rolled_back = belay_chan_ref(tx->rolled_back);

	belay_sqlite__clean(tx->conn, undo_ended, tx);
	belay_try_send(rolled_back, NULL); /* from here on the owner may free tx */
	belay_chan_unref(rolled_back);
}

static void give_up(belay_sqlite_conn *conn, void *arg)
{
	belay_sqlite_tx *tx = arg;

	undo(tx, -ECANCELED);
	sqlite3_finalize(tx->rollback);
	conn->tx = NULL;
}

/* ---- Making and freeing ---------------------------------------------------------------------- */

static belay_sqlite_tx *tx_new(belay_ctx *ctx, belay_sqlite_conn *conn)
{
	belay_sqlite_tx *tx = sqlite3_malloc64(sizeof *tx);

	if (!tx)
		return NULL;
	memset(tx, 0, sizeof *tx);
	tx->conn = conn;
	tx->rolled_back = belay_chan_new(0, 1);
	if (!tx->rolled_back) {
		sqlite3_free(tx);
		return NULL;
	}
	tx->ctx = belay_ref(ctx);
	return tx;
}

static void tx_free(belay_sqlite_tx *tx)
{
	belay_chan_unref(tx->rolled_back);
	belay_unref(tx->ctx);
	sqlite3_free(tx);
}

/* Whatever state it is in: rolls back what is open, and lets go of the connection. */
static void finish(belay_sqlite_tx *tx)
{
	if (tx->after && !belay_after_stop(tx->after))
		belay_recv(belay_background(), tx->rolled_back, NULL);
	belay_sqlite__clean(tx->conn, give_up, tx);
	tx_free(tx);
}

/* ---- Beginning and committing ---------------------------------------------------------------- */

struct beginning {
	struct belay_sqlite__call call;
	belay_sqlite_tx *tx;
	const char *sql;
};

static int run_begin(struct belay_sqlite__call *call)
{
	struct beginning *beginning = belay__container(call, struct beginning, call);
	sqlite3_stmt **rollback = &beginning->tx->rollback;
	belay_sqlite_conn *conn = call->conn;
	int code = sqlite3_prepare_v2(conn->raw, "ROLLBACK", -1, rollback, NULL);

	if (code == SQLITE_OK)
		code = sqlite3_exec(conn->raw, beginning->sql, NULL, NULL, NULL);
	if (code == SQLITE_OK) {
		conn->tx = beginning->tx;
	} else {
		sqlite3_finalize(*rollback);
		*rollback = NULL;
	}
	return code;
}

static int run_commit(struct belay_sqlite__call *call)
{
	belay_sqlite_conn *conn = call->conn;
	int code = sqlite3_exec(conn->raw, "COMMIT", NULL, NULL, NULL);

	if (code == SQLITE_OK)
		conn->tx->committed = true;
	return code;
}

static const char *begin_sql(enum belay_sqlite_mode mode)
{
	switch (mode) {
	case BELAY_SQLITE_IMMEDIATE:
		return "BEGIN IMMEDIATE";
	case BELAY_SQLITE_EXCLUSIVE:
		return "BEGIN EXCLUSIVE";
	default:
		return "BEGIN";
	}
}

/* ---- Public ---------------------------------------------------------------------------------- */

int belay_sqlite_begin(belay_ctx *ctx, belay_sqlite_conn *conn, enum belay_sqlite_mode mode,
		       belay_sqlite_tx **ret)
{
	struct beginning beginning = {.call.run = run_begin, .sql = begin_sql(mode)};
	int err;

	if (conn->tx) {
		belay_sqlite__describe(&conn->error, NULL, SQLITE_MISUSE,
				       "the connection is in a transaction");
		return -EBUSY;
	}
	beginning.tx = tx_new(ctx, conn);
	if (!beginning.tx)
		return belay_sqlite__refuse(conn, -ENOMEM);
	err = belay_sqlite__call(ctx, conn, &beginning.call);
	if (err) {
		tx_free(beginning.tx);
		return err;
	}
	beginning.tx->after = belay_after_func(ctx, on_end, beginning.tx);
	if (!beginning.tx->after) {
		finish(beginning.tx);
		return belay_sqlite__refuse(conn, -ENOMEM);
	}
	*ret = beginning.tx;
	return 0;
}

int belay_sqlite_commit(belay_ctx *ctx, belay_sqlite_tx *tx)
{
	struct belay_sqlite__call call = {.run = run_commit};
	int err = belay_sqlite__call(ctx, tx->conn, &call);

	finish(tx);
	return err;
}

void belay_sqlite_rollback(belay_sqlite_tx *tx)
{
	if (tx)
		finish(tx);
}
