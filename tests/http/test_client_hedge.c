/* SPDX-License-Identifier: MIT
 *
 * test_client_hedge.c - hedged requests: a second one where the first has not answered in time, the
 * first answer wins, the loser is cancelled and its connection closed.
 */
#include "client_peer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Reads a request, and waits until its client has gone. */
static void never_answer(struct peer *peer, int fd)
{
	struct peer_request *request = malloc(sizeof *request);
	atomic_bool *gone = peer->arg;

	if (peer_read(peer, fd, request)) {
		peer_await_end(fd);
		atomic_store(gone, true);
	}
	free(request);
}

static void answer(struct peer *peer, int fd)
{
	struct peer_request *request = malloc(sizeof *request);

	while (peer_read(peer, fd, request))
		peer_reply(fd, "answer");
	free(request);
}

struct ask {
	belay_http_client *client;
	const char *url;
	char *body;
	int err;
};

/* The body too: the context of a try ends with it. */
static int ask(belay_ctx *ctx, void *arg)
{
	struct ask *ask = arg;
	belay_http_reply *reply;

	ask->err = belay_http_get(ctx, ask->client, ask->url, &reply);
	if (ask->err == 0) {
		ask->err = belay_http_reply_read_all(ctx, reply, 1000, &ask->body, NULL);
		belay_http_reply_end(reply);
	}
	return ask->err;
}

static void the_first_answer_wins_and_the_loser_s_connection_is_closed(void **state)
{
	belay_http_client *client = peer_client(NULL);
	atomic_bool gone = false;
	struct peer slow, quick;
	struct ask asks[2] = {{.client = client}, {.client = client}};
	void *const args[] = {&asks[0], &asks[1]};

	peer_start(&slow, never_answer, &gone);
	peer_start(&quick, answer, NULL);
	asks[0].url = slow.url;
	asks[1].url = quick.url;
	assert_int_equal(belay_first(belay_background(), ask, args, 2, BELAY_MS(50)), 1);
	assert_int_equal(asks[0].err, -ECANCELED);
	assert_string_equal(asks[1].body, "answer");
	assert_true(check_until(atomic_load(&gone)));
	free(asks[1].body);
	belay_http_client_close(client);
	peer_stop(&slow);
	peer_stop(&quick);
}

static void one_that_answers_in_time_is_asked_alone(void **state)
{
	belay_http_client *client = peer_client(NULL);
	struct peer first, second;
	struct ask asks[2] = {{.client = client}, {.client = client}};
	void *const args[] = {&asks[0], &asks[1]};

	peer_start(&first, answer, NULL);
	peer_start(&second, answer, NULL);
	asks[0].url = first.url;
	asks[1].url = second.url;
	assert_int_equal(belay_first(belay_background(), ask, args, 2, BELAY_S(60)), 0);
	assert_string_equal(asks[0].body, "answer");
	assert_int_equal(atomic_load(&second.requests), 0);
	free(asks[0].body);
	belay_http_client_close(client);
	peer_stop(&first);
	peer_stop(&second);
}

static void one_that_fails_is_followed_at_once(void **state)
{
	belay_http_client *client = peer_client(NULL);
	struct peer dead, second;
	struct ask asks[2] = {{.client = client}, {.client = client}};
	void *const args[] = {&asks[0], &asks[1]};

	peer_start(&dead, answer, NULL);
	peer_stop(&dead);
	peer_start(&second, answer, NULL);
	asks[0].url = dead.url;
	asks[1].url = second.url;
	assert_int_equal(belay_first(belay_background(), ask, args, 2, BELAY_S(60)), 1);
	assert_int_equal(asks[0].err, -ECONNREFUSED);
	free(asks[1].body);
	belay_http_client_close(client);
	peer_stop(&second);
}

BELAY_TEST_MAIN(cmocka_unit_test(the_first_answer_wins_and_the_loser_s_connection_is_closed),
		cmocka_unit_test(one_that_answers_in_time_is_asked_alone),
		cmocka_unit_test(one_that_fails_is_followed_at_once))
