/* SPDX-License-Identifier: MIT
 *
 * context.c - what it costs to derive a context and end it, and to ask one that is live.
 */
#include "bench.h"

enum { DEPTH = 100 };

BELAY_KEY(number, intptr_t, .destroy = NULL);

static void derive_and_end(void *arg, long n)
{
	while (n-- > 0)
		belay_end(belay_with_cancel(arg));
}

static void derive_timeout_and_end(void *arg, long n)
{
	while (n-- > 0)
		belay_end(belay_with_timeout(arg, BELAY_S(3600)));
}

static void derive_value_and_end(void *arg, long n)
{
	while (n-- > 0)
		belay_end(with_number(arg, 1));
}

static void ask_for_the_error(void *arg, long n)
{
	while (n-- > 0)
		if (belay_err(arg) != 0)
			abort();
}

/* One operation is one child: the parent's end is all of them. */
static void end_with_children(void *arg, long n)
{
	belay_ctx *parent = belay_with_cancel(arg);
	belay_ctx **children = malloc((size_t)n * sizeof(belay_ctx *));

	for (long i = 0; i < n; i++)
		children[i] = belay_with_cancel(parent);
	belay_end(parent);
	for (long i = 0; i < n; i++)
		belay_unref(children[i]);
	free(children);
}

/* A chain of contexts, each of which the next keeps alive. */
static belay_ctx *chain(belay_ctx *root, int depth)
{
	belay_ctx *ctx = belay_ref(root);

	for (int i = 0; i < depth; i++) {
		belay_ctx *next = with_number(ctx, i);

		belay_unref(ctx);
		ctx = next;
	}
	return ctx;
}

int main(void)
{
	belay_ctx *root = belay_with_cancel(belay_background());
	belay_ctx *deep = chain(root, DEPTH);

	bench_heading();
	bench("with_cancel, end", derive_and_end, root, 200000);
	bench("with_timeout, end", derive_timeout_and_end, root, 200000);
	bench("with_value, end", derive_value_and_end, root, 200000);
	bench("err", ask_for_the_error, root, 5000000);
	bench("err, below 100 values", ask_for_the_error, deep, 5000000);
	bench("with_cancel of 10,000 children that the parent ends", end_with_children, root,
	      10000);
	belay_unref(deep);
	belay_end(root);
	belay_shutdown();
}
