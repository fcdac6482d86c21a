/* SPDX-License-Identifier: MIT
 *
 * select.c - one of several sends, receives, ends and times.
 *
 * Passes      1. Try the cases one by one in random order, each under its channel's lock alone: the
 *                first that can happen, happens.
 *             2. With all channels locked: try again, in the same order. Where none can happen,
 *                queue a wait in every channel; give the locks back.
 *             3. Join the done channels one by one, and block until the nearest time at the most:
 *                the first to claim the waiter has decided.
 *             4. Leave every queue.
 * One channel beside ends and times of which none was ready on entry, as most selects have, leaves
 *             nothing to choose: pass 2 tries it alone, like a send or a receive, and pass 3 looks
 *             at the ends again. So one that does not block goes that way only without ends.
 * Why so      Between the look at a channel and the wait in its queue nobody may get in, and if it
 *             is told that nothing is ready, that must have been so at one moment: hence all locks
 *             at once in pass 2. A done channel is only ever closed, so it needs no such care: it
 *             is open when joined, or the case is ready and competes by the claim. That keeps
 *             nodes' locks, which are ordered by the tree, out of the set that is ordered by
 *             address.
 * Locking     Channels by address, each once, though it may stand in several cases.
 * No self     A select meets others' waits in passes 1 and 2, before its own are queued, and claims
 *             nothing in pass 3 but its own: so it never matches itself.
 * Memory      Needs none: a case carries its own wait and its links.
 */
#include "chan/move.h"
#include "chan/random.h"
#include "context/context.h"
#include "wait/timer.h"

#include <belay/select.h>

#include <errno.h>
#include <string.h>

_Static_assert(sizeof(struct belay__wait) <= sizeof(((struct belay_case *)0)->wait),
	       "a case carries its wait");

struct selection {
	struct belay_case *cases;
	size_t n, moving;
	struct belay_case *movers;  /* linked: the cases that move an element; by address, later */
	struct belay_case *ends;    /* and those that wait for an end */
	struct belay_case *nearest; /* of the times; NULL: none */
	bool ready;                 /* an end or a time was, on entry */
	struct belay__waiter waiter;
	struct belay__timeout timeout;
};

static struct belay__wait *wait_of(struct belay_case *c)
{
	return (struct belay__wait *)(void *)c->wait;
}

static bool moves_element(const struct belay_case *c)
{
	return c->chan && !is_done_channel(c->chan);
}

/* ---- Order ----------------------------------------------------------------------------------- */

/* Number i of a random permutation: one of those that are left, behind the i that were drawn
 * (Fisher and Yates). In the end cases[0..n).order is the permutation. */
static struct belay_case *draw(struct belay_case *cases, size_t i, size_t n)
{
	size_t j = n - i > 1 ? i + belay__random_below(n - i) : i;
	unsigned drawn = cases[j].order;

	cases[j].order = cases[i].order;
	cases[i].order = drawn;
	return &cases[drawn];
}

static struct belay_case *merge(struct belay_case *a, struct belay_case *b)
{
	struct belay_case *first = NULL, **end = &first;

	while (a && b) {
		struct belay_case **less = (uintptr_t)a->chan <= (uintptr_t)b->chan ? &a : &b;

		*end = *less;
		*less = (*less)->next;
		end = &(*end)->next;
	}
	*end = a ? a : b;
	return first;
}

/* The first n of list, which goes on behind them, in the order of their channels' addresses. */
static struct belay_case *sort(struct belay_case **list, size_t n)
{
	struct belay_case *first = *list;

	if (n > 1) {
		first = sort(list, n / 2);
		return merge(first, sort(list, n - n / 2));
	}
	*list = first->next;
	first->next = NULL;
	return first;
}

static void lock_all(struct belay_case *c)
{
	belay_chan *last = NULL;

	for (; c; c = c->next) {
		if (c->chan != last)
			chan_lock(c->chan);
		last = c->chan;
	}
}

static void unlock_all(struct belay_case *c)
{
	belay_chan *last = NULL;

	for (; c; c = c->next) {
		if (c->chan != last)
			chan_unlock(c->chan);
		last = c->chan;
	}
}

/* ---- Passes 1 and 2 -------------------------------------------------------------------------- */

static void deliver_closed(struct belay_case *c)
{
	if (c->element && moves_element(c) && chan_of(c->chan)->element_size > 0)
		memset(c->element, 0, chan_of(c->chan)->element_size);
	if (c->ok)
		*c->ok = false;
}

/* What the caller is told once c has run: its index, or -EPIPE for a send. result is 0 or
 * -EPIPE. */
static int conclude(struct selection *s, struct belay_case *c, int result)
{
	if (result == -EPIPE && c->kind == BELAY_CASE_SEND)
		return result;
	if (result == -EPIPE)
		deliver_closed(c);
	else if (c->ok)
		*c->ok = true;
	return (int)(c - s->cases);
}

/* 0, -EPIPE or -EAGAIN, as send_now() and recv_now(). */
static inline int try_mover(struct belay_case *c, struct belay__wait **ret_peer)
{
	if (c->kind == BELAY_CASE_SEND)
		return send_now(chan_of(c->chan), c->element, ret_peer);
	return recv_now(chan_of(c->chan), c->element, ret_peer);
}

static inline int try_case(struct belay_case *c, struct belay__wait **ret_peer)
{
	if (moves_element(c))
		return try_mover(c, ret_peer);
	if (c->kind == BELAY_CASE_TIMEOUT)
		return c->ns <= 0 ? 0 : -EAGAIN;
	return c->chan && is_closed(c->chan) ? -EPIPE : -EAGAIN;
}

/* Pass 1, which draws the order. -EAGAIN, or as conclude(). */
static int try_each(struct selection *s, struct belay__wait **ret_peer)
{
	for (size_t i = 0; i < s->n; i++) {
		struct belay_case *c = draw(s->cases, i, s->n);
		bool locks = moves_element(c);
		int result;

		if (locks)
			chan_lock(c->chan);
		result = try_case(c, ret_peer);
		if (locks)
			chan_unlock(c->chan);
		if (result != -EAGAIN)
			return conclude(s, c, result);
	}
	return -EAGAIN;
}

/* The same with all locks held, in the order that was drawn. */
static int try_all(struct selection *s, struct belay__wait **ret_peer)
{
	for (size_t i = 0; i < s->n; i++) {
		struct belay_case *c = &s->cases[s->cases[i].order];
		int result = try_case(c, ret_peer);

		if (result != -EAGAIN)
			return conclude(s, c, result);
	}
	return -EAGAIN;
}

static void queue_all(struct selection *s)
{
	belay__waiter_init(&s->waiter);
	s->waiter.why = BELAY__WHY_SELECT;
	for (struct belay_case *c = s->movers; c; c = c->next) {
		belay__wait_init(wait_of(c), &s->waiter);
		wait_of(c)->element = c->element;
		belay__list_append(c->kind == BELAY_CASE_SEND ? &chan_of(c->chan)->senders
							      : &chan_of(c->chan)->receivers,
				   &wait_of(c)->link);
	}
}

/* Pass 2. queues: where nothing can happen, in every channel. */
static int try_or_queue_all(struct selection *s, bool queues, struct belay__wait **ret_peer)
{
	int result;

	s->movers = s->movers ? sort(&s->movers, s->moving) : NULL;
	lock_all(s->movers);
	result = try_all(s, ret_peer);
	if (result == -EAGAIN && queues)
		queue_all(s);
	unlock_all(s->movers);
	return result;
}

/* The same where s->movers, which is one or none, is all that is to be tried. */
static inline int try_or_queue_one(struct selection *s, bool queues, struct belay__wait **ret_peer)
{
	struct belay_case *c = s->movers;
	int result = -EAGAIN;

	if (c) {
		chan_lock(c->chan);
		result = try_mover(c, ret_peer);
	}
	if (result == -EAGAIN && queues)
		queue_all(s);
	if (c)
		chan_unlock(c->chan);
	return result == -EAGAIN ? result : conclude(s, c, result);
}

/* Passes 1 and 2. -EAGAIN, or as conclude(). */
static inline int try_or_queue(struct selection *s, bool queues)
{
	struct belay__wait *peer = NULL;
	int result;

	if (s->moving <= 1 && !s->ready && (queues || !s->ends)) {
		result = try_or_queue_one(s, queues, &peer);
	} else {
		result = try_each(s, &peer);
		if (result == -EAGAIN)
			result = try_or_queue_all(s, queues, &peer);
	}
	if (peer)
		belay__wait_wake(peer);
	return result;
}

/* ---- Passes 3 and 4 -------------------------------------------------------------------------- */

/* Waits for all ends among the cases. False: the waiter has been claimed already; by whom is in
 * *ret. A claim that others have won is theirs to wake. */
static bool join_ends(struct selection *s, struct belay__wait **ret)
{
	for (struct belay_case *c = s->ends; c; c = c->next) {
		belay__wait_init(wait_of(c), &s->waiter);
		if (belay__done_join(c->chan, wait_of(c)))
			continue;
		c->next = NULL; /* the rest need not be left */
		if (belay__wait_claim(wait_of(c))) {
			wait_of(c)->result = -EPIPE;
			*ret = wait_of(c);
		} else {
			*ret = belay__waiter_park(&s->waiter);
		}
		return false;
	}
	return true;
}

/* Of all but the winner; that was taken off by who claimed it. */
static void leave_all(struct selection *s, const struct belay__wait *winner)
{
	for (struct belay_case *c = s->ends; c; c = c->next)
		belay__done_leave(c->chan, wait_of(c));
	if (s->moving == 1 && winner == wait_of(s->movers))
		return;
	lock_all(s->movers);
	for (struct belay_case *c = s->movers; c; c = c->next)
		if (belay__list_linked(&wait_of(c)->link))
			belay__list_remove(&wait_of(c)->link);
	unlock_all(s->movers);
}

/* The reason that won; NULL: done, which is the context's. */
static inline struct belay__wait *block(struct selection *s, belay_chan *done)
{
	struct belay__wait *winner;

	if (s->nearest)
		belay__timeout_init(&s->timeout, &s->waiter, belay__moment(s->nearest->ns));
	if (join_ends(s, &winner))
		winner = belay__block_on(done, &s->waiter, s->nearest ? &s->timeout : NULL);
	leave_all(s, winner);
	return winner;
}

/* What winner, a case's or the time's, tells the caller. */
static inline int result_of(struct selection *s, struct belay__wait *winner)
{
	struct belay_case *c;

	if (s->nearest && winner == &s->timeout.wait)
		return conclude(s, s->nearest, 0);
	c = belay__container(winner, struct belay_case, wait);
	return conclude(s, c, moves_element(c) ? (int)winner->result : -EPIPE);
}

/* ---- Public ---------------------------------------------------------------------------------- */

static int check(struct belay_case *c)
{
	if (!c->chan)
		return 0;
	return c->kind == BELAY_CASE_SEND ? check_send(c->chan, c->element, c->size)
					  : check_recv(c->chan, c->size);
}

static void add_end(struct selection *s, struct belay_case *c)
{
	s->ready |= is_closed(c->chan);
	c->next = s->ends;
	s->ends = c;
}

static void add_time(struct selection *s, struct belay_case *c)
{
	s->ready |= c->ns <= 0;
	if (c->ns != BELAY_FOREVER && (!s->nearest || c->ns < s->nearest->ns))
		s->nearest = c;
}

static void add_mover(struct selection *s, struct belay_case *c)
{
	s->moving++;
	c->next = s->movers;
	s->movers = c;
}

static inline int prepare(struct selection *s, struct belay_case *cases, size_t n)
{
	s->cases = cases;
	s->n = n;
	s->moving = 0;
	s->movers = s->ends = s->nearest = NULL;
	s->ready = false;
	if (n > INT32_MAX)
		return -EINVAL;
	for (size_t i = 0; i < n; i++) {
		struct belay_case *c = &cases[i];
		int err = check(c);

		if (err < 0)
			return err;
		c->order = (unsigned)i;
		if (c->kind == BELAY_CASE_TIMEOUT)
			add_time(s, c);
		else if (moves_element(c))
			add_mover(s, c);
		else if (c->chan)
			add_end(s, c);
	}
	return 0;
}

int belay_select_n(belay_ctx *ctx, struct belay_case *cases, size_t n)
{
	belay_chan *done = belay_done(ctx);
	struct belay__wait *winner;
	struct selection s;
	int err = err_of(ctx, done);

	if (err < 0)
		return err;
	err = prepare(&s, cases, n);
	if (err < 0)
		return err;
	err = try_or_queue(&s, true);
	if (err != -EAGAIN)
		return err;
	winner = block(&s, done);
	return winner ? result_of(&s, winner) : why_closed(done);
}

int belay_try_select_n(struct belay_case *cases, size_t n)
{
	struct selection s;
	int err = prepare(&s, cases, n);

	return err < 0 ? err : try_or_queue(&s, false);
}
