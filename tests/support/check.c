/* SPDX-License-Identifier: MIT
 *
 * check.c - runs a list of tests and judges what each leaves behind.
 *
 * cmocka knows a setup and a teardown for each test; ours stand around the test's own. A test finds
 * its wrapper through the initial state, which is handed on to the test's own setup.
 * Locking     none: `now` is touched by the main thread alone; other threads only count `failures`.
 */
#include "check.h"

#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

/* Of src/task/stack.h: how many tasks there are. Not there for programs that link the shared
 * library, which shows public names alone. */
extern size_t belay__stack_count(void) __attribute__((weak));

enum { PATIENCE_MS = 30000, ROUNDS_BEFORE_NAPS = 100 };

/* A test with what stood around when it began. */
struct wrapped {
	struct CMUnitTest test;
	size_t contexts, tasks;
	unsigned descriptors, threads;
	bool returned;
};

static struct wrapped *now;

/* Failed check()s of the test that runs. Relaxed: read after the threads that count were waited
 * for, or too late anyhow. */
static atomic_uint failures;

/* ---- Counting -------------------------------------------------------------------------------- */

static unsigned entries(const char *path)
{
	DIR *dir = opendir(path);
	unsigned n = 0;

	if (!dir)
		return 0;
	for (struct dirent *entry; (entry = readdir(dir));)
		n += entry->d_name[0] != '.';
	closedir(dir);
	return n;
}

/* Without the one that the listing itself opens. */
unsigned check_descriptors(void)
{
	return entries("/proc/self/fd") - 1;
}

unsigned check_threads(void)
{
	return entries("/proc/self/task");
}

static void print_descriptors(void)
{
	for (int fd = 0; fd < 1024; fd++) {
		char path[32], target[256];
		ssize_t n;

		snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
		n = readlink(path, target, sizeof target);
		if (n >= 0)
			fprintf(stderr, "  %d -> %.*s\n", fd, (int)n, target);
	}
}

/* ---- Checks and waits ------------------------------------------------------------------------ */

bool check_at(bool held, const char *what, const char *file, int line)
{
	if (!held) {
		atomic_fetch_add_explicit(&failures, 1, memory_order_relaxed);
		fprintf(stderr, "%s:%d: check failed: %s\n", file, line, what);
	}
	return held;
}

/* How long to wait for what never comes: only who tests this file wants it shorter. */
static int64_t patience_ns(void)
{
	const char *ms = getenv("CHECK_PATIENCE_MS");

	return BELAY_MS(ms ? atoi(ms) : PATIENCE_MS);
}

bool check_again(struct check_patience *patience)
{
	const struct timespec nap = {.tv_nsec = 1000000};

	if (patience->until == 0)
		patience->until = belay_now() + patience_ns();
	belay_yield();
	if (patience->rounds++ >= ROUNDS_BEFORE_NAPS)
		nanosleep(&nap, NULL);
	return belay_now() < patience->until;
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

/* ---- What a test leaves behind --------------------------------------------------------------- */

static void judge_contexts(void)
{
	if (check_until(belay_tree_count() <= now->contexts))
		return;
	belay_tree(stderr);
	fail_msg("%zu contexts are still alive", belay_tree_count() - now->contexts);
}

static size_t tasks(void)
{
	return belay__stack_count ? belay__stack_count() : 0;
}

static void judge_tasks(void)
{
	if (!check_until(tasks() <= now->tasks))
		fail_msg("%zu tasks have not returned", tasks() - now->tasks);
}

/* A joined thread may stand in /proc for a moment more. */
static void judge_threads(void)
{
	if (!check_until(check_threads() <= now->threads))
		fail_msg("%u threads more than before the test", check_threads() - now->threads);
}

static void judge_descriptors(void)
{
	unsigned open = check_descriptors();

	if (open <= now->descriptors)
		return;
	print_descriptors();
	fail_msg("%u descriptors more than before the test", open - now->descriptors);
}

/* ---- Around each test ------------------------------------------------------------------------ */

static int begin(void **state)
{
	now = *state;
	now->contexts = belay_tree_count();
	now->tasks = tasks();
	now->descriptors = check_descriptors();
	now->threads = check_threads();
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
	judge_contexts();
	judge_tasks();
	belay_shutdown();
	judge_threads();
	judge_descriptors();
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

/* A thread sanitizer starts a thread of its own beside the first that a program starts. Else none
 * is started: tests that fork want a process that never had a second one. */
#if defined(__SANITIZE_THREAD__) || defined(__clang__) /* which does not say */
static void *nothing(void *arg)
{
	return arg;
}

static void start_first_thread(void)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, nothing, NULL) == 0)
		pthread_join(thread, NULL);
}
#else
static void start_first_thread(void)
{
}
#endif

/* Lines leave at once, so that after a crash it can be told which tests had passed. Narrowed to 0
 * and 1: a count of failures could be 77, which Meson takes for "skipped", or 256. */
int check_main(const struct CMUnitTest *list, size_t count)
{
	struct CMUnitTest *outer = calloc(count, sizeof *outer);
	struct wrapped *all = outer ? wrap(list, count, outer) : NULL;
	int failed = 1;

	setvbuf(stdout, NULL, _IOLBF, BUFSIZ);
	start_first_thread();
	if (all)
		failed = _cmocka_run_group_tests("tests", outer, count, NULL, NULL) != 0;
	free(all);
	free(outer);
	return failed;
}
