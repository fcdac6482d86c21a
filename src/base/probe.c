/* SPDX-License-Identifier: MIT
 *
 * probe.c - the probes that have a semaphore: each in a function of its own, called only when
 * somebody traces it.
 */
#ifdef BELAY_HAVE_PROBES

/* Makes every probe of this file name its semaphore: before sys/sdt.h is first read. */
#define _SDT_HAS_SEMAPHORES 1
#include <sys/sdt.h>

#include "base/probe.h"

#include <string.h>

/* Where tracers expect semaphores. */
#define SEMAPHORE(name) unsigned short belay_##name##_semaphore __attribute__((section(".probes")))

SEMAPHORE(ctx_new);
SEMAPHORE(ctx_end);
SEMAPHORE(deadline_fire);

static const struct belay_site unknown;

/* Reads all of a text that is to be shown: a tracer in the kernel sees only pages that are
 * there. */
static const char *touched(const char *text)
{
	if (text)
		__asm__ volatile("" : : "r"(strlen(text)));
	return text;
}

static const struct belay_site *known(const struct belay_site *site)
{
	return site ? site : &unknown;
}

void belay__probe_ctx_new(const void *ctx, const void *parent, const char *kind,
			  const struct belay_site *site)
{
	STAP_PROBE5(belay, ctx_new, ctx, parent, touched(kind), touched(known(site)->file),
		    known(site)->line);
}

void belay__probe_ctx_end(const void *ctx, int err, int code, const char *message,
			  const struct belay_site *site)
{
	STAP_PROBE6(belay, ctx_end, ctx, err, code, touched(message), touched(known(site)->file),
		    known(site)->line);
}

void belay__probe_deadline_fire(const void *ctx, int64_t late)
{
	STAP_PROBE2(belay, deadline_fire, ctx, late);
}

#else

typedef int belay__no_probes; /* a file of C has to have something in it */

#endif
