/* SPDX-License-Identifier: MIT
 *
 * client_count.c - what the clients of this process have sent, and sent again, in numbers.
 *
 * Memory      The counters are relaxed: each is true by itself, and nothing depends on them. One
 *             that all processors share costs little beside a request.
 */
#include "http/client_count.h"

#include <inttypes.h>
#include <stdatomic.h>

static _Atomic uint64_t counts[BELAY__COUNTS];

void belay__client_counted(enum belay__client_count what)
{
	atomic_fetch_add_explicit(&counts[what], 1, memory_order_relaxed);
}

static void begin(FILE *out, const char *name, const char *help)
{
	fprintf(out, "# HELP belay_http_client_%s %s\n# TYPE belay_http_client_%s counter\n", name,
		help, name);
}

static void put(FILE *out, const char *name, enum belay__client_count what)
{
	fprintf(out, "belay_http_client_%s %" PRIu64 "\n", name,
		atomic_load_explicit(&counts[what], memory_order_relaxed));
}

void belay__client_counts_text(FILE *out)
{
	begin(out, "requests_total", "Requests of this process's clients.");
	put(out, "requests_total", BELAY__COUNT_REQUESTS);
	begin(out, "retries_total", "Requests that were sent again, by what went before.");
	put(out, "retries_total{reason=\"refused\"}", BELAY__COUNT_REFUSED);
	put(out, "retries_total{reason=\"reset\"}", BELAY__COUNT_RESET);
	put(out, "retries_total{reason=\"timed_out\"}", BELAY__COUNT_TIMED_OUT);
	put(out, "retries_total{reason=\"unreachable\"}", BELAY__COUNT_UNREACHABLE);
	put(out, "retries_total{reason=\"429\"}", BELAY__COUNT_429);
	put(out, "retries_total{reason=\"503\"}", BELAY__COUNT_503);
	begin(out, "retries_withheld_total", "Retries that were not made, by what forbade them.");
	put(out, "retries_withheld_total{by=\"budget\"}", BELAY__COUNT_BUDGET);
	put(out, "retries_withheld_total{by=\"deadline\"}", BELAY__COUNT_DEADLINE);
}
