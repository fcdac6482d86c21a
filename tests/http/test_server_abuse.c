/* SPDX-License-Identifier: MIT
 *
 * test_server_abuse.c - clients that mean no good: they hold on to what they get, send and read as
 * slowly as they can, send without an end, or try to speak with the server's voice.
 */
#include "scale.h"
#include "site.h"

#include <belay/http_middleware.h>
#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { HALF_OPEN = 10000, SPARE_DESCRIPTORS = 200 };

#define CHUNKED "POST /read HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"

static struct site site;

static int answer(belay_ctx *ctx, belay_request *req, belay_response *res)
{
	return belay_response_puts(ctx, res, "fine");
}

static int read_body(belay_ctx *ctx, belay_request *req, belay_response *res)
{
	const char *body;
	int r = belay_request_body(ctx, req, &body, NULL);

	return r < 0 ? r : belay_response_puts(ctx, res, "read");
}

/* Sets a header to what the client has sent, and tells how that went. */
static int repeat(belay_ctx *ctx, belay_request *req, belay_response *res)
{
	int r = belay_response_header(res, "X-Said", belay_request_query(req, "say"));

	return belay_response_printf(ctx, res, "%d", r);
}

static int set_up(void **state)
{
	site_init(&site);
	check(belay_router_add(site.router, "GET /", answer, NULL) == 0);
	check(belay_router_add(site.router, "POST /ignore", answer, NULL) == 0);
	check(belay_router_add(site.router, "POST /read", read_body, NULL) == 0);
	check(belay_router_add(site.router, "GET /repeat", repeat, NULL) == 0);
	return 0;
}

static int tear_down(void **state)
{
	site_stop(&site);
	return 0;
}

static void start(struct belay_server_options options)
{
	site_start(&site, belay_background(), &options);
}

static void is_answered(void)
{
	struct reply reply;

	site_ask(&site, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", &reply);
	assert_int_equal(reply.status, 200);
}

/* ---- Those who hold on ----------------------------------------------------------------------- */

/* As many descriptors as this process may have at all; how many connections that makes, with both
 * ends here. */
static size_t raise_limit(struct rlimit *before)
{
	struct rlimit most;
	size_t room;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, before), 0);
	most = *before;
	most.rlim_cur = most.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &most), 0);
	room = most.rlim_max > SPARE_DESCRIPTORS ? (most.rlim_max - SPARE_DESCRIPTORS) / 2 : 0;
	return room < scaled(HALF_OPEN) ? room : scaled(HALF_OPEN);
}

static void half_open_connections_leave_room_for_normal_requests(void **state)
{
	struct rlimit before;
	size_t count = raise_limit(&before);
	int *fds = malloc((count + 1) * sizeof *fds);

	check_needs_memory(); /* for thousands of them, again and again */
	assert_non_null(fds);
	start((struct belay_server_options){.connections = (unsigned)count + 10,
					    .header_time = BELAY_S(600)});
	for (size_t i = 0; i < count; i++) {
		fds[i] = site_dial(&site);
		assert_true(raw_send(fds[i], "GET / HTTP/1.1\r\nHost: x\r\nX-Half: "));
		if (i % 1000 == 0)
			is_answered();
	}
	assert_true(check_until(belay_server_connections(site.server) >= count));
	for (int i = 0; i < 20; i++)
		is_answered();
	assert_true(belay_server_connections(site.server) >= count);
	for (size_t i = 0; i < count; i++)
		close(fds[i]);
	assert_true(check_until(belay_server_connections(site.server) == 0));
	free(fds);
	setrlimit(RLIMIT_NOFILE, &before);
}

/* Each of them is told so, and its place is free again. */
static void half_open_connections_are_cut_and_others_get_their_places(void **state)
{
	struct reply reply;
	int fds[8];

	start((struct belay_server_options){.connections = 8, .header_time = BELAY_MS(50)});
	for (int i = 0; i < 8; i++) {
		fds[i] = site_dial(&site);
		raw_send(fds[i], "GET / HTTP/1.1\r\n");
	}
	is_answered();
	for (int i = 0; i < 8; i++) {
		raw_read_reply(fds[i], &reply, false);
		assert_int_equal(reply.status, 408);
		assert_true(raw_is_closed(fds[i]));
		close(fds[i]);
	}
}

/* ---- Those who are slow ---------------------------------------------------------------------- */

/* Sends bytes one by one, a millisecond apart, until something comes back. */
static void trickle(int fd, char byte)
{
	struct pollfd back = {.fd = fd, .events = POLLIN};
	int sent = 0;

	while (poll(&back, 1, 1) == 0 && sent++ < 30000)
		if (send(fd, &byte, 1, MSG_NOSIGNAL) < 0)
			break;
	assert_true(sent < 30000);
}

static void is_refused_while_it_trickles(const char *beginning, char byte, int status)
{
	int fd = site_dial(&site);
	struct reply reply;

	raw_send(fd, beginning);
	trickle(fd, byte);
	raw_read_reply(fd, &reply, false);
	assert_int_equal(reply.status, status);
	assert_true(raw_is_closed(fd));
	close(fd);
}

/* The time is the head's, however many pieces it comes in. */
static void a_head_that_trickles_in_is_answered_408(void **state)
{
	start((struct belay_server_options){.header_time = BELAY_MS(100)});
	is_refused_while_it_trickles("GET / HTTP/1.1\r\nX: ", 'x', 408);
}

/* No byte comes too late for the server's patience: it is the handler's deadline that ends it. */
static void a_body_that_trickles_in_ends_with_the_handler_s_deadline(void **state)
{
	struct belay_http_limit limit = {.most = BELAY_MS(100)};

	check_needs_memory(); /* for the deadline to be there */
	check(belay_router_use(site.router, belay_http_deadline, &limit) == 0);
	start((struct belay_server_options){0});
	is_refused_while_it_trickles("POST /read HTTP/1.1\r\nHost: x\r\n"
				     "Content-Length: 100000\r\n\r\n", 'x', 503);
}

/* The answer has gone out; what nobody wants has so much time in all. */
static void an_unread_body_that_trickles_in_closes_the_connection(void **state)
{
	struct reply reply;
	int fd;

	start((struct belay_server_options){.idle_time = BELAY_MS(100)});
	fd = site_dial(&site);
	raw_send(fd, "POST /ignore HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n");
	raw_read_reply(fd, &reply, false);
	assert_int_equal(reply.status, 200);
	trickle(fd, 'x');
	assert_true(raw_is_closed(fd));
	close(fd);
}

static int write_without_end(belay_ctx *ctx, belay_request *req, belay_response *res)
{
	static const char block[1 << 20];
	atomic_int *result = belay_request_data(req);
	int r = 0;

	while (r == 0)
		r = belay_response_write(ctx, res, block, sizeof block);
	atomic_store(result, r);
	return r;
}

/* It takes a byte now and then: less than a write within the server's patience. */
static void a_client_that_reads_byte_by_byte_is_given_up(void **state)
{
	struct pollfd none = {.fd = -1};
	atomic_int result = 0;
	char byte[2];
	int fd;

	check_needs_memory(); /* for the handler to be asked at all */
	check(belay_router_add(site.router, "GET /endless", write_without_end, &result) == 0);
	start((struct belay_server_options){.idle_time = BELAY_MS(100)});
	fd = site_dial(&site);
	raw_send(fd, "GET /endless HTTP/1.1\r\nHost: x\r\n\r\n");
	while (atomic_load(&result) == 0) {
		raw_read_some(fd, byte, sizeof byte);
		poll(&none, 1, 1);
	}
	assert_int_equal(atomic_load(&result), -ETIMEDOUT);
	close(fd);
}

/* ---- Those who send too much ----------------------------------------------------------------- */

/* Sends text again and again until the server has had enough; the status that it says so with. */
static int status_of_flood(const char *beginning, const char *text)
{
	int fd = site_dial(&site);
	struct pollfd back = {.fd = fd, .events = POLLIN};
	struct reply reply;
	size_t sent = 0;

	raw_send(fd, beginning);
	while (sent < 16 << 20 && poll(&back, 1, 0) == 0 && raw_send(fd, text))
		sent += strlen(text);
	assert_true(sent < 16 << 20);
	raw_read_reply(fd, &reply, false);
	close(fd);
	return reply.status;
}

/* Without the limits each of these would be taken in for as long as the client likes. */
static void what_has_no_end_is_refused(void **state)
{
	char some[4097];

	memset(some, 'x', sizeof some - 1);
	some[sizeof some - 1] = '\0';
	start((struct belay_server_options){0});
	assert_int_equal(status_of_flood("GET /", some), 431);
	assert_int_equal(status_of_flood("GET / HTTP/1.1\r\nX: ", some), 431);
	assert_int_equal(status_of_flood("GET / HTTP/1.1\r\nHost: x\r\n", "a:\r\n"), 431);
	assert_int_equal(status_of_flood(CHUNKED "1;", some), 400);
	assert_int_equal(status_of_flood(CHUNKED "0\r\n", "a: b\r\n"), 400);
}

static void a_head_full_of_headers_is_answered_431(void **state)
{
	char text[65536] = "GET / HTTP/1.1\r\nHost: x\r\n";
	size_t size = strlen(text);
	struct reply reply;

	for (; size < 60000; size += 4)
		memcpy(text + size, "a:\r\n", 5);
	memcpy(text + size, "\r\n", 3);
	start((struct belay_server_options){0});
	assert_true(site_ask(&site, text, &reply));
	assert_int_equal(reply.status, 431);
}

/* What the metrics say of requests that were refused with 400. */
static long refused(void)
{
	belay_metrics *metrics = check_made(belay_metrics_new());
	char *text = NULL, *line;
	size_t size;
	FILE *out = open_memstream(&text, &size);
	long n;

	check(belay_metrics_text(metrics, out) == 0 && fclose(out) == 0);
	line = strstr(text, "\nbelay_http_requests_refused_total{code=\"400\"} ");
	n = line ? strtol(strchr(line, ' '), NULL, 10) : -1;
	free(text);
	belay_metrics_free(metrics);
	return n;
}

static void a_query_full_of_parameters_is_answered_400_and_counted(void **state)
{
	char text[8192] = "GET /?a";
	long before = refused();
	struct reply reply;

	assert_true(before >= 0);
	for (size_t i = 0; i < 1000; i++)
		strcat(text, "&b");
	strcat(text, " HTTP/1.1\r\nHost: x\r\n\r\n");
	start((struct belay_server_options){0});
	assert_true(site_ask(&site, text, &reply));
	assert_int_equal(reply.status, 400);
	assert_int_equal(refused(), before + 1);
}

/* ---- Those who speak with the server's voice ------------------------------------------------- */

static void what_a_client_has_sent_adds_no_header_and_no_answer(void **state)
{
	static const char *const evil[] = {
		"a%0d%0aX-Evil:1", "a%0aX-Evil:1", "a%0dX-Evil:1", "a%0d%0a%20X-Evil:1",
		"%0d%0a%0d%0aHTTP/1.1%20200%20OK", "%7f", "%01",
	};
	char text[256], value[8];
	struct reply reply;

	start((struct belay_server_options){0});
	for (size_t i = 0; i < sizeof evil / sizeof *evil; i++) {
		snprintf(text, sizeof text, "GET /repeat?say=%s HTTP/1.1\r\nHost: x\r\n"
					    "Connection: close\r\n\r\n", evil[i]);
		assert_true(site_ask(&site, text, &reply));
		assert_int_equal(atoi(reply.body), -EINVAL);
		assert_false(reply_header(&reply, "X-Said", value, sizeof value));
		assert_false(reply_header(&reply, "X-Evil", value, sizeof value));
	}
}

#define SITE_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

BELAY_TEST_MAIN(SITE_TEST(half_open_connections_leave_room_for_normal_requests),
		SITE_TEST(half_open_connections_are_cut_and_others_get_their_places),
		SITE_TEST(a_head_that_trickles_in_is_answered_408),
		SITE_TEST(a_body_that_trickles_in_ends_with_the_handler_s_deadline),
		SITE_TEST(an_unread_body_that_trickles_in_closes_the_connection),
		SITE_TEST(a_client_that_reads_byte_by_byte_is_given_up),
		SITE_TEST(what_has_no_end_is_refused),
		SITE_TEST(a_head_full_of_headers_is_answered_431),
		SITE_TEST(a_query_full_of_parameters_is_answered_400_and_counted),
		SITE_TEST(what_a_client_has_sent_adds_no_header_and_no_answer))
