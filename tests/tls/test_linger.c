/* SPDX-License-Identifier: MIT
 *
 * test_linger.c - a client that still sends while an HTTP server behind TLS closes gets what it was
 * sent, and close_notify behind it, rather than a reset (RFC 9112, section 9.6; RFC 8446, section
 * 6.1).
 *
 * Its socket takes little at a time. So when the server is through, much of the answer lies in the
 * server's kernel, which would throw it away with what nobody has read of the client's records.
 */
#include "https_test.h"
#include "narrow.h"

#include <stdlib.h>

enum { NARROW = 4096, ANSWER = 128 * 1024, BLOCK = 65536 };

static char bytes[ANSWER];

static int answer(belay_ctx *ctx, belay_request *req, belay_response *res)
{
	return belay_response_write(ctx, res, bytes, sizeof bytes);
}

/* ---- A client that reads a little, and sends a little ---------------------------------------- */

static int narrow_socket(void)
{
	struct sockaddr_in to = {.sin_family = AF_INET};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	to.sin_port = htons((uint16_t)atoi(strrchr(address, ':') + 1));
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	make_narrow(fd, NARROW);
	assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
	return fd;
}

static void put(belay_conn *conn, const void *data, size_t size)
{
	assert_int_equal(belay_conn_write(belay_background(), conn, data, size, NULL), 0);
}

static belay_conn *start_and_dial(const char *protocol)
{
	belay_conn *conn = NULL;

	assert_int_equal(belay_router_add(router, "/answer", answer, NULL), 0);
	sides.client_options.protocols = protocol;
	https_start(NULL);
	assert_int_equal(belay_conn_from_fd(narrow_socket(), &conn), 0);
	assert_int_equal(belay_tls_connect(belay_background(), sides.client, conn, "localhost",
					   NULL),
			 0);
	assert_string_equal(belay_conn_protocol(conn), protocol);
	return conn;
}

/* Once it has read some it sends something more, which the server takes as long as the client can't
 * have seen the end. 0: the end, which the server has told of. */
static size_t read_and_send(belay_conn *conn, void *buf, size_t size, const char *more,
			    size_t more_size)
{
	ssize_t n = belay_conn_read(belay_background(), conn, buf, size < NARROW ? size : NARROW);

	assert_true(n >= 0);
	if (n > 0)
		put(conn, more, more_size);
	return (size_t)n;
}

/* ---- HTTP/1.1 -------------------------------------------------------------------------------- */

static void a_client_whose_body_nobody_reads_gets_all_of_its_answer(void **state)
{
	static const char head[] = "POST /answer HTTP/1.1\r\nHost: x\r\n"
				   "Content-Length: 1048576\r\n\r\n";
	belay_conn *conn = start_and_dial("http/1.1");
	size_t size = 0, n;
	char buf[NARROW];

	put(conn, head, sizeof head - 1);
	while ((n = read_and_send(conn, buf, sizeof buf, "some more", 9)) > 0)
		size += n;
	assert_true(size > ANSWER);
	belay_conn_close(conn);
}

/* ---- HTTP/2 ---------------------------------------------------------------------------------- */

enum { DATA = 0, HEAD = 9, GOAWAY = 7, PROTOCOL_ERROR = 1 };

struct frame {
	size_t size;
	int type;
	unsigned char payload[16384];
};

/* A WINDOW_UPDATE of the connection by 1, which asks for nothing; and one by 0, which is an error
 * (RFC 9113, section 6.9). */
static const char update[] = "\0\0\4\10\0\0\0\0\0\0\0\0\1";
static const char no_update[] = "\0\0\4\10\0\0\0\0\0\0\0\0";

static bool read_exactly(belay_conn *conn, unsigned char *buf, size_t size)
{
	size_t n = 1;

	while (size > 0 && n > 0) {
		n = read_and_send(conn, buf, size, update, sizeof update - 1);
		buf += n;
		size -= n;
	}
	return size == 0;
}

static bool next_head(belay_conn *conn, struct frame *ret)
{
	unsigned char head[HEAD];

	if (!read_exactly(conn, head, sizeof head))
		return false;
	ret->size = (size_t)head[0] << 16 | (size_t)head[1] << 8 | head[2];
	ret->type = head[3];
	assert_true(ret->size <= sizeof ret->payload);
	return true;
}

static void read_payload(belay_conn *conn, struct frame *frame)
{
	assert_true(read_exactly(conn, frame->payload, frame->size));
}

/* The preface; SETTINGS and WINDOW_UPDATE, with windows that will not be in the answer's way; and
 * GET https://x/answer. */
static void ask(belay_conn *conn)
{
	static const char hello[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
				    "\0\0\6\4\0\0\0\0\0" "\0\4\x7f\xff\xff\xff"
				    "\0\0\4\10\0\0\0\0\0" "\x3f\xff\xff\xff"
				    "\0\0\16\1\5\0\0\0\1" "\x82\x87\1\1x\4\7/answer";

	put(conn, hello, sizeof hello - 1);
}

/* Up to the head of the last frame that has something of the answer in it. */
static void read_up_to_the_last_frame(belay_conn *conn, struct frame *ret)
{
	size_t size = 0;

	while (size < ANSWER) {
		assert_true(next_head(conn, ret));
		if (ret->type == DATA)
			size += ret->size;
		if (size < ANSWER)
			read_payload(conn, ret);
	}
}

static void a_client_that_sends_on_after_an_error_of_http2_gets_what_it_was_sent(void **state)
{
	static const char block[BLOCK];
	static struct frame frame;
	belay_conn *conn;
	int code = -1;

	if (strcmp(HTTP2, "2") != 0)
		skip();
	conn = start_and_dial("h2");
	ask(conn);
	read_up_to_the_last_frame(conn, &frame);
	put(conn, no_update, sizeof no_update - 1);
	for (size_t sent = 0; sent < 1024 * 1024; sent += BLOCK)
		put(conn, block, sizeof block);
	read_payload(conn, &frame);
	while (next_head(conn, &frame)) {
		read_payload(conn, &frame);
		if (frame.type == GOAWAY)
			code = frame.payload[7];
	}
	assert_int_equal(code, PROTOCOL_ERROR);
	belay_conn_close(conn);
}

BELAY_TEST_MAIN(HTTPS_TEST(a_client_whose_body_nobody_reads_gets_all_of_its_answer),
		HTTPS_TEST(a_client_that_sends_on_after_an_error_of_http2_gets_what_it_was_sent))
