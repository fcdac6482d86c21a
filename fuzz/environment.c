/* SPDX-License-Identifier: MIT
 *
 * environment.c - what a program is told by the one that has started it: BELAY_DEADLINE and
 * TRACEPARENT.
 *
 * It may end a context sooner, never later; and what is handed on is what came.
 *
 * Input       a byte: whether the parent has a deadline; lines: BELAY_DEADLINE, TRACEPARENT.
 */
#include "fuzz.h"
#include "os/environment.h"

#include "base/alloc.h"

#include <belay.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* The clocks are compared anew for each word, and another process may run in between. */
#define TOLERANCE BELAY_S(5)

static const char *find(char *const *list, const char *name)
{
	size_t size = strlen(name);

	for (; *list; list++)
		if (strncmp(*list, name, size) == 0 && (*list)[size] == '=')
			return *list + size + 1;
	return NULL;
}

static void set(const char *name, const char *value)
{
	MUST((value ? setenv(name, value, 1) : unsetenv(name)) == 0);
}

/* A program that is started under ctx has its deadline and its trace. */
static void check_handed_on(belay_ctx *ctx)
{
	const char *const argv[] = {"true", NULL};
	const struct belay_command command = {.argv = argv};
	struct belay__environment environment;
	int64_t when, again;
	belay_ctx *next;

	MUST(belay__environment_init(&environment, ctx, &command) == 0);
	set("BELAY_DEADLINE", find(environment.list, "BELAY_DEADLINE"));
	set("TRACEPARENT", find(environment.list, "TRACEPARENT"));
	belay__free(environment.list);
	next = belay_from_environment(belay_background());
	if (belay_deadline(ctx, &when) && belay_deadline(next, &again))
		MUST(again - when < TOLERANCE && when - again < TOLERANCE);
	MUST(!belay_trace_id(ctx) == !belay_trace_id(next));
	MUST(!belay_trace_id(ctx) || strcmp(belay_trace_id(ctx), belay_trace_id(next)) == 0);
	belay_end(next);
}

static void check_ctx(belay_ctx *ctx, belay_ctx *parent)
{
	int64_t when, latest;
	int err = belay_err(ctx);

	MUST(err == 0 || err == -ETIME);
	if (belay_deadline(parent, &latest))
		MUST(belay_deadline(ctx, &when) && when <= latest);
	MUST(err == 0 || (belay_deadline(ctx, &when) && when <= belay_now()));
	MUST(belay_err(parent) == 0 && !belay_trace_id(parent));
}

void fuzz_one(const uint8_t *data, size_t size)
{
	struct fuzz_input in = {data, size};
	bool bounded = fuzz_byte(&in) & 1;
	char *deadline = fuzz_line(&in), *trace = fuzz_line(&in), id[33];
	belay_ctx *parent = bounded ? belay_with_timeout(belay_background(), BELAY_S(3600))
				    : belay_with_cancel(belay_background());
	belay_ctx *ctx;

	set("BELAY_DEADLINE", deadline);
	set("TRACEPARENT", trace);
	ctx = belay_from_environment(parent);
	check_ctx(ctx, parent);
	MUST((belay_traceparent_parse(trace, id) == 0) == (belay_trace_id(ctx) != NULL));
	check_handed_on(ctx);
	belay_end(ctx);
	belay_end(parent);
	free(deadline);
	free(trace);
}
