/* SPDX-License-Identifier: MIT
 *
 * test_client_names.c - host names, under the context and without holding anybody up.
 *
 * The program brings its own getaddrinfo(3), which stands in for the C library's in every library
 * that it loads: names under .test are answered here.
 */
#include "client_peer.h"

#include <dlfcn.h>
#include <errno.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>

/* ---- The resolver ---------------------------------------------------------------------------- */

typedef int resolver(const char *host, const char *service, const struct addrinfo *hints,
		     struct addrinfo **ret);

static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER; /* held: slow.test gets no answer */
static atomic_uint asked, answered;

BELAY_EXPORT resolver getaddrinfo;

static resolver *c_library(void)
{
	resolver *fn;
	void *found = dlsym(RTLD_NEXT, "getaddrinfo");

	memcpy(&fn, &found, sizeof fn);
	return fn;
}

/* 127.0.0.2, where nobody listens, before 127.0.0.1, where the peer does. */
static int answer_two(const char *service, const struct addrinfo *hints, struct addrinfo **ret)
{
	struct addrinfo *first, *second;
	int err = c_library()("127.0.0.2", service, hints, &first);

	if (err)
		return err;
	err = c_library()("127.0.0.1", service, hints, &second);
	if (err) {
		freeaddrinfo(first);
		return err;
	}
	first->ai_next = second;
	*ret = first;
	return 0;
}

int getaddrinfo(const char *host, const char *service, const struct addrinfo *hints,
		struct addrinfo **ret)
{
	if (!host || !strstr(host, ".test") || (hints && hints->ai_flags & AI_NUMERICHOST))
		return c_library()(host, service, hints, ret);
	atomic_fetch_add(&asked, 1);
	if (strcmp(host, "slow.test") == 0) {
		pthread_mutex_lock(&gate);
		pthread_mutex_unlock(&gate);
	}
	atomic_fetch_add(&answered, 1);
	if (strcmp(host, "none.test") == 0)
		return EAI_NONAME;
	if (strcmp(host, "later.test") == 0)
		return EAI_AGAIN;
	if (strcmp(host, "two.test") == 0)
		return answer_two(service, hints, ret);
	return c_library()("127.0.0.1", service, hints, ret);
}

/* ---- Tests ----------------------------------------------------------------------------------- */

static void answer(struct peer *peer, int fd)
{
	struct peer_request request;
	char host[100];

	while (peer_read(peer, fd, &request))
		peer_reply(fd, peer_header(&request, "Host", host, sizeof host) ? host : "");
}

static int get(belay_ctx *ctx, belay_http_client *client, const struct peer *peer,
	       const char *host)
{
	belay_http_reply *reply;
	char url[100], *body;
	int err;

	snprintf(url, sizeof url, "http://%s:%d/", host, peer->port);
	err = belay_http_get(ctx, client, url, &reply);
	if (err)
		return err;
	assert_int_equal(belay_http_reply_read_all(ctx, reply, 1000, &body, NULL), 0);
	assert_memory_equal(body, host, strlen(host));
	free(body);
	belay_http_reply_end(reply);
	return 0;
}

static void *cancel_once_asked(void *ctx)
{
	check_until(atomic_load(&asked) > 0);
	belay_cancel(ctx);
	return NULL;
}

/* semantics 5.1 */
static void the_context_covers_the_name_look_up(void **state)
{
	belay_http_client *client = peer_client(NULL);
	belay_ctx *ctx = check_live(belay_with_cancel(belay_background()));
	pthread_t canceller;
	struct peer peer;

	check_needs_memory(); /* for a second thread to ask while the first waits */
	peer_start(&peer, answer, NULL);
	atomic_store(&asked, 0);
	atomic_store(&answered, 0);
	pthread_mutex_lock(&gate);
	pthread_create(&canceller, NULL, cancel_once_asked, ctx);
	assert_int_equal(get(ctx, client, &peer, "slow.test"), -ECANCELED);
	assert_int_equal(atomic_load(&answered), 0);
	assert_int_equal(get(belay_background(), client, &peer, "fast.test"), 0);
	belay_http_client_close(client);
	assert_int_equal(atomic_load(&answered), 1);
	pthread_mutex_unlock(&gate);
	assert_true(check_until(atomic_load(&answered) == 2));
	pthread_join(canceller, NULL);
	belay_end(ctx);
	peer_stop(&peer);
}

static void a_name_that_is_not_there_is_ENOENT(void **state)
{
	belay_http_client *client = peer_client(NULL);
	struct peer peer;

	peer_start(&peer, answer, NULL);
	assert_int_equal(get(belay_background(), client, &peer, "none.test"), -ENOENT);
	assert_int_equal(get(belay_background(), client, &peer, "later.test"), -EHOSTUNREACH);
	assert_int_equal(atomic_load(&peer.connections), 0);
	belay_http_client_close(client);
	peer_stop(&peer);
}

static void words_for(belay_http_client *client, const char *url, char *text, size_t size)
{
	const struct belay_http_call call = {.url = url, .error = text, .error_size = size};
	belay_http_reply *reply = NULL;

	belay_http_send(belay_background(), client, &call, &reply);
	assert_null(reply);
}

static void a_name_that_is_not_there_is_named(void **state)
{
	belay_http_client *client = peer_client(NULL);
	char text[100] = "";

	words_for(client, "http://none.test/", text, sizeof text);
	assert_string_equal(text, "no such host: none.test");
	words_for(client, "http://later.test/", text, sizeof text);
	assert_string_equal(text, "the host can't be looked up for now: later.test");
	belay_http_client_close(client);
}

static void a_name_is_looked_up_once_for_many_requests(void **state)
{
	belay_http_client *client = peer_client(NULL);
	struct peer peer;

	peer_start(&peer, answer, NULL);
	atomic_store(&asked, 0);
	for (int i = 0; i < 5; i++)
		assert_int_equal(get(belay_background(), client, &peer, "Fast.test"), 0);
	assert_int_equal(get(belay_background(), client, &peer, "fast.TEST"), 0);
	assert_int_equal(atomic_load(&asked), 1);
	assert_int_equal(atomic_load(&peer.connections), 1);
	belay_http_client_close(client);
	peer_stop(&peer);
}

static void addresses_that_do_not_answer_are_forgotten(void **state)
{
	belay_http_client *client = peer_client(NULL);
	struct peer peer;

	peer_start(&peer, answer, NULL);
	peer_stop(&peer);
	atomic_store(&asked, 0);
	assert_int_equal(get(belay_background(), client, &peer, "fast.test"), -ECONNREFUSED);
	assert_int_equal(get(belay_background(), client, &peer, "fast.test"), -ECONNREFUSED);
	assert_int_equal(atomic_load(&asked), 2);
	belay_http_client_close(client);
}

static void the_next_address_is_tried_where_one_refuses(void **state)
{
	belay_http_client *client = peer_client(NULL);
	struct peer peer;

	peer_start(&peer, answer, NULL);
	assert_int_equal(get(belay_background(), client, &peer, "two.test"), 0);
	belay_http_client_close(client);
	peer_stop(&peer);
}

/* As many as the table has places, and more. */
static void many_names_are_all_reached(void **state)
{
	belay_http_client *client = peer_client(NULL);
	struct peer peer;
	char host[32];

	peer_start(&peer, answer, NULL);
	for (int i = 0; i < 200; i++) {
		snprintf(host, sizeof host, "h%d.test", i);
		assert_int_equal(get(belay_background(), client, &peer, host), 0);
	}
	belay_http_client_close(client);
	peer_stop(&peer);
}

static void addresses_are_not_looked_up(void **state)
{
	belay_http_client *client = peer_client(NULL);
	struct peer peer;
	int err;

	peer_start(&peer, answer, NULL);
	assert_int_equal(get(belay_background(), client, &peer, "127.0.0.1"), 0);
	err = get(belay_background(), client, &peer, "[::1]");
	assert_true(err == -ECONNREFUSED || err == -EADDRNOTAVAIL); /* without IPv6 */
	belay_http_client_close(client);
	peer_stop(&peer);
}

static void a_name_may_end_with_a_dot(void **state)
{
	belay_http_client *client = peer_client(NULL);
	struct peer peer;

	peer_start(&peer, answer, NULL);
	assert_int_equal(get(belay_background(), client, &peer, "fast.test."), 0);
	assert_int_equal(get(belay_background(), client, &peer, "localhost"), 0);
	belay_http_client_close(client);
	peer_stop(&peer);
}

static void read_and_close(struct peer *peer, int fd)
{
	struct peer_request request;

	peer_read(peer, fd, &request);
}

/* Nor is it a reason to say that nothing was sent. */
static void what_the_first_address_said_is_not_the_second_s_error(void **state)
{
	belay_http_client *client = peer_client(NULL);
	belay_http_reply *reply = NULL;
	struct peer peer;
	char url[64];

	peer_start(&peer, read_and_close, NULL);
	snprintf(url, sizeof url, "http://two.test:%d/", peer.port);
	assert_int_equal(belay_http_get(belay_background(), client, url, &reply), -ECONNRESET);
	assert_int_equal(atomic_load(&peer.requests), 1);
	belay_http_client_close(client);
	peer_stop(&peer);
}

BELAY_TEST_MAIN(cmocka_unit_test(what_the_first_address_said_is_not_the_second_s_error),
		cmocka_unit_test(the_context_covers_the_name_look_up),
		cmocka_unit_test(a_name_that_is_not_there_is_ENOENT),
		cmocka_unit_test(a_name_that_is_not_there_is_named),
		cmocka_unit_test(a_name_is_looked_up_once_for_many_requests),
		cmocka_unit_test(addresses_that_do_not_answer_are_forgotten),
		cmocka_unit_test(the_next_address_is_tried_where_one_refuses),
		cmocka_unit_test(many_names_are_all_reached),
		cmocka_unit_test(addresses_are_not_looked_up),
		cmocka_unit_test(a_name_may_end_with_a_dot))
