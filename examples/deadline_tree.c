/* SPDX-License-Identifier: MIT
 *
 * deadline_tree.c - part of a request gets less time than the whole, and each end says why.
 *
 *     request
 *     |-- page
 *     `-- suggestions     20 ms, with a cause of its own
 *         `-- model       asks for an hour
 *
 * An end travels down and never up or sideways: when the suggestions run out of time, so does the
 * model, while the page goes on. When the request is cancelled afterwards, the page ends with it,
 * and the suggestions keep the error and the cause that they already had.
 */
#include <belay.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

struct tree {
	belay_ctx *request, *page, *suggestions, *model;
};

/* No derivation has an error to check: where memory runs out the result is a context that is done
 * with -ENOMEM, and the work that it is given to stops at its first call. */
static void tree_init(struct tree *t)
{
	t->request = belay_with_cancel(belay_background());
	t->page = belay_with_cancel(t->request);
	t->suggestions = belay_with_timeout_cause(t->request, BELAY_MS(20), -EBUSY,
						  "the suggestions are too slow");
	t->model = belay_with_timeout(t->suggestions, BELAY_S(3600));
}

/* Each context was derived here, so each is given up here, in any order. */
static void tree_fini(struct tree *t)
{
	belay_end(t->request);
	belay_end(t->page);
	belay_end(t->suggestions);
	belay_end(t->model);
}

static void show_one(const char *name, const belay_ctx *ctx)
{
	belay_cause cause;

	if (belay_cause_of(ctx, &cause) < 0) {
		printf("  %-12s live\n", name);
		return;
	}
	printf("  %-12s %s: %s; ", name, belay_strerror(belay_err(ctx)), cause.message);
	if (cause.levels_up == 0)
		printf("ended itself");
	else
		printf("ended %u up", cause.levels_up);
	/* A deadline has no caller; a cancel is signed with the line it stands on. */
	if (cause.func)
		printf(", by %s()", cause.func);
	printf("\n");
}

static void show(const char *when, const struct tree *t)
{
	printf("%s\n", when);
	show_one("request", t->request);
	show_one("page", t->page);
	show_one("suggestions", t->suggestions);
	show_one("model", t->model);
}

/* A child can shorten the time it is given, never lengthen it. */
static void compare_deadlines(const struct tree *t)
{
	int64_t outer, inner;

	if (belay_deadline(t->request, NULL))
		printf("the request has a deadline\n");
	if (belay_deadline(t->suggestions, &outer) && belay_deadline(t->model, &inner))
		printf("the model's deadline is %s\n", inner == outer ? "the suggestions'"
								     : "its own");
}

int main(void)
{
	struct tree t;

	tree_init(&t);
	compare_deadlines(&t);
	belay_wait(t.model); /* an end travels down: the suggestions' comes before the model's */
	show("after 20 ms", &t);
	belay_cancel_cause(t.request, -EPIPE, "the client has left");
	show("after the cancel", &t);
	tree_fini(&t);
	belay_shutdown();
	return EXIT_SUCCESS;
}
