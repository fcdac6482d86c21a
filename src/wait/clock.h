/* SPDX-License-Identifier: MIT
 *
 * clock.h - the clock thread, for watch.c and for the end of the program.
 */
#ifndef BELAY_SRC_WAIT_CLOCK_H
#define BELAY_SRC_WAIT_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

/* The clock's epoll, valid once belay__clock_start() has returned 0. An event whose data is at
 * least BELAY__CLOCK_WATCHES is handed to belay__watch_event(). */
int belay__clock_epoll(void);
bool belay__on_clock_thread(void);

enum { BELAY__CLOCK_WATCHES = 16 };
void belay__watch_event(uint64_t data, uint32_t events);

/* Puts what was watched before a stop on the clock's new epoll, before the clock runs. */
void belay__watch_start(void);

/* Frees the table of watches, once the clock stands still and nothing is watched. */
void belay__watch_stop(void);

/* Stops and joins the thread. Timers stay armed and watches in place, and fire once it is started
 * again. */
void belay__clock_stop(void);

#endif
