/* SPDX-License-Identifier: MIT
 *
 * test_go.c - tasks: started, given their context and argument, on one thread for life.
 */
#include "check.h"

#include "few_descriptors.h"
#include "scale.h"

#include <errno.h>
#include <fenv.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

static belay_ctx *bg(void) { return belay_background(); }

static void count(belay_ctx *ctx, void *arg)
{
	atomic_fetch_add((atomic_int *)arg, 1);
}

/* What a task was given and saw. */
struct seen {
	belay_ctx *ctx;
	pthread_t thread;
	int err;
	atomic_bool over;
};

static void look(belay_ctx *ctx, void *arg)
{
	struct seen *seen = arg;

	seen->ctx = ctx;
	seen->thread = pthread_self();
	seen->err = belay_err(ctx);
	atomic_store(&seen->over, true);
}

static void a_task_runs_with_its_context_and_argument(void **state)
{
	belay_ctx *ctx = belay_with_cancel(bg());
	struct seen seen = {0};

	assert_int_equal(belay_go(ctx, look, &seen), 0);
	assert_true(check_until(atomic_load(&seen.over)));
	assert_ptr_equal(seen.ctx, ctx);
	assert_int_equal(seen.err, 0);
	assert_false(pthread_equal(seen.thread, pthread_self()));
	belay_end(ctx);
}

static void a_done_context_still_starts_its_task(void **state)
{
	belay_ctx *ctx = belay_with_timeout(bg(), 0);
	struct seen seen = {0};

	assert_int_equal(belay_go(ctx, look, &seen), 0);
	assert_true(check_until(atomic_load(&seen.over)));
	assert_int_equal(seen.err, -ETIME);
	belay_end(ctx);
}

static void a_real_function_stands_behind_the_macro(void **state)
{
	atomic_int n = 0;

	assert_int_equal((belay_go)(bg(), count, &n), 0);
	assert_true(check_until(atomic_load(&n) == 1));
}

static void nothing_to_run_is_einval(void **state)
{
	atomic_int n = 0;

	assert_int_equal(belay_go(NULL, count, &n), -EINVAL);
	assert_int_equal(belay_go(bg(), NULL, &n), -EINVAL);
	belay_shutdown();
	assert_int_equal(n, 0);
}

static void where_no_worker_can_start_it_is_an_error_and_can_be_tried_again(void **state)
{
	unsigned threads = check_threads();
	atomic_int n = 0;
	int r;

	forbid_descriptors();
	r = belay_go(bg(), count, &n);
	allow_descriptors();
	assert_true(r < 0);
	assert_int_not_equal(r, -ECANCELED);
	assert_int_not_equal(r, -ETIME);
	assert_true(check_until(check_threads() == threads));
	assert_int_equal(belay_go(bg(), count, &n), 0);
	assert_true(check_until(atomic_load(&n) == 1));
}

static void wait_for_its_end(belay_ctx *ctx, void *arg)
{
	struct seen *seen = arg;

	seen->err = belay_wait(ctx);
	atomic_store(&seen->over, true);
}

static void a_task_keeps_its_context_alive(void **state)
{
	belay_ctx *ctx = belay_with_timeout(bg(), BELAY_MS(5));
	struct seen seen = {0};

	assert_int_equal(belay_go(ctx, wait_for_its_end, &seen), 0);
	belay_unref(ctx);
	assert_true(check_until(atomic_load(&seen.over)));
	assert_int_equal(seen.err, -ETIME);
}

static void ending_a_tasks_context_only_tells_it(void **state)
{
	belay_ctx *ctx = belay_with_cancel(bg());
	struct seen seen = {0};

	assert_int_equal(belay_go(ctx, wait_for_its_end, &seen), 0);
	belay_end(ctx);
	assert_true(check_until(atomic_load(&seen.over)));
	assert_int_equal(seen.err, -ECANCELED);
}

struct spawner {
	atomic_int *ran;
	int depth;
};

static void spawn_two(belay_ctx *ctx, void *arg)
{
	struct spawner *spawner = arg;

	atomic_fetch_add(spawner->ran, 1);
	for (int i = 0; i < 2 && spawner->depth > 0; i++) {
		struct spawner *next = malloc(sizeof *next);

		*next = (struct spawner){spawner->ran, spawner->depth - 1};
		check(belay_go(ctx, spawn_two, next) == 0);
	}
	free(spawner);
}

static void tasks_start_tasks(void **state)
{
	atomic_int ran = 0;
	struct spawner *first = malloc(sizeof *first);

	*first = (struct spawner){&ran, 10};
	assert_int_equal(belay_go(bg(), spawn_two, first), 0);
	assert_true(check_until(atomic_load(&ran) == (1 << 11) - 1));
}

static void many_tasks_all_run(void **state)
{
	int n = (int)scaled(100000);
	atomic_int ran = 0;

	for (int i = 0; i < n; i++)
		assert_int_equal(belay_go(bg(), count, &ran), 0);
	assert_true(check_until(atomic_load(&ran) == n));
}

struct crowd {
	atomic_int waiting, gone;
};

static void join_crowd(belay_ctx *ctx, void *arg)
{
	struct crowd *crowd = arg;

	atomic_fetch_add(&crowd->waiting, 1);
	check(belay_wait(ctx) == -ECANCELED);
	atomic_fetch_add(&crowd->gone, 1);
}

static void many_tasks_wait_at_once(void **state)
{
	int n = (int)scaled(20000);
	belay_ctx *ctx = belay_with_cancel(bg());
	struct crowd crowd = {0};

	for (int i = 0; i < n; i++)
		assert_int_equal(belay_go(ctx, join_crowd, &crowd), 0);
	assert_true(check_until(atomic_load(&crowd.waiting) == n));
	assert_int_equal(crowd.gone, 0);
	belay_end(ctx);
	assert_true(check_until(atomic_load(&crowd.gone) == n));
}

/* ---- A task stays where it first ran --------------------------------------------------------- */

static _Thread_local char mark;

struct settler {
	belay_chan *ch;
	atomic_int over;
};

/* Blocks in every way there is; the thread and what it keeps for us must be the same afterwards. */
static void settle(belay_ctx *ctx, void *arg)
{
	struct settler *settler = arg;
	pthread_t home = pthread_self();
	char *my_mark = &mark;
	int value = 0;

	for (int i = 0; i < 50; i++) {
		belay_yield();
		check(pthread_equal(pthread_self(), home) && &mark == my_mark);
		check(belay_sleep(ctx, BELAY_US(i)) == 0);
		check(pthread_equal(pthread_self(), home) && &mark == my_mark);
		check(belay_select(ctx, BELAY_SEND(settler->ch, &i),
				   BELAY_RECV(settler->ch, &value)) >= 0);
		check(pthread_equal(pthread_self(), home) && &mark == my_mark);
	}
	atomic_fetch_add(&settler->over, 1);
}

static void a_task_never_changes_its_thread(void **state)
{
	enum { N = 40 };
	struct settler settler = {.ch = check_made(belay_chan_new(sizeof(int), 0))};

	setenv("BELAY_WORKERS", "4", 1);
	for (int i = 0; i < N; i++)
		assert_int_equal(belay_go(bg(), settle, &settler), 0);
	/* An odd one out would find nobody at the end: be everybody's partner. */
	assert_true(check_until(belay_try_select(BELAY_SEND(settler.ch, &(int){0}),
						 BELAY_RECV(settler.ch, NULL)) < 2 &&
				atomic_load(&settler.over) == N));
	belay_chan_unref(settler.ch);
}

struct errno_user {
	int number;
	atomic_int *over;
};

static void use_errno(belay_ctx *ctx, void *arg)
{
	struct errno_user *user = arg;
	belay_chan *ch = check_made(belay_chan_new(sizeof(int), 1));

	for (int i = 0; i < 20; i++) {
		errno = user->number;
		belay_yield();
		check(errno == user->number);
		check(belay_sleep(ctx, BELAY_US(20)) == 0);
		check(errno == user->number);
		check(belay_send(ctx, ch, &i) == 0 && belay_recv(ctx, ch, &i) == 0);
		check(belay_select(ctx, BELAY_RECV(ch, &i), BELAY_TIMEOUT(BELAY_US(20))) == 1);
		check(errno == user->number);
	}
	belay_chan_unref(ch);
	atomic_fetch_add(user->over, 1);
}

static void errno_is_each_tasks_own_across_calls_that_block(void **state)
{
	enum { N = 50 };
	struct errno_user users[N];
	atomic_int over = 0;

	for (int i = 0; i < N; i++) {
		users[i] = (struct errno_user){i + 1, &over};
		assert_int_equal(belay_go(bg(), use_errno, &users[i]), 0);
	}
	assert_true(check_until(atomic_load(&over) == N));
}

/* Elements so large that their copying keeps the channel's lock, and others must sleep for it. */
struct large {
	char bytes[200000];
};

static void *contend(void *arg)
{
	belay_chan *ch = arg;
	struct large *element = calloc(1, sizeof *element);

	for (int i = 0; element && i < 1000; i++) {
		errno = i % 100 + 1;
		check(belay_select(bg(), BELAY_SEND(ch, element), BELAY_RECV(ch, element)) >= 0);
		check(errno == i % 100 + 1);
	}
	free(element);
	return NULL;
}

static void errno_is_preserved_where_many_contend(void **state)
{
	enum { N = 8 };
	belay_chan *ch = check_made(belay_chan_new(sizeof(struct large), 8));
	pthread_t thread[N];

	for (int i = 0; i < N; i++)
		assert_int_equal(pthread_create(&thread[i], NULL, contend, ch), 0);
	for (int i = 0; i < N; i++)
		pthread_join(thread[i], NULL);
	belay_chan_unref(ch);
}

static void errno_is_preserved_on_threads_too(void **state)
{
	atomic_int over = 0;
	struct errno_user user = {77, &over};
	belay_ctx *ctx = check_live(belay_with_timeout(bg(), BELAY_MS(1)));

	use_errno(bg(), &user);
	errno = 78;
	assert_int_equal(belay_wait(ctx), -ETIME);
	assert_int_equal(errno, 78);
	belay_end(ctx);
	assert_int_equal(errno, 78);
}

static void round_as_told(belay_ctx *ctx, void *arg)
{
	struct errno_user *user = arg;
	const int modes[] = {FE_TONEAREST, FE_UPWARD, FE_DOWNWARD, FE_TOWARDZERO};
	int mode = modes[user->number % 4];

	fesetround(mode);
	for (int i = 0; i < 50; i++) {
		belay_yield();
		check(fegetround() == mode);
	}
	fesetround(FE_TONEAREST);
	atomic_fetch_add(user->over, 1);
}

static void the_rounding_mode_is_each_tasks_own(void **state)
{
	enum { N = 16 };
	struct errno_user users[N];
	atomic_int over = 0;

	for (int i = 0; i < N; i++) {
		users[i] = (struct errno_user){i, &over};
		assert_int_equal(belay_go(bg(), round_as_told, &users[i]), 0);
	}
	assert_true(check_until(atomic_load(&over) == N));
}

/* ---- Stacks ---------------------------------------------------------------------------------- */

static unsigned touch_deep(unsigned depth)
{
	volatile unsigned char frame[1024];

	for (size_t i = 0; i < sizeof frame; i++)
		frame[i] = (unsigned char)depth;
	return depth == 0 ? 0 : touch_deep(depth - 1) + (frame[depth] == depth);
}

static void use_stack(belay_ctx *ctx, void *arg)
{
	check(touch_deep(96) == 96);
	belay_yield();
	check(touch_deep(96) == 96);
	atomic_fetch_add((atomic_int *)arg, 1);
}

static void a_task_has_a_stack_for_a_hundred_kilobytes(void **state)
{
	enum { N = 50 };
	atomic_int over = 0;

	for (int i = 0; i < N; i++)
		assert_int_equal(belay_go(bg(), use_stack, &over), 0);
	assert_true(check_until(atomic_load(&over) == N));
}

static void print_number(belay_ctx *ctx, void *arg)
{
	char text[64];

	snprintf(text, sizeof text, "%.3f %Lf", 1.5, 2.25L);
	check(strcmp(text, "1.500 2.250000") == 0);
	check((uintptr_t)__builtin_frame_address(0) % 16 == 0);
}

static void a_tasks_stack_is_aligned_for_any_code(void **state)
{
	check_in_task(print_number, NULL);
}

/* ---- Workers --------------------------------------------------------------------------------- */

static void contexts_alone_start_no_worker(void **state)
{
	unsigned before = check_threads();
	belay_ctx *ctx = belay_with_cancel(bg());

	belay_end(belay_with_cancel(ctx));
	belay_cancel(ctx);
	assert_int_equal(belay_wait(ctx), -ECANCELED);
	belay_end(ctx);
	assert_int_equal(check_threads(), before);
}

static void the_first_deadline_starts_one_thread(void **state)
{
	unsigned before = check_threads();
	belay_ctx *ctx = belay_with_timeout(bg(), BELAY_S(3600));

	assert_int_equal(check_threads(), before + 1);
	belay_end(ctx);
}

/* Tasks that only end once all of them run at the same time, each on a worker of its own. */
struct gathering {
	atomic_int here;
	int expected;
	atomic_int over;
};

static void gather(belay_ctx *ctx, void *arg)
{
	struct gathering *gathering = arg;
	int64_t patience = belay_now() + BELAY_S(60);

	atomic_fetch_add(&gathering->here, 1);
	while (atomic_load(&gathering->here) < gathering->expected && belay_now() < patience)
		sched_yield();
	check(atomic_load(&gathering->here) >= gathering->expected);
	atomic_fetch_add(&gathering->over, 1);
}

static void as_many_tasks_run_at_once_as_belay_workers_says(void **state)
{
	for (int workers = 1; workers <= 7; workers += 3) {
		struct gathering gathering = {.expected = workers};
		char text[8];

		snprintf(text, sizeof text, "%d", workers);
		setenv("BELAY_WORKERS", text, 1);
		for (int i = 0; i < workers; i++)
			assert_int_equal(belay_go(bg(), gather, &gathering), 0);
		assert_true(check_until(atomic_load(&gathering.over) == workers));
		belay_shutdown();
	}
	unsetenv("BELAY_WORKERS");
}

static void a_nonsensical_number_of_workers_is_not_obeyed(void **state)
{
	static const char *const texts[] = {"0", "-3", "many", "", "99999999999999999999"};

	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		atomic_int ran = 0;

		setenv("BELAY_WORKERS", texts[i], 1);
		assert_int_equal(belay_go(bg(), count, &ran), 0);
		assert_true(check_until(atomic_load(&ran) == 1));
		assert_true(check_threads() < 3000);
		belay_shutdown();
	}
	unsetenv("BELAY_WORKERS");
}

static void without_being_told_there_are_as_many_workers_as_usable_processors(void **state)
{
	cpu_set_t all, one;
	struct gathering gathering = {.expected = 1};
	unsigned before = check_threads();
	int first = 0;

	assert_int_equal(sched_getaffinity(0, sizeof all, &all), 0);
	while (!CPU_ISSET(first, &all))
		first++;
	CPU_ZERO(&one);
	CPU_SET(first, &one);
	assert_int_equal(sched_setaffinity(0, sizeof one, &one), 0);
	assert_int_equal(belay_go(bg(), gather, &gathering), 0);
	assert_true(check_until(atomic_load(&gathering.over) == 1));
	assert_int_equal(sched_setaffinity(0, sizeof all, &all), 0);
	/* One worker, and it may be the clock's thread beside it. */
	assert_in_range(check_threads(), before + 1, before + 2);
}

static void hog(belay_ctx *ctx, void *arg)
{
	atomic_int *state = arg;

	atomic_store(state, 1);
	while (atomic_load(state) != 2)
		sched_yield();
	atomic_store(state, 3);
}

static void new_tasks_go_to_another_worker_when_theirs_is_busy(void **state)
{
	atomic_int hogging = 0, ran = 0;

	setenv("BELAY_WORKERS", "2", 1);
	assert_int_equal(belay_go(bg(), hog, &hogging), 0);
	assert_true(check_until(atomic_load(&hogging) == 1));
	for (int i = 0; i < 100; i++)
		assert_int_equal(belay_go(bg(), count, &ran), 0);
	assert_true(check_until(atomic_load(&ran) == 100));
	atomic_store(&hogging, 2);
	assert_true(check_until(atomic_load(&hogging) == 3));
	unsetenv("BELAY_WORKERS");
}

/* The busy worker's own offspring must be stolen, for it never comes to run them itself. */
struct parent_hog {
	atomic_int ran;
	int n;
	atomic_bool over;
};

static void spawn_then_hog(belay_ctx *ctx, void *arg)
{
	struct parent_hog *hogging = arg;
	int64_t patience = belay_now() + BELAY_S(60);

	for (int i = 0; i < hogging->n; i++)
		check(belay_go(ctx, count, &hogging->ran) == 0);
	while (atomic_load(&hogging->ran) < hogging->n && belay_now() < patience)
		sched_yield();
	check(atomic_load(&hogging->ran) == hogging->n);
	atomic_store(&hogging->over, true);
}

static void tasks_that_never_ran_are_stolen_from_a_busy_worker(void **state)
{
	struct parent_hog hogging = {.n = 50};

	setenv("BELAY_WORKERS", "2", 1);
	assert_int_equal(belay_go(bg(), spawn_then_hog, &hogging), 0);
	assert_true(check_until(atomic_load(&hogging.over)));
	unsetenv("BELAY_WORKERS");
}

static int clear_workers(void **state)
{
	unsetenv("BELAY_WORKERS");
	return 0;
}

#define SETS_WORKERS(test) cmocka_unit_test_teardown(test, clear_workers)

BELAY_TEST_MAIN(
	cmocka_unit_test(a_task_runs_with_its_context_and_argument),
	cmocka_unit_test(a_done_context_still_starts_its_task),
	cmocka_unit_test(a_real_function_stands_behind_the_macro),
	cmocka_unit_test(nothing_to_run_is_einval),
	cmocka_unit_test(where_no_worker_can_start_it_is_an_error_and_can_be_tried_again),
	cmocka_unit_test(a_task_keeps_its_context_alive),
	cmocka_unit_test(ending_a_tasks_context_only_tells_it),
	cmocka_unit_test(tasks_start_tasks),
	cmocka_unit_test(many_tasks_all_run),
	cmocka_unit_test(many_tasks_wait_at_once),
	SETS_WORKERS(a_task_never_changes_its_thread),
	cmocka_unit_test(errno_is_each_tasks_own_across_calls_that_block),
	cmocka_unit_test(errno_is_preserved_on_threads_too),
	cmocka_unit_test(errno_is_preserved_where_many_contend),
	cmocka_unit_test(the_rounding_mode_is_each_tasks_own),
	cmocka_unit_test(a_task_has_a_stack_for_a_hundred_kilobytes),
	cmocka_unit_test(a_tasks_stack_is_aligned_for_any_code),
	cmocka_unit_test(contexts_alone_start_no_worker),
	cmocka_unit_test(the_first_deadline_starts_one_thread),
	SETS_WORKERS(as_many_tasks_run_at_once_as_belay_workers_says),
	SETS_WORKERS(a_nonsensical_number_of_workers_is_not_obeyed),
	SETS_WORKERS(without_being_told_there_are_as_many_workers_as_usable_processors),
	SETS_WORKERS(new_tasks_go_to_another_worker_when_theirs_is_busy),
	SETS_WORKERS(tasks_that_never_ran_are_stolen_from_a_busy_worker))
