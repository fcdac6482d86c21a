/* SPDX-License-Identifier: MIT
 *
 * deadline.c - a handler's deadline: 503 at once when it passes, whatever the handler is doing.
 *
 * The handler runs in a task of its own and writes to a response of its own, the inner one, whose
 * sink is the real one. Both tasks go for the inner response's state: the handler commits it when
 * its first bytes leave, the middleware cuts it when the deadline has passed. Who is first answers.
 * The loser's writes are refused, and the middleware joins the handler in every case, so that
 * nothing is freed under it.
 *
 * Memory      until the join the middleware touches the real response only where its cut won, and
 *             the handler only where its commit did. What the handler has left is read after `over`
 *             was closed, or after the join.
 */
#include "http/dropped.h"
#include "http/grpc_timeout.h"
#include "http/router.h"

#include <belay/chan.h>
#include <belay/group.h>
#include <belay/select.h>

#include <errno.h>
#include <string.h>

struct job {
	struct belay__sink sink; /* of the inner response */
	belay_response inner, *outer;
	belay_request *req;
	const belay_chain *next;
	belay_chan *over;        /* closed when the handler has returned */
	bool opened;             /* the head has gone to the outer one   */
	int result;
};

/* ---- The inner response's sink --------------------------------------------------------------- */

static int relay(belay_ctx *ctx, struct belay__sink *sink, belay_response *inner, const void *data,
		 size_t size, enum belay__part part)
{
	struct job *job = (struct job *)(void *)sink;
	int r = job->opened ? 0 : belay__response_copy_head(job->outer, inner);

	job->opened |= r == 0;
	return r == 0 ? belay__response_hand_on(ctx, job->outer, data, size, part) : r;
}

static int relay_file(belay_ctx *ctx, struct belay__sink *sink, belay_response *inner, int fd,
		      off_t offset, size_t size)
{
	struct job *job = (struct job *)(void *)sink;

	return belay_response_send_file(ctx, job->outer, fd, offset, size);
}

/* ---- How long -------------------------------------------------------------------------------- */

static void shorten(int64_t *ns, int64_t wanted)
{
	if (wanted < *ns)
		*ns = wanted;
}

/* A header comes from a program that may be broken: what is no time is none that was asked for. */
static void shorten_by_header(const belay_request *req, int64_t *ns, enum belay__dropped kind,
			      int (*parse)(const char *text, int64_t *ret))
{
	const char *text = belay_request_header(req, belay__dropped_name(kind));
	int64_t wanted;

	if (!text)
		return;
	if (parse(text, &wanted) == 0)
		shorten(ns, wanted);
	else
		belay__drop(kind);
}

/* 0; -EINVAL: the query, which somebody has typed, asks for nonsense. */
static int time_for(const belay_request *req, const struct belay_http_limit *limit, int64_t *ret)
{
	const char *query = belay_request_query(req, "timeout");
	int64_t wanted;
	int r = query ? belay_duration_parse(query, &wanted) : 0;

	*ret = limit && limit->most > 0 ? limit->most : BELAY_FOREVER;
	if (query && r == 0)
		shorten(ret, wanted);
	shorten_by_header(req, ret, BELAY__DROPPED_REQUEST_TIMEOUT, belay_duration_parse);
	shorten_by_header(req, ret, BELAY__DROPPED_GRPC_TIMEOUT, belay__grpc_timeout_parse);
	return r;
}

/* ---- The handler's task ---------------------------------------------------------------------- */

static int run(belay_ctx *ctx, void *arg)
{
	struct job *job = arg;

	job->result = belay_next(ctx, job->req, &job->inner, job->next);
	belay_chan_close(job->over);
	return 0;
}

/* Whether the handler left its answer to others, since it was told to stop. */
static bool gave_up(const struct job *job, belay_ctx *deadline)
{
	return belay_err(deadline) < 0 && !belay_response_is_sent(&job->inner) &&
	       (job->result < 0 || !job->inner.written);
}

/* ---- The middleware's ------------------------------------------------------------------------ */

/* The deadline's own end is answered now, and the connection closed behind it, since the handler
 * may need who knows how long. An end from above is its owner's to answer, if anybody still
 * listens. */
static int answer(belay_ctx *ctx, belay_ctx *deadline, belay_request *req, belay_response *outer)
{
	int r;

	if (belay_err(ctx) < 0)
		return belay__answer_the_end(ctx, req, outer);
	r = belay_response_error(deadline, req, outer, 503, NULL);
	if (r == 0)
		r = belay_response_header(outer, "Connection", "close");
	return r == 0 ? belay__response_finish(ctx, outer) : r;
}

/* Waits for the handler or the deadline. True: the request is the middleware's, *ret says how that
 * went. */
static bool take_over(belay_ctx *ctx, belay_ctx *deadline, struct job *job, int *ret)
{
	int r = belay_select(deadline, BELAY_RECV(job->over, NULL));

	if (r == 0 && !gave_up(job, deadline))
		return false;
	if (!belay__response_cut(&job->inner, belay_err(deadline)))
		return false;
	*ret = answer(ctx, deadline, job->req, job->outer);
	return true;
}

/* Only after the join, when nobody else writes it. */
static bool is_cut(const struct job *job)
{
	return atomic_load_explicit(&job->inner.state, memory_order_relaxed) ==
	       BELAY__RESPONSE_CUT;
}

/* After the join: hands on what the handler left. */
static int hand_on(belay_ctx *ctx, belay_ctx *deadline, struct job *job)
{
	belay__response_copy_cause(job->outer, &job->inner);
	if (job->result == 0 && !is_cut(job))
		return belay__response_finish(ctx, &job->inner);
	if (belay_err(deadline) < 0 && !belay_response_is_sent(job->outer))
		return answer(ctx, deadline, job->req, job->outer);
	belay__response_note_cause(job->outer, deadline);
	return job->result < 0 ? job->result : belay_err(deadline);
}

static int run_until(belay_ctx *ctx, belay_ctx *deadline, struct job *job)
{
	belay_group *group = belay_group_new(deadline);
	bool taken = false;
	int r;

	if (!group)
		return -ENOMEM;
	r = belay_group_go(group, run, job);
	if (r == 0)
		taken = take_over(ctx, deadline, job, &r);
	else
		job->result = r;
	belay_group_wait(group);
	return taken ? r : hand_on(ctx, deadline, job);
}

static int run_in_time(belay_ctx *ctx, belay_request *req, belay_response *res,
		       const belay_chain *next, belay_ctx *deadline)
{
	struct job job = {.sink = {relay, relay_file}, .outer = res, .req = req, .next = next};
	int r;

	if (belay_err(deadline) < 0)
		return answer(ctx, deadline, req, res);
	job.over = belay_chan_new(0, 0);
	if (!job.over)
		return -ENOMEM;
	belay__response_init(&job.inner, &job.sink);
	job.inner.head_only = res->head_only;
	r = run_until(ctx, deadline, &job);
	belay__response_fini(&job.inner);
	belay_chan_unref(job.over);
	return r;
}

int belay_http_deadline(belay_ctx *ctx, belay_request *req, belay_response *res,
			const belay_chain *next, void *arg)
{
	belay_ctx *deadline;
	int64_t ns;
	int r;

	if (time_for(req, arg, &ns) < 0)
		return belay_response_error(ctx, req, res, 400, "timeout is a number with a unit "
								"of ns, us, ms, s or m");
	if (ns == BELAY_FOREVER)
		return belay_next(ctx, req, res, next);
	deadline = belay_with_timeout(ctx, ns);
	r = run_in_time(ctx, req, res, next, deadline);
	belay_end(deadline);
	return r;
}
