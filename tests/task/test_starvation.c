/* SPDX-License-Identifier: MIT
 *
 * test_starvation.c - what a crowd or a flood on a worker may not keep from happening there: no
 * task gets much more than its share, and new tasks, descriptors, sleeps and deadlines come
 * through.
 *
 * What is counted is turns and not time, so that a busy machine can't be mistaken for an unfair
 * worker; where only time could tell, that it happens at all.
 */
#include "check.h"

#include "scale.h"

#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

static belay_ctx *bg(void) { return belay_background(); }

static int clear_workers(void **state)
{
	unsetenv("BELAY_WORKERS");
	return 0;
}

/* ---- A crowd that yields --------------------------------------------------------------------- */

enum { CROWD = 1000, YIELDS = 200 };

struct crowd;

struct yielder {
	struct crowd *crowd;
	pthread_t worker;
	atomic_uint yields;
};

/* They race once all have begun: who begins earlier is not ahead. */
struct crowd {
	atomic_uint begun, over;
	unsigned size;
	atomic_bool decided; /* one has come to YIELDS */
	struct yielder yielders[CROWD];
};

static void race(belay_ctx *ctx, void *arg)
{
	struct yielder *self = arg;
	struct crowd *crowd = self->crowd;

	self->worker = pthread_self();
	atomic_fetch_add(&crowd->begun, 1);
	while (atomic_load(&crowd->begun) < crowd->size)
		belay_yield();
	while (!atomic_load(&crowd->decided)) {
		if (atomic_fetch_add(&self->yields, 1) + 1 == YIELDS)
			atomic_store(&crowd->decided, true);
		belay_yield();
	}
	atomic_fetch_add(&crowd->over, 1);
}

static struct crowd *run_race(void)
{
	struct crowd *crowd = calloc(1, sizeof *crowd);

	assert_non_null(crowd);
	setenv("BELAY_WORKERS", "4", 1);
	crowd->size = (unsigned)scaled(CROWD);
	for (unsigned i = 0; i < crowd->size; i++) {
		crowd->yielders[i].crowd = crowd;
		assert_int_equal(belay_go(bg(), race, &crowd->yielders[i]), 0);
	}
	assert_true(check_until(atomic_load(&crowd->over) == crowd->size));
	return crowd;
}

/* The one that has got least, and the one that has got most, of those on one worker. */
static void find_extremes(const struct crowd *crowd, pthread_t worker, unsigned *least,
			  unsigned *most)
{
	*least = UINT_MAX;
	*most = 0;
	for (unsigned i = 0; i < crowd->size; i++) {
		unsigned yields = crowd->yielders[i].yields;

		if (!pthread_equal(crowd->yielders[i].worker, worker))
			continue;
		if (yields < *least)
			*least = yields;
		if (yields > *most)
			*most = yields;
	}
}

static void judge_worker(const struct crowd *crowd, pthread_t worker)
{
	unsigned least, most;

	find_extremes(crowd, worker, &least, &most);
	if (most > 2 * least + 2)
		fail_msg("one task yielded %u times while another did %u times", most, least);
}

/* How fast one worker is beside another is the kernel's affair. */
static void tasks_that_yield_get_the_same_share_of_their_worker(void **state)
{
	struct crowd *crowd = run_race();

	for (unsigned i = 0; i < crowd->size; i++)
		judge_worker(crowd, crowd->yielders[i].worker);
	free(crowd);
}

/* ---- A crowd that is always ready ------------------------------------------------------------ */

/* SOON: rounds of a crowd of READY, in which all else must come. */
enum { READY = 100, SOON = 1000 };

/* All on one worker. */
struct rush {
	atomic_bool over;
	atomic_uint left;
	atomic_ulong turns; /* of the crowd, all together */
};

static void take_turns(belay_ctx *ctx, void *arg)
{
	struct rush *rush = arg;

	while (!atomic_load(&rush->over)) {
		atomic_fetch_add(&rush->turns, 1);
		belay_yield();
	}
	atomic_fetch_sub(&rush->left, 1);
}

static void begin_rush(struct rush *rush)
{
	setenv("BELAY_WORKERS", "1", 1);
	*rush = (struct rush){.left = READY};
	for (int i = 0; i < READY; i++)
		assert_int_equal(belay_go(bg(), take_turns, rush), 0);
}

static void end_rush(struct rush *rush)
{
	atomic_store(&rush->over, true);
	assert_true(check_until(atomic_load(&rush->left) == 0));
}

/* What happens on the crowd's worker, and how many turns of the crowd's went by meanwhile. */
struct event {
	struct rush *rush;
	unsigned long before, after;
	atomic_bool happened;
	int pipe[2];
};

static void happen(belay_ctx *ctx, void *arg)
{
	struct event *event = arg;

	event->after = atomic_load(&event->rush->turns);
	atomic_store(&event->happened, true);
}

static void spawn_happening(belay_ctx *ctx, void *arg)
{
	struct event *event = arg;

	event->before = atomic_load(&event->rush->turns);
	check(belay_go(ctx, happen, event) == 0);
}

static void judge_event(struct event *event)
{
	assert_true(check_until(atomic_load(&event->happened)));
	assert_in_range(event->after - event->before, 0, SOON * READY);
}

static void a_new_task_begins_soon_beside_a_crowd_that_is_always_ready(void **state)
{
	struct rush rush;
	struct event event = {.rush = &rush};

	begin_rush(&rush);
	assert_int_equal(belay_go(bg(), spawn_happening, &event), 0);
	judge_event(&event);
	end_rush(&rush);
}

static void read_and_happen(belay_ctx *ctx, void *arg)
{
	struct event *event = arg;
	char byte;

	check(belay_read(ctx, event->pipe[0], &byte, 1) == 1);
	happen(ctx, arg);
}

static void write_byte(belay_ctx *ctx, void *arg)
{
	struct event *event = arg;

	event->before = atomic_load(&event->rush->turns);
	check(write(event->pipe[1], "x", 1) == 1);
}

/* The byte is written on the crowd's own worker: from then on it is for the poller to see. */
static void a_descriptor_is_seen_soon_beside_a_crowd_that_is_always_ready(void **state)
{
	struct rush rush;
	struct event event = {.rush = &rush};

	assert_int_equal(pipe(event.pipe), 0);
	begin_rush(&rush);
	assert_int_equal(belay_go(bg(), read_and_happen, &event), 0);
	assert_int_equal(belay_go(bg(), write_byte, &event), 0);
	judge_event(&event);
	end_rush(&rush);
	close(event.pipe[0]);
	close(event.pipe[1]);
}

/* ---- A task that floods its own queue -------------------------------------------------------- */

enum { AT_ONCE = 64, FLOOD_MOST = 4096 };

/* Spawns many at each of its turns, and so never leaves its queue empty. */
struct flood {
	atomic_bool stop, over;
	atomic_uint there;
};

static void drop(belay_ctx *ctx, void *arg)
{
	struct flood *flood = arg;

	atomic_fetch_sub(&flood->there, 1);
}

static void pour(struct flood *flood)
{
	for (int i = 0; i < AT_ONCE; i++) {
		atomic_fetch_add(&flood->there, 1);
		if (!check(belay_go(bg(), drop, flood) == 0))
			atomic_fetch_sub(&flood->there, 1);
	}
}

static void flood_queue(belay_ctx *ctx, void *arg)
{
	struct flood *flood = arg;

	while (!atomic_load(&flood->stop)) {
		if (atomic_load(&flood->there) < FLOOD_MOST)
			pour(flood);
		belay_yield();
	}
	atomic_store(&flood->over, true);
}

static void begin_flood(struct flood *flood)
{
	setenv("BELAY_WORKERS", "1", 1);
	*flood = (struct flood){.there = 0};
	assert_int_equal(belay_go(bg(), flood_queue, flood), 0);
	assert_true(check_until(atomic_load(&flood->there) > 0));
}

static void end_flood(struct flood *flood)
{
	atomic_store(&flood->stop, true);
	assert_true(check_until(atomic_load(&flood->over) && atomic_load(&flood->there) == 0));
}

/* Begun before the flood, and let go in the midst of it, but for the one that is new. */
struct bystander {
	belay_chan *gate; /* closed when the flood has come */
	int pipe[2];
	atomic_bool over;
};

static void wait_for_flood(struct bystander *bystander)
{
	check(belay_recv(bg(), bystander->gate, NULL) == -EPIPE);
}

static void begin_and_end(belay_ctx *ctx, void *arg)
{
	struct bystander *bystander = arg;

	atomic_store(&bystander->over, true);
}

static void sleep_and_end(belay_ctx *ctx, void *arg)
{
	wait_for_flood(arg);
	check(belay_sleep(ctx, BELAY_MS(1)) == 0);
	begin_and_end(ctx, arg);
}

static void read_and_end(belay_ctx *ctx, void *arg)
{
	struct bystander *bystander = arg;
	char byte;

	wait_for_flood(arg);
	check(belay_read(ctx, bystander->pipe[0], &byte, 1) == 1);
	begin_and_end(ctx, arg);
}

static void expire_and_end(belay_ctx *ctx, void *arg)
{
	BELAY_SCOPED belay_ctx *short_lived = NULL;

	wait_for_flood(arg);
	short_lived = belay_with_timeout(ctx, BELAY_MS(1));
	check(belay_recv(short_lived, NULL, NULL) == -ETIME);
	begin_and_end(ctx, arg);
}

static void open_bystander(struct bystander *bystander)
{
	*bystander = (struct bystander){.gate = check_made(belay_chan_new(0, 0))};
	assert_int_equal(pipe(bystander->pipe), 0);
}

static void close_bystander(struct bystander *bystander)
{
	close(bystander->pipe[0]);
	close(bystander->pipe[1]);
	belay_chan_unref(bystander->gate);
}

/* Comes to its end although the flood goes on. */
static void judge_bystander(struct bystander *bystander, struct flood *flood)
{
	assert_true(check_until(atomic_load(&bystander->over)));
	end_flood(flood);
	close_bystander(bystander);
}

static void outlive_flood(void (*fn)(belay_ctx *ctx, void *arg))
{
	struct bystander bystander;
	struct flood flood;

	open_bystander(&bystander);
	setenv("BELAY_WORKERS", "1", 1);
	assert_int_equal(belay_go(bg(), fn, &bystander), 0);
	begin_flood(&flood);
	belay_chan_close(bystander.gate);
	assert_int_equal(write(bystander.pipe[1], "x", 1), 1);
	judge_bystander(&bystander, &flood);
}

/* Brought by another thread, to a queue that is never empty and mostly full. */
static void a_task_that_floods_its_queue_does_not_starve_new_tasks(void **state)
{
	struct bystander bystander;
	struct flood flood;

	open_bystander(&bystander);
	begin_flood(&flood);
	assert_int_equal(belay_go(bg(), begin_and_end, &bystander), 0);
	judge_bystander(&bystander, &flood);
}

static void a_task_that_floods_its_queue_does_not_starve_those_that_sleep(void **state)
{
	outlive_flood(sleep_and_end);
}

static void a_task_that_floods_its_queue_does_not_starve_the_poller(void **state)
{
	outlive_flood(read_and_end);
}

static void a_task_that_floods_its_queue_does_not_starve_deadlines(void **state)
{
	outlive_flood(expire_and_end);
}

/* ---- A task that never gives way ------------------------------------------------------------- */

struct hog {
	atomic_uint ended;
	atomic_bool over;
};

static void end_at_once(belay_ctx *ctx, void *arg)
{
	struct hog *hog = arg;

	atomic_fetch_add(&hog->ended, 1);
}

/* Its offspring stands in its own worker's line, which it never leaves. */
static void spawn_and_hog(belay_ctx *ctx, void *arg)
{
	struct hog *hog = arg;

	for (int i = 0; i < AT_ONCE; i++)
		check(belay_go(ctx, end_at_once, hog) == 0);
	while (!atomic_load(&hog->over))
		;
	atomic_fetch_add(&hog->ended, 1);
}

static void another_worker_takes_what_a_hog_has_spawned(void **state)
{
	struct hog hog = {0};

	setenv("BELAY_WORKERS", "2", 1);
	assert_int_equal(belay_go(bg(), spawn_and_hog, &hog), 0);
	assert_true(check_until(atomic_load(&hog.ended) == AT_ONCE));
	atomic_store(&hog.over, true);
	assert_true(check_until(atomic_load(&hog.ended) == AT_ONCE + 1));
}

#define WITH_WORKERS(fn) cmocka_unit_test_teardown(fn, clear_workers)

BELAY_TEST_MAIN(
	WITH_WORKERS(tasks_that_yield_get_the_same_share_of_their_worker),
	WITH_WORKERS(a_new_task_begins_soon_beside_a_crowd_that_is_always_ready),
	WITH_WORKERS(a_descriptor_is_seen_soon_beside_a_crowd_that_is_always_ready),
	WITH_WORKERS(a_task_that_floods_its_queue_does_not_starve_new_tasks),
	WITH_WORKERS(a_task_that_floods_its_queue_does_not_starve_those_that_sleep),
	WITH_WORKERS(a_task_that_floods_its_queue_does_not_starve_the_poller),
	WITH_WORKERS(a_task_that_floods_its_queue_does_not_starve_deadlines),
	WITH_WORKERS(another_worker_takes_what_a_hog_has_spawned))
