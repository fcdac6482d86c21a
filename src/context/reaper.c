/* SPDX-License-Identifier: MIT
 *
 * reaper.c - a thread for the clean-up of contexts whose last reference went on the clock thread.
 *
 * What is deferred to the end of a context, and the destruction of values, is the user's code and
 * may block; the clock thread may not, or no deadline would be kept. It lets go of a context just
 * when that expires while its owner gives it up, so this thread is started late, if ever, and has
 * little to do.
 *
 * Memory      Where the thread can't be started, what is dead stays listed and the clock tries
 *             again in a while: clean-up comes late then, never on the wrong thread.
 * Locking     lock guards everything here; nothing runs under it.
 * No loss     The thread queues its waiter in the same lock section in which it has found no work;
 *             who brings work, or the end, claims that waiter in the same lock section.
 */
#include "context/reaper.h"

#include "base/stop.h"
#include "base/thread.h"
#include "context/node.h"
#include "wait/timer.h"

#define RETRY_NS BELAY_MS(10)

static struct {
	struct belay__lock lock;
	bool running, quit;
	pthread_t thread;
	belay_ctx *dead;          /* through next_dead */
	struct belay__wait *idle; /* the thread's, where it sleeps */
	bool retrying;            /* the timer is armed, or fires  */
} reaper;

static struct belay__timer retry_timer; /* touched by the clock thread alone */

static void take(void)
{
	belay__lock_take(&reaper.lock, BELAY__RANK_LEAF);
}

static void give(void)
{
	belay__lock_give(&reaper.lock, BELAY__RANK_LEAF);
}

/* The work that is there; NULL: the thread is to end. Sleeps while there is neither. */
static belay_ctx *await_work(void)
{
	for (;;) {
		struct belay__waiter waiter;
		struct belay__wait wait;
		belay_ctx *dead;
		bool quit;

		belay__waiter_init(&waiter);
		belay__wait_init(&wait, &waiter);
		take();
		dead = reaper.dead;
		quit = reaper.quit;
		reaper.dead = NULL;
		reaper.idle = dead || quit ? NULL : &wait;
		give();
		if (dead || quit)
			return dead;
		belay__waiter_park(&waiter);
	}
}

static void *reaper_main(void *unused)
{
	belay_ctx *dead;

	while ((dead = await_work()))
		belay__ctx_destroy_all(dead);
	return NULL;
}

/* With the lock held. */
static bool start(void)
{
	if (!reaper.running)
		reaper.running = belay__thread_start(&reaper.thread, "belay-reaper", reaper_main,
						     NULL) == 0;
	return reaper.running;
}

/* Who sleeps is claimed with the lock held, and woken without. */
static struct belay__wait *claim_idle(void)
{
	struct belay__wait *idle = reaper.idle;

	reaper.idle = NULL;
	return idle && belay__wait_claim(idle) ? idle : NULL;
}

/* ---- Where there is no memory for the thread ------------------------------------------------- */

static bool always(struct belay__timer *timer)
{
	return true;
}

static void retry_later(void);

static void retry(struct belay__timer *timer)
{
	bool started;

	take();
	started = !reaper.dead || start();
	reaper.retrying = !started;
	give();
	if (!started)
		retry_later();
}

static void retry_later(void)
{
	static const struct belay__timer_ops ops = {.claim = always, .fire = retry};

	belay__timer_init(&retry_timer, &ops);
	belay__timer_arm(&retry_timer, belay__moment(RETRY_NS));
}

/* ---- Start and stop -------------------------------------------------------------------------- */

/* What the thread could not be started for is cleaned up here. The clock stands still by now, so
 * that its timer is at rest. */
static void stop(void)
{
	struct belay__wait *idle;
	belay_ctx *left;
	bool running;

	take();
	running = reaper.running;
	reaper.quit = true;
	idle = claim_idle();
	give();
	if (idle)
		belay__wait_wake(idle);
	if (running)
		pthread_join(reaper.thread, NULL);
	if (reaper.retrying)
		belay__timer_disarm(&retry_timer);
	left = reaper.dead;
	reaper.dead = NULL;
	reaper.running = reaper.quit = reaper.retrying = false;
	belay__ctx_destroy_all(left);
}

void belay__reap(belay_ctx *dead)
{
	static struct belay__stop at_shutdown = {.fn = stop};
	struct belay__wait *idle;
	bool retries;

	belay__stop_register(&at_shutdown);
	take();
	dead->next_dead = reaper.dead;
	reaper.dead = dead;
	retries = !start() && !reaper.retrying;
	reaper.retrying |= retries;
	idle = claim_idle();
	give();
	if (idle)
		belay__wait_wake(idle);
	if (retries)
		retry_later();
}
