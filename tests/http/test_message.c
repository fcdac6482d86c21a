/* SPDX-License-Identifier: MIT
 *
 * test_message.c - a request's head and body as the parser takes them, and the forms that it
 * refuses.
 */
#include "check_oom.h"
#include "http/head.h"
#include "http/message.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static struct belay_request req;
static struct belay__message msg;

static int tear_down(void **state)
{
	belay__request_fini(&req);
	req = (struct belay_request){0};
	return 0;
}

static int head(const char *text)
{
	belay__request_reset(&req);
	return belay__message_head(&msg, &req, 100, text, strlen(text));
}

/* The head of a request with these headers besides Host. */
static int with_headers(const char *headers)
{
	char text[4096];

	snprintf(text, sizeof text, "POST /x HTTP/1.1\r\nHost: a\r\n%s\r\n", headers);
	return head(text);
}

static void a_head_becomes_method_target_and_headers(void **state)
{
	assert_int_equal(head("GET /a/b?c=d HTTP/1.1\r\nHost: x\r\nEmpty:\r\n"
			      "Pad: \t v w \t\r\n\r\n"), 0);
	assert_string_equal(req.method, "GET");
	assert_string_equal(req.line, "/a/b?c=d");
	assert_string_equal(req.target.path, "/a/b");
	assert_int_equal(req.headers.count, 3);
	assert_string_equal(belay__headers_get(&req.headers, "host"), "x");
	assert_string_equal(belay__headers_get(&req.headers, "empty"), "");
	assert_string_equal(belay__headers_get(&req.headers, "pad"), "v w");
	assert_true(msg.done && msg.keep_alive);
	assert_int_equal(msg.minor, 1);
}

static void a_version_says_whether_another_request_may_follow(void **state)
{
	assert_int_equal(head("GET / HTTP/1.0\r\n\r\n"), 0);
	assert_false(msg.keep_alive);
	assert_int_equal(head("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"), 0);
	assert_true(msg.keep_alive);
	assert_int_equal(head("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"), 0);
	assert_false(msg.keep_alive);
}

static void other_versions_and_protocols_are_refused(void **state)
{
	assert_int_equal(head("GET / HTTP/2.0\r\nHost: x\r\n\r\n"), -EPROTONOSUPPORT);
	assert_int_equal(head("GET / HTTP/0.9\r\nHost: x\r\n\r\n"), -EPROTONOSUPPORT);
	assert_int_equal(head("GET / HTTP/1.2\r\nHost: x\r\n\r\n"), -EPROTONOSUPPORT);
	assert_int_equal(head("PRI * HTTP/2.0\r\n\r\n"), -EPROTONOSUPPORT);
	assert_int_equal(head("GET / HTTP/11\r\nHost: x\r\n\r\n"), -EBADMSG);
	assert_int_equal(head("GET /\r\nHost: x\r\n\r\n"), -EBADMSG);
	assert_int_equal(head("DESCRIBE / RTSP/1.0\r\nHost: x\r\n\r\n"), -EBADMSG);
	assert_int_equal(head("SOURCE / ICE/1.0\r\nHost: x\r\n\r\n"), -EBADMSG);
}

static void what_is_no_request_line_is_refused(void **state)
{
	static const char *const bad[] = {
		"G@T / HTTP/1.1\r\nHost: x\r\n\r\n", "get / HTTP/1.1\r\nHost: x\r\n\r\n",
		"GET  / HTTP/1.1\r\nHost: x\r\n\r\n", "GET / / HTTP/1.1\r\nHost: x\r\n\r\n",
		"GET /%zz HTTP/1.1\r\nHost: x\r\n\r\n", "GET a HTTP/1.1\r\nHost: x\r\n\r\n",
		" GET / HTTP/1.1\r\nHost: x\r\n\r\n", "CONNECT a:1 HTTP/1.1\r\nHost: x\r\n\r\n",
		"GET / http/1.1\r\nHost: x\r\n\r\n", "\r\n\r\n",
	};

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		if (head(bad[i]) != -EBADMSG)
			fail_msg("accepted: %s", bad[i]);
}

static void a_host_stands_there_once(void **state)
{
	assert_int_equal(head("GET / HTTP/1.1\r\n\r\n"), -EBADMSG);
	assert_int_equal(head("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"), -EBADMSG);
	assert_int_equal(head("GET / HTTP/1.1\r\nHost: a\r\nhost: a\r\n\r\n"), -EBADMSG);
	assert_int_equal(head("GET / HTTP/1.0\r\n\r\n"), 0);
}

static void a_host_has_no_characters_that_no_host_has(void **state)
{
	assert_int_equal(head("GET / HTTP/1.1\r\nHost: a b\r\n\r\n"), -EBADMSG);
	assert_int_equal(head("GET / HTTP/1.1\r\nHost: a/b\r\n\r\n"), -EBADMSG);
	assert_int_equal(head("GET / HTTP/1.1\r\nHost: user@a\r\n\r\n"), -EBADMSG);
	assert_int_equal(head("GET / HTTP/1.1\r\nHost: \xff\r\n\r\n"), -EBADMSG);
	assert_int_equal(head("GET / HTTP/1.0\r\nHost: a b\r\n\r\n"), -EBADMSG);
	assert_int_equal(head("GET / HTTP/1.1\r\nHost: [fe80::1%25eth0]:80\r\n\r\n"), 0);
	assert_int_equal(head("GET / HTTP/1.1\r\nHost: a_b.example.:80\r\n\r\n"), 0);
	assert_int_equal(head("GET / HTTP/1.1\r\nHost:\r\n\r\n"), 0);
}

/* RFC 9112, section 3.2.2: a proxy in front has gone by that, too. */
static void an_absolute_target_says_which_host_it_is_for(void **state)
{
	assert_int_equal(head("GET http://a:80/x HTTP/1.1\r\nA: 1\r\nHost: b\r\n\r\n"), 0);
	assert_string_equal(belay__headers_get(&req.headers, "host"), "a:80");
	assert_int_equal(belay__headers_count(&req.headers, "host"), 1);
	assert_string_equal(req.target.path, "/x");
	assert_int_equal(head("GET HTTPS://a?b HTTP/1.1\r\nHost:\r\n\r\n"), 0);
	assert_string_equal(belay__headers_get(&req.headers, "host"), "a");
	assert_int_equal(head("GET /http://a/ HTTP/1.1\r\nHost: b\r\n\r\n"), 0);
	assert_string_equal(belay__headers_get(&req.headers, "host"), "b");
	assert_int_equal(head("GET http://a/ HTTP/1.0\r\n\r\n"), 0);
	assert_int_equal(head("GET http://b@a/ HTTP/1.1\r\nHost: a\r\n\r\n"), -EBADMSG);
	assert_int_equal(head("GET http://a/ HTTP/1.1\r\n\r\n"), -EBADMSG);
}

static void a_length_is_taken_where_there_is_no_doubt(void **state)
{
	assert_int_equal(with_headers("Content-Length: 12\r\n"), 0);
	assert_int_equal(msg.length, 12);
	assert_false(msg.done);
	assert_int_equal(with_headers("Content-Length: 0\r\n"), 0);
	assert_true(msg.done);
	assert_int_equal(with_headers(""), 0);
	assert_true(msg.done);
	assert_int_equal(with_headers("Transfer-Encoding: CHUNKED\r\n"), 0);
	assert_true(msg.chunked);
}

static void forms_that_smuggle_requests_are_refused(void **state)
{
	static const char *const bad[] = {
		"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
		"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
		"Transfer-Encoding: chunked\r\nContent-Length: 0\r\n",
		"Content-Length: 5\r\nContent-Length: 6\r\n",
		"Content-Length: 5\r\nContent-Length: 5\r\n",
		"Content-Length: 5, 5\r\n",
		"Content-Length: +5\r\n",
		"Content-Length: -5\r\n",
		"Content-Length: 0x5\r\n",
		"Content-Length: 5 5\r\n",
		"Content-Length: 5a\r\n",
		"Content-Length:\r\n",
		"Content-Length: 18446744073709551616\r\n",
		"Content-Length: 99999999999999999999999\r\n",
		"Transfer-Encoding: gzip, chunked\r\n",
		"Transfer-Encoding: chunked, chunked\r\n",
		"Transfer-Encoding: chunked, identity\r\n",
		"Transfer-Encoding: identity\r\n",
		"Transfer-Encoding: xchunked\r\n",
		"Transfer-Encoding: chunkedx\r\n",
		"Transfer-Encoding: \"chunked\"\r\n",
		"Transfer-Encoding: chunked;q=1\r\n",
		"Transfer-Encoding:\r\n",
		"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
		"Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n",
		"Content-Length : 5\r\n",
		"Content Length: 5\r\n",
		"X: y\r\n Content-Length: 5\r\n",
		"Content-Length: 5;\r\n",
		"Content-Length: 5,\r\n",
		"Content-Length: \xd9\xa5\r\n",
		"Content-Length: 5\x0b\r\n",
		"Transfer-Encoding : chunked\r\n",
		"Transfer-Encoding\t: chunked\r\n",
		"Transfer-Encoding:\x0b chunked\r\n",
		"Transfer-Encoding: chunked\x0b\r\n",
		"Transfer-Encoding: ,chunked\r\n",
		"Transfer-Encoding: chunked,\r\n",
		"Transfer-Encoding: chun ked\r\n",
		"Transfer-Encoding: 'chunked'\r\n",
		"Transfer-Encoding: c\xc4\xa7unked\r\n",
		"Transfer-Encoding\xa0: chunked\r\n",
		"X: y\rTransfer-Encoding: chunked\r\n",
		"X: y\nTransfer-Encoding: chunked\r\n",
		"X: y\r\n\tTransfer-Encoding: chunked\r\n",
		": chunked\r\n",
	};

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		if (with_headers(bad[i]) != -EBADMSG)
			fail_msg("accepted: %s", bad[i]);
}

static void an_old_version_has_no_chunks(void **state)
{
	assert_int_equal(head("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"), -EBADMSG);
}

static void there_is_a_limit_to_the_headers(void **state)
{
	char text[4096] = "";

	for (int i = 0; i < 99; i++)
		strcat(text, "a: b\r\n");
	assert_int_equal(with_headers(text), 0);
	strcat(text, "a: b\r\n");
	assert_int_equal(with_headers(text), -E2BIG);
}

static void an_expectation_is_100_continue_or_refused(void **state)
{
	assert_int_equal(with_headers("Expect: 100-continue\r\nContent-Length: 5\r\n"), 0);
	assert_true(msg.wants_continue);
	assert_int_equal(with_headers("Expect: 100-Continue\r\n"), 0);
	assert_false(msg.wants_continue);
	assert_int_equal(with_headers("Expect: 200-ok\r\n"), -EOPNOTSUPP);
}

static void an_upgrade_is_not_taken_up(void **state)
{
	assert_int_equal(with_headers("Connection: upgrade\r\nUpgrade: h2c\r\n"), 0);
	assert_true(msg.done);
	assert_int_equal(with_headers("Connection: upgrade\r\nUpgrade: h2c\r\n"
				      "Content-Length: 3\r\n"), 0);
	assert_false(msg.done);
}

/* ---- Bodies ---------------------------------------------------------------------------------- */

/* Decodes text in steps of so many bytes; the body, and how much of text was used. Or -EBADMSG. */
static int body_in_steps(const char *text, size_t step, char *body, size_t *used)
{
	size_t size = strlen(text), got = 0;

	*used = 0;
	while (*used < size && !msg.done) {
		size_t n, most = size - *used < step ? size - *used : step;
		ssize_t r = belay__message_body(&msg, text + *used, most, body + got, &n);

		if (r < 0)
			return (int)r;
		*used += (size_t)r;
		got += n;
	}
	body[got] = '\0';
	return 0;
}

/* The same in all steps: they must agree. */
static int chunked_body(const char *text, char *body, size_t *used)
{
	int last = 0;

	for (size_t step = strlen(text); step > 0; step = step > 3 ? 3 : step - 1) {
		int r;

		assert_int_equal(with_headers("Transfer-Encoding: chunked\r\n"), 0);
		r = body_in_steps(text, step, body, used);
		if (step < strlen(text))
			assert_int_equal(r, last);
		last = r;
	}
	return last;
}

static void a_body_ends_at_its_length(void **state)
{
	char body[64];
	size_t used;

	for (size_t step = 1; step < 20; step++) {
		assert_int_equal(with_headers("Content-Length: 5\r\n"), 0);
		assert_int_equal(body_in_steps("helloGET / HTTP/1.1", step, body, &used), 0);
		assert_string_equal(body, "hello");
		assert_int_equal(used, 5);
		assert_true(msg.done);
	}
}

static void chunks_are_joined(void **state)
{
	char body[64];
	size_t used;

	assert_int_equal(chunked_body("5\r\nhello\r\n6;x=y\r\n world\r\n0\r\n\r\nGET", body,
				      &used), 0);
	assert_string_equal(body, "hello world");
	assert_int_equal(used, 30);
	assert_true(msg.done);
	assert_int_equal(chunked_body("A\r\n0123456789\r\n00\r\nTrailer: x\r\n\r\n", body,
				      &used), 0);
	assert_string_equal(body, "0123456789");
	assert_true(msg.done);
	assert_null(belay__headers_get(&req.headers, "trailer"));
}

static void broken_chunks_are_refused(void **state)
{
	static const char *const bad[] = {
		"x\r\nhello\r\n", "5 \r\nhello\r\n0\r\n\r\n", "-5\r\nhello\r\n", "+5\r\nhello\r\n",
		"0x5\r\nhello\r\n", "5\rhello\r\n0\r\n\r\n", "5\nhello\r\n0\r\n\r\n",
		"5\r\nhelloX\r\n0\r\n\r\n", "5\r\nhello\n0\r\n\r\n", "5\r\nhello0\r\n\r\n",
		"10000000000000000\r\nhello", "ffffffffffffffffff\r\nhello",
		";x\r\nhello\r\n", "\r\nhello\r\n", "5;\nX\r\nhello\r\n0\r\n\r\n",
		"5;a\nb\r\nhello\r\n0\r\n\r\n",
		"0\n\n", "0\r\n\n", "0\r\nA: b\n\n", "0\r\nA: b\n\r\n", "0\r\nA: b\rB: c\r\n\r\n",
		"0\r\nA : b\r\n\r\n",
		"5\t\r\nhello\r\n0\r\n\r\n", " 5\r\nhello\r\n0\r\n\r\n",
		"5_0\r\nhello\r\n", "5.\r\nhello\r\n0\r\n\r\n", "5,5\r\nhello\r\n0\r\n\r\n",
		"5\r\r\nhello\r\n0\r\n\r\n", "5\r\nhello\r\r\n0\r\n\r\n",
		"5\r\nhello\r\n\r\n0\r\n\r\n", "5;a\rb\r\nhello\r\n0\r\n\r\n",
		"5;\"\n\"\r\nhello\r\n0\r\n\r\n", "0\r\n A: b\r\n\r\n",
	};
	char body[64];
	size_t used;

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		if (chunked_body(bad[i], body, &used) != -EBADMSG)
			fail_msg("accepted: %s", bad[i]);
}

static void chunks_that_are_all_frame_are_refused(void **state)
{
	static char text[1 << 20];
	char *body = malloc(sizeof text);
	size_t used;

	assert_int_equal(with_headers("Transfer-Encoding: chunked\r\n"), 0);
	memset(text, 'x', sizeof text - 1);
	memcpy(text, "1;", 2);
	assert_int_equal(body_in_steps(text, 1000, body, &used), -EBADMSG);
	assert_true(used < 100000);
	free(body);
}

static void many_small_chunks_are_fine(void **state)
{
	static char text[600001], body[600001];
	size_t used;

	for (int i = 0; i < 100000; i++)
		memcpy(text + 6 * i, "1\r\na\r\n", 7);
	assert_int_equal(with_headers("Transfer-Encoding: chunked\r\n"), 0);
	assert_int_equal(body_in_steps(text, 1000, body, &used), 0);
	assert_int_equal(strlen(body), 100000);
}

/* ---- Whatever comes -------------------------------------------------------------------------- */

/* Parses text as a connection would: head, then body in random steps. */
static void parse_all(const char *text, size_t size, unsigned *seed)
{
	struct belay__head scan = {0};
	ssize_t n = belay__head_scan(&scan, text, size);
	char out[64];

	belay__request_reset(&req);
	if (n <= 0 || belay__message_head(&msg, &req, 10, text, (size_t)n) < 0)
		return;
	assert_non_null(req.method);
	assert_int_equal(req.target.path[0] == '/' || req.target.path[0] == '*', 1);
	while (!msg.done && (size_t)n < size) {
		size_t most = 1 + (size_t)rand_r(seed) % sizeof out, produced;
		ssize_t used;

		most = most < size - (size_t)n ? most : size - (size_t)n;
		used = belay__message_body(&msg, text + n, most, out, &produced);
		if (used < 0)
			return;
		assert_true((size_t)used <= most && produced <= (size_t)used);
		assert_true(used > 0 || msg.done);
		n += used;
	}
}

/* Requests with a few bytes changed, taken out, or doubled. */
static void whatever_comes_is_parsed_or_refused(void **state)
{
	static const char *const seeds[] = {
		"GET /a/b?c=d&e=%20f HTTP/1.1\r\nHost: x\r\nAccept: */*\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 11\r\nExpect: 100-continue\r\n\r\n"
		"hello world",
		"PUT /x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
		"5;a=b\r\nhello\r\n6\r\n world\r\n0\r\nT: v\r\n\r\n",
		"GET http://h/ HTTP/1.0\r\nConnection: keep-alive, upgrade\r\nUpgrade: x\r\n\r\n",
	};
	unsigned seed = 3;

	for (int round = 0; round < 40000; round++) {
		const char *from = seeds[(size_t)rand_r(&seed) % 4];
		size_t size = strlen(from), changes = 1 + (size_t)rand_r(&seed) % 4;
		char *text = malloc(2 * size + 16);

		memcpy(text, from, size);
		while (changes-- > 0 && size > 1) {
			size_t at = (size_t)rand_r(&seed) % size;
			size_t run = 1 + (size_t)rand_r(&seed) % 4;

			run = run < size - at ? run : size - at;
			switch (rand_r(&seed) % 3) {
			case 0:
				text[at] = (char)rand_r(&seed);
				break;
			case 1:
				memmove(text + at, text + at + run, size - at - run);
				size -= run;
				break;
			default:
				memmove(text + at + run, text + at, size - at);
				size += run;
			}
		}
		parse_all(text, size, &seed);
		free(text);
	}
}

/* ---- Memory ---------------------------------------------------------------------------------- */

static void take_head(void *arg)
{
	struct belay_request r = {0};
	struct belay__message m;
	const char *text = arg;
	int err = belay__message_head(&m, &r, 100, text, strlen(text));

	check(err == 0 || err == -ENOMEM);
	belay__request_fini(&r);
}

static void without_memory_a_head_is_refused(void **state)
{
	assert_true(check_each_allocation(take_head, "GET /a?b=c HTTP/1.1\r\nHost: x\r\n\r\n") > 4);
}

#define MESSAGE_TEST(name) cmocka_unit_test_teardown(name, tear_down)

BELAY_TEST_MAIN(MESSAGE_TEST(a_head_becomes_method_target_and_headers),
		MESSAGE_TEST(a_version_says_whether_another_request_may_follow),
		MESSAGE_TEST(other_versions_and_protocols_are_refused),
		MESSAGE_TEST(what_is_no_request_line_is_refused),
		MESSAGE_TEST(a_host_stands_there_once),
		MESSAGE_TEST(a_host_has_no_characters_that_no_host_has),
		MESSAGE_TEST(an_absolute_target_says_which_host_it_is_for),
		MESSAGE_TEST(a_length_is_taken_where_there_is_no_doubt),
		MESSAGE_TEST(forms_that_smuggle_requests_are_refused),
		MESSAGE_TEST(an_old_version_has_no_chunks),
		MESSAGE_TEST(there_is_a_limit_to_the_headers),
		MESSAGE_TEST(an_expectation_is_100_continue_or_refused),
		MESSAGE_TEST(an_upgrade_is_not_taken_up), MESSAGE_TEST(a_body_ends_at_its_length),
		MESSAGE_TEST(chunks_are_joined), MESSAGE_TEST(broken_chunks_are_refused),
		MESSAGE_TEST(chunks_that_are_all_frame_are_refused),
		MESSAGE_TEST(many_small_chunks_are_fine),
		MESSAGE_TEST(whatever_comes_is_parsed_or_refused),
		MESSAGE_TEST(without_memory_a_head_is_refused))
