/* SPDX-License-Identifier: MIT
 *
 * wrong_types.c - typed channels in use, and, where MISTAKE is the name of one, one mistake, which
 * must not compile. For test_types.sh, as C and as C++.
 */
#include <belay.h>

#define NONE                    0
#define SENDS_ANOTHER_TYPE      1
#define RECEIVES_ANOTHER_TYPE   2
#define TRIES_ANOTHER_TYPE      3
#define SELECTS_ANOTHER_TYPE    4
#define USES_ANOTHER_CHANNEL    5
#define USES_AN_UNTYPED_CHANNEL 6
#define CLOSES_A_CONTEXT        7

struct job {
	long number;
};

/* Of the same size: nothing at run time could tell. */
struct other {
	long number;
};

BELAY_CHAN(job_chan, struct job);
BELAY_CHAN(other_chan, struct other);

int use(belay_ctx *ctx, job_chan *jobs, other_chan *others, belay_chan *untyped);

int use(belay_ctx *ctx, job_chan *jobs, other_chan *others, belay_chan *untyped)
{
	const struct job constant = {1};
	struct other other = {2};
	struct job job = {3};
	void *any = &job;

	(void)others, (void)untyped, (void)other, (void)any;
#if MISTAKE == NONE
#ifndef __cplusplus
	job_chan_recv(ctx, jobs, any);
#endif
	job_chan_recv(ctx, jobs, NULL);
	other_chan_send(ctx, others, &other);
	job_chan_send(ctx, NULL, &constant);
#elif MISTAKE == SENDS_ANOTHER_TYPE
	job_chan_send(ctx, jobs, &other);
#elif MISTAKE == RECEIVES_ANOTHER_TYPE
	job_chan_recv(ctx, jobs, &other);
#elif MISTAKE == TRIES_ANOTHER_TYPE
	job_chan_try_recv(jobs, &other);
#elif MISTAKE == SELECTS_ANOTHER_TYPE
	belay_select(ctx, job_chan_case_send(jobs, &other));
#elif MISTAKE == USES_ANOTHER_CHANNEL
	job_chan_send(ctx, others, &job);
#elif MISTAKE == USES_AN_UNTYPED_CHANNEL
	job_chan_send(ctx, untyped, &job);
#elif MISTAKE == CLOSES_A_CONTEXT
	job_chan_close(ctx);
#else
#error "no such mistake"
#endif
	return job_chan_send(ctx, jobs, &constant) + job_chan_send(ctx, jobs, &job);
}
