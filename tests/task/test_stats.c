/* SPDX-License-Identifier: MIT
 *
 * test_stats.c - the process in numbers.
 */
#include "check.h"

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct belay_numbers stats(void)
{
	struct belay_numbers now;

	belay_stats(&now, sizeof now);
	return now;
}

static int one_worker(void **state)
{
	return setenv("BELAY_WORKERS", "1", 1);
}

static int default_workers(void **state)
{
	return unsetenv("BELAY_WORKERS");
}

/* ---- What tasks wait for --------------------------------------------------------------------- */

static belay_mutex mutex = BELAY_MUTEX_INIT;
static belay_chan *chan;

static void in_recv(belay_ctx *ctx, void *arg)
{
	check(belay_recv(ctx, chan, NULL) == -ECANCELED);
}

static void in_select(belay_ctx *ctx, void *arg)
{
	check(belay_select(ctx, BELAY_RECV(chan, NULL)) == -ECANCELED);
}

static void in_sleep(belay_ctx *ctx, void *arg)
{
	check(belay_sleep(ctx, BELAY_S(3600)) == -ECANCELED);
}

static void in_wait(belay_ctx *ctx, void *arg)
{
	check(belay_wait(ctx) == -ECANCELED);
}

static void in_lock(belay_ctx *ctx, void *arg)
{
	check(belay_mutex_lock(ctx, &mutex) == -ECANCELED);
}

static int member(belay_ctx *ctx, void *arg)
{
	return belay_wait(arg);
}

static void in_group(belay_ctx *ctx, void *arg)
{
	belay_group *group = check_made(belay_group_new(belay_background()));

	check(belay_group_go(group, member, ctx) == 0);
	check(belay_group_wait(group) == -ECANCELED);
}

static void await(void *arg)
{
	check(belay_wait(arg) == -ECANCELED);
}

static void in_blocking(belay_ctx *ctx, void *arg)
{
	check(belay_blocking(belay_background(), await, ctx) == 0);
}

static int fds[2];

static void in_read(belay_ctx *ctx, void *arg)
{
	check(belay_wait_fd(ctx, fds[0], POLLIN) == -ECANCELED);
}

static uint64_t field(size_t offset)
{
	struct belay_numbers now = stats();

	return *(uint64_t *)((char *)&now + offset);
}

static void parked_tasks_are_counted_by_what_they_wait_for(void **state)
{
	static const struct {
		void (*fn)(belay_ctx *ctx, void *arg);
		size_t offset;
	} waits[] = {
		{in_recv, offsetof(struct belay_numbers, parked_chan)},
		{in_select, offsetof(struct belay_numbers, parked_select)},
		{in_sleep, offsetof(struct belay_numbers, parked_sleep)},
		{in_wait, offsetof(struct belay_numbers, parked_done)},
		{in_lock, offsetof(struct belay_numbers, parked_sync)},
		{in_group, offsetof(struct belay_numbers, parked_group)},
		{in_read, offsetof(struct belay_numbers, parked_io)},
		{in_blocking, offsetof(struct belay_numbers, parked_blocking)},
	};

	chan = check_made(belay_chan_new(0, 0));
	assert_int_equal(pipe(fds), 0);
	assert_int_equal(belay_mutex_lock(belay_background(), &mutex), 0);
	for (size_t i = 0; i < sizeof waits / sizeof *waits; i++) {
		belay_ctx *ctx = check_live(belay_with_cancel(belay_background()));

		assert_int_equal(belay_go(ctx, waits[i].fn, NULL), 0);
		assert_true(check_until(field(waits[i].offset) == 1));
		assert_true(stats().tasks >= 1);
		belay_end(ctx);
		assert_true(check_until(stats().tasks == 0));
		assert_int_equal(stats().parked, 0);
	}
	belay_mutex_unlock(&mutex);
	belay_chan_unref(chan);
	close(fds[0]), close(fds[1]);
}

/* ---- The other tasks ------------------------------------------------------------------------- */

static atomic_bool spins, let_go;
static atomic_int ran;

static void spin(belay_ctx *ctx, void *arg)
{
	atomic_store(&spins, true);
	while (!atomic_load(&let_go))
		;
}

static void run(belay_ctx *ctx, void *arg)
{
	atomic_fetch_add(&ran, 1);
}

/* The worker is held, so that the others stay in line. */
static void tasks_that_run_and_tasks_in_line_are_counted(void **state)
{
	struct belay_numbers now;

	atomic_store(&spins, false), atomic_store(&let_go, false), atomic_store(&ran, 0);
	assert_int_equal(belay_go(belay_background(), spin, NULL), 0);
	assert_true(check_until(atomic_load(&spins)));
	for (int i = 0; i < 3; i++)
		assert_int_equal(belay_go(belay_background(), run, NULL), 0);
	now = stats();
	assert_int_equal(now.workers, 1);
	assert_int_equal(now.tasks, 4);
	assert_int_equal(now.running, 1);
	assert_int_equal(now.ready, 3);
	assert_int_equal(now.parked, 0);
	atomic_store(&let_go, true);
	assert_true(check_until(stats().tasks == 0));
	assert_int_equal(atomic_load(&ran), 3);
}

static void contexts_timers_and_idle_threads_are_counted(void **state)
{
	struct belay_numbers before = stats(), now;
	belay_ctx *ctx = check_live(belay_with_timeout(belay_background(), BELAY_S(3600)));

	now = stats();
	assert_int_equal(now.contexts, before.contexts + 1);
	assert_int_equal(now.timers, before.timers + 1);
	belay_end(ctx);
	now = stats();
	assert_int_equal(now.contexts, before.contexts);
	assert_int_equal(now.timers, before.timers);
}

static void hold(void *arg)
{
	while (!atomic_load(&let_go))
		belay_yield();
}

static void block(belay_ctx *ctx, void *arg)
{
	check(belay_blocking(ctx, hold, NULL) == 0);
}

static void blocking_threads_are_counted(void **state)
{
	atomic_store(&let_go, false);
	assert_int_equal(belay_go(belay_background(), block, NULL), 0);
	assert_true(check_until(stats().blocking_busy == 1));
	assert_int_equal(stats().blocking_idle, 0);
	atomic_store(&let_go, true);
	assert_true(check_until(stats().blocking_idle == 1));
	assert_int_equal(stats().blocking_busy, 0);
}

/* ---- Totals ---------------------------------------------------------------------------------- */

static void yield(belay_ctx *ctx, void *arg)
{
	belay_yield();
	belay_yield();
	check(belay_sleep(ctx, 1) == 0);
}

static void totals_grow_by_what_was_done(void **state)
{
	struct belay_numbers before = stats(), now;

	assert_int_equal(belay_go(belay_background(), yield, NULL), 0);
	assert_true(check_until(stats().spawned == before.spawned + 1 && stats().tasks == 0));
	now = stats();
	assert_int_equal(now.yields, before.yields + 2);
	assert_int_equal(now.parks, before.parks + 1);
	assert_int_equal(now.wakes, before.wakes + 1);
	assert_int_equal(now.switches, before.switches + 4);
}

static void totals_survive_a_shutdown(void **state)
{
	struct belay_numbers before, now;

	assert_int_equal(belay_go(belay_background(), yield, NULL), 0);
	assert_true(check_until(stats().tasks == 0 && stats().spawned > 0));
	before = stats();
	belay_shutdown();
	now = stats();
	assert_int_equal(now.workers, 0);
	assert_int_equal(now.spawned, before.spawned);
	assert_int_equal(now.yields, before.yields);
	assert_true(now.switches >= before.switches && now.sleeps >= before.sleeps);
}

static void *read_them(void *arg)
{
	struct belay_numbers last = stats();

	while (!atomic_load(&let_go)) {
		struct belay_numbers now = stats();

		check(now.spawned >= last.spawned && now.switches >= last.switches);
		last = now;
	}
	return NULL;
}

static void they_may_be_read_while_workers_come_and_go(void **state)
{
	pthread_t reader;

	atomic_store(&let_go, false), atomic_store(&ran, 0);
	assert_int_equal(pthread_create(&reader, NULL, read_them, NULL), 0);
	for (int i = 0; i < 20; i++) {
		assert_int_equal(belay_go(belay_background(), run, NULL), 0);
		belay_shutdown();
	}
	atomic_store(&let_go, true);
	pthread_join(reader, NULL);
	assert_int_equal(atomic_load(&ran), 20);
}

/* ---- The struct ------------------------------------------------------------------------------ */

static void an_older_programs_smaller_struct_is_not_overrun(void **state)
{
	struct belay_numbers now;

	memset(&now, 0xff, sizeof now);
	belay_stats(&now, offsetof(struct belay_numbers, running));
	assert_int_equal(now.tasks, 0);
	assert_true(now.running == UINT64_MAX);
}

static void a_newer_programs_larger_struct_ends_in_zeros(void **state)
{
	struct {
		struct belay_numbers known;
		uint64_t unknown;
	} now = {.unknown = 7};

	belay_stats(&now.known, sizeof now);
	assert_int_equal(now.unknown, 0);
}

static char *text_of(int (*print)(FILE *out))
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	assert_non_null(out);
	assert_int_equal(print(out), 0);
	assert_int_equal(fclose(out), 0);
	return text;
}

static void text_names_each_number_and_its_type(void **state)
{
	char *text = text_of(belay_stats_text);

	assert_non_null(strstr(text, "# TYPE belay_tasks gauge\nbelay_tasks 0\n"));
	assert_non_null(strstr(text, "# TYPE belay_spawned_total counter\nbelay_spawned_total "));
	free(text);
}

static void json_is_one_object(void **state)
{
	char *text = text_of(belay_stats_json);

	assert_memory_equal(text, "{\"workers\":0,\"tasks\":0,", 23);
	assert_non_null(strstr(text, ",\"spins\":"));
	assert_string_equal(text + strlen(text) - 2, "}\n");
	free(text);
}

static void a_failed_write_is_told(void **state)
{
	FILE *full = fopen("/dev/full", "w");

	assert_non_null(full);
	setvbuf(full, NULL, _IONBF, 0);
	assert_int_equal(belay_stats_text(full), -EIO);
	assert_int_equal(belay_stats_json(full), -EIO);
	fclose(full);
}

BELAY_TEST_MAIN(
	cmocka_unit_test(parked_tasks_are_counted_by_what_they_wait_for),
	cmocka_unit_test_setup_teardown(tasks_that_run_and_tasks_in_line_are_counted, one_worker,
					default_workers),
	cmocka_unit_test(contexts_timers_and_idle_threads_are_counted),
	cmocka_unit_test(blocking_threads_are_counted),
	cmocka_unit_test_setup_teardown(totals_grow_by_what_was_done, one_worker, default_workers),
	cmocka_unit_test(totals_survive_a_shutdown),
	cmocka_unit_test(they_may_be_read_while_workers_come_and_go),
	cmocka_unit_test(an_older_programs_smaller_struct_is_not_overrun),
	cmocka_unit_test(a_newer_programs_larger_struct_ends_in_zeros),
	cmocka_unit_test(text_names_each_number_and_its_type),
	cmocka_unit_test(json_is_one_object),
	cmocka_unit_test(a_failed_write_is_told))
