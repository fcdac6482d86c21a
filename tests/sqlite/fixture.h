/* SPDX-License-Identifier: MIT
 *
 * fixture.h - databases for the tests: one in memory, or one in a file of its own that goes with
 * it.
 *
 * Each test's state is a struct fixture, made by its setup. Statements that never end by themselves
 * count as long as an int64_t lasts.
 */
#ifndef BELAY_TESTS_SQLITE_FIXTURE_H
#define BELAY_TESTS_SQLITE_FIXTURE_H

#include "check.h"
#include "engine_fuse.h"

#include <belay/sqlite.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ENDLESS                                                                                    \
	"with recursive n(i) as (select 1 union all select i + 1 from n) select count(*) from n"

struct fixture {
	belay_sqlite *db;
	char dir[32];  /* empty: in memory */
	char path[48];
};

static inline int run_sql(belay_sqlite_conn *conn, const char *sql)
{
	return belay_sqlite_exec(belay_background(), conn, sql);
}

static inline belay_sqlite_conn *take(belay_sqlite *db)
{
	belay_sqlite_conn *conn = NULL;

	check(belay_sqlite_take(belay_background(), db, &conn) == 0);
	return conn;
}

/* The number in the only column of the only row; -1: an error. */
static inline int64_t number_of(belay_sqlite_conn *conn, const char *sql)
{
	belay_sqlite_stmt *stmt;
	int64_t n = -1;

	if (!check(belay_sqlite_prepare(belay_background(), conn, sql, &stmt) == 0))
		return -1;
	if (belay_sqlite_step(belay_background(), stmt) == 1)
		n = belay_sqlite_int64(stmt, 0);
	belay_sqlite_finalize(stmt);
	return n;
}

static inline int fixture_open(void **state, const char *path, unsigned connections)
{
	struct belay_sqlite_options options = {.connections = connections};
	struct fixture *fixture = calloc(1, sizeof *fixture);

	if (!fixture)
		return -1;
	*state = fixture;
	if (!path) {
		strcpy(fixture->dir, "/tmp/belay-sqlite-XXXXXX");
		if (!mkdtemp(fixture->dir))
			return -1;
		snprintf(fixture->path, sizeof fixture->path, "%s/db", fixture->dir);
		path = fixture->path;
	}
	return belay_sqlite_open(belay_background(), path, &options, &fixture->db);
}

static inline int open_memory(void **state)
{
	return fixture_open(state, ":memory:", 1);
}

static inline int open_file(void **state)
{
	return fixture_open(state, NULL, 4);
}

static inline int close_fixture(void **state)
{
	struct fixture *fixture = *state;
	char path[64];
	const char *const suffixes[] = {"", "-journal", "-wal", "-shm"};
	size_t i;

	belay_sqlite_close(fixture->db);
	for (i = 0; *fixture->dir && i < 4; i++) {
		snprintf(path, sizeof path, "%s%s", fixture->path, suffixes[i]);
		unlink(path);
	}
	if (*fixture->dir && rmdir(fixture->dir))
		return -1;
	free(fixture);
	return 0;
}

#define in_memory(test) cmocka_unit_test_setup_teardown(test, open_memory, close_fixture)
#define in_file(test)   cmocka_unit_test_setup_teardown(test, open_file, close_fixture)

#endif
