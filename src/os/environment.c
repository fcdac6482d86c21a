/* SPDX-License-Identifier: MIT
 *
 * environment.c - a context as two variables, and two variables as a context.
 *
 * A deadline goes as a moment, not as what is left: a variable is inherited word for word by all
 * that a shell script starts in its time, and what was left at first would be too much for them.
 * The moment is one of CLOCK_REALTIME, which scripts and other languages can read too, and which
 * means the same in another time namespace. Where somebody sets that clock the child's idea of its
 * deadline is off by as much; its end is not, for that is this process's to bring about.
 *
 * What comes in is not trusted: it can make a context end sooner than its parent, never later.
 */
#include "os/environment.h"

#include "base/alloc.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { SECOND = 1000000000, OF_CTX = 3 + BELAY__FD_ENTRIES };

/* What is to be added to CLOCK_MONOTONIC to have CLOCK_REALTIME. */
static int64_t offset(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return BELAY_S(now.tv_sec) + now.tv_nsec - belay_now();
}

/* ---- Out ------------------------------------------------------------------------------------- */

/* "NAME" or "NAME=value": how much of it is the name. */
static size_t name_length(const char *entry)
{
	return strcspn(entry, "=");
}

static bool same_name(const char *a, const char *b)
{
	size_t length = name_length(a);

	return length == name_length(b) && strncmp(a, b, length) == 0;
}

static bool names(const char *const *list, const char *entry)
{
	for (; list && *list; list++)
		if (same_name(*list, entry))
			return true;
	return false;
}

static size_t count(const char *const *list)
{
	size_t n = 0;

	while (list && list[n])
		n++;
	return n;
}

/* A moment that is not in the years that the clock knows is left out: no context lives so long. */
static bool format_deadline(const belay_ctx *ctx, char *buf, size_t size)
{
	int64_t when;

	if (!belay_deadline(ctx, &when))
		return false;
	if (__builtin_add_overflow(when, offset(), &when) || when < 0)
		return false;
	snprintf(buf, size, BELAY__DEADLINE_NAME "=%" PRId64 ".%09" PRId64, when / SECOND,
		 when % SECOND);
	return true;
}

static bool format_trace(const belay_ctx *ctx, char *buf, size_t size)
{
	char parent[BELAY_TRACEPARENT_SIZE];

	if (belay_traceparent_format(ctx, parent) < 0)
		return false;
	snprintf(buf, size, BELAY__TRACE_NAME "=%s", parent);
	return true;
}

/* Those of ctx's, and of the descriptors that have names, as entries of a list that ends with NULL.
 * A name alone: without it. */
static void describe(struct belay__environment *environment, const belay_ctx *ctx,
		     const char *ret[OF_CTX])
{
	size_t n = 0;

	ret[n++] = format_deadline(ctx, environment->deadline, sizeof environment->deadline)
			   ? environment->deadline
			   : BELAY__DEADLINE_NAME;
	if (format_trace(ctx, environment->trace, sizeof environment->trace))
		ret[n++] = environment->trace;
	for (const char *const *entry = environment->fds.entries; *entry; entry++)
		ret[n++] = *entry;
	ret[n] = NULL;
}

/* Appends what of from is a variable, and is named in neither of the lists that come after it. */
static size_t append(char **to, size_t n, const char *const *from, const char *const *later,
		     const char *const *last)
{
	for (; from && *from; from++)
		if (strchr(*from, '=') && !names(later, *from) && !names(last, *from))
			to[n++] = (char *)*from;
	return n;
}

int belay__environment_init(struct belay__environment *environment, const belay_ctx *ctx,
			    const struct belay_command *command)
{
	const char *const *base = command->env ? command->env : (const char *const *)environ;
	const char *of_ctx[OF_CTX];
	int err = belay__fd_names_init(&environment->fds, command);
	size_t n;

	if (err < 0)
		return err;
	describe(environment, ctx, of_ctx);
	n = count(base) + count(of_ctx) + count(command->add_env) + 1;
	environment->list = belay__calloc(n, sizeof *environment->list);
	if (!environment->list) {
		belay__fd_names_fini(&environment->fds);
		return -ENOMEM;
	}
	/* The command's own word goes before the context's, be it in env or in add_env. */
	n = append(environment->list, 0, base, command->env ? NULL : of_ctx, command->add_env);
	n = append(environment->list, n, of_ctx, command->env, command->add_env);
	append(environment->list, n, command->add_env, NULL, NULL);
	return 0;
}

void belay__environment_fini(struct belay__environment *environment)
{
	belay__free(environment->list);
	belay__fd_names_fini(&environment->fds);
}

/* ---- In -------------------------------------------------------------------------------------- */

static size_t digits(const char *text)
{
	return strspn(text, "0123456789");
}

/* Digits, and where a point follows them at most nine more. Seconds that don't fit are none. */
static bool parse_moment(const char *text, int64_t *ret)
{
	size_t whole = digits(text), part = text[whole] == '.' ? digits(text + whole + 1) : 0;
	int64_t ns = 0, unit = SECOND;

	if (whole == 0 || whole > 10 || part > 9 || (text[whole] == '.' && part == 0) ||
	    text[whole + (part > 0) + part] != '\0')
		return false;
	for (size_t i = 0; i < part; i++) {
		unit /= 10;
		ns += (text[whole + 1 + i] - '0') * unit;
	}
	return !__builtin_mul_overflow(strtoll(text, NULL, 10), (int64_t)SECOND, &unit) &&
	       !__builtin_add_overflow(unit, ns, ret);
}

/* On belay_now()'s clock; BELAY_FOREVER: none. */
static int64_t deadline_of_environment(void)
{
	const char *text = secure_getenv(BELAY__DEADLINE_NAME);
	int64_t when;

	if (!text || !parse_moment(text, &when) ||
	    __builtin_sub_overflow(when, offset(), &when))
		return BELAY_FOREVER;
	return when;
}

belay_ctx *belay_from_environment_at(belay_ctx *parent, const struct belay_site *site)
{
	const char *text = secure_getenv(BELAY__TRACE_NAME);
	int64_t when = deadline_of_environment();
	belay_ctx *traced, *ctx;
	char id[33];

	if (!text || belay_traceparent_parse(text, id) < 0)
		return belay_with_deadline_at(parent, when, site);
	traced = belay_with_trace_id_at(parent, id, site);
	ctx = belay_with_deadline_at(traced, when, site);
	belay_unref(traced);
	return ctx;
}

belay_ctx *(belay_from_environment)(belay_ctx *parent)
{
	return belay_from_environment_at(parent, NULL);
}
