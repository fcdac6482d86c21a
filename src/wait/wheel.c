/* SPDX-License-Identifier: MIT
 *
 * wheel.c - hierarchical timing wheels.
 *
 * An entry of tick t stands at the level of the highest group of six bits in which t differs from
 * the wheel's tick, in the slot that this group of t names. So every timer of a lower level is due
 * before every one of a higher level, and within a level slots are due in the order of their
 * numbers: the next slot is the lowest bit of the lowest level that is not empty.
 *
 * Invariants  (1) in a slot of level l all timers agree with tick above that level, and their
 *                 slot's number is larger than tick's own group there;
 *             (2) advancing tick to anything before the next slot's first tick keeps (1), since
 *                 tick only grows towards it.
 * When a slot of a level above 0 is reached its timers are put in again, lower. Each timer is moved
 * at most once a level, and one that is removed in time never.
 */
#include "wait/wheel.h"

static uint64_t tick_of(int64_t when)
{
	uint64_t mask = (UINT64_C(1) << BELAY__WHEEL_TICK_BITS) - 1;

	return when <= 0 ? 0 : ((uint64_t)when + mask) >> BELAY__WHEEL_TICK_BITS;
}

void belay__wheel_init(struct belay__wheel *wheel, int64_t now)
{
	wheel->tick = (uint64_t)now >> BELAY__WHEEL_TICK_BITS;
	for (int level = 0; level < BELAY__WHEEL_LEVELS; level++) {
		wheel->occupied[level] = 0;
		for (int slot = 0; slot < BELAY__WHEEL_SLOTS; slot++)
			belay__list_init(&wheel->slots[level][slot]);
	}
	belay__list_init(&wheel->due);
}

void belay__wheel_insert(struct belay__wheel *wheel, struct belay__wheel_entry *entry)
{
	uint64_t tick = tick_of(entry->when);
	int level, slot;

	if (tick <= wheel->tick) {
		belay__list_append(&wheel->due, &entry->link);
		return;
	}
	level = (63 - __builtin_clzll(tick ^ wheel->tick)) / BELAY__WHEEL_SLOT_BITS;
	slot = (int)(tick >> (level * BELAY__WHEEL_SLOT_BITS)) & (BELAY__WHEEL_SLOTS - 1);
	belay__list_append(&wheel->slots[level][slot], &entry->link);
	wheel->occupied[level] |= UINT64_C(1) << slot;
}

/* A list with one node left has its head on both sides of it: that tells which slot goes empty. It
 * may be due instead, or a list on its way there: then no slot's address. */
void belay__wheel_remove(struct belay__wheel *wheel, struct belay__wheel_entry *entry)
{
	struct belay__list *head = entry->link.next == entry->link.prev ? entry->link.next : NULL;
	uintptr_t index = ((uintptr_t)head - (uintptr_t)wheel->slots) / sizeof *head;

	belay__list_remove(&entry->link);
	if (head && index < BELAY__WHEEL_LEVELS * BELAY__WHEEL_SLOTS)
		wheel->occupied[index / BELAY__WHEEL_SLOTS] &=
			~(UINT64_C(1) << (index % BELAY__WHEEL_SLOTS));
}

/* The first tick of the next slot; false: there is none. */
static bool next_slot(const struct belay__wheel *wheel, int *level, int *slot, uint64_t *tick)
{
	for (int l = 0; l < BELAY__WHEEL_LEVELS; l++) {
		int shift = l * BELAY__WHEEL_SLOT_BITS;

		if (wheel->occupied[l] == 0)
			continue;
		*level = l;
		*slot = __builtin_ctzll(wheel->occupied[l]);
		*tick = ((wheel->tick >> shift) & ~(uint64_t)(BELAY__WHEEL_SLOTS - 1)) |
			(uint64_t)*slot;
		*tick <<= shift;
		return true;
	}
	return false;
}

/* Its timers go to due, or to a lower level. */
static void empty_slot(struct belay__wheel *wheel, int level, int slot)
{
	struct belay__list timers;
	struct belay__list *link;

	wheel->occupied[level] &= ~(UINT64_C(1) << slot);
	if (level == 0) {
		belay__list_splice(&wheel->due, &wheel->slots[level][slot]);
		return;
	}
	belay__list_init(&timers);
	belay__list_splice(&timers, &wheel->slots[level][slot]);
	while ((link = belay__list_pop(&timers)))
		belay__wheel_insert(wheel, belay__container(link, struct belay__wheel_entry, link));
}

void belay__wheel_advance(struct belay__wheel *wheel, int64_t now)
{
	uint64_t target = (uint64_t)now >> BELAY__WHEEL_TICK_BITS;
	uint64_t tick;
	int level, slot;

	while (next_slot(wheel, &level, &slot, &tick) && tick <= target) {
		wheel->tick = tick;
		empty_slot(wheel, level, slot);
	}
	if (target > wheel->tick)
		wheel->tick = target;
}

static int64_t moment_of(uint64_t tick)
{
	return tick > (uint64_t)INT64_MAX >> BELAY__WHEEL_TICK_BITS
		       ? BELAY_FOREVER
		       : (int64_t)(tick << BELAY__WHEEL_TICK_BITS);
}

int64_t belay__wheel_moment(int64_t when)
{
	return moment_of(tick_of(when));
}

int64_t belay__wheel_next(const struct belay__wheel *wheel)
{
	uint64_t tick;
	int level, slot;

	if (!belay__list_empty(&wheel->due))
		return 0;
	return next_slot(wheel, &level, &slot, &tick) ? moment_of(tick) : BELAY_FOREVER;
}
