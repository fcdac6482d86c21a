/* SPDX-License-Identifier: MIT
 *
 * test_unload.c - a program that loads Belay late and closes it again. Linked against nothing of
 * Belay's; the library's path comes in the environment.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dlfcn.h>
#include <pthread.h>
#include <stdlib.h>

struct use {
	void *library;
	pthread_barrier_t used, closed;
};

static void *address_of(void *library, const char *name)
{
	void *address = dlsym(library, name);

	if (!address)
		abort();
	return address;
}

static void make_and_end(void *library)
{
	void *(*background)(void);
	void *(*with_timeout)(void *parent, int64_t ns);
	void (*end)(void *ctx);

	*(void **)&background = address_of(library, "belay_background");
	*(void **)&with_timeout = address_of(library, "belay_with_timeout");
	*(void **)&end = address_of(library, "belay_end");
	end(with_timeout(background(), INT64_C(3600000000000)));
}

static void *use_and_exit_late(void *arg)
{
	struct use *use = arg;

	make_and_end(use->library);
	pthread_barrier_wait(&use->used);
	pthread_barrier_wait(&use->closed);
	return NULL;
}

/* The thread's cache is emptied by its exit; and the clock runs on. */
static void a_thread_may_exit_after_the_library_was_closed(void **state)
{
	struct use use = {.library = dlopen(getenv("BELAY_LIBRARY"), RTLD_NOW)};
	pthread_t thread;

	assert_non_null(use.library);
	assert_int_equal(pthread_barrier_init(&use.used, NULL, 2), 0);
	assert_int_equal(pthread_barrier_init(&use.closed, NULL, 2), 0);
	assert_int_equal(pthread_create(&thread, NULL, use_and_exit_late, &use), 0);
	pthread_barrier_wait(&use.used);
	assert_int_equal(dlclose(use.library), 0);
	pthread_barrier_wait(&use.closed);
	pthread_join(thread, NULL);
	pthread_barrier_destroy(&use.used);
	pthread_barrier_destroy(&use.closed);
}

static void it_can_be_loaded_and_closed_again_and_again(void **state)
{
	for (int i = 0; i < 10; i++) {
		void *library = dlopen(getenv("BELAY_LIBRARY"), RTLD_NOW);

		assert_non_null(library);
		make_and_end(library);
		assert_int_equal(dlclose(library), 0);
	}
}

/* It is there still. */
static int shut_down(void **state)
{
	void (*shutdown)(void);
	void *library = dlopen(getenv("BELAY_LIBRARY"), RTLD_NOW);

	*(void **)&shutdown = address_of(library, "belay_shutdown");
	shutdown();
	return dlclose(library);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_thread_may_exit_after_the_library_was_closed),
		cmocka_unit_test(it_can_be_loaded_and_closed_again_and_again),
	};

	return cmocka_run_group_tests(tests, NULL, shut_down);
}
