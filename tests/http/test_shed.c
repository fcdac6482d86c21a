/* SPDX-License-Identifier: MIT
 *
 * test_shed.c - what can't meet its deadline is refused before it is begun.
 */
#include "around.h"

#include <belay/http_middleware.h>

struct scene {
	belay_shedder *shedder;
	belay_router *router;
	unsigned handled;
};

static int work(belay_ctx *ctx, belay_request *req, belay_response *res)
{
	struct scene *s = belay_request_data(req);
	int r = belay_sleep(ctx, BELAY_MS(2));

	s->handled++;
	return r < 0 ? r : belay_response_puts(ctx, res, "ok");
}

static void scene_init(struct scene *s)
{
	*s = (struct scene){0};
	assert_int_equal(belay_shedder_new(NULL, &s->shedder), 0);
	s->router = around_new(belay_http_shed, s->shedder, work, s);
}

static void scene_fini(struct scene *s)
{
	belay_router_free(s->router);
	belay_shedder_free(s->shedder);
}

/* Requests without a deadline, until there is an estimate of at least 2 ms. */
static void teach(struct scene *s)
{
	while (belay_shedder_estimate(s->shedder) == 0)
		assert_int_equal(around_status(belay_background(), s->router, NULL, NULL), 200);
	assert_true(belay_shedder_estimate(s->shedder) > BELAY_MS(1));
}

static int status_within(struct scene *s, int64_t ns)
{
	belay_ctx *ctx = check_live(belay_with_timeout(belay_background(), ns));
	int status = around_status(ctx, s->router, NULL, NULL);

	belay_end(ctx);
	return status;
}

static void a_request_without_enough_time_is_refused_unbegun(void **state)
{
	struct scene s;
	unsigned before;
	int refused = 0;

	scene_init(&s);
	teach(&s);
	before = s.handled;
	for (int i = 0; i < 20; i++) /* a few of them are probes */
		refused += status_within(&s, BELAY_US(500)) == 503;
	assert_true(refused > 0);
	assert_int_equal(s.handled - before, 20 - refused);
	scene_fini(&s);
}

static void the_refusal_has_retry_after(void **state)
{
	struct scene s;
	belay_recorder *rec = NULL;

	scene_init(&s);
	teach(&s);
	for (int i = 0; i < 20 && (!rec || belay_recorder_status(rec) != 503); i++) {
		BELAY_SCOPED belay_ctx *ctx =
			check_live(belay_with_timeout(belay_background(), BELAY_US(500)));

		belay_recorder_free(rec);
		rec = around_ask(ctx, s.router, "GET", "/", NULL, NULL);
	}
	assert_true(around_header_is(rec, "Retry-After", "1"));
	belay_recorder_free(rec);
	scene_fini(&s);
}

static void a_request_with_enough_time_or_all_of_it_is_let_through(void **state)
{
	struct scene s;

	scene_init(&s);
	teach(&s);
	assert_int_equal(status_within(&s, BELAY_S(3600)), 200);
	assert_int_equal(around_status(belay_background(), s.router, NULL, NULL), 200);
	scene_fini(&s);
}

static void while_nothing_is_known_all_are_let_through(void **state)
{
	struct scene s;

	scene_init(&s);
	status_within(&s, BELAY_US(1));
	assert_int_equal(s.handled, 1);
	scene_fini(&s);
}

static void while_it_refuses_a_probe_goes_through(void **state)
{
	struct scene s;
	unsigned before;

	scene_init(&s);
	teach(&s);
	before = s.handled;
	assert_true(check_until((status_within(&s, BELAY_US(500)), s.handled > before + 1)));
	scene_fini(&s);
}

static void only_quantiles_are_quantiles(void **state)
{
	belay_shedder *shedder;

	assert_int_equal(belay_shedder_new(&(struct belay_shedder_options){.quantile = 1},
					   &shedder), -EINVAL);
	assert_int_equal(belay_shedder_new(&(struct belay_shedder_options){.quantile = -0.1},
					   &shedder), -EINVAL);
	belay_shedder_free(NULL);
}

BELAY_TEST_MAIN(cmocka_unit_test(a_request_without_enough_time_is_refused_unbegun),
		cmocka_unit_test(the_refusal_has_retry_after),
		cmocka_unit_test(a_request_with_enough_time_or_all_of_it_is_let_through),
		cmocka_unit_test(while_nothing_is_known_all_are_let_through),
		cmocka_unit_test(while_it_refuses_a_probe_goes_through),
		cmocka_unit_test(only_quantiles_are_quantiles))
