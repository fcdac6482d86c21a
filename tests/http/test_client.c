/* SPDX-License-Identifier: MIT
 *
 * test_client.c - requests, replies and connections of the HTTP client.
 */
#include "client_peer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* Answers each request with what was asked for, for as long as the client keeps the connection. */
static void echo(struct peer *peer, int fd)
{
	struct peer_request *request = malloc(sizeof *request);

	while (peer_read(peer, fd, request)) {
		char head[512], type[128] = "none";

		peer_header(request, "Content-Type", type, sizeof type);
		snprintf(head, sizeof head,
			 "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\nX-Method: %s\r\n"
			 "X-Path: %s\r\nX-Type: %s\r\n\r\n",
			 request->body_size, request->method, request->path, type);
		peer_send(fd, head);
		peer_send_bytes(fd, request->body, request->body_size);
	}
	free(request);
}

/* Answers each request with the text that the test gave. */
static void say(struct peer *peer, int fd)
{
	struct peer_request *request = malloc(sizeof *request);

	while (peer_read(peer, fd, request))
		peer_send(fd, peer->arg);
	free(request);
}

static char *body_of(belay_http_reply *reply)
{
	char *data = NULL;

	assert_int_equal(belay_http_reply_read_all(belay_background(), reply, 1 << 20, &data, NULL),
			 0);
	return data;
}

static void assert_body(belay_http_reply *reply, const char *expected)
{
	char *body = body_of(reply);

	assert_string_equal(body, expected);
	free(body);
}

/* ---- Requests and replies -------------------------------------------------------------------- */

static void a_get_returns_status_headers_and_body(void **state)
{
	belay_http_client *client = peer_client(NULL);
	belay_http_reply *reply;
	struct peer peer;

	peer_start(&peer, say, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-Tag:  a b \r\n\r\nhello");
	assert_int_equal(belay_http_get(belay_background(), client, peer_url(&peer, "/x"), &reply),
			 0);
	assert_int_equal(belay_http_reply_status(reply), 200);
	assert_string_equal(belay_http_reply_header(reply, "X-Tag"), "a b");
	assert_string_equal(belay_http_reply_url(reply), peer_url(&peer, "/x"));
	assert_body(reply, "hello");
	assert_string_equal(belay_http_reply_error(reply), "");
	belay_http_reply_end(reply);
	belay_http_client_close(client);
	peer_stop(&peer);
}

static void headers_are_found_in_any_case_and_in_order(void **state)
{
	belay_http_client *client = peer_client(NULL);
	struct belay_http_header header;
	belay_http_reply *reply;
	struct peer peer;

	peer_start(&peer, say,
		   "HTTP/1.1 200 OK\r\nSet-Cookie: a\r\nContent-Length: 0\r\nset-cookie: b\r\n"
		   "Folded: one\r\n two\r\n\r\n");
	assert_int_equal(belay_http_get(belay_background(), client, peer.url, &reply), 0);
	assert_string_equal(belay_http_reply_header(reply, "SET-COOKIE"), "a");
	assert_string_equal(belay_http_reply_header(reply, "folded"), "one two");
	assert_null(belay_http_reply_header(reply, "absent"));
	assert_true(belay_http_reply_header_at(reply, 2, &header));
	assert_string_equal(header.name, "set-cookie");
	assert_string_equal(header.value, "b");
	assert_false(belay_http_reply_header_at(reply, 4, &header));
	belay_http_reply_end(reply);
	belay_http_client_close(client);
	peer_stop(&peer);
}

static void a_post_sends_its_type_and_body(void **state)
{
	belay_http_client *client = peer_client(NULL);
	belay_http_reply *reply;
	struct peer peer;

	peer_start(&peer, echo, NULL);
	assert_int_equal(belay_http_post(belay_background(), client, peer_url(&peer, "/in"),
					 "application/json", "{\"a\":\0}", 7, &reply),
			 0);
	assert_string_equal(belay_http_reply_header(reply, "X-Method"), "POST");
	assert_string_equal(belay_http_reply_header(reply, "X-Path"), "/in");
	assert_string_equal(belay_http_reply_header(reply, "X-Type"), "application/json");
	assert_string_equal(belay_http_reply_header(reply, "Content-Length"), "7");
	belay_http_reply_end(reply);
	belay_http_client_close(client);
	peer_stop(&peer);
}

static void a_post_without_a_body_says_that_it_is_empty(void **state)
{
	belay_http_client *client = peer_client(NULL);
	belay_http_reply *reply;
	struct peer peer;

	peer_start(&peer, echo, NULL);
	assert_int_equal(belay_http_post(belay_background(), client, peer.url, NULL, NULL, 0,
					 &reply),
			 0);
	assert_string_equal(belay_http_reply_header(reply, "X-Type"), "none");
	assert_body(reply, "");
	belay_http_reply_end(reply);
	belay_http_client_close(client);
	peer_stop(&peer);
}

static void methods_and_headers_are_sent_as_given(void **state)
{
	const struct belay_http_header headers[] = {{"content-type", "text/x"}, {"X-Empty", ""}};
	struct belay_http_call call = {.method = "PUT",
				       .headers = headers,
				       .header_count = 2,
				       .body = "abc",
				       .body_size = 3};
	belay_http_client *client = peer_client(NULL);
	belay_http_reply *reply;
	struct peer peer;

	peer_start(&peer, echo, NULL);
	call.url = peer.url;
	assert_int_equal(belay_http_send(belay_background(), client, &call, &reply), 0);
	assert_string_equal(belay_http_reply_header(reply, "X-Method"), "PUT");
	assert_string_equal(belay_http_reply_header(reply, "X-Type"), "text/x");
	assert_body(reply, "abc");
	belay_http_reply_end(reply);
	belay_http_client_close(client);
	peer_stop(&peer);
}

static void a_chunked_body_is_put_together(void **state)
{
	belay_http_client *client = peer_client(NULL);
	belay_http_reply *reply;
	struct peer peer;

	peer_start(&peer, say,
		   "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
		   "5\r\nhello\r\n6\r\n world\r\n0\r\nTrailer: dropped\r\n\r\n");
	for (int i = 0; i < 2; i++) {
		assert_int_equal(belay_http_get(belay_background(), client, peer.url, &reply), 0);
		assert_body(reply, "hello world");
		assert_null(belay_http_reply_header(reply, "Trailer"));
		belay_http_reply_end(reply);
	}
	assert_int_equal(atomic_load(&peer.connections), 1);
	belay_http_client_close(client);
	peer_stop(&peer);
}

static void a_status_of_404_is_a_reply(void **state)
{
	belay_http_client *client = peer_client(NULL);
	belay_http_reply *reply;
	struct peer peer;

	peer_start(&peer, say, "HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno");
	assert_int_equal(belay_http_get(belay_background(), client, peer.url, &reply), 0);
	assert_int_equal(belay_http_reply_status(reply), 404);
	assert_body(reply, "no");
	belay_http_reply_end(reply);
	belay_http_client_close(client);
	peer_stop(&peer);
}

static void interim_replies_are_passed_over(void **state)
{
	belay_http_client *client = peer_client(NULL);
	belay_http_reply *reply;
	struct peer peer;

	peer_start(&peer, say,
		   "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
		   "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
	assert_int_equal(belay_http_get(belay_background(), client, peer.url, &reply), 0);
	assert_int_equal(belay_http_reply_status(reply), 200);
	assert_null(belay_http_reply_header(reply, "Link"));
	assert_body(reply, "ok");
	belay_http_reply_end(reply);
	belay_http_client_close(client);
	peer_stop(&peer);
}

static void a_reply_to_head_has_no_body(void **state)
{
	struct belay_http_call call = {.method = "HEAD"};
	belay_http_client *client = peer_client(NULL);
	belay_http_reply *reply;
	struct peer peer;

	peer_start(&peer, say, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n");
	call.url = peer.url;
	for (int i = 0; i < 2; i++) {
		assert_int_equal(belay_http_send(belay_background(), client, &call, &reply), 0);
		assert_string_equal(belay_http_reply_header(reply, "Content-Length"), "5");
		assert_body(reply, "");
		belay_http_reply_end(reply);
	}
	assert_int_equal(atomic_load(&peer.connections), 1);
	belay_http_client_close(client);
	peer_stop(&peer);
}

/* ---- Connections ----------------------------------------------------------------------------- */

static void a_connection_serves_one_request_after_another(void **state)
{
	belay_http_client *client = peer_client(NULL);
	belay_http_reply *reply;
	struct peer peer;

	peer_start(&peer, say, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
	for (int i = 0; i < 20; i++) {
		assert_int_equal(belay_http_get(belay_background(), client, peer.url, &reply), 0);
		assert_body(reply, "ok");
		belay_http_reply_end(reply);
	}
	assert_int_equal(atomic_load(&peer.connections), 1);
	assert_int_equal(atomic_load(&peer.requests), 20);
	belay_http_client_close(client);
	peer_stop(&peer);
}

/* Promises more than it sends, so that the client can't have got it all. */
static void a_body_left_unread_costs_its_connection(void **state)
{
	belay_http_client *client = peer_client(NULL);
	belay_http_reply *reply;
	struct peer peer;

	peer_start(&peer, say, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nok");
	for (int i = 0; i < 3; i++) {
		assert_int_equal(belay_http_get(belay_background(), client, peer.url, &reply), 0);
		belay_http_reply_end(reply);
	}
	assert_int_equal(atomic_load(&peer.connections), 3);
	belay_http_client_close(client);
	peer_stop(&peer);
}

/* Says how many connections there were when it was asked, and waits until all have asked. */
static void meet(struct peer *peer, int fd)
{
	struct peer_request *request = malloc(sizeof *request);

	while (peer_read(peer, fd, request)) {
		check_until(atomic_load(&peer->requests) % 2 == 0);
		peer_reply(fd, "met");
	}
	free(request);
}

struct job {
	belay_http_client *client;
	const char *url;
	belay_wg *wg;
	int result, status;
};

static void get_once(belay_ctx *ctx, void *arg)
{
	struct job *job = arg;
	belay_http_reply *reply;

	job->result = belay_http_get(ctx, job->client, job->url, &reply);
	if (job->result == 0) {
		char *data = NULL;

		job->status = belay_http_reply_status(reply);
		job->result = belay_http_reply_read_all(ctx, reply, 1000, &data, NULL);
		free(data);
		belay_http_reply_end(reply);
	}
	belay_wg_done(job->wg);
}

static void *get_once_on_a_thread(void *job)
{
	get_once(belay_background(), job);
	return NULL;
}

/* Neither of two gets its reply before the other has asked: they must be under way together. */
static void a_task_and_a_thread_use_one_client_at_once(void **state)
{
	belay_http_client *client = peer_client(NULL);
	belay_wg wg = BELAY_WG_INIT;
	struct job jobs[2];
	pthread_t thread;
	struct peer peer;

	check_needs_memory(); /* for the peer to be asked at all */
	peer_start(&peer, meet, NULL);
	for (int i = 0; i < 2; i++)
		jobs[i] = (struct job){.client = client, .url = peer.url, .wg = &wg};
	belay_wg_add(&wg, 2);
	assert_int_equal(belay_go(belay_background(), get_once, &jobs[0]), 0);
	assert_int_equal(pthread_create(&thread, NULL, get_once_on_a_thread, &jobs[1]), 0);
	assert_int_equal(belay_wg_wait(belay_background(), &wg), 0);
	pthread_join(thread, NULL);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(jobs[i].result, 0);
		assert_int_equal(jobs[i].status, 200);
	}
	assert_int_equal(atomic_load(&peer.connections), 2);
	belay_http_client_close(client);
	peer_stop(&peer);
}

static void requests_beyond_max_per_host_wait_for_a_connection(void **state)
{
	const struct belay_http_client_options options = {.max_per_host = 2};
	enum { JOBS = 20 };
	belay_http_client *client = peer_client(&options);
	belay_wg wg = BELAY_WG_INIT;
	struct job jobs[JOBS];
	struct peer peer;

	peer_start(&peer, say, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
	belay_wg_add(&wg, JOBS);
	for (int i = 0; i < JOBS; i++) {
		jobs[i] = (struct job){.client = client, .url = peer.url, .wg = &wg};
		assert_int_equal(belay_go(belay_background(), get_once, &jobs[i]), 0);
	}
	assert_int_equal(belay_wg_wait(belay_background(), &wg), 0);
	for (int i = 0; i < JOBS; i++)
		assert_int_equal(jobs[i].result, 0);
	assert_in_range(atomic_load(&peer.connections), 1, 2);
	belay_http_client_close(client);
	peer_stop(&peer);
}

/* ---- Descriptors ----------------------------------------------------------------------------- */

static bool is_connection(int fd)
{
	struct sockaddr_storage address;
	socklen_t size = sizeof address;

	return getsockname(fd, (struct sockaddr *)&address, &size) == 0 &&
	       address.ss_family == AF_INET;
}

/* A program that this one runs gets none of the client's connections. */
static void connections_are_closed_on_exec(void **state)
{
	belay_http_client *client = peer_client(NULL);
	belay_http_reply *reply;
	struct peer peer;
	int connections = 0;

	peer_start(&peer, say, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
	assert_int_equal(belay_http_get(belay_background(), client, peer.url, &reply), 0);
	for (int fd = 3; fd < 256; fd++) {
		if (!is_connection(fd))
			continue;
		assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
		connections++;
	}
	assert_int_equal(connections, 3); /* both ends, and the listener */
	belay_http_reply_end(reply);
	belay_http_client_close(client);
	peer_stop(&peer);
}

static void a_proxy_is_asked_in_place_of_the_peer(void **state)
{
	struct belay_http_client_options options = {0};
	belay_http_client *client;
	belay_http_reply *reply;
	struct peer proxy;

	peer_start(&proxy, echo, NULL);
	options.proxy = proxy.url;
	client = peer_client(&options);
	assert_int_equal(belay_http_get(belay_background(), client, "http://nowhere.invalid/x",
					&reply),
			 0);
	assert_string_equal(belay_http_reply_header(reply, "X-Path"), "http://nowhere.invalid/x");
	belay_http_reply_end(reply);
	belay_http_client_close(client);
	peer_stop(&proxy);
}

/* ---- Closing --------------------------------------------------------------------------------- */

static void read_and_wait(struct peer *peer, int fd)
{
	struct peer_request *request = malloc(sizeof *request);

	peer_read(peer, fd, request);
	peer_await_end(fd);
	free(request);
}

static void closing_the_client_ends_what_runs_with_ESHUTDOWN(void **state)
{
	belay_http_client *client = peer_client(NULL);
	belay_wg wg = BELAY_WG_INIT;
	struct job job = {.client = client, .wg = &wg};
	struct peer peer;

	check_needs_memory(); /* for the peer to be asked at all */
	peer_start(&peer, read_and_wait, NULL);
	job.url = peer.url;
	belay_wg_add(&wg, 1);
	assert_int_equal(belay_go(belay_background(), get_once, &job), 0);
	assert_true(check_until(atomic_load(&peer.requests) == 1));
	belay_http_client_close(client);
	assert_int_equal(belay_wg_wait(belay_background(), &wg), 0);
	assert_int_equal(job.result, -ESHUTDOWN);
	peer_stop(&peer);
}

static void a_reply_outlives_its_client(void **state)
{
	belay_http_client *client = peer_client(NULL);
	belay_http_reply *reply;
	char buf[8];
	struct peer peer;

	peer_start(&peer, say, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nok");
	assert_int_equal(belay_http_get(belay_background(), client, peer.url, &reply), 0);
	assert_int_equal(belay_http_reply_read(belay_background(), reply, buf, 1), 1);
	belay_http_client_close(client);
	assert_int_equal(belay_http_reply_status(reply), 200);
	while (belay_http_reply_read(belay_background(), reply, buf, 1) == 1)
		;
	assert_int_equal(belay_http_reply_read(belay_background(), reply, buf, 1), -ESHUTDOWN);
	assert_string_equal(belay_http_reply_error(reply), "the client was closed");
	belay_http_reply_end(reply);
	peer_stop(&peer);
}

static void a_client_that_did_nothing_closes(void **state)
{
	belay_http_client_close(peer_client(NULL));
	belay_http_client_close(NULL);
	belay_http_reply_end(NULL);
}

BELAY_TEST_MAIN(cmocka_unit_test(a_get_returns_status_headers_and_body),
		cmocka_unit_test(headers_are_found_in_any_case_and_in_order),
		cmocka_unit_test(a_post_sends_its_type_and_body),
		cmocka_unit_test(a_post_without_a_body_says_that_it_is_empty),
		cmocka_unit_test(methods_and_headers_are_sent_as_given),
		cmocka_unit_test(a_chunked_body_is_put_together),
		cmocka_unit_test(a_status_of_404_is_a_reply),
		cmocka_unit_test(interim_replies_are_passed_over),
		cmocka_unit_test(a_reply_to_head_has_no_body),
		cmocka_unit_test(a_connection_serves_one_request_after_another),
		cmocka_unit_test(a_body_left_unread_costs_its_connection),
		cmocka_unit_test(a_task_and_a_thread_use_one_client_at_once),
		cmocka_unit_test(requests_beyond_max_per_host_wait_for_a_connection),
		cmocka_unit_test(a_proxy_is_asked_in_place_of_the_peer),
		cmocka_unit_test(connections_are_closed_on_exec),
		cmocka_unit_test(closing_the_client_ends_what_runs_with_ESHUTDOWN),
		cmocka_unit_test(a_reply_outlives_its_client),
		cmocka_unit_test(a_client_that_did_nothing_closes))
