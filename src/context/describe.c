/* SPDX-License-Identifier: MIT
 *
 * describe.c - contexts as text: "background.with_cancel.with_value(trace_id=42)".
 *
 * The names are the derivations' own, so that a person can find them in the source. A path is
 * written from its end to its beginning, since a context knows its parent only: once for the
 * length, then into place. Of a value's text, and of a merge's second path, the first VALUE bytes
 * are shown.
 */
#include "context/node.h"

#include <stdio.h>
#include <string.h>

enum { PART = 256, VALUE = 160, NAME = 64, MERGES = 1 };

static size_t format_path(const belay_ctx *ctx, char *buf, size_t size, int merges);

const char *belay__kind_name(const belay_ctx *ctx)
{
	static const char *const names[] = {
		[KIND_BACKGROUND] = "background", [KIND_TODO] = "todo",
		[KIND_WITHOUT_CANCEL] = "without_cancel", [KIND_VALUE] = "with_value",
		[KIND_ERROR] = "failed", [KIND_CANCEL] = "with_cancel",
		[KIND_DEADLINE] = "with_deadline", [KIND_MERGE] = "with_merge",
	};

	return names[ctx->kind];
}

/* snprintf's result as a count of what is in a buffer of PART bytes. */
static size_t clip(int length)
{
	if (length < 0)
		return 0;
	return length < PART ? (size_t)length : PART - 1;
}

size_t belay__value_format(const belay_ctx *ctx, char *buf)
{
	const struct value *value = value_of(ctx);

	buf[0] = '\0';
	if (!value->key->format)
		return 0;
	value->key->format(value->value, buf, PART);
	buf[PART - 1] = '\0'; /* whatever it did */
	return strlen(buf);
}

const char *belay__value_name(const belay_ctx *ctx)
{
	const struct value *value = value_of(ctx);

	return value->key->name ? value->key->name : "";
}

static int format_value(const belay_ctx *ctx, char *part)
{
	char text[PART];

	if (belay__value_format(ctx, text) == 0)
		return snprintf(part, PART, "with_value(%.*s)", NAME, belay__value_name(ctx));
	return snprintf(part, PART, "with_value(%.*s=%.*s)", NAME, belay__value_name(ctx), VALUE,
			text);
}

static int format_deadline(const struct node *node, char *part)
{
	double seconds = (double)(node->deadline - belay_now()) / 1e9;

	if (seconds >= 0)
		return snprintf(part, PART, "with_deadline(in %.3fs)", seconds);
	return snprintf(part, PART, "with_deadline(%.3fs ago)", -seconds);
}

/* Within a second path a merge's own is left out, or the text would cost a power of the depth. */
static int format_merge(const belay_ctx *ctx, char *part, int merges)
{
	const struct merge *merge = belay__container(ctx, struct merge, node.ctx);
	char second[PART] = "...";

	if (merges < MERGES)
		format_path(merge->second, second, sizeof second, merges + 1);
	return snprintf(part, PART, "with_merge(%.*s)", VALUE, second);
}

/* One step of the path, into part, which holds PART bytes. */
static size_t format_step(const belay_ctx *ctx, char *part, int merges)
{
	switch (ctx->kind) {
	case KIND_VALUE:
		return clip(format_value(ctx, part));
	case KIND_DEADLINE:
		return clip(format_deadline(node_of(ctx), part));
	case KIND_MERGE:
		return clip(format_merge(ctx, part, merges));
	case KIND_ERROR:
		return clip(snprintf(part, PART, "failed(%s)", belay_strerror(belay_err(ctx))));
	default:
		return clip(snprintf(part, PART, "%s", belay__kind_name(ctx)));
	}
}

/* Copies what of part, which stands at offset at of the text, falls into buf. */
static void put(char *buf, size_t size, size_t at, const char *part, size_t length)
{
	if (at >= size)
		return;
	memcpy(buf + at, part, length < size - at ? length : size - at);
}

/* A deadline's text can change its length between the two passes: the second is cut to the first's
 * length, and a gap would be filled with blanks. */
static size_t format_path(const belay_ctx *ctx, char *buf, size_t size, int merges)
{
	char part[PART];
	size_t length = 0, at;

	for (const belay_ctx *step = ctx; step; step = step->parent)
		length += format_step(step, part, merges) + (step->parent ? 1 : 0);
	if (size == 0)
		return length;
	memset(buf, ' ', length < size ? length : size);
	at = length;
	for (const belay_ctx *step = ctx; step; step = step->parent) {
		size_t n = format_step(step, part, merges);

		if (n > at)
			n = at;
		at -= n;
		put(buf, size, at, part, n);
		if (step->parent && at > 0)
			put(buf, size, --at, ".", 1);
	}
	buf[length < size ? length : size - 1] = '\0';
	return length;
}

int belay_format(const belay_ctx *ctx, char *buf, size_t size)
{
	if (!ctx)
		return snprintf(buf, size, "null");
	return (int)format_path(ctx, buf, size, 0);
}
