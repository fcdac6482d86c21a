/* SPDX-License-Identifier: MIT
 *
 * stats.c - the process in numbers, read from where they are kept.
 *
 * Nothing is counted for this alone where it can be derived: what is ready is what is neither
 * running nor parked.
 */
#include "task/tally.h"
#include "task/worker.h"
#include "wait/timer.h"

#include <belay/stats.h>
#include <belay/tree.h>

#include <errno.h>
#include <inttypes.h>
#include <string.h>

static uint64_t at_least_0(uint64_t a, uint64_t b)
{
	return a > b ? a - b : 0;
}

static uint64_t sum(const uint64_t *counts)
{
	uint64_t n = 0;

	for (unsigned why = 0; why < BELAY__WHYS; why++)
		n += counts[why];
	return n;
}

/* The wakes were read after the parks, so there may be more of them. */
static uint64_t parked(const struct totals *totals, enum belay__why why)
{
	return at_least_0(totals->counts[TALLY_PARKS + why], totals->counts[TALLY_WAKES + why]);
}

static void fill_parked(struct belay_numbers *stats, const struct totals *totals)
{
	stats->parked_chan = parked(totals, BELAY__WHY_CHAN);
	stats->parked_select = parked(totals, BELAY__WHY_SELECT);
	stats->parked_sleep = parked(totals, BELAY__WHY_SLEEP);
	stats->parked_done = parked(totals, BELAY__WHY_DONE);
	stats->parked_sync = parked(totals, BELAY__WHY_SYNC);
	stats->parked_group = parked(totals, BELAY__WHY_GROUP);
	stats->parked_io = parked(totals, BELAY__WHY_IO);
	stats->parked_blocking = parked(totals, BELAY__WHY_BLOCKING);
	stats->parked_other = parked(totals, BELAY__WHY_OTHER);
	for (unsigned why = 0; why < BELAY__WHYS; why++)
		stats->parked += parked(totals, why);
}

static void fill_tasks(struct belay_numbers *stats, const struct totals *totals)
{
	stats->workers = totals->workers;
	stats->tasks = totals->counts[TALLY_BEGUN] - totals->counts[TALLY_ENDED] + totals->queued;
	stats->running = totals->running;
	stats->ready = at_least_0(stats->tasks, stats->running + stats->parked);
}

static void fill_totals(struct belay_numbers *stats, const struct totals *totals)
{
	stats->spawned = totals->counts[TALLY_SPAWNS] + totals->spawned;
	stats->parks = sum(&totals->counts[TALLY_PARKS]);
	stats->wakes = sum(&totals->counts[TALLY_WAKES]);
	stats->yields = totals->counts[TALLY_YIELDS];
	stats->switches = totals->counts[TALLY_BEGUN] + stats->wakes + stats->yields;
	stats->steals = totals->counts[TALLY_STEALS];
	stats->kicks = atomic_load_explicit(&belay__house.kicks, memory_order_relaxed);
	stats->sleeps = totals->counts[TALLY_SLEEPS];
	stats->spins = totals->counts[TALLY_SPINS];
}

static void fill_others(struct belay_numbers *stats, const struct totals *totals)
{
	unsigned threads, idle;

	belay__pool_count(&threads, &idle);
	stats->blocking_busy = threads - idle;
	stats->blocking_idle = idle;
	stats->timers = belay__timer_count() + totals->sleepers;
	stats->contexts = belay_tree_count();
}

void belay_stats(struct belay_numbers *ret, size_t size)
{
	struct belay_numbers stats = {0};
	struct totals totals;

	belay__totals(&totals);
	fill_parked(&stats, &totals);
	fill_tasks(&stats, &totals);
	fill_totals(&stats, &totals);
	fill_others(&stats, &totals);
	memset(ret, 0, size);
	memcpy(ret, &stats, size < sizeof stats ? size : sizeof stats);
}

/* ---- As text --------------------------------------------------------------------------------- */

struct field {
	const char *name;
	size_t offset;
};

#define FIELD(name) {#name, offsetof(struct belay_numbers, name)}

static const struct field gauges[] = {
	FIELD(workers), FIELD(tasks), FIELD(running), FIELD(ready), FIELD(parked),
	FIELD(parked_chan), FIELD(parked_select), FIELD(parked_sleep), FIELD(parked_done),
	FIELD(parked_sync), FIELD(parked_group), FIELD(parked_io), FIELD(parked_blocking),
	FIELD(parked_other), FIELD(timers), FIELD(contexts), FIELD(blocking_busy),
	FIELD(blocking_idle),
};
static const struct field counters[] = {
	FIELD(spawned), FIELD(switches), FIELD(parks), FIELD(wakes), FIELD(yields), FIELD(steals),
	FIELD(kicks), FIELD(sleeps), FIELD(spins),
};

enum { GAUGES = sizeof gauges / sizeof *gauges, COUNTERS = sizeof counters / sizeof *counters };
_Static_assert((GAUGES + COUNTERS) * sizeof(uint64_t) == sizeof(struct belay_numbers),
	       "each field is shown");

static uint64_t value_of(const struct belay_numbers *stats, const struct field *field)
{
	return *(const uint64_t *)((const char *)stats + field->offset);
}

int belay_stats_text(FILE *out)
{
	struct belay_numbers stats;

	belay_stats(&stats, sizeof stats);
	for (unsigned i = 0; i < GAUGES; i++)
		fprintf(out, "# TYPE belay_%s gauge\nbelay_%s %" PRIu64 "\n", gauges[i].name,
			gauges[i].name, value_of(&stats, &gauges[i]));
	for (unsigned i = 0; i < COUNTERS; i++)
		fprintf(out, "# TYPE belay_%s_total counter\nbelay_%s_total %" PRIu64 "\n",
			counters[i].name, counters[i].name, value_of(&stats, &counters[i]));
	return ferror(out) ? -EIO : 0;
}

int belay_stats_json(FILE *out)
{
	struct belay_numbers stats;
	const char *before = "{";

	belay_stats(&stats, sizeof stats);
	for (unsigned i = 0; i < GAUGES + COUNTERS; i++) {
		const struct field *field = i < GAUGES ? &gauges[i] : &counters[i - GAUGES];

		fprintf(out, "%s\"%s\":%" PRIu64, before, field->name, value_of(&stats, field));
		before = ",";
	}
	fputs("}\n", out);
	return ferror(out) ? -EIO : 0;
}
