/* SPDX-License-Identifier: MIT
 *
 * by_site.c - what was measured of tasks, by the line that spawned them.
 *
 * A list: a program spawns tasks at few lines, and who notes something has asked for a report.
 *
 * Locking     table->lock guards all of a table. Printing works on a copy, so that out may block.
 */
#include "task/by_site.h"

#include "base/alloc.h"

#include <stdlib.h>

static void take(struct by_site *table)
{
	belay__lock_take(&table->lock, BELAY__RANK_LEAF);
}

static void give(struct by_site *table)
{
	belay__lock_give(&table->lock, BELAY__RANK_LEAF);
}

/* ---- Noting, with the lock held -------------------------------------------------------------- */

static struct belay__by_site_entry *add(struct by_site *table, const struct belay_site *site)
{
	struct belay__by_site_entry *entry = belay__calloc(1, sizeof *entry);

	if (!entry)
		return NULL;
	entry->site = site;
	entry->next = table->entries;
	table->entries = entry;
	return entry;
}

static struct belay__by_site_entry *find(struct by_site *table, const struct belay_site *site)
{
	for (struct belay__by_site_entry *entry = table->entries; entry; entry = entry->next)
		if (entry->site == site)
			return entry;
	return add(table, site);
}

struct belay__by_site_entry *belay__by_site_note(struct by_site *table,
						 const struct belay_site *site, int64_t amount,
						 int64_t limit)
{
	struct belay__by_site_entry *entry;

	take(table);
	entry = find(table, site);
	if (!entry) {
		table->lost++;
	} else {
		entry->count++;
		if (amount > entry->most) {
			entry->most = amount;
			entry->limit = limit;
		}
	}
	give(table);
	return entry;
}

void belay__by_site_raise(struct by_site *table, struct belay__by_site_entry *entry,
			  int64_t amount)
{
	take(table);
	if (amount > entry->most)
		entry->most = amount;
	give(table);
}

/* ---- Printing -------------------------------------------------------------------------------- */

static size_t count(struct by_site *table)
{
	size_t n = 0;

	for (struct belay__by_site_entry *entry = table->entries; entry; entry = entry->next)
		n++;
	return n;
}

/* NULL: none, or no memory. */
static struct belay__by_site_entry *copy(struct by_site *table, size_t *ret_count, size_t *ret_lost)
{
	struct belay__by_site_entry *copies = NULL;
	size_t n;

	take(table);
	n = count(table);
	*ret_lost = table->lost;
	copies = n > 0 ? belay__malloc(n * sizeof *copies) : NULL;
	*ret_count = copies ? n : 0;
	if (n > 0 && !copies)
		*ret_lost += n;
	n = 0;
	for (struct belay__by_site_entry *entry = table->entries; copies && entry;
	     entry = entry->next)
		copies[n++] = *entry;
	give(table);
	return copies;
}

static int larger_first(const void *a, const void *b)
{
	const struct belay__by_site_entry *x = a, *y = b;

	return (x->most < y->most) - (x->most > y->most);
}

size_t belay__by_site_print(struct by_site *table, FILE *out, const char *heading,
			    void (*print)(FILE *out, const struct belay__by_site_entry *entry))
{
	size_t n, lost;
	struct belay__by_site_entry *copies = copy(table, &n, &lost);

	if (n + lost > 0)
		fputs(heading, out);
	if (n > 0)
		qsort(copies, n, sizeof *copies, larger_first);
	for (size_t i = 0; i < n; i++)
		print(out, &copies[i]);
	if (lost > 0)
		fprintf(out, "  and %zu more that there was no memory for\n", lost);
	belay__free(copies);
	return n + lost;
}

void belay__site_print(FILE *out, const struct belay_site *site)
{
	if (site && site->file)
		fprintf(out, "%s:%d in %s()", site->file, site->line, site->func);
	else
		fputs("an unknown line", out);
}
