/* SPDX-License-Identifier: MIT
 *
 * test_fd.c - reading, writing and waiting on descriptors that are lent to Belay.
 *
 * Most run over every kind of descriptor that can be waited for, from a thread and from a task.
 * With NO_NOWAIT in the environment the kernel is made to refuse RWF_NOWAIT, as one before Linux
 * 6.4 does for pipes.
 */
#include "net_test.h"

#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <pty.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>

__attribute__((constructor)) static void refuse_nowait(void)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_preadv2, 1, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_pwritev2, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EOPNOTSUPP),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = {sizeof filter / sizeof *filter, filter};

	if (getenv("NO_NOWAIT") && (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
				    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0))
		abort();
}

/* ---- Kinds of descriptors -------------------------------------------------------------------- */

/* Two ends; bytes go from in to out. */
struct ends {
	int out, in;
};

static struct ends pipe_with(int flags)
{
	int fds[2];

	check(pipe2(fds, O_CLOEXEC | flags) == 0);
	return (struct ends){fds[0], fds[1]};
}

static struct ends sockets_with(int flags)
{
	int fds[2];

	check(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | flags, 0, fds) == 0);
	return (struct ends){fds[0], fds[1]};
}

static struct ends blocking_pipe(void)
{
	return pipe_with(0);
}

static struct ends nonblocking_pipe(void)
{
	return pipe_with(O_NONBLOCK);
}

static struct ends blocking_sockets(void)
{
	return sockets_with(0);
}

static struct ends nonblocking_sockets(void)
{
	return sockets_with(SOCK_NONBLOCK);
}

/* Raw, so that single bytes can be read; the program is the slave's side. */
static struct ends terminal(void)
{
	struct termios raw = {.c_cc = {[VMIN] = 1}};
	struct ends ends;

	check(openpty(&ends.in, &ends.out, NULL, &raw, NULL) == 0);
	return ends;
}

static struct ends (*const kinds[])(void) = {
	blocking_pipe, nonblocking_pipe, blocking_sockets, nonblocking_sockets, terminal,
};

static void close_ends(struct ends ends)
{
	close(ends.out);
	close(ends.in);
}

/* Calls fn with every kind, from a thread and from a task. */
static void with_each_kind(void (*fn)(belay_ctx *ctx, void *ends))
{
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
		for (int in_task = 0; in_task < 2; in_task++) {
			struct ends ends = kinds[i]();

			if (in_task)
				check_in_task(fn, &ends);
			else
				fn(belay_background(), &ends);
			close_ends(ends);
		}
	}
}

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

static void write_when_waited_for(belay_ctx *ctx, void *arg)
{
	struct ends *ends = arg;

	check(check_until(is_waited_for(ends->out, EPOLLIN)));
	check(write(ends->in, "x", 1) == 1);
}

static void read_before_it_comes(belay_ctx *ctx, void *arg)
{
	struct ends *ends = arg;
	struct aside aside;
	char byte = 0;

	aside_start(&aside, ctx, write_when_waited_for, ends);
	check(belay_read(ctx, ends->out, &byte, 1) == 1);
	check(byte == 'x');
	aside_join(&aside);
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

static void read_cancelled(belay_ctx *ctx, void *arg)
{
	struct ends *ends = arg;
	struct canceller canceller = {belay_with_cancel(ctx), ends->out, EPOLLIN};
	struct aside aside;
	char byte = 'y';

	aside_start(&aside, ctx, cancel_when_waited_for, &canceller);
	check(belay_read(canceller.ctx, ends->out, &byte, 1) == -ECANCELED);
	check(byte == 'y');
	check(!is_waited_for(ends->out, EPOLLIN));
	aside_join(&aside);
	belay_end(canceller.ctx);
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

static void feed_readers(struct ends ends)
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

/* ---- Plain threads --------------------------------------------------------------------------- */

static void *feed_from_thread(void *ends)
{
	write_when_waited_for(NULL, ends);
	return NULL;
}

/* Both are plain threads; the reader is this one. */
static void read_beside_thread(belay_ctx *ctx, struct ends *ends)
{
	pthread_t thread;
	char byte;

	assert_int_equal(pthread_create(&thread, NULL, feed_from_thread, ends), 0);
	assert_int_equal(belay_read(ctx, ends->out, &byte, 1), 1);
	pthread_join(thread, NULL);
}

static void a_thread_that_waits_starts_no_worker(void **state)
{
	BELAY_SCOPED belay_ctx *ctx = belay_with_cancel(belay_background());
	unsigned threads = check_threads();
	struct ends ends = blocking_pipe();

	read_beside_thread(ctx, &ends);
	assert_true(check_until(check_threads() == threads));
	close_ends(ends);
}

static int compute(belay_ctx *ctx, void *arg)
{
	atomic_fetch_add((_Atomic int *)arg, 1);
	while (belay_err(ctx) == 0)
		;
	return 0;
}

static void a_thread_is_woken_while_every_worker_computes(void **state)
{
	belay_group *group = belay_group_new(belay_background());
	struct ends ends = blocking_sockets();
	_Atomic int running = 0;

	setenv("BELAY_WORKERS", "2", 1);
	for (int i = 0; i < 2; i++)
		assert_int_equal(belay_group_go(group, compute, &running), 0);
	unsetenv("BELAY_WORKERS");
	assert_true(check_until(running == 2));
	read_beside_thread(belay_background(), &ends);
	belay_cancel(belay_group_ctx(group));
	assert_int_equal(belay_group_wait(group), 0);
	close_ends(ends);
}

static void just_return(belay_ctx *ctx, void *arg)
{
}

/* The threads of this test find each other without the kernel's help: none can open /proc. */
static void write_once_armed(belay_ctx *ctx, void *arg)
{
	struct ends *ends = arg;

	belay_sleep(ctx, BELAY_MS(1));
	check(write(ends->in, "x", 1) == 1);
}

static void a_thread_waits_even_where_no_descriptor_is_left(void **state)
{
	struct ends ends = blocking_pipe();
	struct rlimit before, none;
	struct aside aside;
	char byte;

	check_in_task(just_return, NULL); /* the workers have theirs */
	assert_int_equal(belay_sleep(belay_background(), 1), 0);
	getrlimit(RLIMIT_NOFILE, &before);
	none = (struct rlimit){2, before.rlim_max}; /* poll(2) wants no less */
	setrlimit(RLIMIT_NOFILE, &none);
	aside_start(&aside, belay_background(), write_once_armed, &ends);
	assert_int_equal(belay_read(belay_background(), ends.out, &byte, 1), 1);
	aside_join(&aside);
	setrlimit(RLIMIT_NOFILE, &before);
	close_ends(ends);
}

/* ---- Files ----------------------------------------------------------------------------------- */

static void use_file(belay_ctx *ctx, void *arg)
{
	int fd = open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	char buf[8] = "";

	check(fd >= 0);
	check(belay_write(ctx, fd, "abc", 3) == 3);
	check(lseek(fd, 1, SEEK_SET) == 1);
	check(belay_read(ctx, fd, buf, sizeof buf) == 2);
	check(strcmp(buf, "bc") == 0);
	check(belay_read(ctx, fd, buf, sizeof buf) == 0);
	check(belay_wait_fd(ctx, fd, BELAY_READABLE) == -EPERM);
	close(fd);
}

static void regular_files_are_read_and_written_but_not_waited_for(void **state)
{
	from_both(use_file, NULL);
}

static void use_devices(belay_ctx *ctx, void *arg)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	int zero = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	char buf[2] = "xy";

	check(belay_write(ctx, null, "abc", 3) == 3);
	check(belay_read(ctx, null, buf, 2) == 0);
	check(belay_read(ctx, zero, buf, 2) == 2);
	check(buf[0] == 0 && buf[1] == 0);
	close(null);
	close(zero);
}

static void devices_that_are_always_ready_are_read_and_written(void **state)
{
	from_both(use_devices, NULL);
}

static void use_events(belay_ctx *ctx, void *arg)
{
	struct itimerspec soon = {.it_value.tv_nsec = 1000000};
	int event = eventfd(3, EFD_CLOEXEC), timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
	uint64_t count = 0;

	check(belay_read(ctx, event, &count, sizeof count) == sizeof count && count == 3);
	count = 4;
	check(belay_write(ctx, event, &count, sizeof count) == sizeof count);
	check(read(event, &count, sizeof count) == sizeof count && count == 4);
	check(timerfd_settime(timer, 0, &soon, NULL) == 0);
	check(belay_read(ctx, timer, &count, sizeof count) == sizeof count && count >= 1);
	close(event);
	close(timer);
}

static void events_and_timers_of_the_kernels_are_read(void **state)
{
	from_both(use_events, NULL);
}

/* ---- The caller's descriptors stay the caller's ---------------------------------------------- */

static void compare_flags(belay_ctx *ctx, void *arg)
{
	struct ends *ends = arg;
	int out = fcntl(ends->out, F_GETFL), in = fcntl(ends->in, F_GETFL);

	read_before_it_comes(ctx, ends);
	check(belay_write(ctx, ends->in, "x", 1) == 1);
	check(fcntl(ends->out, F_GETFL) == out);
	check(fcntl(ends->in, F_GETFL) == in);
}

static void the_flags_of_a_descriptor_are_left_alone(void **state)
{
	with_each_kind(compare_flags);
}

static void reuse_number(belay_ctx *ctx, void *arg)
{
	for (int i = 0; i < 20; i++) {
		struct ends ends = i % 2 ? pipe_with(0) : sockets_with(0);
		int number = 500;

		check(dup3(ends.out, number, O_CLOEXEC) == number);
		close(ends.out);
		ends.out = number;
		if (i % 3)
			read_cancelled(ctx, &ends);
		read_before_it_comes(ctx, &ends);
		close_ends(ends);
	}
}

static void a_number_that_is_closed_and_opened_again_is_another_descriptor(void **state)
{
	from_both(reuse_number, NULL);
}

/* The old file stays registered under the number as long as its other descriptor is open. */
static void reuse_number_of_living_file(belay_ctx *ctx, void *arg)
{
	struct ends first = pipe_with(0), second = pipe_with(0);
	struct ends numbered = {501, first.in};

	check(dup3(first.out, 501, O_CLOEXEC) == 501);
	read_before_it_comes(ctx, &numbered);
	check(dup3(second.out, 501, O_CLOEXEC) == 501);
	numbered.in = second.in;
	read_before_it_comes(ctx, &numbered);
	check(write(first.in, "z", 1) == 1);
	read_before_it_comes(ctx, &numbered);
	check(dup3(first.out, 501, O_CLOEXEC) == 501);
	numbered.in = first.in;
	read_cancelled(belay_background(), &(struct ends){second.out, second.in});
	check(belay_read(ctx, 501, &(char){0}, 1) == 1);
	read_before_it_comes(ctx, &numbered);
	close(501);
	close_ends(first);
	close_ends(second);
}

static void a_number_whose_former_file_lives_on_is_another_descriptor(void **state)
{
	from_both(reuse_number_of_living_file, NULL);
}

static void a_descriptor_is_waited_for_again_after_a_shutdown(void **state)
{
	struct ends ends = pipe_with(0);

	for (int i = 0; i < 3; i++) {
		check_in_task(read_before_it_comes, &ends);
		read_before_it_comes(belay_background(), &ends);
		belay_shutdown();
	}
	close_ends(ends);
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
		cmocka_unit_test(wrong_arguments_are_errors),
		cmocka_unit_test(a_thread_that_waits_starts_no_worker),
		cmocka_unit_test(a_thread_is_woken_while_every_worker_computes),
		cmocka_unit_test(a_thread_waits_even_where_no_descriptor_is_left),
		cmocka_unit_test(regular_files_are_read_and_written_but_not_waited_for),
		cmocka_unit_test(devices_that_are_always_ready_are_read_and_written),
		cmocka_unit_test(events_and_timers_of_the_kernels_are_read),
		cmocka_unit_test(the_flags_of_a_descriptor_are_left_alone),
		cmocka_unit_test(a_number_that_is_closed_and_opened_again_is_another_descriptor),
		cmocka_unit_test(a_number_whose_former_file_lives_on_is_another_descriptor),
		cmocka_unit_test(a_descriptor_is_waited_for_again_after_a_shutdown))
