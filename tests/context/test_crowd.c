/* SPDX-License-Identifier: MIT
 *
 * test_crowd.c - a crowd of threads in one forest, doing whatever can be done to a context, while
 * somebody looks at all of them and threads come and go. Nothing is lost, and nothing is left.
 */
#include "check.h"

#include "scale.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

enum { THREADS = 6, PLACES = 12, TURNS = 3000 };

/* A place holds a reference to a context that any thread may use. */
static struct place {
	pthread_mutex_t lock;
	belay_ctx *ctx;
} places[PLACES];

static atomic_int destroyed, made;
static atomic_bool over;

static void count_destroyed(void *value)
{
	atomic_fetch_add(&destroyed, 1);
}

static const belay_key key = {.name = "key", .destroy = count_destroyed};

static belay_ctx *look(struct place *place)
{
	belay_ctx *ctx;

	pthread_mutex_lock(&place->lock);
	ctx = belay_ref(place->ctx);
	pthread_mutex_unlock(&place->lock);
	return ctx;
}

/* The reference is the place's from now on; the one from before is the caller's. */
static belay_ctx *change(struct place *place, belay_ctx *ctx)
{
	belay_ctx *before;

	pthread_mutex_lock(&place->lock);
	before = place->ctx;
	place->ctx = ctx;
	pthread_mutex_unlock(&place->lock);
	return before;
}

static struct place *any_place(unsigned *seed)
{
	return &places[rand_r(seed) % PLACES];
}

static belay_ctx *derive_value(belay_ctx *parent)
{
	atomic_fetch_add(&made, 1);
	return belay_with_value(parent, &key, &made);
}

static belay_ctx *derive(belay_ctx *parent, unsigned *seed)
{
	belay_ctx *other, *merge;

	switch (rand_r(seed) % 8) {
	case 0:
		return belay_with_timeout(parent, BELAY_US(rand_r(seed) % 100));
	case 1:
		return belay_with_timeout(parent, BELAY_S(3600));
	case 2:
		other = look(any_place(seed));
		merge = belay_with_merge(parent, other);
		belay_unref(other);
		return merge;
	case 3:
		return derive_value(parent);
	case 4:
		return belay_with_cancel(belay_background());
	default:
		return belay_with_cancel(parent);
	}
}

/* ---- What is done to a context --------------------------------------------------------------- */

static void replace(belay_ctx *ctx, unsigned *seed)
{
	belay_ctx *before = change(any_place(seed), derive(ctx, seed));

	if (rand_r(seed) % 2)
		belay_end(before);
	else
		belay_unref(before);
}

/* ctx may be done, or just becoming so; and of itself a value can't end. */
static void cancel_with_a_family(belay_ctx *ctx, unsigned *seed)
{
	belay_ctx *child = belay_with_cancel(ctx);
	belay_ctx *low = belay_with_timeout(child, BELAY_US(rand_r(seed) % 200));

	if (rand_r(seed) % 2 || !belay_cancel(ctx))
		belay_cancel(child);
	check(belay_err(low) != 0);
	check(belay_try_recv(belay_done(low), NULL) == -EPIPE);
	belay_unref(child);
	belay_end(low);
}

static void count_hook(struct belay_hook *hook)
{
	(void)hook;
}

static void hook(belay_ctx *ctx)
{
	struct belay_hook hook;

	belay_hook_add(ctx, &hook, count_hook);
	belay_hook_remove(&hook);
}

static void leave_children(belay_ctx *ctx, unsigned *seed)
{
	belay_ctx *child[4];

	for (int i = 0; i < 4; i++)
		child[i] = belay_with_cancel(i ? child[rand_r(seed) % (unsigned)i] : ctx);
	for (int i = 0; i < 4; i++)
		belay_unref(child[i]);
}

static void *use(void *arg)
{
	unsigned seed = (unsigned)(uintptr_t)arg;

	for (int i = 0; i < TURNS; i++) {
		belay_ctx *ctx = look(any_place(&seed));

		switch (rand_r(&seed) % 5) {
		case 0:
			cancel_with_a_family(ctx, &seed);
			break;
		case 1:
			hook(ctx);
			break;
		case 2:
			leave_children(ctx, &seed);
			break;
		default:
			replace(ctx, &seed);
		}
		belay_unref(ctx);
	}
	return NULL;
}

/* ---- The onlooker, and those who come and go ------------------------------------------------- */

static void *look_at_all(void *arg)
{
	FILE *nowhere = fopen("/dev/null", "w");

	if (!check(nowhere != NULL))
		return NULL;
	while (!atomic_load(&over)) {
		check(belay_tree(nowhere) == 0);
		belay_tree_count();
	}
	fclose(nowhere);
	return arg;
}

static void *use_a_little(void *arg)
{
	unsigned seed = (unsigned)(uintptr_t)arg;
	belay_ctx *ctx = look(any_place(&seed));

	replace(ctx, &seed);
	belay_unref(ctx);
	return NULL;
}

static void *come_and_go(void *arg)
{
	uintptr_t seed = 0;

	while (!atomic_load(&over)) {
		pthread_t thread;

		if (!check(pthread_create(&thread, NULL, use_a_little, (void *)++seed) == 0))
			break;
		pthread_join(thread, NULL);
	}
	return arg;
}

static void open_places(void)
{
	for (int i = 0; i < PLACES; i++) {
		assert_int_equal(pthread_mutex_init(&places[i].lock, NULL), 0);
		places[i].ctx = belay_with_cancel(belay_background());
	}
}

static void close_places(void)
{
	for (int i = 0; i < PLACES; i++) {
		belay_end(places[i].ctx);
		pthread_mutex_destroy(&places[i].lock);
	}
}

/* The clock may hold one for a moment more. */
static void whatever_a_crowd_does_to_a_forest_nothing_is_left_of_it(void **state)
{
	for (size_t round = 0; round < scaled(100); round++) {
		size_t before = belay_tree_count();
		pthread_t thread[THREADS + 2];

		atomic_store(&over, false);
		atomic_store(&made, 0);
		atomic_store(&destroyed, 0);
		open_places();
		for (uintptr_t i = 0; i < THREADS; i++)
			assert_int_equal(pthread_create(&thread[i], NULL, use,
							(void *)(round * THREADS + i)), 0);
		assert_int_equal(pthread_create(&thread[THREADS], NULL, look_at_all, NULL), 0);
		assert_int_equal(pthread_create(&thread[THREADS + 1], NULL, come_and_go, NULL), 0);
		for (int i = 0; i < THREADS; i++)
			pthread_join(thread[i], NULL);
		atomic_store(&over, true);
		pthread_join(thread[THREADS], NULL);
		pthread_join(thread[THREADS + 1], NULL);
		close_places();
		assert_true(check_until(belay_tree_count() == before));
		assert_true(check_until(atomic_load(&destroyed) == atomic_load(&made)));
	}
}

BELAY_TEST_MAIN(cmocka_unit_test(whatever_a_crowd_does_to_a_forest_nothing_is_left_of_it))
