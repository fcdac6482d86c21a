/* SPDX-License-Identifier: MIT
 *
 * test_typed_chan.c - channels of a type: what they do is what untyped ones do. That nothing else
 * compiles is for tests/package/test_types.sh to say.
 */
#include "check.h"

#include <errno.h>
#include <string.h>

struct job {
	const char *name;
	double size;
};

BELAY_CHAN(job_chan, struct job);
BELAY_CHAN(name_chan, const char *);
BELAY_CHAN(digest_chan, unsigned char[20]);

static belay_ctx *bg(void) { return belay_background(); }

static void elements_come_out_as_they_went_in(void **state)
{
	job_chan *jobs = check_made(job_chan_new(2));
	struct job job;

	assert_int_equal(job_chan_send(bg(), jobs, &(struct job){"first", 1.5}), 0);
	assert_int_equal(job_chan_try_send(jobs, &(struct job){"second", 2.5}), 0);
	assert_int_equal(job_chan_try_send(jobs, &(struct job){"third", 3.5}), -EAGAIN);
	assert_int_equal(job_chan_len(jobs), 2);
	assert_int_equal(job_chan_cap(jobs), 2);
	assert_int_equal(job_chan_recv(bg(), jobs, &job), 0);
	assert_string_equal(job.name, "first");
	assert_int_equal(job_chan_try_recv(jobs, &job), 0);
	assert_true(job.size == 2.5);
	assert_int_equal(job_chan_try_recv(jobs, &job), -EAGAIN);
	job_chan_unref(jobs);
}

static void a_closed_one_drains_and_is_then_at_its_end(void **state)
{
	name_chan *names = check_made(name_chan_new(1));
	const char *name = "left";

	assert_int_equal(name_chan_send(bg(), names, &name), 0);
	assert_int_equal(name_chan_close(names), 0);
	assert_int_equal(name_chan_close(names), -EPIPE);
	assert_int_equal(name_chan_send(bg(), names, &name), -EPIPE);
	name = NULL;
	assert_int_equal(name_chan_recv(bg(), names, &name), 0);
	assert_string_equal(name, "left");
	assert_int_equal(name_chan_recv(bg(), names, NULL), -EPIPE);
	name_chan_unref(names);
}

static void an_array_may_be_an_element(void **state)
{
	digest_chan *digests = check_made(digest_chan_new(1));
	unsigned char in[20], out[20];

	memset(in, 'x', sizeof in);
	assert_int_equal(digest_chan_send(bg(), digests, &in), 0);
	assert_int_equal(digest_chan_recv(bg(), digests, &out), 0);
	assert_memory_equal(in, out, sizeof in);
	digest_chan_unref(digests);
}

static void null_is_a_channel_that_is_never_ready(void **state)
{
	belay_ctx *ctx = check_live(belay_with_timeout(bg(), BELAY_MS(1)));

	assert_int_equal(job_chan_recv(ctx, NULL, NULL), -ETIME);
	assert_int_equal(job_chan_try_recv(NULL, NULL), -EAGAIN);
	assert_int_equal(job_chan_len(NULL), 0);
	job_chan_unref(job_chan_ref(NULL));
	belay_end(ctx);
}

static void calls_obey_their_context(void **state)
{
	belay_ctx *ctx = check_live(belay_with_cancel(bg()));
	job_chan *jobs = check_made(job_chan_new(1));
	struct job job = {"kept", 1};

	belay_cancel(ctx);
	assert_int_equal(job_chan_send(ctx, jobs, &job), -ECANCELED);
	assert_int_equal(job_chan_recv(ctx, jobs, &job), -ECANCELED);
	assert_int_equal(job_chan_len(jobs), 0);
	assert_string_equal(job.name, "kept");
	job_chan_unref(jobs);
	belay_end(ctx);
}

static void its_cases_stand_beside_all_others_in_a_select(void **state)
{
	job_chan *jobs = check_made(job_chan_new(1));
	name_chan *names = check_made(name_chan_new(1));
	const char *name = NULL;
	struct job job = {"job", 4};
	bool ok = false;

	assert_int_equal(belay_select(bg(), name_chan_case_recv(names, &name),
				      job_chan_case_send(jobs, &job),
				      BELAY_TIMEOUT(BELAY_S(60))), 1);
	job = (struct job){0};
	assert_int_equal(belay_try_select(name_chan_case_recv(names, &name), BELAY_DONE(bg()),
					  job_chan_case_recv_ok(jobs, &job, &ok)), 2);
	assert_true(ok);
	assert_string_equal(job.name, "job");
	job_chan_close(jobs);
	assert_int_equal(belay_select(bg(), job_chan_case_recv_ok(jobs, &job, &ok)), 0);
	assert_false(ok);
	assert_null(job.name);
	job_chan_unref(jobs);
	name_chan_unref(names);
}

static void the_untyped_channel_is_the_same_one(void **state)
{
	job_chan *jobs = check_made(job_chan_new(1));
	struct job job = {"by size", 5};

	assert_int_equal(belay_send(bg(), job_chan_untyped(jobs), &(char){1}), -EMSGSIZE);
	assert_int_equal(belay_send(bg(), job_chan_untyped(jobs), &job), 0);
	assert_int_equal(job_chan_len(jobs), 1);
	assert_int_equal(belay_select(bg(), BELAY_RECV(job_chan_untyped(jobs), &job)), 0);
	job_chan_unref(jobs);
}

static void send_one(belay_ctx *ctx, void *arg)
{
	job_chan *jobs = arg;

	check(job_chan_send(ctx, jobs, &(struct job){"from a task", 6}) == 0);
	job_chan_close(jobs);
	job_chan_unref(jobs);
}

static void a_task_gets_it_as_its_argument(void **state)
{
	job_chan *jobs = check_made(job_chan_new(0));
	struct job job = {0};

	assert_int_equal(belay_go(bg(), send_one, job_chan_ref(jobs)), 0);
	assert_int_equal(job_chan_recv(bg(), jobs, &job), 0);
	assert_string_equal(job.name, "from a task");
	assert_int_equal(job_chan_recv(bg(), jobs, &job), -EPIPE);
	job_chan_unref(jobs);
}

BELAY_TEST_MAIN(cmocka_unit_test(elements_come_out_as_they_went_in),
		cmocka_unit_test(a_closed_one_drains_and_is_then_at_its_end),
		cmocka_unit_test(an_array_may_be_an_element),
		cmocka_unit_test(null_is_a_channel_that_is_never_ready),
		cmocka_unit_test(calls_obey_their_context),
		cmocka_unit_test(its_cases_stand_beside_all_others_in_a_select),
		cmocka_unit_test(the_untyped_channel_is_the_same_one),
		cmocka_unit_test(a_task_gets_it_as_its_argument))
