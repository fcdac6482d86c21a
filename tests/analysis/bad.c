/* SPDX-License-Identifier: MIT
 *
 * bad.c - mistakes that compilers are to find: test_analysis.sh. The comment at the end of a line
 * says who finds what there; a leak is found where the variable is last read, or where the function
 * returns. No BELAY_SCOPED in here.
 */
#include <belay.h>

#include <stdlib.h>

int early_return(belay_ctx *parent);
int early_return_of_a_child(belay_ctx *parent);
int one_case_of_a_switch(belay_ctx *parent, int which);
int overwritten(belay_ctx *parent);
int never_kept(belay_ctx *parent);
int used_after_its_end(belay_ctx *parent);
int derived_from_after_its_end(belay_ctx *parent);
int ended_twice(belay_ctx *parent);
int ended_twice_on_one_path(belay_ctx *parent);
int ended_by_a_helper_too(belay_ctx *parent);
int freed(belay_ctx *parent);
int group_left_alone(belay_ctx *parent, int (*fn)(belay_ctx *ctx, void *arg));
int after_stopped_twice(belay_ctx *parent, void (*fn)(void *arg));

int early_return(belay_ctx *parent)
{
	belay_ctx *ctx = belay_with_timeout(parent, BELAY_S(1));
	int r = belay_sleep(ctx, BELAY_MS(1));

	if (r < 0)
		return r; /* gcc, clang: leak */
	belay_end(ctx);
	return 0;
}

int early_return_of_a_child(belay_ctx *parent)
{
	belay_ctx *outer = belay_with_cancel(parent);
	belay_ctx *inner = belay_with_cancel(outer);
	int r = belay_wait(inner);

	if (r < 0) {
		belay_end(inner); /* clang: leak */
		return r; /* gcc: leak */
	}
	belay_end(inner);
	belay_end(outer);
	return 0;
}

int one_case_of_a_switch(belay_ctx *parent, int which)
{
	belay_ctx *ctx = belay_with_cancel(parent);

	switch (which) {
	case 0:
		belay_cancel(ctx);
		break;
	case 1:
		belay_cancel_cause(ctx, 1, "one");
		return 1; /* gcc, clang: leak */
	}
	belay_end(ctx);
	return 0;
}

int overwritten(belay_ctx *parent)
{
	belay_ctx *ctx = belay_with_cancel(parent);

	ctx = belay_with_timeout(parent, 1);
	belay_end(ctx); /* clang: leak */
	return 0; /* gcc: leak */
}

int never_kept(belay_ctx *parent)
{
	return belay_wait(belay_with_timeout(parent, 1)); /* gcc, clang: leak */
}

int used_after_its_end(belay_ctx *parent)
{
	belay_ctx *ctx = belay_with_cancel(parent);

	belay_end(ctx);
	return belay_err(ctx); /* gcc, clang: use */
}

int derived_from_after_its_end(belay_ctx *parent)
{
	belay_ctx *child, *ctx = belay_with_cancel(parent);

	belay_end(ctx);
	child = belay_with_cancel(ctx); /* gcc, clang: use */
	belay_end(child);
	return 0;
}

int ended_twice(belay_ctx *parent)
{
	belay_ctx *ctx = belay_with_cancel(parent);

	belay_end(ctx);
	belay_end(ctx); /* gcc, clang: double */
	return 0;
}

int ended_twice_on_one_path(belay_ctx *parent)
{
	belay_ctx *ctx = belay_with_cancel(parent);
	int r = belay_wait(ctx);

	if (r < 0)
		belay_end(ctx);
	belay_end(ctx); /* gcc, clang: double */
	return r;
}

static void helper(belay_ctx *ctx)
{
	belay_end(ctx);
}

int ended_by_a_helper_too(belay_ctx *parent)
{
	belay_ctx *ctx = belay_with_cancel(parent);

	helper(ctx);
	belay_end(ctx); /* gcc, clang: double */
	return 0;
}

int freed(belay_ctx *parent)
{
	belay_ctx *ctx = belay_with_cancel(parent);

	free(ctx); /* gcc: mismatch */
	return 0;
}

int group_left_alone(belay_ctx *parent, int (*fn)(belay_ctx *ctx, void *arg))
{
	belay_group *group = belay_group_new(parent);
	int r = belay_group_go(group, fn, NULL);

	if (r < 0)
		return r; /* gcc: leak */
	return belay_group_wait(group);
}

int after_stopped_twice(belay_ctx *parent, void (*fn)(void *arg))
{
	belay_after *after = belay_after_func(parent, fn, NULL);

	belay_after_stop(after);
	return belay_after_stop(after); /* gcc, clang: double */
}
