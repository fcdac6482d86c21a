/* SPDX-License-Identifier: MIT
 *
 * test_stream.c - bytes through TLS: many at once, both ways at once, ended, cut off, cancelled.
 */
#include "check_oom.h"
#include "sides_test.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdlib.h>

/* ---- Streams of numbers ---------------------------------------------------------------------- */

enum { STREAM = 3 << 20 };

static unsigned char byte_at(size_t index)
{
	return (unsigned char)(index * 7 + (index >> 9));
}

struct stream {
	belay_conn *conn;
	size_t size;
};

/* In writes of all sizes, some of several parts. */
static void send_stream(belay_ctx *ctx, void *arg)
{
	const struct stream *stream = arg;
	unsigned char *bytes = malloc(stream->size);
	size_t sent = 0, step = 1;

	for (size_t i = 0; i < stream->size; i++)
		bytes[i] = byte_at(i);
	while (sent < stream->size) {
		size_t part = step < stream->size - sent ? step : stream->size - sent;
		struct iovec iov[] = {{bytes + sent, part / 3},
				      {NULL, 0},
				      {bytes + sent + part / 3, part - part / 3}};
		size_t written;

		if (!check(belay_conn_writev(ctx, stream->conn, iov, 3, &written) == 0) ||
		    !check(written == part))
			break;
		sent += part;
		step = step * 3 % 100003;
	}
	free(bytes);
}

static void receive_stream(belay_ctx *ctx, void *arg)
{
	const struct stream *stream = arg;
	unsigned char buf[5000];
	size_t got = 0;

	while (got < stream->size) {
		size_t left = stream->size - got;
		ssize_t n = belay_conn_read(ctx, stream->conn, buf,
					    left < sizeof buf ? left : sizeof buf);

		if (!check(n > 0))
			return;
		for (ssize_t i = 0; i < n; i++)
			if (buf[i] != byte_at(got + (size_t)i)) {
				check(!"the stream is as it was sent");
				return;
			}
		got += (size_t)n;
	}
}

static void large_streams_go_both_ways_at_once(void **state)
{
	struct pair pair = tls_pair(&sides);
	struct stream a = {pair.a, STREAM}, b = {pair.b, STREAM};
	struct aside others[3];

	aside_start(&others[0], belay_background(), send_stream, &a);
	aside_start(&others[1], belay_background(), receive_stream, &a);
	aside_start(&others[2], belay_background(), send_stream, &b);
	receive_stream(belay_background(), &b);
	for (int i = 0; i < 3; i++)
		aside_join(&others[i]);
	close_pair(pair);
}

/* Reader and writer begin at once, on both sides: each may be the one to make the handshake. */
static void whoever_comes_first_makes_the_handshake(void **state)
{
	for (int round = 0; round < 20; round++) {
		struct pair pair = tcp_pair();
		struct stream a = {pair.a, 5000}, b = {pair.b, 5000};
		struct aside others[2];

		check(belay_tls_accept(sides.server, pair.b) == 0);
		aside_start(&others[0], belay_background(), send_stream, &b);
		aside_start(&others[1], belay_background(), receive_stream, &b);
		check(belay_tls_connect(belay_background(), sides.client, pair.a, "localhost",
					NULL) == 0);
		send_stream(belay_background(), &a);
		receive_stream(belay_background(), &a);
		aside_join(&others[0]);
		aside_join(&others[1]);
		close_pair(pair);
	}
}

/* ---- Ends ------------------------------------------------------------------------------------ */

static void half_close(belay_ctx *ctx, void *arg)
{
	struct pair pair = tls_pair(&sides);
	char buf[8];

	check(belay_conn_write(ctx, pair.a, "last", 4, NULL) == 0);
	check(belay_conn_finish(ctx, pair.a) == 0);
	check(belay_conn_read(ctx, pair.b, buf, sizeof buf) == 4);
	check(belay_conn_read(ctx, pair.b, buf, sizeof buf) == 0);
	check(belay_conn_read(ctx, pair.b, buf, sizeof buf) == 0);
	check(belay_conn_write(ctx, pair.b, "answer", 6, NULL) == 0);
	check(belay_conn_shutdown(pair.b) == 0);
	check(belay_conn_read(ctx, pair.a, buf, sizeof buf) == 6);
	check(belay_conn_read(ctx, pair.a, buf, sizeof buf) == 0);
	check(belay_conn_write(ctx, pair.a, "x", 1, NULL) == -EPIPE);
	close_pair(pair);
}

static void one_side_may_end_and_the_other_go_on(void **state)
{
	from_both(half_close, NULL);
}

static void a_close_is_the_end_of_the_stream(void **state)
{
	struct pair pair = tls_pair(&sides);
	char byte;

	belay_conn_close(pair.a);
	assert_int_equal(belay_conn_read(belay_background(), pair.b, &byte, 1), 0);
	belay_conn_close(pair.b);
}

/* Its word has been read by then, and is not to be taken for what came of the write. */
static void write_to_one_who_has_gone(belay_ctx *ctx, void *arg)
{
	BELAY_SCOPED belay_ctx *timed = belay_with_timeout(ctx, BELAY_S(10));
	struct pair pair = tls_unix_pair(&sides);
	char byte;

	belay_conn_close(pair.a);
	check(belay_conn_read(timed, pair.b, &byte, 1) == 0);
	check(belay_conn_write(timed, pair.b, "x", 1, NULL) == -EPIPE);
	check(belay_conn_write(timed, pair.b, "x", 1, NULL) == -EPIPE);
	belay_conn_close(pair.b);
}

static void a_write_to_a_peer_that_has_ended_and_gone_fails(void **state)
{
	from_both(write_to_one_who_has_gone, NULL);
}

/* Whoever cuts the line must not be able to pass it off as the end. */
static void a_stream_that_is_cut_off_is_ECONNRESET(void **state)
{
	struct pair pair = tls_pair(&sides);
	struct belay_tls_error error;
	char byte;

	assert_int_equal(shutdown(belay_conn_fd(pair.a), SHUT_WR), 0);
	assert_int_equal(belay_conn_read(belay_background(), pair.b, &byte, 1), -ECONNRESET);
	belay_tls_error_of(pair.b, &error);
	assert_string_not_equal(error.text, "");
	close_pair(pair);
}

static void garbage_from_the_wire_breaks_the_connection(void **state)
{
	struct pair pair = tls_pair(&sides);
	char byte;

	assert_int_equal(send(belay_conn_fd(pair.a), "\x17\x03\x03\x00\x20"
			      "12345678901234567890123456789012", 37, 0),
			 37);
	assert_int_equal(belay_conn_read(belay_background(), pair.b, &byte, 1), -EPROTO);
	assert_int_equal(belay_conn_write(belay_background(), pair.b, "x", 1, NULL), -EPROTO);
	close_pair(pair);
}

/* ---- Contexts -------------------------------------------------------------------------------- */

static void cancel_a_read(belay_ctx *ctx, void *arg)
{
	struct pair pair = tls_pair(&sides);
	struct canceller canceller = {belay_with_cancel(ctx), belay_conn_fd(pair.b), EPOLLIN};
	struct aside aside;
	char buf[8];

	aside_start(&aside, ctx, cancel_when_waited_for, &canceller);
	check(belay_conn_read(canceller.ctx, pair.b, buf, sizeof buf) == -ECANCELED);
	aside_join(&aside);
	check(belay_conn_write(ctx, pair.a, "more", 4, NULL) == 0);
	check(belay_conn_read(canceller.ctx, pair.b, buf, sizeof buf) == -ECANCELED);
	check(belay_conn_read(ctx, pair.b, buf, sizeof buf) == 4);
	belay_end(canceller.ctx);
	close_pair(pair);
}

static void a_cancelled_read_loses_nothing(void **state)
{
	from_both(cancel_a_read, NULL);
}

/* As many bytes as the sockets don't hold, from one that nobody reads. */
enum { TOO_MUCH = 8 << 20 };

/* Once the socket has been full for a while: nobody reads, so nothing will change that. */
static void cancel_when_stuck(belay_ctx *ctx, void *arg)
{
	struct canceller *canceller = arg;
	int err;

	do {
		BELAY_SCOPED belay_ctx *full = belay_with_timeout(ctx, BELAY_MS(50));

		err = belay_wait_fd(full, canceller->fd, BELAY_WRITABLE);
	} while (err > 0);
	check(err == -ETIME);
	belay_cancel(canceller->ctx);
}

static size_t write_until_cancelled(belay_ctx *ctx, belay_conn *conn, const unsigned char *bytes)
{
	struct canceller canceller = {belay_with_cancel(ctx), belay_conn_fd(conn), EPOLLOUT};
	struct aside aside;
	size_t written = 0;

	aside_start(&aside, ctx, cancel_when_stuck, &canceller);
	check(belay_conn_write(canceller.ctx, conn, bytes, TOO_MUCH, &written) == -ECANCELED);
	aside_join(&aside);
	belay_end(canceller.ctx);
	return written;
}

static void cancel_a_write(belay_ctx *ctx, void *arg)
{
	struct pair pair = tls_unix_pair(&sides);
	unsigned char *bytes = malloc(TOO_MUCH);
	struct stream stream = {pair.b, 0};
	struct aside aside;

	for (size_t i = 0; i < TOO_MUCH; i++)
		bytes[i] = byte_at(i);
	stream.size = write_until_cancelled(ctx, pair.a, bytes);
	check(stream.size > 0 && stream.size < TOO_MUCH);
	check(belay_conn_shutdown(pair.a) == -EAGAIN); /* no room for its word either */
	stream.size += 1000;
	aside_start(&aside, ctx, receive_stream, &stream);
	check(belay_conn_write(ctx, pair.a, bytes + stream.size - 1000, 1000, NULL) == 0);
	check(belay_conn_finish(ctx, pair.a) == 0);
	aside_join(&aside);
	check(belay_conn_read(ctx, pair.b, bytes, 1) == 0);
	free(bytes);
	close_pair(pair);
}

static void after_a_cancelled_write_the_stream_goes_on_where_it_is_said_to_stop(void **state)
{
	from_both(cancel_a_write, NULL);
}

static void cancel_the_last_word(belay_ctx *ctx, void *arg)
{
	struct pair pair = tls_unix_pair(&sides);
	struct canceller canceller = {belay_with_cancel(ctx), belay_conn_fd(pair.a), EPOLLOUT};
	unsigned char *bytes = calloc(1, TOO_MUCH);
	struct aside aside;

	write_until_cancelled(ctx, pair.a, bytes);
	aside_start(&aside, ctx, cancel_when_stuck, &canceller);
	check(belay_conn_finish(canceller.ctx, pair.a) == -ECANCELED);
	aside_join(&aside);
	belay_end(canceller.ctx);
	free(bytes);
	close_pair(pair);
}

static void saying_the_end_can_be_cancelled(void **state)
{
	from_both(cancel_the_last_word, NULL);
}

static void a_deadline_ends_a_read_with_ETIME(void **state)
{
	BELAY_SCOPED belay_ctx *ctx = belay_with_timeout(belay_background(), BELAY_MS(10));
	struct pair pair = tls_pair(&sides);
	char byte;

	assert_int_equal(belay_conn_read(ctx, pair.b, &byte, 1), -ETIME);
	close_pair(pair);
}

/* ---- Records in pieces ----------------------------------------------------------------------- */

/* A plain client of OpenSSL's, whose records are kept here once the handshake is made. */
struct client {
	SSL_CTX *context;
	SSL *ssl;
	BIO *records;
	int fd;
};

static void *connect_client(void *arg)
{
	struct client *client = arg;

	check(SSL_connect(client->ssl) == 1);
	client->records = BIO_new(BIO_s_mem());
	SSL_set0_wbio(client->ssl, client->records);
	return NULL;
}

static void client_init(struct client *client, struct pair *pair)
{
	pthread_t thread;

	*pair = tcp_pair();
	client->fd = dup(belay_conn_fd(pair->a));
	fcntl(client->fd, F_SETFL, 0);
	client->context = SSL_CTX_new(TLS_client_method());
	client->ssl = SSL_new(client->context);
	SSL_set_fd(client->ssl, client->fd);
	check(belay_tls_accept(sides.server, pair->b) == 0);
	check(pthread_create(&thread, NULL, connect_client, client) == 0);
	check(belay_conn_handshake(belay_background(), pair->b) == 0);
	pthread_join(thread, NULL);
}

static void client_fini(struct client *client)
{
	SSL_free(client->ssl);
	SSL_CTX_free(client->context);
	close(client->fd);
	ERR_clear_error();
}

/* Sends so many bytes of the records, or all that are left. */
static void send_records(struct client *client, int size)
{
	char bytes[1024];
	int n = BIO_read(client->records, bytes, size ? size : (int)sizeof bytes);

	check(n > 0 && send(client->fd, bytes, (size_t)n, 0) == n);
}

static void read_words(belay_ctx *ctx, void *arg)
{
	belay_conn *conn = arg;
	char buf[16];

	check(belay_conn_read(ctx, conn, buf, sizeof buf) == 5 && memcmp(buf, "first", 5) == 0);
	check(belay_conn_read(ctx, conn, buf, sizeof buf) == 6 && memcmp(buf, "second", 6) == 0);
	check(belay_conn_read(ctx, conn, buf, sizeof buf) == 5 && memcmp(buf, "third", 5) == 0);
	check(belay_conn_read(ctx, conn, buf, sizeof buf) == 0);
}

/* At cut bytes of all the records, while the other end waits. */
static void send_cut(belay_ctx *ctx, int cut)
{
	struct client client;
	struct aside aside;
	struct pair pair;

	client_init(&client, &pair);
	check(SSL_write(client.ssl, "first", 5) == 5);
	check(SSL_write(client.ssl, "second", 6) == 6);
	check(SSL_write(client.ssl, "third", 5) == 5);
	SSL_shutdown(client.ssl);
	aside_start(&aside, ctx, read_words, pair.b);
	check(check_until(is_waited_for(belay_conn_fd(pair.b), EPOLLIN)));
	send_records(&client, cut);
	if (BIO_pending(client.records) > 0)
		send_records(&client, 0);
	aside_join(&aside);
	client_fini(&client);
	close_pair(pair);
}

static void send_cut_everywhere(belay_ctx *ctx, void *arg)
{
	for (int cut = 1; cut < 110; cut++)
		send_cut(ctx, cut);
	send_cut(ctx, 0);
}

static void records_may_be_cut_anywhere_on_their_way(void **state)
{
	from_both(send_cut_everywhere, NULL);
}

/* ---- A peer that changes its keys all the time ----------------------------------------------- */

static void *update_keys(void *arg)
{
	SSL_CTX *context = SSL_CTX_new(TLS_client_method());
	SSL *ssl = SSL_new(context);
	char byte = 'x';

	SSL_set_fd(ssl, *(int *)arg);
	check(SSL_connect(ssl) == 1);
	for (int i = 0; i < 50; i++) {
		check(SSL_key_update(ssl, SSL_KEY_UPDATE_REQUESTED) == 1);
		check(SSL_write(ssl, &byte, 1) == 1);
		check(SSL_read(ssl, &byte, 1) == 1);
	}
	SSL_shutdown(ssl);
	SSL_free(ssl);
	SSL_CTX_free(context);
	ERR_clear_error();
	return NULL;
}

static void new_keys_are_answered_in_passing(void **state)
{
	struct pair pair = tcp_pair();
	int fd = dup(belay_conn_fd(pair.a)), echoed = 0;
	pthread_t thread;
	char byte;

	check_needs_memory(); /* for the peer to be answered at all */
	check(belay_tls_accept(sides.server, pair.b) == 0);
	fcntl(fd, F_SETFL, 0);
	assert_int_equal(pthread_create(&thread, NULL, update_keys, &fd), 0);
	while (belay_conn_read(belay_background(), pair.b, &byte, 1) == 1) {
		check(belay_conn_write(belay_background(), pair.b, &byte, 1, NULL) == 0);
		echoed++;
	}
	pthread_join(thread, NULL);
	assert_int_equal(echoed, 50);
	close(fd);
	close_pair(pair);
}

/* All that the socket takes of it, up to far more than any record has. */
static void *update_keys_alone(void *arg)
{
	SSL_CTX *context = SSL_CTX_new(TLS_client_method());
	SSL *ssl = SSL_new(context);

	SSL_set_fd(ssl, *(int *)arg);
	check(SSL_connect(ssl) == 1);
	for (int i = 0; i < 5000; i++)
		if (SSL_key_update(ssl, SSL_KEY_UPDATE_NOT_REQUESTED) != 1 ||
		    SSL_do_handshake(ssl) != 1)
			break;
	SSL_shutdown(ssl);
	SSL_free(ssl);
	SSL_CTX_free(context);
	ERR_clear_error();
	return NULL;
}

/* Each costs it a few bytes, and us as much time as a request: also where nobody reads, and the
 * clock's thread looks at what has come. */
static void a_peer_that_does_nothing_but_change_its_keys_is_given_up(void **state)
{
	struct pair pair = tcp_pair();
	int fd = dup(belay_conn_fd(pair.a));
	pthread_t thread;
	char byte;

	check_needs_memory(); /* for the peer to be answered at all */
	check(belay_tls_accept(sides.server, pair.b) == 0);
	fcntl(fd, F_SETFL, 0);
	signal(SIGPIPE, SIG_IGN);
	assert_int_equal(pthread_create(&thread, NULL, update_keys_alone, &fd), 0);
	assert_int_equal(belay_conn_read(belay_background(), pair.b, &byte, 1), -EPROTO);
	close_pair(pair);
	shutdown(fd, SHUT_RDWR);
	pthread_join(thread, NULL);
	close(fd);
}

BELAY_TEST_MAIN(
	SIDES_TEST(large_streams_go_both_ways_at_once),
	SIDES_TEST(whoever_comes_first_makes_the_handshake),
	SIDES_TEST(one_side_may_end_and_the_other_go_on),
	SIDES_TEST(a_close_is_the_end_of_the_stream),
	SIDES_TEST(a_write_to_a_peer_that_has_ended_and_gone_fails),
	SIDES_TEST(a_stream_that_is_cut_off_is_ECONNRESET),
	SIDES_TEST(garbage_from_the_wire_breaks_the_connection),
	SIDES_TEST(a_cancelled_read_loses_nothing),
	SIDES_TEST(after_a_cancelled_write_the_stream_goes_on_where_it_is_said_to_stop),
	SIDES_TEST(saying_the_end_can_be_cancelled),
	SIDES_TEST(a_deadline_ends_a_read_with_ETIME),
	SIDES_TEST(records_may_be_cut_anywhere_on_their_way),
	SIDES_TEST(new_keys_are_answered_in_passing),
	SIDES_TEST(a_peer_that_does_nothing_but_change_its_keys_is_given_up))
