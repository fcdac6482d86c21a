/* SPDX-License-Identifier: MIT
 *
 * test_fd_lent.c - what may be lent and by whom: by plain threads, files that can't be waited for,
 * numbers and flags that stay the caller's.
 */
#include "fd_test.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/timerfd.h>

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

BELAY_TEST_MAIN(cmocka_unit_test(a_thread_that_waits_starts_no_worker),
		cmocka_unit_test(a_thread_is_woken_while_every_worker_computes),
		cmocka_unit_test(a_thread_waits_even_where_no_descriptor_is_left),
		cmocka_unit_test(regular_files_are_read_and_written_but_not_waited_for),
		cmocka_unit_test(devices_that_are_always_ready_are_read_and_written),
		cmocka_unit_test(events_and_timers_of_the_kernels_are_read),
		cmocka_unit_test(the_flags_of_a_descriptor_are_left_alone),
		cmocka_unit_test(a_number_that_is_closed_and_opened_again_is_another_descriptor),
		cmocka_unit_test(a_number_whose_former_file_lives_on_is_another_descriptor),
		cmocka_unit_test(a_descriptor_is_waited_for_again_after_a_shutdown))
