/* SPDX-License-Identifier: MIT
 *
 * test_interrupt.c - the end of a context reaches the statement that runs for it, and no other.
 */
#include "fixture.h"

#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

static atomic_bool started;

/* The SQL function started(): 1, and the test knows that the engine is at work. */
static void tell_started(sqlite3_context *call, int argc, sqlite3_value **argv)
{
	atomic_store(&started, true);
	sqlite3_result_int(call, 1);
}

static int add_started(sqlite3 *raw, void *arg)
{
	return sqlite3_create_function(raw, "started", 0, SQLITE_UTF8, NULL, tell_started, NULL,
				       NULL);
}

static int open_with_started(void **state)
{
	struct fixture *fixture;
	belay_sqlite_conn *conn;
	int r = fixture_open(state, ":memory:", 1);

	if (r)
		return r;
	fixture = *state;
	conn = take(fixture->db);
	r = belay_sqlite_run(belay_background(), conn, add_started, NULL);
	belay_sqlite_give(conn);
	return r;
}

struct statement {
	belay_ctx *ctx;
	belay_sqlite_conn *conn;
	const char *sql;
	int result;
};

static void *run_statement(void *arg)
{
	struct statement *statement = arg;

	statement->result = belay_sqlite_exec(statement->ctx, statement->conn, statement->sql);
	return NULL;
}

static int64_t processor_time(void)
{
	struct timespec used;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
	return BELAY_S(used.tv_sec) + used.tv_nsec;
}

/* How long the engine works on from the cancel to the return of the call, in nanoseconds: what the
 * thread waits for its turn on a busy machine is not the engine's. */
static int64_t latency(belay_sqlite_conn *conn, const char *sql)
{
	belay_ctx *ctx = belay_with_cancel(belay_background());
	struct statement statement = {.ctx = ctx, .conn = conn, .sql = sql};
	pthread_t thread;
	int64_t begin;

	atomic_store(&started, false);
	assert_int_equal(pthread_create(&thread, NULL, run_statement, &statement), 0);
	assert_true(check_until(atomic_load(&started)));
	begin = processor_time();
	belay_cancel(ctx);
	pthread_join(thread, NULL);
	begin = processor_time() - begin;
	assert_int_equal(statement.result, -ECANCELED);
	belay_end(ctx);
	return begin;
}

static int compare(const void *a, const void *b)
{
	const int64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

/* The median: a machine that does other things as well may delay some. */
static void assert_within_10_ms(belay_sqlite_conn *conn, const char *sql)
{
	int64_t all[9];
	size_t i;

	for (i = 0; i < 9; i++)
		all[i] = latency(conn, sql);
	qsort(all, 9, sizeof *all, compare);
	assert_true(all[4] <= BELAY_MS(10));
}

/* semantics 7.2 */
static void cancelling_interrupts_the_statement_in_the_engine_within_10_ms(void **state)
{
	struct fixture *f = *state;
	belay_sqlite_conn *conn = take(f->db);

	assert_within_10_ms(conn, "with recursive n(i) as (select started() union all select i + 1 "
				  "from n) select count(*) from n");
	assert_within_10_ms(conn, "with recursive n(i) as (select started() union all select i + 1 "
				  "from n) select i from n order by -i");
	assert_int_equal(run_sql(conn, "create table t (a)"), 0);
	assert_within_10_ms(conn, "with recursive n(i) as (select started() union all select i + 1 "
				  "from n) insert into t select i from n");
	assert_int_equal(number_of(conn, "select count(*) from t"), 0);
	belay_sqlite_give(conn);
}

/* semantics 7.2 */
static void a_deadline_interrupts_the_statement_too(void **state)
{
	struct fixture *f = *state;
	belay_sqlite_conn *conn = take(f->db);
	BELAY_SCOPED belay_ctx *ctx = belay_with_timeout(belay_background(), BELAY_MS(20));

	assert_int_equal(belay_sqlite_exec(ctx, conn, ENDLESS), -ETIME);
	assert_string_equal(belay_sqlite_error_of(conn)->message, belay_strerror(-ETIME));
	belay_sqlite_give(conn);
}

static void cancel_in_a_task(belay_ctx *ctx, void *arg)
{
	while (!atomic_load(&started))
		belay_yield();
	belay_cancel(arg);
	belay_unref(arg); /* its own: the other goes on before the cancel is through */
}

static void run_in_a_task(belay_ctx *ctx, void *arg)
{
	struct fixture *f = arg;
	belay_sqlite_conn *conn = take(f->db);
	belay_ctx *child = belay_with_cancel(ctx);

	atomic_store(&started, false);
	check(belay_go(ctx, cancel_in_a_task, belay_ref(child)) == 0);
	check(belay_sqlite_exec(child, conn,
				"with recursive n(i) as (select started() union all select i + 1 "
				"from n) select count(*) from n") == -ECANCELED);
	belay_sqlite_give(conn);
	belay_end(child);
}

/* semantics 7.2 */
static void a_task_that_waits_for_a_statement_is_interrupted_as_well(void **state)
{
	check_in_task(run_in_a_task, *state);
}

/* What the SQL function cancel_here() works on: at its first call it ends a context, and takes
 * longer than rows are fetched ahead. */
struct cancelling {
	belay_ctx *ctx;
	int calls;
};

static void cancel_here(sqlite3_context *call, int argc, sqlite3_value **argv)
{
	struct cancelling *cancelling = sqlite3_user_data(call);
	int64_t until = belay_now() + BELAY_MS(5);

	sqlite3_result_int(call, ++cancelling->calls);
	if (cancelling->calls > 1)
		return;
	belay_cancel(cancelling->ctx);
	while (belay_now() < until)
		;
}

static int add_cancel_here(sqlite3 *raw, void *arg)
{
	return sqlite3_create_function(raw, "cancel_here", 0, SQLITE_UTF8, arg, cancel_here, NULL,
				       NULL);
}

#define COUNT_CALLS                                                                                \
	"with recursive n(i) as (select 1 union all select i + 1 from n) "                         \
	"select sum(cancel_here()) from n"

/* Not only now and then: a row can take long. */
/* semantics 7.2 */
static void the_engine_stops_at_its_very_next_look(void **state)
{
	struct fixture *f = *state;
	belay_sqlite_conn *conn = take(f->db);
	BELAY_SCOPED belay_ctx *ctx = belay_with_cancel(belay_background());
	struct cancelling cancelling = {.ctx = ctx};

	assert_int_equal(belay_sqlite_run(ctx, conn, add_cancel_here, &cancelling), 0);
	assert_int_equal(belay_sqlite_exec(ctx, conn, COUNT_CALLS), -ECANCELED);
	assert_true(cancelling.calls <= 2);
	belay_sqlite_give(conn);
}

static int cancel_then_run(sqlite3 *raw, void *arg)
{
	struct cancelling *cancelling = arg;

	belay_cancel(cancelling->ctx);
	return sqlite3_exec(raw, COUNT_CALLS, NULL, NULL, NULL);
}

/* The engine forgets an interrupt that comes before a statement starts: it must be told again, and
 * be so before the first row. */
static void an_end_just_before_the_statement_starts_is_not_lost(void **state)
{
	struct fixture *f = *state;
	belay_sqlite_conn *conn = take(f->db);
	BELAY_SCOPED belay_ctx *ctx = belay_with_cancel(belay_background());
	struct cancelling cancelling = {.ctx = ctx};

	assert_int_equal(belay_sqlite_run(ctx, conn, add_cancel_here, &cancelling), 0);
	assert_int_equal(belay_sqlite_run(ctx, conn, cancel_then_run, &cancelling), -ECANCELED);
	assert_int_equal(cancelling.calls, 0);
	assert_int_equal(number_of(conn, "select 42"), 42);
	belay_sqlite_give(conn);
}

/* The engine has given a row, and is not asked for another when the end comes. */
/* semantics 7.3 */
static void an_end_between_two_rows_hits_that_statement_alone(void **state)
{
	struct fixture *f = *state;
	belay_sqlite_conn *conn = take(f->db);
	BELAY_SCOPED belay_ctx *ctx = belay_with_cancel(belay_background());
	struct cancelling cancelling = {.ctx = ctx};
	belay_sqlite_stmt *stmt;

	assert_int_equal(belay_sqlite_run(ctx, conn, add_cancel_here, &cancelling), 0);
	assert_int_equal(belay_sqlite_prepare(ctx, conn,
					      "select cancel_here() union all select 2", &stmt),
			 0);
	assert_int_equal(belay_sqlite_step(ctx, stmt), 1);
	assert_int_equal(belay_sqlite_int64(stmt, 0), 1);
	assert_int_equal(number_of(conn, "select 42"), 42);
	assert_int_equal(belay_sqlite_step(belay_background(), stmt), -ECANCELED);
	assert_int_equal(belay_sqlite_int64(stmt, 0), 1);
	assert_int_equal(cancelling.calls, 1);
	belay_sqlite_finalize(stmt);
	belay_sqlite_give(conn);
}

static void a_done_context_starts_nothing(void **state)
{
	struct fixture *f = *state;
	belay_sqlite_conn *conn = take(f->db);
	BELAY_SCOPED belay_ctx *ctx = belay_with_cancel(belay_background());
	belay_sqlite_stmt *stmt = NULL;

	belay_cancel(ctx);
	assert_int_equal(belay_sqlite_exec(ctx, conn, "create table t (a)"), -ECANCELED);
	assert_int_equal(belay_sqlite_prepare(ctx, conn, "select 1", &stmt), -ECANCELED);
	assert_null(stmt);
	assert_int_equal(number_of(conn, "select count(*) from sqlite_schema"), 0);
	belay_sqlite_give(conn);
}

/* ---- The next one ---------------------------------------------------------------------------- */

enum { STORM = 3000 };

/* Cancels each context that it gets, after a while that is different each time. */
static void *cancel_each(void *arg)
{
	belay_chan *contexts = arg;
	belay_ctx *ctx;
	unsigned seed = 1;

	while (belay_recv(belay_background(), contexts, &ctx) == 0) {
		int64_t until = belay_now() + rand_r(&seed) % 200000;

		while (belay_now() < until)
			;
		belay_cancel(ctx);
		belay_unref(ctx);
	}
	return NULL;
}

static int one_of_the_storm(belay_sqlite_conn *conn, belay_chan *contexts)
{
	belay_ctx *ctx = belay_with_cancel(belay_background()), *other = belay_ref(ctx);
	int r;

	assert_int_equal(belay_send(belay_background(), contexts, &other), 0);
	r = belay_sqlite_exec(ctx, conn, "with recursive n(i) as (select 1 union all select i + 1 "
					 "from n limit 1000) select count(*) from n");
	assert_int_equal(number_of(conn, "select 42"), 42);
	belay_unref(ctx);
	return r;
}

/* semantics 7.3 */
static void an_interrupt_never_hits_the_next_statement_on_the_connection(void **state)
{
	struct fixture *f = *state;
	belay_sqlite_conn *conn = take(f->db);
	belay_chan *contexts = check_made(belay_chan_new(sizeof(belay_ctx *), 0));
	int i, done = 0, cancelled = 0;
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, cancel_each, contexts), 0);
	for (i = 0; i < STORM; i++) {
		int r = one_of_the_storm(conn, contexts);

		done += r == 0;
		cancelled += r == -ECANCELED;
	}
	belay_chan_close(contexts);
	pthread_join(thread, NULL);
	belay_chan_unref(contexts);
	assert_int_equal(done + cancelled, STORM);
	assert_true(cancelled > 0);
	belay_sqlite_give(conn);
}

/* semantics 7.3 */
static void an_interrupt_never_hits_another_statement_in_mid_read(void **state)
{
	struct fixture *f = *state;
	belay_sqlite_conn *conn = take(f->db);
	belay_sqlite_stmt *reading;
	int i;

	assert_int_equal(belay_sqlite_prepare(belay_background(), conn,
					      "with recursive n(i) as (select 1 union all select "
					      "i + 1 from n where i < 2000) select i from n",
					      &reading),
			 0);
	for (i = 1; i <= 2000; i++) {
		assert_int_equal(belay_sqlite_step(belay_background(), reading), 1);
		assert_int_equal(belay_sqlite_int64(reading, 0), i);
		if (i % 100 == 1)
			latency(conn, "with recursive n(i) as (select started() union all select "
				      "i + 1 from n) select count(*) from n");
	}
	assert_int_equal(belay_sqlite_step(belay_background(), reading), 0);
	belay_sqlite_finalize(reading);
	belay_sqlite_give(conn);
}

/* ---- Rows ------------------------------------------------------------------------------------ */

/* semantics 7.5 */
static void rows_already_read_are_not_changed_by_a_cancellation(void **state)
{
	struct fixture *f = *state;
	belay_sqlite_conn *conn = take(f->db);
	BELAY_SCOPED belay_ctx *ctx = belay_with_cancel(belay_background());
	belay_sqlite_stmt *stmt;
	const char *text;

	assert_int_equal(belay_sqlite_prepare(ctx, conn,
					      "with recursive n(i) as (select 1 union all select "
					      "i + 1 from n) select i, 'row ' || i from n",
					      &stmt),
			 0);
	assert_int_equal(belay_sqlite_step(ctx, stmt), 1);
	assert_int_equal(belay_sqlite_step(ctx, stmt), 1);
	text = belay_sqlite_text(stmt, 1);
	belay_cancel(ctx);
	assert_int_equal(belay_sqlite_step(ctx, stmt), -ECANCELED);
	assert_int_equal(belay_sqlite_int64(stmt, 0), 2);
	assert_ptr_equal(belay_sqlite_text(stmt, 1), text);
	assert_string_equal(text, "row 2");
	assert_int_equal(belay_sqlite_step(belay_background(), stmt), -ECANCELED);
	assert_string_equal(belay_sqlite_text(stmt, 1), "row 2");
	belay_sqlite_finalize(stmt);
	belay_sqlite_give(conn);
}

/* Cancelled in mid-read, from outside, again and again: what was read is always a beginning. */
static void rows_read_before_a_cancellation_are_the_first_ones(void **state)
{
	struct fixture *f = *state;
	belay_sqlite_conn *conn = take(f->db);
	belay_chan *contexts = check_made(belay_chan_new(sizeof(belay_ctx *), 0));
	belay_sqlite_stmt *stmt;
	pthread_t thread;
	int i, r;

	assert_int_equal(belay_sqlite_prepare(belay_background(), conn,
					      "with recursive n(i) as (select 1 union all select "
					      "i + 1 from n) select i from n",
					      &stmt),
			 0);
	assert_int_equal(pthread_create(&thread, NULL, cancel_each, contexts), 0);
	for (i = 0; i < 300; i++) {
		belay_ctx *ctx = check_live(belay_with_cancel(belay_background()));
		belay_ctx *other = belay_ref(ctx);
		int64_t n = 0;

		assert_int_equal(belay_send(belay_background(), contexts, &other), 0);
		while ((r = belay_sqlite_step(ctx, stmt)) == 1)
			assert_true(belay_sqlite_int64(stmt, 0) == ++n);
		assert_int_equal(r, -ECANCELED);
		assert_true(n == 0 || belay_sqlite_int64(stmt, 0) == n);
		belay_sqlite_reset(stmt);
		belay_unref(ctx);
	}
	belay_chan_close(contexts);
	pthread_join(thread, NULL);
	belay_chan_unref(contexts);
	belay_sqlite_finalize(stmt);
	belay_sqlite_give(conn);
}

#define with_started(test) cmocka_unit_test_setup_teardown(test, open_with_started, close_fixture)

BELAY_TEST_MAIN(with_started(cancelling_interrupts_the_statement_in_the_engine_within_10_ms),
		in_memory(a_deadline_interrupts_the_statement_too),
		with_started(a_task_that_waits_for_a_statement_is_interrupted_as_well),
		in_memory(an_end_just_before_the_statement_starts_is_not_lost),
		in_memory(the_engine_stops_at_its_very_next_look),
		in_memory(an_end_between_two_rows_hits_that_statement_alone),
		in_memory(a_done_context_starts_nothing),
		in_memory(an_interrupt_never_hits_the_next_statement_on_the_connection),
		with_started(an_interrupt_never_hits_another_statement_in_mid_read),
		in_memory(rows_already_read_are_not_changed_by_a_cancellation),
		in_memory(rows_read_before_a_cancellation_are_the_first_ones))
