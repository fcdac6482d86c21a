/* SPDX-License-Identifier: MIT
 *
 * clock.h - the clock thread, for watch.c and for the end of the program.
 */
#ifndef BELAY_SRC_WAIT_CLOCK_H
#define BELAY_SRC_WAIT_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

bool belay__on_clock_thread(void);

/* Waits until the clock is through with what it is at, where that is something. The number is
 * another one once it has begun with something since. Not from the clock thread. */
uint64_t belay__clock_settle(void);

/* An event of the clock's epoll whose data is at least BELAY__CLOCK_WATCHES is handed to
 * belay__watch_event(). */
enum { BELAY__CLOCK_WATCHES = 16 };
void belay__watch_event(uint64_t data, uint32_t events);

/* Puts what was watched before a stop on the clock's new epoll, before the clock runs. */
void belay__watch_start(int epoll);

/* Before that epoll is closed, once the clock stands still. Frees the table of watches where
 * nothing is watched. */
void belay__watch_stop(void);

/* Stops and joins the thread. Timers stay armed and watches in place, and fire once it is started
 * again. */
void belay__clock_stop(void);

#endif
