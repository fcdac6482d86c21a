/* SPDX-License-Identifier: MIT
 *
 * test_pool.c - connections: lent in turn, under a context, and never handed on dirty.
 */
#include "fixture.h"

#include <pthread.h>
#include <sys/resource.h>

static belay_ctx *bg(void)
{
	return belay_background();
}

/* A thread that asks for a connection. */
struct asker {
	pthread_t thread;
	belay_ctx *ctx;
	belay_sqlite *db;
	belay_sqlite_conn *conn;
	belay_chan *answers; /* its address, when it has its answer */
	int result;
};

static void *ask(void *arg)
{
	struct asker *asker = arg;

	asker->result = belay_sqlite_take(asker->ctx, asker->db, &asker->conn);
	belay_send(bg(), asker->answers, &asker);
	return NULL;
}

static void start_asking(struct asker *asker, belay_ctx *ctx, belay_sqlite *db, belay_chan *answers)
{
	*asker = (struct asker){.ctx = ctx, .db = db, .answers = answers};
	assert_int_equal(pthread_create(&asker->thread, NULL, ask, asker), 0);
}

static struct asker *next_answer(belay_chan *answers)
{
	struct asker *asker = NULL;

	assert_int_equal(belay_recv(bg(), answers, &asker), 0);
	pthread_join(asker->thread, NULL);
	return asker;
}

/* semantics 7.1 */
static void a_done_context_fails_before_a_connection_is_taken(void **state)
{
	struct fixture *f = *state;
	BELAY_SCOPED belay_ctx *ctx = belay_with_cancel(bg());
	belay_sqlite_conn *conn = NULL, *all[4];
	int i;

	belay_cancel(ctx);
	for (i = 0; i < 8; i++)
		assert_int_equal(belay_sqlite_take(ctx, f->db, &conn), -ECANCELED);
	assert_null(conn);
	for (i = 0; i < 4; i++)
		all[i] = take(f->db);
	for (i = 0; i < 4; i++)
		belay_sqlite_give(all[i]);
}

/* semantics 7.1 */
static void one_that_waits_leaves_the_queue_when_its_context_ends(void **state)
{
	struct fixture *f = *state;
	BELAY_SCOPED belay_ctx *ctx = check_live(belay_with_cancel(bg()));
	belay_chan *answers = check_made(belay_chan_new(sizeof(struct asker *), 2));
	belay_sqlite_conn *conn = take(f->db);
	struct asker leaves, stays;

	start_asking(&leaves, ctx, f->db, answers);
	start_asking(&stays, bg(), f->db, answers);
	belay_cancel(ctx);
	assert_ptr_equal(next_answer(answers), &leaves);
	assert_int_equal(leaves.result, -ECANCELED);
	belay_sqlite_give(conn);
	assert_ptr_equal(next_answer(answers), &stays);
	assert_int_equal(stays.result, 0);
	belay_sqlite_give(stays.conn);
	belay_chan_unref(answers);
}

/* semantics 7.1 */
static void a_deadline_ends_the_wait_for_a_connection(void **state)
{
	struct fixture *f = *state;
	BELAY_SCOPED belay_ctx *ctx = belay_with_timeout(bg(), BELAY_MS(20));
	belay_sqlite_conn *conn = take(f->db), *second = NULL;

	assert_int_equal(belay_sqlite_take(ctx, f->db, &second), -ETIME);
	assert_null(second);
	belay_sqlite_give(conn);
}

static void closing_turns_away_those_who_wait(void **state)
{
	struct fixture *f = *state;
	belay_chan *answers = check_made(belay_chan_new(sizeof(struct asker *), 1));
	belay_sqlite_conn *conn = take(f->db);
	struct asker waits;

	start_asking(&waits, bg(), f->db, answers);
	belay_sqlite_close(f->db);
	f->db = NULL;
	next_answer(answers);
	assert_int_equal(waits.result, -EPIPE);
	assert_int_equal(number_of(conn, "select 42"), 42);
	belay_sqlite_give(conn);
	belay_chan_unref(answers);
}

struct set_up {
	int calls;
	int result;
};

static int set_up(sqlite3 *raw, void *arg)
{
	struct set_up *set_up = arg;

	set_up->calls++;
	return set_up->result ? set_up->result
			      : sqlite3_exec(raw, "pragma foreign_keys = 1", NULL, NULL, NULL);
}

/* How many this process may open from now on; how many it might before. */
static rlim_t limit_descriptors(rlim_t most)
{
	struct rlimit limit;
	rlim_t before;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	before = limit.rlim_cur;
	limit.rlim_cur = most;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	return before;
}

static bool has_failed_to_open(belay_sqlite *db)
{
	struct belay_sqlite_error error;

	belay_sqlite_open_error(db, &error);
	return error.code != SQLITE_OK;
}

/* semantics 7.1 */
static void where_no_more_can_be_opened_one_on_loan_is_waited_for(void **state)
{
	struct fixture *f = *state;
	BELAY_SCOPED belay_ctx *ctx = belay_with_cancel(bg());
	belay_chan *answers;
	belay_sqlite_conn *conn;
	rlim_t before;
	struct asker leaves, stays;

	check_needs_memory();
	answers = belay_chan_new(sizeof(struct asker *), 2);
	conn = take(f->db);
	before = limit_descriptors(0);
	start_asking(&leaves, ctx, f->db, answers);
	check(check_until(has_failed_to_open(f->db)));
	start_asking(&stays, bg(), f->db, answers);
	belay_cancel(ctx);
	check(next_answer(answers) == &leaves);
	check(leaves.result == -ECANCELED);
	belay_sqlite_give(conn);
	check(next_answer(answers) == &stays);
	if (check(stays.result == 0))
		check(number_of(stays.conn, "select 42") == 42);
	belay_sqlite_give(stays.conn);
	limit_descriptors(before);
	belay_chan_unref(answers);
}

static int fail_to_read(sqlite3 *raw, void *arg)
{
	return SQLITE_IOERR;
}

/* A connection whose disk has failed is not lent again. */
static void who_waits_for_the_last_one_in_vain_is_told(void **state)
{
	struct fixture *f = *state;
	belay_chan *answers;
	belay_sqlite_conn *conn;
	rlim_t before;
	struct asker askers[2];

	check_needs_memory();
	answers = belay_chan_new(sizeof(struct asker *), 2);
	conn = take(f->db);
	before = limit_descriptors(0);
	start_asking(&askers[0], bg(), f->db, answers);
	check(check_until(has_failed_to_open(f->db)));
	start_asking(&askers[1], bg(), f->db, answers);
	check(belay_sqlite_run(bg(), conn, fail_to_read, NULL) == -EIO);
	belay_sqlite_give(conn);
	check(next_answer(answers)->result == -EMFILE);
	check(next_answer(answers)->result == -EMFILE);
	limit_descriptors(before);
	belay_chan_unref(answers);
	belay_sqlite_give(take(f->db));
}

static void the_first_one_that_can_not_be_opened_is_an_error(void **state)
{
	rlim_t before = limit_descriptors(0);
	belay_sqlite *db;
	int err = belay_sqlite_open(bg(), "/tmp/belay-sqlite-none", NULL, &db);

	limit_descriptors(before);
	assert_int_equal(err, -EMFILE);
}

static void one_that_is_at_home_is_lent_before_another_is_made(void **state)
{
	struct set_up counted = {0};
	struct belay_sqlite_options options = {.set_up = set_up, .arg = &counted};
	belay_sqlite *db;

	assert_int_equal(belay_sqlite_open(bg(), "file:/one?vfs=memdb", &options, &db), 0);
	for (int i = 0; i < 8; i++)
		belay_sqlite_give(take(db));
	assert_int_equal(counted.calls, 1);
	belay_sqlite_close(db);
}

/* semantics 7.4 */
static void a_connection_given_back_in_mid_transaction_comes_out_clean(void **state)
{
	struct fixture *f = *state;
	belay_sqlite_conn *conn = take(f->db);

	assert_int_equal(run_sql(conn, "create table t (a)"), 0);
	assert_int_equal(run_sql(conn, "begin; insert into t values (1)"), 0);
	belay_sqlite_give(conn);
	conn = take(f->db);
	assert_int_equal(number_of(conn, "select count(*) from t"), 0);
	assert_int_equal(run_sql(conn, "begin; rollback"), 0);
	belay_sqlite_give(conn);
}

/* semantics 7.4 */
static void an_open_transaction_goes_with_its_connection(void **state)
{
	struct fixture *f = *state;
	belay_sqlite_conn *conn = take(f->db);
	belay_sqlite_tx *tx;

	assert_int_equal(run_sql(conn, "create table t (a)"), 0);
	assert_int_equal(belay_sqlite_begin(bg(), conn, BELAY_SQLITE_IMMEDIATE, &tx), 0);
	assert_int_equal(run_sql(conn, "insert into t values (1)"), 0);
	belay_sqlite_give(conn);
	conn = take(f->db);
	assert_int_equal(number_of(conn, "select count(*) from t"), 0);
	belay_sqlite_give(conn);
}

static void each_connection_is_set_up_once(void **state)
{
	struct set_up counted = {0};
	struct belay_sqlite_options options = {.connections = 2, .set_up = set_up, .arg = &counted};
	belay_sqlite_conn *a, *b;
	belay_sqlite *db;

	assert_int_equal(belay_sqlite_open(bg(), "file:/twice?vfs=memdb", &options, &db), 0);
	a = take(db);
	b = take(db);
	assert_int_equal(number_of(a, "pragma foreign_keys"), 1);
	assert_int_equal(number_of(b, "pragma foreign_keys"), 1);
	belay_sqlite_give(a);
	belay_sqlite_give(b);
	a = take(db);
	belay_sqlite_give(a);
	assert_int_equal(counted.calls, 2);
	belay_sqlite_close(db);
}

static void without_a_path_nothing_is_opened(void **state)
{
	belay_sqlite *db;

	assert_int_equal(belay_sqlite_open(bg(), NULL, NULL, &db), -EINVAL);
}

static void more_connections_than_threads_that_may_block_are_EINVAL(void **state)
{
	const unsigned bad[] = {512, 100000, (unsigned)-1};
	struct belay_sqlite_error error;
	struct belay_sqlite_options options = {.error = &error};
	belay_sqlite *db;

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		error = (struct belay_sqlite_error){0};
		options.connections = bad[i];
		assert_int_equal(belay_sqlite_open(bg(), ":memory:", &options, &db), -EINVAL);
		assert_non_null(strstr(error.message, "connections"));
	}
	options.connections = 511;
	assert_int_equal(belay_sqlite_open(bg(), ":memory:", &options, &db), 0);
	belay_sqlite_close(db);
}

static void an_opening_that_fails_says_why(void **state)
{
	struct set_up failing = {.result = SQLITE_READONLY};
	struct belay_sqlite_error error = {0};
	struct belay_sqlite_options options = {.error = &error};
	belay_sqlite *db = NULL;

	assert_int_equal(belay_sqlite_open(bg(), "/nowhere/at/all", &options, &db), -ENOENT);
	assert_int_equal(error.code & 0xff, SQLITE_CANTOPEN);
	assert_non_null(strstr(error.message, "unable to open"));
	options.set_up = set_up;
	options.arg = &failing;
	assert_int_equal(belay_sqlite_open(bg(), ":memory:", &options, &db), -EROFS);
	assert_int_equal(error.code, SQLITE_READONLY);
	assert_null(db);
}

static void what_is_no_database_is_refused(void **state)
{
	struct belay_sqlite_options options = {.flags = SQLITE_OPEN_READONLY};
	belay_sqlite_conn *conn;
	belay_sqlite *db;

	assert_int_equal(belay_sqlite_open(bg(), "/proc/self/exe", &options, &db), 0);
	conn = take(db);
	assert_int_equal(run_sql(conn, "select * from sqlite_schema"), -EBADMSG);
	assert_non_null(strstr(belay_sqlite_error_of(conn)->message, "not a database"));
	belay_sqlite_give(conn);
	belay_sqlite_close(db);
}

static int open_one(void **state)
{
	return fixture_open(state, NULL, 1);
}

#define with_one(test) cmocka_unit_test_setup_teardown(test, open_one, close_fixture)

BELAY_TEST_MAIN(in_file(a_done_context_fails_before_a_connection_is_taken),
		with_one(one_that_waits_leaves_the_queue_when_its_context_ends),
		with_one(a_deadline_ends_the_wait_for_a_connection),
		with_one(closing_turns_away_those_who_wait),
		in_file(where_no_more_can_be_opened_one_on_loan_is_waited_for),
		in_file(who_waits_for_the_last_one_in_vain_is_told),
		cmocka_unit_test(the_first_one_that_can_not_be_opened_is_an_error),
		cmocka_unit_test(one_that_is_at_home_is_lent_before_another_is_made),
		with_one(a_connection_given_back_in_mid_transaction_comes_out_clean),
		with_one(an_open_transaction_goes_with_its_connection),
		cmocka_unit_test(each_connection_is_set_up_once),
		cmocka_unit_test(without_a_path_nothing_is_opened),
		cmocka_unit_test(more_connections_than_threads_that_may_block_are_EINVAL),
		cmocka_unit_test(an_opening_that_fails_says_why),
		cmocka_unit_test(what_is_no_database_is_refused))
