/* SPDX-License-Identifier: MIT
 *
 * check.c - runs a list of tests and judges what each leaves behind.
 *
 * cmocka knows a setup and a teardown for each test; ours stand around the test's own. A test finds
 * its wrapper through the initial state, which is handed on to the test's own setup.
 * Locking     none: `now` is touched by the main thread alone; other threads only count `failures`.
 */
#include "check.h"
#include "standing.h"
#include "sweep.h"
#include "trial.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

enum { PATIENCE_MS = 30000, ROUNDS_BEFORE_NAPS = 100 };

/* A test with what stood around when it began. */
struct wrapped {
	struct CMUnitTest test;
	struct standing before;
	bool returned;
};

static struct wrapped *now;

/* Failed check()s of the test that runs. Relaxed: read after the threads that count were waited
 * for, or too late anyhow. */
static atomic_uint failures;

/* ---- Checks and waits ------------------------------------------------------------------------ */

bool check_at(bool held, const char *what, const char *file, int line)
{
	if (!held) {
		atomic_fetch_add_explicit(&failures, 1, memory_order_relaxed);
		fprintf(stderr, "%s:%d: check failed: %s\n", file, line, what);
		trial_broke_off();
	}
	return held;
}

/* How long to wait for what never comes: only who tests this file wants it shorter. */
static int64_t patience_ns(void)
{
	const char *ms = getenv("CHECK_PATIENCE_MS");

	return trial_patience_ns(BELAY_MS(ms ? atoi(ms) : PATIENCE_MS));
}

bool check_again(struct check_patience *patience)
{
	const struct timespec nap = {.tv_nsec = 1000000};

	if (patience->until == 0)
		patience->until = belay_now() + patience_ns();
	belay_yield();
	if (patience->rounds++ >= ROUNDS_BEFORE_NAPS)
		nanosleep(&nap, NULL);
	if (belay_now() < patience->until)
		return true;
	trial_gave_up();
	return false;
}

struct call {
	void (*fn)(belay_ctx *ctx, void *arg);
	void *arg;
	belay_chan *over;
};

static void run_call(belay_ctx *ctx, void *arg)
{
	struct call *call = arg;

	call->fn(ctx, call->arg);
	belay_chan_close(call->over);
}

void check_in_task(void (*fn)(belay_ctx *ctx, void *arg), void *arg)
{
	struct call call = {.fn = fn, .arg = arg, .over = belay_chan_new(0, 0)};

	if (!check(call.over != NULL))
		return;
	if (check(belay_go(belay_background(), run_call, &call) == 0))
		check(belay_recv(belay_background(), call.over, NULL) == -EPIPE);
	belay_chan_unref(call.over);
}

/* ---- Around each test ------------------------------------------------------------------------ */

static int begin(void **state)
{
	now = *state;
	standing_note(&now->before);
	atomic_store_explicit(&failures, 0, memory_order_relaxed);
	*state = now->test.initial_state;
	return now->test.setup_func ? now->test.setup_func(state) : 0;
}

static void run(void **state)
{
	unsigned failed;

	now->test.test_func(state);
	failed = atomic_load_explicit(&failures, memory_order_relaxed);
	if (failed)
		fail_msg("%u checks failed", failed);
	now->returned = true;
}

static int end(void **state)
{
	int r = now->test.teardown_func ? now->test.teardown_func(state) : 0;

	if (r != 0 || !now->returned)
		return r;
	standing_judge(&now->before);
	return 0;
}

static struct wrapped *wrap(const struct CMUnitTest *list, size_t count, struct CMUnitTest *outer)
{
	struct wrapped *all = calloc(count, sizeof *all);

	for (size_t i = 0; all && i < count; i++) {
		all[i].test = list[i];
		outer[i] = (struct CMUnitTest){list[i].name, run, begin, end, &all[i]};
	}
	return all;
}

/* Lines leave at once, so that after a crash it can be told which tests had passed. Narrowed to 0
 * and 1: a count of failures could be 77, which Meson takes for "skipped", or 256. */
int check_main(const struct CMUnitTest *list, size_t count)
{
	struct CMUnitTest *outer = calloc(count, sizeof *outer);
	struct wrapped *all = outer ? wrap(list, count, outer) : NULL;
	int failed = 1;

	setvbuf(stdout, NULL, _IOLBF, BUFSIZ);
	if (sweep_wanted()) {
		free(outer);
		free(all);
		return sweep(list, count);
	}
	if (all)
		failed = _cmocka_run_group_tests("tests", outer, count, NULL, NULL) != 0;
	free(all);
	free(outer);
	return failed;
}
