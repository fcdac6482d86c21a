/* SPDX-License-Identifier: MIT
 *
 * timeout.c - the first program: a task, a channel for its answer, and a limit on the wait.
 *
 *     timeout [WORK_MS [LIMIT_MS]]        work takes 50 ms and may take 150 where nothing is said
 *
 * Whichever comes first decides the ending: the answer, or the context's deadline. The task hears
 * of the deadline too, because the sleep that stands for its work was given the same context.
 */
#include <belay.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

struct data {
	const char *user_id;
};

/* What the task needs. It is allocated on the context that the task runs under, which lives as long
 * as the task does, so nobody has to decide who frees it. */
struct job {
	belay_chan *answer;
	int64_t takes;
};

static void work(belay_ctx *ctx, void *arg)
{
	struct job *job = arg;

	/* An error here is the order to stop: there is nothing to clean up but our reference. The
	 * channel has room for one element, so sending doesn't need somebody who still listens. */
	if (belay_sleep(ctx, job->takes) == 0)
		belay_send(ctx, job->answer, &(struct data){"123"});
	belay_chan_unref(job->answer);
}

static int start(belay_ctx *ctx, belay_chan *answer, int64_t takes)
{
	struct job *job = belay_alloc(ctx, sizeof *job);
	int err;

	if (!job)
		return -ENOMEM;
	job->answer = belay_chan_ref(answer);
	job->takes = takes;
	err = belay_go(ctx, work, job);
	if (err < 0) /* a failed call has taken nothing: the reference is ours again */
		belay_chan_unref(answer);
	return err;
}

static int work_within(int64_t takes, int64_t limit)
{
	BELAY_SCOPED belay_ctx *ctx = belay_with_timeout(belay_background(), limit);
	belay_chan *answer = belay_chan_new(sizeof(struct data), 1);
	struct data d;
	int err;

	if (!answer)
		return -ENOMEM;
	err = start(ctx, answer, takes);
	if (err == 0) {
		if (belay_select(ctx, BELAY_RECV(answer, &d)) == 0)
			printf("work complete %s\n", d.user_id);
		else
			printf("work cancelled: %s\n", belay_strerror(belay_err(ctx)));
	}
	belay_chan_unref(answer);
	return err;
}

int main(int argc, char **argv)
{
	int64_t takes = BELAY_MS(argc > 1 ? strtod(argv[1], NULL) : 50);
	int64_t limit = BELAY_MS(argc > 2 ? strtod(argv[2], NULL) : 150);
	int err = work_within(takes, limit);

	if (err < 0)
		fprintf(stderr, "timeout: %s\n", belay_strerror(err));
	belay_shutdown();
	return err < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
