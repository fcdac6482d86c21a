/* SPDX-License-Identifier: MIT
 *
 * good.c - what compilers are not to complain of: test_analysis.sh.
 */
#include <belay.h>

#include <stdlib.h>

BELAY_KEY(user, const char *, .destroy = NULL);

struct job {
	belay_ctx *ctx;
	belay_group *group;
};

int scoped(belay_ctx *parent);
int scoped_in_a_loop(belay_ctx *parent);
int one_way_out(belay_ctx *parent);
belay_ctx *handed_to_the_caller(belay_ctx *parent);
void kept_in_an_object(struct job *job, belay_ctx *parent);
void let_go_by_the_object(struct job *job);
struct job *made(belay_ctx *parent);
int a_second_reference(belay_ctx *parent);
int a_reference_for_a_task(belay_ctx *parent, void (*fn)(belay_ctx *ctx, void *arg));
int given_up_without_an_end(belay_ctx *parent);
int used_after_a_check(belay_ctx *parent);
int chosen(belay_ctx *parent, bool timed);
int chan_and_select(belay_ctx *parent);
int waited_for(belay_ctx *parent, int (*fn)(belay_ctx *ctx, void *arg));
int stopped_or_not_made(belay_ctx *parent, void (*fn)(void *arg));
int deferred(belay_ctx *parent);

int scoped(belay_ctx *parent)
{
	BELAY_SCOPED belay_ctx *ctx = belay_with_timeout(parent, BELAY_S(1));
	BELAY_SCOPED belay_ctx *named = with_user(ctx, "somebody");
	int r = belay_sleep(named, BELAY_MS(1));

	if (r < 0)
		return r;
	return user_of(named) != NULL;
}

int scoped_in_a_loop(belay_ctx *parent)
{
	for (int i = 0; i < 3; i++) {
		BELAY_SCOPED belay_ctx *ctx = belay_with_cancel(parent);

		if (belay_wait(ctx) < 0)
			continue;
		if (belay_err(ctx))
			break;
	}
	return 0;
}

int one_way_out(belay_ctx *parent)
{
	belay_ctx *outer = belay_with_cancel(parent), *inner = NULL;
	int r = belay_sleep(outer, 1);

	if (r < 0)
		goto out;
	inner = belay_with_merge(outer, parent);
	r = belay_sleep(inner, 1);
out:
	belay_end(inner); /* NULL is fine */
	belay_end(outer);
	return r;
}

belay_ctx *handed_to_the_caller(belay_ctx *parent)
{
	belay_ctx *ctx = belay_with_cancel(parent);
	belay_ctx *named = with_user(ctx, "somebody");

	belay_unref(ctx); /* its child keeps it */
	return named;
}

void kept_in_an_object(struct job *job, belay_ctx *parent)
{
	job->ctx = belay_with_cancel(parent);
	job->group = belay_group_new(job->ctx);
}

void let_go_by_the_object(struct job *job)
{
	belay_cancel(job->ctx);
	belay_group_wait(job->group);
	belay_end(job->ctx);
	job->ctx = NULL;
}

struct job *made(belay_ctx *parent)
{
	struct job *job = malloc(sizeof *job);

	if (!job)
		return NULL;
	job->group = NULL;
	job->ctx = belay_with_cancel(parent);
	return job;
}

int a_second_reference(belay_ctx *parent)
{
	belay_ctx *ctx = belay_with_cancel(parent);
	belay_ctx *mine = belay_ref(ctx);
	int r;

	belay_end(ctx);
	r = belay_err(mine);
	belay_unref(mine);
	return r;
}

int a_reference_for_a_task(belay_ctx *parent, void (*fn)(belay_ctx *ctx, void *arg))
{
	belay_ctx *ctx = belay_with_cancel(parent);
	int r = belay_go(ctx, fn, belay_ref(ctx));

	if (r < 0)
		belay_unref(ctx); /* the task's */
	belay_end(ctx);
	return r;
}

int given_up_without_an_end(belay_ctx *parent)
{
	belay_ctx *ctx = belay_with_value(parent, &user_key, NULL);

	belay_ref(ctx);
	belay_unref(ctx);
	belay_sleep(ctx, 1);
	belay_unref(ctx);
	return 0;
}

int used_after_a_check(belay_ctx *parent)
{
	belay_ctx *ctx = belay_with_cancel(parent);
	belay_cause cause;
	int r = 0;

	if (belay_cause_of(ctx, &cause) == 0)
		r = cause.code;
	belay_end(ctx);
	return r;
}

int chosen(belay_ctx *parent, bool timed)
{
	belay_ctx *ctx = timed ? belay_with_timeout(parent, 1) : belay_without_cancel(parent);
	int r = belay_err(ctx);

	belay_end(ctx);
	return r;
}

int chan_and_select(belay_ctx *parent)
{
	BELAY_SCOPED belay_ctx *ctx = belay_with_cancel(parent);
	belay_chan *ch = belay_chan_new(sizeof(int), 1);
	int n = 1, r = belay_send(ctx, ch, &n);

	if (!r)
		r = belay_select(ctx, BELAY_RECV(ch, &n), BELAY_DONE(ctx), BELAY_TIMEOUT(1));
	belay_chan_unref(ch);
	return r;
}

int waited_for(belay_ctx *parent, int (*fn)(belay_ctx *ctx, void *arg))
{
	belay_group *group = belay_group_new(parent);

	if (!group)
		return 1;
	if (belay_group_go(group, fn, NULL) < 0)
		belay_cancel(belay_group_ctx(group));
	return belay_group_wait(group);
}

int stopped_or_not_made(belay_ctx *parent, void (*fn)(void *arg))
{
	belay_after *after = belay_after_func(parent, fn, NULL);

	if (!after)
		return 1;
	return belay_after_stop(after);
}

static void give_up(void *ctx)
{
	belay_unref(ctx);
}

int deferred(belay_ctx *parent)
{
	BELAY_SCOPED belay_ctx *ctx = belay_with_cancel(parent);
	belay_ctx *other = belay_with_cancel(parent);

	if (belay_defer(ctx, give_up, other) < 0)
		belay_end(other);
	return belay_err(ctx);
}
