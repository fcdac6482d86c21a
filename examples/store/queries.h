/* SPDX-License-Identifier: MIT
 *
 * queries.h - what can be asked about packages; answers are JSON.
 *
 * Each blocks on a connection and the engine, for as long as ctx lasts, and then ends in the
 * engine. 0 and *ret, the caller's reference; the context's error; -ENOENT: there is no package of
 * that name; -ENOMEM; another negative errno, which has been logged.
 */
#ifndef STORE_QUERIES_H
#define STORE_QUERIES_H

#include "database.h"

#include <jansson.h>

/* FTS5 takes time that grows with the square of the words, in steps that nothing interrupts. */
enum { QUERY_WORDS_MOST = 64 };

/* {"packages": [...]}: those that have all the words, the last of which may be the beginning of
 * one, best first; words empty or NULL: all, by name. -E2BIG: more than QUERY_WORDS_MOST. */
int query_search(belay_ctx *ctx, const struct database *db, const char *words, int limit,
		 json_t **ret);

/* One package, with what it needs itself. */
int query_package(belay_ctx *ctx, const struct database *db, const char *name, json_t **ret);

/* All that it needs, and that they need, and so on. */
int query_closure(belay_ctx *ctx, const struct database *db, const char *name, json_t **ret);

/* The ones whose summaries are least far from its own. */
int query_similar(belay_ctx *ctx, const struct database *db, const char *name, int limit,
		  json_t **ret);

/* The pairs whose summaries are least far apart, among all or (section not NULL) in a section:
 * every package compared with every other in one statement. */
int query_twins(belay_ctx *ctx, const struct database *db, const char *section, int limit,
		json_t **ret);

/* 0: the database answers. */
int query_health(belay_ctx *ctx, const struct database *db);

#endif
