/* SPDX-License-Identifier: MIT
 *
 * test_flight.c - one call for all who ask, as long as one of them is left; one value for all of
 * them, released once.
 */
#include "crew.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

BELAY_KEY(who, const char *, .destroy = NULL);

/* ---- A function whose calls wait until they are told to go on, or their context ends --------- */

/* How many values are alive; each is a copy of its key. */
static atomic_int values;

struct gate {
	belay_flight flight;
	belay_sem go;
	int err; /* what calls return instead of a value */
	atomic_uint calls, cancelled;
	char who[16], cause[64]; /* seen by the call that had one */
};

static void release(void *value)
{
	atomic_fetch_sub(&values, 1);
	free(value);
}

static int make_value(const char *key, void **ret)
{
	*ret = strdup(key);
	if (!*ret)
		return -ENOMEM;
	atomic_fetch_add(&values, 1);
	return 0;
}

static void note_cause(struct gate *gate, belay_ctx *ctx)
{
	belay_cause cause;

	check(belay_cause_of(ctx, &cause) == 0);
	check(cause.code == -ECANCELED);
	snprintf(gate->cause, sizeof gate->cause, "%s", cause.message);
	atomic_fetch_add(&gate->cancelled, 1);
}

static int copy_key(belay_ctx *ctx, const char *key, void *arg, void **ret)
{
	struct gate *gate = arg;
	int err;

	if (who_of(ctx))
		snprintf(gate->who, sizeof gate->who, "%s", who_of(ctx));
	atomic_fetch_add(&gate->calls, 1);
	err = belay_sem_acquire(ctx, &gate->go, 1);
	if (err) {
		note_cause(gate, ctx);
		return err;
	}
	return gate->err ? gate->err : make_value(key, ret);
}

static void gate_init(struct gate *gate, size_t open)
{
	memset(gate, 0, sizeof *gate);
	belay_flight_init(&gate->flight, copy_key, release, gate);
	belay_sem_init(&gate->go, open);
}

static void gate_fini(struct gate *gate)
{
	assert_int_equal(belay_flight_wait(belay_background(), &gate->flight), 0);
	for (int i = 0; i < BELAY__FLIGHT_BUCKETS; i++)
		assert_null(gate->flight.calls[i]);
	assert_int_equal(atomic_load(&values), 0);
}

/* ---- Those who ask --------------------------------------------------------------------------- */

struct askers {
	struct gate *gate;
	const char *key;
	belay_ctx *ctx[CREW_MOST];
	belay_flight_result *result[CREW_MOST];
	atomic_int err[CREW_MOST];
	struct crew crew;
};

static void ask(struct hand *hand)
{
	struct askers *askers = hand->crew->arg;
	unsigned i = hand->number;
	int err = belay_flight_do(askers->ctx[i], &askers->gate->flight, askers->key,
				  &askers->result[i]);

	check(err != -ENOMEM && err != -EAGAIN);
	atomic_store(&askers->err[i], err);
}

static void all_ask(struct askers *askers, struct gate *gate, const char *key, unsigned n)
{
	*askers = (struct askers){.gate = gate, .key = key, .crew = {.fn = ask, .arg = askers}};
	for (unsigned i = 0; i < n; i++) {
		askers->ctx[i] = check_live(belay_with_cancel(belay_background()));
		crew_add(&askers->crew);
		assert_true(check_until(belay_flight_askers(&gate->flight, key) == i + 1));
	}
}

static void all_end(struct askers *askers)
{
	crew_join(&askers->crew);
	for (unsigned i = 0; i < askers->crew.size; i++)
		belay_end(askers->ctx[i]);
}

/* ---- Tests ----------------------------------------------------------------------------------- */

static void a_value_lives_as_long_as_its_last_reference(void **state)
{
	belay_flight_result *result, *more;
	struct gate gate;

	gate_init(&gate, 1);
	assert_int_equal(belay_flight_do(belay_background(), &gate.flight, "key", &result), 0);
	more = belay_flight_ref(result);
	assert_string_equal(belay_flight_value(result), "key");
	belay_flight_unref(result);
	assert_string_equal(belay_flight_value(more), "key");
	belay_flight_unref(more);
	belay_flight_unref(NULL);
	gate_fini(&gate);
}

static void a_value_that_nobody_takes_is_released(void **state)
{
	struct gate gate;

	gate_init(&gate, 1);
	assert_int_equal(belay_flight_do(belay_background(), &gate.flight, "key", NULL), 0);
	gate_fini(&gate);
}

static int no_value(belay_ctx *ctx, const char *key, void *arg, void **ret)
{
	return 0;
}

static int borrowed_key(belay_ctx *ctx, const char *key, void *arg, void **ret)
{
	*ret = arg;
	return 0;
}

static void a_value_may_be_null_or_borrowed(void **state)
{
	static char arg[] = "mine";
	belay_flight none = BELAY_FLIGHT_INIT(no_value, release, NULL);
	belay_flight lent = BELAY_FLIGHT_INIT(borrowed_key, NULL, arg);
	belay_flight_result *result;

	assert_int_equal(belay_flight_do(belay_background(), &none, "key", &result), 0);
	assert_null(belay_flight_value(result));
	belay_flight_unref(result);
	assert_int_equal(belay_flight_do(belay_background(), &lent, "key", &result), 0);
	assert_ptr_equal(belay_flight_value(result), arg);
	belay_flight_unref(result);
	assert_int_equal(belay_flight_wait(belay_background(), &none), 0);
	assert_int_equal(belay_flight_wait(belay_background(), &lent), 0);
}

static void all_who_ask_for_a_key_share_one_call_and_its_value(void **state)
{
	struct askers askers;
	struct gate gate;

	gate_init(&gate, 0);
	all_ask(&askers, &gate, "key", 6);
	assert_int_equal(belay_sem_release(&gate.go, 1), 0);
	all_end(&askers);
	assert_int_equal(atomic_load(&gate.calls), 1);
	assert_int_equal(atomic_load(&values), 1);
	for (unsigned i = 0; i < 6; i++) {
		assert_int_equal(atomic_load(&askers.err[i]), 0);
		assert_ptr_equal(askers.result[i], askers.result[0]);
	}
	assert_string_equal(belay_flight_value(askers.result[0]), "key");
	for (unsigned i = 0; i < 6; i++)
		belay_flight_unref(askers.result[i]);
	gate_fini(&gate);
}

static void different_keys_are_different_calls(void **state)
{
	struct askers one, other;
	struct gate gate;

	gate_init(&gate, 0);
	all_ask(&one, &gate, "one", 2);
	all_ask(&other, &gate, "other", 2);
	assert_int_equal(belay_sem_release(&gate.go, 2), 0);
	all_end(&one);
	all_end(&other);
	assert_int_equal(atomic_load(&gate.calls), 2);
	for (int i = 0; i < 2; i++) {
		assert_string_equal(belay_flight_value(one.result[i]), "one");
		assert_string_equal(belay_flight_value(other.result[i]), "other");
		belay_flight_unref(one.result[i]);
		belay_flight_unref(other.result[i]);
	}
	gate_fini(&gate);
}

enum { KEYS = 4 * BELAY__FLIGHT_BUCKETS };

struct key {
	struct gate *gate;
	char text[8];
};

static int ask_for_key(belay_ctx *ctx, void *arg)
{
	struct key *key = arg;
	belay_flight_result *result;
	int err = belay_flight_do(ctx, &key->gate->flight, key->text, &result);

	check(err != -ENOMEM && err != -EAGAIN);
	if (err == 0) {
		check(strcmp(belay_flight_value(result), key->text) == 0);
		belay_flight_unref(result);
	}
	return err;
}

/* All under way at once, four for each bucket on the average. */
static void keys_that_share_a_bucket_are_told_apart(void **state)
{
	belay_group *group = check_made(belay_group_new(belay_background()));
	struct key keys[KEYS];
	struct gate gate;

	gate_init(&gate, 0);
	for (int i = 0; i < KEYS; i++) {
		keys[i].gate = &gate;
		snprintf(keys[i].text, sizeof keys[i].text, "%d", i);
		assert_int_equal(belay_group_go(group, ask_for_key, &keys[i]), 0);
	}
	for (int i = 0; i < KEYS; i++)
		assert_true(check_until(belay_flight_askers(&gate.flight, keys[i].text) == 1));
	assert_int_equal(belay_sem_release(&gate.go, KEYS), 0);
	assert_int_equal(belay_group_wait(group), 0);
	assert_int_equal(atomic_load(&gate.calls), KEYS);
	gate_fini(&gate);
}

static void who_asks_after_the_end_starts_a_new_call(void **state)
{
	struct gate gate;

	gate_init(&gate, 2);
	assert_int_equal(belay_flight_do(belay_background(), &gate.flight, "key", NULL), 0);
	assert_int_equal(belay_flight_do(belay_background(), &gate.flight, "key", NULL), 0);
	assert_int_equal(atomic_load(&gate.calls), 2);
	gate_fini(&gate);
}

static void an_error_is_shared_too_and_leaves_the_outputs_alone(void **state)
{
	struct askers askers;
	struct gate gate;

	gate_init(&gate, 0);
	gate.err = -EHOSTUNREACH;
	all_ask(&askers, &gate, "key", 4);
	assert_int_equal(belay_sem_release(&gate.go, 1), 0);
	all_end(&askers);
	for (unsigned i = 0; i < 4; i++) {
		assert_int_equal(atomic_load(&askers.err[i]), -EHOSTUNREACH);
		assert_null(askers.result[i]);
	}
	assert_int_equal(atomic_load(&gate.calls), 1);
	gate_fini(&gate);
}

static void a_done_context_starts_nothing(void **state)
{
	BELAY_SCOPED belay_ctx *ctx = check_live(belay_with_timeout(belay_background(), 0));
	struct gate gate;

	gate_init(&gate, 0);
	assert_int_equal(belay_flight_do(ctx, &gate.flight, "key", NULL), -ETIME);
	assert_int_equal(belay_flight_do(belay_background(), &gate.flight, NULL, NULL), -EINVAL);
	assert_int_equal(belay_flight_wait(ctx, &gate.flight), -ETIME);
	assert_int_equal(gate.flight.running, 0);
	gate_fini(&gate);
}

static void who_leaves_does_not_disturb_those_who_stay(void **state)
{
	struct askers askers;
	struct gate gate;

	gate_init(&gate, 0);
	all_ask(&askers, &gate, "key", 4);
	belay_cancel(askers.ctx[0]); /* the first asker too, from whose context the call's comes */
	belay_cancel(askers.ctx[2]);
	assert_true(check_until(belay_flight_askers(&gate.flight, "key") == 2));
	assert_int_equal(belay_sem_release(&gate.go, 1), 0);
	all_end(&askers);
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(atomic_load(&askers.err[i]), i % 2 ? 0 : -ECANCELED);
	assert_int_equal(atomic_load(&gate.cancelled), 0);
	belay_flight_unref(askers.result[1]);
	belay_flight_unref(askers.result[3]);
	gate_fini(&gate);
}

static void the_call_is_cancelled_when_all_have_gone(void **state)
{
	struct askers askers;
	struct gate gate;

	gate_init(&gate, 0);
	all_ask(&askers, &gate, "key", 3);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(atomic_load(&gate.cancelled), 0);
		belay_cancel(askers.ctx[i]);
		assert_true(check_until(belay_flight_askers(&gate.flight, "key") == 2 - i));
	}
	all_end(&askers);
	assert_int_equal(belay_flight_wait(belay_background(), &gate.flight), 0);
	assert_int_equal(atomic_load(&gate.cancelled), 1);
	assert_string_equal(gate.cause, "all who asked have gone");
	gate_fini(&gate);
}

/* The old call does not look at its context, and ends after the new one. */
struct stubborn {
	belay_flight flight;
	belay_ctx *ctx;
	atomic_uint calls;
	atomic_bool go;
};

static int first_call_is_stubborn(belay_ctx *ctx, const char *key, void *arg, void **ret)
{
	struct stubborn *stubborn = arg;

	if (atomic_fetch_add(&stubborn->calls, 1) == 0) {
		check(belay_wait(ctx) == -ECANCELED);
		check(check_until(atomic_load(&stubborn->go)));
	}
	return make_value(key, ret);
}

static void ask_stubborn(struct hand *hand)
{
	struct stubborn *stubborn = hand->crew->arg;

	check(belay_flight_do(stubborn->ctx, &stubborn->flight, "key", NULL) == -ECANCELED);
}

static void abandon_the_first_call(struct stubborn *stubborn)
{
	struct crew crew = {.fn = ask_stubborn, .arg = stubborn};

	stubborn->ctx = check_live(belay_with_cancel(belay_background()));
	crew_add(&crew);
	assert_true(check_until(atomic_load(&stubborn->calls) == 1));
	belay_cancel(stubborn->ctx);
	crew_join(&crew);
	belay_end(stubborn->ctx);
}

static void an_abandoned_call_is_not_joined_by_the_next_asker(void **state)
{
	struct stubborn stubborn = {
		.flight = BELAY_FLIGHT_INIT(first_call_is_stubborn, release, &stubborn)};
	belay_flight_result *result;
	belay_ctx *short_time;

	abandon_the_first_call(&stubborn);
	assert_int_equal(belay_flight_do(belay_background(), &stubborn.flight, "key", &result), 0);
	assert_int_equal(atomic_load(&stubborn.calls), 2);
	short_time = check_live(belay_with_timeout(belay_background(), BELAY_MS(1)));
	assert_int_equal(belay_flight_wait(short_time, &stubborn.flight), -ETIME);
	belay_end(short_time);
	atomic_store(&stubborn.go, true);
	assert_int_equal(belay_flight_wait(belay_background(), &stubborn.flight), 0);
	assert_int_equal(atomic_load(&values), 1); /* the old call's has been released */
	belay_flight_unref(result);
	assert_int_equal(atomic_load(&values), 0);
}

static void the_call_sees_the_values_of_the_first_asker(void **state)
{
	BELAY_SCOPED belay_ctx *ctx = with_who(belay_background(), "alice");
	struct gate gate;

	gate_init(&gate, 1);
	assert_int_equal(belay_flight_do(ctx, &gate.flight, "key", NULL), 0);
	assert_int_equal(belay_flight_wait(belay_background(), &gate.flight), 0);
	assert_string_equal(gate.who, "alice");
	gate_fini(&gate);
}

/* ---- Storm ----------------------------------------------------------------------------------- */

struct storm {
	belay_flight flight;
	_Atomic unsigned long calls, answers;
};

static int yield_and_copy(belay_ctx *ctx, const char *key, void *arg, void **ret)
{
	struct storm *storm = arg;

	atomic_fetch_add(&storm->calls, 1);
	for (int i = 0; i < 3; i++)
		belay_yield();
	if (belay_err(ctx))
		return belay_err(ctx);
	return make_value(key, ret);
}

static void ask_often(struct hand *hand)
{
	static const char *const keys[] = {"a", "b", "c"};
	struct storm *storm = hand->crew->arg;

	for (int i = 0; i < 600; i++) {
		BELAY_SCOPED belay_ctx *ctx = hand_ctx(hand);
		const char *key = keys[hand_random(hand, 3)];
		belay_flight_result *result = NULL;
		int err = belay_flight_do(ctx, &storm->flight, key, &result);

		check(err == belay_err(ctx) || err == 0);
		check((err == 0) == (result != NULL));
		if (result)
			check(strcmp(belay_flight_value(result), key) == 0);
		if (result)
			atomic_fetch_add(&storm->answers, 1);
		belay_flight_unref(result);
	}
}

static void every_value_is_released_once_while_contexts_end_at_random(void **state)
{
	struct storm storm = {.flight = BELAY_FLIGHT_INIT(yield_and_copy, release, &storm)};

	crew_all(8, ask_often, &storm);
	assert_int_equal(belay_flight_wait(belay_background(), &storm.flight), 0);
	assert_true(atomic_load(&storm.answers) > 0);
	assert_int_equal(atomic_load(&values), 0);
}

BELAY_TEST_MAIN(cmocka_unit_test(a_value_lives_as_long_as_its_last_reference),
		cmocka_unit_test(a_value_that_nobody_takes_is_released),
		cmocka_unit_test(a_value_may_be_null_or_borrowed),
		cmocka_unit_test(all_who_ask_for_a_key_share_one_call_and_its_value),
		cmocka_unit_test(different_keys_are_different_calls),
		cmocka_unit_test(keys_that_share_a_bucket_are_told_apart),
		cmocka_unit_test(who_asks_after_the_end_starts_a_new_call),
		cmocka_unit_test(an_error_is_shared_too_and_leaves_the_outputs_alone),
		cmocka_unit_test(a_done_context_starts_nothing),
		cmocka_unit_test(who_leaves_does_not_disturb_those_who_stay),
		cmocka_unit_test(the_call_is_cancelled_when_all_have_gone),
		cmocka_unit_test(an_abandoned_call_is_not_joined_by_the_next_asker),
		cmocka_unit_test(the_call_sees_the_values_of_the_first_asker),
		cmocka_unit_test(every_value_is_released_once_while_contexts_end_at_random))
