/* SPDX-License-Identifier: MIT
 *
 * server.c - listens, starts connections, and shuts down.
 *
 * States      open -> shut (a shutdown has begun: no listener begins to serve, and who serves stops
 *             as below) -> drained (no connection and no listener is left; the channel of that name
 *             is closed, once).
 * Stop        Who has connected before a listener stops may have sent its request, and would be
 *             reset: so what stands in the kernel's queue is taken and served first, until nobody
 *             has come for LULL, or STOP is over.
 * Locking     lock guards the counts and which of these states it is; channels are closed and
 *             contexts ended without it.
 * Lifetime    connections leave as the last thing that they do with the server, and so do those who
 *             serve; freeing it waits until all have.
 */
#include "http/server.h"

#include "base/alloc.h"

#include <belay/select.h>
#include <belay/task.h>

#include <errno.h>

/* Before accepting is tried again where descriptors or memory had run out. */
#define BREATHER BELAY_MS(50)

/* See Stop. */
#define LULL BELAY_MS(10)
#define STOP BELAY_MS(100)

/* What stands in slots for a connection. */
static const char slot;

/* ---- Counting -------------------------------------------------------------------------------- */

static void lock(struct belay_server *server)
{
	belay__lock_take(&server->lock, BELAY__RANK_SYNC);
}

/* Gives the lock back, and tells those who wait for it when all is over. */
static void unlock(struct belay_server *server)
{
	bool over = server->shut && !server->closed && server->connections == 0 &&
		    server->listeners == 0;

	if (over)
		server->closed = true;
	belay__lock_give(&server->lock, BELAY__RANK_SYNC);
	if (over)
		belay_chan_close(server->drained);
}

/* By one who serves, so that the server can't be drained meanwhile. */
static void enter(struct belay_server *server)
{
	lock(server);
	server->connections++;
	belay_wg_add(&server->alive, 1);
	unlock(server);
}

static void give_slot(struct belay_server *server)
{
	belay_try_recv(server->slots, (void *)NULL);
}

void belay__server_leave(struct belay_server *server)
{
	give_slot(server);
	lock(server);
	server->connections--;
	unlock(server);
	belay_wg_done(&server->alive);
}

size_t belay_server_connections(belay_server *server)
{
	size_t n;

	lock(server);
	n = server->connections;
	unlock(server);
	return n;
}

/* ---- Serving --------------------------------------------------------------------------------- */

static bool add_listener(struct belay_server *server)
{
	bool open;

	lock(server);
	open = !server->shut;
	server->listeners += open;
	if (open)
		belay_wg_add(&server->alive, 1);
	unlock(server);
	return open;
}

static void remove_listener(struct belay_server *server)
{
	lock(server);
	server->listeners--;
	unlock(server);
}

static bool passes(int err)
{
	return err == -EMFILE || err == -ENFILE || err == -ENOMEM || err == -ENOBUFS;
}

/* Where there is not even a clock to wait for, others get their turn. */
static int breathe(belay_ctx *ctx)
{
	int r = belay_sleep(ctx, BREATHER);

	if (!passes(r))
		return r;
	belay_yield();
	return belay_err(ctx);
}

static int accept_one(belay_ctx *ctx, belay_listener *listener, belay_conn **ret)
{
	int r = belay_listener_accept(ctx, listener, ret);

	while (passes(r)) {
		r = breathe(ctx);
		if (r == 0)
			r = belay_listener_accept(ctx, listener, ret);
	}
	return r;
}

/* A connection that can't be started is closed: its client may try again. */
static void start(struct belay_server *server, belay_conn *conn)
{
	enter(server);
	if (belay__connection_start(server, conn) == 0)
		return;
	belay_conn_close(conn);
	belay__server_leave(server);
}

/* Takes a slot first, so that at the limit clients wait in the kernel's queue. */
static int accept_all(belay_ctx *ctx, struct belay_server *server, belay_listener *listener)
{
	for (;;) {
		belay_conn *conn;
		int r = belay_send(ctx, server->slots, (const void *)&slot);

		if (r < 0)
			return r;
		r = accept_one(ctx, listener, &conn);
		if (r < 0) {
			give_slot(server);
			return r;
		}
		start(server, conn);
	}
}

static int accept_within(belay_ctx *ctx, int64_t time, belay_listener *listener, belay_conn **ret)
{
	belay_ctx *timed = belay_with_timeout(ctx, time);
	int r = belay_listener_accept(timed, listener, ret);

	belay_end(timed);
	return r;
}

/* As far as there are slots. */
static void accept_rest(struct belay_server *server, belay_listener *listener)
{
	belay_ctx *timed = belay_with_timeout(server->ctx, STOP);
	belay_conn *conn;

	while (belay_try_send(server->slots, (const void *)&slot) == 0) {
		if (accept_within(timed, LULL, listener, &conn) < 0) {
			give_slot(server);
			break;
		}
		start(server, conn);
	}
	belay_end(timed);
}

int belay_server_serve(belay_ctx *ctx, belay_server *server, belay_listener *listener)
{
	belay_ctx *accepting;
	int r;

	if (!add_listener(server)) {
		belay_listener_close(listener);
		return 0;
	}
	accepting = belay_with_merge(ctx, server->stopping);
	r = accept_all(accepting, server, listener);
	belay_end(accepting);
	accept_rest(server, listener);
	belay_listener_close(listener);
	remove_listener(server);
	if (belay_err(ctx) < 0)
		r = belay_err(ctx);
	else if (belay_err(server->stopping) < 0)
		r = 0;
	belay_wg_done(&server->alive);
	return r;
}

/* ---- Stopping -------------------------------------------------------------------------------- */

static void stop(struct belay_server *server)
{
	lock(server);
	server->shut = true;
	unlock(server);
	belay_cancel_cause_at(server->stopping, -ESHUTDOWN, NULL, "server shutting down");
}

static void end_requests(struct belay_server *server)
{
	belay_cancel_cause_at(server->ctx, -ESHUTDOWN, NULL, "server shutting down");
}

int belay_server_shutdown(belay_ctx *ctx, belay_server *server)
{
	int r;

	stop(server);
	r = belay_recv(ctx, server->drained, (void *)NULL);
	if (r == -EPIPE || belay_try_recv(server->drained, (void *)NULL) == -EPIPE)
		return 0;
	end_requests(server);
	return r;
}

void belay_server_free(belay_server *server)
{
	if (!server)
		return;
	end_requests(server);
	(void)!belay_wg_wait(belay_background(), &server->alive);
	belay_end(server->stopping);
	belay_end(server->ctx);
	belay_chan_unref(server->slots);
	belay_chan_unref(server->drained);
	belay__free(server);
}

/* ---- Making ---------------------------------------------------------------------------------- */

#define OR_DEFAULT(field, value) ((field) = (field) != 0 ? (field) : (value))

static void fill_in(struct belay_server_options *o)
{
	OR_DEFAULT(o->header_size, 64 * 1024);
	OR_DEFAULT(o->headers, 100);
	OR_DEFAULT(o->header_time, BELAY_S(10));
	OR_DEFAULT(o->body_size, 8 * 1024 * 1024);
	OR_DEFAULT(o->body_rate, 240);
	OR_DEFAULT(o->body_grace, BELAY_S(20));
	OR_DEFAULT(o->drain_size, 256 * 1024);
	OR_DEFAULT(o->idle_time, BELAY_S(60));
	OR_DEFAULT(o->connections, 10000);
	OR_DEFAULT(o->streams, 100);
}

static bool make_parts(struct belay_server *server, belay_ctx *base)
{
	server->ctx = belay_with_cancel(base);
	server->stopping = belay_with_cancel(server->ctx);
	server->slots = belay_chan_new(0, server->options.connections);
	server->drained = belay_chan_new(0, 0);
	return server->slots && server->drained && belay_err(server->stopping) != -ENOMEM;
}

static bool is_sound(const struct belay_server_options *o)
{
	return o->header_time >= 0 && o->body_grace >= 0 && o->idle_time >= 0;
}

int belay_server_new(belay_ctx *base, const belay_router *router,
		     const struct belay_server_options *options, belay_server **ret)
{
	struct belay_server *server;

	if (!base || !router || (options && !is_sound(options)))
		return -EINVAL;
	server = belay__calloc(1, sizeof *server);
	if (!server)
		return -ENOMEM;
	server->router = router;
	if (options)
		server->options = *options;
	fill_in(&server->options);
	if (!make_parts(server, base)) {
		belay_server_free(server);
		return -ENOMEM;
	}
	*ret = server;
	return 0;
}
