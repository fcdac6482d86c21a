/* SPDX-License-Identifier: MIT
 *
 * replicas.c - other stores, that may be asked in this one's place.
 *
 * Each question goes to all of them at once, and the first good answer ends the others' contexts:
 * their requests are cut off, which the replicas notice as clients that have gone, and stop their
 * own work.
 */
#include "replicas.h"

#include "handlers.h"
#include "reply.h"

#include <belay.h>
#include <belay/http_client.h>

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	ANSWER_MOST = 1 << 20, /* bytes of a replica's answer */
	WORDS = 200,           /* bytes of an error's text */
};

static int64_t delays[] = {0, BELAY_MS(400)}; /* of the ones inside of this process */

enum { INSIDE = sizeof delays / sizeof *delays };

struct inside {
	belay_router *router;
	belay_server *server;
	belay_listener *listener;
	char url[80];
};

struct replicas {
	belay_http_client *client;
	belay_group *serving; /* the tasks of those inside */
	struct inside inside[INSIDE];
	size_t n_inside;
	const char *urls[REPLICAS_MOST];
	size_t n;
};

/* ---- Inside of this process ------------------------------------------------------------------ */

static int delay(belay_ctx *ctx, belay_request *req, belay_response *res, const belay_chain *next,
		 void *arg)
{
	const int64_t *ns = arg;
	int r = belay_sleep(ctx, *ns);

	return r ? r : belay_next(ctx, req, res, next);
}

static int build_router(belay_router *router, struct store *store, int64_t *ns)
{
	int r = belay_router_use(router, belay_http_trace, NULL);

	if (!r)
		r = belay_router_use(router, belay_http_access_log, NULL);
	if (!r)
		r = belay_router_use(router, belay_http_deadline, NULL);
	if (!r)
		r = belay_router_use(router, delay, ns);
	if (!r)
		r = belay_router_add(router, "GET /packages/{name}", handle_package, store);
	belay_router_error_page(router, reply_error_page, NULL);
	return r;
}

static int serve(belay_ctx *ctx, void *arg)
{
	struct inside *inside = arg;
	belay_listener *listener = inside->listener;

	inside->listener = NULL; /* the server's, from here on */
	belay_server_serve(ctx, inside->server, listener);
	return 0;
}

static int start_inside(belay_ctx *ctx, struct replicas *replicas, struct store *store, size_t i)
{
	struct inside *inside = &replicas->inside[i];
	int r;

	inside->router = belay_router_new();
	r = inside->router ? build_router(inside->router, store, &delays[i]) : -ENOMEM;
	if (!r)
		r = belay_server_new(belay_background(), inside->router, NULL, &inside->server);
	if (!r)
		r = belay_listen(ctx, "127.0.0.1:0", &inside->listener);
	if (r)
		return r;
	snprintf(inside->url, sizeof inside->url, "http://%s",
		 belay_listener_address(inside->listener));
	replicas->urls[replicas->n++] = inside->url;
	return belay_group_go(replicas->serving, serve, inside);
}

static void stop_inside(struct inside *inside)
{
	belay_server_free(inside->server);
	belay_listener_close(inside->listener);
	belay_router_free(inside->router);
}

/* ---- Starting and stopping ------------------------------------------------------------------- */

static int start_all(belay_ctx *ctx, const struct options *options, struct store *store,
		     struct replicas *replicas)
{
	size_t i;
	int r = belay_http_client_new(NULL, &replicas->client);

	for (i = 0; i < options->n_replicas && !r; i++)
		replicas->urls[replicas->n++] = options->replicas[i];
	if (r || options->n_replicas)
		return r;
	replicas->serving = belay_group_new(belay_background());
	if (!replicas->serving)
		return -ENOMEM;
	for (; replicas->n_inside < INSIDE && !r; replicas->n_inside++)
		r = start_inside(ctx, replicas, store, replicas->n_inside);
	return r;
}

int replicas_start(belay_ctx *ctx, const struct options *options, struct store *store,
		   struct replicas **ret)
{
	struct replicas *replicas = calloc(1, sizeof *replicas);
	int r = replicas ? start_all(ctx, options, store, replicas) : -ENOMEM;

	if (r)
		replicas_stop(ctx, replicas);
	else
		*ret = replicas;
	return r;
}

void replicas_stop(belay_ctx *ctx, struct replicas *replicas)
{
	size_t i;

	if (!replicas)
		return;
	belay_http_client_close(replicas->client);
	for (i = 0; i < replicas->n_inside; i++)
		if (replicas->inside[i].server)
			belay_server_shutdown(ctx, replicas->inside[i].server);
	if (replicas->serving)
		belay_group_wait(replicas->serving);
	for (i = 0; i < replicas->n_inside; i++)
		stop_inside(&replicas->inside[i]);
	free(replicas);
}

/* ---- Asking one ------------------------------------------------------------------------------ */

struct question {
	belay_http_client *client;
	const char *base;
	const char *name;
	json_t *answer;    /* where it was a good one */
	bool unknown;      /* where it was that there is no such package */
	char error[WORDS]; /* where it was another */
};

/* name as a segment of a path (RFC 3986, section 2.1). */
static void print_encoded(FILE *out, const char *name)
{
	for (; *name; name++)
		if (isalnum((unsigned char)*name) || strchr("-._~+", *name))
			fputc(*name, out);
		else
			fprintf(out, "%%%02X", (unsigned char)*name);
}

static char *question_url(const struct question *question)
{
	size_t base = strlen(question->base), size;
	char *url = NULL;
	FILE *out = open_memstream(&url, &size);

	if (!out)
		return NULL;
	while (base && question->base[base - 1] == '/')
		base--;
	fprintf(out, "%.*s/packages/", (int)base, question->base);
	print_encoded(out, question->name);
	if (fclose(out) == 0)
		return url;
	free(url);
	return NULL;
}

/* Only a whole answer with status 200 is a good one. */
static int judge(belay_ctx *ctx, struct question *question, belay_http_reply *reply)
{
	int r, status = belay_http_reply_status(reply);
	size_t size;
	char *text;

	if (status == 404) {
		question->unknown = true;
		return -ENOENT;
	}
	if (status != 200) {
		snprintf(question->error, sizeof question->error, "status %d", status);
		return -EBADE;
	}
	r = belay_http_reply_read_all(ctx, reply, ANSWER_MOST, &text, &size);
	if (r)
		return r;
	question->answer = json_loadb(text, size, 0, NULL);
	free(text);
	return question->answer ? 0 : -EBADE;
}

static int ask(belay_ctx *ctx, void *arg)
{
	struct question *question = arg;
	char *url = question_url(question);
	struct belay_http_call call = {
		.url = url, .error = question->error, .error_size = sizeof question->error};
	belay_http_reply *reply;
	int r = url ? belay_http_send(ctx, question->client, &call, &reply) : -ENOMEM;

	if (!r) {
		r = judge(ctx, question, reply);
		belay_http_reply_end(reply);
	}
	free(url);
	return r;
}

/* ---- Asking all ------------------------------------------------------------------------------ */

/* Not by the error alone: a replica whose host is unknown fails with -ENOENT too. */
static bool is_unknown(const struct question *questions, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (questions[i].unknown)
			return true;
	return false;
}

/* Why the last one in the list that says so has failed. */
static const char *last_error(const struct question *questions, size_t n, int r)
{
	while (n > 0)
		if (*questions[--n].error)
			return questions[n].error;
	return belay_strerror(r);
}

static int answer_none(belay_ctx *ctx, belay_request *req, belay_response *res, int r,
		       const struct question *questions, size_t n)
{
	if (belay_err(ctx))
		return r;
	if (is_unknown(questions, n))
		return belay_response_error(ctx, req, res, 404, "no replica has a package \"%s\"",
					    questions->name);
	return belay_response_error(ctx, req, res, 502, "no replica has answered: %s",
				    last_error(questions, n, r));
}

int handle_first(belay_ctx *ctx, belay_request *req, belay_response *res)
{
	const struct store *store = belay_request_data(req);
	const struct replicas *replicas = store->replicas;
	struct question questions[REPLICAS_MOST];
	void *args[REPLICAS_MOST];
	size_t i;
	int winner, r;

	for (i = 0; i < replicas->n; i++) {
		questions[i] = (struct question){.client = replicas->client,
						 .base = replicas->urls[i],
						 .name = belay_request_param(req, "name")};
		args[i] = &questions[i];
	}
	winner = belay_first(ctx, ask, args, replicas->n, 0);
	if (winner < 0)
		r = answer_none(ctx, req, res, winner, questions, replicas->n);
	else
		r = reply_json(ctx, res,
			       json_pack("{s:s, s:O}", "answered_by", questions[winner].base,
					 "package", questions[winner].answer));
	for (i = 0; i < replicas->n; i++)
		json_decref(questions[i].answer);
	return r;
}
