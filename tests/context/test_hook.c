/* SPDX-License-Identifier: MIT
 *
 * test_hook.c - hooks: run once on the thread that cancels, and are out of the way when removed.
 */
#include "check.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

/* A hook that notes how it was run. */
struct probe {
	struct belay_hook hook;
	atomic_int runs;
	pthread_t thread;
	belay_ctx *ctx;
	int err_seen;
	bool done_seen;
};

static struct probe *probe_of(struct belay_hook *hook)
{
	return (struct probe *)((char *)hook - offsetof(struct probe, hook));
}

static void note(struct belay_hook *hook)
{
	struct probe *probe = probe_of(hook);

	probe->thread = pthread_self();
	probe->err_seen = belay_err(probe->ctx);
	probe->done_seen = belay_try_recv(belay_done(probe->ctx), NULL) == -EPIPE;
	atomic_fetch_add(&probe->runs, 1);
}

static void it_runs_once_on_the_thread_that_cancels(void **state)
{
	belay_ctx *ctx = belay_with_cancel(belay_background());
	struct probe probe = {.ctx = ctx};

	assert_true(belay_hook_add(ctx, &probe.hook, note));
	assert_int_equal(probe.runs, 0);
	belay_cancel(ctx);
	assert_int_equal(probe.runs, 1);
	assert_true(pthread_equal(probe.thread, pthread_self()));
	belay_cancel(ctx);
	belay_end(ctx);
	assert_int_equal(probe.runs, 1);
}

static void it_sees_its_context_done(void **state)
{
	belay_ctx *ctx = belay_with_cancel(belay_background());
	struct probe probe = {.ctx = ctx};

	assert_true(belay_hook_add(ctx, &probe.hook, note));
	belay_cancel(ctx);
	assert_int_equal(probe.err_seen, -ECANCELED);
	assert_true(probe.done_seen);
	belay_end(ctx);
}

static void it_runs_where_an_ancestor_ends(void **state)
{
	static const belay_key key = {.name = "key"};
	belay_ctx *top = belay_with_cancel(belay_background());
	belay_ctx *middle = belay_with_cancel(top);
	belay_ctx *value = belay_with_value(middle, &key, NULL);
	struct probe low = {.ctx = middle}, through = {.ctx = value};

	assert_true(belay_hook_add(middle, &low.hook, note));
	assert_true(belay_hook_add(value, &through.hook, note));
	belay_cancel(top);
	assert_int_equal(low.runs, 1);
	assert_int_equal(through.runs, 1);
	belay_end(value);
	belay_end(middle);
	belay_end(top);
}

static void it_runs_where_the_deadline_passes(void **state)
{
	belay_ctx *ctx = belay_with_timeout(belay_background(), BELAY_MS(1));
	struct probe probe = {.ctx = ctx};

	belay_hook_add(ctx, &probe.hook, note);
	assert_true(check_until(atomic_load(&probe.runs) == 1));
	assert_false(belay_hook_remove(&probe.hook));
	assert_int_equal(probe.err_seen, -ETIME);
	belay_end(ctx);
}

static void adding_to_a_done_context_runs_it_at_once_and_returns_false(void **state)
{
	belay_ctx *ctx = belay_with_cancel(belay_background());
	struct probe probe = {.ctx = ctx};

	belay_cancel(ctx);
	assert_false(belay_hook_add(ctx, &probe.hook, note));
	assert_int_equal(probe.runs, 1);
	assert_true(pthread_equal(probe.thread, pthread_self()));
	assert_false(belay_hook_remove(&probe.hook));
	belay_end(ctx);
	assert_int_equal(probe.runs, 1);
}

static void a_removed_hook_never_runs(void **state)
{
	belay_ctx *ctx = belay_with_cancel(belay_background());
	struct probe probe = {.ctx = ctx};

	assert_true(belay_hook_add(ctx, &probe.hook, note));
	assert_true(belay_hook_remove(&probe.hook));
	belay_end(ctx);
	assert_int_equal(probe.runs, 0);
}

static void removing_a_hook_that_has_run_is_false(void **state)
{
	belay_ctx *ctx = belay_with_cancel(belay_background());
	struct probe probe = {.ctx = ctx};

	assert_true(belay_hook_add(ctx, &probe.hook, note));
	belay_end(ctx);
	assert_false(belay_hook_remove(&probe.hook));
	assert_false(belay_hook_remove(&probe.hook));
	assert_int_equal(probe.runs, 1);
}

/* semantics 1.16 */
static void removing_one_leaves_the_others(void **state)
{
	enum { N = 9 };
	belay_ctx *ctx = belay_with_cancel(belay_background());
	struct probe probes[N];

	for (int i = 0; i < N; i++) {
		probes[i] = (struct probe){.ctx = ctx};
		assert_true(belay_hook_add(ctx, &probes[i].hook, note));
	}
	for (int i = 0; i < N; i += 2)
		assert_true(belay_hook_remove(&probes[i].hook));
	belay_cancel(ctx);
	for (int i = 0; i < N; i++)
		assert_int_equal(probes[i].runs, i % 2);
	belay_end(ctx);
}

static void a_hook_can_be_added_again_after_it_was_removed_or_has_run(void **state)
{
	belay_ctx *first = belay_with_cancel(belay_background());
	belay_ctx *second = belay_with_cancel(belay_background());
	struct probe probe = {.ctx = first};

	assert_true(belay_hook_add(first, &probe.hook, note));
	assert_true(belay_hook_remove(&probe.hook));
	assert_true(belay_hook_add(first, &probe.hook, note));
	belay_end(belay_ref(first));
	assert_int_equal(probe.runs, 1);
	probe.ctx = second;
	assert_true(belay_hook_add(second, &probe.hook, note));
	belay_cancel(second);
	assert_int_equal(probe.runs, 2);
	belay_unref(first);
	belay_end(second);
}

static void on_a_context_that_can_never_be_done_it_is_registered_and_removed(void **state)
{
	belay_ctx *never = belay_without_cancel(belay_background());
	struct probe on_root = {.ctx = belay_background()}, on_never = {.ctx = never};

	assert_true(belay_hook_add(belay_background(), &on_root.hook, note));
	assert_true(belay_hook_add(never, &on_never.hook, note));
	assert_true(belay_hook_remove(&on_root.hook));
	assert_true(belay_hook_remove(&on_never.hook));
	assert_int_equal(on_root.runs + on_never.runs, 0);
	belay_end(never);
}

static void a_registered_hook_keeps_the_context_alive(void **state)
{
	size_t before = belay_tree_count();
	belay_ctx *ctx = belay_with_cancel(belay_background());
	struct probe probe = {.ctx = ctx};

	assert_true(belay_hook_add(ctx, &probe.hook, note));
	belay_unref(ctx);
	assert_int_equal(belay_tree_count(), before + 1);
	assert_int_equal(belay_err(ctx), 0);
	assert_true(belay_hook_remove(&probe.hook));
	assert_int_equal(belay_tree_count(), before);
}

static void a_hook_that_has_run_no_longer_keeps_the_context(void **state)
{
	size_t before = belay_tree_count();
	belay_ctx *ctx = belay_with_cancel(belay_background());
	struct probe probe = {.ctx = ctx};

	assert_true(belay_hook_add(ctx, &probe.hook, note));
	belay_end(ctx);
	assert_int_equal(probe.runs, 1);
	assert_int_equal(belay_tree_count(), before);
}

static bool removed_inside;

static void remove_itself_and_free(struct belay_hook *hook)
{
	removed_inside = belay_hook_remove(hook);
	free(probe_of(hook));
}

static void it_can_remove_itself_and_free_its_object(void **state)
{
	belay_ctx *ctx = belay_with_cancel(belay_background());
	struct probe *probe = calloc(1, sizeof *probe);

	removed_inside = true;
	assert_non_null(probe);
	assert_true(belay_hook_add(ctx, &probe->hook, remove_itself_and_free));
	belay_cancel(ctx);
	assert_false(removed_inside);
	belay_end(ctx);
}

/* A hook that uses its own context and family in every way that does not block. */
static void meddle(struct belay_hook *hook)
{
	struct probe *probe = probe_of(hook);
	belay_ctx *child = belay_with_timeout(probe->ctx, BELAY_S(1));

	check(belay_err(child) == belay_err(probe->ctx));
	check(!belay_cancel(probe->ctx));
	belay_end(child);
	belay_unref(belay_ref(probe->ctx));
	note(hook);
}

static void it_may_call_whatever_does_not_block(void **state)
{
	belay_ctx *ctx = belay_with_cancel(belay_background());
	struct probe probe = {.ctx = ctx};

	assert_true(belay_hook_add(ctx, &probe.hook, meddle));
	belay_end(belay_ref(ctx));
	assert_int_equal(probe.runs, 1);
	belay_unref(ctx);
}

static struct probe removed_by_other;
static bool other_removed;

static void remove_other(struct belay_hook *hook)
{
	other_removed = belay_hook_remove(&removed_by_other.hook);
	note(hook);
}

/* Whichever of the two the walk meets first: the other has run or never will. */
static void a_hook_may_remove_another_of_the_same_context(void **state)
{
	belay_ctx *ctx = belay_with_cancel(belay_background());
	struct probe before = {.ctx = ctx};

	removed_by_other = (struct probe){.ctx = ctx};
	assert_true(belay_hook_add(ctx, &before.hook, remove_other));
	assert_true(belay_hook_add(ctx, &removed_by_other.hook, note));
	belay_cancel(ctx);
	assert_int_equal(before.runs, 1);
	assert_int_equal(removed_by_other.runs, other_removed ? 0 : 1);
	belay_end(ctx);
}

/* A hook that stays inside until it is let go. */
struct slow {
	struct belay_hook hook;
	atomic_bool inside, let_go, left;
	atomic_bool removing, removed;
	bool result;
};

static void stay(struct belay_hook *hook)
{
	struct slow *slow = (struct slow *)((char *)hook - offsetof(struct slow, hook));

	atomic_store(&slow->inside, true);
	check(check_until(atomic_load(&slow->let_go)));
	atomic_store(&slow->left, true);
}

static void *cancel_on_a_thread(void *ctx)
{
	belay_cancel(ctx);
	return NULL;
}

static void *remove_on_a_thread(void *arg)
{
	struct slow *slow = arg;

	atomic_store(&slow->removing, true);
	slow->result = belay_hook_remove(&slow->hook);
	check(atomic_load(&slow->left));
	atomic_store(&slow->removed, true);
	return NULL;
}

static void removing_waits_until_a_running_hook_has_returned(void **state)
{
	belay_ctx *ctx = check_live(belay_with_cancel(belay_background()));
	struct slow slow = {.result = true};
	pthread_t canceller, remover;

	assert_true(belay_hook_add(ctx, &slow.hook, stay));
	assert_int_equal(pthread_create(&canceller, NULL, cancel_on_a_thread, ctx), 0);
	assert_true(check_until(atomic_load(&slow.inside)));
	assert_int_equal(pthread_create(&remover, NULL, remove_on_a_thread, &slow), 0);
	assert_true(check_until(atomic_load(&slow.removing)));
	for (int i = 0; i < 1000; i++)
		belay_yield();
	assert_false(atomic_load(&slow.removed));
	atomic_store(&slow.let_go, true);
	pthread_join(remover, NULL);
	pthread_join(canceller, NULL);
	assert_false(slow.result);
	belay_end(ctx);
}

/* Both sides meet at random: after remove the object is freed, whoever came first. */
static void removing_races_the_end_and_the_object_can_be_freed(void **state)
{
	for (int i = 0; i < 2000; i++) {
		belay_ctx *ctx = belay_with_cancel(belay_background());
		struct probe *probe = calloc(1, sizeof *probe);
		pthread_t canceller;
		int runs;
		bool removed;

		assert_non_null(probe);
		probe->ctx = ctx;
		assert_int_equal(pthread_create(&canceller, NULL, cancel_on_a_thread, ctx), 0);
		belay_hook_add(ctx, &probe->hook, note);
		if (i % 2)
			check_until(atomic_load(&probe->runs) || i % 4 == 1);
		removed = belay_hook_remove(&probe->hook);
		runs = atomic_load(&probe->runs);
		free(probe);
		assert_int_equal(runs, removed ? 0 : 1);
		pthread_join(canceller, NULL);
		belay_end(ctx);
	}
}

BELAY_TEST_MAIN(cmocka_unit_test(it_runs_once_on_the_thread_that_cancels),
		cmocka_unit_test(it_sees_its_context_done),
		cmocka_unit_test(it_runs_where_an_ancestor_ends),
		cmocka_unit_test(it_runs_where_the_deadline_passes),
		cmocka_unit_test(adding_to_a_done_context_runs_it_at_once_and_returns_false),
		cmocka_unit_test(a_removed_hook_never_runs),
		cmocka_unit_test(removing_a_hook_that_has_run_is_false),
		cmocka_unit_test(removing_one_leaves_the_others),
		cmocka_unit_test(a_hook_can_be_added_again_after_it_was_removed_or_has_run),
		cmocka_unit_test(on_a_context_that_can_never_be_done_it_is_registered_and_removed),
		cmocka_unit_test(a_registered_hook_keeps_the_context_alive),
		cmocka_unit_test(a_hook_that_has_run_no_longer_keeps_the_context),
		cmocka_unit_test(it_can_remove_itself_and_free_its_object),
		cmocka_unit_test(it_may_call_whatever_does_not_block),
		cmocka_unit_test(a_hook_may_remove_another_of_the_same_context),
		cmocka_unit_test(removing_waits_until_a_running_hook_has_returned),
		cmocka_unit_test(removing_races_the_end_and_the_object_can_be_freed))
