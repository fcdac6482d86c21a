/* SPDX-License-Identifier: MIT
 *
 * test_conn.c - connections: what goes in comes out, until a context says stop.
 */
#include "check_oom.h"
#include "conn_test.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <stdatomic.h>
#include <stdlib.h>

/* ---- Bytes ----------------------------------------------------------------------------------- */

enum { LOAD = 3000000 };

static char *make_load(void)
{
	char *load = malloc(LOAD);

	for (size_t i = 0; load && i < LOAD; i++)
		load[i] = (char)(i * 7 % 251);
	return load;
}

/* Reads LOAD bytes and the end after them, and compares. */
static int read_load(belay_ctx *ctx, void *conn)
{
	size_t total = 0;
	ssize_t count;
	char buf[7000];

	while ((count = belay_conn_read(ctx, conn, buf, sizeof buf)) > 0)
		for (ssize_t i = 0; i < count; i++, total++)
			if (buf[i] != (char)(total * 7 % 251))
				return -EBADMSG;
	return count < 0 ? (int)count : total == LOAD ? 0 : -EMSGSIZE;
}

static int write_load(belay_ctx *ctx, void *conn)
{
	char *load = make_load();
	size_t written = 0;
	int err = load ? belay_conn_write(ctx, conn, load, LOAD, &written) : -ENOMEM;

	free(load);
	if (err == 0 && written != LOAD)
		return -EMSGSIZE;
	return err ? err : belay_conn_shutdown(conn);
}

static void write_and_read_both_ways(belay_ctx *ctx, void *arg)
{
	struct pair *pair = arg;
	belay_group *group = belay_group_new(ctx);

	check(belay_group_go(group, read_load, pair->a) == 0);
	check(belay_group_go(group, read_load, pair->b) == 0);
	check(belay_group_go(group, write_load, pair->a) == 0);
	check(write_load(belay_group_ctx(group), pair->b) == 0);
	check(belay_group_wait(group) == 0);
	close_pair(*pair);
}

static void one_reader_and_one_writer_share_a_connection(void **state)
{
	with_each_pair(write_and_read_both_ways);
}

enum { PARTS = 2500 };

static void write_parts(belay_ctx *ctx, void *arg)
{
	struct pair *pair = arg;
	struct iovec *parts = calloc(PARTS, sizeof *parts);
	belay_group *group = belay_group_new(ctx);
	char *load = make_load();
	size_t rest = LOAD, written;

	for (int i = 0; i < PARTS; i++) {
		size_t size = i % 3 == 1 ? 0 : (size_t)i;

		parts[i] = (struct iovec){load + LOAD - rest, size < rest ? size : rest};
		rest -= parts[i].iov_len;
	}
	parts[PARTS - 1].iov_len += rest;
	check(belay_group_go(group, read_load, pair->b) == 0);
	check(belay_conn_writev(ctx, pair->a, parts, PARTS, &written) == 0);
	check(written == LOAD);
	check(belay_conn_shutdown(pair->a) == 0);
	check(belay_group_wait(group) == 0);
	close_pair(*pair);
	free(load);
	free(parts);
}

static void any_number_of_parts_is_written_in_their_order(void **state)
{
	with_each_pair(write_parts);
}

static void write_nothing(belay_ctx *ctx, void *arg)
{
	struct pair *pair = arg;
	struct iovec empty[] = {{NULL, 0}, {NULL, 0}};
	size_t written = 1;

	check(belay_conn_write(ctx, pair->a, NULL, 0, &written) == 0 && written == 0);
	check(belay_conn_writev(ctx, pair->a, empty, 2, NULL) == 0);
	check(belay_conn_writev(ctx, pair->a, NULL, 0, NULL) == 0);
	check(belay_conn_writev(ctx, pair->a, NULL, -1, NULL) == -EINVAL);
	check(belay_conn_read(ctx, pair->a, NULL, 0) == 0);
	check(belay_conn_write(ctx, pair->a, "x", 1, NULL) == 0);
	check(belay_conn_read(ctx, pair->b, &(char[2]){0}, 2) == 1);
	close_pair(*pair);
}

static void writing_nothing_is_fine(void **state)
{
	with_each_pair(write_nothing);
}

static void end_the_stream(belay_ctx *ctx, void *arg)
{
	struct pair *pair = arg;
	char buf[4];

	check(belay_conn_write(ctx, pair->a, "x", 1, NULL) == 0);
	check(belay_conn_shutdown(pair->a) == 0);
	check(belay_conn_read(ctx, pair->b, buf, sizeof buf) == 1);
	check(belay_conn_read(ctx, pair->b, buf, sizeof buf) == 0);
	check(belay_conn_read(ctx, pair->b, buf, sizeof buf) == 0);
	check(belay_conn_write(ctx, pair->b, "y", 1, NULL) == 0);
	check(belay_conn_read(ctx, pair->a, buf, sizeof buf) == 1);
	check(belay_conn_write(ctx, pair->a, "z", 1, NULL) == -EPIPE);
	close_pair(*pair);
}

static void a_shutdown_ends_the_stream_one_way(void **state)
{
	with_each_pair(end_the_stream);
}

/* ---- Ends ------------------------------------------------------------------------------------ */

static void read_cancelled(belay_ctx *ctx, void *arg)
{
	struct pair *pair = arg;
	struct canceller canceller = {belay_with_cancel(ctx), belay_conn_fd(pair->a), EPOLLIN};
	struct aside aside;
	char byte = 'y';

	aside_start(&aside, ctx, cancel_when_waited_for, &canceller);
	check(belay_conn_read(canceller.ctx, pair->a, &byte, 1) == -ECANCELED);
	check(byte == 'y');
	aside_join(&aside);
	belay_end(canceller.ctx);
}

static void cancel_read(belay_ctx *ctx, void *arg)
{
	struct pair *pair = arg;
	char byte;

	read_cancelled(ctx, pair);
	check(belay_conn_write(ctx, pair->b, "x", 1, NULL) == 0);
	check(belay_conn_read(ctx, pair->a, &byte, 1) == 1 && byte == 'x');
	close_pair(*pair);
}

static void cancelling_ends_a_read_and_leaves_the_connection(void **state)
{
	with_each_pair(cancel_read);
}

static void cancel_write(belay_ctx *ctx, void *arg)
{
	struct pair *pair = arg;
	struct canceller canceller = {belay_with_cancel(ctx), belay_conn_fd(pair->a), EPOLLOUT};
	size_t written = 0, received = 0;
	char *load = calloc(1, 2 * LOAD), buf[5000];
	struct aside aside;
	ssize_t count;

	aside_start(&aside, ctx, cancel_when_waited_for, &canceller);
	while (belay_conn_write(canceller.ctx, pair->a, load, 2 * LOAD, &written) == 0)
		received -= written; /* the buffers took it all: go on */
	check(belay_err(canceller.ctx) == -ECANCELED);
	check(belay_conn_shutdown(pair->a) == 0);
	while ((count = belay_conn_read(ctx, pair->b, buf, sizeof buf)) > 0)
		received += (size_t)count;
	check(received == written);
	aside_join(&aside);
	belay_end(canceller.ctx);
	free(load);
	close_pair(*pair);
}

static void a_write_that_is_cancelled_says_how_much_was_sent(void **state)
{
	with_each_pair(cancel_write);
}

static void read_until_late(belay_ctx *ctx, void *arg)
{
	struct pair *pair = arg;
	BELAY_SCOPED belay_ctx *soon = belay_with_timeout(ctx, BELAY_MS(5));
	char byte;

	check(belay_conn_read(soon, pair->a, &byte, 1) == -ETIME);
	close_pair(*pair);
}

static void a_deadline_ends_a_read(void **state)
{
	with_each_pair(read_until_late);
}

static void use_done_context(belay_ctx *ctx, void *arg)
{
	struct pair *pair = arg;
	belay_ctx *done = belay_with_timeout(ctx, 0);
	size_t written = 1;
	char buf[2];

	check(belay_conn_write(ctx, pair->b, "x", 1, NULL) == 0);
	check(belay_conn_read(done, pair->a, buf, 2) == -ETIME);
	check(belay_conn_write(done, pair->a, "y", 1, &written) == -ETIME && written == 0);
	check(belay_conn_read(ctx, pair->a, buf, 2) == 1);
	belay_end(done);
	close_pair(*pair);
}

static void a_done_context_wins_over_data(void **state)
{
	with_each_pair(use_done_context);
}

static void write_to_the_gone(belay_ctx *ctx, void *arg)
{
	struct pair *pair = arg;
	int err = 0;

	belay_conn_close(pair->b);
	while (err == 0)
		err = belay_conn_write(ctx, pair->a, "x", 1, NULL);
	check(err == -EPIPE || err == -ECONNRESET);
	belay_conn_close(pair->a);
}

static void a_write_to_a_peer_that_is_gone_raises_no_signal(void **state)
{
	with_each_pair(write_to_the_gone);
}

/* ---- Sharing --------------------------------------------------------------------------------- */

static void lend_descriptor(belay_ctx *ctx, void *arg)
{
	check(belay_wait_fd(ctx, *(int *)arg, BELAY_READABLE) == BELAY_READABLE);
}

/* As TLS libraries do that are given the descriptor. */
static void share_descriptor(belay_ctx *ctx, void *arg)
{
	struct pair *pair = arg;
	int fd = belay_conn_fd(pair->a);
	struct aside aside;
	char byte;

	for (int round = 0; round < 3; round++) {
		read_cancelled(ctx, pair);
		check(belay_wait_fd(ctx, fd, BELAY_READABLE | BELAY_WRITABLE) == BELAY_WRITABLE);
	}
	aside_start(&aside, ctx, lend_descriptor, &fd);
	check(belay_conn_write(ctx, pair->b, "x", 1, NULL) == 0);
	aside_join(&aside);
	check(belay_conn_read(ctx, pair->a, &byte, 1) == 1);
	close_pair(*pair);
}

static void a_connections_descriptor_may_be_waited_on_besides(void **state)
{
	with_each_pair(share_descriptor);
}

struct shared {
	struct pair pair;
	_Atomic bool stop;
	unsigned rounds;
};

static void stop_it(belay_ctx *ctx, void *arg)
{
	struct shared *shared = arg;

	atomic_store(&shared->stop, true);
}

static void never_wait(belay_ctx *ctx, void *arg)
{
	struct shared *shared = arg;
	struct aside aside;
	char byte;

	aside_start(&aside, ctx, stop_it, shared);
	for (; !shared->stop && shared->rounds < 100000; shared->rounds++) {
		check(belay_conn_write(ctx, shared->pair.a, "x", 1, NULL) == 0);
		check(belay_conn_read(ctx, shared->pair.b, &byte, 1) == 1);
	}
	aside_join(&aside);
}

static void a_task_whose_connection_is_always_ready_lets_others_run(void **state)
{
	struct shared shared = {unix_pair(), false, 0};

	setenv("BELAY_WORKERS", "1", 1);
	check_in_task(never_wait, &shared);
	unsetenv("BELAY_WORKERS");
	assert_true(shared.stop);
	assert_true(shared.rounds < 1000);
	close_pair(shared.pair);
}

static void a_connection_outlives_a_shutdown(void **state)
{
	struct pair pair = unix_pair();

	for (int i = 0; i < 3; i++) {
		from_both(read_cancelled, &pair);
		belay_shutdown();
	}
	close_pair(pair);
}

/* ---- Making and asking ----------------------------------------------------------------------- */

static void only_stream_sockets_are_wrapped_and_others_stay_the_callers(void **state)
{
	int datagram = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	belay_conn *conn = NULL;

	assert_int_equal(belay_conn_from_fd(-1, &conn), -EBADF);
	assert_int_equal(belay_conn_from_fd(null, &conn), -ENOTSOCK);
	assert_int_equal(belay_conn_from_fd(datagram, &conn), -EINVAL);
	assert_null(conn);
	assert_int_equal(close(datagram), 0);
	assert_int_equal(close(null), 0);
}

static void closing_nothing_is_fine(void **state)
{
	belay_conn_close(NULL);
	belay_listener_close(NULL);
}

static void both_ends_agree_on_their_addresses(void **state)
{
	struct pair tcp = tcp_pair(), local = unix_pair();

	assert_string_equal(belay_conn_peer(tcp.a), belay_conn_local(tcp.b));
	assert_string_equal(belay_conn_local(tcp.a), belay_conn_peer(tcp.b));
	assert_memory_equal(belay_conn_peer(tcp.a), "127.0.0.1:", 10);
	assert_string_equal(belay_conn_peer(local.a), "unix:");
	belay_conn_close(tcp.b);
	assert_memory_equal(belay_conn_peer(tcp.a), "127.0.0.1:", 10);
	belay_conn_close(tcp.a);
	close_pair(local);
}

static void make_and_use(void *arg)
{
	belay_ctx *ctx = belay_background();
	belay_conn *conn = NULL;
	int fds[2], err;
	ssize_t count;
	char byte;

	check(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0);
	err = belay_conn_from_fd(fds[0], &conn);
	check(err == 0 || err == -ENOMEM);
	if (err < 0) {
		check(conn == NULL && fcntl(fds[0], F_GETFL) == O_RDWR);
		close(fds[0]);
	}
	if (conn) {
		check(write(fds[1], "x", 1) == 1);
		count = belay_conn_read(ctx, conn, &byte, 1);
		check(count == 1 || count == -ENOMEM);
		if (count < 0)
			check(belay_conn_read(ctx, conn, &byte, 1) == 1);
	}
	belay_conn_close(conn);
	close(fds[1]);
}

static void out_of_memory_is_an_error_and_takes_nothing(void **state)
{
	belay_shutdown();
	assert_true(check_each_allocation(make_and_use, NULL) > 0);
}

BELAY_TEST_MAIN(cmocka_unit_test(one_reader_and_one_writer_share_a_connection),
		cmocka_unit_test(any_number_of_parts_is_written_in_their_order),
		cmocka_unit_test(writing_nothing_is_fine),
		cmocka_unit_test(a_shutdown_ends_the_stream_one_way),
		cmocka_unit_test(cancelling_ends_a_read_and_leaves_the_connection),
		cmocka_unit_test(a_write_that_is_cancelled_says_how_much_was_sent),
		cmocka_unit_test(a_deadline_ends_a_read),
		cmocka_unit_test(a_done_context_wins_over_data),
		cmocka_unit_test(a_write_to_a_peer_that_is_gone_raises_no_signal),
		cmocka_unit_test(a_connections_descriptor_may_be_waited_on_besides),
		cmocka_unit_test(a_task_whose_connection_is_always_ready_lets_others_run),
		cmocka_unit_test(a_connection_outlives_a_shutdown),
		cmocka_unit_test(only_stream_sockets_are_wrapped_and_others_stay_the_callers),
		cmocka_unit_test(closing_nothing_is_fine),
		cmocka_unit_test(both_ends_agree_on_their_addresses),
		cmocka_unit_test(out_of_memory_is_an_error_and_takes_nothing))
