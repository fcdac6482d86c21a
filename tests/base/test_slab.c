/* SPDX-License-Identifier: MIT
 *
 * test_slab.c - slabs: objects of one size, all of which can be looked at; and the fuse.
 */
#include "check.h"
#include "forbid.h"
#include "fuse.h"

#include "base/alloc.h"
#include "base/slab.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct object {
	_Atomic uint32_t refs;
	unsigned char bytes[92];
};

enum { MANY = 3000 };

static struct belay__slab slab = {.id = BELAY__SLABS_MAX - 1, .size = sizeof(struct object)};

static struct object *make(int i)
{
	struct object *object = belay__slab_alloc(&slab);

	assert_non_null(object);
	assert_int_equal(object->refs, 0);
	memset(object->bytes, i, sizeof object->bytes);
	atomic_store(&object->refs, 1);
	return object;
}

static void drop(struct object *object)
{
	atomic_store(&object->refs, 0);
	belay__slab_free(&slab, object);
}

static void count_live(void *arg, void *slot)
{
	struct object *object = slot;

	*(int *)arg += atomic_load(&object->refs) != 0;
}

static int live(void)
{
	int count = 0;

	belay__slab_visit(&slab, count_live, &count);
	return count;
}

static void objects_do_not_overlap(void **unused)
{
	static struct object *objects[MANY];

	for (int i = 0; i < MANY; i++)
		objects[i] = make(i);
	for (int i = 0; i < MANY; i++)
		for (size_t b = 0; b < sizeof objects[i]->bytes; b++)
			assert_int_equal(objects[i]->bytes[b], (unsigned char)i);
	for (int i = 0; i < MANY; i++)
		drop(objects[i]);
	belay__slab_trim(&slab);
	assert_int_equal(belay__slab_total(&slab), 0);
}

static void a_visit_sees_the_live_ones(void **unused)
{
	struct object *objects[100];

	for (int i = 0; i < 100; i++)
		objects[i] = make(i);
	for (int i = 0; i < 100; i += 2)
		drop(objects[i]);
	assert_int_equal(live(), 50);
	for (int i = 1; i < 100; i += 2)
		drop(objects[i]);
	assert_int_equal(live(), 0);
	belay__slab_trim(&slab);
}

static void memory_stays_while_an_object_lives(void **unused)
{
	struct object *object = make(7);

	belay__slab_trim(&slab);
	assert_true(belay__slab_total(&slab) > 0);
	assert_int_equal(object->bytes[0], 7);
	drop(object);
	belay__slab_trim(&slab);
	assert_int_equal(belay__slab_total(&slab), 0);
}

/* A few chunks may stay for what comes next. */
static void most_memory_goes_back_after_a_peak(void **unused)
{
	enum { PEAK = 200000 };
	struct object **objects = malloc(PEAK * sizeof *objects);
	size_t peak;

	assert_non_null(objects);
	for (int i = 0; i < PEAK; i++)
		objects[i] = make(i);
	peak = belay__slab_total(&slab);
	assert_true(peak >= PEAK);
	for (int i = 0; i < PEAK; i++)
		drop(objects[i]);
	assert_true(belay__slab_total(&slab) < peak / 10);
	free(objects);
	belay__slab_trim(&slab);
	assert_int_equal(belay__slab_total(&slab), 0);
}

/* Every second one stays: no chunk is empty, and the free slots are used again. */
static void holes_are_filled_again(void **unused)
{
	enum { COUNT = 20000 };
	struct object **objects = malloc(COUNT * sizeof *objects);
	size_t total;

	assert_non_null(objects);
	for (int i = 0; i < COUNT; i++)
		objects[i] = make(i);
	total = belay__slab_total(&slab);
	for (int i = 0; i < COUNT; i += 2)
		drop(objects[i]);
	for (int i = 0; i < COUNT; i += 2)
		objects[i] = make(i);
	assert_int_equal(belay__slab_total(&slab), total);
	for (int i = 0; i < COUNT; i++)
		drop(objects[i]);
	free(objects);
	belay__slab_trim(&slab);
}

static void *make_and_drop(void *arg)
{
	struct object *objects[100];

	for (int round = 0; round < 50; round++) {
		for (int i = 0; i < 100; i++) {
			objects[i] = belay__slab_alloc(&slab);
			if (!check(objects[i] != NULL))
				return NULL;
			atomic_store(&objects[i]->refs, 1);
		}
		for (int i = 0; i < 100; i++)
			drop(objects[i]);
	}
	return arg;
}

static void a_thread_that_exits_leaves_its_slots_to_the_others(void **unused)
{
	pthread_t threads[4];

	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, make_and_drop, NULL), 0);
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	belay__slab_trim(&slab);
	assert_int_equal(belay__slab_total(&slab), 0);
}

/* ---- Visitors -------------------------------------------------------------------------------- */

enum { VISITED = 64, VISITS = 300, FORKS = 300, TURNS = 200000 };

static _Atomic bool visits_over;

static void give_up(struct object *object)
{
	if (belay__slab_drop(&object->refs) || atomic_fetch_sub(&object->refs, 1) == 1)
		belay__slab_free(&slab, object);
}

/* One that was freed twice, or under a visitor, would be somebody else's by now. */
static void *come_and_go(void *arg)
{
	for (int i = 0; i < TURNS && !atomic_load(&visits_over); i++) {
		struct object *object = belay__slab_alloc(&slab);

		if (!check(object != NULL) || !check(object->refs == 0))
			break;
		memset(object->bytes, 1, sizeof object->bytes);
		atomic_store(&object->refs, 1);
		if (!check(object->bytes[0] == 1))
			break;
		give_up(object);
	}
	return arg;
}

static void *make_one(void *arg)
{
	struct object *object = belay__slab_alloc(&slab);

	if (check(object != NULL)) {
		atomic_store(&object->refs, 1);
		give_up(object);
	}
	return arg;
}

struct visit {
	struct object *found[VISITED];
	int count;
};

static void take_one(void *arg, void *slot)
{
	struct object *object = slot;
	struct visit *visit = arg;
	uint32_t refs = atomic_load(&object->refs);

	while (refs != 0 && visit->count < VISITED)
		if (atomic_compare_exchange_weak(&object->refs, &refs, refs + 1)) {
			visit->found[visit->count++] = object;
			return;
		}
}

static void a_visitor_keeps_what_he_has_taken(void **unused)
{
	pthread_t threads[3];

	atomic_store(&visits_over, false);
	for (int i = 0; i < 3; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, come_and_go, NULL), 0);
	for (int i = 0; i < VISITS; i++) {
		struct visit visit = {.count = 0};

		belay__slab_visit(&slab, take_one, &visit);
		for (int k = 0; k < visit.count; k++) {
			assert_true(atomic_load(&visit.found[k]->refs) > 0);
			give_up(visit.found[k]);
		}
	}
	atomic_store(&visits_over, true);
	for (int i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(live(), 0);
	belay__slab_trim(&slab);
	assert_int_equal(belay__slab_total(&slab), 0);
}

static void the_only_reference_is_dropped_and_no_other(void **unused)
{
	struct object *object = make(1);

	atomic_store(&object->refs, 2);
	assert_false(belay__slab_drop(&object->refs));
	assert_int_equal(object->refs, 2);
	atomic_store(&object->refs, 1);
	give_up(object);
	assert_int_equal(live(), 0);
	belay__slab_trim(&slab);
}

/* Each with a cache that it leaves, over and over. */
static void *start_threads_that_exit(void *arg)
{
	while (!atomic_load(&visits_over)) {
		pthread_t thread;

		if (!check(pthread_create(&thread, NULL, make_one, NULL) == 0))
			break;
		pthread_join(thread, NULL);
	}
	return arg;
}

static void threads_exit_while_somebody_visits(void **unused)
{
	pthread_t threads[3];

	atomic_store(&visits_over, false);
	for (int i = 0; i < 3; i++)
		assert_int_equal(
			pthread_create(&threads[i], NULL, start_threads_that_exit, NULL), 0);
	for (int i = 0; i < VISITS; i++)
		assert_in_range(live(), 0, 3);
	atomic_store(&visits_over, true);
	for (int i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(live(), 0);
	belay__slab_trim(&slab);
	assert_int_equal(belay__slab_total(&slab), 0);
}

/* The status of a child that has run fn: what it returns. */
/* With more than a cache has: so the slab's lock is taken all the time. */
static void *make_and_drop_until_over(void *arg)
{
	while (!atomic_load(&visits_over) && make_and_drop(&slab))
		;
	return arg;
}

static void *visit_all(void *arg)
{
	while (!atomic_load(&visits_over))
		check(live() >= 0);
	return arg;
}

/* More than a cache has, so that the slab's lock is taken; and nobody visits. 0: all is well. */
static int use_and_visit(void)
{
	struct object *objects[2 * BELAY__SLAB_CACHE];
	int before = live();

	for (int i = 0; i < 2 * BELAY__SLAB_CACHE; i++)
		objects[i] = make(i);
	if (live() != before + 2 * BELAY__SLAB_CACHE)
		return 1;
	for (int i = 0; i < 2 * BELAY__SLAB_CACHE; i++)
		give_up(objects[i]);
	return live() == before ? 0 : 2;
}

static void the_child_of_a_fork_finds_nothing_half_done(void **unused)
{
	pthread_t threads[3];

	atomic_store(&visits_over, false);
	for (int i = 0; i < 3; i++)
		assert_int_equal(pthread_create(&threads[i], NULL,
						i < 2 ? make_and_drop_until_over : visit_all, NULL),
				 0);
	for (int i = 0; i < FORKS; i++)
		assert_int_equal(in_child(use_and_visit), 0);
	atomic_store(&visits_over, true);
	for (int i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(live(), 0);
	belay__slab_trim(&slab);
}

static int visit_without_membarrier(void)
{
	struct object *object = make(1);

	if (!forbid_membarrier())
		return FORBIDDEN_IN_VAIN;
	if (live() != 1)
		return 1;
	if (belay__slab_drop(&object->refs))
		return 2;
	give_up(object);
	return live() == 0 && use_and_visit() == 0 ? 0 : 3;
}

static void where_membarrier_fails_nobody_drops_any_more(void **unused)
{
	int status;

	drop(make(1));
	status = in_child(visit_without_membarrier);
	belay__slab_trim(&slab);
	if (status == FORBIDDEN_IN_VAIN)
		skip();
	assert_int_equal(status, 0);
}

static void drop_at_exit(void *object)
{
	drop(object);
}

static void *keep_one(void *key)
{
	struct object *object = belay__slab_alloc(&slab);

	if (check(object != NULL)) {
		atomic_store(&object->refs, 1);
		pthread_setspecific(*(pthread_key_t *)key, object);
	}
	return NULL;
}

/* The key is younger than the slabs' own, so that glibc has its destructor run after theirs. */
static void so_does_one_that_frees_in_a_destructor_of_its_exit(void **unused)
{
	pthread_t thread;
	pthread_key_t key;

	drop(make(0));
	assert_int_equal(pthread_key_create(&key, drop_at_exit), 0);
	assert_int_equal(pthread_create(&thread, NULL, keep_one, &key), 0);
	pthread_join(thread, NULL);
	pthread_key_delete(key);
	belay__slab_trim(&slab);
	assert_int_equal(belay__slab_total(&slab), 0);
}

static void the_nth_allocation_fails_and_it_alone(void **unused)
{
	void *first, *third;

	belay__fail_nth(2);
	first = belay__malloc(1);
	assert_non_null(first);
	assert_null(belay__slab_alloc(&slab));
	third = belay__calloc(1, 1);
	assert_non_null(third);
	belay__fail_nth(0);
	belay__free(first);
	belay__free(third);
}

BELAY_TEST_MAIN(cmocka_unit_test(objects_do_not_overlap),
		cmocka_unit_test(a_visit_sees_the_live_ones),
		cmocka_unit_test(memory_stays_while_an_object_lives),
		cmocka_unit_test(most_memory_goes_back_after_a_peak),
		cmocka_unit_test(holes_are_filled_again),
		cmocka_unit_test(a_visitor_keeps_what_he_has_taken),
		cmocka_unit_test(the_only_reference_is_dropped_and_no_other),
		cmocka_unit_test(threads_exit_while_somebody_visits),
		cmocka_unit_test(the_child_of_a_fork_finds_nothing_half_done),
		cmocka_unit_test(where_membarrier_fails_nobody_drops_any_more),
		cmocka_unit_test(a_thread_that_exits_leaves_its_slots_to_the_others),
		cmocka_unit_test(so_does_one_that_frees_in_a_destructor_of_its_exit),
		cmocka_unit_test(the_nth_allocation_fails_and_it_alone))
