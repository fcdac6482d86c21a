/* SPDX-License-Identifier: MIT
 *
 * view.c - a picture of all live contexts, as text and as JSON.
 *
 * A snapshot takes a reference to each context it finds in the slabs, and gives them up when the
 * picture is drawn: so nothing that it shows can go away meanwhile. Children that are made
 * meanwhile are not in it. What a reference that is given up here frees, is freed here.
 */
#include "context/view.h"

#include "base/alloc.h"
#include "base/text.h"
#include "context/node.h"

#include <belay/tree.h>

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

enum { DEEPEST = 50 }; /* what is deeper is not indented further */

struct list {
	belay_ctx **contexts;
	size_t count, room;
};

/* ---- The snapshot ---------------------------------------------------------------------------- */

static void take_one(void *arg, void *slot)
{
	struct list *list = arg;

	if (list->count < list->room && belay__try_ref(slot))
		list->contexts[list->count++] = slot;
}

static int by_address(const void *a, const void *b)
{
	uintptr_t x = (uintptr_t)*(belay_ctx *const *)a, y = (uintptr_t)*(belay_ctx *const *)b;

	return (x > y) - (x < y);
}

belay_ctx **belay__view_take(size_t *ret_count)
{
	struct list list = {.room = belay__ctx_most()};

	*ret_count = 0;
	if (list.room == 0)
		return NULL;
	list.contexts = belay__malloc(list.room * sizeof *list.contexts);
	if (!list.contexts) {
		*ret_count = SIZE_MAX;
		return NULL;
	}
	belay__ctx_visit(take_one, &list);
	qsort(list.contexts, list.count, sizeof *list.contexts, by_address);
	*ret_count = list.count;
	return list.contexts;
}

void belay__view_give(belay_ctx **contexts, size_t count)
{
	for (size_t i = 0; i < count; i++)
		belay_unref(contexts[i]);
	belay__free(contexts);
}

static void count_one(void *arg, void *slot)
{
	belay_ctx *ctx = slot;

	if (atomic_load_explicit(&ctx->refs, memory_order_relaxed) != 0)
		++*(size_t *)arg;
}

size_t belay_tree_count(void)
{
	size_t count = 0;

	belay__ctx_visit(count_one, &count);
	return count;
}

/* ---- What is said of a context --------------------------------------------------------------- */

/* A foreign text on a line of ours: what would leave the line is shown as a dot. */
static void print_clean(FILE *out, const char *text)
{
	for (; *text; text++)
		fputc((unsigned char)*text < 0x20 || *text == 0x7f ? '.' : *text, out);
}

/* Why it is done, and who said so: itself, or so many levels up. */
static void print_end(FILE *out, const belay_ctx *ctx, const belay_cause *cause)
{
	fprintf(out, "  done: %s (", belay_strerror(belay_err(ctx)));
	print_clean(out, cause->message);
	fputc(')', out);
	if (cause->file)
		fprintf(out, " at %s:%d %s()", cause->file, cause->line, cause->func);
	if (cause->levels_up > 0)
		fprintf(out, " %u up", cause->levels_up);
}

static void print_text(FILE *out, const belay_ctx *ctx, unsigned depth)
{
	char value[256];
	belay_cause cause;
	int64_t when;

	fprintf(out, "%*s%s", depth < DEEPEST ? (int)depth * 2 : DEEPEST * 2, "",
		belay__kind_name(ctx));
	if (ctx->kind == KIND_VALUE) {
		fputc(' ', out);
		print_clean(out, belay__value_name(ctx));
		if (belay__value_format(ctx, value) > 0) {
			fputc('=', out);
			print_clean(out, value);
		}
	}
	fprintf(out, "  age %.3fs", (double)belay__ctx_age(ctx) / 1e9);
	if (belay_deadline(ctx, &when))
		fprintf(out, "  deadline %+.3fs", (double)belay__until(when) / 1e9);
	if (belay_cause_of(ctx, &cause) == 0)
		print_end(out, ctx, &cause);
	if (ctx->site)
		fprintf(out, "  %s:%d %s()", ctx->site->file, ctx->site->line, ctx->site->func);
	fputc('\n', out);
}

/* A JSON string (RFC 8259, section 7); bytes that are no UTF-8 become U+FFFD. */
static void print_string(FILE *out, const char *text)
{
	fputc('"', out);
	while (*text) {
		size_t length = belay__utf8_length(text);

		if (length == 0)
			fputs("\\ufffd", out);
		else if ((unsigned char)*text < 0x20 || *text == 0x7f)
			fprintf(out, "\\u%04x", *text);
		else if (*text == '"' || *text == '\\')
			fprintf(out, "\\%c", *text);
		else
			fwrite(text, 1, length, out);
		text += length ? length : 1;
	}
	fputc('"', out);
}

static void print_member(FILE *out, const char *name, const char *text)
{
	fprintf(out, ",\"%s\":", name);
	if (text)
		print_string(out, text);
	else
		fputs("null", out);
}

static void print_value(FILE *out, const belay_ctx *ctx)
{
	char value[256];

	print_member(out, "name", belay__value_name(ctx));
	print_member(out, "value", belay__value_format(ctx, value) > 0 ? value : NULL);
}

static void print_times(FILE *out, const belay_ctx *ctx)
{
	int64_t when;

	fprintf(out, ",\"age_ns\":%" PRId64, belay__ctx_age(ctx));
	if (belay_deadline(ctx, &when))
		fprintf(out, ",\"deadline_ns\":%" PRId64, belay__until(when));
	else
		fputs(",\"deadline_ns\":null", out);
}

static void print_end_json(FILE *out, const belay_cause *cause)
{
	fprintf(out, ",\"code\":%d,\"levels_up\":%u", cause->code, cause->levels_up);
	print_member(out, "end_file", cause->file);
	fprintf(out, ",\"end_line\":%d", cause->line);
	print_member(out, "end_func", cause->func);
}

static void print_json(FILE *out, const belay_ctx *ctx)
{
	belay_cause cause;
	bool done = belay_cause_of(ctx, &cause) == 0;

	fprintf(out, "{\"id\":\"%p\"", (const void *)ctx);
	if (ctx->parent && !is_static(ctx->parent))
		fprintf(out, ",\"parent\":\"%p\"", (const void *)ctx->parent);
	else
		fputs(",\"parent\":null", out);
	print_member(out, "kind", belay__kind_name(ctx));
	print_times(out, ctx);
	print_member(out, "err", done ? belay_strerror(belay_err(ctx)) : NULL);
	print_member(out, "cause", done ? cause.message : NULL);
	if (done)
		print_end_json(out, &cause);
	if (ctx->kind == KIND_VALUE)
		print_value(out, ctx);
	print_member(out, "file", ctx->site ? ctx->site->file : NULL);
	fprintf(out, ",\"line\":%d", ctx->site ? ctx->site->line : 0);
	print_member(out, "func", ctx->site ? ctx->site->func : NULL);
	fputc('}', out);
}

/* ---- The tree -------------------------------------------------------------------------------- */

/* Contexts as a forest in arrays of indices; 0 stands for the roots, i + 1 for contexts[i]. */
struct forest {
	belay_ctx **contexts;
	size_t count;
	size_t *first, *next; /* of the children of; after this sibling; 0: none */
};

static size_t index_of(const struct forest *forest, const belay_ctx *ctx)
{
	belay_ctx *const *found = bsearch(&ctx, forest->contexts, forest->count,
					  sizeof *forest->contexts, by_address);

	return found ? (size_t)(found - forest->contexts) + 1 : 0;
}

static int forest_init(struct forest *forest)
{
	forest->contexts = belay__view_take(&forest->count);
	if (forest->count == SIZE_MAX)
		return -ENOMEM;
	forest->first = belay__calloc(2 * (forest->count + 1), sizeof *forest->first);
	if (!forest->first) {
		belay__view_give(forest->contexts, forest->count);
		return -ENOMEM;
	}
	forest->next = forest->first + forest->count + 1;
	for (size_t i = forest->count; i > 0; i--) {
		const belay_ctx *parent = forest->contexts[i - 1]->parent;
		size_t above = parent && !is_static(parent) ? index_of(forest, parent) : 0;

		forest->next[i] = forest->first[above];
		forest->first[above] = i;
	}
	return 0;
}

static void forest_fini(struct forest *forest)
{
	belay__free(forest->first);
	belay__view_give(forest->contexts, forest->count);
}

/* Depth first without recursion: on the way up the parent is found by its address again. */
static void print_forest(FILE *out, const struct forest *forest)
{
	size_t at = forest->first[0];
	unsigned depth = 0;

	while (at) {
		print_text(out, forest->contexts[at - 1], depth);
		if (forest->first[at]) {
			at = forest->first[at];
			depth++;
			continue;
		}
		while (at && !forest->next[at]) {
			const belay_ctx *parent = forest->contexts[at - 1]->parent;

			if (depth == 0)
				return;
			at = index_of(forest, parent);
			depth--;
		}
		at = forest->next[at];
	}
}

int belay_tree(FILE *out)
{
	struct forest forest;
	int err = forest_init(&forest);

	if (err < 0)
		return err;
	fprintf(out, "%zu live contexts\n", forest.count);
	print_forest(out, &forest);
	forest_fini(&forest);
	return ferror(out) ? -EIO : 0;
}

int belay_tree_json(FILE *out)
{
	size_t count;
	belay_ctx **contexts = belay__view_take(&count);

	if (count == SIZE_MAX)
		return -ENOMEM;
	fputc('[', out);
	for (size_t i = 0; i < count; i++) {
		if (i > 0)
			fputs(",\n", out);
		print_json(out, contexts[i]);
	}
	fputs("]\n", out);
	belay__view_give(contexts, count);
	return ferror(out) ? -EIO : 0;
}

size_t belay__view_report(FILE *out)
{
	size_t count;
	belay_ctx **contexts = belay__view_take(&count);

	if (count == SIZE_MAX) {
		fprintf(out, "belay: %zu contexts were never ended (out of memory to name them)\n",
			belay_tree_count());
		return belay_tree_count();
	}
	if (count > 0)
		fprintf(out, "belay: %zu context%s never ended:\n", count,
			count == 1 ? " was" : "s were");
	for (size_t i = 0; i < count; i++)
		print_text(out, contexts[i], 1);
	belay__view_give(contexts, count);
	return count;
}
