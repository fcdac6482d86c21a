/* SPDX-License-Identifier: MIT
 *
 * test_server_deadline.c - deadlines as a client sees them, over a socket: semantics 4.7 and 4.8;
 * and the middlewares together.
 */
#include "site.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct site site;
static struct belay_http_limit limit;
static char line[1024];
static pthread_mutex_t line_lock = PTHREAD_MUTEX_INITIALIZER;

static void keep(void *arg, enum belay_log_level level, const char *text)
{
	pthread_mutex_lock(&line_lock);
	snprintf(line, sizeof line, "%s", text);
	pthread_mutex_unlock(&line_lock);
}

static bool logged(const char *text)
{
	bool found;

	pthread_mutex_lock(&line_lock);
	found = strstr(line, text) != NULL;
	pthread_mutex_unlock(&line_lock);
	return found;
}

static int set_up(void **state)
{
	line[0] = '\0';
	limit.most = 0;
	belay_log_to(keep, NULL);
	site_init(&site);
	check(belay_router_use(site.router, belay_http_trace, NULL) == 0);
	check(belay_router_use(site.router, belay_http_access_log, NULL) == 0);
	check(belay_router_use(site.router, belay_http_deadline, &limit) == 0);
	return 0;
}

static int tear_down(void **state)
{
	site_stop(&site);
	belay_log_to(NULL, NULL);
	return 0;
}

static void start(belay_handler *handler, void *data)
{
	check(belay_router_add(site.router, "/", handler, data) == 0);
	site_start(&site, belay_background(), NULL);
}

static int wait_for_end(belay_ctx *ctx, belay_request *req, belay_response *res)
{
	return belay_wait(ctx);
}

/* semantics 4.8 */
static void a_caller_s_time_by_the_query_is_its_request_s(void **state)
{
	struct reply reply;

	start(wait_for_end, NULL);
	assert_true(site_ask(&site,
			     "GET /?timeout=20ms HTTP/1.1\r\nHost: x\r\nX-Trace-Id: t1\r\n\r\n",
			     &reply));
	assert_int_equal(reply.status, 503);
	assert_non_null(strstr(reply.body, "context deadline exceeded"));
	assert_non_null(strstr(reply.head, "X-Trace-Id: t1\r\n"));
	assert_true(check_until(logged("[t1] GET / 503 ")));
	assert_true(logged("cause=\"context deadline exceeded\""));
}

/* semantics 4.8 */
static void a_caller_s_time_by_the_header_is_its_request_s(void **state)
{
	struct reply reply;

	start(wait_for_end, NULL);
	site_ask(&site, "GET / HTTP/1.1\r\nHost: x\r\nRequest-Timeout: 20ms\r\n\r\n", &reply);
	assert_int_equal(reply.status, 503);
}

/* semantics 4.8 */
static void a_caller_can_t_have_more_time_than_the_server_gives(void **state)
{
	struct reply reply;

	limit.most = BELAY_MS(20);
	start(wait_for_end, NULL);
	site_ask(&site, "GET / HTTP/1.1\r\nHost: x\r\nRequest-Timeout: 10m\r\n\r\n", &reply);
	assert_int_equal(reply.status, 503);
}

static void a_time_of_nonsense_is_answered_400(void **state)
{
	struct reply reply;

	start(wait_for_end, NULL);
	site_ask(&site, "GET /?timeout=soon HTTP/1.1\r\nHost: x\r\n\r\n", &reply);
	assert_int_equal(reply.status, 400);
	assert_non_null(strstr(reply.body, "timeout"));
}

static int compute_until(belay_ctx *ctx, belay_request *req, belay_response *res)
{
	atomic_bool *go = belay_request_data(req);

	while (!atomic_load(go))
		belay_yield();
	check(belay_response_puts(ctx, res, "late") == -ETIME);
	check(belay_wait(ctx) == -ETIME);
	return 0;
}

/* semantics 4.7 */
static void the_503_is_there_while_the_handler_still_runs(void **state)
{
	atomic_bool go = false;
	struct reply reply;
	int fd;

	check_needs_memory(); /* for the 503, before which the handler does not return */
	limit.most = BELAY_MS(20);
	start(compute_until, &go);
	fd = site_dial(&site);
	raw_send(fd, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
	raw_read_reply(fd, &reply, false);
	assert_int_equal(reply.status, 503);
	assert_true(reply.closes);
	atomic_store(&go, true);
	assert_true(raw_is_closed(fd));
	close(fd);
}

static int stream_past(belay_ctx *ctx, belay_request *req, belay_response *res)
{
	int r = belay_response_puts(ctx, res, "begun");

	if (r == 0)
		r = belay_response_flush(ctx, res);
	belay_wait(ctx);
	return r < 0 ? r : belay_response_puts(ctx, res, "late");
}

/* semantics 4.7 */
static void a_stream_that_passes_its_deadline_is_cut_off(void **state)
{
	char *text;
	int fd;

	limit.most = BELAY_MS(500); /* by then it has surely begun */
	start(stream_past, NULL);
	fd = site_dial(&site);
	raw_send(fd, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
	raw_expect(fd, "HTTP/1.1 200 ");
	text = raw_read_all(fd);
	assert_non_null(strstr(text, "\r\n\r\n"));
	assert_string_equal(strstr(text, "\r\n\r\n"), "\r\n\r\n5\r\nbegun\r\n");
	free(text);
	close(fd);
	assert_true(check_until(logged("GET / 200 ")));
	assert_true(logged("cause=\"context deadline exceeded\""));
}

static int read_slowly(belay_ctx *ctx, belay_request *req, belay_response *res)
{
	char buf[100];
	ssize_t n = 1;

	while (n > 0)
		n = belay_request_read(ctx, req, buf, sizeof buf);
	check(n == -ETIME);
	return (int)n;
}

/* semantics 4.7 */
static void a_body_that_does_not_come_in_time_is_answered_503(void **state)
{
	struct reply reply;

	limit.most = BELAY_MS(20);
	start(read_slowly, NULL);
	assert_true(site_ask(&site, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n01234",
			     &reply));
	assert_int_equal(reply.status, 503);
}

/* The handler asks for the body at the very moment of its deadline: "100 Continue" comes whole and
 * ahead of the answer, or not at all. */
static int read_at_deadline(belay_ctx *ctx, belay_request *req, belay_response *res)
{
	int64_t when;
	char buf[10];

	if (!check(belay_deadline(ctx, &when)))
		return -EINVAL;
	while (belay_now() < when - BELAY_US(20))
		;
	return (int)belay_request_read(ctx, req, buf, sizeof buf);
}

/* semantics 4.7 */
static void a_deadline_does_not_garble_the_answer_of_a_client_that_waits(void **state)
{
	limit.most = BELAY_US(300);
	start(read_at_deadline, NULL);
	for (int i = 0; i < 200; i++) {
		struct reply reply;
		int fd = site_dial(&site);

		raw_send(fd, "POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n"
			     "Content-Length: 5\r\n\r\n");
		raw_read_reply(fd, &reply, false);
		if (reply.status == 100)
			raw_read_reply(fd, &reply, false);
		assert_int_equal(reply.status, 503);
		assert_true(reply.closes);
		assert_true(raw_is_closed(fd));
		close(fd);
	}
}

static int echo_in_time(belay_ctx *ctx, belay_request *req, belay_response *res)
{
	const char *body;
	size_t size;
	int r = belay_request_body(ctx, req, &body, &size);

	return r < 0 ? r : belay_response_write(ctx, res, body, size);
}

static void requests_in_time_share_a_connection(void **state)
{
	struct reply reply;
	int fd;

	limit.most = BELAY_S(30);
	start(echo_in_time, NULL);
	fd = site_dial(&site);
	for (int i = 0; i < 10; i++) {
		raw_send(fd, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello");
		raw_read_reply(fd, &reply, false);
		assert_int_equal(reply.status, 200);
		assert_string_equal(reply.body, "hello");
	}
	close(fd);
}

static int note_start(belay_ctx *ctx, belay_request *req, belay_response *res)
{
	check((belay_send)(belay_background(), belay_request_data(req), "") == 0);
	return belay_wait(ctx);
}

/* semantics 4.3 */
static void a_client_that_goes_away_is_logged_with_the_cause(void **state)
{
	belay_chan *started = check_made(belay_chan_new(0, 1));
	int fd;

	check_needs_memory(); /* for the peer to be asked at all */
	limit.most = BELAY_S(30);
	start(note_start, started);
	fd = site_dial(&site);
	raw_send(fd, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
	assert_int_equal((belay_recv)(belay_background(), started, NULL), 0);
	close(fd);
	assert_true(check_until(logged("GET / 499 ")));
	assert_true(logged("cause=\"client disconnected\""));
	belay_chan_unref(started);
}

/* semantics 4.6 */
static void a_shutdown_is_logged_and_answered_with_the_cause(void **state)
{
	BELAY_SCOPED belay_ctx *now = check_live(belay_with_cancel(belay_background()));
	belay_chan *started = check_made(belay_chan_new(0, 1));
	struct reply reply;
	int fd;

	check_needs_memory(); /* for the peer to be asked at all */
	limit.most = BELAY_S(30);
	start(note_start, started);
	fd = site_dial(&site);
	raw_send(fd, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
	assert_int_equal((belay_recv)(belay_background(), started, NULL), 0);
	belay_cancel(now);
	assert_int_equal(belay_server_shutdown(now, site.server), -ECANCELED);
	raw_read_reply(fd, &reply, false);
	assert_int_equal(reply.status, 503);
	assert_non_null(strstr(reply.body, "server shutting down"));
	assert_true(check_until(logged("GET / 503 ")));
	assert_true(logged("cause=\"server shutting down\""));
	close(fd);
	belay_chan_unref(started);
}

#define SITE_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

BELAY_TEST_MAIN(SITE_TEST(a_caller_s_time_by_the_query_is_its_request_s),
		SITE_TEST(a_caller_s_time_by_the_header_is_its_request_s),
		SITE_TEST(a_caller_can_t_have_more_time_than_the_server_gives),
		SITE_TEST(a_time_of_nonsense_is_answered_400),
		SITE_TEST(the_503_is_there_while_the_handler_still_runs),
		SITE_TEST(a_stream_that_passes_its_deadline_is_cut_off),
		SITE_TEST(a_body_that_does_not_come_in_time_is_answered_503),
		SITE_TEST(a_deadline_does_not_garble_the_answer_of_a_client_that_waits),
		SITE_TEST(requests_in_time_share_a_connection),
		SITE_TEST(a_client_that_goes_away_is_logged_with_the_cause),
		SITE_TEST(a_shutdown_is_logged_and_answered_with_the_cause))
