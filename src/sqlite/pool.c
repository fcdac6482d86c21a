/* SPDX-License-Identifier: MIT
 *
 * pool.c - databases, and the loan of connections.
 *
 * The connections that are at home stand in a channel, which is the pool: taking one is a receive,
 * so that a done context takes none, those who wait are served in turn, and who gives up leaves
 * the queue. All structs are made with the database; the engine's connection in each at the first
 * loan that finds none at home. A channel of their own has those that wait for that.
 *
 * Invariants  (1) a connection at home is clean: no transaction, no statement in progress.
 *             (2) each channel has room for all, so that giving back never waits.
 *             (3) whatever was taken from either comes to idle, unmade or not, and so to one of
 *                 those who wait there. But who can't make it for want of descriptors, and sees
 *                 that others are made, puts it back to unmade and waits for one of those. Should
 *                 they all be lost meanwhile, the last of them comes home as one to be made, and
 *                 whoever gets it sees that there are no others: it fails, and passes it on to idle
 *                 for the next to fail.
 * Memory      made is decremented before its connection is sent to idle, whose lock orders the two,
 *             so that who receives it knows of that; relaxed does.
 * Lifetime    refs counts the opener, those who ask, and the loans. Once the channels are closed, a
 *             connection that comes back is freed instead; the last reference frees the database.
 */
#include "sqlite/sqlite.h"

#include <errno.h>
#include <string.h>

enum {
	CONNECTIONS = 4,        /* where the options don't say */
	MOST_CONNECTIONS = 511, /* each call holds one of the 512 threads that may block */
};

/* ---- Making and freeing ---------------------------------------------------------------------- */

static belay_sqlite_conn *conn_new(belay_sqlite *db)
{
	belay_sqlite_conn *conn = sqlite3_malloc64(sizeof *conn);

	if (!conn)
		return NULL;
	memset(conn, 0, sizeof *conn);
	conn->db = db;
	pthread_mutex_init(&conn->lock, NULL);
	return conn;
}

/* May block: closing the last connection to a file can write to it. */
static void conn_free(void *arg)
{
	belay_sqlite_conn *conn = arg;

	belay_sqlite__disconnect(conn);
	pthread_mutex_destroy(&conn->lock);
	sqlite3_free(conn);
}

/* Relaxed would do for taking; release and acquire make the last one see what all others did. */
static void db_unref(belay_sqlite *db)
{
	if (atomic_fetch_sub_explicit(&db->refs, 1, memory_order_acq_rel) != 1)
		return;
	belay_chan_unref(db->idle);
	belay_chan_unref(db->unmade);
	pthread_mutex_destroy(&db->lock);
	sqlite3_free(db->path);
	sqlite3_free(db);
}

static void free_pool(void *arg)
{
	belay_sqlite *db = arg;
	belay_sqlite_conn *conn;

	while (belay_try_recv(db->idle, &conn) == 0 || belay_try_recv(db->unmade, &conn) == 0)
		conn_free(conn);
}

/* A database in memory that has no name is its connection's own, so there can be only one. */
static unsigned how_many(const char *path, unsigned wanted)
{
	if (!strcmp(path, ":memory:") || !*path)
		return 1;
	return wanted ? wanted : CONNECTIONS;
}

static int fill_pool(belay_sqlite *db)
{
	unsigned i;

	db->idle = belay_chan_new(sizeof(belay_sqlite_conn *), db->connections);
	db->unmade = belay_chan_new(sizeof(belay_sqlite_conn *), db->connections);
	if (!db->idle || !db->unmade)
		return -ENOMEM;
	for (i = 0; i < db->connections; i++) {
		belay_sqlite_conn *conn = conn_new(db);

		if (!conn)
			return -ENOMEM;
		belay_try_send(db->unmade, &conn);
	}
	return 0;
}

static belay_sqlite *db_new(const char *path, const struct belay_sqlite_options *options)
{
	belay_sqlite *db = sqlite3_malloc64(sizeof *db);

	if (!db)
		return NULL;
	memset(db, 0, sizeof *db);
	atomic_init(&db->refs, 1);
	atomic_init(&db->made, 0);
	pthread_mutex_init(&db->lock, NULL);
	db->connections = how_many(path, options->connections);
	db->flags = (options->flags ? options->flags : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE) |
		    SQLITE_OPEN_URI | SQLITE_OPEN_NOMUTEX;
	db->flags &= ~SQLITE_OPEN_FULLMUTEX;
	db->set_up = options->set_up;
	db->arg = options->arg;
	db->path = sqlite3_mprintf("%s", path);
	if (db->path && fill_pool(db) == 0)
		return db;
	free_pool(db);
	db_unref(db);
	return NULL;
}

/* ---- Connecting ------------------------------------------------------------------------------ */

static int run_set_up(struct belay_sqlite__call *call)
{
	const belay_sqlite *db = call->conn->db;

	return db->set_up ? db->set_up(call->conn->raw, db->arg) : SQLITE_OK;
}

static void disconnect(belay_sqlite_conn *conn, void *arg)
{
	belay_sqlite__disconnect(conn);
}

static void remember_error(belay_sqlite *db, const struct belay_sqlite_error *error)
{
	pthread_mutex_lock(&db->lock);
	db->open_error = *error;
	pthread_mutex_unlock(&db->lock);
}

static int make_ready(belay_ctx *ctx, belay_sqlite_conn *conn)
{
	struct belay_sqlite__call call = {.run = run_set_up};
	int err;

	if (conn->raw)
		return 0;
	err = belay_sqlite__call(ctx, conn, &call);
	if (err) {
		remember_error(conn->db, &conn->error);
		belay_sqlite__clean(conn, disconnect, NULL);
		return err;
	}
	atomic_fetch_add_explicit(&conn->db->made, 1, memory_order_relaxed);
	return 0;
}

/* ---- Cleaning -------------------------------------------------------------------------------- */

static bool is_clean(belay_sqlite_conn *conn)
{
	sqlite3_stmt *stmt;

	if (conn->suspect || !sqlite3_get_autocommit(conn->raw))
		return false;
	for (stmt = sqlite3_next_stmt(conn->raw, NULL); stmt;
	     stmt = sqlite3_next_stmt(conn->raw, stmt))
		if (sqlite3_stmt_busy(stmt))
			return false;
	return true;
}

static void clean(belay_sqlite_conn *conn, void *arg)
{
	sqlite3_stmt *stmt;

	for (stmt = sqlite3_next_stmt(conn->raw, NULL); stmt;
	     stmt = sqlite3_next_stmt(conn->raw, stmt))
		sqlite3_reset(stmt);
	if (!sqlite3_get_autocommit(conn->raw))
		sqlite3_exec(conn->raw, "ROLLBACK", NULL, NULL, NULL);
	if (is_clean(conn))
		return;
	belay_sqlite__disconnect(conn);
	atomic_fetch_sub_explicit(&conn->db->made, 1, memory_order_relaxed);
}

/* To idle or unmade, or, where they are closed, away. */
static void put(belay_chan *pool, belay_sqlite_conn *conn)
{
	if (belay_try_send(pool, &conn))
		belay_sqlite__surely(conn_free, conn);
}

/* ---- Lending --------------------------------------------------------------------------------- */

/* One that is made, one to be made, or the next to come home, in this order. */
static int pick(belay_ctx *ctx, belay_sqlite *db, belay_sqlite_conn **ret)
{
	int err = belay_err(ctx);

	if (err)
		return err;
	if (belay_try_recv(db->idle, ret) == 0 || belay_try_recv(db->unmade, ret) == 0)
		return 0;
	return belay_recv(ctx, db->idle, ret);
}

/* It could not be made for want of descriptors, but others have them. */
static bool is_dispensable(const belay_sqlite *db, int err)
{
	return (err == -EMFILE || err == -ENFILE) &&
	       atomic_load_explicit(&db->made, memory_order_relaxed) > 0;
}

static int lend(belay_ctx *ctx, belay_sqlite *db, belay_sqlite_conn **ret)
{
	int err = pick(ctx, db, ret);

	while (err == 0) {
		err = make_ready(ctx, *ret);
		if (err == 0)
			return 0;
		if (!is_dispensable(db, err)) {
			put(db->idle, *ret);
			return err;
		}
		put(db->unmade, *ret);
		err = belay_recv(ctx, db->idle, ret);
	}
	return err;
}

/* ---- Public ---------------------------------------------------------------------------------- */

int belay_sqlite_take(belay_ctx *ctx, belay_sqlite *db, belay_sqlite_conn **ret)
{
	belay_sqlite_conn *conn;
	int err;

	atomic_fetch_add_explicit(&db->refs, 1, memory_order_relaxed);
	err = lend(ctx, db, &conn);
	if (err) {
		db_unref(db);
		return err;
	}
	belay_sqlite__describe(&conn->error, NULL, SQLITE_OK, NULL);
	*ret = conn;
	return 0;
}

void belay_sqlite_give(belay_sqlite_conn *conn)
{
	belay_sqlite *db;

	if (!conn)
		return;
	db = conn->db;
	belay_sqlite_rollback(conn->tx);
	if (!is_clean(conn))
		belay_sqlite__clean(conn, clean, NULL);
	put(db->idle, conn);
	db_unref(db);
}

static int refuse_options(const struct belay_sqlite_options *options)
{
	if (options->error)
		belay_sqlite__describe(options->error, NULL, SQLITE_MISUSE,
				       "too many connections: 511 at most");
	return -EINVAL;
}

int belay_sqlite_open(belay_ctx *ctx, const char *path, const struct belay_sqlite_options *options,
		      belay_sqlite **ret)
{
	static const struct belay_sqlite_options defaults;
	belay_sqlite_conn *conn;
	belay_sqlite *db;
	int err;

	if (!path)
		return -EINVAL;
	if (!options)
		options = &defaults;
	if (options->connections > MOST_CONNECTIONS)
		return refuse_options(options);
	db = db_new(path, options);
	if (!db)
		return -ENOMEM;
	err = belay_sqlite_take(ctx, db, &conn);
	if (err) {
		if (options->error)
			belay_sqlite_open_error(db, options->error);
		belay_sqlite_close(db);
		return err;
	}
	belay_sqlite_give(conn);
	*ret = db;
	return 0;
}

void belay_sqlite_close(belay_sqlite *db)
{
	if (!db)
		return;
	belay_chan_close(db->idle);
	belay_chan_close(db->unmade);
	belay_sqlite__surely(free_pool, db);
	db_unref(db);
}

void belay_sqlite_open_error(belay_sqlite *db, struct belay_sqlite_error *ret)
{
	pthread_mutex_lock(&db->lock);
	*ret = db->open_error;
	pthread_mutex_unlock(&db->lock);
}
