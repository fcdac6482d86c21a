/* SPDX-License-Identifier: MIT
 *
 * sqlite.h - what the files of this library share.
 *
 * Layers, each using only those above it:
 *     error.c    the engine's codes as errnos
 *     engine.c   one call into the engine under a context: the interruption protocol
 *     pool.c     databases, and the loan of connections
 *     tx.c       transactions that end with their context
 *     batch.c    rows, copied out of the engine
 *     param.c    the values of a statement's parameters
 *     column.c   the columns of its current row
 *     stmt.c     statements
 *
 * Only Belay's public headers are used. Memory comes from sqlite3_malloc(), so that whoever gives
 * SQLite an allocator of their own governs this too.
 */
#ifndef BELAY_SRC_SQLITE_SQLITE_H
#define BELAY_SRC_SQLITE_SQLITE_H

#include "base/list.h"

#include <belay.h>
#include <belay/sqlite.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>


struct belay_sqlite {
	char *path;
	unsigned connections;
	int flags;
	int (*set_up)(sqlite3 *raw, void *arg);
	void *arg;

	belay_chan *idle;      /* the connections at home; closed by belay_sqlite_close() */
	belay_chan *unmade;    /* those that are yet to be made; likewise */
	_Atomic unsigned made; /* that are, wherever they be */
	_Atomic unsigned refs; /* the opener's, and one for each connection on loan */

	pthread_mutex_t lock;                  /* guards: */
	struct belay_sqlite_error open_error;
};

struct belay_sqlite_conn {
	belay_sqlite *db;

	/* Held through each call into the engine, on a thread that may block. Its holders are the
	 * borrower and, once a transaction's context has ended, the rollback. Guards: */
	pthread_mutex_t lock;
	sqlite3 *raw;          /* NULL: to be connected at the next use */
	belay_ctx *ctx;        /* of the call that is in the engine; NULL: none, or a clean-up */
	struct belay_sqlite__interrupt *interrupt; /* that call's */
	belay_sqlite_tx *tx;   /* begun by belay_sqlite_begin() and not given up by its owner yet */

	struct belay_sqlite_error error; /* the borrower's: nobody else writes or reads it */

	/* Written under the lock by the borrower's calls, so the borrower may read them without. */
	int64_t changes;
	int64_t last_rowid;
	bool suspect;          /* the disk or the file failed under it: not to be lent again */
};

struct belay_sqlite_tx {
	belay_sqlite_conn *conn;
	belay_ctx *ctx;
	belay_after *after;      /* rolls back when ctx ends */
	belay_chan *rolled_back; /* gets one element when that has run */
	sqlite3_stmt *rollback;  /* made ahead; guarded by conn->lock   */
	bool committed;          /* guarded by conn->lock */
	int err;                 /* guarded by conn->lock; not 0: rolled back, and why */
};

/* ---- error.c ---- */

/* The negative errno for a result code of SQLite's (0 for SQLITE_OK). raw may be NULL. Never an
 * error that is a context's. */
int belay_sqlite__errno(sqlite3 *raw, int code);

/* Fills *error with a code and the text raw has for it, or message where that is given. */
void belay_sqlite__describe(struct belay_sqlite_error *error, sqlite3 *raw, int code,
			    const char *message);

/* ---- engine.c ---- */

/* A call into the engine, embedded in what it works on. Both functions run on a thread that may
 * block, with conn->lock held. */
struct belay_sqlite__call {
	int (*run)(struct belay_sqlite__call *call);      /* SQLITE_OK or the code it failed with */
	void (*settled)(struct belay_sqlite__call *call); /* after the disarming; NULL: nothing   */
	belay_sqlite_conn *conn;
	belay_ctx *ctx;
	int result;
	const char *words; /* set by run, where it failed and the engine does not know why */
};

/* Runs call for ctx on conn, connecting that first where it has to be. 0; ctx's error, or that of
 * the transaction that conn is in; the errno of what run returned, described in conn->error. */
int belay_sqlite__call(belay_ctx *ctx, belay_sqlite_conn *conn, struct belay_sqlite__call *call);

/* Notes an error that the engine was not asked for, a context's or -ENOMEM, and returns it. */
int belay_sqlite__refuse(belay_sqlite_conn *conn, int err);

/* Runs fn(conn, arg), under conn->lock, whatever happens: for cleaning up. No context shortens it,
 * and it waits for no lock of the database's. */
void belay_sqlite__clean(belay_sqlite_conn *conn, void (*fn)(belay_sqlite_conn *conn, void *arg),
			 void *arg);

/* Runs fn(arg) on a thread that may block, or, where no such thread can be had, right here. */
void belay_sqlite__surely(void (*fn)(void *arg), void *arg);

/* Closes conn->raw. The lock is held, or nobody else has conn. */
void belay_sqlite__disconnect(belay_sqlite_conn *conn);

/* ---- batch.c ---- */

/* Rows, copied: cells are columns, row after row; text and blobs stand in bytes, a NUL behind
 * each. */
struct belay_sqlite__cell {
	int type; /* SQLITE_INTEGER ... */
	union {
		int64_t integer;
		double real;
		struct {
			size_t offset, size;
		} bytes;
	} as;
};

struct belay_sqlite__batch {
	struct belay_sqlite__cell *cells;
	size_t n_cells, room_cells;
	char *bytes;
	size_t n_bytes, room_bytes;
};

/* Copies raw's current row. SQLITE_OK or SQLITE_NOMEM; then nothing has been added. */
int belay_sqlite__batch_add(struct belay_sqlite__batch *batch, sqlite3_stmt *raw);
void belay_sqlite__batch_clear(struct belay_sqlite__batch *batch);
void belay_sqlite__batch_free(struct belay_sqlite__batch *batch);

/* ---- param.c, column.c and stmt.c, which tells of the states ---- */

enum belay_sqlite__state { READY, RUNNING, OVER };

struct belay_sqlite__param {
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
	struct belay_sqlite__param *params;
	int n_params, n_columns;

	enum belay_sqlite__state state;
	int outcome;
	struct belay_sqlite_error why; /* the words for it, where it is an error */

	struct belay_sqlite__batch batches[2];
	struct belay_sqlite__batch *shown, *filling;
	size_t row;  /* the current one's number in shown, from 1; 0: none yet */
	size_t rows; /* in shown */

	struct belay_sqlite__call call; /* the one that is made now */
};

/* Into the engine: SQLITE_OK or the code of its failure. The bytes stay where they are until the
 * statement is READY again. */
int belay_sqlite__params_apply(belay_sqlite_stmt *stmt);

/* All are NULL again. */
void belay_sqlite__params_clear(belay_sqlite_stmt *stmt);

#endif
