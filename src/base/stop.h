/* SPDX-License-Identifier: MIT
 *
 * stop.h - what the rooms have to forget when belay_shutdown() has stopped all threads.
 *
 * The task room can't know those above it, so they leave word here.
 */
#ifndef BELAY_SRC_BASE_STOP_H
#define BELAY_SRC_BASE_STOP_H

#include <stdatomic.h>
#include <stdint.h>

/* Static, with fn filled in. */
struct belay__stop {
	void (*fn)(void);
	_Atomic uint32_t registered; /* not a bool: some processors exchange no bytes */
	struct belay__stop *next;
};

/* Has fn called by every belay_shutdown() from now on. Any thread, any number of times. */
void belay__stop_register(struct belay__stop *stop);

/* Calls all of them, the latest first; for belay_shutdown(), once the workers, the pool and the
 * clock have stopped. */
void belay__stop_all(void);

#endif
