/* SPDX-License-Identifier: MIT
 *
 * memory.c - memory and calls that go with a context.
 *
 * owned is a stack that is only pushed to, by anybody, until the last reference has gone; so a
 * compare-and-swap is enough. Its release pairs with the acquire of the exchange that takes all.
 *
 * Deferred calls run before that, one after the other, while whoever runs them has a reference:
 * they may use the context, and may keep it. Each stays where it is, without its function. When the
 * last reference has gone for good the memory goes, and what the house has to do with it.
 */
#include "base/alloc.h"
#include "context/node.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { SHORT = 200 };

struct owned {
	struct owned *next;
	void (*fn)(void *bytes); /* NULL: nothing to call, or it has been */
	enum owned_kind kind;
	_Alignas(max_align_t) char bytes[];
};

/* ---- The stack ------------------------------------------------------------------------------- */

struct owned *belay__owned_new(enum owned_kind kind, size_t size, void (*fn)(void *bytes))
{
	struct owned *owned;

	if (size > PTRDIFF_MAX - sizeof *owned)
		return NULL;
	owned = belay__calloc(1, sizeof *owned + size);
	if (!owned)
		return NULL;
	owned->kind = kind;
	owned->fn = fn;
	return owned;
}

void *belay__owned_bytes(struct owned *owned)
{
	return owned->bytes;
}

void belay__owned_push(belay_ctx *ctx, struct owned *owned)
{
	owned->next = atomic_load_explicit(&ctx->owned, memory_order_relaxed);
	while (!atomic_compare_exchange_weak_explicit(&ctx->owned, &owned->next, owned,
						      memory_order_release, memory_order_relaxed))
		;
}

/* Acquire pairs with the release of the push. */
struct owned *belay__owned_find(const belay_ctx *ctx, enum owned_kind kind)
{
	struct owned *owned = atomic_load_explicit(&ctx->owned, memory_order_acquire);

	while (owned && owned->kind != kind)
		owned = owned->next;
	return owned;
}

static bool is_to_run(const struct owned *owned)
{
	return owned->kind == OWNED_CALL && owned->fn;
}

bool belay__owned_has_calls(const belay_ctx *ctx)
{
	struct owned *owned = atomic_load_explicit(&ctx->owned, memory_order_acquire);

	while (owned && !is_to_run(owned))
		owned = owned->next;
	return owned != NULL;
}

static void run(struct owned *owned)
{
	void (*fn)(void *bytes) = owned->fn;

	owned->fn = NULL;
	fn(owned->bytes);
}

/* Down to those that have been seen; then what these have pushed. */
void belay__owned_run_calls(belay_ctx *ctx)
{
	struct owned *seen = NULL, *first;

	while ((first = atomic_load_explicit(&ctx->owned, memory_order_acquire)) != seen) {
		for (struct owned *owned = first; owned != seen; owned = owned->next)
			if (is_to_run(owned))
				run(owned);
		seen = first;
	}
}

void belay__owned_free(belay_ctx *ctx)
{
	struct owned *owned, *next;

	owned = atomic_exchange_explicit(&ctx->owned, NULL, memory_order_acquire);
	for (; owned; owned = next) {
		next = owned->next;
		if (owned->fn)
			owned->fn(owned->bytes);
		belay__free(owned);
	}
}

/* ---- For the user ---------------------------------------------------------------------------- */

void *belay_alloc(belay_ctx *ctx, size_t size)
{
	struct owned *owned;

	if (!ctx || is_static(ctx))
		return NULL;
	owned = belay__owned_new(OWNED_MEMORY, size, NULL);
	if (!owned)
		return NULL;
	belay__owned_push(ctx, owned);
	return owned->bytes;
}

char *belay_strdup(belay_ctx *ctx, const char *s)
{
	size_t size = strlen(s) + 1;
	char *copy = belay_alloc(ctx, size);

	return copy ? memcpy(copy, s, size) : NULL;
}

/* Most are short, and need to be written only once. */
char *belay_sprintf(belay_ctx *ctx, const char *fmt, ...)
{
	char small[SHORT], *text = NULL;
	va_list args;
	int length;

	va_start(args, fmt);
	length = vsnprintf(small, sizeof small, fmt, args);
	va_end(args);
	if (length >= 0)
		text = belay_alloc(ctx, (size_t)length + 1);
	if (!text || length < SHORT)
		return text ? memcpy(text, small, (size_t)length + 1) : NULL;
	va_start(args, fmt);
	vsnprintf(text, (size_t)length + 1, fmt, args);
	va_end(args);
	return text;
}

struct call {
	void (*fn)(void *arg);
	void *arg;
};

static void run_call(void *bytes)
{
	struct call *call = bytes;

	call->fn(call->arg);
}

static int defer(belay_ctx *ctx, enum owned_kind kind, void (*fn)(void *arg), void *arg)
{
	struct owned *owned;

	if (!ctx || !fn)
		return -EINVAL;
	if (is_static(ctx))
		return belay_err(ctx) ? belay_err(ctx) : -EINVAL;
	owned = belay__owned_new(kind, sizeof(struct call), run_call);
	if (!owned)
		return -ENOMEM;
	*(struct call *)belay__owned_bytes(owned) = (struct call){fn, arg};
	belay__owned_push(ctx, owned);
	return 0;
}

int belay__defer_last(belay_ctx *ctx, void (*fn)(void *arg), void *arg)
{
	return defer(ctx, OWNED_LAST_CALL, fn, arg);
}

int belay_defer(belay_ctx *ctx, void (*fn)(void *arg), void *arg)
{
	return defer(ctx, OWNED_CALL, fn, arg);
}
