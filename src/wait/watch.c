/* SPDX-License-Identifier: MIT
 *
 * watch.c - descriptors watched by the clock thread.
 *
 * An event may have been fetched before its watch was removed, so events don't carry a pointer:
 * they carry a slot's number and generation, and who removes a watch moves the slot to the next
 * generation.
 *
 * Locking     lock guards everything here, and is not held while fn runs. epoll_ctl is called under
 *             it: the kernel holds no lock of ours.
 * Stopped     epoll is -1 while the clock stands still: it is taken away under the lock before it
 *             is closed, so that nobody uses the number that another descriptor may get.
 * Waiting     belay__watch_remove() of the watch whose fn is running parks in removers until the
 *             clock thread is through with it.
 */
#include "wait/watch.h"

#include "base/alloc.h"
#include "base/lock.h"
#include "wait/clock.h"
#include "wait/timer.h"
#include "wait/wait.h"

#include <errno.h>
#include <sys/epoll.h>

struct slot {
	struct belay__watch *watch; /* NULL: free */
	uint32_t events;
	uint32_t generation;
	uint32_t next_free;         /* index + 1; 0: the end */
};

static struct {
	struct belay__lock lock;
	int epoll;                  /* the clock's; -1: none */
	struct slot *slots;
	uint32_t count, free;       /* free: index + 1; 0: none */
	uint32_t in_use;
	struct belay__watch *now_running;
	struct belay__list removers;
} watches = {.epoll = -1, .removers = {&watches.removers, &watches.removers}};

static int grow(void)
{
	uint32_t count = watches.count ? watches.count * 2 : 16;
	struct slot *slots = belay__realloc(watches.slots, count * sizeof *slots);

	if (!slots)
		return -ENOMEM;
	for (uint32_t i = watches.count; i < count; i++) {
		slots[i] = (struct slot){.next_free = watches.free};
		watches.free = i + 1;
	}
	watches.slots = slots;
	watches.count = count;
	return 0;
}

static uint64_t data_of(uint32_t index)
{
	return ((uint64_t)watches.slots[index].generation << 32 | index) + BELAY__CLOCK_WATCHES;
}

static int put_on_epoll(uint32_t index, int fd, uint32_t events)
{
	struct epoll_event event = {.events = events, .data.u64 = data_of(index)};

	return epoll_ctl(watches.epoll, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

static int add_locked(struct belay__watch *watch, uint32_t events)
{
	uint32_t index;
	int err;

	if (watches.free == 0 && grow() < 0)
		return -ENOMEM;
	index = watches.free - 1;
	err = put_on_epoll(index, watch->fd, events);
	if (err < 0)
		return err;
	watches.slots[index].events = events;
	watches.free = watches.slots[index].next_free;
	watches.slots[index].watch = watch;
	watches.in_use++;
	watch->index = index;
	return 0;
}

static void release_slot(uint32_t index)
{
	struct slot *slot = &watches.slots[index];

	slot->watch = NULL;
	slot->generation++;
	slot->next_free = watches.free;
	watches.free = index + 1;
	watches.in_use--;
}

static void leave_slot(struct belay__watch *watch)
{
	epoll_ctl(watches.epoll, EPOLL_CTL_DEL, watch->fd, NULL);
	release_slot(watch->index);
	watch->index = UINT32_MAX;
}

/* True: the caller has been queued, and has to park. */
static bool must_wait_for(struct belay__watch *watch, struct belay__wait *wait)
{
	if (watches.now_running != watch || belay__on_clock_thread())
		return false;
	belay__list_append(&watches.removers, &wait->link);
	return true;
}

int belay__watch_add(struct belay__watch *watch, int fd, uint32_t events,
		     void (*fn)(struct belay__watch *watch, uint32_t events))
{
	bool stopped = true; /* by another one, since the start */
	int err = 0;

	watch->fd = fd;
	watch->fn = fn;
	watch->index = UINT32_MAX;
	while (stopped && (err = belay__clock_start()) == 0) {
		belay__lock_take(&watches.lock, BELAY__RANK_LEAF);
		stopped = watches.epoll < 0;
		if (!stopped)
			err = add_locked(watch, events);
		belay__lock_give(&watches.lock, BELAY__RANK_LEAF);
	}
	return err;
}

/* What the kernel refuses here it would have refused before: the descriptor is registered. */
void belay__watch_change(struct belay__watch *watch, uint32_t events)
{
	struct epoll_event event = {.events = events};

	belay__lock_take(&watches.lock, BELAY__RANK_LEAF);
	if (watch->index != UINT32_MAX) {
		event.data.u64 = data_of(watch->index);
		watches.slots[watch->index].events = events;
		epoll_ctl(watches.epoll, EPOLL_CTL_MOD, watch->fd, &event);
	}
	belay__lock_give(&watches.lock, BELAY__RANK_LEAF);
}

void belay__watch_remove(struct belay__watch *watch)
{
	struct belay__waiter waiter;
	struct belay__wait wait;
	bool wait_for_it;

	belay__waiter_init(&waiter);
	belay__wait_init(&wait, &waiter);
	belay__lock_take(&watches.lock, BELAY__RANK_LEAF);
	if (watch->index != UINT32_MAX)
		leave_slot(watch);
	wait_for_it = must_wait_for(watch, &wait);
	belay__lock_give(&watches.lock, BELAY__RANK_LEAF);
	if (wait_for_it)
		belay__waiter_park(&waiter);
}

/* A descriptor that can't be added again has been closed by its owner, who owes us a removal. */
void belay__watch_start(int epoll)
{
	belay__lock_take(&watches.lock, BELAY__RANK_LEAF);
	watches.epoll = epoll;
	for (uint32_t i = 0; i < watches.count; i++)
		if (watches.slots[i].watch)
			put_on_epoll(i, watches.slots[i].watch->fd, watches.slots[i].events);
	belay__lock_give(&watches.lock, BELAY__RANK_LEAF);
}

void belay__watch_stop(void)
{
	belay__lock_take(&watches.lock, BELAY__RANK_LEAF);
	watches.epoll = -1;
	if (watches.in_use == 0) {
		belay__free(watches.slots);
		watches.slots = NULL;
		watches.count = watches.free = 0;
	}
	belay__lock_give(&watches.lock, BELAY__RANK_LEAF);
}

static struct belay__watch *begin_event(uint32_t index, uint32_t generation)
{
	struct belay__watch *watch = NULL;

	belay__lock_take(&watches.lock, BELAY__RANK_LEAF);
	if (index < watches.count && watches.slots[index].generation == generation)
		watch = watches.slots[index].watch;
	watches.now_running = watch;
	belay__lock_give(&watches.lock, BELAY__RANK_LEAF);
	return watch;
}

static void finish_event(void)
{
	struct belay__list woken;

	belay__list_init(&woken);
	belay__lock_take(&watches.lock, BELAY__RANK_LEAF);
	watches.now_running = NULL;
	belay__queue_claim_all(&watches.removers, &woken);
	belay__lock_give(&watches.lock, BELAY__RANK_LEAF);
	belay__wake_all(&woken);
}

void belay__watch_event(uint64_t data, uint32_t events)
{
	struct belay__watch *watch;

	data -= BELAY__CLOCK_WATCHES;
	watch = begin_event((uint32_t)data, (uint32_t)(data >> 32));
	if (!watch)
		return;
	watch->fn(watch, events);
	finish_event();
}
