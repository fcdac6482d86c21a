/* SPDX-License-Identifier: MIT
 *
 * test_environment.c - a context that goes from one process to the next by two variables.
 */
#include "process_test.h"

#include <time.h>

#define ID     "4bf92f3577b34da6a3ce929d0e0e4736"
#define PARENT "00-" ID "-00f067aa0ba902b7-01"

static int64_t realtime(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return BELAY_S(now.tv_sec) + now.tv_nsec;
}

static void set_deadline(int64_t when)
{
	char text[40];

	snprintf(text, sizeof text, "%lld.%09lld", (long long)(when / 1000000000),
		 (long long)(when % 1000000000));
	setenv("BELAY_DEADLINE", text, 1);
}

static int forget(void **state)
{
	unsetenv("TRACEPARENT");
	unsetenv("BELAY_DEADLINE");
	return 0;
}

/* ---- Out ------------------------------------------------------------------------------------- */

static void hand_over(belay_ctx *parent, void *arg)
{
	BELAY_SCOPED belay_ctx *traced = belay_with_trace_id(parent, ID);
	BELAY_SCOPED belay_ctx *ctx = belay_with_timeout(traced, BELAY_S(1000));
	char *trace = output_of(ctx, "printf %s \"$TRACEPARENT\"");
	char *deadline = output_of(ctx, "printf %s \"$BELAY_DEADLINE\"");
	double left = deadline ? strtod(deadline, NULL) - (double)realtime() / 1e9 : 0;
	char id[33];

	check(trace && belay_traceparent_parse(trace, id) == 0 && strcmp(id, ID) == 0);
	check(left > 900 && left < 1001);
	free(trace);
	free(deadline);
}

static void a_command_is_told_its_contexts_trace_id_and_deadline(void **state)
{
	from_both(hand_over, NULL);
}

#define SHOW "echo \"${TRACEPARENT-none} ${BELAY_DEADLINE-none}\""

static void hand_over_nothing(belay_ctx *ctx, void *arg)
{
	check(writes(ctx, SHOW, "none none\n"));
}

static void a_context_without_them_adds_nothing(void **state)
{
	from_both(hand_over_nothing, NULL);
}

static void our_own_deadline_is_not_the_childs_and_our_trace_is(void **state)
{
	setenv("TRACEPARENT", PARENT, 1);
	setenv("BELAY_DEADLINE", "1.5", 1);
	assert_true(writes(belay_background(), SHOW, PARENT " none\n"));
}

static void what_the_command_names_itself_stays(void **state)
{
	BELAY_SCOPED belay_ctx *traced = belay_with_trace_id(belay_background(), ID);
	BELAY_SCOPED belay_ctx *ctx = belay_with_timeout(traced, BELAY_S(1000));
	const char *named[] = {"BELAY_DEADLINE=1", "TRACEPARENT=2", NULL};
	const char *unnamed[] = {"BELAY_DEADLINE", "TRACEPARENT", NULL};
	struct shell sh;
	struct belay_command *command = shell(&sh, "exit $TRACEPARENT$BELAY_DEADLINE");
	struct belay_exit exit;

	command->add_env = named;
	assert_int_equal(belay_exec(ctx, command, &exit), 0);
	assert_int_equal(exit.code, 21);
	command->add_env = NULL;
	command->env = named;
	assert_int_equal(belay_exec(ctx, command, &exit), 0);
	assert_int_equal(exit.code, 21);
	command->env = NULL;
	command->add_env = unnamed;
	assert_int_equal(belay_exec(ctx, command, &exit), 0);
	assert_int_equal(exit.code, 0);
}

static void an_id_that_is_none_of_w3cs_is_not_handed_on(void **state)
{
	BELAY_SCOPED belay_ctx *ctx = belay_with_trace_id(belay_background(), "demo-1");

	assert_true(writes(ctx, SHOW, "none none\n"));
}

/* ---- In -------------------------------------------------------------------------------------- */

static void take_over(belay_ctx *parent, void *arg)
{
	int64_t left = BELAY_S(1000), when = 0, now = belay_now();
	belay_ctx *ctx;

	setenv("TRACEPARENT", PARENT, 1);
	set_deadline(realtime() + left);
	ctx = belay_from_environment(parent);
	check(belay_err(ctx) == 0);
	check(belay_trace_id(ctx) && strcmp(belay_trace_id(ctx), ID) == 0);
	check(belay_deadline(ctx, &when));
	check(when - now > left - BELAY_S(10) && when - now < left + BELAY_S(10));
	check(belay_cancel(ctx));
	check(belay_err(parent) == 0);
	belay_end(ctx);
}

static void a_context_is_made_of_what_the_environment_says(void **state)
{
	from_both(take_over, NULL);
}

static void what_is_not_there_is_not_in_the_context(void **state)
{
	BELAY_SCOPED belay_ctx *ctx = belay_from_environment(belay_background());

	assert_int_equal(belay_err(ctx), 0);
	assert_false(belay_deadline(ctx, NULL));
	assert_null(belay_trace_id(ctx));
	assert_true((belay_cancel)(ctx));
}

static void a_moment_that_has_been_is_a_done_context(void **state)
{
	belay_ctx *ctx;

	setenv("BELAY_DEADLINE", "1.5", 1);
	ctx = (belay_from_environment)(belay_background());
	assert_int_equal(belay_err(ctx), -ETIME);
	belay_end(ctx);
}

static void it_can_end_sooner_than_its_parent_and_never_later(void **state)
{
	BELAY_SCOPED belay_ctx *parent = belay_with_timeout(belay_background(), BELAY_S(100));
	int64_t of_parent, when;
	belay_ctx *ctx;

	set_deadline(realtime() + BELAY_S(1000));
	ctx = belay_from_environment(parent);
	assert_true(belay_deadline(parent, &of_parent) && belay_deadline(ctx, &when));
	assert_int_equal(when, of_parent);
	belay_end(ctx);
	set_deadline(realtime() + BELAY_S(50));
	ctx = belay_from_environment(parent);
	assert_true(belay_deadline(ctx, &when) && when < of_parent);
	belay_end(ctx);
}

static void what_is_malformed_is_dropped(void **state)
{
	static const char *const moments[] = {
		"", ".", ".5", "5.", "-5", "+5", " 5", "5 ", "5s", "1e3", "0x5", "1.2.3", "1,5",
		"1.1234567890", "99999999999", "99999999999999999999999999", "nan", "inf",
	};
	static const char *const parents[] = {
		"", "00", ID, "00-" ID, "00-" ID "-00f067aa0ba902b7", PARENT "-", PARENT "x",
		"ff-" ID "-00f067aa0ba902b7-01", "00-" ID "-0000000000000000-01",
		"00-00000000000000000000000000000000-00f067aa0ba902b7-01",
	};

	for (size_t i = 0; i < sizeof moments / sizeof *moments; i++) {
		belay_ctx *ctx;

		setenv("BELAY_DEADLINE", moments[i], 1);
		setenv("TRACEPARENT", parents[i % (sizeof parents / sizeof *parents)], 1);
		ctx = belay_from_environment(belay_background());
		assert_int_equal(belay_err(ctx), 0);
		assert_false(belay_deadline(ctx, NULL));
		assert_null(belay_trace_id(ctx));
		belay_end(ctx);
	}
}

static void no_parent_is_a_done_context(void **state)
{
	belay_ctx *ctx = belay_from_environment(NULL);

	assert_int_equal(belay_err(ctx), -EINVAL);
	belay_end(ctx);
}

/* ---- There and back -------------------------------------------------------------------------- */

/* A Unix shell in between does not know of either, and takes its time. */
static void both_reach_a_grandchild_unchanged(void **state)
{
	BELAY_SCOPED belay_ctx *traced = belay_with_trace_id(belay_background(), ID);
	BELAY_SCOPED belay_ctx *ctx = belay_with_timeout(traced, BELAY_S(1000));
	char *text = output_of(ctx, "sh -c 'echo $BELAY_DEADLINE; echo $TRACEPARENT'");
	char *second = text ? strchr(text, '\n') : NULL;
	int64_t mine, its;
	belay_ctx *back;

	if (!second) {
		fail();
		return;
	}
	*second++ = '\0';
	second[strcspn(second, "\n")] = '\0';
	setenv("BELAY_DEADLINE", text, 1);
	setenv("TRACEPARENT", second, 1);
	back = belay_from_environment(belay_background());
	assert_string_equal(belay_trace_id(back), ID);
	assert_true(belay_deadline(ctx, &mine) && belay_deadline(back, &its));
	assert_true(its - mine < BELAY_S(1) && mine - its < BELAY_S(1));
	belay_end(back);
	free(text);
}

#define clean_test(fn) cmocka_unit_test_setup_teardown(fn, forget, forget)

BELAY_TEST_MAIN(clean_test(a_command_is_told_its_contexts_trace_id_and_deadline),
		clean_test(a_context_without_them_adds_nothing),
		clean_test(our_own_deadline_is_not_the_childs_and_our_trace_is),
		clean_test(what_the_command_names_itself_stays),
		clean_test(an_id_that_is_none_of_w3cs_is_not_handed_on),
		clean_test(a_context_is_made_of_what_the_environment_says),
		clean_test(what_is_not_there_is_not_in_the_context),
		clean_test(a_moment_that_has_been_is_a_done_context),
		clean_test(it_can_end_sooner_than_its_parent_and_never_later),
		clean_test(what_is_malformed_is_dropped),
		clean_test(no_parent_is_a_done_context),
		clean_test(both_reach_a_grandchild_unchanged))
