/* SPDX-License-Identifier: MIT
 *
 * check.h - what every test program needs: cmocka, a main, checks that hold on any thread, and the
 * rule that each test leaves nothing behind.
 *
 * A program is one concept; it ends with
 *
 *     BELAY_TEST_MAIN(cmocka_unit_test(cancelling_a_child_leaves_its_parent_live),
 *                     cmocka_unit_test(the_first_end_wins))
 *
 * After each test that passed, its own teardown runs first; then every context and every task must
 * go away by itself (a task that is just ending may hold the last reference, so this is waited for;
 * tasks are counted in programs that link belay_inside), Belay is shut down, and there must be no
 * more descriptors and threads than before the test. So each test
 * starts with no worker and no clock, and nothing that one leaves can hide in the next.
 * A test that failed or skipped was left in the middle, and its tasks may still use its stack: what
 * stands around then is not judged, and becomes the measure for the next.
 *
 * cmocka's assert_...() leave the test by longjmp: only for the thread that runs the test. Tasks
 * and other threads use check(), which everybody may.
 */
#ifndef BELAY_TESTS_SUPPORT_CHECK_H
#define BELAY_TESTS_SUPPORT_CHECK_H

/* cmocka.h does not include what it needs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <belay.h>

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>

/* main() for the tests listed: cmocka_unit_test(fn), cmocka_unit_test_setup_teardown(fn, ...). */
#define BELAY_TEST_MAIN(...)                                                                       \
	int main(void)                                                                             \
	{                                                                                          \
		const struct CMUnitTest list[] = {__VA_ARGS__};                                    \
                                                                                                   \
		return check_main(list, sizeof list / sizeof *list);                               \
	}

/* Runs them as described above. 0: none failed; else 1. */
int check_main(const struct CMUnitTest *list, size_t count);

/* Like assert_true(), from any thread or task: says where and what, lets the code go on, and fails
 * the test once its function returns. Returns whether the condition held, to be able to give up:
 *
 *     if (!check(belay_recv(ctx, ch, &v) == 0)) return;
 */
#define check(...) check_at((__VA_ARGS__), #__VA_ARGS__, __FILE__, __LINE__)
bool check_at(bool held, const char *what, const char *file, int line);

/* The context, or the object, that was made; check()s that memory was there for it. For tests that
 * would wait for ever, or crash, without it.
 *
 *     belay_ctx *ctx = check_live(belay_with_cancel(parent));
 *     belay_chan *ch = check_made(belay_chan_new(sizeof(int), 1));
 */
#define check_live(...)                                                                            \
	__extension__({                                                                            \
		belay_ctx *check__ctx = (__VA_ARGS__);                                             \
                                                                                                   \
		check(belay_err(check__ctx) != -ENOMEM);                                           \
		check__ctx;                                                                        \
	})

#define check_made(...)                                                                            \
	__extension__({                                                                            \
		__auto_type check__made = (__VA_ARGS__);                                           \
                                                                                                   \
		check(check__made != NULL);                                                        \
		check__made;                                                                       \
	})

/* Says of a test that it waits, and rightly, for what it can't get without memory: make check-oom
 * leaves it out. */
void check_needs_memory(void);

/* The same of a test whose waits end once there is memory again: left out are the trials in which
 * all allocations fail from some moment on. */
void check_needs_memory_again(void);

/* Lets others run until the condition holds, and says whether it does: false after half a minute,
 * far beyond what any wait takes unless it is stuck. For what has no event of its own to wait for.
 * Any thread or task:
 *
 *     assert_true(check_until(atomic_load(&started) == 8));
 */
#define check_until(...)                                                                           \
	__extension__({                                                                            \
		struct check_patience check__patience = {0, 0};                                    \
		bool check__held;                                                                  \
                                                                                                   \
		while (!(check__held = (__VA_ARGS__)) && check_again(&check__patience))            \
			;                                                                          \
		check__held;                                                                       \
	})

struct check_patience {
	int64_t until;
	unsigned rounds;
};

/* Yields, or naps a millisecond once it has yielded often; false where patience has run out. */
bool check_again(struct check_patience *patience);

/* Runs fn(ctx, arg) in a task under the background and returns once it has returned. For what must
 * be seen from inside of a task; fn uses check(). */
void check_in_task(void (*fn)(belay_ctx *ctx, void *arg), void *arg);

/* Open descriptors, and threads, of this process. */
unsigned check_descriptors(void);
unsigned check_threads(void);

#endif
