/* SPDX-License-Identifier: MIT
 *
 * every_macro.c - each macro of the core's public headers in use, in the common part of C99 to C2x
 * and C++11 to C++20. Only compiled: for what a compiler has to say of the expansions.
 */
#include <belay.h>

#include <signal.h>

struct job {
	const char *name;
	double size;
};

BELAY_KEY(trace, const char *, .destroy = NULL);
BELAY_CHAN(job_chan, struct job);
BELAY_CHAN(name_chan, const char *);
BELAY_CHAN(digest_chan, unsigned char[32]);

void contexts(belay_ctx *parent);
void ends(belay_ctx *ctx);
int channels(belay_ctx *ctx, belay_chan *ch);
int selects(belay_ctx *ctx, belay_chan *ch);
int typed_channels(belay_ctx *ctx, digest_chan *digests);
int tasks(belay_ctx *ctx, void (*fn)(belay_ctx *ctx, void *arg),
	  int (*job)(belay_ctx *ctx, void *arg));
void after(belay_ctx *ctx, void (*fn)(void *arg));
int64_t times(void);

void contexts(belay_ctx *parent)
{
	BELAY_SCOPED belay_ctx *a = belay_with_cancel(parent);
	BELAY_SCOPED belay_ctx *b = belay_with_deadline(a, belay_now() + BELAY_S(1));
	BELAY_SCOPED belay_ctx *c = belay_with_timeout(b, BELAY_MS(1.5));
	BELAY_SCOPED belay_ctx *d = belay_with_deadline_cause(c, BELAY_FOREVER, -1, "slow");
	BELAY_SCOPED belay_ctx *e = belay_with_timeout_cause(d, BELAY_US(3), -1, "slow");
	BELAY_SCOPED belay_ctx *f = belay_with_value(e, &trace_key, NULL);
	BELAY_SCOPED belay_ctx *g = belay_without_cancel(f);
	BELAY_SCOPED belay_ctx *h = belay_with_merge(f, g);
	BELAY_SCOPED belay_ctx *i = with_trace(h, "123");
	BELAY_SCOPED belay_ctx *j = belay_with_signal(i, SIGINT, SIGTERM, 0);
	BELAY_SCOPED belay_ctx *k = belay_with_trace_id(j, trace_of(i));
	BELAY_SCOPED belay_ctx *l = belay_from_environment(k);

	belay_log(l, BELAY_LOG_INFO, "%s", belay_trace_id(l));
}

void ends(belay_ctx *ctx)
{
	if (belay_cancel(ctx) || (belay_cancel)(ctx))
		return;
	belay_cancel_cause(ctx, 1, "plain");
	belay_cancel_cause(ctx, 1, "%d of %s", 1, "many");
	belay_end(ctx);
	(belay_end)(ctx);
}

int channels(belay_ctx *ctx, belay_chan *ch)
{
	struct pair {
		int x, y;
	} pair = {1, 2};
	void *nothing = NULL;

	return belay_send(ctx, ch, &pair) + belay_recv(ctx, ch, &pair) + belay_recv(ctx, ch, NULL) +
	       belay_recv(ctx, ch, nothing) + belay_try_send(ch, &pair) + belay_try_recv(ch, &pair);
}

int selects(belay_ctx *ctx, belay_chan *ch)
{
	int in = 0;
	const int out = 1;
	bool ok = false;

	return belay_select(ctx, BELAY_RECV(ch, &in), BELAY_RECV_OK(ch, &in, &ok),
			    BELAY_RECV(ch, NULL),
			    BELAY_SEND(ch, &out), BELAY_DONE(ctx), BELAY_TIMEOUT(BELAY_NS(10))) +
	       belay_try_select(BELAY_RECV(ch, &in), BELAY_SEND(ch, &out));
}

int typed_channels(belay_ctx *ctx, digest_chan *digests)
{
	job_chan *jobs = job_chan_new(4);
	struct job job = {"a", 1};
	const char *name = "b";
	unsigned char digest[32];
	bool ok = false;
	int r = job_chan_send(ctx, jobs, &job) + job_chan_recv(ctx, jobs, &job) +
		job_chan_recv(ctx, job_chan_ref(jobs), NULL) + job_chan_try_send(jobs, &job) +
		job_chan_try_recv(jobs, &job) + name_chan_send(ctx, NULL, &name) +
		digest_chan_recv(ctx, digests, &digest);

	r += belay_select(ctx, job_chan_case_send(jobs, &job), job_chan_case_recv(jobs, NULL),
			  digest_chan_case_recv_ok(digests, &digest, &ok),
			  BELAY_RECV(job_chan_untyped(jobs), &job), BELAY_DONE(ctx));
	r += (int)(job_chan_len(jobs) + job_chan_cap(jobs)) + job_chan_close(jobs);
	job_chan_unref(jobs);
	return r;
}

int tasks(belay_ctx *ctx, void (*fn)(belay_ctx *ctx, void *arg),
	  int (*job)(belay_ctx *ctx, void *arg))
{
	belay_group *group = belay_group_new(ctx);
	struct belay_task_options large = { 1 << 20 };
	int r = belay_go(ctx, fn, NULL);

	r += belay_go_with(ctx, fn, NULL, &large);
	r += belay_group_go(group, job, NULL);
	r += belay_group_try_go(group, job, NULL);
	return r + belay_group_wait(group);
}

void after(belay_ctx *ctx, void (*fn)(void *arg))
{
	belay_after *handle = belay_after_func(ctx, fn, NULL);

	belay_after_stop(handle);
}

int64_t times(void)
{
	return BELAY_NS(1) + BELAY_US(1L) + BELAY_MS(1ULL) + BELAY_S(0.5) + BELAY_S('a');
}
