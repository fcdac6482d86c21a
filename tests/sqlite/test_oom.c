/* SPDX-License-Identifier: MIT
 *
 * test_oom.c - each allocation of the engine's and the library's, made to fail in turn, is an error
 * return that leaves nothing behind.
 */
#include "fixture.h"

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
	bool blown;
	int r;

	assert_int_equal(work(), 0); /* what the engine allocates once */
	do {
		sqlite3_int64 before = sqlite3_memory_used();

		belay__fail_nth(++n);
		r = work();
		blown = belay__fail_left() <= 0;
		belay__fail_nth(0);
		assert_true(r == 0 || r == -ENOMEM);
		assert_true(sqlite3_memory_used() == before);
	} while (blown);
	assert_int_equal(r, 0);
	assert_true(n > 50);
}

/* Ends the transaction that has written a row; nothing of it may be there then. */
static void end_without_memory(belay_sqlite_conn *conn, bool by_context)
{
	belay_ctx *ctx = belay_with_cancel(belay_background());
	belay_sqlite_tx *tx;

	assert_int_equal(belay_sqlite_begin(ctx, conn, BELAY_SQLITE_IMMEDIATE, &tx), 0);
	assert_int_equal(run_sql(conn, "insert into t values (1)"), 0);
	belay__fail_from_nth(1);
	if (by_context)
		belay_cancel(ctx);
	belay_sqlite_rollback(tx);
	belay__fail_nth(0);
	assert_int_equal(number_of(conn, "select count(*) from t"), 0);
	belay_end(ctx);
}

/* semantics 7.4 */
static void a_transaction_is_rolled_back_without_memory_too(void **state)
{
	belay_sqlite_conn *conn;
	belay_sqlite *db;

	assert_int_equal(belay_sqlite_open(belay_background(), ":memory:", NULL, &db), 0);
	conn = take(db);
	assert_int_equal(run_sql(conn, "create table t (a)"), 0);
	end_without_memory(conn, false);
	end_without_memory(conn, true);
	belay_sqlite_give(conn);
	belay_sqlite_close(db);
}

BELAY_TEST_MAIN(cmocka_unit_test(each_allocation_that_fails_is_an_error_return),
		cmocka_unit_test(a_transaction_is_rolled_back_without_memory_too))
