/* SPDX-License-Identifier: MIT
 *
 * first.c - ask several sources at once, take the first answer, and tell the others to stop.
 *
 * belay_first() returns only when all of them have returned. So the sources may stand on the
 * caller's stack, the tasks may write into them without a lock, and the caller reads them
 * afterwards.
 */
#include <belay.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

struct source {
	const char *name;
	int64_t latency; /* how long it takes to answer, or to fail        */
	int failure;     /* what it answers with: 0, or a negative errno   */
	char story[80];  /* how it went; empty: it was never asked         */
};

static int stopped(struct source *s, belay_ctx *ctx)
{
	belay_cause cause;

	if (belay_cause_of(ctx, &cause) == 0)
		snprintf(s->story, sizeof s->story, "told to stop: %s", cause.message);
	return belay_err(ctx);
}

static int ask(belay_ctx *ctx, void *arg)
{
	struct source *s = arg;

	if (belay_sleep(ctx, s->latency) < 0)
		return stopped(s, ctx);
	snprintf(s->story, sizeof s->story, "%s",
		 s->failure ? belay_strerror(s->failure) : "answered");
	return s->failure;
}

static void show(const char *how, int winner, const struct source *s, size_t n)
{
	size_t i;

	printf("%s: %s\n", how, winner < 0 ? belay_strerror(winner) : s[winner].name);
	for (i = 0; i < n; i++)
		printf("  %-8s %s\n", s[i].name, s[i].story[0] ? s[i].story : "never asked");
}

static void all_at_once(belay_ctx *ctx)
{
	struct source s[] = {
		{.name = "origin", .latency = BELAY_S(3600)},
		{.name = "mirror", .latency = 0, .failure = -EHOSTUNREACH},
		{.name = "cache", .latency = BELAY_MS(100)},
	};
	void *const args[] = {&s[0], &s[1], &s[2]};

	show("all at once", belay_first(ctx, ask, args, 3, 0), s, 3);
}

/* A hedge: the next one is asked only when the one before has failed, or has taken too long. It
 * costs one request where all is well. */
static void one_after_another(belay_ctx *ctx)
{
	struct source s[] = {
		{.name = "mirror", .latency = 0, .failure = -EHOSTUNREACH},
		{.name = "cache", .latency = BELAY_MS(100)},
		{.name = "origin", .latency = 0},
	};
	void *const args[] = {&s[0], &s[1], &s[2]};

	show("one after another", belay_first(ctx, ask, args, 3, BELAY_S(3600)), s, 3);
}

static void none(belay_ctx *ctx)
{
	struct source s[] = {
		{.name = "mirror", .latency = 0, .failure = -EHOSTUNREACH},
		{.name = "origin", .latency = BELAY_MS(100), .failure = -ECONNREFUSED},
	};
	void *const args[] = {&s[0], &s[1]};

	show("none", belay_first(ctx, ask, args, 2, 0), s, 2);
}

int main(void)
{
	belay_ctx *ctx = belay_with_timeout(belay_background(), BELAY_S(60));

	all_at_once(ctx);
	one_after_another(ctx);
	none(ctx);
	belay_end(ctx);
	belay_shutdown();
	return EXIT_SUCCESS;
}
