/* SPDX-License-Identifier: MIT
 *
 * test_server_idle.c - connections on which nothing comes for a while: they hold no task, and are
 * what they were when something comes.
 */
#include "site.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static const char request[] = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";

static struct site site;

static int set_up(void **state)
{
	site_init(&site);
	return 0;
}

static int tear_down(void **state)
{
	site_stop(&site);
	return 0;
}

static int hello(belay_ctx *ctx, belay_request *req, belay_response *res)
{
	return belay_response_puts(ctx, res, "hello");
}

static void start(const struct belay_server_options *options)
{
	check(belay_router_add(site.router, "GET /", hello, NULL) == 0);
	site_start(&site, belay_background(), options);
}

static void expect_hello(int fd)
{
	struct reply reply;

	raw_read_reply(fd, &reply, false);
	assert_int_equal(reply.status, 200);
	assert_string_equal(reply.body, "hello");
}

static void ask(int fd)
{
	assert_true(raw_send(fd, request));
	expect_hello(fd);
}

/* Whether all of many connections are there, and no task is. */
static bool all_sleep(size_t many)
{
	struct belay_numbers numbers;

	if (belay_server_connections(site.server) != many)
		return false;
	belay_stats(&numbers, sizeof numbers);
	return numbers.tasks == 0;
}

static bool fall_asleep(size_t many)
{
	return check_until(all_sleep(many));
}

/* ---- Asleep and awake ------------------------------------------------------------------------ */

static void idle_connections_hold_no_task(void **state)
{
	enum { MANY = 50 };
	int fds[MANY];

	start(NULL);
	for (int i = 0; i < MANY; i++) {
		fds[i] = site_dial(&site);
		ask(fds[i]);
	}
	assert_true(fall_asleep(MANY));
	for (int i = 0; i < MANY; i++) {
		ask(fds[i]);
		close(fds[i]);
	}
}

static void a_client_that_has_said_nothing_yet_costs_no_task(void **state)
{
	int fd;

	start(NULL);
	fd = site_dial(&site);
	assert_true(fall_asleep(1));
	ask(fd);
	close(fd);
}

static void requests_that_wake_it_together_are_answered_in_turn(void **state)
{
	int fd;

	start(NULL);
	fd = site_dial(&site);
	ask(fd);
	assert_true(fall_asleep(1));
	assert_true(raw_send(fd, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"
				 "GET / HTTP/1.1\r\nHost: x\r\n\r\n"
				 "GET / HTTP/1.1\r\nHos"));
	expect_hello(fd);
	expect_hello(fd);
	assert_true(fall_asleep(1));
	assert_true(raw_send(fd, "t: x\r\n\r\n"));
	expect_hello(fd);
	close(fd);
}

static void a_head_may_come_in_any_number_of_pieces(void **state)
{
	static const char *const pieces[] = {"\r", "\nG", "ET / HT", "TP/1.1\r",
					     "\nHost: x\r\n", "\r", "\n"};
	int fd;

	start(NULL);
	fd = site_dial(&site);
	for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
		assert_true(fall_asleep(1));
		assert_true(raw_send(fd, pieces[i]));
	}
	expect_hello(fd);
	close(fd);
}

static void a_head_that_is_too_large_is_refused_also_where_it_came_in_its_sleep(void **state)
{
	static const struct belay_server_options options = {.header_size = 4096};
	char filler[3000];
	struct reply reply;
	int fd;

	memset(filler, 'a', sizeof filler - 1);
	filler[sizeof filler - 1] = '\0';
	start(&options);
	fd = site_dial(&site);
	assert_true(raw_send(fd, "GET / HTTP/1.1\r\nX: "));
	for (int i = 0; i < 2; i++) {
		assert_true(raw_send(fd, filler));
		if (i == 0)
			assert_true(fall_asleep(1));
	}
	raw_read_reply(fd, &reply, false);
	assert_int_equal(reply.status, 431);
	close(fd);
}

/* ---- The end --------------------------------------------------------------------------------- */

static void a_client_that_goes_is_noticed(void **state)
{
	int fd;

	start(NULL);
	fd = site_dial(&site);
	ask(fd);
	assert_true(fall_asleep(1));
	close(fd);
	assert_true(fall_asleep(0));
}

static void idle_time_closes_it(void **state)
{
	static const struct belay_server_options options = {.idle_time = BELAY_MS(200)};
	int fd;

	start(&options);
	fd = site_dial(&site);
	ask(fd);
	assert_true(raw_is_closed(fd));
	assert_true(fall_asleep(0));
	close(fd);
}

static void half_a_head_is_waited_for_no_longer_than_header_time(void **state)
{
	static const struct belay_server_options options = {.header_time = BELAY_MS(300)};
	struct reply reply;
	int fd;

	start(&options);
	fd = site_dial(&site);
	assert_true(raw_send(fd, "GET / HTTP"));
	raw_read_reply(fd, &reply, false);
	assert_int_equal(reply.status, 408);
	assert_true(reply.closes);
	close(fd);
}

static void a_client_that_says_nothing_is_waited_for_no_longer_than_header_time(void **state)
{
	static const struct belay_server_options options = {.header_time = BELAY_MS(200)};
	int fd;

	start(&options);
	fd = site_dial(&site);
	assert_true(raw_is_closed(fd));
	close(fd);
}

static void a_shutdown_closes_those_that_sleep(void **state)
{
	enum { MANY = 50 };
	int fds[MANY];

	start(NULL);
	for (int i = 0; i < MANY; i++) {
		fds[i] = site_dial(&site);
		ask(fds[i]);
	}
	assert_true(fall_asleep(MANY));
	assert_int_equal(belay_server_shutdown(belay_background(), site.server), 0);
	for (int i = 0; i < MANY; i++) {
		assert_true(raw_is_closed(fds[i]));
		close(fds[i]);
	}
	assert_int_equal(belay_server_connections(site.server), 0);
}

static void *shut_down(void *arg)
{
	check(belay_server_shutdown(belay_background(), site.server) == 0);
	return arg;
}

static void a_shutdown_waits_for_a_head_that_has_begun(void **state)
{
	pthread_t thread;
	int fd;

	start(NULL);
	fd = site_dial(&site);
	ask(fd);
	assert_true(raw_send(fd, "GET / HT"));
	assert_true(fall_asleep(1));
	assert_int_equal(pthread_create(&thread, NULL, shut_down, NULL), 0);
	site_join(&site); /* it has begun */
	assert_true(raw_send(fd, "TP/1.1\r\nHost: x\r\n\r\n"));
	raw_read_until(fd, "hello");
	assert_true(raw_is_closed(fd));
	pthread_join(thread, NULL);
	close(fd);
}

/* Its deadline is for the case that it does. */
static void a_shutdown_does_not_wait_for_an_empty_line_that_has_begun(void **state)
{
	static const struct belay_server_options options = {.idle_time = BELAY_S(600)};
	BELAY_SCOPED belay_ctx *timed = belay_with_timeout(belay_background(), BELAY_S(30));
	int fd;

	start(&options);
	fd = site_dial(&site);
	ask(fd);
	assert_true(raw_send(fd, "\r"));
	assert_true(fall_asleep(1));
	assert_int_equal(belay_server_shutdown(timed, site.server), 0);
	assert_true(raw_is_closed(fd));
	close(fd);
}

static void freeing_the_server_ends_those_that_sleep(void **state)
{
	int fd, half;

	start(NULL);
	fd = site_dial(&site);
	ask(fd);
	half = site_dial(&site);
	assert_true(raw_send(half, "GET / HT"));
	assert_true(fall_asleep(2));
	site_stop(&site);
	site_init(&site);
	assert_true(raw_is_closed(fd));
	close(fd);
	close(half);
}

/* ---- Contexts -------------------------------------------------------------------------------- */

BELAY_KEY(number, intptr_t *, .destroy = free);

static atomic_int made;
static belay_ctx *made_last; /* referenced */

static belay_ctx *count_connection(belay_ctx *ctx, const char *remote, void *arg)
{
	intptr_t *value = malloc(sizeof *value);
	belay_ctx *with;

	*value = ++made;
	with = with_number(ctx, value);
	made_last = belay_ref(with);
	return with;
}

static int tell_number(belay_ctx *ctx, belay_request *req, belay_response *res)
{
	return belay_response_printf(ctx, res, "%d", (int)*number_of(ctx));
}

static void start_counting(void)
{
	static const struct belay_server_options options = {.connection = count_connection};

	made = 0;
	check(belay_router_add(site.router, "GET /", tell_number, NULL) == 0);
	site_start(&site, belay_background(), &options);
}

static void the_applications_context_outlives_the_sleep(void **state)
{
	struct reply reply;
	int fd;

	start_counting();
	fd = site_dial(&site);
	for (int i = 0; i < 2; i++) {
		assert_true(raw_send(fd, request));
		raw_read_reply(fd, &reply, false);
		assert_string_equal(reply.body, "1");
		assert_true(fall_asleep(1));
	}
	assert_int_equal(made, 1);
	assert_int_equal(belay_err(made_last), 0);
	close(fd);
	assert_int_equal(belay_wait(made_last), -ECANCELED);
	assert_true(fall_asleep(0));
	belay_unref(made_last);
}

static belay_ctx *cancellable(belay_ctx *ctx, const char *remote, void *arg)
{
	belay_ctx *with = belay_with_cancel(ctx);

	made_last = belay_ref(with);
	return with;
}

static void the_end_of_the_applications_context_closes_it(void **state)
{
	static const struct belay_server_options options = {.connection = cancellable};
	int fd;

	start(&options);
	fd = site_dial(&site);
	ask(fd);
	assert_true(fall_asleep(1));
	belay_cancel(made_last);
	assert_true(raw_is_closed(fd));
	belay_unref(made_last);
	close(fd);
}

static atomic_bool waits, told;

static int wait_for_end(belay_ctx *ctx, belay_request *req, belay_response *res)
{
	belay_cause cause;

	waits = true;
	belay_wait(ctx);
	check(belay_cause_of(ctx, &cause) == 0 && cause.code == -ECONNRESET &&
	      strcmp(cause.message, "client disconnected") == 0);
	told = true;
	return belay_err(ctx);
}

static void who_goes_after_a_sleep_ends_its_request_all_the_same(void **state)
{
	int fd;

	waits = told = false;
	check(belay_router_add(site.router, "GET /wait", wait_for_end, NULL) == 0);
	start(NULL);
	fd = site_dial(&site);
	ask(fd);
	assert_true(fall_asleep(1));
	assert_true(raw_send(fd, "GET /wait HTTP/1.1\r\nHost: x\r\n\r\n"));
	assert_true(check_until(waits));
	close(fd);
	assert_true(check_until(told));
	assert_true(fall_asleep(0));
}

/* ---- In between ------------------------------------------------------------------------------ */

enum { CLIENTS = 16, ROUNDS = 40 };

/* Asks again about when its connection falls asleep, now a little sooner, now a little later. */
static void *ask_drowsy(void *arg)
{
	static atomic_int seeds;
	unsigned seed = (unsigned)++seeds;
	int fd = site_dial(&site);
	struct reply reply;

	(void)arg;
	for (int i = 0; i < ROUNDS; i++) {
		bool whole = i % 2 == 0;
		struct timespec nap = {.tv_nsec = 18500000 + rand_r(&seed) % 3000000};

		check(raw_send(fd, whole ? request : "GET / HTTP/1.1\r\nHos"));
		if (!whole) {
			nanosleep(&nap, NULL);
			check(raw_send(fd, "t: x\r\n\r\n"));
		}
		raw_read_reply(fd, &reply, false);
		check(reply.status == 200);
		nanosleep(&nap, NULL);
	}
	close(fd);
	return NULL;
}

static void who_comes_as_it_falls_asleep_is_answered(void **state)
{
	pthread_t threads[CLIENTS];

	start(NULL);
	for (int i = 0; i < CLIENTS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, ask_drowsy, NULL), 0);
	for (int i = 0; i < CLIENTS; i++)
		pthread_join(threads[i], NULL);
	assert_true(fall_asleep(0));
}

/* ---- Very many ------------------------------------------------------------------------------- */

/* Descriptors for both ends of as many connections, or of fewer. */
static size_t allow(size_t many)
{
	struct rlimit limit;
	size_t spare = 256, most;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	limit.rlim_cur = limit.rlim_max < 2 * many + spare ? limit.rlim_max : 2 * many + spare;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	most = (size_t)(limit.rlim_cur - spare) / 2;
	return most < many ? most : many;
}

static void half_open_ones_by_the_thousand_do_not_disturb_others(void **state)
{
	static const struct belay_server_options options = {.connections = 20000,
							    .header_time = BELAY_S(300)};
	static int fds[10000];
	size_t many = allow(10000);
	int other;

	start(&options);
	other = site_dial(&site);
	for (size_t i = 0; i < many; i++) {
		fds[i] = site_dial(&site);
		assert_true(raw_send(fds[i], "GET / HTTP/1.1\r\nX-Half"));
		if (i % 16 == 0)
			ask(other);
	}
	assert_true(fall_asleep(many + 1));
	ask(other);
	assert_true(raw_send(fds[many / 2], "way: x\r\nHost: x\r\n\r\n"));
	expect_hello(fds[many / 2]);
	for (size_t i = 0; i < many; i++)
		close(fds[i]);
	ask(other);
	assert_true(fall_asleep(1));
	close(other);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

BELAY_TEST_MAIN(TEST(idle_connections_hold_no_task),
		TEST(a_client_that_has_said_nothing_yet_costs_no_task),
		TEST(requests_that_wake_it_together_are_answered_in_turn),
		TEST(a_head_may_come_in_any_number_of_pieces),
		TEST(a_head_that_is_too_large_is_refused_also_where_it_came_in_its_sleep),
		TEST(a_client_that_goes_is_noticed), TEST(idle_time_closes_it),
		TEST(half_a_head_is_waited_for_no_longer_than_header_time),
		TEST(a_client_that_says_nothing_is_waited_for_no_longer_than_header_time),
		TEST(a_shutdown_closes_those_that_sleep),
		TEST(a_shutdown_waits_for_a_head_that_has_begun),
		TEST(a_shutdown_does_not_wait_for_an_empty_line_that_has_begun),
		TEST(freeing_the_server_ends_those_that_sleep),
		TEST(the_applications_context_outlives_the_sleep),
		TEST(the_end_of_the_applications_context_closes_it),
		TEST(who_goes_after_a_sleep_ends_its_request_all_the_same),
		TEST(who_comes_as_it_falls_asleep_is_answered),
		TEST(half_open_ones_by_the_thousand_do_not_disturb_others))
