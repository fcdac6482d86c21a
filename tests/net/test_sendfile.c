/* SPDX-License-Identifier: MIT
 *
 * test_sendfile.c - a file's bytes out of a connection.
 */
#include "conn_test.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>

enum { SIZE = 3000000 };

/* A file of SIZE bytes. */
static int make_file(void)
{
	int fd = memfd_create("load", MFD_CLOEXEC);
	char *load = malloc(SIZE);

	for (size_t i = 0; i < SIZE; i++)
		load[i] = (char)(i * 7 % 251);
	check(fd >= 0 && write(fd, load, SIZE) == SIZE);
	free(load);
	return fd;
}

/* Reads all from the connection: SIZE bytes but the first 1,000. */
static int read_load(belay_ctx *ctx, void *conn)
{
	size_t at = 1000;
	ssize_t n;
	char buf[7000];

	while ((n = belay_conn_read(ctx, conn, buf, sizeof buf)) > 0)
		for (ssize_t i = 0; i < n; i++, at++)
			if (buf[i] != (char)(at * 7 % 251))
				return -EBADMSG;
	return n < 0 ? (int)n : at == SIZE ? 0 : -EMSGSIZE;
}

static void send_and_compare(belay_ctx *ctx, void *arg)
{
	struct pair *pair = arg;
	belay_group *group = belay_group_new(ctx);
	int fd = make_file();
	size_t written = 0;

	check(belay_group_go(group, read_load, pair->b) == 0);
	check(belay_conn_sendfile(ctx, pair->a, fd, 1000, SIZE - 1000, &written) == 0);
	check(written == SIZE - 1000);
	check(lseek(fd, 0, SEEK_CUR) == SIZE);
	check(belay_conn_shutdown(pair->a) == 0);
	check(belay_group_wait(group) == 0);
	close(fd);
	close_pair(*pair);
}

static void a_file_arrives_as_it_is(void **state)
{
	with_each_pair(send_and_compare);
}

static void block_until_the_context_ends(belay_ctx *ctx, void *arg)
{
	BELAY_SCOPED belay_ctx *timed = belay_with_timeout(ctx, BELAY_MS(20));
	struct pair *pair = arg;
	int fd = make_file();
	size_t written = SIZE;

	for (int i = 0; i < 10 && written == SIZE; i++) /* until no more fits in between */
		if (belay_conn_sendfile(timed, pair->a, fd, 0, SIZE, &written) < 0)
			break;
	check(belay_err(timed) == -ETIME);
	check(written < SIZE);
	check(belay_conn_sendfile(timed, pair->a, fd, 0, SIZE, &written) == -ETIME && written == 0);
	close(fd);
	close_pair(*pair);
}

static void a_context_ends_the_wait_for_the_peer(void **state)
{
	with_each_pair(block_until_the_context_ends);
}

static void send_to_nobody(belay_ctx *ctx, void *arg)
{
	struct pair *pair = arg;
	int fd = make_file(), r = 0;

	belay_conn_close(pair->b);
	for (int i = 0; i < 100 && r == 0; i++)
		r = belay_conn_sendfile(ctx, pair->a, fd, 0, SIZE, NULL);
	check(r == -EPIPE || r == -ECONNRESET);
	close(fd);
	belay_conn_close(pair->a);
}

/* The default action of SIGPIPE would end the test. */
static void a_peer_that_has_gone_is_an_error_and_no_signal(void **state)
{
	sigset_t waiting;

	signal(SIGPIPE, SIG_DFL);
	with_each_pair(send_to_nobody);
	sigpending(&waiting);
	assert_false(sigismember(&waiting, SIGPIPE));
}

static void send_past_the_end(belay_ctx *ctx, void *arg)
{
	struct pair *pair = arg;
	int fd = make_file();
	size_t written = 0;

	check(belay_conn_sendfile(ctx, pair->a, fd, SIZE - 10, 11, &written) == -ENODATA);
	check(written == 10);
	check(belay_conn_sendfile(ctx, pair->a, fd, 0, 0, &written) == 0 && written == 0);
	check(belay_conn_sendfile(ctx, pair->a, -1, 0, 1, &written) == -EBADF);
	close(fd);
	close_pair(*pair);
}

static void a_file_that_ends_before_is_told(void **state)
{
	with_each_pair(send_past_the_end);
}

static void send_a_pipe(belay_ctx *ctx, void *arg)
{
	struct pair *pair = arg;
	int fds[2];

	check(pipe2(fds, O_CLOEXEC) == 0);
	check(belay_conn_sendfile(ctx, pair->a, fds[0], 0, 1, NULL) < 0);
	close(fds[0]);
	close(fds[1]);
	close_pair(*pair);
}

static void what_is_no_file_is_refused(void **state)
{
	with_each_pair(send_a_pipe);
}

BELAY_TEST_MAIN(cmocka_unit_test(a_file_arrives_as_it_is),
		cmocka_unit_test(a_context_ends_the_wait_for_the_peer),
		cmocka_unit_test(a_peer_that_has_gone_is_an_error_and_no_signal),
		cmocka_unit_test(a_file_that_ends_before_is_told),
		cmocka_unit_test(what_is_no_file_is_refused))
