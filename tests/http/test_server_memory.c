/* SPDX-License-Identifier: MIT
 *
 * test_server_memory.c - each allocation of a request made to fail in turn: an answer or none, and
 * nothing left behind.
 */
#include "check_oom.h"

#include <belay/http.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdatomic.h>
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
	return r == 0 ? belay_response_write(ctx, res, body, size) : r;
}

/* A router with all that the library has; NULL: no memory. */
static belay_router *make_router(struct belay_http_limit *limit)
{
	belay_router *router = belay_router_new();

	if (router && (belay_router_use(router, belay_http_trace, NULL) < 0 ||
		       belay_router_use(router, belay_http_access_log, NULL) < 0 ||
		       belay_router_use(router, belay_http_deadline, limit) < 0 ||
		       belay_router_add(router, "POST /echo/{name}", echo, NULL) < 0)) {
		belay_router_free(router);
		return NULL;
	}
	return router;
}

static void drop(void *arg, enum belay_log_level level, const char *line)
{
}

/* ---- Without a socket ------------------------------------------------------------------------ */

static bool is_fine(int status)
{
	return status == 0 || status == 200 || status == 500 || status == 503;
}

static void record_one(void *arg)
{
	struct belay_http_limit limit = {.most = BELAY_S(30)};
	belay_router *router = make_router(&limit);
	belay_recorder *rec = belay_recorder_new("POST", "/echo/x?y=z");

	if (router && rec && belay_recorder_body(rec, "hello", 5) == 0) {
		int r = belay_recorder_serve(belay_background(), rec, router);

		check(is_fine(belay_recorder_status(rec)));
		if (r == 0 && belay_recorder_status(rec) == 200)
			check(strcmp(belay_recorder_get_body(rec, NULL), "hello") == 0);
	}
	belay_recorder_free(rec);
	belay_router_free(router);
	belay_shutdown();
}

static void a_recorded_request_survives_the_loss_of_any_allocation(void **state)
{
	belay_log_to(drop, NULL);
	assert_true(check_each_allocation(record_one, NULL) > 30);
	belay_log_to(NULL, NULL);
}

static int rely_on_context(belay_ctx *ctx, belay_request *req, belay_response *res)
{
	check(belay_err(ctx) == 0);
	check(belay_trace_id(ctx) && strcmp(belay_trace_id(ctx), "abc") == 0);
	return belay_response_puts(ctx, res, "relied");
}

static void record_reliance(void *arg)
{
	belay_router *router = belay_router_new();
	belay_recorder *rec = belay_recorder_new("GET", "/");

	if (router && rec && belay_router_use(router, belay_http_trace, NULL) == 0 &&
	    belay_router_add(router, "GET /", rely_on_context, NULL) == 0 &&
	    belay_recorder_header(rec, "X-Trace-Id", "abc") == 0) {
		belay_recorder_serve(belay_background(), rec, router);
		check(is_fine(belay_recorder_status(rec)));
	}
	belay_recorder_free(rec);
	belay_router_free(router);
}

static void no_handler_is_asked_without_memory_for_its_context(void **state)
{
	assert_true(check_each_allocation(record_reliance, NULL) > 10);
}

/* ---- With one -------------------------------------------------------------------------------- */

struct serving {
	belay_server *server;
	belay_listener *listener;
	belay_ctx *stop;
	belay_chan *over, *other;
	char address[64];
	atomic_bool other_ran;
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

/* What came, whatever it is, begins like an answer that is allowed; or nothing came. */
static void ask(const char *address)
{
	static const char text[] = "POST /echo/x HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n"
				   "Connection: close\r\n\r\nhello";
	char answer[4096];
	size_t size = 0;
	int fd = dial(address);
	ssize_t n;

	if (fd < 0 || send(fd, text, sizeof text - 1, MSG_NOSIGNAL) < 0) {
		close(fd);
		return;
	}
	while ((n = TEMP_FAILURE_RETRY(recv(fd, answer + size, sizeof answer - 1 - size, 0))) > 0)
		size += (size_t)n;
	check(n == 0 || errno == ECONNRESET);
	answer[size] = '\0';
	check(size == 0 || (strncmp(answer, "HTTP/1.1 ", 9) == 0 && is_fine(atoi(answer + 9))));
	if (strncmp(answer, "HTTP/1.1 200", 12) == 0)
		check(strcmp(answer + size - 5, "hello") == 0);
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
	struct belay_http_limit limit = {.most = BELAY_S(30)};
	belay_router *router = make_router(&limit);
	struct serving s = {.stop = belay_with_cancel(belay_background()),
			    .over = belay_chan_new(0, 0)};

	if (router && s.over && belay_err(s.stop) == 0 &&
	    belay_server_new(belay_background(), router, NULL, &s.server) == 0 &&
	    belay_listen(s.stop, "127.0.0.1:0", &s.listener) == 0)
		serve_and_ask(&s);
	belay_server_free(s.server);
	belay_chan_unref(s.over);
	belay_end(s.stop);
	belay_router_free(router);
	belay_shutdown();
}

static void a_served_request_survives_the_loss_of_any_allocation(void **state)
{
	belay_log_to(drop, NULL);
	assert_true(check_each_alone(serve_one, NULL) > 60);
	belay_log_to(NULL, NULL);
}

/* ---- Asleep ---------------------------------------------------------------------------------- */

static bool sleeps(struct serving *s)
{
	struct belay_numbers numbers;

	belay_stats(&numbers, sizeof numbers);
	return belay_server_connections(s->server) == 1 && numbers.tasks == 1;
}

/* Something has come, if only the end. */
static bool is_answered(int fd)
{
	char byte;

	return recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) >= 0 || errno != EAGAIN;
}

/* Its first half puts it to sleep again, the second wakes it. Answered, or closed. */
static void ask_in_halves(void *arg)
{
	static const char first[] = "GET /none HTTP/1.1\r\n", second[] = "Host: x\r\n\r\n";
	struct serving *s = arg;
	char answer[4096] = "";
	int fd = dial(s->address);
	ssize_t n = -1;

	check(check_until(sleeps(s) || is_answered(fd)));
	if (send(fd, first, sizeof first - 1, MSG_NOSIGNAL) > 0 &&
	    check(check_until(sleeps(s) || is_answered(fd))) &&
	    send(fd, second, sizeof second - 1, MSG_NOSIGNAL) > 0)
		n = TEMP_FAILURE_RETRY(recv(fd, answer, sizeof answer - 1, 0));
	check(n <= 0 || strncmp(answer, "HTTP/1.1 404", 12) == 0 ||
	      strncmp(answer, "HTTP/1.1 503", 12) == 0 || strncmp(answer, "HTTP/1.1 500", 12) == 0);
	close(fd);
	check(check_until(belay_server_connections(s->server) == 0));
}

static void one_that_sleeps_survives_the_loss_of_any_allocation(void **state)
{
	struct belay_http_limit limit = {.most = BELAY_S(30)};
	belay_router *router = make_router(&limit);
	struct serving s = {.stop = belay_with_cancel(belay_background()),
			    .over = belay_chan_new(0, 0)};

	check_needs_memory_again();
	belay_log_to(drop, NULL);
	assert_int_equal(belay_server_new(belay_background(), router, NULL, &s.server), 0);
	assert_int_equal(belay_listen(s.stop, "127.0.0.1:0", &s.listener), 0);
	snprintf(s.address, sizeof s.address, "%s", belay_listener_address(s.listener));
	assert_int_equal(belay_go(belay_background(), serve, &s), 0);
	ask_in_halves(&s);
	assert_true(check_each_alone(ask_in_halves, &s) > 10);
	belay_cancel(s.stop);
	assert_int_equal(belay_recv(belay_background(), s.over, (void *)NULL), -EPIPE);
	belay_server_free(s.server);
	belay_chan_unref(s.over);
	belay_end(s.stop);
	belay_router_free(router);
	belay_log_to(NULL, NULL);
}

/* ---- None at all ----------------------------------------------------------------------------- */

/* Whether it was answered. */
static bool is_served(const char *address)
{
	static const char text[] = "POST /echo/x HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n"
				   "Connection: close\r\n\r\nhello";
	char first[12];
	int fd = dial(address);
	bool served = send(fd, text, sizeof text - 1, MSG_NOSIGNAL) > 0 &&
		      recv(fd, first, sizeof first, MSG_WAITALL) == sizeof first &&
		      memcmp(first, "HTTP/1.1 200", 12) == 0;

	close(fd);
	return served;
}

static void wait_for_close(belay_ctx *ctx, void *arg)
{
	struct serving *s = arg;

	check(belay_recv(ctx, s->other, (void *)NULL) == -EPIPE);
	atomic_store(&s->other_ran, true);
}

/* Not even the clock can be started then, which it would wait by: others run on its worker all the
 * same. */
static void a_server_outlives_a_time_without_memory(void **state)
{
	struct belay_http_limit limit = {.most = BELAY_S(30)};
	belay_router *router = make_router(&limit);
	struct serving s = {.stop = belay_with_cancel(belay_background()),
			    .over = belay_chan_new(0, 0), .other = belay_chan_new(0, 0)};
	size_t before;
	char address[64];
	int waiting;

	setenv("BELAY_WORKERS", "1", 1);
	belay_log_to(drop, NULL);
	assert_int_equal(belay_go(belay_background(), wait_for_close, &s), 0);
	assert_int_equal(belay_server_new(belay_background(), router, NULL, &s.server), 0);
	assert_int_equal(belay_listen(s.stop, "127.0.0.1:0", &s.listener), 0);
	snprintf(address, sizeof address, "%s", belay_listener_address(s.listener));
	before = belay_tree_count();
	assert_int_equal(belay_go(belay_background(), serve, &s), 0);
	assert_true(check_until(belay_tree_count() > before)); /* the one that it accepts under */
	belay__fail_from_nth(1);
	waiting = dial(address);
	assert_true(check_until(belay__fail_count() > 10));
	belay_chan_close(s.other);
	assert_true(check_until(atomic_load(&s.other_ran)));
	belay__fail_nth(0);
	assert_true(check_until(is_served(address)));
	close(waiting);
	belay_cancel(s.stop);
	assert_int_equal(belay_recv(belay_background(), s.over, (void *)NULL), -EPIPE);
	belay_server_free(s.server);
	belay_chan_unref(s.over);
	belay_chan_unref(s.other);
	belay_end(s.stop);
	belay_router_free(router);
	belay_log_to(NULL, NULL);
	unsetenv("BELAY_WORKERS");
}

BELAY_TEST_MAIN(cmocka_unit_test(a_server_outlives_a_time_without_memory),
		cmocka_unit_test(a_recorded_request_survives_the_loss_of_any_allocation),
		cmocka_unit_test(no_handler_is_asked_without_memory_for_its_context),
		cmocka_unit_test(a_served_request_survives_the_loss_of_any_allocation),
		cmocka_unit_test(one_that_sleeps_survives_the_loss_of_any_allocation))
