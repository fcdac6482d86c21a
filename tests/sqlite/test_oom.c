/* SPDX-License-Identifier: MIT
 *
 * test_oom.c - each allocation of the engine's and the library's, made to fail in turn, is an error
 * return that leaves nothing behind.
 */
#include "fixture.h"

#include <stdatomic.h>

static sqlite3_mem_methods real;
static atomic_long fuse; /* allocations until the one that fails; 0 or less: none does */
static atomic_bool blown;

static bool fails(void)
{
	if (atomic_load(&fuse) <= 0 || atomic_fetch_sub(&fuse, 1) != 1)
		return false;
	atomic_store(&blown, true);
	return true;
}

static void *fused_malloc(int size)
{
	return fails() ? NULL : real.xMalloc(size);
}

static void *fused_realloc(void *block, int size)
{
	return fails() ? NULL : real.xRealloc(block, size);
}

static int use_the_fuse(void)
{
	sqlite3_mem_methods fused;

	sqlite3_config(SQLITE_CONFIG_GETMALLOC, &real);
	fused = real;
	fused.xMalloc = fused_malloc;
	fused.xRealloc = fused_realloc;
	return sqlite3_config(SQLITE_CONFIG_MALLOC, &fused);
}

static int read_all(belay_ctx *ctx, belay_sqlite_conn *conn)
{
	belay_sqlite_stmt *stmt;
	int r = belay_sqlite_prepare(ctx, conn, "select a, b from t where a > ?1", &stmt);
	int n = 0;

	if (r)
		return r;
	r = belay_sqlite_bind_text(stmt, 1, "");
	while (!r && (r = belay_sqlite_step(ctx, stmt)) == 1) {
		check(belay_sqlite_text(stmt, 0) != NULL);
		n++;
		r = 0;
		if (n > 50)
			break;
	}
	belay_sqlite_finalize(stmt);
	return r;
}

static int write_all(belay_ctx *ctx, belay_sqlite_conn *conn)
{
	belay_sqlite_tx *tx;
	int r = belay_sqlite_begin(ctx, conn, BELAY_SQLITE_IMMEDIATE, &tx);

	if (r)
		return r;
	r = belay_sqlite_exec(ctx, conn, "create table t (a, b);"
					 "insert into t values ('one', 1), ('two', 2.5)");
	if (!r)
		return belay_sqlite_commit(ctx, tx);
	belay_sqlite_rollback(tx);
	return r;
}

static int work(void)
{
	belay_ctx *ctx = belay_with_cancel(belay_background());
	belay_sqlite_conn *conn;
	belay_sqlite *db;
	int r = belay_sqlite_open(ctx, ":memory:", NULL, &db);

	if (!r) {
		r = belay_sqlite_take(ctx, db, &conn);
		if (!r) {
			r = write_all(ctx, conn);
			if (!r)
				r = read_all(ctx, conn);
			belay_sqlite_give(conn);
		}
		belay_sqlite_close(db);
	}
	belay_end(ctx);
	return r;
}

static void each_allocation_that_fails_is_an_error_return(void **state)
{
	long n = 0;
	int r;

	assert_int_equal(work(), 0); /* what the engine allocates once */
	do {
		sqlite3_int64 before = sqlite3_memory_used();

		atomic_store(&blown, false);
		atomic_store(&fuse, ++n);
		r = work();
		atomic_store(&fuse, 0);
		assert_true(r == 0 || r == -ENOMEM);
		assert_true(sqlite3_memory_used() == before);
	} while (atomic_load(&blown));
	assert_int_equal(r, 0);
	assert_true(n > 50);
}

int main(void)
{
	const struct CMUnitTest list[] = {
		cmocka_unit_test(each_allocation_that_fails_is_an_error_return),
	};

	if (use_the_fuse() != SQLITE_OK)
		return 1;
	return check_main(list, 1);
}
