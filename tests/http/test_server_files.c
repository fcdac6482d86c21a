/* SPDX-License-Identifier: MIT
 *
 * test_server_files.c - files over a socket: what sendfile(2) writes, to slow clients and to ones
 * that go away.
 */
#include "folder.h"
#include "site.h"

#include <belay/http_files.h>

#include <poll.h>
#include <stdatomic.h>

enum { BIG = 24 * 1024 * 1024 };

static struct site site;
static belay_files *files;
static unsigned char *big;
static atomic_int results[2]; /* how many handlers have returned, and what the last one did */

/* What the handler of the library's returned. */
static int watch(belay_ctx *ctx, belay_request *req, belay_response *res, const belay_chain *next,
		 void *arg)
{
	int r = belay_next(ctx, req, res, next);

	atomic_store(&results[1], r);
	atomic_fetch_add(&results[0], 1);
	return r;
}

static int set_up(void **state)
{
	static const struct belay_files_options plain;

	folder_make();
	big = malloc(BIG);
	for (size_t i = 0; i < BIG; i++)
		big[i] = (unsigned char)(i * 2654435761u >> 13);
	folder_write("big", big, BIG);
	folder_put("small.txt", "small", 1000);
	assert_int_equal(belay_files_open(folder, &plain, &files), 0);
	site_init(&site);
	assert_int_equal(belay_router_use(site.router, watch, NULL), 0);
	assert_int_equal(belay_router_add(site.router, "GET /{path...}", belay_files_handler,
					  files), 0);
	results[0] = results[1] = 0;
	return 0;
}

static int tear_down(void **state)
{
	site_stop(&site);
	belay_files_close(files);
	free(big);
	folder_drop();
	return 0;
}

/* Reads the head, and then count bytes that must be those of big from first on. */
static void read_big(int fd, size_t first, size_t count)
{
	static unsigned char buf[1 << 16];
	char c[2], last[4] = "";
	size_t got = 0;

	while (memcmp(last, "\r\n\r\n", 4) != 0) {
		assert_int_equal(raw_read_some(fd, c, sizeof c), 1);
		memmove(last, last + 1, 3);
		last[3] = c[0];
	}
	while (got < count) {
		size_t want = count - got < sizeof buf - 1 ? count - got + 1 : sizeof buf;
		size_t n = raw_read_some(fd, (char *)buf, want);

		assert_true(n > 0);
		assert_memory_equal(buf, big + first + got, n);
		got += n;
	}
}

static void a_big_file_arrives_whole_and_the_connection_goes_on(void **state)
{
	struct reply reply;
	int fd;

	site_start(&site, belay_background(), NULL);
	fd = site_dial(&site);
	raw_send(fd, "GET /big HTTP/1.1\r\nHost: x\r\n\r\n");
	read_big(fd, 0, BIG);
	raw_send(fd, "GET /small.txt HTTP/1.1\r\nHost: x\r\n\r\n");
	raw_read_reply(fd, &reply, false);
	assert_string_equal(reply.body, "small");
	close(fd);
}

static void a_big_range_is_just_that(void **state)
{
	int fd;

	site_start(&site, belay_background(), NULL);
	fd = site_dial(&site);
	raw_send(fd, "GET /big HTTP/1.1\r\nHost: x\r\nRange: bytes=1000001-9000000\r\n\r\n");
	read_big(fd, 1000001, 8000000);
	raw_send(fd, "HEAD /big HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
	raw_read_until(fd, "Content-Length: 25165824\r\n");
	close(fd);
}

static void under_a_deadline_it_is_the_same(void **state)
{
	static const struct belay_http_limit limit = {.most = BELAY_S(60)};
	int fd;

	assert_int_equal(belay_router_use(site.router, belay_http_deadline, (void *)&limit), 0);
	site_start(&site, belay_background(), NULL);
	fd = site_dial(&site);
	raw_send(fd, "GET /big HTTP/1.1\r\nHost: x\r\n\r\n");
	read_big(fd, 0, BIG);
	close(fd);
}

static void http_1_0_gets_it_too(void **state)
{
	int fd;

	site_start(&site, belay_background(), NULL);
	fd = site_dial(&site);
	raw_send(fd, "GET /big HTTP/1.0\r\n\r\n");
	read_big(fd, 0, BIG);
	assert_true(raw_is_closed(fd));
	close(fd);
}

/* Waits until there is something to read, and so the handler in the middle of the body. */
static int begin_and_stop_reading(void)
{
	int fd = site_dial(&site);
	struct pollfd p = {.fd = fd, .events = POLLIN};

	raw_send(fd, "GET /big HTTP/1.1\r\nHost: x\r\n\r\n");
	assert_int_equal(poll(&p, 1, 30000), 1);
	return fd;
}

static void a_client_that_goes_away_in_mid_body_ends_the_handler(void **state)
{
	int fd;

	site_start(&site, belay_background(), NULL);
	fd = begin_and_stop_reading();
	close(fd);
	assert_true(check_until(atomic_load(&results[0]) == 1));
	assert_int_equal(atomic_load(&results[1]), -ECANCELED);
}

static void a_client_that_takes_nothing_is_given_up_on(void **state)
{
	const struct belay_server_options options = {.idle_time = BELAY_MS(100)};
	int fd;

	site_start(&site, belay_background(), &options);
	fd = begin_and_stop_reading();
	assert_true(check_until(atomic_load(&results[0]) == 1));
	assert_int_equal(atomic_load(&results[1]), -ETIMEDOUT);
	close(fd);
}

static void a_shutdown_without_patience_ends_it_in_mid_body(void **state)
{
	BELAY_SCOPED belay_ctx *now = check_live(belay_with_cancel(belay_background()));
	int fd;

	site_start(&site, belay_background(), NULL);
	fd = begin_and_stop_reading();
	belay_cancel(now);
	assert_int_equal(belay_server_shutdown(now, site.server), -ECANCELED);
	assert_true(check_until(atomic_load(&results[0]) == 1));
	assert_int_equal(atomic_load(&results[1]), -ECANCELED);
	close(fd);
}

static void a_file_that_shrinks_meanwhile_closes_the_connection(void **state)
{
	char waste[65536];
	size_t n = 1, got = 0;
	int fd;

	site_start(&site, belay_background(), NULL);
	fd = begin_and_stop_reading();
	assert_int_equal(truncate(in_folder("big"), 1000), 0);
	while (n > 0)
		got += n = raw_read_some(fd, waste, sizeof waste);
	assert_true(got < BIG);
	assert_true(check_until(atomic_load(&results[0]) == 1));
	assert_int_equal(atomic_load(&results[1]), -ENODATA);
	close(fd);
}

#define FILES_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

BELAY_TEST_MAIN(FILES_TEST(a_big_file_arrives_whole_and_the_connection_goes_on),
		FILES_TEST(a_big_range_is_just_that),
		FILES_TEST(under_a_deadline_it_is_the_same),
		FILES_TEST(http_1_0_gets_it_too),
		FILES_TEST(a_client_that_goes_away_in_mid_body_ends_the_handler),
		FILES_TEST(a_client_that_takes_nothing_is_given_up_on),
		FILES_TEST(a_shutdown_without_patience_ends_it_in_mid_body),
		FILES_TEST(a_file_that_shrinks_meanwhile_closes_the_connection))
