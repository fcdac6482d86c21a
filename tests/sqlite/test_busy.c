/* SPDX-License-Identifier: MIT
 *
 * test_busy.c - a database that another connection has locked is waited for as long as the context.
 */
#include "fixture.h"

#include <pthread.h>

static belay_ctx *bg(void)
{
	return belay_background();
}

static belay_sqlite_conn *take_and_lock(struct fixture *f)
{
	belay_sqlite_conn *conn = take(f->db);

	assert_int_equal(run_sql(conn, "create table t (a); begin immediate"), 0);
	return conn;
}

static void the_wait_for_a_lock_ends_with_the_deadline(void **state)
{
	struct fixture *f = *state;
	belay_sqlite_conn *holder = take_and_lock(f), *conn = take(f->db);
	int64_t begin = belay_now();
	BELAY_SCOPED belay_ctx *ctx = belay_with_timeout(bg(), BELAY_MS(30));

	assert_int_equal(belay_sqlite_exec(ctx, conn, "insert into t values (1)"), -ETIME);
	assert_true(belay_now() - begin >= BELAY_MS(30));
	assert_true(belay_now() - begin < BELAY_S(3));
	belay_sqlite_give(conn);
	belay_sqlite_give(holder);
}

struct insert {
	belay_ctx *ctx;
	belay_sqlite_conn *conn;
	int result;
};

static void *insert(void *arg)
{
	struct insert *insert = arg;

	insert->result = belay_sqlite_exec(insert->ctx, insert->conn, "insert into t values (1)");
	return NULL;
}

static void the_wait_for_a_lock_ends_with_a_cancel(void **state)
{
	struct fixture *f = *state;
	belay_sqlite_conn *holder = take_and_lock(f), *conn = take(f->db);
	BELAY_SCOPED belay_ctx *ctx = belay_with_cancel(bg());
	struct insert waiting = {.ctx = ctx, .conn = conn};
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, insert, &waiting), 0);
	belay_cancel(ctx);
	pthread_join(thread, NULL);
	assert_int_equal(waiting.result, -ECANCELED);
	belay_sqlite_give(conn);
	belay_sqlite_give(holder);
}

static void a_lock_that_is_given_up_is_taken(void **state)
{
	struct fixture *f = *state;
	belay_sqlite_conn *holder = take_and_lock(f), *conn = take(f->db);
	struct insert waiting = {.ctx = bg(), .conn = conn};
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, insert, &waiting), 0);
	assert_int_equal(run_sql(holder, "insert into t values (10); commit"), 0);
	pthread_join(thread, NULL);
	assert_int_equal(waiting.result, 0);
	assert_int_equal(number_of(conn, "select sum(a) from t"), 11);
	belay_sqlite_give(conn);
	belay_sqlite_give(holder);
}

/* Both hold a read lock and want to write: neither wait could ever end, so one is told at once. */
static void a_deadlock_is_told_at_once(void **state)
{
	struct fixture *f = *state;
	belay_sqlite_conn *a = take(f->db), *b = take(f->db);

	assert_int_equal(run_sql(a, "create table t (a)"), 0);
	assert_int_equal(run_sql(a, "begin; select * from t"), 0);
	assert_int_equal(run_sql(b, "begin; select * from t"), 0);
	assert_int_equal(number_of(b, "select count(*) from t"), 0);
	assert_int_equal(number_of(a, "select count(*) from t"), 0);
	assert_int_equal(run_sql(a, "insert into t values (1)"), 0);
	assert_int_equal(run_sql(b, "insert into t values (2)"), -EBUSY);
	assert_int_equal(run_sql(b, "rollback"), 0);
	assert_int_equal(run_sql(a, "commit"), 0);
	belay_sqlite_give(a);
	belay_sqlite_give(b);
}

BELAY_TEST_MAIN(in_file(the_wait_for_a_lock_ends_with_the_deadline),
		in_file(the_wait_for_a_lock_ends_with_a_cancel),
		in_file(a_lock_that_is_given_up_is_taken),
		in_file(a_deadlock_is_told_at_once))
