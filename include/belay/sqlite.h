/* SPDX-License-Identifier: MIT
 *
 * sqlite.h - SQLite under contexts: a pool of connections, statements, rows, transactions.
 *
 * The end of a context reaches the engine: it interrupts the statement that runs for it, and never
 * another one. Every call that can block takes a context first, runs on a thread that may block
 * (see belay_blocking()) and works from tasks and plain threads alike. A connection, its statements
 * and its transaction are used by one caller at a time; a database by any number. The engine looks
 * at the interruption between its own instructions: one that takes long by itself, as a full-text
 * query of thousands of words or a function of the program's may, is over first.
 *
 * Errors are the context's (-ECANCELED, -ETIME) where it was the context, and otherwise a negative
 * errno, with the engine's own code and words in belay_sqlite_error_of():
 *
 *     -EINVAL     bad SQL or misuse          -EEXIST   unique or primary key constraint
 *     -EDOM       any other constraint       -EBUSY    locked, and waiting could not help
 *     -EROFS      read-only                  -EACCES   not allowed
 *     -ENOENT     can't open                 -ENOSPC   disk full
 *     -EIO        the disk failed            -EBADMSG  damaged, or not a database
 *     -E2BIG      text, blob or SQL too big  -ESTALE   rolled back, or changed, while being read
 *     -ENOMEM     out of memory              -EINTR    sqlite3_interrupt() by somebody else
 *
 * or what errno the operating system gave for -ENOENT and -EIO.
 *
 * Link with `pkg-config --cflags --libs belay-sqlite`.
 */
#ifndef BELAY_SQLITE_H
#define BELAY_SQLITE_H

#include <belay/context.h>

#include <sqlite3.h>

BELAY_BEGIN_DECLS

typedef struct belay_sqlite belay_sqlite;           /* a database: a pool of connections to it    */
typedef struct belay_sqlite_conn belay_sqlite_conn; /* a connection, on loan to one caller        */
typedef struct belay_sqlite_stmt belay_sqlite_stmt; /* a prepared statement and its rows          */
typedef struct belay_sqlite_tx belay_sqlite_tx;     /* a transaction                              */

/* What the engine had to say about a failure. */
struct belay_sqlite_error {
	int code;          /* SQLite's extended result code; SQLITE_OK: nothing has failed yet    */
	char message[256]; /* its text, cut to size                                               */
};

/* ---- Databases ------------------------------------------------------------------------------- */

/* How to open; zeroed: the defaults. */
struct belay_sqlite_options {
	unsigned connections; /* at most this many: up to 511, and best well below the 512 threads
			       * that may block; 0: 4. A private in-memory database has 1         */
	int flags;            /* SQLITE_OPEN_...; 0: read, write, create                          */

	/* Sets up each new connection: pragmas, functions, extensions. Returns SQLITE_OK, or the
	 * code with which the opening fails. Runs on a blocking thread, under the context of the
	 * call that needed the connection; the handlers for busy, progress and trace are Belay's,
	 * here and later. NULL: nothing to set up. */
	int (*set_up)(sqlite3 *raw, void *arg);
	void *arg;

	/* Where belay_sqlite_open() puts the engine's words if it fails; NULL: nowhere. */
	struct belay_sqlite_error *error;
};

/* Opens path (a file, ":memory:" or a file: URI) and makes the first connection; the others are
 * made when they are needed. options may be NULL, and is not needed after the return. Where several
 * connections are to share one database in memory, "file:/name?vfs=memdb" does that.
 * 0 and *ret; the context's error; -EINVAL: too many connections, or path is NULL; -ENOMEM; an
 * error of the engine. */
BELAY_EXPORT int belay_sqlite_open(BELAY_BORROWED belay_ctx *ctx, const char *path,
				   const struct belay_sqlite_options *options, belay_sqlite **ret);

/* No more connections are lent: who waits for one gets -EPIPE. Closes those that are at home;
 * one that is on loan is closed when it is given back, and the last one frees db. NULL is fine. */
BELAY_EXPORT void belay_sqlite_close(belay_sqlite *db);

/* Borrows a connection; waits, first come first served, while all are on loan. A new one is made
 * where none is at home; where there are no descriptors for it, the next to come home is waited
 * for, unless there is none. A context that is done takes none, and one that ends leaves the queue.
 * 0 and *ret; the context's error; -EPIPE: db is closed; what the making of a new connection failed
 * with: belay_sqlite_open_error(). */
BELAY_EXPORT int belay_sqlite_take(BELAY_BORROWED belay_ctx *ctx, belay_sqlite *db,
				   belay_sqlite_conn **ret);

/* Gives it back. Its statements must have been finalized; a transaction that is still open, begun
 * by belay_sqlite_begin() or by hand, is rolled back (and freed). A connection that can't be
 * cleaned is closed and replaced: the next borrower never sees what this one left. NULL is fine.
 * Takes as long as the rollback does. */
BELAY_EXPORT void belay_sqlite_give(belay_sqlite_conn *conn);

/* Why a connection could not be made the last time that one could not, also where another one was
 * waited for then. Any thread. */
BELAY_EXPORT void belay_sqlite_open_error(belay_sqlite *db, struct belay_sqlite_error *ret);

/* ---- Connections ----------------------------------------------------------------------------- */

/* Runs the statements of sql one after the other, rows thrown away. 0; or the first error, where
 * those before it have had their effect (unless inside a transaction that is then rolled back). */
BELAY_EXPORT int belay_sqlite_exec(BELAY_BORROWED belay_ctx *ctx, belay_sqlite_conn *conn,
				   const char *sql);

/* Calls fn(raw, arg) on a blocking thread: whatever SQLite can do, under the context, which
 * interrupts what runs inside and bounds the wait for locks. fn returns SQLITE_OK or the code of
 * its failure, and finalizes what it prepared. 0, the context's error, or as the list above. */
BELAY_EXPORT int belay_sqlite_run(BELAY_BORROWED belay_ctx *ctx, belay_sqlite_conn *conn,
				  int (*fn)(sqlite3 *raw, void *arg), void *arg);

/* What the last failed call on conn, its statements and its transaction failed with: the engine's
 * words or, where that was not asked, Belay's. Borrowed, until the next call. */
BELAY_EXPORT const struct belay_sqlite_error *belay_sqlite_error_of(const belay_sqlite_conn *conn);

/* Rows changed by the last INSERT, UPDATE or DELETE; the rowid of the last INSERT. */
BELAY_EXPORT int64_t belay_sqlite_changes(const belay_sqlite_conn *conn);
BELAY_EXPORT int64_t belay_sqlite_last_rowid(const belay_sqlite_conn *conn);

/* ---- Statements ---------------------------------------------------------------------------------
 *
 *     belay_sqlite_prepare(ctx, conn, "select name, size from package where size > ?1", &stmt);
 *     belay_sqlite_bind_int64(stmt, 1, 1000000);
 *     while ((n = belay_sqlite_step(ctx, stmt)) > 0)
 *             printf("%s %lld\n", belay_sqlite_text(stmt, 0), belay_sqlite_int64(stmt, 1));
 *     belay_sqlite_finalize(stmt);
 */

/* Prepares the one statement in sql (copied). 0 and *ret; the context's error; -EINVAL: not SQL, no
 * statement, or more than one; -ENOMEM and other errors of the engine. */
BELAY_EXPORT int belay_sqlite_prepare(BELAY_BORROWED belay_ctx *ctx, belay_sqlite_conn *conn,
				      const char *sql, belay_sqlite_stmt **ret);

/* Frees it. NULL is fine. Where rows of an INSERT ... RETURNING are left, this commits it. */
BELAY_EXPORT void belay_sqlite_finalize(belay_sqlite_stmt *stmt);

/* Gives parameter index (from 1) a value, which is copied and stays until it is given another; all
 * are NULL at first. None blocks. 0; -ERANGE: no such parameter; -EBUSY: between the first step and
 * the reset; -ENOMEM. A NULL text or blob is the SQL NULL; text ends with NUL. */
BELAY_EXPORT int belay_sqlite_bind_int64(belay_sqlite_stmt *stmt, int index, int64_t value);
BELAY_EXPORT int belay_sqlite_bind_double(belay_sqlite_stmt *stmt, int index, double value);
BELAY_EXPORT int belay_sqlite_bind_text(belay_sqlite_stmt *stmt, int index, const char *value);
BELAY_EXPORT int belay_sqlite_bind_blob(belay_sqlite_stmt *stmt, int index, const void *value,
					size_t size);
BELAY_EXPORT int belay_sqlite_bind_null(belay_sqlite_stmt *stmt, int index);

/* The index of the parameter called name (":limit", "@limit" or "$limit", as in the SQL), to be
 * given to a bind; 0, which every bind answers with -ERANGE: there is none. */
BELAY_EXPORT int belay_sqlite_param(const belay_sqlite_stmt *stmt, const char *name);

/* The next row. 1: there is one, to be read with the functions below until the next step, reset or
 * finalize that succeeds; 0: no more; the context's error, or the engine's. After the last row and
 * after an error it says the same again until belay_sqlite_reset(); a row that was read before the
 * error stays readable. Rows are fetched some at a time, for at most about a millisecond ahead. */
BELAY_EXPORT int belay_sqlite_step(BELAY_BORROWED belay_ctx *ctx, belay_sqlite_stmt *stmt);

/* Back to before the first row; the parameters keep their values. */
BELAY_EXPORT void belay_sqlite_reset(belay_sqlite_stmt *stmt);

/* The columns of the current row, from 0: its number of columns (also before the first row), name,
 * SQLITE_INTEGER, _FLOAT, _TEXT, _BLOB or _NULL. Out of range: NULL and SQLITE_NULL. */
BELAY_EXPORT int belay_sqlite_columns(const belay_sqlite_stmt *stmt);
BELAY_EXPORT const char *belay_sqlite_name(const belay_sqlite_stmt *stmt, int column);
BELAY_EXPORT int belay_sqlite_type(const belay_sqlite_stmt *stmt, int column);

/* Its value. Numbers are converted into each other (saturating); what is not a number reads as 0.
 * Text (with a NUL behind it) and blobs are borrowed, their size in bytes goes to *size (may be
 * NULL) without the NUL; what is neither text nor blob reads as NULL. To convert more: CAST. */
BELAY_EXPORT int64_t belay_sqlite_int64(const belay_sqlite_stmt *stmt, int column);
BELAY_EXPORT double belay_sqlite_double(const belay_sqlite_stmt *stmt, int column);
BELAY_EXPORT const char *belay_sqlite_text(const belay_sqlite_stmt *stmt, int column);
BELAY_EXPORT const void *belay_sqlite_blob(const belay_sqlite_stmt *stmt, int column, size_t *size);

/* ---- Transactions ---------------------------------------------------------------------------- */

enum belay_sqlite_mode {
	BELAY_SQLITE_DEFERRED,  /* takes locks as it needs them                                   */
	BELAY_SQLITE_IMMEDIATE, /* takes the write lock now                                       */
	BELAY_SQLITE_EXCLUSIVE, /* keeps readers out too (outside of WAL mode)                    */
};

/* Begins a transaction on conn that lasts no longer than ctx: when ctx ends, the statement that
 * runs in it is interrupted and the transaction rolled back at once, without waiting for its
 * owner, and every call on conn fails with the context's error until the owner has given up the
 * transaction. The same holds, with that error, once a failed statement has made the engine roll
 * back. Waits for locks as long as ctx lasts. 0 and *ret; the context's error; -EBUSY: conn is in
 * a transaction; -ENOMEM; an error of the engine. */
BELAY_EXPORT int belay_sqlite_begin(BELAY_BORROWED belay_ctx *ctx, belay_sqlite_conn *conn,
				    enum belay_sqlite_mode mode, belay_sqlite_tx **ret);

/* Commits and frees tx. 0: committed, also where ctx ended a moment too late. Otherwise it has been
 * rolled back, and the error is what stopped it: the context's (this one's or the one's it was
 * begun with), or the engine's. */
BELAY_EXPORT int belay_sqlite_commit(BELAY_BORROWED belay_ctx *ctx, belay_sqlite_tx *tx);

/* Rolls back, where that has not happened yet, and frees tx. NULL is fine. */
BELAY_EXPORT void belay_sqlite_rollback(belay_sqlite_tx *tx);

BELAY_END_DECLS

#endif
