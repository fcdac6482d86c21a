/* SPDX-License-Identifier: MIT
 *
 * test_resolve.c - names, and resolvers that take their time.
 *
 * The program's own getaddrinfo() stands before the C library's: it answers for the names below
 * ".test" and waits, where a test wants that, until it is let go.
 */
#include "net_test.h"

#include <arpa/inet.h>
#include <dlfcn.h>
#include <netdb.h>
#include <stdatomic.h>
#include <stdlib.h>

static struct {
	_Atomic int asked, held, answered; /* of the slow name */
	_Atomic bool let_go;
} resolver;

static int real_getaddrinfo(const char *host, const char *service, const struct addrinfo *hints,
			    struct addrinfo **ret)
{
	int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **);

	*(void **)&real = dlsym(RTLD_NEXT, "getaddrinfo");
	return real(host, service, hints, ret);
}

static int slow_answer(const char *service, const struct addrinfo *hints, struct addrinfo **ret)
{
	int code;

	atomic_fetch_add(&resolver.asked, 1);
	check(check_until(resolver.let_go));
	code = real_getaddrinfo("127.0.0.7", service, hints, ret);
	atomic_fetch_add(&resolver.answered, 1);
	return code;
}

int getaddrinfo(const char *host, const char *service, const struct addrinfo *hints,
		struct addrinfo **ret)
{
	static const struct {
		const char *name;
		int code, err;
	} failures[] = {
		{"none.test", EAI_NONAME, 0},       {"again.test", EAI_AGAIN, 0},
		{"fail.test", EAI_FAIL, 0},         {"memory.test", EAI_MEMORY, 0},
		{"family.test", EAI_FAMILY, 0},     {"files.test", EAI_SYSTEM, EMFILE},
		{"silent.test", EAI_SYSTEM, 0},     {"canceled.test", EAI_SYSTEM, ECANCELED},
	};

	if (!host || !strstr(host, ".test") || (hints && hints->ai_flags & AI_NUMERICHOST))
		return real_getaddrinfo(host, service, hints, ret);
	for (size_t i = 0; i < sizeof failures / sizeof *failures; i++)
		if (strcmp(host, failures[i].name) == 0) {
			errno = failures[i].err;
			return failures[i].code;
		}
	return slow_answer(service, hints, ret);
}

static const struct addrinfo stream = {.ai_socktype = SOCK_STREAM};

/* ---- Tests ----------------------------------------------------------------------------------- */

static void resolve_numbers(belay_ctx *ctx, void *arg)
{
	struct addrinfo *list = NULL;
	unsigned threads = check_threads();

	if (!check(belay_resolve(ctx, "127.0.0.1", "80", &stream, &list) == 0))
		return;
	check(list->ai_family == AF_INET && !list->ai_next);
	check(((struct sockaddr_in *)list->ai_addr)->sin_port == htons(80));
	freeaddrinfo(list);
	check(check_threads() == threads);
}

static void numeric_addresses_need_no_thread(void **state)
{
	from_both(resolve_numbers, NULL);
}

static void resolve_localhost(belay_ctx *ctx, void *arg)
{
	struct addrinfo *list = NULL;

	if (check(belay_resolve(ctx, "localhost", "80", &stream, &list) == 0))
		freeaddrinfo(list);
}

static void names_are_looked_up(void **state)
{
	from_both(resolve_localhost, NULL);
}

static void resolve_slowly(belay_ctx *ctx, void *arg)
{
	struct addrinfo *list = NULL;
	char text[INET_ADDRSTRLEN];

	resolver.let_go = true;
	if (!check(belay_resolve(ctx, "slow.test", "80", &stream, &list) == 0))
		return;
	inet_ntop(AF_INET, &((struct sockaddr_in *)list->ai_addr)->sin_addr, text, sizeof text);
	check(strcmp(text, "127.0.0.7") == 0);
	freeaddrinfo(list);
}

static void the_answer_is_the_callers(void **state)
{
	from_both(resolve_slowly, NULL);
}

static void resolve_failures(belay_ctx *ctx, void *arg)
{
	static const struct {
		const char *host;
		int err;
	} expected[] = {
		{"none.test", -ENOENT},        {"again.test", -EHOSTUNREACH},
		{"fail.test", -EHOSTUNREACH},  {"memory.test", -ENOMEM},
		{"family.test", -EINVAL},      {"files.test", -EMFILE},
		{"silent.test", -EHOSTUNREACH}, {"canceled.test", -EIO},
	};
	struct addrinfo *list = (struct addrinfo *)&stream;

	for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
		int err = belay_resolve(ctx, expected[i].host, "80", &stream, &list);

		check(err == expected[i].err);
		check(list == &stream);
	}
	check(belay_resolve(NULL, "127.0.0.1", "80", &stream, &list) == -EINVAL);
}

static void failures_are_told_apart_and_leave_the_result_alone(void **state)
{
	from_both(resolve_failures, NULL);
}

static void cancel_when_asked(belay_ctx *ctx, void *arg)
{
	check(check_until(resolver.asked > resolver.held));
	belay_cancel(arg);
}

static void give_up(belay_ctx *ctx, void *arg)
{
	struct addrinfo *list = NULL;
	belay_ctx *own = belay_with_cancel(ctx);
	struct aside aside;

	resolver.held = resolver.asked;
	aside_start(&aside, ctx, cancel_when_asked, own);
	check(belay_resolve(own, "slow.test", "80", &stream, &list) == -ECANCELED);
	aside_join(&aside);
	check(list == NULL);
	belay_end(own);
}

/* The answer that comes at last is freed: the sanitizers and valgrind see to that. */
static void a_look_up_that_was_given_up_on_frees_its_answer(void **state)
{
	int answered = resolver.answered;

	check_needs_memory(); /* for a second thread to ask while the first waits */
	resolver.let_go = false;
	from_both(give_up, NULL);
	assert_int_equal(resolver.answered, answered);
	resolver.let_go = true;
	assert_true(check_until(resolver.answered == answered + 2));
}

static void a_look_up_that_fails_after_it_was_given_up_on_leaves_nothing(void **state)
{
	struct addrinfo *list = NULL;
	BELAY_SCOPED belay_ctx *soon = belay_with_timeout(belay_background(), BELAY_MS(5));

	resolver.let_go = false;
	assert_int_equal(belay_resolve(soon, "slow.test", "no service", &stream, &list), -ETIME);
	resolver.let_go = true;
}

static void a_done_context_asks_nobody(void **state)
{
	struct addrinfo *list = NULL;
	int asked = resolver.asked;
	BELAY_SCOPED belay_ctx *done = belay_with_timeout(belay_background(), 0);

	assert_int_equal(belay_resolve(done, "slow.test", "80", &stream, &list), -ETIME);
	assert_int_equal(belay_resolve(done, "127.0.0.1", "80", &stream, &list), -ETIME);
	assert_int_equal(resolver.asked, asked);
}

/* Some end before their job has begun, some in its middle, some after it. */
static int resolve_briefly(belay_ctx *ctx, void *arg)
{
	BELAY_SCOPED belay_ctx *soon = belay_with_timeout(ctx, (int64_t)(intptr_t)arg);
	struct addrinfo *list = NULL;
	int err = belay_resolve(soon, "slow.test", "80", &stream, &list);

	check(err == 0 || err == -ETIME);
	if (err == 0)
		freeaddrinfo(list);
	return 0;
}

static void a_storm_of_look_ups_and_ends_loses_nothing(void **state)
{
	belay_group *group = belay_group_new(belay_background());
	unsigned seed = 1;

	resolver.let_go = true;
	for (int i = 0; i < 400; i++)
		assert_int_equal(belay_group_go(group, resolve_briefly,
						(void *)(intptr_t)(rand_r(&seed) % 2000000)), 0);
	assert_int_equal(belay_group_wait(group), 0);
}

BELAY_TEST_MAIN(cmocka_unit_test(numeric_addresses_need_no_thread),
		cmocka_unit_test(names_are_looked_up),
		cmocka_unit_test(the_answer_is_the_callers),
		cmocka_unit_test(failures_are_told_apart_and_leave_the_result_alone),
		cmocka_unit_test(a_look_up_that_was_given_up_on_frees_its_answer),
		cmocka_unit_test(a_look_up_that_fails_after_it_was_given_up_on_leaves_nothing),
		cmocka_unit_test(a_done_context_asks_nobody),
		cmocka_unit_test(a_storm_of_look_ups_and_ends_loses_nothing))
