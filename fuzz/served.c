/* SPDX-License-Identifier: MIT
 *
 * served.c - a server to be fuzzed, and connections to it.
 *
 * Silence     A server that waits for the rest of a request can't be told from one that is slow, by
 *             its connection. But here both are one process: where the server has read all that it
 *             was told, and in two looks, between which no task has had a turn, each task was
 *             parked, it has nothing more to say, but for its time-outs. (What the numbers don't
 *             show yet is a few microseconds old, and a look too early only cuts an answer off.)
 */
#include "served.h"

#include "fuzz.h"

#include <belay.h>
#include <linux/sockios.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

/* GLANCE_NS: how often a client that hears nothing looks whether the server is silent. */
enum { GLANCE_NS = 50000 };

static belay_router *routes;
static belay_server *server;
static belay_listener *listener;
static pthread_t thread; /* in belay_server_serve() */
static struct sockaddr_un address;
static socklen_t address_size;
static unsigned dialled;
static atomic_uint begun; /* connections that the server has taken */

/* ---- The server ------------------------------------------------------------------------------ */

static belay_ctx *count_connection(belay_ctx *ctx, const char *remote, void *arg)
{
	atomic_fetch_add(&begun, 1);
	return NULL;
}

static void *serve(void *arg)
{
	belay_server_serve(belay_background(), server, listener);
	return NULL;
}

static void stop(void)
{
	belay_server_shutdown(belay_background(), server);
	pthread_join(thread, NULL);
	belay_server_free(server);
	belay_router_free(routes);
}

void served_start(belay_router *router, const struct belay_server_options *options)
{
	struct belay_server_options mine = *options;
	char name[64];

	routes = router;
	mine.connection = count_connection;
	snprintf(name, sizeof name, "unix:@belay-fuzz-%d", (int)getpid());
	address.sun_family = AF_UNIX;
	strcpy(address.sun_path + 1, name + 6);
	address_size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name) - 5);
	MUST(belay_listen(belay_background(), name, &listener) == 0);
	MUST(belay_server_new(belay_background(), router, &mine, &server) == 0);
	MUST(pthread_create(&thread, NULL, serve, NULL) == 0);
	atexit(stop);
}

/* ---- Silence --------------------------------------------------------------------------------- */

static bool all_is_parked(uint64_t *ret_switches)
{
	struct belay_numbers n;

	belay_stats(&n, sizeof n);
	*ret_switches = n.switches;
	return n.running == 0 && n.ready == 0 && n.blocking_busy == 0;
}

static bool has_read_all(int fd)
{
	int unread;

	return ioctl(fd, SIOCOUTQ, &unread) == 0 && unread == 0;
}

static bool is_silent(int fd)
{
	uint64_t before, after;

	return atomic_load(&begun) == dialled && has_read_all(fd) && all_is_parked(&before) &&
	       sched_yield() == 0 && all_is_parked(&after) && before == after;
}

/* ---- The client ------------------------------------------------------------------------------ */

int served_dial(void)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	MUST(fd >= 0 && connect(fd, (struct sockaddr *)&address, address_size) == 0);
	dialled++;
	return fd;
}

static bool is_readable(int fd, int64_t ns)
{
	struct timespec wait = {0, (long)ns};

	return ppoll(&(struct pollfd){fd, POLLIN, 0}, 1, &wait, NULL) > 0;
}

/* False: the server has fallen silent. */
static bool wait_for_more(int fd, int most_ms, bool patient)
{
	int64_t until = belay_now() + BELAY_MS(most_ms);

	while (!is_readable(fd, GLANCE_NS)) {
		bool silent = !patient && is_silent(fd);

		if (silent || belay_now() >= until)
			return is_readable(fd, 0);
	}
	return true;
}

bool served_hear(int fd, void *buf, size_t room, size_t *size, int most_ms, bool patient)
{
	while (*size < room && wait_for_more(fd, most_ms, patient)) {
		ssize_t n = recv(fd, (char *)buf + *size, room - *size, 0);

		if (n <= 0)
			return true;
		*size += (size_t)n;
	}
	return false;
}

/* It may not even have taken it yet, when it is busy. */
void served_leave(int fd)
{
	close(fd);
	while (atomic_load(&begun) != dialled || belay_server_connections(server) > 0)
		sched_yield();
}
