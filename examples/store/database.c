/* SPDX-License-Identifier: MIT
 *
 * database.c - the imported packages, open for reading.
 */
#include "database.h"

#include "similarity.h"

#include <belay.h>

#include <stdio.h>

enum { QUICK = 8, SLOW = 2 };

static int set_up(sqlite3 *raw, void *arg)
{
	return similarity_register(raw);
}

static int open_pool(belay_ctx *ctx, const char *path, unsigned connections, belay_sqlite **ret)
{
	struct belay_sqlite_error error = {0};
	const struct belay_sqlite_options options = {
		.connections = connections,
		.flags = SQLITE_OPEN_READONLY,
		.set_up = set_up,
		.error = &error,
	};
	int r = belay_sqlite_open(ctx, path, &options, ret);

	if (r)
		fprintf(stderr, "store: can't open %s: %s\n", path,
			error.code ? error.message : belay_strerror(r));
	return r;
}

int database_open(belay_ctx *ctx, const char *path, struct database *ret)
{
	struct database database;
	int r = open_pool(ctx, path, QUICK, &database.quick);

	if (r)
		return r;
	r = open_pool(ctx, path, SLOW, &database.slow);
	if (r)
		belay_sqlite_close(database.quick);
	else
		*ret = database;
	return r;
}

void database_close(struct database *database)
{
	belay_sqlite_close(database->quick);
	belay_sqlite_close(database->slow);
}
