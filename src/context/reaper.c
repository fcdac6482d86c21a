/* SPDX-License-Identifier: MIT
 *
 * reaper.c - a thread for the clean-up of contexts whose last reference went on the clock thread.
 *
 * What is deferred to the end of a context, and the destruction of values, is the user's code and
 * may block; the clock thread may not, or no deadline would be kept. It lets go of a context just
 * when that expires while its owner gives it up, so this thread is started late, if ever, and has
 * little to do.
 *
 * Locking     lock guards everything here; nothing runs under it.
 * No loss     The thread queues its waiter in the same lock section in which it has found no work;
 *             who brings work, or the end, claims that waiter in the same lock section.
 */
#include "context/reaper.h"

#include "base/stop.h"
#include "base/thread.h"
#include "context/node.h"

static struct {
	struct belay__lock lock;
	bool running, quit;
	pthread_t thread;
	belay_ctx *dead;          /* through next_dead */
	struct belay__wait *idle; /* the thread's, where it sleeps */
} reaper;

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

static void stop(void)
{
	struct belay__wait *idle;
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
	reaper.running = reaper.quit = false;
}

bool belay__reap(belay_ctx *dead)
{
	static struct belay__stop at_shutdown = {.fn = stop};
	struct belay__wait *idle = NULL;
	bool taken;

	belay__stop_register(&at_shutdown);
	take();
	taken = start();
	if (taken) {
		dead->next_dead = reaper.dead;
		reaper.dead = dead;
		idle = claim_idle();
	}
	give();
	if (idle)
		belay__wait_wake(idle);
	return taken;
}
