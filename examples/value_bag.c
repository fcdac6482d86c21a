/* SPDX-License-Identifier: MIT
 *
 * value_bag.c - what a request carries along: values, typed by their keys.
 *
 * A key is compared by its address, so two libraries that both say "trace_id" can't read each
 * other's value. A value is never changed: a child that carries a new one hides its ancestors', and
 * only from those who are given the child. A value that was moved in is destroyed with its context.
 */
#include <belay.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct user {
	int id;
	char name[16];
};

static int format_text(const void *value, char *buf, size_t size)
{
	const char *text = value;

	return snprintf(buf, size, "%s", text);
}

/* What is no larger than a pointer travels in the pointer's place, so it is copied out of it. */
static int format_number(const void *value, char *buf, size_t size)
{
	int number;

	memcpy(&number, &value, sizeof number);
	return snprintf(buf, size, "%d", number);
}

static void destroy_user(void *value)
{
	struct user *user = value;

	printf("user %s is freed\n", user->name);
	free(user);
}

/* Each line defines with_NAME(), which derives, and NAME_of(), which looks up. A user has no
 * format: whoever prints contexts into a log must not find people's names in there. */
BELAY_KEY(trace_id, const char *, .format = format_text);
BELAY_KEY(attempt, int, .format = format_number);
BELAY_KEY(user, struct user *, .destroy = destroy_user);

/* What somebody else's library may well call the same. Here without BELAY_KEY, to show what that
 * stands on. */
static const belay_key their_trace_id = {.name = "trace_id"};

static struct user *user_new(int id, const char *name)
{
	struct user *user = calloc(1, sizeof *user);

	if (user) {
		user->id = id;
		snprintf(user->name, sizeof user->name, "%s", name);
	}
	return user;
}

/* Deep inside: it was given a context and nothing else, and knows on whose behalf it works. */
static void show(const char *what, const belay_ctx *ctx)
{
	const struct user *user = user_of(ctx);
	const char *trace = trace_id_of(ctx);
	const int *theirs = belay_value(ctx, &their_trace_id);
	char path[256];

	printf("%s\n", what);
	printf("  user      %s\n", user ? user->name : "none");
	printf("  trace id  %s, attempt %d\n", trace ? trace : "none", attempt_of(ctx));
	if (theirs)
		printf("  their id  %d\n", *theirs);
	belay_format(ctx, path, sizeof path);
	printf("  path      %s\n", path);
}

static void serve(struct user *ada)
{
	static int their_number = 42;
	/* From here on ada belongs to the context, even where this derivation runs out of
	 * memory. */
	BELAY_SCOPED belay_ctx *login = with_user(belay_background(), ada);
	BELAY_SCOPED belay_ctx *request = with_trace_id(login, "7f3a");
	BELAY_SCOPED belay_ctx *library = belay_with_value(request, &their_trace_id, &their_number);
	BELAY_SCOPED belay_ctx *first_try = with_attempt(library, 1);
	BELAY_SCOPED belay_ctx *second_try = with_attempt(first_try, 2);

	show("background", belay_background());
	show("request", request);
	show("two keys of one name", library);
	show("second try hides the first", second_try);
	show("the first has not changed", first_try);
}

int main(void)
{
	struct user *ada = user_new(1, "Ada");

	if (!ada) {
		fprintf(stderr, "value_bag: %s\n", belay_strerror(-ENOMEM));
		return EXIT_FAILURE;
	}
	serve(ada);
	belay_shutdown();
	return EXIT_SUCCESS;
}
