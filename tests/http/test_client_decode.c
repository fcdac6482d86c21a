/* SPDX-License-Identifier: MIT
 *
 * test_client_decode.c - bodies that are decoded, and how large they may become.
 */
#include "client_peer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum { PLAIN = 1 << 20, MOST_CODED = 64 << 10 };

struct page {
	unsigned char coded[MOST_CODED];
	size_t size;
	const char *coding;
	char accepted[200]; /* of the last request */
};

/* A mebibyte of zeros, in a kilobyte. */
static void page_init(struct page *page, const char *coding)
{
	static unsigned char plain[PLAIN];
	z_stream z = {.next_in = plain,
		      .avail_in = sizeof plain,
		      .next_out = page->coded,
		      .avail_out = sizeof page->coded};

	assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, 15 + 16, 9, Z_DEFAULT_STRATEGY), Z_OK);
	assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
	page->size = z.total_out;
	page->coding = coding;
	deflateEnd(&z);
}

static void send_page(struct peer *peer, int fd)
{
	struct peer_request *request = malloc(sizeof *request);
	struct page *page = peer->arg;
	char head[200];

	while (peer_read(peer, fd, request)) {
		if (!peer_header(request, "Accept-Encoding", page->accepted, sizeof page->accepted))
			strcpy(page->accepted, "none");
		snprintf(head, sizeof head, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n%s\r\n",
			 page->size, page->coding);
		peer_send(fd, head);
		peer_send_bytes(fd, page->coded, page->size);
		if (strcasestr(page->coding, "transfer"))
			break;
	}
	free(request);
}

/* Reads the page with a client that decodes up to most; its size, or the error. */
static ssize_t read_page(struct page *page, uint64_t most)
{
	const struct belay_http_client_options options = {.decoded_most = most};
	belay_http_client *client = peer_client(&options);
	belay_http_reply *reply;
	struct peer peer;
	char *body = NULL;
	size_t size = 0;
	int err;

	peer_start(&peer, send_page, page);
	err = belay_http_get(belay_background(), client, peer.url, &reply);
	if (err == 0) {
		err = belay_http_reply_read_all(belay_background(), reply, 2 * PLAIN, &body, &size);
		belay_http_reply_end(reply);
	}
	free(body);
	belay_http_client_close(client);
	peer_stop(&peer);
	return err < 0 ? err : (ssize_t)size;
}

static void a_body_with_a_coding_is_decoded(void **state)
{
	struct page page;

	page_init(&page, "Content-Encoding: gzip\r\n");
	assert_int_equal(read_page(&page, PLAIN), PLAIN);
	assert_non_null(strstr(page.accepted, "gzip"));
}

static void one_that_unpacks_to_too_much_is_EMSGSIZE(void **state)
{
	struct page page;

	page_init(&page, "Content-Encoding: gzip\r\n");
	assert_int_equal(read_page(&page, PLAIN - 1), -EMSGSIZE);
	assert_int_equal(read_page(&page, 1), -EMSGSIZE);
}

static void without_the_option_it_arrives_as_it_is(void **state)
{
	struct page page;

	page_init(&page, "Content-Encoding: gzip\r\n");
	assert_int_equal(read_page(&page, 0), page.size);
	assert_string_equal(page.accepted, "none");
}

/* Nobody has asked for it (RFC 9110, section 10.1.4), and curl would decode it, limit or not. */
static void a_coding_of_the_transfer_is_EPROTO(void **state)
{
	static const char *const codings[] = {
		"Transfer-Encoding: gzip\r\n",
		"transfer-encoding: chunked, gzip\r\n",
		"Transfer-Encoding: chunked\r\nTransfer-Encoding: gzip\r\n",
	};
	struct page page;

	for (size_t i = 0; i < sizeof codings / sizeof *codings; i++) {
		page_init(&page, codings[i]);
		assert_int_equal(read_page(&page, 0), -EPROTO);
		assert_int_equal(read_page(&page, 1), -EPROTO);
		assert_int_equal(read_page(&page, PLAIN), -EPROTO);
	}
}

/* The limit is not for those: a reader sees how much they send. */
static void a_body_without_a_coding_may_be_longer(void **state)
{
	struct page page;

	page_init(&page, "");
	assert_int_equal(read_page(&page, 10), page.size);
}

static void a_broken_coding_is_EPROTO(void **state)
{
	struct page page;

	page_init(&page, "Content-Encoding: gzip\r\n");
	memset(page.coded + 20, 0xff, 100);
	assert_int_equal(read_page(&page, PLAIN), -EPROTO);
}

BELAY_TEST_MAIN(cmocka_unit_test(a_body_with_a_coding_is_decoded),
		cmocka_unit_test(one_that_unpacks_to_too_much_is_EMSGSIZE),
		cmocka_unit_test(without_the_option_it_arrives_as_it_is),
		cmocka_unit_test(a_coding_of_the_transfer_is_EPROTO),
		cmocka_unit_test(a_body_without_a_coding_may_be_longer),
		cmocka_unit_test(a_broken_coding_is_EPROTO))
