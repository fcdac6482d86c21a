/* SPDX-License-Identifier: MIT
 *
 * test_bias.c - locks that are biased to one thread, until another one comes.
 */
#include "check.h"
#include "forbid.h"

#include "base/bias.h"
#include "base/futex.h"
#include "base/membarrier.h"

#include <belay/time.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/time.h>

static _Thread_local char self;

struct shared {
	struct belay__lock lock;
	struct belay__bias bias;
	long count; /* guarded by the lock */
	bool busy;
	_Atomic bool stop;
	_Atomic long begun; /* sections of the one that stays */
	int linger;         /* so long is each section */
};

/* One section, in which nobody else may be. */
static void pass_through(struct shared *shared)
{
	belay__bias_take(&shared->bias, &shared->lock, &self, BELAY__RANK_LEAF);
	check(!shared->busy);
	shared->busy = true;
	for (int i = 0; i < shared->linger; i++)
		belay__cpu_relax();
	shared->count++;
	shared->busy = false;
	belay__bias_give(&shared->bias, &shared->lock, BELAY__RANK_LEAF);
}

static void pass_often(struct shared *shared, long times)
{
	while (times-- > 0)
		pass_through(shared);
}

/* Without it no lock is ever biased. */
static void skip_without_membarrier(void)
{
	if (!belay__have_membarrier())
		skip();
}

/* The first time tells who comes, the others are counted. */
static void make_biased(struct shared *shared)
{
	skip_without_membarrier();
	pass_often(shared, BELAY__BIAS_AFTER + 1);
	assert_ptr_equal(shared->bias.owner, &self);
}

static void *pass_once(void *arg)
{
	pass_through(arg);
	return NULL;
}

static void come_from_elsewhere(struct shared *shared)
{
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, pass_once, shared), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
}

/* ---- Becoming biased ------------------------------------------------------------------------- */

static void a_lock_is_biased_to_the_thread_that_alone_takes_it(void **unused)
{
	struct shared shared = {.count = 0};

	skip_without_membarrier();
	pass_often(&shared, BELAY__BIAS_AFTER);
	assert_null(shared.bias.owner);
	pass_through(&shared);
	assert_ptr_equal(shared.bias.owner, &self);
}

static void its_owner_does_not_touch_the_lock(void **unused)
{
	struct shared shared = {.count = 0};

	make_biased(&shared);
	belay__bias_take(&shared.bias, &shared.lock, &self, BELAY__RANK_LEAF);
	assert_int_equal(shared.lock.word, 0);
	assert_true(shared.bias.inside);
	belay__bias_give(&shared.bias, &shared.lock, BELAY__RANK_LEAF);
	assert_false(shared.bias.inside);
}

static void a_lock_that_threads_take_in_turns_is_not_biased(void **unused)
{
	struct shared shared = {.count = 0};

	for (int i = 0; i < 3; i++) {
		pass_often(&shared, BELAY__BIAS_AFTER);
		come_from_elsewhere(&shared);
	}
	assert_null(shared.bias.owner);
}

/* ---- Being revoked --------------------------------------------------------------------------- */

static void another_thread_revokes_it_for_good(void **unused)
{
	struct shared shared = {.count = 0};

	make_biased(&shared);
	come_from_elsewhere(&shared);
	assert_null(shared.bias.owner);
	pass_often(&shared, 2 * UINT16_MAX);
	assert_null(shared.bias.owner);
	assert_int_equal(shared.count, BELAY__BIAS_AFTER + 2 + 2L * UINT16_MAX);
}

static void *stay(void *arg)
{
	struct shared *shared = arg;

	while (!atomic_load_explicit(&shared->stop, memory_order_relaxed)) {
		pass_through(shared);
		atomic_fetch_add_explicit(&shared->begun, 1, memory_order_relaxed);
	}
	return NULL;
}

/* The owner goes on while another one comes, each time at another moment. */
static void who_revokes_waits_for_the_owner_to_be_out(void **unused)
{
	enum { ROUNDS = 300 };

	for (int round = 0; round < ROUNDS; round++) {
		struct shared shared = {.linger = round % 2 == 0 ? 0 : 30};
		pthread_t owner;

		assert_int_equal(pthread_create(&owner, NULL, stay, &shared), 0);
		while (atomic_load(&shared.begun) < BELAY__BIAS_AFTER + 1 + round)
			sched_yield();
		pass_often(&shared, 3);
		atomic_store(&shared.stop, true);
		assert_int_equal(pthread_join(owner, NULL), 0);
		assert_null(shared.bias.owner);
		assert_int_equal(shared.count, shared.begun + 3);
	}
}

static void of_several_that_come_at_once_one_revokes(void **unused)
{
	enum { THREADS = 4, ROUNDS = 50 };

	for (int round = 0; round < ROUNDS; round++) {
		struct shared shared = {.count = 0};
		pthread_t owner, others[THREADS];

		assert_int_equal(pthread_create(&owner, NULL, stay, &shared), 0);
		while (atomic_load(&shared.begun) < BELAY__BIAS_AFTER + 1)
			sched_yield();
		for (int i = 0; i < THREADS; i++)
			assert_int_equal(pthread_create(&others[i], NULL, pass_once, &shared), 0);
		for (int i = 0; i < THREADS; i++)
			assert_int_equal(pthread_join(others[i], NULL), 0);
		atomic_store(&shared.stop, true);
		assert_int_equal(pthread_join(owner, NULL), 0);
		assert_int_equal(shared.count, shared.begun + THREADS);
	}
}

static _Atomic int signals;

static void count_signal(int signal)
{
	(void)signal;
	atomic_fetch_add_explicit(&signals, 1, memory_order_relaxed);
}

/* Until signals have ended the other's sleeps; they are not for this thread. */
static void *stay_inside(void *arg)
{
	struct shared *shared = arg;
	sigset_t alarms;

	sigemptyset(&alarms);
	sigaddset(&alarms, SIGALRM);
	pthread_sigmask(SIG_BLOCK, &alarms, NULL);
	pass_often(shared, BELAY__BIAS_AFTER + 1);
	belay__bias_take(&shared->bias, &shared->lock, &self, BELAY__RANK_LEAF);
	atomic_store(&shared->begun, 1);
	while (atomic_load_explicit(&signals, memory_order_relaxed) < 100)
		sched_yield();
	belay__bias_give(&shared->bias, &shared->lock, BELAY__RANK_LEAF);
	return NULL;
}

static bool let_signals_come(void)
{
	const struct itimerval often = {{.tv_usec = 100}, {.tv_usec = 100}};
	const struct sigaction action = {.sa_handler = count_signal};

	return sigaction(SIGALRM, &action, NULL) == 0 && setitimer(ITIMER_REAL, &often, NULL) == 0;
}

static int revoke_among_signals(void)
{
	struct shared shared = {.count = 0};
	pthread_t owner;

	if (pthread_create(&owner, NULL, stay_inside, &shared) != 0)
		return 1;
	while (atomic_load(&shared.begun) == 0)
		sched_yield();
	if (!let_signals_come())
		return 2;
	errno = ENOTTY;
	pass_through(&shared);
	if (errno != ENOTTY)
		return 3;
	return pthread_join(owner, NULL) == 0 ? 0 : 4;
}

static void who_revokes_keeps_its_errno_though_signals_come(void **unused)
{
	assert_int_equal(in_child(revoke_among_signals), 0);
}

/* ---- Without membarrier(2) ------------------------------------------------------------------- */

static int revoke_without_membarrier(void)
{
	struct shared shared = {.count = 0};
	pthread_t owner;

	if (pthread_create(&owner, NULL, stay, &shared) != 0)
		return 1;
	while (atomic_load(&shared.begun) < BELAY__BIAS_AFTER + 1)
		sched_yield();
	if (!forbid_membarrier())
		return FORBIDDEN_IN_VAIN;
	pass_often(&shared, 3);
	atomic_store(&shared.stop, true);
	if (pthread_join(owner, NULL) != 0 || shared.bias.owner)
		return 2;
	return shared.count == shared.begun + 3 ? 0 : 3;
}

static void where_membarrier_fails_the_owner_is_out_all_the_same(void **unused)
{
	int status = in_child(revoke_without_membarrier);

	if (status == FORBIDDEN_IN_VAIN)
		skip();
	assert_int_equal(status, 0);
}

static int become_biased_without_membarrier(void)
{
	struct shared shared = {.count = 0}, later = {.count = 0};

	make_biased(&shared);
	if (!forbid_membarrier())
		return FORBIDDEN_IN_VAIN;
	come_from_elsewhere(&shared);
	pass_often(&later, BELAY__BIAS_AFTER + 1);
	return later.bias.owner ? 1 : 0;
}

static void where_membarrier_has_failed_no_lock_becomes_biased(void **unused)
{
	int status;

	skip_without_membarrier();
	status = in_child(become_biased_without_membarrier);
	if (status == FORBIDDEN_IN_VAIN)
		skip();
	assert_int_equal(status, 0);
}

/* Signals come all the while, and end each sleep. */
static int sleep_among_signals(void)
{
	int64_t begin;

	if (!forbid_membarrier())
		return FORBIDDEN_IN_VAIN;
	if (!let_signals_come())
		return 1;
	begin = belay_now();
	if (belay__membarrier())
		return 2;
	return belay_now() - begin >= BELAY_MS(10) ? 0 : 3;
}

static void where_membarrier_fails_signals_shorten_no_sleep(void **unused)
{
	int status = in_child(sleep_among_signals);

	if (status == FORBIDDEN_IN_VAIN)
		skip();
	assert_int_equal(status, 0);
}

BELAY_TEST_MAIN(cmocka_unit_test(a_lock_is_biased_to_the_thread_that_alone_takes_it),
		cmocka_unit_test(its_owner_does_not_touch_the_lock),
		cmocka_unit_test(a_lock_that_threads_take_in_turns_is_not_biased),
		cmocka_unit_test(another_thread_revokes_it_for_good),
		cmocka_unit_test(who_revokes_waits_for_the_owner_to_be_out),
		cmocka_unit_test(of_several_that_come_at_once_one_revokes),
		cmocka_unit_test(who_revokes_keeps_its_errno_though_signals_come),
		cmocka_unit_test(where_membarrier_fails_the_owner_is_out_all_the_same),
		cmocka_unit_test(where_membarrier_has_failed_no_lock_becomes_biased),
		cmocka_unit_test(where_membarrier_fails_signals_shorten_no_sleep))
