/* SPDX-License-Identifier: MIT
 *
 * restart.c - an HTTP server that is replaced by a new process of itself on SIGHUP, while it is
 * being used: nobody is refused.
 *
 *     ./restart [ADDRESS]
 *
 * The listening socket is the same one all the time: whoever starts this program hands it over,
 * systemd (a socket unit) or the process before it. The old one accepts connections until the new
 * one has said that it does; where it never says so, it is ended, and the old one stays.
 */
#include <belay.h>
#include <belay/http.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct restart {
	char **argv;
	belay_ctx *stop; /* ended by SIGTERM and SIGINT */
	belay_ctx *next; /* and this one by the next SIGHUP, too */
	belay_server *server;
	belay_listener *listener; /* the server's, once it serves */
	int fd;                   /* its socket once more, to be handed over; -1: none */
};

static int say_who(belay_ctx *ctx, belay_request *req, belay_response *res)
{
	return belay_response_printf(ctx, res, "%d\n", (int)getpid());
}

/* ---- The new process ------------------------------------------------------------------------- */

static void tell_predecessor(belay_ctx *ctx)
{
	int fd = belay_inherited_fd("ready");

	if (fd < 0)
		return;
	belay_write(ctx, fd, "!", 1);
	close(fd);
}

/* ---- The old one ----------------------------------------------------------------------------- */

/* Blocks until it has said that it is ready. */
static int await_ready(belay_ctx *ctx, int fd)
{
	BELAY_SCOPED belay_ctx *timed = belay_with_timeout(ctx, BELAY_S(30));
	char word;
	ssize_t n = belay_read(timed, fd, &word, 1);

	return n < 0 ? (int)n : n == 0 ? -ECHILD : 0;
}

static int start(struct restart *restart, int ready, belay_process **ret)
{
	const int fds[] = {restart->fd, ready};
	const char *const names[] = {"http", "ready"};
	struct belay_command command = {
		.argv = (const char *const *)restart->argv,
		.program = "/proc/self/exe",
		.in = belay_stdio_inherit(),
		.out = belay_stdio_inherit(),
		.err = belay_stdio_inherit(),
		.fds = fds,
		.fd_names = names,
		.fd_count = 2,
	};

	return belay_process_start(restart->stop, &command, ret);
}

/* One that is not ready is ended. */
static int start_and_wait(struct restart *restart, const int ready[2])
{
	belay_process *process;
	int r = start(restart, ready[1], &process);

	close(ready[1]);
	if (r < 0)
		return r;
	r = await_ready(restart->stop, ready[0]);
	if (r == 0)
		belay_process_detach(process);
	else
		belay_process_end(process);
	return r;
}

static int replace(struct restart *restart)
{
	int ready[2], r;

	if (pipe2(ready, O_CLOEXEC) < 0)
		return -errno;
	r = start_and_wait(restart, ready);
	close(ready[0]);
	return r;
}

/* A context that could not be made to wait for a signal has ended, too: 0, or why. */
static int failure_of(belay_ctx *ctx)
{
	belay_cause cause;

	return belay_cause_of(ctx, &cause) < 0 || cause.code == -EINTR ? 0 : cause.code;
}

/* Waits for a SIGHUP, and answers it. 0: this process is to stop, or why it stays. */
static int await_hangup(struct restart *restart)
{
	int r;

	belay_wait(restart->next);
	if (belay_err(restart->stop) < 0)
		return 0;
	r = failure_of(restart->next);
	belay_end(restart->next);
	restart->next = belay_with_signal(restart->stop, SIGHUP, 0);
	return r < 0 ? r : replace(restart);
}

/* Returns when this process is to stop. */
static void replace_on_hangup(struct restart *restart)
{
	int r;

	while ((r = await_hangup(restart)) < 0) {
		fprintf(stderr, "%d stays: %s\n", (int)getpid(), belay_strerror(r));
		belay_sleep(restart->stop, BELAY_MS(100));
	}
}

/* ---- Both ------------------------------------------------------------------------------------ */

static int serve(belay_ctx *ctx, void *arg)
{
	struct restart *restart = arg;

	return belay_server_serve(ctx, restart->server, restart->listener);
}

static void finish(belay_server *server)
{
	BELAY_SCOPED belay_ctx *grace = belay_with_timeout(belay_background(), BELAY_S(10));

	belay_server_shutdown(grace, server);
}

static int run(struct restart *restart)
{
	belay_group *group = belay_group_new(belay_background());
	int r = group ? belay_group_go(group, serve, restart) : -ENOMEM;

	if (r == 0) {
		printf("%d %s\n", (int)getpid(), belay_listener_address(restart->listener));
		fflush(stdout);
		tell_predecessor(restart->stop);
		replace_on_hangup(restart);
		belay_cancel(belay_group_ctx(group));
	} else {
		belay_listener_close(restart->listener);
	}
	if (group)
		belay_group_wait(group);
	close(restart->fd); /* or clients would still get through to a socket that nobody serves */
	restart->fd = -1;
	finish(restart->server);
	return r;
}

static int with_server(struct restart *restart)
{
	belay_router *router = belay_router_new();
	int r = router ? belay_router_add(router, "GET /", say_who, NULL) : -ENOMEM;

	if (r == 0)
		r = belay_server_new(belay_background(), router, NULL, &restart->server);
	if (r == 0)
		r = run(restart);
	else
		belay_listener_close(restart->listener);
	belay_server_free(restart->server);
	belay_router_free(router);
	return r;
}

/* A Unix socket's file is the successor's, too. */
static int open_listener(struct restart *restart, const char *address)
{
	int r = belay_listen_inherited("http", &restart->listener);

	if (r == -ENOENT)
		r = belay_listen(restart->stop, address, &restart->listener);
	if (r < 0)
		return r;
	belay_listener_keep_file(restart->listener);
	restart->fd = fcntl(belay_listener_fd(restart->listener), F_DUPFD_CLOEXEC, 3);
	if (restart->fd >= 0)
		return 0;
	r = -errno;
	belay_listener_close(restart->listener);
	return r;
}

int main(int argc, char **argv)
{
	const char *address = argc > 1 ? argv[1] : "127.0.0.1:8080";
	struct restart restart = {.argv = argv, .fd = -1};
	int r;

	signal(SIGHUP, SIG_IGN); /* what it does while no context waits for it */
	restart.stop = belay_with_signal(belay_background(), SIGINT, SIGTERM, 0);
	restart.next = belay_with_signal(restart.stop, SIGHUP, 0);
	r = failure_of(restart.stop);
	if (r == 0)
		r = open_listener(&restart, address);
	if (r == 0)
		r = with_server(&restart);
	if (restart.fd >= 0)
		close(restart.fd);
	if (r < 0)
		fprintf(stderr, "%s: %s\n", address, belay_strerror(r));
	belay_end(restart.next);
	belay_end(restart.stop);
	belay_shutdown();
	return r < 0;
}
