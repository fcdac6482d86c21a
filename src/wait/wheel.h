/* SPDX-License-Identifier: MIT
 *
 * wheel.h - timers in hierarchical wheels: O(1) to insert and remove.
 *
 * G. Varghese, T. Lauck: "Hashed and Hierarchical Timing Wheels" (1987), scheme 7. A pure
 * structure: no clock, no lock but the one its user takes around each call.
 */
#ifndef BELAY_SRC_WAIT_WHEEL_H
#define BELAY_SRC_WAIT_WHEEL_H

#include "base/list.h"

#include <belay/time.h>

#include <stdint.h>

enum {
	BELAY__WHEEL_TICK_BITS = 14, /* a tick is 16.4 us: what the wheel makes a timer late */
	BELAY__WHEEL_SLOT_BITS = 6,
	BELAY__WHEEL_SLOTS = 1 << BELAY__WHEEL_SLOT_BITS,
	BELAY__WHEEL_LEVELS = 9, /* 9 * 6 + 14 bits: more than int64_t has */
};

/* Embedded in whatever is to happen at a moment. */
struct belay__wheel_entry {
	struct belay__list link;
	int64_t when;
};

struct belay__wheel {
	uint64_t tick;                            /* all up to this one have been dealt with      */
	uint64_t occupied[BELAY__WHEEL_LEVELS];   /* bit i: slot i is not empty                   */
	struct belay__list slots[BELAY__WHEEL_LEVELS][BELAY__WHEEL_SLOTS];
	struct belay__list due;                   /* taken out by an advance: its user's to take  */
};

void belay__wheel_init(struct belay__wheel *wheel, int64_t now);

/* Puts in entry, whose when is set. */
void belay__wheel_insert(struct belay__wheel *wheel, struct belay__wheel_entry *entry);

/* Takes it out, also from due. */
void belay__wheel_remove(struct belay__wheel *wheel, struct belay__wheel_entry *entry);

/* Moves everything with when <= now (up to a tick) to due. */
void belay__wheel_advance(struct belay__wheel *wheel, int64_t now);

/* The moment from which on an advance finds due what is set for when. */
int64_t belay__wheel_moment(int64_t when);

/* The moment at which to advance next; BELAY_FOREVER: empty. Never later than a tick after the
 * earliest timer's moment; may be earlier, for a slot that has to be split. */
int64_t belay__wheel_next(const struct belay__wheel *wheel);

#endif
