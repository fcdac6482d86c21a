/* SPDX-License-Identifier: MIT
 *
 * misbehaving.c - not a test: tests that fail in every way there is, for test_sums.py to see that
 * each is noticed. `misbehaving NAME` runs one of them between two good ones.
 */
#include "check.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void good(void **state)
{
	(void)state;
}

static void skipping(void **state)
{
	(void)state;
	skip();
}

static void asserting(void **state)
{
	(void)state;
	assert_int_equal(1, 2);
}

static void leaving_a_descriptor(void **state)
{
	(void)state;
	assert_true(open("/dev/null", O_RDONLY | O_CLOEXEC) >= 0);
}

static void *check_false(void *arg)
{
	check(arg != NULL);
	return NULL;
}

static void checking_elsewhere(void **state)
{
	pthread_t thread;

	(void)state;
	assert_int_equal(pthread_create(&thread, NULL, check_false, NULL), 0);
	pthread_join(thread, NULL);
}

static void *asserts(void *arg)
{
	assert_non_null(arg);
	return NULL;
}

static void asserting_elsewhere(void **state)
{
	pthread_t thread;

	(void)state;
	assert_int_equal(pthread_create(&thread, NULL, asserts, NULL), 0);
	pthread_join(thread, NULL);
}

static void *pause_for_ever(void *arg)
{
	while (!arg)
		pause();
	return NULL;
}

static void leaving_a_thread(void **state)
{
	pthread_t thread;

	(void)state;
	assert_int_equal(pthread_create(&thread, NULL, pause_for_ever, NULL), 0);
}

static void leaving_a_context(void **state)
{
	(void)state;
	belay_with_cancel(belay_background());
}

static void wait_for_ever(belay_ctx *ctx, void *arg)
{
	belay_recv(ctx, arg, NULL);
}

static void leaving_a_task(void **state)
{
	(void)state;
	assert_int_equal(belay_go(belay_background(), wait_for_ever, NULL), 0);
}

static void aborting(void **state)
{
	(void)state;
	abort();
}

static void exiting(void **state)
{
	(void)state;
	exit(0);
}

static const struct CMUnitTest kinds[] = {
	cmocka_unit_test(skipping),
	cmocka_unit_test(asserting),
	cmocka_unit_test(checking_elsewhere),
	cmocka_unit_test(asserting_elsewhere),
	cmocka_unit_test(leaving_a_context),
	cmocka_unit_test(leaving_a_descriptor),
	cmocka_unit_test(leaving_a_thread),
	cmocka_unit_test(leaving_a_task),
	cmocka_unit_test(aborting),
	cmocka_unit_test(exiting),
};

int main(int argc, char **argv)
{
	struct CMUnitTest list[] = {cmocka_unit_test(good), {0}, cmocka_unit_test(good)};

	for (size_t i = 0; argc == 2 && i < sizeof kinds / sizeof *kinds; i++) {
		if (strcmp(kinds[i].name, argv[1]) == 0) {
			list[1] = kinds[i];
			return check_main(list, 3);
		}
	}
	return EINVAL;
}
