/* SPDX-License-Identifier: MIT
 *
 * test_storm.c - ends, births and deaths of one family on many threads at once.
 */
#include "check.h"

#include "scale.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum { THREADS = 8 };

static pthread_t start(void *(*fn)(void *), void *arg)
{
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, fn, arg), 0);
	return thread;
}

static void shuffle(int *order, int n)
{
	for (int i = n - 1; i > 0; i--) {
		int j = rand() % (i + 1), t = order[i];

		order[i] = order[j];
		order[j] = t;
	}
}

/* ---- A whole tree cancelled at once ---------------------------------------------------------- */

enum { NODES = 100 };

static const belay_key key = {.name = "key"};

/* A tree, and which part of its nodes a thread cancels. */
struct part {
	belay_ctx **node;
	const int *order;
	int from, to;
	pthread_barrier_t *start;
	int won;
};

static void *cancel_part(void *arg)
{
	struct part *part = arg;

	pthread_barrier_wait(part->start);
	for (int i = part->from; i < part->to; i++)
		part->won += belay_cancel_cause(part->node[part->order[i]], part->order[i], "node");
	return NULL;
}

static void grow(belay_ctx **node)
{
	for (int i = 0; i < NODES; i++) {
		belay_ctx *parent = i ? node[rand() % i] : belay_background();

		switch (rand() % 4) {
		case 0:
			node[i] = belay_with_timeout(parent, BELAY_S(3600));
			break;
		case 1:
			node[i] = belay_with_merge(parent, i ? node[rand() % i] : parent);
			break;
		default:
			node[i] = belay_with_cancel(parent);
		}
	}
}

static int cancel_from_all_threads(belay_ctx **node, const int *order)
{
	struct part parts[THREADS];
	pthread_t thread[THREADS];
	pthread_barrier_t barrier;
	int won = 0;

	assert_int_equal(pthread_barrier_init(&barrier, NULL, THREADS), 0);
	for (int t = 0; t < THREADS; t++) {
		parts[t] = (struct part){node, order, t * NODES / THREADS,
					 (t + 1) * NODES / THREADS, &barrier, 0};
		thread[t] = start(cancel_part, &parts[t]);
	}
	for (int t = 0; t < THREADS; t++) {
		pthread_join(thread[t], NULL);
		won += parts[t].won;
	}
	pthread_barrier_destroy(&barrier);
	return won;
}

/* semantics 1.7 */
static void a_hundred_nodes_cancelled_at_once_from_many_threads_are_all_done(void **state)
{
	srand(7);
	for (size_t round = 0; round < scaled(300); round++) {
		belay_ctx *node[NODES];
		int order[NODES], won;

		grow(node);
		for (int i = 0; i < NODES; i++)
			order[i] = i;
		shuffle(order, NODES);
		won = cancel_from_all_threads(node, order);
		assert_in_range(won, 1, NODES);
		for (int i = 0; i < NODES; i++) {
			assert_int_equal(belay_err(node[i]), -ECANCELED);
			assert_int_equal(belay_try_recv(belay_done(node[i]), NULL), -EPIPE);
		}
		shuffle(order, NODES);
		for (int i = 0; i < NODES; i++)
			belay_end(node[order[i]]);
	}
}

/* ---- Cancelling back from what was just woken ------------------------------------------------ */

struct pair {
	belay_ctx *parent, *child;
	atomic_int over;
};

static void *cancel_child_when_woken(void *arg)
{
	struct pair *pair = arg;

	check(belay_wait(pair->child) == -ECANCELED);
	check(!belay_cancel(pair->child));
	belay_end(pair->child);
	return NULL;
}

static void cancel_child_from_task(belay_ctx *ctx, void *arg)
{
	struct pair *pair = arg;

	cancel_child_when_woken(pair);
	atomic_store(&pair->over, 1);
}

static void cancel_child_from_after(void *arg)
{
	struct pair *pair = arg;

	cancel_child_when_woken(pair);
	atomic_store(&pair->over, 1);
}

/* semantics 1.8 */
static void cancelling_a_child_from_a_thread_that_its_parents_end_has_woken(void **state)
{
	for (size_t i = 0; i < scaled(1000); i++) {
		struct pair pair = {.parent = belay_with_cancel(belay_background())};
		pthread_t thread;

		pair.child = belay_with_cancel(pair.parent);
		thread = start(cancel_child_when_woken, &pair);
		belay_end(pair.parent);
		pthread_join(thread, NULL);
	}
}

/* semantics 1.8 */
static void cancelling_a_child_from_a_task_that_its_parents_end_has_woken(void **state)
{
	for (size_t i = 0; i < scaled(1000); i++) {
		struct pair pair = {.parent = belay_with_cancel(belay_background())};

		pair.child = belay_with_cancel(pair.parent);
		assert_int_equal(belay_go(pair.child, cancel_child_from_task, &pair), 0);
		belay_end(pair.parent);
		assert_true(check_until(atomic_load(&pair.over)));
	}
}

/* semantics 1.8 */
static void cancelling_a_child_from_an_after_func_of_its_parents(void **state)
{
	for (size_t i = 0; i < scaled(1000); i++) {
		struct pair pair = {.parent = belay_with_cancel(belay_background())};
		belay_after *after;

		pair.child = belay_with_cancel(pair.parent);
		after = belay_after_func(pair.parent, cancel_child_from_after, &pair);
		assert_non_null(after);
		belay_end(pair.parent);
		assert_true(check_until(atomic_load(&pair.over)));
		assert_false(belay_after_stop(after));
	}
}

/* ---- What an onlooker may see ---------------------------------------------------------------- */

struct onlooker {
	belay_ctx *ctx;
	atomic_bool *watching;
	bool ready, right_cause;
};

/* Spins on the error, and the moment it is there looks at the channel. */
static void *look_at_channel(void *arg)
{
	struct onlooker *onlooker = arg;

	atomic_store(onlooker->watching, true);
	while (belay_err(onlooker->ctx) == 0)
		;
	onlooker->ready = belay_try_recv(belay_done(onlooker->ctx), NULL) == -EPIPE;
	return NULL;
}

/* semantics 1.9 */
static void no_thread_sees_an_error_while_the_done_channel_is_not_ready(void **state)
{
	for (size_t i = 0; i < scaled(300); i++) {
		belay_ctx *top = belay_with_cancel(belay_background());
		belay_ctx *middle = belay_with_cancel(top);
		belay_ctx *low = belay_with_value(middle, &key, NULL);
		atomic_bool watching[2] = {false, false};
		struct onlooker at_top = {.ctx = top, .watching = &watching[0]};
		struct onlooker at_low = {.ctx = low, .watching = &watching[1]};
		pthread_t first = start(look_at_channel, &at_top);
		pthread_t second = start(look_at_channel, &at_low);

		assert_true(check_until(atomic_load(&watching[0]) && atomic_load(&watching[1])));
		belay_cancel(top);
		pthread_join(first, NULL);
		pthread_join(second, NULL);
		assert_true(at_top.ready);
		assert_true(at_low.ready);
		belay_end(low);
		belay_end(middle);
		belay_end(top);
	}
}

/* Spins on the cause; anything but "none" and the real one is wrong. */
static void *look_at_cause(void *arg)
{
	struct onlooker *onlooker = arg;
	belay_cause cause;

	atomic_store(onlooker->watching, true);
	while (belay_cause_of(onlooker->ctx, &cause) == -EAGAIN)
		;
	onlooker->right_cause = cause.code == 1234 && cause.message &&
				strcmp(cause.message, "the real 1") == 0 && cause.file &&
				strcmp(cause.file, __FILE__) == 0;
	return NULL;
}

/* semantics 1.10 */
static void polled_during_a_cancellation_the_cause_goes_from_none_to_the_real_one(void **state)
{
	for (size_t i = 0; i < scaled(300); i++) {
		belay_ctx *top = belay_with_cancel(belay_background());
		belay_ctx *low = belay_with_cancel(top);
		atomic_bool watching[2] = {false, false};
		struct onlooker at_top = {.ctx = top, .watching = &watching[0]};
		struct onlooker at_low = {.ctx = low, .watching = &watching[1]};
		pthread_t first = start(look_at_cause, &at_top);
		pthread_t second = start(look_at_cause, &at_low);

		assert_true(check_until(atomic_load(&watching[0]) && atomic_load(&watching[1])));
		belay_cancel_cause(top, 1234, "the real %d", 1);
		pthread_join(first, NULL);
		pthread_join(second, NULL);
		assert_true(at_top.right_cause);
		assert_true(at_low.right_cause);
		belay_end(low);
		belay_end(top);
	}
}

/* ---- Births and deaths during an end --------------------------------------------------------- */

struct nursery {
	belay_ctx *parent;
	pthread_barrier_t *start;
	unsigned seed;
};

static void check_born_done(belay_ctx *child)
{
	belay_cause cause = {0};

	check(belay_err(child) == -ECANCELED);
	check(belay_cause_of(child, &cause) == 0 && cause.code == 13);
	check(belay_try_recv(belay_done(child), NULL) == -EPIPE);
}

/* Derives until a child is born done; none may be missed by the end in between. */
static void *derive_until_done(void *arg)
{
	enum { MOST = 1000 };
	struct nursery *nursery = arg;
	belay_ctx *children[MOST];
	int n = 0, err;

	pthread_barrier_wait(nursery->start);
	do {
		children[n] = n % 3 == 2 ? belay_with_timeout(nursery->parent, BELAY_S(3600))
			    : n % 3 == 1 ? belay_with_merge(belay_background(), nursery->parent)
					 : belay_with_cancel(nursery->parent);
		err = belay_err(children[n++]);
	} while (err == 0 && n < MOST);
	check(belay_wait(nursery->parent) == -ECANCELED);
	for (int i = 0; i < n; i++) {
		check(belay_wait(children[i]) == -ECANCELED);
		check_born_done(children[i]);
		belay_end(children[i]);
	}
	return NULL;
}

/* semantics 1.13 */
static void a_child_made_while_its_parent_ends_is_done_with_the_parents_cause(void **state)
{
	for (size_t round = 0; round < scaled(500); round++) {
		belay_ctx *parent = belay_with_cancel(belay_background());
		pthread_barrier_t barrier;
		struct nursery nursery = {parent, &barrier, 0};
		pthread_t thread[THREADS];

		assert_int_equal(pthread_barrier_init(&barrier, NULL, THREADS + 1), 0);
		for (int t = 0; t < THREADS; t++)
			thread[t] = start(derive_until_done, &nursery);
		pthread_barrier_wait(&barrier);
		belay_cancel_cause(parent, 13, "over");
		for (int t = 0; t < THREADS; t++)
			pthread_join(thread[t], NULL);
		belay_end(parent);
		pthread_barrier_destroy(&barrier);
	}
}

static atomic_int destroyed;

static void count_destroyed(void *value)
{
	atomic_fetch_add(&destroyed, 1);
}

static const belay_key counted = {.name = "counted", .destroy = count_destroyed};

/* Children with a counted value each; some are made before the start, all are ended in between. */
static void *live_and_die(void *arg)
{
	enum { MINE = 20 };
	struct nursery *nursery = arg;
	belay_ctx *child[MINE];

	for (int i = 0; i < MINE; i++) {
		belay_ctx *value = belay_with_value(nursery->parent, &counted, nursery);

		child[i] = rand_r(&nursery->seed) % 2 ? belay_with_cancel(value)
						      : belay_with_timeout(value, BELAY_S(3600));
		belay_unref(value);
	}
	pthread_barrier_wait(nursery->start);
	for (int i = 0; i < MINE; i++) {
		if (rand_r(&nursery->seed) % 3 == 0)
			belay_cancel(child[i]);
		belay_end(child[i]);
	}
	return NULL;
}

/* semantics 1.17 */
static void a_child_that_ends_while_its_parent_is_cancelled_is_freed_exactly_once(void **state)
{
	for (size_t round = 0; round < scaled(500); round++) {
		size_t before = belay_tree_count();
		belay_ctx *parent = belay_with_cancel(belay_background());
		pthread_barrier_t barrier;
		struct nursery nursery[THREADS];
		pthread_t thread[THREADS];

		atomic_store(&destroyed, 0);
		assert_int_equal(pthread_barrier_init(&barrier, NULL, THREADS + 1), 0);
		for (int t = 0; t < THREADS; t++) {
			nursery[t] = (struct nursery){parent, &barrier, (unsigned)(round * 8 + t)};
			thread[t] = start(live_and_die, &nursery[t]);
		}
		pthread_barrier_wait(&barrier);
		belay_cancel(parent);
		for (int t = 0; t < THREADS; t++)
			pthread_join(thread[t], NULL);
		belay_end(parent);
		assert_int_equal(destroyed, THREADS * 20);
		assert_int_equal(belay_tree_count(), before);
		pthread_barrier_destroy(&barrier);
	}
}

/* A deadline that passes while another thread cancels: one of the two wins, for good. */
static void *cancel_with_code(void *ctx)
{
	belay_cancel_cause(ctx, 77, "by hand");
	return NULL;
}

/* semantics 1.6 */
static void a_deadline_and_a_cancel_at_the_same_moment_agree_on_one_end(void **state)
{
	for (size_t round = 0; round < scaled(1000); round++) {
		belay_ctx *ctx = belay_with_timeout(belay_background(), BELAY_US(50));
		belay_ctx *child = belay_with_cancel(ctx);
		pthread_t thread = start(cancel_with_code, ctx);
		belay_cause cause;
		int err = belay_wait(child);

		pthread_join(thread, NULL);
		assert_true(err == -ECANCELED || err == -ETIME);
		assert_int_equal(belay_err(ctx), err);
		assert_int_equal(belay_cause_of(child, &cause), 0);
		assert_int_equal(cause.code, err == -ETIME ? -ETIME : 77);
		belay_end(child);
		belay_end(ctx);
	}
}

/* semantics 1.17 */
static void ending_timed_contexts_races_their_deadlines(void **state)
{
	enum { N = 64 };

	for (size_t round = 0; round < scaled(400); round++) {
		belay_ctx *ctx[N];

		for (int i = 0; i < N; i++)
			ctx[i] = belay_with_timeout(belay_background(), BELAY_US(i * 3));
		for (int i = 0; i < N; i++)
			belay_end(ctx[i]);
	}
}

/* ---- Merges: two parents that end at once ---------------------------------------------------- */

/* semantics 1.45 */
static void two_parents_that_end_at_once_give_one_of_their_causes(void **state)
{
	for (size_t round = 0; round < scaled(1000); round++) {
		belay_ctx *first = belay_with_cancel(belay_background());
		belay_ctx *second = belay_with_cancel(belay_background());
		belay_ctx *merge = belay_with_merge(first, second);
		pthread_t thread = start(cancel_with_code, second);
		belay_cause cause;

		belay_cancel_cause(first, 78, "first");
		assert_int_equal(belay_err(merge), -ECANCELED);
		assert_int_equal(belay_cause_of(merge, &cause), 0);
		assert_true(cause.code == 77 || cause.code == 78);
		if (round % 2)
			belay_end(merge);
		pthread_join(thread, NULL);
		if (round % 2 == 0) {
			int code = cause.code;

			assert_int_equal(belay_cause_of(merge, &cause), 0);
			assert_int_equal(cause.code, code);
			belay_end(merge);
		}
		belay_end(second);
		belay_end(first);
	}
}

BELAY_TEST_MAIN(
	cmocka_unit_test(a_hundred_nodes_cancelled_at_once_from_many_threads_are_all_done),
	cmocka_unit_test(cancelling_a_child_from_a_thread_that_its_parents_end_has_woken),
	cmocka_unit_test(cancelling_a_child_from_a_task_that_its_parents_end_has_woken),
	cmocka_unit_test(cancelling_a_child_from_an_after_func_of_its_parents),
	cmocka_unit_test(no_thread_sees_an_error_while_the_done_channel_is_not_ready),
	cmocka_unit_test(polled_during_a_cancellation_the_cause_goes_from_none_to_the_real_one),
	cmocka_unit_test(a_child_made_while_its_parent_ends_is_done_with_the_parents_cause),
	cmocka_unit_test(a_child_that_ends_while_its_parent_is_cancelled_is_freed_exactly_once),
	cmocka_unit_test(a_deadline_and_a_cancel_at_the_same_moment_agree_on_one_end),
	cmocka_unit_test(ending_timed_contexts_races_their_deadlines),
	cmocka_unit_test(two_parents_that_end_at_once_give_one_of_their_causes))
