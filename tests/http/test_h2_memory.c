/* SPDX-License-Identifier: MIT
 *
 * test_h2_memory.c - each allocation of a request over HTTP/2 made to fail in turn: an answer, a
 * reset or the connection's end, and nothing left behind.
 */
#include "check_oom.h"

#include <belay/http.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int echo(belay_ctx *ctx, belay_request *req, belay_response *res)
{
	const char *body;
	size_t size;
	int r = belay_response_header(res, "X-Name", belay_request_param(req, "name"));

	if (r == 0)
		r = belay_request_body(ctx, req, &body, &size);
	if (r == 0)
		r = belay_response_write(ctx, res, body, size);
	if (r == 0)
		r = belay_response_flush(ctx, res); /* so that there is a ring, and a tail */
	return r == 0 ? belay_response_puts(ctx, res, ", again") : r;
}

struct serving {
	belay_server *server;
	belay_listener *listener;
	belay_ctx *stop;
	belay_chan *over;
};

static void serve(belay_ctx *ctx, void *arg)
{
	struct serving *s = arg;

	belay_server_serve(s->stop, s->server, s->listener);
	belay_chan_close(s->over);
}

/* -1: nobody listens there any more. */
static int dial(const char *address)
{
	const struct timeval patience = {.tv_sec = 30};
	struct sockaddr_in to = {.sin_family = AF_INET};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	to.sin_port = htons((uint16_t)atoi(strrchr(address, ':') + 1));
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
	if (connect(fd, (struct sockaddr *)&to, sizeof to) == 0)
		return fd;
	close(fd);
	return -1;
}

/* The preface, SETTINGS, a request with two cookies ("POST /echo/x"), its body, and the client's
 * leave. */
static const char all[] =
	"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
	"\0\0\0\4\0\0\0\0\0"
	"\0\0\x1c\1\4\0\0\0\1" "\x83\x86" "\x04\x07/echo/x" "\x01\x01x"
	"\x00\x06" "cookie\x01" "a" "\x0f\x11\x01" "b"
	"\0\0\5\0\1\0\0\0\1" "hello"
	"\0\0\x08\7\0\0\0\0\0" "\0\0\0\0\0\0\0\0";

/* The server always closes, since the client has taken leave. */
static void ask(const char *address)
{
	char answer[4096];
	int fd = dial(address);
	ssize_t n;

	if (fd >= 0 && send(fd, all, sizeof all - 1, MSG_NOSIGNAL) > 0) {
		do
			n = TEMP_FAILURE_RETRY(recv(fd, answer, sizeof answer, 0));
		while (n > 0);
		check(n == 0 || errno == ECONNRESET);
	}
	close(fd);
}

static void serve_and_ask(struct serving *s)
{
	char address[64];

	snprintf(address, sizeof address, "%s", belay_listener_address(s->listener));
	if (belay_go(belay_background(), serve, s) < 0) {
		belay_listener_close(s->listener);
		return;
	}
	ask(address);
	belay_cancel(s->stop);
	check(belay_recv(belay_background(), s->over, (void *)NULL) == -EPIPE);
}

static void serve_one(void *arg)
{
	belay_router *router = belay_router_new();
	struct serving s = {.stop = belay_with_cancel(belay_background()),
			    .over = belay_chan_new(0, 0)};

	if (router && s.over && belay_err(s.stop) == 0 &&
	    belay_router_add(router, "POST /echo/{name}", echo, NULL) == 0 &&
	    belay_server_new(belay_background(), router, NULL, &s.server) == 0 &&
	    belay_listen(s.stop, "127.0.0.1:0", &s.listener) == 0)
		serve_and_ask(&s);
	belay_server_free(s.server);
	belay_chan_unref(s.over);
	belay_end(s.stop);
	belay_router_free(router);
	belay_shutdown();
}

static void a_request_survives_the_loss_of_any_allocation(void **state)
{
	assert_true(check_each_alone(serve_one, NULL) > 60);
}

BELAY_TEST_MAIN(cmocka_unit_test(a_request_survives_the_loss_of_any_allocation))
