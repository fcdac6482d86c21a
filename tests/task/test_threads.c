/* SPDX-License-Identifier: MIT
 *
 * test_threads.c - what a C program keeps by thread or by process is right in tasks: locale,
 * signals, children, names of threads. What is so after each call that blocks: test_calls.c.
 */
#include "check.h"

#include <dirent.h>
#include <locale.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static belay_ctx *bg(void)
{
	return belay_background();
}

static int one_worker(void **state)
{
	return setenv("BELAY_WORKERS", "1", 1);
}

static int default_workers(void **state)
{
	return unsetenv("BELAY_WORKERS");
}

/* ---- Locale ---------------------------------------------------------------------------------- */

static void set_locale(belay_ctx *ctx, void *arg)
{
	uselocale(arg);
}

static void see_global_locale(belay_ctx *ctx, void *arg)
{
	check(uselocale((locale_t)0) == LC_GLOBAL_LOCALE);
}

static void a_locale_that_a_task_leaves_behind_is_nobody_elses(void **state)
{
	locale_t own = newlocale(LC_ALL_MASK, "C", (locale_t)0);

	check_in_task(set_locale, own);
	check_in_task(see_global_locale, NULL);
	belay_shutdown();
	freelocale(own);
}

/* ---- Names ----------------------------------------------------------------------------------- */

static bool has_name(const char *path, const char *wanted)
{
	char name[32] = "";
	FILE *file = fopen(path, "r");

	if (!file)
		return false;
	if (!fgets(name, sizeof name, file))
		name[0] = '\0';
	fclose(file);
	name[strcspn(name, "\n")] = '\0';
	return strcmp(name, wanted) == 0;
}

static bool thread_is_there(const char *wanted)
{
	DIR *tasks = opendir("/proc/self/task");
	struct dirent *entry;
	bool found = false;

	while (tasks && !found && (entry = readdir(tasks))) {
		char path[sizeof entry->d_name + 32];

		snprintf(path, sizeof path, "/proc/self/task/%s/comm", entry->d_name);
		found = has_name(path, wanted);
	}
	if (tasks)
		closedir(tasks);
	return found;
}

static void nothing(void *arg)
{
}

/* So that all threads are there that a task may need. */
static void expire_and_block(belay_ctx *ctx, void *arg)
{
	belay_ctx *timed = belay_with_timeout(ctx, BELAY_MS(1));

	check(belay_wait(timed) == -ETIME);
	belay_end(timed);
	check(belay_blocking(ctx, nothing, NULL) == 0);
}

static void its_threads_are_named(void **state)
{
	check_in_task(expire_and_block, NULL);
	assert_true(check_until(thread_is_there("belay-0")));
	assert_true(check_until(thread_is_there("belay-clock")));
	assert_true(check_until(thread_is_there("belay-blocking")));
}

static void sleep_in_a_task(belay_ctx *ctx, void *arg)
{
	check(belay_sleep(ctx, BELAY_MS(1)) == 0);
}

/* Whoever sleeps sees to the time himself. */
static void a_sleep_starts_no_clock(void **state)
{
	belay_shutdown();
	assert_int_equal(belay_sleep(bg(), BELAY_MS(1)), 0);
	check_in_task(sleep_in_a_task, NULL);
	assert_false(thread_is_there("belay-clock"));
}

/* ---- Signals --------------------------------------------------------------------------------- */

static atomic_int got_by;

static void note_thread(int signal)
{
	atomic_store(&got_by, gettid());
}

static void send_to_process(belay_ctx *ctx, void *arg)
{
	check(kill(getpid(), SIGUSR1) == 0);
}

static void signals_reach_the_programs_own_thread(void **state)
{
	struct sigaction action = {.sa_handler = note_thread}, before;

	atomic_store(&got_by, 0);
	assert_int_equal(sigaction(SIGUSR1, &action, &before), 0);
	check_in_task(send_to_process, NULL);
	assert_true(check_until(atomic_load(&got_by) != 0));
	assert_int_equal(atomic_load(&got_by), getpid());
	sigaction(SIGUSR1, &before, NULL);
}

static void leave_with_42(int signal)
{
	_exit(42);
}

static void divide(belay_ctx *ctx, void *arg)
{
	raise(SIGFPE);
}

/* In a child, since it ends with that. */
static void a_fault_in_a_task_reaches_the_programs_handler(void **state)
{
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (pid == 0) {
		signal(SIGFPE, leave_with_42);
		check_in_task(divide, NULL);
		_exit(1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 42);
}

/* ---- Children -------------------------------------------------------------------------------- */

/* 0: as sh sees it, no signal is blocked and no descriptor open but the first three and its own. */
static const char script[] =
	"blocked=$(grep ^SigBlk /proc/$$/status | tr -d 'a-zA-Z:\\t ');"
	"[ -z \"$(echo $blocked | tr -d 0)\" ] || exit 3;"
	"for fd in /proc/$$/fd/*; do case $(readlink $fd) in"
	" *eventpoll*|*eventfd*|*timerfd*) exit 4;; esac;"
	"done; exit 0";

static char *const shell[] = {"sh", "-c", (char *)script, NULL};
extern char **environ;

static void await_success(pid_t pid)
{
	int status;

	check(waitpid(pid, &status, 0) == pid);
	if (!check(status == 0))
		fprintf(stderr, "status %x\n", (unsigned)status);
}

static void fork_and_exec(belay_ctx *ctx, void *arg)
{
	pid_t pid;

	expire_and_block(ctx, NULL);
	pid = fork();
	if (pid == 0) {
		execv("/bin/sh", shell);
		_exit(127);
	}
	await_success(pid);
}

static void a_child_of_a_task_has_the_programs_signals_and_none_of_belays_descriptors(void **state)
{
	check_in_task(fork_and_exec, NULL);
}

static void fork_on_a_blocking_thread(void *arg)
{
	fork_and_exec(bg(), NULL);
}

static void block_and_fork(belay_ctx *ctx, void *arg)
{
	check(belay_blocking(ctx, fork_on_a_blocking_thread, NULL) == 0);
}

static void so_has_one_of_a_blocking_thread(void **state)
{
	check_in_task(block_and_fork, NULL);
}

static void spawn_with_own_mask(belay_ctx *ctx, void *arg)
{
	posix_spawnattr_t attributes;
	sigset_t none;
	pid_t pid;

	expire_and_block(ctx, NULL);
	sigemptyset(&none);
	posix_spawnattr_init(&attributes);
	posix_spawnattr_setsigmask(&attributes, &none);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
	if (check(posix_spawn(&pid, "/bin/sh", NULL, &attributes, shell, environ) == 0))
		await_success(pid);
	posix_spawnattr_destroy(&attributes);
}

static void a_spawned_one_has_the_signals_that_it_is_given(void **state)
{
	check_in_task(spawn_with_own_mask, NULL);
}

/* Of popen(3), too: whoever makes children in ways that fork's handlers don't see. */
static void system_with_own_mask(belay_ctx *ctx, void *arg)
{
	sigset_t none, before, after;

	expire_and_block(ctx, NULL);
	sigemptyset(&none);
	check(pthread_sigmask(SIG_SETMASK, &none, &before) == 0);
	check(system(script) == 0);
	check(pthread_sigmask(SIG_SETMASK, &before, NULL) == 0);
	check(pthread_sigmask(SIG_SETMASK, NULL, &after) == 0);
	check(sigismember(&after, SIGTERM) == 1);
}

static void so_has_one_of_system_where_the_task_takes_off_the_mask_meanwhile(void **state)
{
	check_in_task(system_with_own_mask, NULL);
}

BELAY_TEST_MAIN(
	cmocka_unit_test(a_fault_in_a_task_reaches_the_programs_handler),
	cmocka_unit_test_setup_teardown(a_locale_that_a_task_leaves_behind_is_nobody_elses,
					one_worker, default_workers),
	cmocka_unit_test(its_threads_are_named),
	cmocka_unit_test(a_sleep_starts_no_clock),
	cmocka_unit_test(signals_reach_the_programs_own_thread),
	cmocka_unit_test(a_child_of_a_task_has_the_programs_signals_and_none_of_belays_descriptors),
	cmocka_unit_test(so_has_one_of_a_blocking_thread),
	cmocka_unit_test(a_spawned_one_has_the_signals_that_it_is_given),
	cmocka_unit_test(so_has_one_of_system_where_the_task_takes_off_the_mask_meanwhile))
