/* SPDX-License-Identifier: MIT
 *
 * test_signal.c - contexts that end with a signal.
 *
 * Each test runs in a child of its own: signals that end a process can then be tested, and what the
 * children do is judged by how they end.
 */
#include "check_oom.h"

#include <belay/os.h>

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- Children -------------------------------------------------------------------------------- */

/* Fails the child, which tells what and where. */
#define must(...)                                                                                  \
	do {                                                                                       \
		if (!check(__VA_ARGS__))                                                           \
			_exit(99);                                                                 \
	} while (0)

/* Runs fn in a child, without a core file; returns its status as waitpid(2) gives it. */
static int status_of(void (*fn)(void))
{
	struct rlimit none = {0, 0};
	int status = -1;
	pid_t pid = fork();

	if (pid == 0) {
		setrlimit(RLIMIT_CORE, &none);
		fn();
		belay_shutdown();
		exit(0); /* the sanitizers look for leaks here */
	}
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static void assert_exits(void (*fn)(void))
{
	int status = status_of(fn);

	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void assert_killed_by(int number, void (*fn)(void))
{
	int status = status_of(fn);

	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), number);
}

static void must_end_by(belay_ctx *ctx, const char *message)
{
	belay_cause cause;

	must(belay_wait(ctx) == -ECANCELED);
	must(belay_cause_of(ctx, &cause) == 0);
	must(cause.code == -EINTR);
	must(strcmp(cause.message, message) == 0);
}

static bool has_default(int number)
{
	struct sigaction now;

	return sigaction(number, NULL, &now) == 0 && now.sa_handler == SIG_DFL;
}

/* ---- The first and the second ---------------------------------------------------------------- */

static void get_one(void)
{
	belay_ctx *ctx = belay_with_signal(belay_background(), SIGINT, SIGTERM, 0);

	must(belay_err(ctx) == 0);
	raise(SIGINT);
	must_end_by(ctx, "SIGINT received");
	must(has_default(SIGINT) && has_default(SIGTERM));
	belay_end(ctx);
}

/* semantics 6.1 */
static void the_first_signal_ends_the_context_and_says_which_it_was(void **state)
{
	assert_exits(get_one);
}

static void get_two(void)
{
	belay_ctx *ctx = belay_with_signal(belay_background(), SIGINT, 0);

	raise(SIGINT);
	must_end_by(ctx, "SIGINT received");
	raise(SIGINT);
	must(!"here");
}

/* semantics 6.1 */
static void a_second_signal_ends_the_process_as_it_would_without_belay(void **state)
{
	assert_killed_by(SIGINT, get_two);
}

static void get_two_kinds(void)
{
	belay_ctx *ctx = belay_with_signal(belay_background(), SIGINT, SIGTERM, 0);

	raise(SIGINT);
	must_end_by(ctx, "SIGINT received");
	raise(SIGTERM);
	must(!"here");
}

static void a_second_signal_of_another_kind_ends_the_process_too(void **state)
{
	assert_killed_by(SIGTERM, get_two_kinds);
}

static void never_return(struct belay_hook *hook)
{
	for (;;)
		pause();
}

static void get_two_while_the_clock_hangs(void)
{
	belay_ctx *ctx = belay_with_signal(belay_background(), SIGINT, 0);
	struct belay_hook hook;

	belay_hook_add(ctx, &hook, never_return);
	raise(SIGINT);
	must(belay_wait(ctx) == -ECANCELED);
	raise(SIGINT);
	must(!"here");
}

static void a_second_signal_ends_the_process_even_where_the_first_is_still_worked_on(void **state)
{
	check_needs_memory();
	assert_killed_by(SIGINT, get_two_while_the_clock_hangs);
}

/* ---- Former dispositions --------------------------------------------------------------------- */

static _Atomic int users, users_number; /* lock-free */

static void users_handler(int number, siginfo_t *info, void *context)
{
	users++;
	users_number = info->si_signo;
}

static void install_users(int number)
{
	struct sigaction action = {.sa_sigaction = users_handler, .sa_flags = SA_SIGINFO};

	must(sigaction(number, &action, NULL) == 0);
}

static void keep_users(void)
{
	struct sigaction now;
	belay_ctx *ctx;

	install_users(SIGUSR1);
	ctx = belay_with_signal(belay_background(), SIGUSR1, 0);
	raise(SIGUSR1);
	must_end_by(ctx, "SIGUSR1 received");
	must(users == 0);
	raise(SIGUSR1);
	must(users == 1 && users_number == SIGUSR1);
	must(sigaction(SIGUSR1, NULL, &now) == 0 && now.sa_flags & SA_SIGINFO);
	belay_end(ctx);
}

static void a_handler_of_the_programs_gets_the_second(void **state)
{
	assert_exits(keep_users);
}

static void keep_ignored(void)
{
	belay_ctx *ctx;

	signal(SIGHUP, SIG_IGN);
	ctx = belay_with_signal(belay_background(), SIGHUP, 0);
	raise(SIGHUP);
	must_end_by(ctx, "SIGHUP received");
	raise(SIGHUP);
	belay_end(ctx);
	raise(SIGHUP);
}

static void an_ignored_signal_is_ignored_again(void **state)
{
	assert_exits(keep_ignored);
}

static void set_meanwhile(void)
{
	belay_ctx *ctx = belay_with_signal(belay_background(), SIGUSR1, 0);

	install_users(SIGUSR1);
	raise(SIGUSR1);
	must(users == 1 && belay_err(ctx) == 0);
	belay_end(ctx);
	raise(SIGUSR1);
	must(users == 2);
}

static void what_the_program_sets_meanwhile_stays(void **state)
{
	assert_exits(set_meanwhile);
}

/* As a library does that saves and restores what it finds. */
static void restore_ours(void)
{
	belay_ctx *ctx = belay_with_signal(belay_background(), SIGUSR1, 0);
	struct sigaction ours;

	sigaction(SIGUSR1, NULL, &ours);
	belay_end(ctx);
	must(has_default(SIGUSR1));
	sigaction(SIGUSR1, &ours, NULL);
	raise(SIGUSR1);
	must(!"here");
}

static void a_handler_of_belays_that_was_put_back_does_what_it_should_have_left(void **state)
{
	assert_killed_by(SIGUSR1, restore_ours);
}

/* ---- Other ends ------------------------------------------------------------------------------ */

static void end_otherwise(void)
{
	belay_ctx *parent = belay_with_cancel(belay_background());
	belay_ctx *ended = belay_with_signal(parent, SIGINT, 0);
	belay_ctx *child = belay_with_signal(parent, SIGTERM, 0);
	belay_ctx *dropped = belay_with_signal(parent, SIGUSR1, 0);
	belay_ctx *late = belay_with_timeout(parent, BELAY_MS(1));
	belay_ctx *timed = belay_with_signal(late, SIGUSR2, 0);

	must(!has_default(SIGINT) && !has_default(SIGTERM) && !has_default(SIGUSR1));
	belay_end(ended);
	must(has_default(SIGINT));
	belay_unref(dropped);
	must(has_default(SIGUSR1));
	belay_wait(timed);
	must(check_until(has_default(SIGUSR2)));
	belay_end(parent);
	must(has_default(SIGTERM));
	belay_end(child);
	belay_end(timed);
	belay_end(late);
	must(check_until(belay_tree_count() == 0)); /* the clock thread, too, lets go of late */
}

static void any_other_end_gives_the_signals_back(void **state)
{
	assert_exits(end_otherwise);
}

static void end_then_signal(void)
{
	belay_end(belay_with_signal(belay_background(), SIGTERM, 0));
	raise(SIGTERM);
	must(!"here");
}

static void after_another_end_the_first_signal_does_what_it_would(void **state)
{
	assert_killed_by(SIGTERM, end_then_signal);
}

static void shut_down_before(void)
{
	belay_ctx *ctx = belay_with_signal(belay_background(), SIGUSR1, 0);

	belay_shutdown();
	raise(SIGUSR1);
	must(has_default(SIGUSR1));
	belay_end(belay_with_timeout(belay_background(), BELAY_S(1))); /* starts the clock again */
	must_end_by(ctx, "SIGUSR1 received");
	belay_end(ctx);
}

static void a_signal_after_a_shutdown_ends_the_context_when_belay_is_used_again(void **state)
{
	assert_exits(shut_down_before);
}

/* ---- Several contexts ------------------------------------------------------------------------ */

static void several(void)
{
	belay_ctx *both = belay_with_signal(belay_background(), SIGINT, SIGTERM, 0);
	belay_ctx *also = belay_with_signal(belay_background(), SIGINT, 0);
	belay_ctx *other = belay_with_signal(belay_background(), SIGTERM, SIGUSR1, 0);

	raise(SIGINT);
	must_end_by(both, "SIGINT received");
	must_end_by(also, "SIGINT received");
	must(belay_err(other) == 0);
	must(has_default(SIGINT) && !has_default(SIGTERM));
	raise(SIGTERM);
	must_end_by(other, "SIGTERM received");
	must(has_default(SIGTERM) && has_default(SIGUSR1));
	belay_end(other);
	belay_end(also);
	belay_end(both);
}

static void all_that_name_a_signal_end_and_the_others_keep_theirs(void **state)
{
	assert_exits(several);
}

static void one_of_two_ends(void)
{
	belay_ctx *first = belay_with_signal(belay_background(), SIGINT, 0);
	belay_ctx *second = belay_with_signal(belay_background(), SIGINT, SIGINT, 0);

	belay_end(first);
	must(!has_default(SIGINT));
	raise(SIGINT);
	must_end_by(second, "SIGINT received");
	must(has_default(SIGINT));
	belay_end(second);
}

static void a_signal_is_given_back_by_the_last_that_names_it(void **state)
{
	assert_exits(one_of_two_ends);
}

static void again_and_again(void)
{
	for (int i = 0; i < 100; i++) {
		belay_ctx *ctx = belay_with_signal(belay_background(), SIGUSR1, 0);

		raise(SIGUSR1);
		must_end_by(ctx, "SIGUSR1 received");
		belay_end(ctx);
	}
	must(has_default(SIGUSR1));
}

static void a_new_context_catches_the_signal_anew(void **state)
{
	assert_exits(again_and_again);
}

/* ---- Storms ---------------------------------------------------------------------------------- */

static _Atomic bool stop;

static void *send_signals(void *unused)
{
	while (!stop)
		kill(getpid(), SIGUSR1);
	return NULL;
}

/* Signals come at every moment, also while contexts come and go, on any thread. */
static void come_and_go(belay_ctx *ctx, void *arg)
{
	for (int i = 0; i < 300; i++) {
		belay_ctx *own = belay_with_signal(ctx, SIGUSR1, SIGUSR2, 0);

		if (i % 3 == 0)
			must(belay_wait(own) == -ECANCELED);
		belay_end(own);
	}
	atomic_fetch_add((_Atomic int *)arg, 1);
}

static void storm(void)
{
	_Atomic int finished = 0;
	pthread_t thread;

	install_users(SIGUSR1);
	must(pthread_create(&thread, NULL, send_signals, NULL) == 0);
	for (int i = 0; i < 4; i++)
		must(belay_go(belay_background(), come_and_go, &finished) == 0);
	come_and_go(belay_background(), &finished);
	must(check_until(finished == 5));
	stop = true;
	pthread_join(thread, NULL);
	must(has_default(SIGUSR2));
	users = 0;
	raise(SIGUSR1);
	must(users == 1);
}

static void a_storm_of_signals_and_ends_loses_no_disposition(void **state)
{
	assert_exits(storm);
}

/* ---- Errors ---------------------------------------------------------------------------------- */

static void wrong_signals(void)
{
	belay_ctx *bad[] = {
		belay_with_signal(belay_background(), SIGKILL, 0),
		belay_with_signal(belay_background(), SIGINT, SIGSTOP, 0),
		belay_with_signal(belay_background(), SIGINT, -1, 0),
		belay_with_signal(belay_background(), 65, 0),
		belay_with_signal(belay_background(), 32, 0), /* the C library's */
		belay_with_signal(belay_background(), 0),
		belay_with_signal(NULL, SIGINT, 0),
		(belay_with_signal)(belay_background(), SIGKILL, 0),
	};

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		must(belay_err(bad[i]) == -EINVAL);
		belay_end(bad[i]);
	}
	must(has_default(SIGINT));
}

static void a_signal_that_cant_be_caught_is_an_error_that_touches_none(void **state)
{
	assert_exits(wrong_signals);
}

static void done_parent(void)
{
	belay_ctx *parent = belay_with_timeout(belay_background(), 0);
	belay_ctx *ctx = belay_with_signal(parent, SIGINT, 0);

	must(belay_err(ctx) == -ETIME);
	must(has_default(SIGINT));
	belay_end(ctx);
	belay_end(parent);
}

static void a_done_parent_touches_no_signal(void **state)
{
	assert_exits(done_parent);
}

static void real_time(void)
{
	belay_ctx *ctx = (belay_with_signal)(belay_background(), SIGRTMIN, SIGRTMIN + 1, 0);
	char message[32];

	snprintf(message, sizeof message, "signal %d received", SIGRTMIN + 1);
	raise(SIGRTMIN + 1);
	must_end_by(ctx, message);
	belay_end(ctx);
}

static void signals_without_a_name_are_told_by_their_number(void **state)
{
	assert_exits(real_time);
}

static void no_descriptor(void)
{
	struct rlimit before, none;
	belay_ctx *ctx;
	belay_cause cause;

	getrlimit(RLIMIT_NOFILE, &before);
	none = (struct rlimit){0, before.rlim_max};
	setrlimit(RLIMIT_NOFILE, &none);
	ctx = belay_with_signal(belay_background(), SIGINT, 0);
	setrlimit(RLIMIT_NOFILE, &before);
	must(belay_err(ctx) == -ENOMEM);
	must(belay_cause_of(ctx, &cause) == 0 && cause.code == -EMFILE);
	must(has_default(SIGINT));
	belay_end(ctx);
}

static void no_descriptor_left_is_a_done_context(void **state)
{
	assert_exits(no_descriptor);
}

static void catch_and_end(void *arg)
{
	belay_ctx *ctx = belay_with_signal(belay_background(), SIGINT, 0);
	int err = belay_err(ctx);

	must(err == 0 || err == -ENOMEM);
	must(has_default(SIGINT) == (err != 0));
	belay_end(ctx);
	must(has_default(SIGINT));
}

static void no_memory(void)
{
	must(check_each_allocation(catch_and_end, NULL) > 0);
}

static void out_of_memory_is_a_done_context_and_touches_no_signal(void **state)
{
	assert_exits(no_memory);
}

BELAY_TEST_MAIN(
	cmocka_unit_test(the_first_signal_ends_the_context_and_says_which_it_was),
	cmocka_unit_test(a_second_signal_ends_the_process_as_it_would_without_belay),
	cmocka_unit_test(a_second_signal_of_another_kind_ends_the_process_too),
	cmocka_unit_test(a_second_signal_ends_the_process_even_where_the_first_is_still_worked_on),
	cmocka_unit_test(a_handler_of_the_programs_gets_the_second),
	cmocka_unit_test(an_ignored_signal_is_ignored_again),
	cmocka_unit_test(what_the_program_sets_meanwhile_stays),
	cmocka_unit_test(a_handler_of_belays_that_was_put_back_does_what_it_should_have_left),
	cmocka_unit_test(any_other_end_gives_the_signals_back),
	cmocka_unit_test(after_another_end_the_first_signal_does_what_it_would),
	cmocka_unit_test(
		a_signal_after_a_shutdown_ends_the_context_when_belay_is_used_again),
	cmocka_unit_test(all_that_name_a_signal_end_and_the_others_keep_theirs),
	cmocka_unit_test(a_signal_is_given_back_by_the_last_that_names_it),
	cmocka_unit_test(a_new_context_catches_the_signal_anew),
	cmocka_unit_test(a_storm_of_signals_and_ends_loses_no_disposition),
	cmocka_unit_test(a_signal_that_cant_be_caught_is_an_error_that_touches_none),
	cmocka_unit_test(a_done_parent_touches_no_signal),
	cmocka_unit_test(signals_without_a_name_are_told_by_their_number),
	cmocka_unit_test(no_descriptor_left_is_a_done_context),
	cmocka_unit_test(out_of_memory_is_a_done_context_and_touches_no_signal))
