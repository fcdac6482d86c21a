/* SPDX-License-Identifier: MIT
 *
 * queries.c - what can be asked about packages; answers are JSON.
 *
 * Every query is one statement, each of its rows an object whose keys are the names of its columns.
 */
#include "queries.h"

#include "reply.h"

#include <belay.h>

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PACKAGE_COLUMNS "package.name, version, section, package.summary, size, installed"

static const char search_sql[] =
	"select " PACKAGE_COLUMNS " from word join package on package.id = word.rowid "
	"where word match :words "
	"order by package.name = :name desc, bm25(word, 10, 1), package.name limit :limit";

static const char list_sql[] =
	"select " PACKAGE_COLUMNS " from package order by name limit :limit";

static const char package_sql[] =
	"select " PACKAGE_COLUMNS ", architecture, homepage, "
	"(select count(*) from need where needed = id) as needed_by "
	"from package where name = :name";

static const char needs_sql[] =
	"select needed.name from package join need on need.package = package.id "
	"join package as needed on needed.id = need.needed "
	"where package.name = :name order by needed.name";

static const char closure_sql[] =
	"with recursive start (id) as (select id from package where name = :name), "
	"all_needed (id) as ("
	"  select needed from need join start on need.package = start.id "
	"  union select needed from need join all_needed on need.package = all_needed.id) "
	"select " PACKAGE_COLUMNS " from all_needed join package using (id) "
	"where id not in start order by name";

static const char similar_sql[] =
	"select other.name, other.summary, distance(this.summary, other.summary) as distance "
	"from package as this join package as other on other.id <> this.id "
	"where this.name = :name order by distance, other.name limit :limit";

#define TWINS_FROM                                                                                 \
	"select a.name as a, b.name as b, a.summary as a_summary, b.summary as b_summary, "        \
	"distance(a.summary, b.summary) as distance "                                              \
	"from package as a join package as b on b.id > a.id "
#define TWINS_ORDER "order by distance, a.name, b.name limit :limit"

static const char twins_sql[] = TWINS_FROM TWINS_ORDER;

static const char twins_in_section_sql[] =
	TWINS_FROM "where a.section = :section and b.section = :section " TWINS_ORDER;

static const char exists_sql[] = "select 1 from package where name = :name";

/* ---- One statement --------------------------------------------------------------------------- */

/* What may stand in a statement; NULL and 0 where it doesn't. */
struct values {
	const char *name, *words, *section;
	int limit;
};

/* A statement that has no such parameter does without. */
static int bind_text(belay_sqlite_stmt *stmt, const char *parameter, const char *value)
{
	int index = belay_sqlite_param(stmt, parameter);

	return index ? belay_sqlite_bind_text(stmt, index, value) : 0;
}

static int bind_values(belay_sqlite_stmt *stmt, const struct values *values)
{
	int index = belay_sqlite_param(stmt, ":limit");
	int r = index ? belay_sqlite_bind_int64(stmt, index, values->limit) : 0;

	if (!r)
		r = bind_text(stmt, ":name", values->name);
	if (!r)
		r = bind_text(stmt, ":words", values->words);
	if (!r)
		r = bind_text(stmt, ":section", values->section);
	return r;
}

static json_t *column(const belay_sqlite_stmt *stmt, int i)
{
	switch (belay_sqlite_type(stmt, i)) {
	case SQLITE_INTEGER:
		return json_integer(belay_sqlite_int64(stmt, i));
	case SQLITE_TEXT:
		return reply_text(belay_sqlite_text(stmt, i));
	default:
		return json_null();
	}
}

static json_t *row(const belay_sqlite_stmt *stmt)
{
	json_t *object = json_object();
	int i, failed = !object;

	for (i = 0; i < belay_sqlite_columns(stmt) && !failed; i++)
		failed = json_object_set_new(object, belay_sqlite_name(stmt, i), column(stmt, i));
	if (!failed)
		return object;
	json_decref(object);
	return NULL;
}

static int collect(belay_ctx *ctx, belay_sqlite_stmt *stmt, json_t *rows)
{
	int r;

	while ((r = belay_sqlite_step(ctx, stmt)) == 1)
		if (json_array_append_new(rows, row(stmt)))
			return -ENOMEM;
	return r;
}

/* The rows of sql, on conn. */
static int ask_on(belay_ctx *ctx, belay_sqlite_conn *conn, const char *sql,
		  const struct values *values, json_t *rows)
{
	belay_sqlite_stmt *stmt;
	int r = belay_sqlite_prepare(ctx, conn, sql, &stmt);

	if (!r) {
		r = bind_values(stmt, values);
		if (!r)
			r = collect(ctx, stmt, rows);
		belay_sqlite_finalize(stmt);
	}
	if (r && !belay_err(ctx))
		belay_log(ctx, BELAY_LOG_ERROR, "database: %s",
			  belay_sqlite_error_of(conn)->message);
	return r;
}

static int take(belay_ctx *ctx, belay_sqlite *pool, belay_sqlite_conn **ret)
{
	int r = belay_sqlite_take(ctx, pool, ret);

	if (r && !belay_err(ctx)) {
		struct belay_sqlite_error error;

		belay_sqlite_open_error(pool, &error);
		belay_log(ctx, BELAY_LOG_ERROR, "database: %s",
			  error.code ? error.message : belay_strerror(r));
	}
	return r;
}

/* A database whose file has gone fails with -ENOENT, which is not to be taken for a package's. */
static int ask(belay_ctx *ctx, belay_sqlite *pool, const char *sql, const struct values *values,
	       json_t **ret)
{
	json_t *rows = json_array();
	belay_sqlite_conn *conn;
	int r = rows ? take(ctx, pool, &conn) : -ENOMEM;

	if (!r) {
		r = ask_on(ctx, conn, sql, values, rows);
		belay_sqlite_give(conn);
	}
	if (r)
		json_decref(rows);
	else
		*ret = rows;
	return r == -ENOENT ? -EIO : r;
}

/* ---- Answers --------------------------------------------------------------------------------- */

/* {key: rows}; rows is taken in every case. */
static int wrap(const char *key, json_t *rows, json_t **ret)
{
	*ret = json_pack("{s:o}", key, rows);
	return *ret ? 0 : -ENOMEM;
}

static int ask_wrapped(belay_ctx *ctx, belay_sqlite *pool, const char *sql,
		       const struct values *values, const char *key, json_t **ret)
{
	json_t *rows;
	int r = ask(ctx, pool, sql, values, &rows);

	return r ? r : wrap(key, rows, ret);
}

/* The texts of the first column alone. Takes rows in every case; NULL: out of memory. */
static json_t *only_texts(json_t *rows, const char *key)
{
	json_t *texts = json_array(), *object;
	size_t i;
	int failed = !texts;

	json_array_foreach(rows, i, object)
		failed |= json_array_append(texts, json_object_get(object, key));
	json_decref(rows);
	if (!failed)
		return texts;
	json_decref(texts);
	return NULL;
}

/* 0, or -ENOENT where there is no such package. */
static int must_exist(belay_ctx *ctx, const struct database *db, const char *name)
{
	json_t *rows;
	int r = ask(ctx, db->quick, exists_sql, &(struct values){.name = name}, &rows);

	if (r)
		return r;
	r = json_array_size(rows) ? 0 : -ENOENT;
	json_decref(rows);
	return r;
}

/* ---- The search's words ---------------------------------------------------------------------- */

#define BLANKS " \t\r\n"

static bool has_word(const char *text, size_t length)
{
	size_t i;

	for (i = 0; i < length; i++)
		if (isalnum((unsigned char)text[i]) || (unsigned char)text[i] >= 0x80)
			return true;
	return false;
}

/* One word of the user's as a phrase of FTS5's, in which nothing but the quote is special. */
static void print_phrase(FILE *out, const char *word, size_t length, bool is_last)
{
	size_t i;

	fputc('"', out);
	for (i = 0; i < length; i++) {
		if (word[i] == '"')
			fputc('"', out);
		fputc(word[i], out);
	}
	fputs(is_last ? "\"*" : "\" ", out);
}

/* "c  pars" as "\"c\" \"pars\"*", to be freed: the last word may still be being typed. "" where
 * there is no word in it. */
static char *fts_query(const char *words)
{
	char *query = NULL;
	size_t size;
	FILE *out = open_memstream(&query, &size);

	if (!out)
		return NULL;
	while (*words) {
		size_t length = strcspn(words, BLANKS);
		const char *next = words + length + strspn(words + length, BLANKS);

		if (has_word(words, length))
			print_phrase(out, words, length, !*next);
		words = next;
	}
	if (fclose(out)) {
		free(query);
		return NULL;
	}
	return query;
}

static size_t count_words(const char *words)
{
	size_t n = 0;

	for (words += strspn(words, BLANKS); *words; n++) {
		words += strcspn(words, BLANKS);
		words += strspn(words, BLANKS);
	}
	return n;
}

/* ---- Public ---------------------------------------------------------------------------------- */

int query_search(belay_ctx *ctx, const struct database *db, const char *words, int limit,
		 json_t **ret)
{
	const char *first = words ? words + strspn(words, BLANKS) : "";
	struct values values = {.name = first, .limit = limit};
	char *query;
	int r;

	if (count_words(first) > QUERY_WORDS_MOST)
		return -E2BIG;
	query = fts_query(first);
	if (!query)
		return -ENOMEM;
	values.words = query;
	if (*first && !*query) /* nothing but signs, which stand in no name */
		r = wrap("packages", json_array(), ret);
	else
		r = ask_wrapped(ctx, db->quick, *first ? search_sql : list_sql, &values, "packages",
				ret);
	free(query);
	return r;
}

int query_package(belay_ctx *ctx, const struct database *db, const char *name, json_t **ret)
{
	const struct values values = {.name = name};
	json_t *rows, *needs, *package;
	int r = ask(ctx, db->quick, package_sql, &values, &rows);

	if (r)
		return r;
	package = json_incref(json_array_get(rows, 0));
	json_decref(rows);
	if (!package)
		return -ENOENT;
	r = ask(ctx, db->quick, needs_sql, &values, &needs);
	if (!r && json_object_set_new(package, "needs", only_texts(needs, "name")))
		r = -ENOMEM;
	if (r)
		json_decref(package);
	else
		*ret = package;
	return r;
}

int query_closure(belay_ctx *ctx, const struct database *db, const char *name, json_t **ret)
{
	int r = must_exist(ctx, db, name);

	return r ? r
		 : ask_wrapped(ctx, db->quick, closure_sql, &(struct values){.name = name},
			       "closure", ret);
}

int query_similar(belay_ctx *ctx, const struct database *db, const char *name, int limit,
		  json_t **ret)
{
	int r = must_exist(ctx, db, name);

	return r ? r
		 : ask_wrapped(ctx, db->quick, similar_sql,
			       &(struct values){.name = name, .limit = limit}, "similar", ret);
}

int query_twins(belay_ctx *ctx, const struct database *db, const char *section, int limit,
		json_t **ret)
{
	return ask_wrapped(ctx, db->slow, section ? twins_in_section_sql : twins_sql,
			   &(struct values){.section = section, .limit = limit}, "twins", ret);
}

int query_health(belay_ctx *ctx, const struct database *db)
{
	json_t *rows;
	int r = ask(ctx, db->quick, "select 1", &(struct values){0}, &rows);

	if (!r)
		json_decref(rows);
	return r;
}
