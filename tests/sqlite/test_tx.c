/* SPDX-License-Identifier: MIT
 *
 * test_tx.c - transactions: all of it or nothing, and no longer than their context.
 */
#include "fixture.h"

#include <pthread.h>

static belay_ctx *bg(void)
{
	return belay_background();
}

static belay_sqlite_tx *begin(belay_ctx *ctx, belay_sqlite_conn *conn)
{
	belay_sqlite_tx *tx = NULL;

	assert_int_equal(belay_sqlite_begin(ctx, conn, BELAY_SQLITE_IMMEDIATE, &tx), 0);
	return tx;
}

static int open_with_table(void **state)
{
	struct fixture *f;
	belay_sqlite_conn *conn;
	int r = fixture_open(state, NULL, 2);

	if (r)
		return r;
	f = *state;
	conn = take(f->db);
	r = run_sql(conn, "create table t (a)");
	belay_sqlite_give(conn);
	return r;
}

static void a_commit_keeps_and_a_rollback_drops(void **state)
{
	struct fixture *f = *state;
	belay_sqlite_conn *conn = take(f->db);
	belay_sqlite_tx *tx = begin(bg(), conn);

	assert_int_equal(run_sql(conn, "insert into t values (1)"), 0);
	assert_int_equal(belay_sqlite_commit(bg(), tx), 0);
	tx = begin(bg(), conn);
	assert_int_equal(run_sql(conn, "insert into t values (2)"), 0);
	belay_sqlite_rollback(tx);
	assert_int_equal(number_of(conn, "select sum(a) from t"), 1);
	belay_sqlite_give(conn);
}

static void a_second_transaction_on_a_connection_is_refused(void **state)
{
	struct fixture *f = *state;
	belay_sqlite_conn *conn = take(f->db);
	belay_sqlite_tx *tx = begin(bg(), conn), *second = NULL;

	assert_int_equal(belay_sqlite_begin(bg(), conn, BELAY_SQLITE_DEFERRED, &second), -EBUSY);
	assert_null(second);
	assert_int_equal(belay_sqlite_commit(bg(), tx), 0);
	belay_sqlite_give(conn);
}

/* The second connection gets the lock while the first transaction's owner does nothing at all. */
/* semantics 7.4 */
static void a_transaction_whose_context_ends_is_rolled_back(void **state)
{
	struct fixture *f = *state;
	BELAY_SCOPED belay_ctx *ctx = belay_with_cancel(bg());
	belay_sqlite_conn *conn = take(f->db), *other = take(f->db);
	belay_sqlite_tx *tx = begin(ctx, conn);

	assert_int_equal(run_sql(conn, "insert into t values (1)"), 0);
	belay_cancel(ctx);
	assert_int_equal(run_sql(other, "insert into t values (10)"), 0);
	assert_int_equal(run_sql(conn, "insert into t values (100)"), -ECANCELED);
	assert_int_equal(belay_sqlite_commit(bg(), tx), -ECANCELED);
	assert_int_equal(number_of(conn, "select sum(a) from t"), 10);
	assert_int_equal(run_sql(conn, "insert into t values (1000)"), 0);
	assert_int_equal(number_of(other, "select sum(a) from t"), 1010);
	belay_sqlite_give(other);
	belay_sqlite_give(conn);
}

/* semantics 7.4 */
static void a_statement_in_a_transaction_ends_with_the_transactions_context(void **state)
{
	struct fixture *f = *state;
	BELAY_SCOPED belay_ctx *ctx = belay_with_timeout(bg(), BELAY_MS(30));
	belay_sqlite_conn *conn = take(f->db);
	belay_sqlite_tx *tx = begin(ctx, conn);

	assert_int_equal(run_sql(conn, ENDLESS), -ETIME);
	belay_sqlite_rollback(tx);
	assert_int_equal(number_of(conn, "select 42"), 42);
	belay_sqlite_give(conn);
}

/* The engine rolls back the whole transaction when a write in it is interrupted. What comes after
 * must not be committed alone. */
/* semantics 7.4 */
static void an_interrupted_write_ends_its_transaction(void **state)
{
	struct fixture *f = *state;
	belay_sqlite_conn *conn = take(f->db);
	belay_sqlite_tx *tx = begin(bg(), conn);
	belay_ctx *ctx;

	assert_int_equal(run_sql(conn, "insert into t values (1)"), 0);
	/* Long enough that the write has begun also on a busy machine: else it would end
	 * nothing. */
	ctx = belay_with_timeout(bg(), BELAY_MS(300));
	assert_int_equal(belay_sqlite_exec(ctx, conn,
					   "with recursive n(i) as (select 1 union all "
					   "select i + 1 from n) "
					   "insert into t select i from n"),
			 -ETIME);
	assert_int_equal(run_sql(conn, "insert into t values (2)"), -ETIME);
	assert_int_equal(belay_sqlite_commit(bg(), tx), -ETIME);
	assert_int_equal(number_of(conn, "select count(*) from t"), 0);
	belay_sqlite_give(conn);
	belay_end(ctx);
}

static void an_interrupted_read_leaves_its_transaction_open(void **state)
{
	struct fixture *f = *state;
	BELAY_SCOPED belay_ctx *ctx = belay_with_timeout(bg(), BELAY_MS(30));
	belay_sqlite_conn *conn = take(f->db);
	belay_sqlite_tx *tx = begin(bg(), conn);

	assert_int_equal(run_sql(conn, "insert into t values (1)"), 0);
	assert_int_equal(belay_sqlite_exec(ctx, conn, ENDLESS), -ETIME);
	assert_int_equal(belay_sqlite_commit(bg(), tx), 0);
	assert_int_equal(number_of(conn, "select count(*) from t"), 1);
	belay_sqlite_give(conn);
}

static void a_failed_statement_leaves_its_transaction_open(void **state)
{
	struct fixture *f = *state;
	belay_sqlite_conn *conn = take(f->db);
	belay_sqlite_tx *tx = begin(bg(), conn);

	assert_int_equal(run_sql(conn, "insert into t values (1)"), 0);
	assert_int_equal(run_sql(conn, "insert into nothing values (1)"), -EINVAL);
	assert_int_equal(belay_sqlite_commit(bg(), tx), 0);
	assert_int_equal(number_of(conn, "select count(*) from t"), 1);
	belay_sqlite_give(conn);
}

static void a_commit_under_a_done_context_rolls_back(void **state)
{
	struct fixture *f = *state;
	BELAY_SCOPED belay_ctx *ctx = belay_with_cancel(bg());
	belay_sqlite_conn *conn = take(f->db);
	belay_sqlite_tx *tx = begin(bg(), conn);

	assert_int_equal(run_sql(conn, "insert into t values (1)"), 0);
	belay_cancel(ctx);
	assert_int_equal(belay_sqlite_commit(ctx, tx), -ECANCELED);
	assert_int_equal(number_of(conn, "select count(*) from t"), 0);
	belay_sqlite_give(conn);
}

static void a_done_context_begins_nothing(void **state)
{
	struct fixture *f = *state;
	BELAY_SCOPED belay_ctx *ctx = belay_with_cancel(bg());
	belay_sqlite_conn *conn = take(f->db);
	belay_sqlite_tx *tx = NULL;

	belay_cancel(ctx);
	assert_int_equal(belay_sqlite_begin(ctx, conn, BELAY_SQLITE_IMMEDIATE, &tx), -ECANCELED);
	assert_null(tx);
	assert_int_equal(run_sql(conn, "begin; rollback"), 0);
	belay_sqlite_give(conn);
}

/* A read that was open when its transaction was rolled back does not go on with other data. */
static void rows_of_a_transaction_that_is_over_are_not_read_on(void **state)
{
	struct fixture *f = *state;
	BELAY_SCOPED belay_ctx *ctx = belay_with_cancel(bg());
	belay_sqlite_conn *conn = take(f->db);
	belay_sqlite_tx *tx = begin(ctx, conn);
	belay_sqlite_stmt *stmt;
	int r;

	assert_int_equal(belay_sqlite_prepare(bg(), conn,
					      "with recursive n(i) as (select 1 union all select "
					      "i + 1 from n) select i from n",
					      &stmt),
			 0);
	assert_int_equal(belay_sqlite_step(bg(), stmt), 1);
	belay_cancel(ctx);
	while ((r = belay_sqlite_step(bg(), stmt)) == 1)
		;
	assert_int_equal(r, -ECANCELED);
	belay_sqlite_finalize(stmt);
	belay_sqlite_rollback(tx);
	belay_sqlite_give(conn);
}

/* ---- The storm ------------------------------------------------------------------------------- */

static void *cancel_each(void *arg)
{
	belay_chan *contexts = arg;
	belay_ctx *ctx;
	unsigned seed = 7;

	while (belay_recv(belay_background(), contexts, &ctx) == 0) {
		int64_t until = belay_now() + rand_r(&seed) % 400000;

		while (belay_now() < until)
			;
		belay_cancel(ctx);
		belay_unref(ctx);
	}
	return NULL;
}

/* Two rows, or none. 0: committed. */
static int insert_two(belay_ctx *ctx, belay_sqlite_conn *conn)
{
	belay_sqlite_tx *tx;
	int r = belay_sqlite_begin(ctx, conn, BELAY_SQLITE_IMMEDIATE, &tx);

	if (r)
		return r;
	r = belay_sqlite_exec(ctx, conn, "insert into t values (1)");
	if (!r)
		r = belay_sqlite_exec(ctx, conn, "insert into t values (2)");
	if (!r)
		return belay_sqlite_commit(ctx, tx);
	belay_sqlite_rollback(tx);
	return r;
}

/* semantics 7.4 */
static void what_commit_says_is_what_the_database_has(void **state)
{
	struct fixture *f = *state;
	belay_sqlite_conn *conn = take(f->db);
	belay_chan *contexts = check_made(belay_chan_new(sizeof(belay_ctx *), 0));
	int i, committed = 0, cancelled = 0;
	pthread_t thread;

	assert_int_equal(run_sql(conn, "pragma synchronous = off"), 0);
	assert_int_equal(pthread_create(&thread, NULL, cancel_each, contexts), 0);
	for (i = 0; i < 500; i++) {
		belay_ctx *ctx = check_live(belay_with_cancel(bg())), *other = belay_ref(ctx);
		int r;

		assert_int_equal(belay_send(bg(), contexts, &other), 0);
		r = insert_two(ctx, conn);
		committed += r == 0;
		cancelled += r == -ECANCELED;
		assert_int_equal(number_of(conn, "select count(*) from t"), 2 * committed);
		belay_unref(ctx);
	}
	belay_chan_close(contexts);
	pthread_join(thread, NULL);
	belay_chan_unref(contexts);
	assert_int_equal(committed + cancelled, 500);
	belay_sqlite_give(conn);
}

#define with_table(test) cmocka_unit_test_setup_teardown(test, open_with_table, close_fixture)

BELAY_TEST_MAIN(with_table(a_commit_keeps_and_a_rollback_drops),
		with_table(a_second_transaction_on_a_connection_is_refused),
		with_table(a_transaction_whose_context_ends_is_rolled_back),
		with_table(a_statement_in_a_transaction_ends_with_the_transactions_context),
		with_table(an_interrupted_write_ends_its_transaction),
		with_table(an_interrupted_read_leaves_its_transaction_open),
		with_table(a_failed_statement_leaves_its_transaction_open),
		with_table(a_commit_under_a_done_context_rolls_back),
		with_table(a_done_context_begins_nothing),
		with_table(rows_of_a_transaction_that_is_over_are_not_read_on),
		with_table(what_commit_says_is_what_the_database_has))
