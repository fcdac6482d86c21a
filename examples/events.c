/* SPDX-License-Identifier: MIT
 *
 * events.c - server-sent events: what one says, all hear who listen.
 *
 *     ./events [ADDRESS]
 *     curl -N http://127.0.0.1:8080/listen &
 *     curl -d 'hello, all' http://127.0.0.1:8080/say
 *
 * Each listener has a channel of its own, on its handler's stack. Who speaks never waits: a
 * listener that is too far behind misses what is said.
 */
#include "serve.h"

#include <belay/http_events.h>

#include <errno.h>
#include <pthread.h>
#include <sys/queue.h>

enum { BEHIND = 64 };

struct words {
	char text[512];
};

struct listener {
	LIST_ENTRY(listener) link;
	belay_chan *heard; /* of struct words */
};

struct room {
	pthread_mutex_t lock; /* guards the list; nobody waits with it held */
	LIST_HEAD(, listener) listeners;
};

/* ---- Listening ------------------------------------------------------------------------------- */

static int enter(struct room *room, struct listener *listener)
{
	listener->heard = belay_chan_new(sizeof(struct words), BEHIND);
	if (!listener->heard)
		return -ENOMEM;
	pthread_mutex_lock(&room->lock);
	LIST_INSERT_HEAD(&room->listeners, listener, link);
	pthread_mutex_unlock(&room->lock);
	return 0;
}

static void leave(struct room *room, struct listener *listener)
{
	pthread_mutex_lock(&room->lock);
	LIST_REMOVE(listener, link);
	pthread_mutex_unlock(&room->lock);
	belay_chan_unref(listener->heard);
}

/* Until the client goes away, or the server: then the context is done, and every wait returns. */
static int pass_on(belay_ctx *ctx, belay_response *res, belay_chan *heard)
{
	struct words words;
	int r;

	while ((r = belay_events_recv(ctx, res, heard, &words, BELAY_S(15))) == 0) {
		r = belay_events_send(ctx, res, &(struct belay_event){.data = words.text});
		if (r < 0)
			break;
	}
	return r;
}

static int listen_in(belay_ctx *ctx, belay_request *req, belay_response *res)
{
	struct room *room = belay_request_data(req);
	struct listener listener;
	int r = enter(room, &listener);

	if (r < 0)
		return r;
	r = belay_events_begin(ctx, req, res);
	if (r == 0)
		r = pass_on(ctx, res, listener.heard);
	leave(room, &listener);
	return r;
}

/* ---- Speaking -------------------------------------------------------------------------------- */

static unsigned tell_all(struct room *room, const struct words *words)
{
	struct listener *listener;
	unsigned n = 0;

	pthread_mutex_lock(&room->lock);
	LIST_FOREACH (listener, &room->listeners, link)
		n += belay_try_send(listener->heard, words) == 0;
	pthread_mutex_unlock(&room->lock);
	return n;
}

static int say(belay_ctx *ctx, belay_request *req, belay_response *res)
{
	struct words words;
	const char *body;
	int r = belay_request_body(ctx, req, &body, NULL);

	if (r < 0)
		return r;
	snprintf(words.text, sizeof words.text, "%s", body);
	return belay_response_printf(ctx, res, "heard by %u\n",
				     tell_all(belay_request_data(req), &words));
}

int main(int argc, char **argv)
{
	struct room room = {.lock = PTHREAD_MUTEX_INITIALIZER};
	belay_router *router = serve_router();
	int r = router ? belay_router_add(router, "GET /listen", listen_in, &room) : -ENOMEM;

	if (r == 0)
		r = belay_router_add(router, "POST /say", say, &room);
	if (r == 0)
		r = serve(router, argc > 1 ? argv[1] : "127.0.0.1:8080");
	belay_router_free(router);
	belay_shutdown();
	return r < 0;
}
