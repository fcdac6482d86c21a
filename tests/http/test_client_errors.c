/* SPDX-License-Identifier: MIT
 *
 * test_client_errors.c - what the HTTP client calls the ways in which a call can fail.
 */
#include "client_peer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

/* Answers one request with the text that the test gave. */
static void say_once(struct peer *peer, int fd)
{
	struct peer_request *request = malloc(sizeof *request);

	if (peer_read(peer, fd, request))
		peer_send(fd, peer->arg);
	free(request);
}

/* The error of a GET that fails, for which there must be words. */
static int get_error(belay_http_client *client, const char *url)
{
	char text[200] = "";
	const struct belay_http_call call = {.url = url, .error = text, .error_size = sizeof text};
	belay_http_reply *reply = NULL;
	int err = belay_http_send(belay_background(), client, &call, &reply);

	assert_null(reply);
	assert_string_not_equal(text, "");
	return err;
}

static int get_error_of(const char *said)
{
	belay_http_client *client = peer_client(NULL);
	struct peer peer;
	int err;

	peer_start(&peer, say_once, (void *)said);
	err = get_error(client, peer.url);
	belay_http_client_close(client);
	peer_stop(&peer);
	return err;
}

static void a_refused_connection_is_ECONNREFUSED(void **state)
{
	belay_http_client *client = peer_client(NULL);
	struct peer peer;

	peer_start(&peer, say_once, "");
	peer_stop(&peer);
	assert_int_equal(get_error(client, peer.url), -ECONNREFUSED);
	belay_http_client_close(client);
}

static void a_peer_that_closes_without_a_reply_is_ECONNRESET(void **state)
{
	assert_int_equal(get_error_of(""), -ECONNRESET);
}

static void a_peer_that_closes_within_the_head_is_ECONNRESET(void **state)
{
	static const char *const said[] = {
		"HTTP/1.1 200 OK\r\nContent-",
		"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n",
		"HTTP/1.1 200 OK\r\n",
		"HTTP/1.1 200",
		"HTTP/1.1 100 Continue\r\n\r\n",
	};

	for (size_t i = 0; i < sizeof said / sizeof *said; i++)
		assert_int_equal(get_error_of(said[i]), -ECONNRESET);
}

static void another_protocol_unasked_is_EPROTO(void **state)
{
	assert_int_equal(get_error_of("HTTP/1.1 101 Switching Protocols\r\n\r\nhello"), -EPROTO);
}

static void a_reply_that_is_not_http_is_EPROTO(void **state)
{
	assert_int_equal(get_error_of("220 mail.example ESMTP\r\n"), -EPROTO);
}

static void a_head_that_is_too_large_is_EMSGSIZE(void **state)
{
	enum { LINES = 400, LINE = 1000 };
	char *said = malloc(LINES * LINE + 100), *at = said;

	at = stpcpy(at, "HTTP/1.1 200 OK\r\n");
	for (int i = 0; i < LINES; i++)
		at += sprintf(at, "X-%d: %0900d\r\n", i, 0);
	stpcpy(at, "\r\n");
	assert_int_equal(get_error_of(said), -EMSGSIZE);
	free(said);
}

static void a_call_that_makes_no_sense_is_EINVAL(void **state)
{
	static const struct belay_http_header bad[] = {
		{"", "x"},	  {"a b", "x"},		   {"a:", "x"},
		{"a\r\n", "x"},	  {"a", "x\r\nb: c"},	   {"a", NULL},
		{NULL, "x"},	  {"Content-Length", "9"}, {"transfer-encoding", "chunked"},
		{"a", "x\ny"},
	};
	belay_http_client *client = peer_client(NULL);
	belay_http_reply *reply;
	struct belay_http_call call = {.url = "http://127.0.0.1:1/", .header_count = 1};

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		call.headers = &bad[i];
		assert_int_equal(belay_http_send(belay_background(), client, &call, &reply),
				 -EINVAL);
	}
	call = (struct belay_http_call){.url = "http://127.0.0.1:1/", .method = "GET /x"};
	assert_int_equal(belay_http_send(belay_background(), client, &call, &reply), -EINVAL);
	assert_int_equal(get_error(client, "http://"), -EINVAL);
	assert_int_equal(get_error(client, "http://a b/"), -EINVAL);
	assert_int_equal(get_error(client, "http://*/"), -EINVAL);
	assert_int_equal(belay_http_get(belay_background(), client, NULL, &reply), -EINVAL);
	belay_http_client_close(client);
}

/* What is wrong with a call, and words that say so. */
struct wrong {
	struct belay_http_call call;
	struct belay_http_header header;
	const char *words;
};

static void check_words(belay_http_client *client, const struct wrong *wrong)
{
	char text[200];
	struct belay_http_call call = wrong->call;
	belay_http_reply *reply;

	call.url = call.url ? call.url : "http://127.0.0.1:1/";
	call.headers = &wrong->header;
	call.header_count = wrong->header.name || wrong->header.value;
	call.error = text;
	call.error_size = sizeof text;
	assert_int_equal(belay_http_send(belay_background(), client, &call, &reply), -EINVAL);
	if (!strstr(text, wrong->words))
		print_error("\"%s\" instead of \"%s\"\n", text, wrong->words);
	assert_non_null(strstr(text, wrong->words));
}

static void what_is_wrong_with_a_call_is_said(void **state)
{
	static const struct wrong wrong[] = {
		{{.method = "GE T"}, {0}, "the method is no token: \"GE T\""},
		{{.body_size = 3}, {0}, "no body"},
		{{0}, {"X\r\nY", "a"}, "name is no token: \"X??Y\""},
		{{0}, {NULL, "a"}, "no name"},
		{{0}, {"X", NULL}, "the header X has no value"},
		{{0}, {"X", "secret\r\nY: b"}, "the value of the header X has control characters"},
		{{0}, {"Content-Length", "3"}, "the header Content-Length is the client's own"},
		{{.url = "http://"}, {0}, ": http://"},
		{{.url = "http://127.0.0.1:99999/"}, {0}, ": http://127.0.0.1:99999/"},
		{{.url = "http://*/"}, {0}, ": http://*/"},
		{{.url = "http://me:secret@a:99999/"}, {0}, ": (not shown)"},
	};
	belay_http_client *client = peer_client(NULL);

	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
		check_words(client, &wrong[i]);
	belay_http_client_close(client);
}

static void other_protocols_are_EPROTONOSUPPORT(void **state)
{
	belay_http_client *client = peer_client(NULL);

	assert_int_equal(get_error(client, "ftp://127.0.0.1/"), -EPROTONOSUPPORT);
	assert_int_equal(get_error(client, "file:///etc/passwd"), -EPROTONOSUPPORT);
	assert_int_equal(get_error(client, "nothing://127.0.0.1/"), -EPROTONOSUPPORT);
	belay_http_client_close(client);
}

static void options_that_make_no_sense_are_EINVAL(void **state)
{
	static const struct belay_http_client_options bad[] = {
		{.timeout = -1},	     {.connect_timeout = -1},
		{.proxy = "http://proxy/"},  {.proxy = "socks5://127.0.0.1:1"},
		{.proxy = ""},		     {.user_agent = "a\r\nb"},
	};
	belay_http_client *client;

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_int_equal(belay_http_client_new(&bad[i], &client), -EINVAL);
}

/* All numbers below limit, none of which is free then; how many were. */
static int take_all(int *taken, int limit)
{
	int n = 0, fd;

	while (n < limit && (fd = dup(2)) >= 0)
		taken[n++] = fd;
	return n;
}

static void where_descriptors_run_out_it_is_EMFILE(void **state)
{
	enum { LIMIT = 256 };
	belay_http_client *client = peer_client(NULL);
	struct rlimit before, low;
	int taken[LIMIT], n, err;
	struct peer peer;

	peer_start(&peer, say_once, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	low = (struct rlimit){LIMIT, before.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
	n = take_all(taken, LIMIT);
	err = get_error(client, peer.url);
	while (n > 0)
		close(taken[--n]);
	setrlimit(RLIMIT_NOFILE, &before);
	assert_int_equal(err, -EMFILE);
	belay_http_client_close(client);
	peer_stop(&peer);
}

BELAY_TEST_MAIN(cmocka_unit_test(a_refused_connection_is_ECONNREFUSED),
		cmocka_unit_test(a_peer_that_closes_without_a_reply_is_ECONNRESET),
		cmocka_unit_test(a_peer_that_closes_within_the_head_is_ECONNRESET),
		cmocka_unit_test(another_protocol_unasked_is_EPROTO),
		cmocka_unit_test(a_reply_that_is_not_http_is_EPROTO),
		cmocka_unit_test(a_head_that_is_too_large_is_EMSGSIZE),
		cmocka_unit_test(a_call_that_makes_no_sense_is_EINVAL),
		cmocka_unit_test(what_is_wrong_with_a_call_is_said),
		cmocka_unit_test(other_protocols_are_EPROTONOSUPPORT),
		cmocka_unit_test(options_that_make_no_sense_are_EINVAL),
		cmocka_unit_test(where_descriptors_run_out_it_is_EMFILE))
