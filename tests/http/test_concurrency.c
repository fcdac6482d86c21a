/* SPDX-License-Identifier: MIT
 *
 * test_concurrency.c - at most so many requests at once, and a queue before them.
 */
#include "around.h"

#include <belay/http_middleware.h>

#include <stdatomic.h>

/* A handler that stays until the gate is closed. */
struct stay {
	belay_chan *gate;
	atomic_uint inside, most;
};

static int stay(belay_ctx *ctx, belay_request *req, belay_response *res)
{
	struct stay *s = belay_request_data(req);
	unsigned inside = atomic_fetch_add(&s->inside, 1) + 1, most = atomic_load(&s->most);
	int r;

	while (inside > most && !atomic_compare_exchange_weak(&s->most, &most, inside))
		;
	r = belay_recv(ctx, s->gate, (void *)NULL);
	atomic_fetch_sub(&s->inside, 1);
	return r == -EPIPE ? belay_response_puts(ctx, res, "ok") : r;
}

struct scene {
	struct stay stay;
	belay_concurrency_limit *limit;
	belay_router *router;
	belay_group *askers;
	atomic_uint answered[600];
};

static void scene_init(struct scene *s, struct belay_concurrency_options options)
{
	*s = (struct scene){.stay.gate = check_made(belay_chan_new(0, 0))};
	assert_int_equal(belay_concurrency_limit_new(&options, &s->limit), 0);
	s->router = around_new(belay_http_limit_concurrency, s->limit, stay, &s->stay);
	s->askers = check_made(belay_group_new(belay_background()));
}

/* Lets all that are inside go on, and waits for them. */
static void scene_fini(struct scene *s)
{
	belay_chan_close(s->stay.gate);
	assert_int_equal(belay_group_wait(s->askers), 0);
	assert_int_equal(belay_concurrency_limit_running(s->limit), 0);
	assert_int_equal(belay_concurrency_limit_waiting(s->limit), 0);
	belay_router_free(s->router);
	belay_concurrency_limit_free(s->limit);
	belay_chan_unref(s->stay.gate);
}

static int ask(belay_ctx *ctx, void *arg)
{
	struct scene *s = arg;
	int status = around_status(ctx, s->router, NULL, NULL);

	atomic_fetch_add(&s->answered[status], 1);
	return 0;
}

static void start(struct scene *s, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		assert_int_equal(belay_group_go(s->askers, ask, s), 0);
}

static void requests_up_to_the_limit_run_at_once(void **state)
{
	struct scene s;

	scene_init(&s, (struct belay_concurrency_options){.most = 3});
	start(&s, 3);
	assert_true(check_until(atomic_load(&s.stay.inside) == 3));
	assert_int_equal(belay_concurrency_limit_running(s.limit), 3);
	scene_fini(&s);
	assert_int_equal(s.answered[200], 3);
}

static void one_too_many_is_answered_503_with_retry_after(void **state)
{
	struct scene s;
	belay_recorder *rec;

	scene_init(&s, (struct belay_concurrency_options){.most = 1, .retry_after = 7});
	start(&s, 1);
	assert_true(check_until(atomic_load(&s.stay.inside) == 1));
	rec = around_ask(belay_background(), s.router, "GET", "/", NULL, NULL);
	assert_int_equal(belay_recorder_status(rec), 503);
	assert_true(around_header_is(rec, "Retry-After", "7"));
	belay_recorder_free(rec);
	scene_fini(&s);
}

static void the_queue_takes_as_many_as_it_may_and_lets_them_in_later(void **state)
{
	struct scene s;

	scene_init(&s, (struct belay_concurrency_options){.most = 1, .waiting = 2});
	start(&s, 3);
	assert_true(check_until(belay_concurrency_limit_waiting(s.limit) == 2));
	assert_int_equal(around_status(belay_background(), s.router, NULL, NULL), 503);
	scene_fini(&s);
	assert_int_equal(s.answered[200], 3);
	assert_int_equal(s.stay.most, 1);
}

static void one_whose_context_ends_leaves_the_queue(void **state)
{
	struct scene s;
	belay_ctx *ctx = check_live(belay_with_timeout(belay_background(), BELAY_MS(1)));

	scene_init(&s, (struct belay_concurrency_options){.most = 1, .waiting = 1});
	start(&s, 1);
	assert_true(check_until(atomic_load(&s.stay.inside) == 1));
	assert_int_equal(around_status(ctx, s.router, NULL, NULL), 0);
	assert_int_equal(belay_concurrency_limit_waiting(s.limit), 0);
	belay_end(ctx);
	scene_fini(&s);
}

static void a_context_that_is_done_takes_no_slot(void **state)
{
	struct scene s;
	belay_ctx *ctx = check_live(belay_with_cancel(belay_background()));

	belay_cancel(ctx);
	scene_init(&s, (struct belay_concurrency_options){.most = 1});
	assert_int_equal(around_status(ctx, s.router, NULL, NULL), 0);
	assert_int_equal(atomic_load(&s.stay.most), 0);
	belay_end(ctx);
	scene_fini(&s);
}

static void nobody_waits_longer_than_the_interval_where_there_is_a_target(void **state)
{
	struct scene s;

	scene_init(&s, (struct belay_concurrency_options){.most = 1, .waiting = 4,
							   .target = BELAY_MS(1),
							   .interval = BELAY_MS(2)});
	start(&s, 1);
	assert_true(check_until(atomic_load(&s.stay.inside) == 1));
	for (int i = 0; i < 5; i++)
		assert_int_equal(around_status(belay_background(), s.router, NULL, NULL), 503);
	scene_fini(&s);
}

static void a_burst_of_many_never_has_more_than_the_limit_inside(void **state)
{
	struct scene s;

	scene_init(&s, (struct belay_concurrency_options){.most = 4, .waiting = 1000});
	start(&s, 200);
	assert_true(check_until(belay_concurrency_limit_waiting(s.limit) == 196));
	scene_fini(&s);
	assert_int_equal(s.answered[200], 200);
	assert_true(s.stay.most <= 4);
}

static void numbers_that_make_no_sense_are_refused(void **state)
{
	belay_concurrency_limit *limit;

	assert_int_equal(belay_concurrency_limit_new(&(struct belay_concurrency_options){0},
						     &limit), -EINVAL);
	assert_int_equal(belay_concurrency_limit_new(&(struct belay_concurrency_options){
							     .most = 1, .target = -1}, &limit),
			 -EINVAL);
	belay_concurrency_limit_free(NULL);
}

BELAY_TEST_MAIN(cmocka_unit_test(requests_up_to_the_limit_run_at_once),
		cmocka_unit_test(one_too_many_is_answered_503_with_retry_after),
		cmocka_unit_test(the_queue_takes_as_many_as_it_may_and_lets_them_in_later),
		cmocka_unit_test(one_whose_context_ends_leaves_the_queue),
		cmocka_unit_test(a_context_that_is_done_takes_no_slot),
		cmocka_unit_test(nobody_waits_longer_than_the_interval_where_there_is_a_target),
		cmocka_unit_test(a_burst_of_many_never_has_more_than_the_limit_inside),
		cmocka_unit_test(numbers_that_make_no_sense_are_refused))
