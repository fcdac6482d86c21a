/* SPDX-License-Identifier: MIT
 *
 * select.c - one of several sends, receives, ends and times.
 *
 * Passes      1. Try the cases one by one in random order, each under its channel's lock alone: the
 *                first that can happen, happens. (Not where one channel is all there is.)
 *             2. With all channels locked: try again, in the same order. Where none can happen,
 *                queue a wait in every channel; give the locks back.
 *             3. Join the done channels one by one, and block until the nearest time at the most:
 *                the first to claim the waiter has decided.
 *             4. Leave every queue.
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
	size_t n, moving;           /* all, and those that move an element */
	struct belay_case *locked; /* cases with a channel, by its address */
	struct belay__waiter waiter;
	struct belay__timeout timeout;
	struct belay_case *nearest; /* of the times; NULL: none */
};

static struct belay__wait *wait_of(struct belay_case *c)
{
	return (struct belay__wait *)(void *)c->wait;
}

static bool waits_for_end(const struct belay_case *c)
{
	return c->chan && is_done_channel(c->chan);
}

static bool moves_element(const struct belay_case *c)
{
	return c->chan && !is_done_channel(c->chan);
}

/* ---- Order ----------------------------------------------------------------------------------- */

/* cases[i].order becomes a random permutation (Fisher and Yates, inside out). */
static void shuffle(struct belay_case *cases, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		size_t j = i > 0 ? belay__random_below(i + 1) : 0;

		cases[i].order = cases[j].order;
		cases[j].order = (unsigned)i;
	}
}

static struct belay_case *merge(struct belay_case *a, struct belay_case *b)
{
	struct belay_case *first = NULL, **end = &first;

	while (a && b) {
		struct belay_case **less = (uintptr_t)a->chan <= (uintptr_t)b->chan ? &a : &b;

		*end = *less;
		*less = (*less)->next_locked;
		end = &(*end)->next_locked;
	}
	*end = a ? a : b;
	return first;
}

/* The cases that need a lock, linked in the order of their channels' addresses. */
static struct belay_case *sort(struct belay_case *cases, size_t n)
{
	if (n == 0)
		return NULL;
	if (n == 1) {
		cases->next_locked = NULL;
		return moves_element(cases) ? cases : NULL;
	}
	return merge(sort(cases, n / 2), sort(cases + n / 2, n - n / 2));
}

static void lock_all(struct belay_case *c)
{
	belay_chan *last = NULL;

	for (; c; c = c->next_locked) {
		if (c->chan != last)
			chan_lock(c->chan);
		last = c->chan;
	}
}

static void unlock_all(struct belay_case *c)
{
	belay_chan *last = NULL;

	for (; c; c = c->next_locked) {
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

/* What a case that has run tells its caller: 0, or -EPIPE for a send. result is 0 or -EPIPE. */
static int conclude(struct belay_case *c, int result)
{
	if (c->kind == BELAY_CASE_SEND)
		return result;
	if (result == -EPIPE)
		deliver_closed(c);
	else if (c->ok)
		*c->ok = true;
	return 0;
}

static inline int try_case(struct belay_case *c, struct belay__wait **ret_peer)
{
	*ret_peer = NULL;
	if (c->kind == BELAY_CASE_TIMEOUT)
		return c->ns <= 0 ? 0 : -EAGAIN;
	if (!c->chan)
		return -EAGAIN;
	if (is_done_channel(c->chan))
		return is_closed(c->chan) ? -EPIPE : -EAGAIN;
	if (c->kind == BELAY_CASE_SEND)
		return send_now(chan_of(c->chan), c->element, ret_peer);
	return recv_now(chan_of(c->chan), c->element, ret_peer);
}

/* The index of the case that ran, -EPIPE, or -EAGAIN. */
static int try_all(struct belay_case *cases, size_t n, struct belay__wait **ret_peer)
{
	*ret_peer = NULL;
	for (size_t i = 0; i < n; i++) {
		struct belay_case *c = &cases[cases[i].order];
		int result = try_case(c, ret_peer);

		if (result != -EAGAIN) {
			result = conclude(c, result);
			return result < 0 ? result : (int)(c - cases);
		}
	}
	return -EAGAIN;
}

/* The same, each case under its own lock. */
static int try_each(struct belay_case *cases, size_t n, struct belay__wait **ret_peer)
{
	*ret_peer = NULL;
	for (size_t i = 0; i < n; i++) {
		struct belay_case *c = &cases[cases[i].order];
		bool locks = moves_element(c);
		int result;

		if (locks)
			chan_lock(c->chan);
		result = try_case(c, ret_peer);
		if (locks)
			chan_unlock(c->chan);
		if (result != -EAGAIN) {
			result = conclude(c, result);
			return result < 0 ? result : (int)(c - cases);
		}
	}
	return -EAGAIN;
}

static void queue_all(struct selection *s)
{
	belay__waiter_init(&s->waiter);
	s->waiter.why = BELAY__WHY_SELECT;
	for (size_t i = 0; i < s->n; i++)
		belay__wait_init(wait_of(&s->cases[i]), &s->waiter);
	for (struct belay_case *c = s->locked; c; c = c->next_locked) {
		wait_of(c)->element = c->element;
		belay__list_append(c->kind == BELAY_CASE_SEND ? &chan_of(c->chan)->senders
							      : &chan_of(c->chan)->receivers,
				   &wait_of(c)->link);
	}
}

/* ---- Passes 3 and 4 -------------------------------------------------------------------------- */

/* Waits for all ends among the cases. False: the waiter has been claimed already; by whom is in
 * *ret. A claim that others have won is theirs to wake. */
static bool join_ends(struct selection *s, struct belay__wait **ret)
{
	for (size_t i = 0; i < s->n; i++) {
		struct belay_case *c = &s->cases[i];

		if (!waits_for_end(c) || belay__done_join(c->chan, wait_of(c)))
			continue;
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
	for (size_t i = 0; i < s->n; i++)
		if (waits_for_end(&s->cases[i]))
			belay__done_leave(s->cases[i].chan, wait_of(&s->cases[i]));
	if (s->moving == 1 && winner == wait_of(s->locked))
		return;
	lock_all(s->locked);
	for (struct belay_case *c = s->locked; c; c = c->next_locked)
		if (belay__list_linked(&wait_of(c)->link))
			belay__list_remove(&wait_of(c)->link);
	unlock_all(s->locked);
}

/* The reason that won; NULL: the context's end. */
static struct belay__wait *block(belay_ctx *ctx, struct selection *s)
{
	struct belay__wait *winner;

	if (s->nearest)
		belay__timeout_init(&s->timeout, &s->waiter, belay__moment(s->nearest->ns));
	if (join_ends(s, &winner))
		winner = belay__block_until(ctx, &s->waiter, s->nearest ? &s->timeout : NULL);
	leave_all(s, winner);
	return winner;
}

static int result_of(belay_ctx *ctx, struct selection *s, struct belay__wait *winner)
{
	struct belay_case *c;
	int result;

	if (!winner)
		return belay_err(ctx);
	if (s->nearest && winner == &s->timeout.wait)
		return (int)(s->nearest - s->cases);
	c = belay__container(winner, struct belay_case, wait);
	result = conclude(c, waits_for_end(c) ? -EPIPE : (int)winner->result);
	return result < 0 ? result : (int)(c - s->cases);
}

/* ---- Public ---------------------------------------------------------------------------------- */

static int check(struct belay_case *c)
{
	if (!c->chan)
		return 0;
	return c->kind == BELAY_CASE_SEND ? check_send(c->chan, c->element, c->size)
					  : check_recv(c->chan, c->size);
}

static bool is_ready_without_lock(const struct belay_case *c)
{
	return c->kind == BELAY_CASE_TIMEOUT ? c->ns <= 0
					     : waits_for_end(c) && is_closed(c->chan);
}

/* What all passes need to know of c. */
static int add(struct selection *s, struct belay_case *c, bool *ret_ready)
{
	int err = check(c);

	if (err < 0)
		return err;
	*ret_ready |= is_ready_without_lock(c);
	c->order = (unsigned)(c - s->cases);
	if (moves_element(c)) {
		s->moving++;
		s->locked = c;
		c->next_locked = NULL;
	}
	if (c->kind == BELAY_CASE_TIMEOUT && c->ns != BELAY_FOREVER &&
	    (!s->nearest || c->ns < s->nearest->ns))
		s->nearest = c;
	return 0;
}

/* Chance is asked where more than one case may be ready. */
static int prepare(struct selection *s, struct belay_case *cases, size_t n)
{
	bool ready = false;

	s->cases = cases;
	s->n = n;
	s->moving = 0;
	s->locked = s->nearest = NULL;
	if (n > INT32_MAX)
		return -EINVAL;
	for (size_t i = 0; i < n; i++) {
		int err = add(s, &cases[i], &ready);

		if (err < 0)
			return err;
	}
	if (s->moving > 1 || ready)
		shuffle(cases, n);
	return 0;
}

/* Passes 1 and 2. queues: in every channel, where nothing can happen. */
static int try_or_queue(struct selection *s, bool queues)
{
	struct belay__wait *peer;
	int result = s->moving > 1 ? try_each(s->cases, s->n, &peer) : -EAGAIN;

	if (result == -EAGAIN) {
		if (s->moving > 1)
			s->locked = sort(s->cases, s->n);
		lock_all(s->locked);
		result = try_all(s->cases, s->n, &peer);
		if (result == -EAGAIN && queues)
			queue_all(s);
		unlock_all(s->locked);
	}
	if (peer)
		belay__wait_wake(peer);
	return result;
}

int belay_select_n(belay_ctx *ctx, struct belay_case *cases, size_t n)
{
	struct selection s;
	int err = belay_err(ctx);

	if (err < 0)
		return err;
	err = prepare(&s, cases, n);
	if (err < 0)
		return err;
	err = try_or_queue(&s, true);
	return err == -EAGAIN ? result_of(ctx, &s, block(ctx, &s)) : err;
}

int belay_try_select_n(struct belay_case *cases, size_t n)
{
	struct selection s;
	int err = prepare(&s, cases, n);

	return err < 0 ? err : try_or_queue(&s, false);
}
