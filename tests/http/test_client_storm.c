/* SPDX-License-Identifier: MIT
 *
 * test_client_storm.c - many exchanges at once, cancelled at random: none hangs, none is mistaken
 * for another, nothing is left (which check.h judges: contexts, threads, descriptors).
 */
#include "client_peer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { TASKS = 64, THREADS = 8, ROUNDS = 30, BODY = 100 << 10 };

struct storm {
	belay_http_client *client;
	const char *url;
	belay_wg wg;
	atomic_uint whole, cut, wrong;
};

struct rider {
	struct storm *storm;
	unsigned seed;
};

/* Answers "/n" with a body of which each byte is n, in pieces; the client may go at any moment. */
static void answer(struct peer *peer, int fd)
{
	struct peer_request *request = malloc(sizeof *request);
	char *body = malloc(BODY);
	char head[100];

	while (peer_read(peer, fd, request)) {
		memset(body, atoi(request->path + 1), BODY);
		snprintf(head, sizeof head, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", BODY);
		if (!peer_send(fd, head) || !peer_send_bytes(fd, body, BODY))
			break;
	}
	free(body);
	free(request);
}

/* The whole body with the right bytes, or the context's error: nothing else may happen. */
static void judge(struct rider *rider, int err, const char *data, size_t size, int byte)
{
	struct storm *storm = rider->storm;

	if (err == -ECANCELED || err == -ETIME)
		atomic_fetch_add(&storm->cut, 1);
	else if (err == 0 && size == BODY && data[0] == byte && data[BODY - 1] == byte)
		atomic_fetch_add(&storm->whole, 1);
	else
		atomic_fetch_add(&storm->wrong, 1);
}

static int exchange(belay_ctx *ctx, struct rider *rider, int byte, bool read_it, char **data,
		    size_t *size)
{
	belay_http_reply *reply;
	char url[100];
	int err;

	snprintf(url, sizeof url, "%s/%d", rider->storm->url, byte);
	err = belay_http_get(ctx, rider->storm->client, url, &reply);
	if (err)
		return err;
	err = read_it ? belay_http_reply_read_all(ctx, reply, BODY, data, size) : -ECANCELED;
	belay_http_reply_end(reply);
	return err;
}

/* Cancelled before, by the clock at a random moment, or not; or not read at all. */
static void ride_once(struct rider *rider)
{
	unsigned r = (unsigned)rand_r(&rider->seed);
	int64_t brief = BELAY_US(rand_r(&rider->seed) % 3000);
	belay_ctx *ctx = r % 4 == 0 ? check_live(belay_with_timeout(belay_background(), brief))
				    : check_live(belay_with_cancel(belay_background()));
	char *data = NULL;
	size_t size = 0;
	int byte = (int)(r >> 8) % 100, err;

	if (r % 16 == 1)
		belay_cancel(ctx);
	err = exchange(ctx, rider, byte, r % 8 != 2, &data, &size);
	judge(rider, err, data, size, byte);
	free(data);
	belay_end(ctx);
}

static void ride(belay_ctx *ctx, void *arg)
{
	struct rider *rider = arg;

	(void)ctx;
	for (int i = 0; i < ROUNDS; i++)
		ride_once(rider);
	belay_wg_done(&rider->storm->wg);
}

static void *ride_on_a_thread(void *rider)
{
	ride(NULL, rider);
	return NULL;
}

static void cancelled_at_random_each_exchange_is_whole_or_cut(void **state)
{
	struct storm storm = {.client = peer_client(NULL), .wg = BELAY_WG_INIT};
	struct rider riders[TASKS + THREADS];
	pthread_t threads[THREADS];
	struct peer peer;

	peer_start(&peer, answer, NULL);
	storm.url = peer.url;
	belay_wg_add(&storm.wg, TASKS + THREADS);
	for (unsigned i = 0; i < TASKS + THREADS; i++)
		riders[i] = (struct rider){&storm, i + 1};
	for (int i = 0; i < TASKS; i++)
		assert_int_equal(belay_go(belay_background(), ride, &riders[i]), 0);
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, ride_on_a_thread,
						&riders[TASKS + i]),
				 0);
	assert_int_equal(belay_wg_wait(belay_background(), &storm.wg), 0);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(atomic_load(&storm.wrong), 0);
	assert_int_equal(atomic_load(&storm.whole) + atomic_load(&storm.cut),
			 (TASKS + THREADS) * ROUNDS);
	assert_true(atomic_load(&storm.whole) > 0);
	assert_true(atomic_load(&storm.cut) > 0);
	belay_http_client_close(storm.client);
	peer_stop(&peer);
}

/* ---- All at once ----------------------------------------------------------------------------- */

static void say_nothing(struct peer *peer, int fd)
{
	struct peer_request *request = malloc(sizeof *request);

	peer_read(peer, fd, request);
	peer_await_end(fd);
	free(request);
}

struct waiting {
	struct storm *storm;
	int result;
};

static void wait_for_nothing(belay_ctx *ctx, void *arg)
{
	struct waiting *waiting = arg;
	belay_http_reply *reply;

	waiting->result = belay_http_get(ctx, waiting->storm->client, waiting->storm->url, &reply);
	belay_wg_done(&waiting->storm->wg);
}

/* One context, a child for each: one cancellation ends all, each closes its connection. */
static void one_cancellation_ends_many_exchanges(void **state)
{
	enum { MANY = 200 };
	struct storm storm = {.client = peer_client(NULL), .wg = BELAY_WG_INIT};
	belay_ctx *ctx = check_live(belay_with_cancel(belay_background()));
	struct waiting waiting[MANY];
	struct peer peer;

	check_needs_memory(); /* for the peer to be asked at all */
	peer_start(&peer, say_nothing, NULL);
	storm.url = peer.url;
	belay_wg_add(&storm.wg, MANY);
	for (int i = 0; i < MANY; i++) {
		waiting[i] = (struct waiting){.storm = &storm};
		assert_int_equal(belay_go(ctx, wait_for_nothing, &waiting[i]), 0);
	}
	assert_true(check_until(atomic_load(&peer.requests) == MANY));
	belay_cancel(ctx);
	assert_int_equal(belay_wg_wait(belay_background(), &storm.wg), 0);
	for (int i = 0; i < MANY; i++)
		assert_int_equal(waiting[i].result, -ECANCELED);
	belay_end(ctx);
	belay_http_client_close(storm.client);
	peer_stop(&peer);
}

BELAY_TEST_MAIN(cmocka_unit_test(cancelled_at_random_each_exchange_is_whole_or_cut),
		cmocka_unit_test(one_cancellation_ends_many_exchanges))
