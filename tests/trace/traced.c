/* SPDX-License-Identifier: MIT
 *
 * traced.c - a few contexts for a tracer to watch: test_probes.sh. Prints the lines that the tracer
 * is to print, "late CONTEXT" but for how late.
 */
#include <belay.h>

#include <errno.h>
#include <stdio.h>

static void made(belay_ctx *ctx, belay_ctx *parent, const char *kind, int line)
{
	printf("new %p %p %s %s:%d\n", (void *)ctx, (void *)parent, kind, __FILE__, line);
}

static void ended(belay_ctx *ctx)
{
	belay_cause cause = {.code = 0};

	belay_cause_of(ctx, &cause);
	printf("end %p %d %d %s %s:%d\n", (void *)ctx, belay_err(ctx), cause.code, cause.message,
	       cause.file ? cause.file : "", cause.line);
}

static void end(belay_ctx *ctx)
{
	printf("free %p\n", (void *)ctx);
	belay_end(ctx);
}

int main(void)
{
	belay_ctx *outer = belay_with_cancel(belay_background()), *late, *inner, *plain;

	made(outer, belay_background(), "with_cancel", __LINE__ - 2);
	late = belay_with_timeout_cause(outer, BELAY_MS(1), -EBUSY, "too slow");
	made(late, outer, "with_deadline", __LINE__ - 1);
	inner = belay_with_value(late, &(const belay_key){.name = "inner"}, NULL);
	made(inner, late, "with_value", __LINE__ - 1);
	belay_wait(inner);
	ended(late);
	printf("late %p\n", (void *)late);
	plain = (belay_with_cancel)(outer);
	printf("new %p %p with_cancel :0\n", (void *)plain, (void *)outer);
	belay_cancel(plain), ended(plain);
	belay_cancel_cause(outer, -EPIPE, "%s has gone", "the reader"), ended(outer);
	end(plain);
	end(inner);
	end(late);
	end(outer);
	belay_shutdown();
}
