/* SPDX-License-Identifier: MIT
 *
 * watch.h - descriptors that the clock thread watches, for what must be noticed while every worker
 * is busy: a peer that hangs up, a signal that came.
 */
#ifndef BELAY_SRC_WAIT_WATCH_H
#define BELAY_SRC_WAIT_WATCH_H

#include <stdint.h>

/* Embedded in its owner; private to watch.c but for reading. */
struct belay__watch {
	int fd;
	uint32_t index; /* its slot; UINT32_MAX: removed */
	void (*fn)(struct belay__watch *watch, uint32_t events);
};

/* Calls fn(watch, EPOLL… bits) on the clock thread, no lock held, whenever fd has one of events
 * (EPOLLIN, EPOLLRDHUP, EPOLLONESHOT, EPOLLET …, as epoll_ctl(2)). fn must not block. fd may be
 * watched once at a time. 0, or a negative errno. */
int belay__watch_add(struct belay__watch *watch, int fd, uint32_t events,
		     void (*fn)(struct belay__watch *watch, uint32_t events));

/* Watches from now on for these events instead, and once more where a shot had been fired. Nothing
 * happens where the watch has been removed. Any thread, also inside fn. */
void belay__watch_change(struct belay__watch *watch, uint32_t events);

/* On return fn does not run and never will (unless this is called from inside fn). */
void belay__watch_remove(struct belay__watch *watch);

#endif
