/* SPDX-License-Identifier: MIT
 *
 * test_branch.c - a parent that many processors make children of at once, and what keeps it alive.
 */
#include "check.h"
#include "fuse.h"

#include "context/node.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>

enum { THREADS = 4, ROUNDS = 3000, KEPT = 64 };

struct other {
	belay_ctx *parent, *child;
};

static void *derive_one(void *arg)
{
	struct other *other = arg;

	other->child = check_live(belay_with_cancel(other->parent));
	return NULL;
}

static bool is_waited_for(void *lock)
{
	return atomic_load(&((struct belay__lock *)lock)->word) == 2;
}

static void a_taken_lock_makes_more_branches(void **state)
{
	struct other other = {.parent = check_live(belay_with_cancel(belay_background()))};
	struct node *node = node_of(other.parent);
	pthread_t thread;

	belay__lock_take(&node->done.gate.lock, BELAY__RANK_NODE);
	assert_int_equal(pthread_create(&thread, NULL, derive_one, &other), 0);
	assert_true(check_until(is_waited_for(&node->done.gate.lock)));
	assert_int_equal(belay__branch_count(node), 1);
	belay__lock_give(&node->done.gate.lock, BELAY__RANK_NODE);
	pthread_join(thread, NULL);
	assert_true(belay__branch_count(node) > 1);
	belay_cancel(other.parent);
	assert_int_equal(belay_err(other.child), -ECANCELED);
	belay_end(other.child);
	belay_end(other.parent);
}

/* Half of them in the parent's own branch, half in others. */
static void crowd(belay_ctx *parent, belay_ctx **children, int n)
{
	for (int i = 0; i < n; i++) {
		if (i == n / 2)
			belay__branches_grow(node_of(parent));
		children[i] = belay_with_cancel(parent);
	}
}

static void all_branches_end_with_their_parent(void **state)
{
	belay_ctx *parent = belay_with_cancel(belay_background());
	belay_ctx *children[KEPT];

	crowd(parent, children, KEPT);
	belay_cancel(parent);
	for (int i = 0; i < KEPT; i++) {
		assert_int_equal(belay_err(children[i]), -ECANCELED);
		belay_end(children[i]);
	}
	belay_end(parent);
}

static void children_in_any_branch_keep_their_parent_alive(void **state)
{
	belay_ctx *parent = check_live(belay_with_cancel(belay_background()));
	belay_ctx *children[KEPT];
	belay_cause cause;

	crowd(parent, children, KEPT);
	belay_unref(parent);
	for (int i = 0; i < KEPT / 2; i++)
		belay_end(children[i]);
	for (int i = KEPT / 2; i < KEPT; i++)
		assert_int_equal(belay_err(children[i]), 0);
	belay_cancel_cause(parent, 7, "through a pointer that its children keep good");
	for (int i = KEPT / 2; i < KEPT; i++) {
		assert_int_equal(belay_cause_of(children[i], &cause), 0);
		assert_int_equal(cause.code, 7);
		assert_int_equal(cause.levels_up, 1);
		belay_end(children[i]);
	}
}

static void an_ended_parent_lives_as_long_as_its_children(void **state)
{
	belay_ctx *parent = check_live(belay_with_cancel(belay_background()));
	belay_ctx *children[KEPT];
	belay_cause cause;

	crowd(parent, children, KEPT);
	belay_cancel_cause(parent, 7, "said %s", "here");
	belay_unref(parent);
	for (int i = 0; i < KEPT; i++) {
		assert_int_equal(belay_cause_of(children[i], &cause), 0);
		assert_string_equal(cause.message, "said here");
		belay_end(children[i]);
	}
}

/* The third allocation, after the child's own and its thread's cache, is the branches': the other
 * waits for the one there is. */
static void without_memory_one_branch_is_enough(void **state)
{
	struct other other = {.parent = belay_with_cancel(belay_background())};
	struct node *node = node_of(other.parent);
	pthread_t thread;

	belay_end(belay_with_cancel(other.parent));
	belay__lock_take(&node->done.gate.lock, BELAY__RANK_NODE);
	belay__fail_nth(3);
	assert_int_equal(pthread_create(&thread, NULL, derive_one, &other), 0);
	assert_true(check_until(belay__fail_left() <= 0));
	belay__fail_nth(0);
	belay__lock_give(&node->done.gate.lock, BELAY__RANK_NODE);
	pthread_join(thread, NULL);
	assert_int_equal(belay__branch_count(node), 1);
	belay_cancel(other.parent);
	assert_int_equal(belay_err(other.child), -ECANCELED);
	belay_end(other.child);
	belay_end(other.parent);
}

struct crowd {
	belay_ctx *parent;
};

/* Children of all ages: some end at once, some after their siblings, some with a family of their
 * own. */
static void *derive(void *arg)
{
	struct crowd *crowd = arg;
	belay_ctx *kept[KEPT] = {NULL};

	for (int i = 0; i < ROUNDS; i++) {
		belay_ctx *child = belay_with_cancel(crowd->parent);
		belay_ctx *grandchild = i % 3 ? NULL : belay_with_cancel(child);

		belay_end(kept[i % KEPT]);
		kept[i % KEPT] = child;
		if (grandchild) {
			belay_unref(child);
			kept[i % KEPT] = grandchild;
		}
	}
	for (int i = 0; i < KEPT; i++)
		belay_end(kept[i]);
	return NULL;
}

static void the_parent_may_be_ended_and_given_up_while_many_derive(void **state)
{
	for (int round = 0; round < 10; round++) {
		struct crowd crowd = {.parent = belay_with_cancel(belay_background())};
		pthread_t threads[THREADS];
		belay_ctx *shared[THREADS];

		for (int i = 0; i < THREADS; i++) {
			shared[i] = belay_ref(crowd.parent);
			assert_int_equal(pthread_create(&threads[i], NULL, derive, &crowd), 0);
		}
		if (round % 2)
			belay_cancel(crowd.parent);
		belay_unref(crowd.parent);
		for (int i = 0; i < THREADS; i++) {
			pthread_join(threads[i], NULL);
			belay_unref(shared[i]);
		}
		assert_int_equal(belay_tree_count(), 0);
	}
}

BELAY_TEST_MAIN(cmocka_unit_test(a_taken_lock_makes_more_branches),
		cmocka_unit_test(all_branches_end_with_their_parent),
		cmocka_unit_test(children_in_any_branch_keep_their_parent_alive),
		cmocka_unit_test(an_ended_parent_lives_as_long_as_its_children),
		cmocka_unit_test(without_memory_one_branch_is_enough),
		cmocka_unit_test(the_parent_may_be_ended_and_given_up_while_many_derive))
