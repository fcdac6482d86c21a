/* SPDX-License-Identifier: MIT
 *
 * describe.c - contexts as text: "background.with_cancel.with_value(trace_id=42)".
 *
 * The names are the derivations' own, so that a person can find them in the source. A path is
 * written from its end to its beginning, since a context knows its parent only: once for the
 * length, then into place. The grammar stands in context.h: people's tools read it.
 */
#include "base/text.h"
#include "context/node.h"

#include <stdio.h>
#include <string.h>

enum { PART = 256, VALUE = 160, NAME = 64, MERGES = 1 };

static size_t format_path(const belay_ctx *ctx, const belay_ctx *highest, char *buf, size_t size,
			  int merges);
static size_t format_step(const belay_ctx *ctx, char *part, int merges);

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
	char text[PART], name[NAME + 1], shown[VALUE + 1];

	belay__escape(name, NAME, belay__value_name(ctx), "=)");
	if (belay__value_format(ctx, text) == 0)
		return snprintf(part, PART, "with_value(%s)", name);
	belay__escape(shown, VALUE, text, ")");
	return snprintf(part, PART, "with_value(%s=%s)", name, shown);
}

static int format_deadline(const struct node *node, char *part)
{
	double seconds = (double)belay__until(node->deadline) / 1e9;

	if (seconds >= 0)
		return snprintf(part, PART, "with_deadline(in %.3fs)", seconds);
	return snprintf(part, PART, "with_deadline(%.3fs ago)", -seconds);
}

/* The highest context of the path down to ctx that is shown where that has VALUE bytes at most;
 * NULL: not even ctx is. */
static const belay_ctx *highest_shown(const belay_ctx *ctx)
{
	const belay_ctx *highest = NULL;
	char part[PART];
	size_t length = 0;

	for (const belay_ctx *step = ctx; step; highest = step, step = step->parent) {
		length += format_step(step, part, MERGES) + 1;
		if (length + sizeof "..." - 1 > VALUE)
			break;
	}
	return highest;
}

/* Within a second path a merge's own is left out, or the text would cost a power of the depth. */
static int format_merge(const belay_ctx *ctx, char *part, int merges)
{
	const belay_ctx *second = belay__container(ctx, struct merge, node.ctx)->second;
	const belay_ctx *highest = merges < MERGES ? highest_shown(second) : NULL;
	char path[PART] = "";

	if (highest)
		format_path(second, highest, path, sizeof path, merges + 1);
	return snprintf(part, PART, "with_merge(%s%s%s)", highest && !highest->parent ? "" : "...",
			highest && highest->parent ? "." : "", path);
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

static const belay_ctx *above(const belay_ctx *step, const belay_ctx *highest)
{
	return step == highest ? NULL : step->parent;
}

/* The steps from highest down to ctx. A deadline's text, and any value's, can change its length
 * between the two passes: the second is cut to the first's length, and a gap is filled with
 * blanks. */
static size_t format_path(const belay_ctx *ctx, const belay_ctx *highest, char *buf, size_t size,
			  int merges)
{
	char part[PART];
	size_t length = 0, at;

	for (const belay_ctx *step = ctx; step; step = above(step, highest))
		length += format_step(step, part, merges) + (above(step, highest) ? 1 : 0);
	if (size == 0)
		return length;
	memset(buf, ' ', length < size ? length : size);
	at = length;
	for (const belay_ctx *step = ctx; step; step = above(step, highest)) {
		size_t n = format_step(step, part, merges);

		if (n > at)
			n = at;
		at -= n;
		put(buf, size, at, part, n);
		if (above(step, highest) && at > 0)
			put(buf, size, --at, ".", 1);
	}
	buf[length < size ? length : size - 1] = '\0';
	return length;
}

int belay_format(const belay_ctx *ctx, char *buf, size_t size)
{
	if (!ctx)
		return snprintf(buf, size, "null");
	return (int)format_path(ctx, NULL, buf, size, 0);
}
