/* SPDX-License-Identifier: MIT
 *
 * test_rate.c - so many requests from each client.
 */
#include "around.h"

#include <belay/http_middleware.h>

static const char *by_header(const belay_request *req, void *arg)
{
	return belay_request_header(req, "X-Client");
}

static int answer(belay_ctx *ctx, belay_request *req, belay_response *res)
{
	return belay_response_puts(ctx, res, "ok");
}

static belay_rate_limit *make(unsigned requests, int64_t period, unsigned burst, unsigned clients)
{
	const struct belay_rate_options options = {.requests = requests, .period = period,
						   .burst = burst, .clients = clients,
						   .key = by_header};
	belay_rate_limit *limit = NULL;

	check(belay_rate_limit_new(&options, &limit) == 0);
	return limit;
}

static int status_for(const belay_router *router, const char *client)
{
	return around_status(belay_background(), router, "X-Client", client);
}

static void a_burst_passes_and_the_next_one_is_refused(void **state)
{
	belay_rate_limit *limit = make(1, BELAY_S(3600), 3, 0);
	belay_router *router = around_new(belay_http_limit_rate, limit, answer, NULL);

	for (int i = 0; i < 3; i++)
		assert_int_equal(status_for(router, "ann"), 200);
	assert_int_equal(status_for(router, "ann"), 429);
	belay_router_free(router);
	belay_rate_limit_free(limit);
}

static void one_client_s_requests_are_not_another_s(void **state)
{
	belay_rate_limit *limit = make(1, BELAY_S(3600), 1, 0);
	belay_router *router = around_new(belay_http_limit_rate, limit, answer, NULL);

	assert_int_equal(status_for(router, "ann"), 200);
	assert_int_equal(status_for(router, "bob"), 200);
	assert_int_equal(status_for(router, "ann"), 429);
	belay_router_free(router);
	belay_rate_limit_free(limit);
}

static void without_a_key_of_the_program_s_the_address_counts(void **state)
{
	const struct belay_rate_options options = {.requests = 1, .period = BELAY_S(3600)};
	belay_rate_limit *limit = NULL;
	belay_router *router;

	check(belay_rate_limit_new(&options, &limit) == 0);
	router = around_new(belay_http_limit_rate, limit, answer, NULL);
	assert_int_equal(status_for(router, "ann"), 200);
	assert_int_equal(status_for(router, "bob"), 429);
	belay_router_free(router);
	belay_rate_limit_free(limit);
}

static void the_refusal_says_when_to_come_again(void **state)
{
	belay_rate_limit *limit = make(1, BELAY_S(3600), 1, 0);
	belay_router *router = around_new(belay_http_limit_rate, limit, answer, NULL);
	belay_recorder *rec;

	assert_int_equal(status_for(router, "ann"), 200);
	rec = around_ask(belay_background(), router, "GET", "/", "X-Client", "ann");
	assert_true(around_header_is(rec, "Retry-After", "3600"));
	belay_recorder_free(rec);
	belay_router_free(router);
	belay_rate_limit_free(limit);
}

static void tokens_come_back_with_time(void **state)
{
	belay_rate_limit *limit = make(1000, BELAY_S(1), 1, 0);
	belay_router *router = around_new(belay_http_limit_rate, limit, answer, NULL);

	assert_int_equal(status_for(router, "ann"), 200);
	assert_true(check_until(status_for(router, "ann") == 200));
	belay_router_free(router);
	belay_rate_limit_free(limit);
}

static void more_clients_than_the_table_holds_are_all_let_in(void **state)
{
	belay_rate_limit *limit = make(1, BELAY_S(3600), 1, 8);
	belay_router *router = around_new(belay_http_limit_rate, limit, answer, NULL);
	char client[16];

	for (int i = 0; i < 100; i++) {
		snprintf(client, sizeof client, "%d", i);
		assert_int_equal(status_for(router, client), 200);
	}
	assert_int_equal(status_for(router, "99"), 429);
	belay_router_free(router);
	belay_rate_limit_free(limit);
}

static void numbers_that_make_no_sense_are_refused(void **state)
{
	static const struct belay_rate_options bad[] = {
		{.requests = 0},
		{.requests = 1, .period = -1},
		{.requests = 10, .period = 9},
		{.requests = 1, .period = BELAY_FOREVER, .burst = 2},
	};
	belay_rate_limit *limit;

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_int_equal(belay_rate_limit_new(&bad[i], &limit), -EINVAL);
	belay_rate_limit_free(NULL);
}

BELAY_TEST_MAIN(cmocka_unit_test(a_burst_passes_and_the_next_one_is_refused),
		cmocka_unit_test(one_client_s_requests_are_not_another_s),
		cmocka_unit_test(without_a_key_of_the_program_s_the_address_counts),
		cmocka_unit_test(the_refusal_says_when_to_come_again),
		cmocka_unit_test(tokens_come_back_with_time),
		cmocka_unit_test(more_clients_than_the_table_holds_are_all_let_in),
		cmocka_unit_test(numbers_that_make_no_sense_are_refused))
