/* SPDX-License-Identifier: MIT
 *
 * test_client_body.c - bodies that are larger than what waits in memory.
 */
#include "client_peer.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum { LARGE = 24 << 20, PIECE = 64 << 10 };

/* What a large body has at each place, so that a lost, doubled or moved byte is seen. */
static unsigned char byte_at(size_t i)
{
	return (unsigned char)(i * 2654435761u >> 13 ^ i);
}

/* What the peer has got rid of, whether it was ever held back, and whether the client has left. */
struct flow {
	atomic_size_t sent;
	atomic_bool held_back, left;
};

/* Sends what the socket takes; where it takes nothing for a while the peer is held back. */
static bool send_piece(struct flow *flow, int fd, const unsigned char *bytes, size_t size)
{
	while (size > 0) {
		ssize_t n = send(fd, bytes, size, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && errno == EAGAIN) {
			if (poll(&(struct pollfd){fd, POLLOUT, 0}, 1, 300) == 0)
				atomic_store(&flow->held_back, true);
			continue;
		}
		if (n < 0)
			return false;
		atomic_fetch_add(&flow->sent, (size_t)n);
		bytes += n;
		size -= (size_t)n;
	}
	return true;
}

static void send_large(struct peer *peer, int fd)
{
	unsigned char *piece = malloc(PIECE);
	struct peer_request request;

	while (peer_read(peer, fd, &request)) {
		char head[100];

		snprintf(head, sizeof head, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", LARGE);
		peer_send(fd, head);
		for (size_t at = 0; at < LARGE; at += PIECE) {
			for (size_t i = 0; i < PIECE; i++)
				piece[i] = byte_at(at + i);
			if (!send_piece(peer->arg, fd, piece, PIECE))
				break;
		}
	}
	free(piece);
	atomic_store(&((struct flow *)peer->arg)->left, true);
}

/* How many of the bytes read are not what they must be at that place. */
static size_t read_and_compare(belay_http_reply *reply, size_t buf_size, size_t *ret_size)
{
	unsigned char *buf = malloc(buf_size);
	size_t wrong = 0, at = 0;
	ssize_t n;

	while ((n = belay_http_reply_read(belay_background(), reply, buf, buf_size)) > 0) {
		for (ssize_t i = 0; i < n; i++)
			wrong += buf[i] != byte_at(at + (size_t)i);
		at += (size_t)n;
	}
	free(buf);
	*ret_size = n < 0 ? 0 : at;
	return wrong;
}

static void a_large_body_arrives_whole(void **state)
{
	static const size_t sizes[] = {1000, 16 << 10, 1 << 20};
	belay_http_client *client = peer_client(NULL);
	struct flow flow = {0};
	belay_http_reply *reply;
	struct peer peer;
	size_t size;

	peer_start(&peer, send_large, &flow);
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		assert_int_equal(belay_http_get(belay_background(), client, peer.url, &reply), 0);
		assert_int_equal(read_and_compare(reply, sizes[i], &size), 0);
		assert_int_equal(size, LARGE);
		belay_http_reply_end(reply);
	}
	assert_int_equal(atomic_load(&peer.connections), 1);
	belay_http_client_close(client);
	peer_stop(&peer);
}

/* Or it can't be any more, since the client has left. */
static bool is_held_back(struct flow *flow)
{
	return check_until(atomic_load(&flow->held_back) || atomic_load(&flow->left)) &&
	       atomic_load(&flow->held_back);
}

/* What fits into both sockets' buffers and ours is far less than all. */
static void a_peer_that_is_not_read_from_is_held_back(void **state)
{
	belay_http_client *client = peer_client(NULL);
	struct flow flow = {0};
	belay_http_reply *reply;
	struct peer peer;
	size_t size;

	peer_start(&peer, send_large, &flow);
	assert_int_equal(belay_http_get(belay_background(), client, peer.url, &reply), 0);
	assert_true(is_held_back(&flow));
	assert_true(atomic_load(&flow.sent) < LARGE);
	assert_int_equal(read_and_compare(reply, 10000, &size), 0);
	assert_int_equal(size, LARGE);
	belay_http_reply_end(reply);
	belay_http_client_close(client);
	peer_stop(&peer);
}

/* One that is held back keeps no other waiting. */
static void an_exchange_that_is_held_back_holds_up_no_other(void **state)
{
	belay_http_client *client = peer_client(NULL);
	struct flow flow = {0};
	belay_http_reply *idle, *reply;
	struct peer peer;
	size_t size;

	peer_start(&peer, send_large, &flow);
	assert_int_equal(belay_http_get(belay_background(), client, peer.url, &idle), 0);
	assert_true(is_held_back(&flow));
	assert_int_equal(belay_http_get(belay_background(), client, peer.url, &reply), 0);
	assert_int_equal(read_and_compare(reply, 1 << 16, &size), 0);
	assert_int_equal(size, LARGE);
	belay_http_reply_end(reply);
	belay_http_reply_end(idle);
	belay_http_client_close(client);
	peer_stop(&peer);
}

static void a_reply_ended_while_it_is_held_back_lets_its_peer_go(void **state)
{
	belay_http_client *client = peer_client(NULL);
	struct flow flow = {0};
	belay_http_reply *reply;
	struct peer peer;

	peer_start(&peer, send_large, &flow);
	assert_int_equal(belay_http_get(belay_background(), client, peer.url, &reply), 0);
	assert_true(is_held_back(&flow));
	belay_http_reply_end(reply);
	assert_true(check_until(atomic_load(&flow.left)));
	assert_true(atomic_load(&flow.sent) < LARGE);
	belay_http_client_close(client);
	peer_stop(&peer);
}

/* ---- Reading it all -------------------------------------------------------------------------- */

static void say_ten_bytes(struct peer *peer, int fd)
{
	struct peer_request request;

	while (peer_read(peer, fd, &request))
		peer_reply(fd, "0123456789");
}

static int read_all_limited(size_t limit)
{
	belay_http_client *client = peer_client(NULL);
	belay_http_reply *reply;
	char *data = NULL;
	struct peer peer;
	size_t size = 0;
	int err;

	peer_start(&peer, say_ten_bytes, NULL);
	assert_int_equal(belay_http_get(belay_background(), client, peer.url, &reply), 0);
	err = belay_http_reply_read_all(belay_background(), reply, limit, &data, &size);
	if (err == 0) {
		assert_int_equal(size, 10);
		assert_string_equal(data, "0123456789");
		free(data);
	} else {
		assert_null(data);
		assert_int_equal(size, 0);
	}
	belay_http_reply_end(reply);
	belay_http_client_close(client);
	peer_stop(&peer);
	return err;
}

static void reading_all_takes_up_to_the_limit(void **state)
{
	assert_int_equal(read_all_limited(10), 0);
	assert_int_equal(read_all_limited(SIZE_MAX), 0);
}

static void reading_all_of_more_than_the_limit_is_EMSGSIZE(void **state)
{
	assert_int_equal(read_all_limited(9), -EMSGSIZE);
	assert_int_equal(read_all_limited(0), -EMSGSIZE);
}

static void a_large_body_is_read_all_at_once(void **state)
{
	belay_http_client *client = peer_client(NULL);
	struct flow flow = {0};
	belay_http_reply *reply;
	size_t size = 0, wrong = 0;
	struct peer peer;
	char *data = NULL;

	peer_start(&peer, send_large, &flow);
	assert_int_equal(belay_http_get(belay_background(), client, peer.url, &reply), 0);
	assert_int_equal(belay_http_reply_read_all(belay_background(), reply, LARGE, &data, &size),
			 0);
	assert_int_equal(size, LARGE);
	for (size_t i = 0; i < size; i++)
		wrong += (unsigned char)data[i] != byte_at(i);
	assert_int_equal(wrong, 0);
	free(data);
	belay_http_reply_end(reply);
	belay_http_client_close(client);
	peer_stop(&peer);
}

BELAY_TEST_MAIN(cmocka_unit_test(a_large_body_arrives_whole),
		cmocka_unit_test(a_peer_that_is_not_read_from_is_held_back),
		cmocka_unit_test(an_exchange_that_is_held_back_holds_up_no_other),
		cmocka_unit_test(a_reply_ended_while_it_is_held_back_lets_its_peer_go),
		cmocka_unit_test(reading_all_takes_up_to_the_limit),
		cmocka_unit_test(reading_all_of_more_than_the_limit_is_EMSGSIZE),
		cmocka_unit_test(a_large_body_is_read_all_at_once))
