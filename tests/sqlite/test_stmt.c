/* SPDX-License-Identifier: MIT
 *
 * test_stmt.c - statements: values in by position and name, rows out by type, errors with their
 * words.
 */
#include "fixture.h"

#include <math.h>

static belay_ctx *bg(void)
{
	return belay_background();
}

static belay_sqlite_stmt *prepare(belay_sqlite_conn *conn, const char *sql)
{
	belay_sqlite_stmt *stmt = NULL;

	check(belay_sqlite_prepare(bg(), conn, sql, &stmt) == 0);
	return stmt;
}

static void every_type_goes_in_and_comes_out(void **state)
{
	struct fixture *f = *state;
	belay_sqlite_conn *conn = take(f->db);
	belay_sqlite_stmt *stmt = prepare(conn, "select ?1, ?2, ?3, ?4, ?5");
	size_t size;

	assert_int_equal(belay_sqlite_bind_int64(stmt, 1, INT64_MIN), 0);
	assert_int_equal(belay_sqlite_bind_double(stmt, 2, 0.5), 0);
	assert_int_equal(belay_sqlite_bind_text(stmt, 3, "gr\xc3\xbc\xc3\x9f"), 0);
	assert_int_equal(belay_sqlite_bind_blob(stmt, 4, "a\0b", 3), 0);
	assert_int_equal(belay_sqlite_bind_null(stmt, 5), 0);
	assert_int_equal(belay_sqlite_columns(stmt), 5);
	assert_int_equal(belay_sqlite_step(bg(), stmt), 1);
	assert_int_equal(belay_sqlite_type(stmt, 0), SQLITE_INTEGER);
	assert_true(belay_sqlite_int64(stmt, 0) == INT64_MIN);
	assert_int_equal(belay_sqlite_type(stmt, 1), SQLITE_FLOAT);
	assert_true(belay_sqlite_double(stmt, 1) == 0.5);
	assert_int_equal(belay_sqlite_type(stmt, 2), SQLITE_TEXT);
	assert_string_equal(belay_sqlite_text(stmt, 2), "gr\xc3\xbc\xc3\x9f");
	assert_int_equal(belay_sqlite_type(stmt, 3), SQLITE_BLOB);
	assert_memory_equal(belay_sqlite_blob(stmt, 3, &size), "a\0b", 3);
	assert_int_equal(size, 3);
	assert_int_equal(belay_sqlite_type(stmt, 4), SQLITE_NULL);
	assert_int_equal(belay_sqlite_step(bg(), stmt), 0);
	belay_sqlite_finalize(stmt);
	belay_sqlite_give(conn);
}

static void parameters_are_found_by_name(void **state)
{
	struct fixture *f = *state;
	belay_sqlite_conn *conn = take(f->db);
	belay_sqlite_stmt *stmt = prepare(conn, "select :one * 10 + @two");

	assert_int_equal(belay_sqlite_bind_int64(stmt, belay_sqlite_param(stmt, "@two"), 2), 0);
	assert_int_equal(belay_sqlite_bind_int64(stmt, belay_sqlite_param(stmt, ":one"), 1), 0);
	assert_int_equal(belay_sqlite_bind_null(stmt, belay_sqlite_param(stmt, ":three")), -ERANGE);
	assert_int_equal(belay_sqlite_bind_null(stmt, 3), -ERANGE);
	assert_int_equal(belay_sqlite_step(bg(), stmt), 1);
	assert_int_equal(belay_sqlite_int64(stmt, 0), 12);
	belay_sqlite_finalize(stmt);
	belay_sqlite_give(conn);
}

static void values_stay_over_a_reset_and_until_then_can_not_be_changed(void **state)
{
	struct fixture *f = *state;
	belay_sqlite_conn *conn = take(f->db);
	belay_sqlite_stmt *stmt = prepare(conn, "select ?1 union all select 2");

	assert_int_equal(belay_sqlite_bind_text(stmt, 1, "first"), 0);
	assert_int_equal(belay_sqlite_step(bg(), stmt), 1);
	assert_int_equal(belay_sqlite_bind_text(stmt, 1, "second"), -EBUSY);
	belay_sqlite_reset(stmt);
	assert_int_equal(belay_sqlite_step(bg(), stmt), 1);
	assert_string_equal(belay_sqlite_text(stmt, 0), "first");
	belay_sqlite_reset(stmt);
	assert_int_equal(belay_sqlite_bind_text(stmt, 1, "second"), 0);
	assert_int_equal(belay_sqlite_step(bg(), stmt), 1);
	assert_string_equal(belay_sqlite_text(stmt, 0), "second");
	belay_sqlite_finalize(stmt);
	belay_sqlite_give(conn);
}

static void many_rows_come_in_order_and_the_end_is_said_again(void **state)
{
	struct fixture *f = *state;
	belay_sqlite_conn *conn = take(f->db);
	belay_sqlite_stmt *stmt =
		prepare(conn, "with recursive n(i) as (select 1 union all select i + 1 from n "
			      "where i < 5000) select i, printf('%d bytes', i) from n");
	char text[32];
	int i;

	for (i = 1; i <= 5000; i++) {
		assert_int_equal(belay_sqlite_step(bg(), stmt), 1);
		assert_int_equal(belay_sqlite_int64(stmt, 0), i);
		snprintf(text, sizeof text, "%d bytes", i);
		assert_string_equal(belay_sqlite_text(stmt, 1), text);
	}
	assert_int_equal(belay_sqlite_step(bg(), stmt), 0);
	assert_int_equal(belay_sqlite_step(bg(), stmt), 0);
	belay_sqlite_reset(stmt);
	assert_int_equal(belay_sqlite_step(bg(), stmt), 1);
	assert_int_equal(belay_sqlite_int64(stmt, 0), 1);
	belay_sqlite_finalize(stmt);
	belay_sqlite_give(conn);
}

static void numbers_are_converted_and_nothing_else_is(void **state)
{
	struct fixture *f = *state;
	belay_sqlite_conn *conn = take(f->db);
	belay_sqlite_stmt *stmt = prepare(conn, "select 2.9, 7, 1e300, -1e300, '42', x''");
	size_t size = 99;

	assert_int_equal(belay_sqlite_step(bg(), stmt), 1);
	assert_int_equal(belay_sqlite_int64(stmt, 0), 2);
	assert_true(belay_sqlite_double(stmt, 1) == 7.0);
	assert_true(belay_sqlite_int64(stmt, 2) == INT64_MAX);
	assert_true(belay_sqlite_int64(stmt, 3) == INT64_MIN);
	assert_int_equal(belay_sqlite_int64(stmt, 4), 0);
	assert_null(belay_sqlite_text(stmt, 1));
	assert_non_null(belay_sqlite_blob(stmt, 5, &size));
	assert_int_equal(size, 0);
	assert_int_equal(belay_sqlite_type(stmt, 6), SQLITE_NULL);
	assert_int_equal(belay_sqlite_type(stmt, -1), SQLITE_NULL);
	assert_null(belay_sqlite_name(stmt, 6));
	belay_sqlite_finalize(stmt);
	belay_sqlite_give(conn);
}

static void there_is_no_row_before_the_first_step(void **state)
{
	struct fixture *f = *state;
	belay_sqlite_conn *conn = take(f->db);
	belay_sqlite_stmt *stmt = prepare(conn, "select 1 as one");

	assert_int_equal(belay_sqlite_type(stmt, 0), SQLITE_NULL);
	assert_string_equal(belay_sqlite_name(stmt, 0), "one");
	belay_sqlite_finalize(stmt);
	belay_sqlite_give(conn);
}

static void a_changed_schema_is_followed(void **state)
{
	struct fixture *f = *state;
	belay_sqlite_conn *conn = take(f->db);
	belay_sqlite_stmt *stmt;

	assert_int_equal(run_sql(conn, "create table t (a); insert into t values (1), (2)"), 0);
	stmt = prepare(conn, "select * from t");
	assert_int_equal(run_sql(conn, "alter table t add column b default 'x'"), 0);
	assert_int_equal(belay_sqlite_step(bg(), stmt), 1);
	assert_int_equal(belay_sqlite_step(bg(), stmt), 1);
	assert_int_equal(belay_sqlite_columns(stmt), 2);
	assert_int_equal(belay_sqlite_int64(stmt, 0), 2);
	assert_string_equal(belay_sqlite_text(stmt, 1), "x");
	belay_sqlite_finalize(stmt);
	belay_sqlite_give(conn);
}

static void an_error_has_its_errno_code_and_words(void **state)
{
	struct fixture *f = *state;
	belay_sqlite_conn *conn = take(f->db);
	belay_sqlite_stmt *stmt;

	assert_int_equal(belay_sqlite_error_of(conn)->code, SQLITE_OK);
	assert_int_equal(belay_sqlite_prepare(bg(), conn, "selekt 1", &stmt), -EINVAL);
	assert_non_null(strstr(belay_sqlite_error_of(conn)->message, "selekt"));
	assert_int_equal(belay_sqlite_error_of(conn)->code, SQLITE_ERROR);
	assert_int_equal(run_sql(conn, "create table t (a unique, b check (b > 0))"), 0);
	assert_int_equal(run_sql(conn, "insert into t values (1, 1)"), 0);
	assert_int_equal(run_sql(conn, "insert into t values (1, 1)"), -EEXIST);
	assert_int_equal(belay_sqlite_error_of(conn)->code, SQLITE_CONSTRAINT_UNIQUE);
	assert_int_equal(run_sql(conn, "insert into t values (2, 0)"), -EDOM);
	assert_int_equal(run_sql(conn, "pragma query_only = 1; delete from t"), -EROFS);
	belay_sqlite_give(conn);
}

static const char *words_of(belay_sqlite_conn *conn)
{
	return belay_sqlite_error_of(conn)->message;
}

static void what_the_library_refuses_has_its_words_as_well(void **state)
{
	struct fixture *f = *state;
	BELAY_SCOPED belay_ctx *over = belay_with_timeout(bg(), 0);
	belay_sqlite_conn *conn = take(f->db);
	belay_sqlite_tx *tx, *second;
	belay_sqlite_stmt *stmt;

	assert_int_equal(belay_sqlite_prepare(bg(), conn, "select 1; select 2", &stmt), -EINVAL);
	assert_string_equal(words_of(conn), "more than one statement");
	assert_int_equal(belay_sqlite_prepare(bg(), conn, "-- nothing", &stmt), -EINVAL);
	assert_string_equal(words_of(conn), "no statement");
	stmt = prepare(conn, "select ?1 union all select 2");
	assert_int_equal(belay_sqlite_bind_int64(stmt, 2, 1), -ERANGE);
	assert_int_equal(belay_sqlite_error_of(conn)->code, SQLITE_RANGE);
	assert_string_equal(words_of(conn), "no parameter 2: the statement has 1");
	assert_int_equal(belay_sqlite_step(bg(), stmt), 1);
	assert_int_equal(belay_sqlite_bind_text(stmt, 1, "x"), -EBUSY);
	assert_non_null(strstr(words_of(conn), "the reset"));
	assert_int_equal(belay_sqlite_step(over, stmt), -ETIME);
	assert_string_equal(words_of(conn), belay_strerror(-ETIME));
	belay_sqlite_finalize(stmt);
	assert_int_equal(belay_sqlite_begin(bg(), conn, BELAY_SQLITE_DEFERRED, &tx), 0);
	assert_int_equal(belay_sqlite_begin(bg(), conn, BELAY_SQLITE_DEFERRED, &second), -EBUSY);
	assert_non_null(strstr(words_of(conn), "in a transaction"));
	belay_sqlite_rollback(tx);
	belay_sqlite_give(conn);
}

static void an_error_that_is_said_again_has_its_own_words_again(void **state)
{
	struct fixture *f = *state;
	belay_sqlite_conn *conn = take(f->db);
	belay_sqlite_stmt *stmt = prepare(conn, "select abs(-9223372036854775807 - 1)");

	assert_int_equal(belay_sqlite_step(bg(), stmt), -EINVAL);
	assert_int_equal(run_sql(conn, "selekt"), -EINVAL);
	assert_non_null(strstr(words_of(conn), "selekt"));
	assert_int_equal(belay_sqlite_step(bg(), stmt), -EINVAL);
	assert_non_null(strstr(words_of(conn), "overflow"));
	belay_sqlite_finalize(stmt);
	belay_sqlite_give(conn);
}

static void a_prepare_takes_exactly_one_statement(void **state)
{
	struct fixture *f = *state;
	belay_sqlite_conn *conn = take(f->db);
	belay_sqlite_stmt *stmt = NULL;

	assert_int_equal(belay_sqlite_prepare(bg(), conn, "", &stmt), -EINVAL);
	assert_int_equal(belay_sqlite_prepare(bg(), conn, "-- nothing", &stmt), -EINVAL);
	assert_int_equal(belay_sqlite_prepare(bg(), conn, "select 1; select 2", &stmt), -EINVAL);
	assert_int_equal(belay_sqlite_prepare(bg(), conn, "select 1; selekt", &stmt), -EINVAL);
	assert_null(stmt);
	assert_int_equal(belay_sqlite_prepare(bg(), conn, "select 1; -- one", &stmt), 0);
	belay_sqlite_finalize(stmt);
	belay_sqlite_give(conn);
}

static void an_error_in_mid_read_comes_after_the_rows_before_it(void **state)
{
	struct fixture *f = *state;
	belay_sqlite_conn *conn = take(f->db);
	belay_sqlite_stmt *stmt =
		prepare(conn, "select abs(column1) from (values (-1), (-2), "
			      "(-9223372036854775807 - 1), (-3))");

	assert_int_equal(belay_sqlite_step(bg(), stmt), 1);
	assert_int_equal(belay_sqlite_step(bg(), stmt), 1);
	assert_int_equal(belay_sqlite_int64(stmt, 0), 2);
	assert_int_equal(belay_sqlite_step(bg(), stmt), -EINVAL);
	assert_int_equal(belay_sqlite_int64(stmt, 0), 2);
	assert_int_equal(belay_sqlite_step(bg(), stmt), -EINVAL);
	belay_sqlite_finalize(stmt);
	belay_sqlite_give(conn);
}

static void changes_and_the_last_rowid_are_told(void **state)
{
	struct fixture *f = *state;
	belay_sqlite_conn *conn = take(f->db);

	assert_int_equal(run_sql(conn, "create table t (a)"), 0);
	assert_int_equal(run_sql(conn, "insert into t values (1), (2), (3)"), 0);
	assert_int_equal(belay_sqlite_changes(conn), 3);
	assert_int_equal(belay_sqlite_last_rowid(conn), 3);
	belay_sqlite_give(conn);
}

static int add_twice(sqlite3 *raw, void *arg)
{
	return sqlite3_exec(raw, arg, NULL, NULL, NULL);
}

static void the_raw_connection_can_be_used_under_a_context(void **state)
{
	struct fixture *f = *state;
	belay_sqlite_conn *conn = take(f->db);
	belay_ctx *ctx = belay_with_timeout(bg(), BELAY_MS(20));

	assert_int_equal(belay_sqlite_run(bg(), conn, add_twice, (void *)"create table t (a)"), 0);
	assert_int_equal(belay_sqlite_run(ctx, conn, add_twice, (void *)ENDLESS), -ETIME);
	assert_int_equal(belay_sqlite_run(ctx, conn, add_twice, (void *)"select 1"), -ETIME);
	belay_end(ctx);
	belay_sqlite_give(conn);
}

static void count_in_a_task(belay_ctx *ctx, void *arg)
{
	struct fixture *f = arg;
	belay_sqlite_conn *conn = take(f->db);
	belay_sqlite_stmt *stmt = prepare(conn, "select value * 2 from generate where value < ?1");
	int64_t sum = 0;

	check(belay_sqlite_bind_int64(stmt, 1, 1000) == 0);
	while (belay_sqlite_step(ctx, stmt) == 1)
		sum += belay_sqlite_int64(stmt, 0);
	check(sum == 999000);
	belay_sqlite_finalize(stmt);
	belay_sqlite_give(conn);
}

static void a_task_can_do_what_a_thread_can(void **state)
{
	struct fixture *f = *state;
	belay_sqlite_conn *conn = take(f->db);

	assert_int_equal(run_sql(conn, "create view generate as with recursive n(value) as ("
				       "select 0 union all select value + 1 from n "
				       "where value < 5000) select value from n"),
			 0);
	belay_sqlite_give(conn);
	check_in_task(count_in_a_task, f);
}

BELAY_TEST_MAIN(in_memory(every_type_goes_in_and_comes_out),
		in_memory(parameters_are_found_by_name),
		in_memory(values_stay_over_a_reset_and_until_then_can_not_be_changed),
		in_memory(many_rows_come_in_order_and_the_end_is_said_again),
		in_memory(numbers_are_converted_and_nothing_else_is),
		in_memory(there_is_no_row_before_the_first_step),
		in_memory(a_changed_schema_is_followed),
		in_memory(an_error_has_its_errno_code_and_words),
		in_memory(what_the_library_refuses_has_its_words_as_well),
		in_memory(an_error_that_is_said_again_has_its_own_words_again),
		in_memory(a_prepare_takes_exactly_one_statement),
		in_memory(an_error_in_mid_read_comes_after_the_rows_before_it),
		in_memory(changes_and_the_last_rowid_are_told),
		in_memory(the_raw_connection_can_be_used_under_a_context),
		in_memory(a_task_can_do_what_a_thread_can))
