/* SPDX-License-Identifier: MIT
 *
 * first.c - the first of several attempts to succeed, and the end of all others.
 *
 * The caller is the referee: it alone starts attempts, cancels the losers and frees; an attempt
 * only notes its result and wakes the referee.
 *
 * Invariants  (1) attempts[0..started) have a context, which lives until the race is freed.
 *             (2) winner, once set, stays; nothing is started after it.
 *             (3) the race is freed when running is 0, so after every attempt's last touch of it,
 *             which is its giving of the lock.
 * Locking     lock guards running, failed, winner, err and the queue, in which only the referee
 *             stands.
 */
#include "sync/sync.h"

#include "base/alloc.h"
#include "wait/timer.h"

#include <belay/group.h>
#include <belay/task.h>

#include <errno.h>
#include <limits.h>

enum { NOBODY = -1 };

struct race;

struct attempt {
	struct race *race;
	belay_ctx *ctx;
	void *arg;
};

struct race {
	belay_ctx *ctx; /* the caller's */
	int (*fn)(belay_ctx *ctx, void *arg);
	const struct belay_site *site;
	struct attempt *attempts;
	size_t started;

	struct belay__lock lock;
	struct belay__list referee;
	size_t running, failed;
	int winner;
	int err; /* of the last to fail */
};

static void take(struct race *race)
{
	belay__lock_take(&race->lock, BELAY__RANK_SYNC);
}

static void give(struct race *race)
{
	belay__lock_give(&race->lock, BELAY__RANK_SYNC);
}

/* ---- Attempts -------------------------------------------------------------------------------- */

static void note_result(struct attempt *attempt, int err)
{
	struct race *race = attempt->race;
	struct belay__wait *referee;

	take(race);
	race->running--;
	if (err) {
		race->failed++;
		race->err = err;
	} else if (race->winner == NOBODY) {
		race->winner = (int)(attempt - race->attempts);
	}
	referee = belay__queue_claim(&race->referee);
	give(race);
	if (referee)
		belay__wait_wake(referee);
}

static void run(belay_ctx *ctx, void *arg)
{
	struct attempt *attempt = arg;
	int err = attempt->race->fn(ctx, attempt->arg);

	belay__cancel_with(ctx, -ECANCELED, -ECANCELED, attempt->race->site,
			   "the attempt has returned");
	note_result(attempt, err > 0 ? -err : err);
}

static int launch(struct attempt *attempt)
{
	const struct race *race = attempt->race;
	int err;

	attempt->ctx = belay_with_cancel_at(race->ctx, race->site);
	err = belay_err(attempt->ctx);
	return err ? err : belay_go_at(attempt->ctx, run, attempt, race->site);
}

/* What can't be started counts as an attempt that failed: another one may still win. */
static void start_next(struct race *race, void *arg)
{
	struct attempt *attempt = &race->attempts[race->started++];
	int err;

	attempt->race = race;
	attempt->arg = arg;
	take(race);
	race->running++;
	give(race);
	err = launch(attempt);
	if (err)
		note_result(attempt, err);
}

/* ---- The referee ----------------------------------------------------------------------------- */

static int winner_of(struct race *race)
{
	int winner;

	take(race);
	winner = race->winner;
	give(race);
	return winner;
}

static bool is_over(struct race *race)
{
	return winner_of(race) != NOBODY || belay_err(race->ctx) != 0;
}

static void leave(struct race *race, struct belay__wait *wait)
{
	take(race);
	if (belay__list_linked(&wait->link))
		belay__list_remove(&wait->link);
	give(race);
}

/* With the lock held, which this gives: until the moment when, a result, or the end of ctx. */
static void await(struct race *race, belay_ctx *ctx, int64_t when)
{
	struct belay__waiter waiter;
	struct belay__wait wait;
	struct belay__timeout timeout;

	belay__waiter_init(&waiter);
	waiter.why = BELAY__WHY_GROUP;
	belay__wait_init(&wait, &waiter);
	belay__list_append(&race->referee, &wait.link);
	give(race);
	belay__timeout_init(&timeout, &waiter, when);
	belay__block_until(ctx, &waiter, when == BELAY_FOREVER ? NULL : &timeout);
	leave(race, &wait);
}

/* Until the next attempt may start. Each failure lets one start early; used counts those that
 * did. */
static void hold_back(struct race *race, int64_t when, size_t *used)
{
	take(race);
	if (race->winner == NOBODY && race->failed == *used)
		await(race, race->ctx, when);
	else
		give(race);
	take(race);
	if (race->failed > *used)
		++*used;
	give(race);
}

static void start_all(struct race *race, void *const args[], size_t n, int64_t stagger_ns)
{
	size_t used = 0;

	while (race->started < n && !is_over(race)) {
		start_next(race, args[race->started]);
		if (stagger_ns > 0 && race->started < n)
			hold_back(race, belay__moment(stagger_ns), &used);
	}
}

static void cancel_losers(struct race *race, int winner)
{
	for (size_t i = 0; i < race->started; i++)
		if ((int)i != winner)
			belay__cancel_with(race->attempts[i].ctx, -ECANCELED, -ECANCELED,
					   race->site, "a sibling won");
}

/* Until nobody runs. Not cut short by the end of ctx: that has reached the attempts already. */
static void join(struct race *race)
{
	bool cancelled = false;

	take(race);
	while (race->running > 0) {
		int winner = race->winner;

		if (winner != NOBODY && !cancelled) {
			give(race);
			cancel_losers(race, winner);
			cancelled = true;
			take(race);
		} else {
			await(race, belay_background(), BELAY_FOREVER);
			take(race);
		}
	}
	give(race);
}

static int result_of(const struct race *race)
{
	int err = belay_err(race->ctx);

	if (race->winner != NOBODY)
		return race->winner;
	return err ? err : race->err;
}

static void fini(struct race *race)
{
	for (size_t i = 0; i < race->started; i++)
		belay_end_at(race->attempts[i].ctx, race->site);
	belay__free(race->attempts);
}

/* Everything that the referee itself needs, so that nothing of it can fail in mid-race. */
static int init(struct race *race, size_t n)
{
	belay__list_init(&race->referee);
	race->winner = NOBODY;
	race->attempts = belay__calloc(n, sizeof *race->attempts);
	return race->attempts ? 0 : -ENOMEM;
}

/* ---- Public ---------------------------------------------------------------------------------- */

int belay_first_at(belay_ctx *ctx, int (*fn)(belay_ctx *ctx, void *arg), void *const args[],
		   size_t n, int64_t stagger_ns, const struct belay_site *site)
{
	struct race race = {.ctx = ctx, .fn = fn, .site = site};
	int err = belay_err(ctx);

	if (!fn || !args || n == 0 || n > INT_MAX || stagger_ns < 0)
		return -EINVAL;
	if (!err)
		err = init(&race, n);
	if (err)
		return err;
	start_all(&race, args, n, stagger_ns);
	join(&race);
	err = result_of(&race);
	fini(&race);
	return err;
}

int (belay_first)(belay_ctx *ctx, int (*fn)(belay_ctx *ctx, void *arg), void *const args[],
		  size_t n, int64_t stagger_ns)
{
	return belay_first_at(ctx, fn, args, n, stagger_ns, NULL);
}
