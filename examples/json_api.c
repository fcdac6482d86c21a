/* SPDX-License-Identifier: MIT
 *
 * json_api.c - notes in SQLite, over HTTP, in JSON.
 *
 *     ./json_api NOTES.db [ADDRESS]
 *     curl -d '{"text": "buy milk"}' http://127.0.0.1:8080/notes
 *     curl http://127.0.0.1:8080/notes
 *     curl http://127.0.0.1:8080/notes/1
 *     curl -X DELETE http://127.0.0.1:8080/notes/1
 *
 * The request's context reaches the engine: a client that goes away, or whose ?timeout= is up,
 * interrupts its statement.
 */
#include "serve.h"

#include <belay/sqlite.h>

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>

/* ---- JSON ------------------------------------------------------------------------------------ */

/* Takes body; NULL: there was no memory for it. */
static int answer(belay_ctx *ctx, belay_response *res, int status, json_t *body)
{
	char *text = body ? json_dumps(body, 0) : NULL;
	int r = text ? belay_response_status(res, status) : -ENOMEM;

	if (r == 0)
		r = belay_response_header(res, "Content-Type", "application/json");
	if (r == 0)
		r = belay_response_printf(ctx, res, "%s\n", text);
	free(text);
	json_decref(body);
	return r;
}

static int error_page(belay_ctx *ctx, const belay_request *req, belay_response *res,
		      const struct belay_http_error *error, void *arg)
{
	return answer(ctx, res, error->status, json_pack("{s:s}", "error", error->message));
}

static json_t *note(const belay_sqlite_stmt *row)
{
	return json_pack("{s:I, s:s}", "id", (json_int_t)belay_sqlite_int64(row, 0), "text",
			 belay_sqlite_text(row, 1));
}

/* ---- Statements ------------------------------------------------------------------------------ */

/* What a request needs of the database: a connection, and a statement on it with :id and :text. */
struct query {
	belay_sqlite_conn *conn;
	belay_sqlite_stmt *stmt;
};

static void close_query(struct query *q)
{
	belay_sqlite_finalize(q->stmt);
	belay_sqlite_give(q->conn);
}

static int set_parameters(struct query *q, const char *id, const char *text)
{
	int r = id ? belay_sqlite_bind_text(q->stmt, 1, id) : 0;

	return r == 0 && text ? belay_sqlite_bind_text(q->stmt, 1, text) : r;
}

static int open_query(belay_ctx *ctx, belay_request *req, const char *sql, const char *text,
		      struct query *ret)
{
	int r;

	*ret = (struct query){0};
	r = belay_sqlite_take(ctx, belay_request_data(req), &ret->conn);
	if (r == 0)
		r = belay_sqlite_prepare(ctx, ret->conn, sql, &ret->stmt);
	if (r == 0)
		r = set_parameters(ret, belay_request_param(req, "id"), text);
	if (r < 0)
		close_query(ret);
	return r;
}

/* ---- Handlers -------------------------------------------------------------------------------- */

static int list(belay_ctx *ctx, belay_request *req, belay_response *res)
{
	json_t *notes = json_array();
	struct query q;
	int r = open_query(ctx, req, "select id, text from note order by id", NULL, &q);

	if (r < 0) {
		json_decref(notes);
		return r;
	}
	while ((r = belay_sqlite_step(ctx, q.stmt)) > 0)
		if (json_array_append_new(notes, note(q.stmt)) < 0) {
			r = -ENOMEM;
			break;
		}
	close_query(&q);
	if (r == 0)
		return answer(ctx, res, 200, notes);
	json_decref(notes);
	return r;
}

/* The one row of sql, or 404. */
static int answer_row(belay_ctx *ctx, belay_request *req, belay_response *res, int status,
		      const char *sql, const char *text)
{
	struct query q;
	int r = open_query(ctx, req, sql, text, &q);

	if (r < 0)
		return r;
	r = belay_sqlite_step(ctx, q.stmt);
	if (r > 0)
		r = answer(ctx, res, status, note(q.stmt));
	else if (r == 0)
		r = belay_response_error(ctx, req, res, 404, "no such note");
	close_query(&q);
	return r;
}

static int get(belay_ctx *ctx, belay_request *req, belay_response *res)
{
	return answer_row(ctx, req, res, 200, "select id, text from note where id = :id", NULL);
}

static int forget(belay_ctx *ctx, belay_request *req, belay_response *res)
{
	return answer_row(ctx, req, res, 200, "delete from note where id = :id returning id, text",
			  NULL);
}

static int add(belay_ctx *ctx, belay_request *req, belay_response *res)
{
	const char *body, *text;
	json_t *given;
	size_t size;
	int r = belay_request_body(ctx, req, &body, &size);

	if (r < 0)
		return r;
	given = json_loadb(body, size, 0, NULL);
	text = json_string_value(json_object_get(given, "text"));
	r = text ? answer_row(ctx, req, res, 201,
			      "insert into note (text) values (:text) returning id, text", text)
		 : belay_response_error(ctx, req, res, 400, "{\"text\": \"...\"} is what I take");
	json_decref(given);
	return r;
}

/* ---- The program ----------------------------------------------------------------------------- */

static int add_routes(belay_router *router, belay_sqlite *db)
{
	static const struct belay_http_limit limit = {.most = BELAY_S(10)};
	int r = belay_router_use(router, belay_http_deadline, (void *)&limit);

	belay_router_error_page(router, error_page, NULL);
	if (r == 0)
		r = belay_router_add(router, "GET /notes", list, db);
	if (r == 0)
		r = belay_router_add(router, "POST /notes", add, db);
	if (r == 0)
		r = belay_router_add(router, "GET /notes/{id}", get, db);
	return r == 0 ? belay_router_add(router, "DELETE /notes/{id}", forget, db) : r;
}

static int set_up(belay_sqlite *db)
{
	belay_sqlite_conn *conn;
	int r = belay_sqlite_take(belay_background(), db, &conn);

	if (r < 0)
		return r;
	r = belay_sqlite_exec(belay_background(), conn,
			      "pragma journal_mode = wal; create table if not exists"
			      " note (id integer primary key, text text not null)");
	belay_sqlite_give(conn);
	return r;
}

static int run(const char *path, const char *address)
{
	struct belay_sqlite_error error = {0};
	const struct belay_sqlite_options options = {.error = &error};
	belay_router *router = serve_router();
	belay_sqlite *db = NULL;
	int r = router ? belay_sqlite_open(belay_background(), path, &options, &db) : -ENOMEM;

	if (r == 0)
		r = set_up(db);
	if (r < 0)
		fprintf(stderr, "%s: %s\n", path,
			*error.message ? error.message : belay_strerror(r));
	if (r == 0)
		r = add_routes(router, db);
	if (r == 0)
		r = serve(router, address);
	belay_sqlite_close(db);
	belay_router_free(router);
	return r;
}

int main(int argc, char **argv)
{
	int r;

	if (argc < 2) {
		fprintf(stderr, "usage: %s NOTES.db [ADDRESS]\n", argv[0]);
		return 2;
	}
	r = run(argv[1], argc > 2 ? argv[2] : "127.0.0.1:8080");
	belay_shutdown();
	return r < 0;
}
