/* SPDX-License-Identifier: MIT
 *
 * bias.c - to whom a lock is biased, and since when to nobody any more.
 */
#include "base/bias.h"

#include "base/membarrier.h"

#include <errno.h>

static void give_to(struct belay__bias *bias, const void *thread)
{
	if (belay__have_membarrier())
		atomic_store_explicit(&bias->owner, thread, memory_order_relaxed);
	else
		bias->row = BELAY__BIAS_NEVER;
}

static void count(struct belay__bias *bias, const void *thread)
{
	if (bias->latest != thread) {
		bias->latest = thread;
		bias->row = 0;
	} else if (++bias->row == BELAY__BIAS_AFTER) {
		give_to(bias, thread);
	}
}

static void revoke(struct belay__bias *bias)
{
	int saved = errno;

	atomic_store_explicit(&bias->owner, NULL, memory_order_relaxed);
	belay__membarrier();
	for (unsigned round = 0; atomic_load_explicit(&bias->inside, memory_order_acquire); round++)
		belay__lock_pause(round);
	errno = saved;
	bias->row = BELAY__BIAS_NEVER;
}

void belay__bias_take_slow(struct belay__bias *bias, struct belay__lock *lock, const void *thread,
			   enum belay__rank rank)
{
	belay__lock_take(lock, rank);
	if (atomic_load_explicit(&bias->owner, memory_order_relaxed))
		revoke(bias);
	else if (bias->row != BELAY__BIAS_NEVER)
		count(bias, thread);
}
