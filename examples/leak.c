/* SPDX-License-Identifier: MIT
 *
 * leak.c - a task that waits for ever, the report that names it, and the mended version.
 *
 *     BELAY_REPORT=leaks ./leak           what is left at the end goes to standard error
 *     BELAY_REPORT=leaks ./leak mended    nothing is left
 *
 * The task asks for an answer that nobody will send. Both versions start it in the same way; they
 * differ in the context: the first never ends, so the wait has no way out.
 */
#include <belay.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void wait_for_answer(belay_ctx *ctx, void *arg)
{
	belay_chan *answer = arg;
	int value;
	int err = belay_recv(ctx, answer, &value);

	if (err < 0)
		printf("the task gives up: %s\n", belay_strerror(err));
	else
		printf("the task has got %d\n", value);
	belay_chan_unref(answer);
}

static int ask(belay_ctx *ctx)
{
	belay_chan *answer = belay_chan_new(sizeof(int), 0);
	int err;

	if (!answer)
		return -ENOMEM;
	err = belay_go(ctx, wait_for_answer, answer);
	if (err < 0)
		belay_chan_unref(answer);
	/* Nobody sends on the channel, and nobody but the task knows it any more. */
	return err;
}

static int forgetful(void)
{
	return ask(belay_background());
}

/* The one line that mends it: whatever this function starts ends when this function is left. */
static int mended(void)
{
	BELAY_SCOPED belay_ctx *ctx = belay_with_cancel(belay_background());

	return ask(ctx);
}

int main(int argc, char **argv)
{
	int err = argc > 1 && strcmp(argv[1], "mended") == 0 ? mended() : forgetful();

	if (err < 0)
		fprintf(stderr, "leak: %s\n", belay_strerror(err));
	belay_shutdown();
	return err < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
