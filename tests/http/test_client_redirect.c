/* SPDX-License-Identifier: MIT
 *
 * test_client_redirect.c - redirects that the client follows, and those that it leaves alone.
 */
#include "client_peer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const struct belay_http_client_options following = {.max_redirects = 3};
static const struct belay_http_call no_body;

/* "/301/to": a redirect with that status to "/to"; "/far/to": one to the peer in arg, else what was
 * asked for: method, body, and what came with it. */
static void redirect(struct peer *peer, int fd)
{
	struct peer *other = peer->arg;
	struct peer_request request;

	while (peer_read(peer, fd, &request)) {
		char text[1024], secret[64] = "none", type[64] = "none";
		char target[256];
		int status;

		peer_header(&request, "Authorization", secret, sizeof secret);
		peer_header(&request, "Content-Type", type, sizeof type);
		if (sscanf(request.path, "/%d%250s", &status, target) == 2)
			snprintf(text, sizeof text,
				 "HTTP/1.1 %d Moved\r\nLocation: %s\r\nContent-Length: 5\r\n"
				 "\r\nmoved",
				 status, target);
		else if (sscanf(request.path, "/far%250s", target) == 1)
			snprintf(text, sizeof text,
				 "HTTP/1.1 307 Moved\r\nLocation: %s%s\r\n"
				 "Content-Length: 0\r\n\r\n",
				 other->url, target);
		else
			snprintf(text, sizeof text,
				 "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX-Method: %s\r\n"
				 "X-Size: %zu\r\nX-Type: %s\r\nX-Secret: %s\r\n\r\n",
				 request.method, request.body_size, type, secret);
		peer_send(fd, text);
	}
}

/* The reply to call at path under these options, its client and peer gone. */
static int ask(const struct belay_http_client_options *options, struct belay_http_call call,
	       const char *path, belay_http_reply **ret)
{
	belay_http_client *client = peer_client(options);
	struct peer peer, other;
	int err;

	peer_start(&other, redirect, NULL);
	peer_start(&peer, redirect, &other);
	call.url = peer_url(&peer, path);
	err = belay_http_send(belay_background(), client, &call, ret);
	belay_http_client_close(client);
	peer_stop(&peer);
	peer_stop(&other);
	return err;
}

static void assert_arrives(const char *path, const char *method, const char *as, size_t size)
{
	static const struct belay_http_header type = {"Content-Type", "text/x"};
	const struct belay_http_call call = {.method = method,
					     .headers = &type,
					     .header_count = 1,
					     .body = "body",
					     .body_size = 4};
	belay_http_reply *reply;
	char text[32];

	assert_int_equal(ask(&following, call, path, &reply), 0);
	assert_int_equal(belay_http_reply_status(reply), 200);
	assert_string_equal(belay_http_reply_header(reply, "X-Method"), as);
	snprintf(text, sizeof text, "%zu", size);
	assert_string_equal(belay_http_reply_header(reply, "X-Size"), text);
	assert_string_equal(belay_http_reply_header(reply, "X-Type"), size ? "text/x" : "none");
	belay_http_reply_end(reply);
}

static void without_the_option_a_redirect_is_a_reply(void **state)
{
	belay_http_reply *reply;

	assert_int_equal(ask(NULL, no_body, "/302/to", &reply), 0);
	assert_int_equal(belay_http_reply_status(reply), 302);
	assert_string_equal(belay_http_reply_header(reply, "Location"), "/to");
	belay_http_reply_end(reply);
}

/* RFC 9110, section 15.4 */
static void a_redirect_keeps_or_drops_the_method_by_its_status(void **state)
{
	assert_arrives("/301/to", "POST", "GET", 0);
	assert_arrives("/302/to", "POST", "GET", 0);
	assert_arrives("/303/to", "PUT", "GET", 0);
	assert_arrives("/301/to", "PUT", "PUT", 4);
	assert_arrives("/307/to", "POST", "POST", 4);
	assert_arrives("/308/to", "PUT", "PUT", 4);
}

static void the_reply_knows_where_it_came_from(void **state)
{
	belay_http_reply *reply;

	assert_int_equal(ask(&following, no_body, "/302/307/to?q=1", &reply), 0);
	assert_non_null(strstr(belay_http_reply_url(reply), "/to?q=1"));
	assert_null(strstr(belay_http_reply_url(reply), "/307"));
	belay_http_reply_end(reply);
}

static void redirects_reuse_the_connection(void **state)
{
	belay_http_client *client = peer_client(&following);
	belay_http_reply *reply;
	struct peer peer;

	peer_start(&peer, redirect, NULL);
	assert_int_equal(belay_http_get(belay_background(), client,
					peer_url(&peer, "/301/302/to"), &reply),
			 0);
	assert_int_equal(belay_http_reply_status(reply), 200);
	assert_int_equal(atomic_load(&peer.connections), 1);
	belay_http_reply_end(reply);
	belay_http_client_close(client);
	peer_stop(&peer);
}

static void more_redirects_than_allowed_are_ELOOP(void **state)
{
	char why[100] = "";
	const struct belay_http_call call = {.error = why, .error_size = sizeof why};
	belay_http_reply *reply = NULL;

	assert_int_equal(ask(&following, no_body, "/302/302/302/to", &reply), 0);
	belay_http_reply_end(reply);
	reply = NULL;
	assert_int_equal(ask(&following, call, "/302/302/302/302/to", &reply), -ELOOP);
	assert_non_null(strstr(why, "more redirects"));
	assert_null(reply);
}

static const char *secret_seen_at(const char *path, char *seen, size_t size)
{
	static const struct belay_http_header header = {"authorization", "Bearer x"};
	const struct belay_http_call call = {.headers = &header, .header_count = 1};
	belay_http_reply *reply;

	assert_int_equal(ask(&following, call, path, &reply), 0);
	snprintf(seen, size, "%s", belay_http_reply_header(reply, "X-Secret"));
	belay_http_reply_end(reply);
	return seen;
}

static void secrets_go_no_further_than_the_origin(void **state)
{
	char seen[64];

	assert_string_equal(secret_seen_at("/302/to", seen, sizeof seen), "Bearer x");
	assert_string_equal(secret_seen_at("/far/to", seen, sizeof seen), "none");
}

static void a_redirect_to_another_protocol_is_not_followed(void **state)
{
	belay_http_reply *reply;

	assert_int_equal(ask(&following, no_body, "/302file:///etc/passwd", &reply),
			 -EPROTONOSUPPORT);
}

BELAY_TEST_MAIN(cmocka_unit_test(without_the_option_a_redirect_is_a_reply),
		cmocka_unit_test(a_redirect_keeps_or_drops_the_method_by_its_status),
		cmocka_unit_test(the_reply_knows_where_it_came_from),
		cmocka_unit_test(redirects_reuse_the_connection),
		cmocka_unit_test(more_redirects_than_allowed_are_ELOOP),
		cmocka_unit_test(secrets_go_no_further_than_the_origin),
		cmocka_unit_test(a_redirect_to_another_protocol_is_not_followed))
