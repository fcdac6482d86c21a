/* SPDX-License-Identifier: MIT
 *
 * test_memory.c - what a task takes up, and gives back.
 */
#include "check.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static belay_ctx *bg(void) { return belay_background(); }

/* Memory of sanitizers is no measure. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SKIP_IF_SANITIZED() skip()
#else
#define SKIP_IF_SANITIZED() ((void)0)
#endif

/* Resident memory and page tables, in bytes. */
static long memory(void)
{
	FILE *file = fopen("/proc/self/status", "re");
	char line[256];
	long sum = 0, kib;

	while (fgets(line, sizeof line, file))
		if (sscanf(line, "VmRSS: %ld", &kib) == 1 || sscanf(line, "VmPTE: %ld", &kib) == 1)
			sum += kib << 10;
	fclose(file);
	return sum;
}

/* ---- While they wait ------------------------------------------------------------------------- */

struct crowd {
	belay_chan *ch;
	atomic_int here, over;
	bool deep;
	size_t stack_size;
};

/* The frame's address is let out, or a compiler may keep less of it. */
__attribute__((noinline)) static int descend(int kib)
{
	char frame[1024] = {(char)kib};

	__asm__ volatile("" : : "r"(frame) : "memory");
	return kib == 0 ? 0 : descend(kib - 1) + frame[0];
}

static void receive(belay_ctx *ctx, void *arg)
{
	struct crowd *crowd = arg;

	if (crowd->deep)
		descend(100);
	atomic_fetch_add(&crowd->here, 1);
	check(belay_recv(ctx, crowd->ch, NULL) == -EPIPE);
	atomic_fetch_add(&crowd->over, 1);
}

static void gather(struct crowd *crowd, int n)
{
	const struct belay_task_options options = {.stack_size = crowd->stack_size};

	crowd->ch = check_made(belay_chan_new(0, 0));
	for (int i = 0; i < n; i++)
		assert_int_equal(belay_go_with(bg(), receive, crowd, &options), 0);
	assert_true(check_until(atomic_load(&crowd->here) == n));
}

static void disperse(struct crowd *crowd, int n)
{
	belay_chan_close(crowd->ch);
	assert_true(check_until(atomic_load(&crowd->over) == n));
	belay_chan_unref(crowd->ch);
}

static void a_task_that_waits_takes_little_more_than_a_page(void **state)
{
	enum { N = 20000 };
	struct crowd first = {0}, crowd = {0};
	long before;

	SKIP_IF_SANITIZED();
	gather(&first, 1);
	before = memory();
	gather(&crowd, N);
	assert_true(memory() - before < N * 4710L);
	disperse(&crowd, N);
	disperse(&first, 1);
}

static void what_tasks_needed_at_their_deepest_comes_back_when_nobody_needs_it(void **state)
{
	enum { N = 200 };
	struct crowd crowd = {.deep = true};
	long before, most;

	SKIP_IF_SANITIZED();
	before = memory();
	gather(&crowd, N);
	most = memory() - before;
	assert_true(most > N * 100000L);
	disperse(&crowd, N);
	assert_true(check_until(memory() - before < most / 10));
}

static void a_large_stack_takes_what_is_touched_and_gives_it_back(void **state)
{
	enum { N = 100 };
	struct crowd idle = {.stack_size = 8 << 20}, deep = {.deep = true, .stack_size = 8 << 20};
	long before, most;

	SKIP_IF_SANITIZED();
	before = memory();
	gather(&idle, N);
	assert_true(memory() - before < N * 40000L);
	gather(&deep, N);
	most = memory() - before;
	assert_true(most > N * 100000L);
	disperse(&idle, N);
	disperse(&deep, N);
	assert_true(check_until(memory() - before < most / 10));
}

/* ---- Where there is none --------------------------------------------------------------------- */

/* In a child, since it leaves no room for anything else. 0: as it should be. */
static int spawn_until_it_fails(void)
{
	const struct rlimit little = {256 << 20, 256 << 20};
	const struct belay_task_options huge = {.stack_size = BELAY_STACK_MOST};
	struct crowd crowd = {.ch = belay_chan_new(0, 0)};
	int n = 0, err;

	if (belay_go(bg(), receive, &crowd) != 0 || setrlimit(RLIMIT_AS, &little) != 0)
		return 1;
	while ((err = belay_go(bg(), receive, &crowd)) == 0 && n < 100000)
		n++;
	if (err != -ENOMEM || !check_until(atomic_load(&crowd.here) == n + 1))
		return 2;
	belay_chan_close(crowd.ch);
	if (!check_until(atomic_load(&crowd.over) == n + 1))
		return 3;
	if (belay_go_with(bg(), receive, &crowd, &huge) != -ENOMEM)
		return 4;
	return belay_go(bg(), receive, &crowd) == 0 ? 0 : 5;
}

static void where_no_stack_can_be_mapped_spawning_is_an_error_and_the_rest_goes_on(void **state)
{
	int status;
	pid_t pid;

	SKIP_IF_SANITIZED();
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		setenv("BELAY_WORKERS", "2", 1);
		_exit(spawn_until_it_fails());
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

BELAY_TEST_MAIN(
	cmocka_unit_test(where_no_stack_can_be_mapped_spawning_is_an_error_and_the_rest_goes_on),
	cmocka_unit_test(a_task_that_waits_takes_little_more_than_a_page),
	cmocka_unit_test(what_tasks_needed_at_their_deepest_comes_back_when_nobody_needs_it),
	cmocka_unit_test(a_large_stack_takes_what_is_touched_and_gives_it_back))
