/* SPDX-License-Identifier: MIT
 *
 * test_fd.c - reading, writing and waiting on descriptors that are lent to Belay.
 *
 * Most run over every kind of descriptor that can be waited for, from a thread and from a task.
 */
#include "fd_test.h"

#include <stdatomic.h>
#include <stdlib.h>

/* ---- Reading --------------------------------------------------------------------------------- */

static void read_what_is_there(belay_ctx *ctx, void *arg)
{
	struct ends *ends = arg;
	char buf[8] = "";

	check(write(ends->in, "abc", 3) == 3);
	check(belay_read(ctx, ends->out, buf, 2) == 2);
	check(belay_read(ctx, ends->out, buf + 2, sizeof buf - 2) == 1);
	check(strcmp(buf, "abc") == 0);
}

static void a_read_takes_what_is_there(void **state)
{
	with_each_kind(read_what_is_there);
}

static void read_nothing(belay_ctx *ctx, void *arg)
{
	struct ends *ends = arg;

	check(belay_read(ctx, ends->out, NULL, 0) == 0);
	check(belay_write(ctx, ends->in, NULL, 0) == 0);
}

static void a_read_of_nothing_waits_for_nothing(void **state)
{
	with_each_kind(read_nothing);
}

static void a_read_waits_for_data(void **state)
{
	with_each_kind(read_before_it_comes);
}

static void read_of_no_writer(belay_ctx *ctx, void *arg)
{
	struct ends *ends = arg;
	char byte;

	close(ends->in);
	check(belay_read(ctx, ends->out, &byte, 1) == 0);
	ends->in = dup(ends->out); /* something to be closed */
}

static void a_read_at_the_end_gives_0(void **state)
{
	for (size_t i = 0; i < 4; i++) { /* a terminal that is hung up gives EIO */
		struct ends ends = kinds[i]();

		from_both(read_of_no_writer, &ends);
		close_ends(ends);
	}
}

static void cancelling_ends_a_read(void **state)
{
	with_each_kind(read_cancelled);
}

static void read_until_late(belay_ctx *ctx, void *arg)
{
	struct ends *ends = arg;
	BELAY_SCOPED belay_ctx *soon = belay_with_timeout(ctx, BELAY_MS(10));
	char byte;

	check(belay_read(soon, ends->out, &byte, 1) == -ETIME);
}

static void a_deadline_ends_a_read(void **state)
{
	with_each_kind(read_until_late);
}

static void read_with_done_context(belay_ctx *ctx, void *arg)
{
	struct ends *ends = arg;
	belay_ctx *done = belay_with_cancel(ctx);
	char buf[2];

	check(write(ends->in, "x", 1) == 1);
	belay_cancel(done);
	check(belay_read(done, ends->out, buf, 2) == -ECANCELED);
	check(belay_write(done, ends->in, "y", 1) == -ECANCELED);
	check(belay_wait_fd(done, ends->out, BELAY_READABLE) == -ECANCELED);
	belay_end(done);
	check(belay_read(ctx, ends->out, buf, 2) == 1);
}

static void a_done_context_wins_over_a_descriptor_that_is_ready(void **state)
{
	with_each_kind(read_with_done_context);
}

/* ---- Writing --------------------------------------------------------------------------------- */

/* A kind that holds a lot is filled all the same; only a terminal's room is not ours to fill. */
static void fill(int fd)
{
	static const char zeros[4096];
	int flags = fcntl(fd, F_GETFL);

	fcntl(fd, F_SETFL, flags | O_NONBLOCK);
	while (write(fd, zeros, sizeof zeros) > 0)
		;
	while (write(fd, zeros, 1) > 0)
		;
	check(errno == EAGAIN);
	fcntl(fd, F_SETFL, flags);
}

static void write_cancelled(belay_ctx *ctx, void *arg)
{
	struct ends *ends = arg;
	struct canceller canceller = {belay_with_cancel(ctx), ends->in, EPOLLOUT};
	struct aside aside;

	fill(ends->in);
	aside_start(&aside, ctx, cancel_when_waited_for, &canceller);
	check(belay_write(canceller.ctx, ends->in, "x", 1) == -ECANCELED);
	aside_join(&aside);
	belay_end(canceller.ctx);
}

static void cancelling_ends_a_write(void **state)
{
	for (size_t i = 0; i < 4; i++)
		for (int in_task = 0; in_task < 2; in_task++) {
			struct ends ends = kinds[i]();

			if (in_task)
				check_in_task(write_cancelled, &ends);
			else
				write_cancelled(belay_background(), &ends);
			close_ends(ends);
		}
}

enum { LOAD = 300000 };

static void read_load(belay_ctx *ctx, void *arg)
{
	struct ends *ends = arg;
	size_t total = 0;
	char buf[1000];

	while (total < LOAD) {
		ssize_t count = belay_read(ctx, ends->out, buf, sizeof buf);

		if (!check(count > 0))
			return;
		for (ssize_t i = 0; i < count; i++, total++)
			if (buf[i] != (char)(total % 251)) {
				check(!"the bytes are those that were written");
				return;
			}
	}
}

static void write_load(belay_ctx *ctx, void *arg)
{
	struct ends *ends = arg;
	char *load = malloc(LOAD);
	struct aside aside;
	size_t total = 0;

	if (!check(load != NULL))
		return;
	for (size_t i = 0; i < LOAD; i++)
		load[i] = (char)(i % 251);
	aside_start(&aside, ctx, read_load, ends);
	while (total < LOAD) {
		ssize_t count = belay_write(ctx, ends->in, load + total, LOAD - total);

		if (!check(count > 0))
			break;
		total += (size_t)count;
	}
	free(load);
	aside_join(&aside);
}

/* With one worker: whoever held it would keep the other side from ever coming. */
static void what_is_written_arrives_in_order(void **state)
{
	setenv("BELAY_WORKERS", "1", 1);
	with_each_kind(write_load);
	belay_shutdown();
	unsetenv("BELAY_WORKERS");
}

static void write_to_nobody(belay_ctx *ctx, void *arg)
{
	struct ends ends = sockets_with(0);

	close(ends.out);
	check(belay_write(ctx, ends.in, "x", 1) == -EPIPE);
	close(ends.in);
}

static void a_write_to_a_closed_socket_raises_no_signal(void **state)
{
	from_both(write_to_nobody, NULL);
}

/* ---- Several at once ------------------------------------------------------------------------- */

enum { READERS = 8 };

struct readers {
	int fd;
	_Atomic int waiting, got;
};

static int read_one(belay_ctx *ctx, void *arg)
{
	struct readers *readers = arg;
	char byte;

	atomic_fetch_add(&readers->waiting, 1);
	check(belay_read(ctx, readers->fd, &byte, 1) == 1);
	atomic_fetch_add(&readers->got, 1);
	return 0;
}

static void feed(struct ends ends)
{
	belay_group *group = belay_group_new(belay_background());
	struct readers readers = {.fd = ends.out};

	for (int i = 0; i < READERS; i++)
		assert_int_equal(belay_group_go(group, read_one, &readers), 0);
	assert_true(check_until(readers.waiting == READERS && is_waited_for(ends.out, EPOLLIN)));
	for (int i = 1; i <= READERS; i++) {
		assert_int_equal(write(ends.in, "x", 1), 1);
		assert_true(check_until(readers.got == i));
	}
	assert_int_equal(belay_group_wait(group), 0);
	close_ends(ends);
}

static void feed_readers(struct ends ends)
{
	if (!are_missing(ends))
		feed(ends);
}

static void each_of_several_readers_gets_its_byte(void **state)
{
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
		feed_readers(kinds[i]());
}

/* A look shows all of them the one byte; only one may go for it. */
static void readers_of_a_blocking_pipe_never_hold_their_worker(void **state)
{
	setenv("BELAY_WORKERS", "1", 1);
	feed_readers(blocking_pipe());
	feed_readers(terminal());
	belay_shutdown();
	unsetenv("BELAY_WORKERS");
}

struct two_ways {
	int fd;
	_Atomic bool written;
};

static void write_one(belay_ctx *ctx, void *arg)
{
	struct two_ways *ways = arg;

	check(belay_write(ctx, ways->fd, "x", 1) == 1);
	atomic_store(&ways->written, true);
}

static void read_while_another_writes(belay_ctx *ctx, void *arg)
{
	struct ends *ends = arg;
	struct two_ways ways = {.fd = ends->out};
	struct canceller canceller = {belay_with_cancel(ctx), ends->out, EPOLLIN};
	struct aside writer, aside;
	char buf[4096];
	ssize_t count;

	fill(ends->out);
	aside_start(&writer, ctx, write_one, &ways);
	check(check_until(is_waited_for(ends->out, EPOLLOUT)));
	aside_start(&aside, ctx, cancel_when_waited_for, &canceller);
	check(belay_read(canceller.ctx, ends->out, buf, 1) == -ECANCELED);
	check(is_waited_for(ends->out, EPOLLOUT));
	check(!ways.written);
	do
		count = belay_read(ctx, ends->in, buf, sizeof buf);
	while (count > 0 && buf[count - 1] != 'x');
	aside_join(&aside);
	aside_join(&writer);
	check(ways.written);
	belay_end(canceller.ctx);
}

static void a_reader_and_a_writer_of_one_descriptor_dont_disturb_each_other(void **state)
{
	for (int in_task = 0; in_task < 2; in_task++) {
		struct ends ends = blocking_sockets();

		if (in_task)
			check_in_task(read_while_another_writes, &ends);
		else
			read_while_another_writes(belay_background(), &ends);
		close_ends(ends);
	}
}

/* ---- Waiting --------------------------------------------------------------------------------- */

static void wait_for_both(belay_ctx *ctx, void *arg)
{
	struct ends ends = sockets_with(0);
	struct aside aside;
	char byte;

	check(belay_wait_fd(ctx, ends.out, BELAY_READABLE | BELAY_WRITABLE) == BELAY_WRITABLE);
	check(write(ends.in, "x", 1) == 1);
	check(belay_wait_fd(ctx, ends.out, BELAY_READABLE | BELAY_WRITABLE) ==
	      (BELAY_READABLE | BELAY_WRITABLE));
	check(read(ends.out, &byte, 1) == 1);
	fill(ends.out);
	aside_start(&aside, ctx, write_when_waited_for, &ends);
	check(belay_wait_fd(ctx, ends.out, BELAY_READABLE | BELAY_WRITABLE) == BELAY_READABLE);
	aside_join(&aside);
	close(ends.in);
	check(belay_wait_fd(ctx, ends.out, BELAY_WRITABLE) == BELAY_WRITABLE);
	close(ends.out);
}

static void waiting_says_what_it_is_ready_for(void **state)
{
	from_both(wait_for_both, NULL);
}

static void wait_wrongly(belay_ctx *ctx, void *arg)
{
	struct ends ends = pipe_with(0);
	int closed = dup(ends.out);

	close(closed);
	check(belay_wait_fd(ctx, -1, BELAY_READABLE) == -EBADF);
	check(belay_wait_fd(ctx, closed, BELAY_READABLE) == -EBADF);
	check(belay_read(ctx, closed, NULL, 0) == -EBADF);
	check(belay_write(ctx, closed, NULL, 0) == -EBADF);
	check(belay_wait_fd(ctx, ends.out, 0) == -EINVAL);
	check(belay_wait_fd(ctx, ends.out, 4) == -EINVAL);
	check(belay_wait_fd(NULL, ends.out, BELAY_READABLE) == -EINVAL);
	check(belay_read(NULL, ends.out, NULL, 0) == -EINVAL);
	close_ends(ends);
}

static void wrong_arguments_are_errors(void **state)
{
	from_both(wait_wrongly, NULL);
}

BELAY_TEST_MAIN(cmocka_unit_test(a_read_takes_what_is_there),
		cmocka_unit_test(a_read_of_nothing_waits_for_nothing),
		cmocka_unit_test(a_read_waits_for_data),
		cmocka_unit_test(a_read_at_the_end_gives_0),
		cmocka_unit_test(cancelling_ends_a_read),
		cmocka_unit_test(a_deadline_ends_a_read),
		cmocka_unit_test(a_done_context_wins_over_a_descriptor_that_is_ready),
		cmocka_unit_test(cancelling_ends_a_write),
		cmocka_unit_test(what_is_written_arrives_in_order),
		cmocka_unit_test(a_write_to_a_closed_socket_raises_no_signal),
		cmocka_unit_test(each_of_several_readers_gets_its_byte),
		cmocka_unit_test(readers_of_a_blocking_pipe_never_hold_their_worker),
		cmocka_unit_test(a_reader_and_a_writer_of_one_descriptor_dont_disturb_each_other),
		cmocka_unit_test(waiting_says_what_it_is_ready_for),
		cmocka_unit_test(wrong_arguments_are_errors))
