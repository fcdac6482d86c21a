/* SPDX-License-Identifier: MIT
 *
 * tracestate.c - what the tracing systems on the way have to say to their like further on: W3C
 * Trace Context (https://www.w3.org/TR/trace-context-2/), section 3.3.
 *
 *     member *( OWS "," OWS member )       member: key "=" value, or nothing
 *
 * Up to 32 members, each key once; more than 8 KiB of them are not handed on (512 bytes must be,
 * section 3.3.1.5).
 *
 * It belongs to one trace: the value that a context carries names the trace id that it came with,
 * and counts only below that, not below another id that somebody has derived since.
 */
#include "http/tracestate.h"

#include "base/alloc.h"

#include <belay/http_client.h>
#include <belay/log.h>

#include <errno.h>
#include <string.h>

enum { MOST_MEMBERS = 32, MOST_BYTES = 8192, LONGEST_KEY = 256, LONGEST_VALUE = 256 };

struct state {
	const char *text; /* behind the id */
	char id[];
};

BELAY_KEY(tracestate, struct state *, .destroy = belay__free);

/* ---- The form -------------------------------------------------------------------------------- */

static const char *skip_space(const char *at)
{
	return at + strspn(at, " \t");
}

/* Lower case and digits, and from the second one on also "_-*" "/@". Its size; 0: none. */
static size_t key_size(const char *at)
{
	static const char letters[] = "_-*/@abcdefghijklmnopqrstuvwxyz0123456789";
	size_t size = strspn(at, letters);

	return size <= LONGEST_KEY && strspn(at, letters + strlen("_-*/@")) > 0 ? size : 0;
}

/* Printable, without comma and equals sign. The space behind it is not counted as its own. */
static size_t value_size(const char *at)
{
	size_t size = 0;

	while (at[size] >= ' ' && at[size] < 0x7f && at[size] != ',' && at[size] != '=')
		size++;
	while (size > 0 && at[size - 1] == ' ')
		size--;
	return size <= LONGEST_VALUE ? size : 0;
}

/* One member and the space behind it; NULL: malformed. */
static const char *skip_member(const char *at, size_t *ret_key)
{
	size_t key = key_size(at), value;

	if (key == 0 || at[key] != '=')
		return NULL;
	value = value_size(at + key + 1);
	*ret_key = key;
	return value > 0 ? skip_space(at + key + 1 + value) : NULL;
}

static bool is_new(const char *const *keys, size_t count, const char *key, size_t size)
{
	for (size_t i = 0; i < count; i++)
		if (strncmp(keys[i], key, size) == 0 && keys[i][size] == '=')
			return false;
	return true;
}

bool belay__is_tracestate(const char *text)
{
	const char *keys[MOST_MEMBERS], *at = text;
	size_t count = 0, size;

	if (strlen(text) > MOST_BYTES)
		return false;
	for (;; at++) {
		at = skip_space(at);
		if (*at && *at != ',') {
			const char *key = at;

			at = skip_member(key, &size);
			if (!at || count == MOST_MEMBERS || !is_new(keys, count, key, size))
				return false;
			keys[count++] = key;
		}
		if (!*at)
			return count > 0;
		if (*at != ',')
			return false;
	}
}

/* ---- Public ---------------------------------------------------------------------------------- */

static belay_ctx *failed(belay_ctx *parent, int code, const char *message)
{
	belay_ctx *ctx = belay_with_cancel(parent);

	belay_cancel_cause_at(ctx, code, NULL, "%s", message);
	return ctx;
}

static struct state *state_new(const char *id, const char *text)
{
	size_t id_size = strlen(id) + 1, text_size = strlen(text) + 1;
	struct state *state = belay__malloc(sizeof *state + id_size + text_size);

	if (!state)
		return NULL;
	memcpy(state->id, id, id_size);
	state->text = memcpy(state->id + id_size, text, text_size);
	return state;
}

belay_ctx *belay_with_tracestate(belay_ctx *parent, const char *text)
{
	const char *id = belay_trace_id(parent);
	struct state *state;

	if (!text || !id || !belay__is_tracestate(text))
		return failed(parent, -EINVAL, "no tracestate, or no trace that it belongs to");
	state = state_new(id, text);
	if (!state)
		return failed(parent, -ENOMEM, "out of memory for a tracestate");
	return with_tracestate(parent, state);
}

const char *belay_tracestate(const belay_ctx *ctx)
{
	const struct state *state = tracestate_of(ctx);
	const char *id = belay_trace_id(ctx);

	return state && id && strcmp(id, state->id) == 0 ? state->text : NULL;
}
