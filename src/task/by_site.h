/* SPDX-License-Identifier: MIT
 *
 * by_site.h - what was measured of tasks, by the line that spawned them. For reports.
 */
#ifndef BELAY_SRC_TASK_BY_SITE_H
#define BELAY_SRC_TASK_BY_SITE_H

#include "base/lock.h"

#include <belay/macros.h>

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* Entries stay for as long as the process. */
struct belay__by_site_entry {
	struct belay__by_site_entry *next;
	const struct belay_site *site;
	uint64_t count; /* how often something was noted; guarded by the table's lock, as is most */
	int64_t most;   /* the largest of it */
	int64_t limit;  /* that it could not have passed; 0: none */
};

/* Zeroed is empty. */
struct by_site {
	struct belay__lock lock;
	struct belay__by_site_entry *entries;
	size_t lost; /* notes for which there was no memory */
};

/* Notes an amount for site, which could not have passed limit (0: none). NULL: out of memory. */
struct belay__by_site_entry *belay__by_site_note(struct by_site *table,
						 const struct belay_site *site, int64_t amount,
						 int64_t limit);

/* The amount of entry's latest note was more, in the end. */
void belay__by_site_raise(struct by_site *table, struct belay__by_site_entry *entry,
			  int64_t amount);

/* Where there are entries: heading, a line, then print(out, entry) for each, the largest first, and
 * how many were lost. How many entries there are. */
size_t belay__by_site_print(struct by_site *table, FILE *out, const char *heading,
			    void (*print)(FILE *out, const struct belay__by_site_entry *entry));

/* "FILE:LINE in FUNCTION()", as reports name a line. */
void belay__site_print(FILE *out, const struct belay_site *site);

#endif
