/* SPDX-License-Identifier: MIT
 *
 * probe.h - where tracers (bpftrace, perf, gdb, SystemTap) can look into a running program.
 *
 * Static probes of the provider "belay", as sys/sdt.h makes them: a nop, and a note in the library
 * that says where it is and where its arguments are. docs/tracing.md names them for users: names,
 * arguments and their order are a promise.
 *
 * Cost        Untraced, ctx_free is its nop. The others have arguments that cost something to come
 *             by, so each has a semaphore, which tracers raise: one load of a line that nobody
 *             writes, and a branch not taken. Arguments are evaluated only when traced.
 * Without     sys/sdt.h, or with -Dprobes=disabled, all of this is nothing.
 */
#ifndef BELAY_SRC_BASE_PROBE_H
#define BELAY_SRC_BASE_PROBE_H

#include <belay/macros.h>

#include <stdint.h>

#ifdef BELAY_HAVE_PROBES

#include <sys/sdt.h>

/* Raised and lowered by tracers, from outside. Hidden by name, to be one load away. */
#define BELAY__SEMAPHORE(name)                                                                     \
	extern unsigned short belay_##name##_semaphore __attribute__((visibility("hidden")))

BELAY__SEMAPHORE(ctx_new);
BELAY__SEMAPHORE(ctx_end);
BELAY__SEMAPHORE(deadline_fire);

/* The probes themselves stand in these, in probe.c, where they weigh on nobody's registers. */
void belay__probe_ctx_new(const void *ctx, const void *parent, const char *kind,
			  const struct belay_site *site);
void belay__probe_ctx_end(const void *ctx, int err, int code, const char *message,
			  const struct belay_site *site);
void belay__probe_deadline_fire(const void *ctx, int64_t late);

#define BELAY__PROBE(name, ...)                                                                    \
	(__builtin_expect(belay_##name##_semaphore, 0) ? belay__probe_##name(__VA_ARGS__) : (void)0)
#define BELAY__PROBE_CTX_FREE(ctx) STAP_PROBE1(belay, ctx_free, ctx)

#else

#define BELAY__PROBE(name, ...) ((void)0)
#define BELAY__PROBE_CTX_FREE(ctx) ((void)0)

#endif

/* A context has been made. kind: its name in belay_tree(). site may be NULL. */
#define BELAY__PROBE_CTX_NEW(ctx, parent, kind, site) BELAY__PROBE(ctx_new, ctx, parent, kind, site)

/* A context has been ended, itself and not by an ancestor. site may be NULL. */
#define BELAY__PROBE_CTX_END(ctx, err, code, message, site)                                        \
	BELAY__PROBE(ctx_end, ctx, err, code, message, site)

/* The clock ends a context, late nanoseconds after its deadline. */
#define BELAY__PROBE_DEADLINE_FIRE(ctx, late) BELAY__PROBE(deadline_fire, ctx, late)

#endif
