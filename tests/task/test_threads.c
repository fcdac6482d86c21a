/* SPDX-License-Identifier: MIT
 *
 * test_threads.c - what a C program keeps by thread or by process stays right in tasks: errno,
 * locale, thread-local variables, signals, children, names of threads.
 */
#include "check.h"

#include <dirent.h>
#include <locale.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
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

/* ---- After every call that blocks ------------------------------------------------------------ */

enum { THEIRS = 4242, MINE = 2424 };

static belay_chan *chan;
static belay_mutex mutex = BELAY_MUTEX_INIT;
static belay_rwlock rwlock = BELAY_RWLOCK_INIT;
static belay_sem sem = BELAY_SEM_INIT(0);
static belay_wg wg = BELAY_WG_INIT;
static belay_cond cond = BELAY_COND_INIT;
static belay_ctx *ends;
static int fds[2];
static atomic_bool meddles;
static locale_t mine, theirs;
static _Thread_local int local;

/* On the only worker, between the call and its return, again and again. */
static void meddle(belay_ctx *ctx, void *arg)
{
	while (atomic_load(&meddles)) {
		errno = THEIRS;
		uselocale(theirs);
		belay_yield();
		check(uselocale((locale_t)0) == theirs);
	}
}

static void do_send(void) { check(belay_send(bg(), chan, NULL) == 0); }
static void do_recv(void) { check(belay_recv(bg(), chan, NULL) == 0); }
static void do_select(void) { check(belay_select(bg(), BELAY_RECV(chan, NULL)) == 0); }
static void do_sleep(void) { check(belay_sleep(bg(), BELAY_MS(1)) == 0); }
static void do_wait(void) { check(belay_wait(ends) == -ECANCELED); }
static void do_end(void) { belay_cancel(ends); }
static void do_unlock(void) { belay_mutex_unlock(&mutex); }
static void do_rdlock(void) { check(belay_rwlock_read_lock(bg(), &rwlock) == 0); }
static void do_rdunlock(void) { belay_rwlock_write_unlock(&rwlock); }
static void do_acquire(void) { check(belay_sem_acquire(bg(), &sem, 1) == 0); }
static void do_release(void) { belay_sem_release(&sem, 1); }
static void do_wg_wait(void) { check(belay_wg_wait(bg(), &wg) == 0); }
static void do_wg_done(void) { belay_wg_done(&wg); }
static void do_signal(void) { belay_cond_signal(&cond); }
static void do_nothing(void) { }

static void do_lock(void)
{
	check(belay_mutex_lock(bg(), &mutex) == 0);
	belay_mutex_unlock(&mutex);
}

static void do_cond(void)
{
	check(belay_mutex_lock(bg(), &mutex) == 0);
	check(belay_cond_wait(bg(), &cond, &mutex) == 0);
	belay_mutex_unlock(&mutex);
}

static void do_poll(void)
{
	check(belay_wait_fd(bg(), fds[0], POLLIN) >= 0);
}

static void do_read(void)
{
	char byte;

	check(belay_read(bg(), fds[0], &byte, 1) == 1);
}

static void do_write(void)
{
	check(write(fds[1], "x", 1) == 1);
}

static void meddle_elsewhere(void *arg)
{
	errno = THEIRS;
}

static void do_blocking(void)
{
	check(belay_blocking(bg(), meddle_elsewhere, NULL) == 0);
}

static int member(belay_ctx *ctx, void *arg)
{
	errno = THEIRS;
	return belay_sleep(ctx, BELAY_MS(1));
}

static void do_group(void)
{
	belay_group *group = check_made(belay_group_new(bg()));

	check(belay_group_go(group, member, NULL) == 0);
	check(belay_group_wait(group) == 0);
}

static void do_first(void)
{
	void *args[] = {NULL, NULL};

	check(belay_first(bg(), member, args, 2, 0) >= 0);
}

struct call {
	const char *name;
	void (*block)(void), (*release)(void); /* in a task of its own, once the call blocks */
};

static void release(belay_ctx *ctx, void *arg)
{
	((const struct call *)arg)->release();
}

/* Of errno it is enough that nobody else's shows: a call may leave its own there. */
static void call(belay_ctx *ctx, void *arg)
{
	const struct call *at = arg;
	int *address = &local;
	pid_t thread = gettid();
	bool same;

	check(uselocale((locale_t)0) == LC_GLOBAL_LOCALE);
	uselocale(mine);
	check(belay_go(bg(), release, arg) == 0);
	errno = MINE;
	local = MINE;
	at->block();
	same = errno != THEIRS && uselocale((locale_t)0) == mine && address == &local &&
	       local == MINE && gettid() == thread;
	if (!check(same))
		fprintf(stderr, "after %s\n", at->name);
}

static void run_call(const struct call *at)
{
	atomic_store(&meddles, true);
	assert_int_equal(belay_go(bg(), meddle, NULL), 0);
	check_in_task(call, (void *)at);
	atomic_store(&meddles, false);
}

static void errno_locale_and_thread_are_the_same_after_every_call(void **state)
{
	static const struct call calls[] = {
		{"send", do_send, do_recv},       {"recv", do_recv, do_send},
		{"select", do_select, do_send},   {"sleep", do_sleep, do_nothing},
		{"yield", belay_yield, do_nothing}, {"wait", do_wait, do_end},
		{"rdlock", do_rdlock, do_rdunlock}, {"sem", do_acquire, do_release},
		{"wg", do_wg_wait, do_wg_done},   {"cond", do_cond, do_signal},
		{"mutex", do_lock, do_unlock},    {"wait_fd", do_poll, do_write},
		{"read", do_read, do_nothing},    {"blocking", do_blocking, do_nothing},
		{"group", do_group, do_nothing},  {"first", do_first, do_nothing},
	};

	mine = newlocale(LC_ALL_MASK, "C", (locale_t)0);
	theirs = newlocale(LC_ALL_MASK, "POSIX", (locale_t)0);
	theirs = theirs == mine ? newlocale(LC_ALL_MASK, "C.UTF-8", (locale_t)0) : theirs;
	assert_true(mine && theirs && mine != theirs);
	chan = check_made(belay_chan_new(0, 0));
	ends = check_live(belay_with_cancel(bg()));
	assert_int_equal(pipe(fds), 0);
	belay_wg_add(&wg, 1);
	assert_int_equal(belay_rwlock_write_lock(bg(), &rwlock), 0);
	for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
		if (calls[i].block == do_lock)
			assert_int_equal(belay_mutex_lock(bg(), &mutex), 0);
		run_call(&calls[i]);
	}
	belay_rwlock_read_unlock(&rwlock);
	belay_shutdown();
	close(fds[0]), close(fds[1]);
	belay_end(ends);
	belay_chan_unref(chan);
	freelocale(mine), freelocale(theirs);
}

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

static void sleep_and_block(belay_ctx *ctx, void *arg)
{
	do_sleep();
	do_blocking();
}

static void its_threads_are_named(void **state)
{
	check_in_task(sleep_and_block, NULL);
	assert_true(check_until(thread_is_there("belay-0")));
	assert_true(check_until(thread_is_there("belay-clock")));
	assert_true(check_until(thread_is_there("belay-blocking")));
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
	"for fd in /proc/$$/fd/*; do case $(readlink $fd) in *eventpoll*|*eventfd*|*timerfd*) exit 4;; esac;"
	"done; exit 0";

static void fork_and_exec(belay_ctx *ctx, void *arg)
{
	pid_t pid;
	int status;

	do_sleep(), do_blocking();
	pid = fork();
	if (pid == 0) {
		execl("/bin/sh", "sh", "-c", script, (char *)NULL);
		_exit(127);
	}
	check(waitpid(pid, &status, 0) == pid);
	if (!check(status == 0))
		fprintf(stderr, "status %x\n", (unsigned)status);
}

static void a_child_of_a_task_has_the_programs_signals_and_none_of_belays_descriptors(void **state)
{
	check_in_task(fork_and_exec, NULL);
}

BELAY_TEST_MAIN(
	cmocka_unit_test(a_fault_in_a_task_reaches_the_programs_handler),
	cmocka_unit_test_setup_teardown(errno_locale_and_thread_are_the_same_after_every_call,
					one_worker, default_workers),
	cmocka_unit_test_setup_teardown(a_locale_that_a_task_leaves_behind_is_nobody_elses,
					one_worker, default_workers),
	cmocka_unit_test(its_threads_are_named),
	cmocka_unit_test(signals_reach_the_programs_own_thread),
	cmocka_unit_test(a_child_of_a_task_has_the_programs_signals_and_none_of_belays_descriptors))
