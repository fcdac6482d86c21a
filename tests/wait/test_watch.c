/* SPDX-License-Identifier: MIT
 *
 * test_watch.c - descriptors watched by the clock thread.
 */
#include "check.h"

#include "wait/watch.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/epoll.h>
#include <unistd.h>

struct probe {
	struct belay__watch watch;
	int pipe[2];
	_Atomic int calls;
	_Atomic bool hold, inside;
};

static void seen(struct belay__watch *watch, uint32_t events)
{
	struct probe *probe = (struct probe *)(void *)watch;
	char byte;

	atomic_store(&probe->inside, true);
	check(events & EPOLLIN);
	check(read(probe->pipe[0], &byte, 1) == 1);
	atomic_fetch_add(&probe->calls, 1);
	while (atomic_load(&probe->hold))
		usleep(100);
	atomic_store(&probe->inside, false);
}

static void seen_and_removed(struct belay__watch *watch, uint32_t events)
{
	belay__watch_remove(watch);
	seen(watch, events);
}

static void open_probe(struct probe *probe)
{
	*probe = (struct probe){.calls = 0};
	assert_int_equal(pipe(probe->pipe), 0);
}

static void close_probe(struct probe *probe)
{
	close(probe->pipe[0]);
	close(probe->pipe[1]);
}

static void write_byte(struct probe *probe)
{
	assert_int_equal(write(probe->pipe[1], "x", 1), 1);
}

static void an_event_calls_fn_each_time(void **unused)
{
	struct probe probe;

	open_probe(&probe);
	assert_int_equal(belay__watch_add(&probe.watch, probe.pipe[0], EPOLLIN, seen), 0);
	for (int i = 1; i <= 3; i++) {
		write_byte(&probe);
		assert_true(check_until(atomic_load(&probe.calls) == i));
	}
	belay__watch_remove(&probe.watch);
	close_probe(&probe);
}

static void a_removed_watch_is_never_called_again(void **unused)
{
	struct probe probe, other;

	open_probe(&probe);
	open_probe(&other);
	assert_int_equal(belay__watch_add(&probe.watch, probe.pipe[0], EPOLLIN, seen), 0);
	assert_int_equal(belay__watch_add(&other.watch, other.pipe[0], EPOLLIN, seen), 0);
	belay__watch_remove(&probe.watch);
	write_byte(&probe);
	write_byte(&other); /* whose event comes after the one that must not */
	assert_true(check_until(atomic_load(&other.calls) == 1));
	assert_int_equal(atomic_load(&probe.calls), 0);
	belay__watch_remove(&other.watch);
	close_probe(&probe);
	close_probe(&other);
}

static void *let_go(void *arg)
{
	struct probe *probe = arg;

	usleep(20000); /* so that the removal has to wait, mostly; right in either case */
	atomic_store(&probe->hold, false);
	return NULL;
}

static void removal_waits_for_a_call_under_way(void **unused)
{
	struct probe probe;
	pthread_t thread;

	open_probe(&probe);
	atomic_store(&probe.hold, true);
	assert_int_equal(belay__watch_add(&probe.watch, probe.pipe[0], EPOLLIN, seen), 0);
	write_byte(&probe);
	assert_true(check_until(atomic_load(&probe.inside)));
	assert_int_equal(pthread_create(&thread, NULL, let_go, &probe), 0);
	belay__watch_remove(&probe.watch);
	assert_false(atomic_load(&probe.inside));
	pthread_join(thread, NULL);
	close_probe(&probe);
}

static void a_watch_may_remove_itself(void **unused)
{
	struct probe probe;

	open_probe(&probe);
	assert_int_equal(
		belay__watch_add(&probe.watch, probe.pipe[0], EPOLLIN, seen_and_removed), 0);
	write_byte(&probe);
	assert_true(check_until(atomic_load(&probe.calls) == 1 && !atomic_load(&probe.inside)));
	belay__watch_remove(&probe.watch);
	close_probe(&probe);
}

static void a_descriptor_that_can_not_be_watched_is_an_error(void **unused)
{
	struct belay__watch watch;

	assert_int_equal(belay__watch_add(&watch, -1, EPOLLIN, seen), -EBADF);
}

static void many_watches_come_and_go(void **unused)
{
	enum { MANY = 40 };
	struct probe probes[MANY];

	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < MANY; i++) {
			open_probe(&probes[i]);
			assert_int_equal(belay__watch_add(&probes[i].watch, probes[i].pipe[0],
							  EPOLLIN, seen),
					 0);
		}
		for (int i = 0; i < MANY; i += 2)
			write_byte(&probes[i]);
		for (int i = 0; i < MANY; i += 2)
			assert_true(check_until(atomic_load(&probes[i].calls) == 1));
		for (int i = 0; i < MANY; i++) {
			belay__watch_remove(&probes[i].watch);
			assert_int_equal(atomic_load(&probes[i].calls), i % 2 == 0);
			close_probe(&probes[i]);
		}
	}
}

BELAY_TEST_MAIN(cmocka_unit_test(an_event_calls_fn_each_time),
		cmocka_unit_test(a_removed_watch_is_never_called_again),
		cmocka_unit_test(removal_waits_for_a_call_under_way),
		cmocka_unit_test(a_watch_may_remove_itself),
		cmocka_unit_test(a_descriptor_that_can_not_be_watched_is_an_error),
		cmocka_unit_test(many_watches_come_and_go))
