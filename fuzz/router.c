/* SPDX-License-Identifier: MIT
 *
 * router.c - patterns, and which of them a request is for.
 *
 * The router's tree must choose as one does who tries all patterns one by one and takes the best.
 *
 * Input       lines: patterns, an empty one, a method, a target.
 */
#include "fuzz.h"
#include "http/target.h"

#include <belay/http.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_PATTERNS = 24, MOST_SEGMENTS = 64 };

/* What a segment of a pattern takes, the better ones first. */
enum rank { TEXT, ANY, TAIL };

struct pattern {
	char *text;     /* as it was added                 */
	char *method;   /* "": all                         */
	char *copy;     /* of the path, cut into segments  */
	char *segments[MOST_SEGMENTS];
	enum rank ranks[MOST_SEGMENTS];
	size_t count;
};

/* What the handler has seen, and what it is to see. */
struct look {
	const struct belay__target *target;
	const struct pattern *chosen;
};

/* ---- Patterns -------------------------------------------------------------------------------- */

static enum rank rank_of(const char *segment)
{
	size_t size = strlen(segment);

	if (segment[0] != '{')
		return TEXT;
	return size > 5 && strcmp(segment + size - 4, "...}") == 0 ? TAIL : ANY;
}

/* Of one that the router has taken. */
static void cut(struct pattern *p)
{
	const char *path = strchr(p->text, '/');
	char *rest;

	p->method = fuzz_copy(p->text, path > p->text ? (size_t)(path - p->text - 1) : 0);
	p->copy = rest = fuzz_copy(path + 1, strlen(path + 1));
	for (char *segment; (segment = strsep(&rest, "/"));) {
		MUST(p->count < MOST_SEGMENTS);
		p->segments[p->count] = segment;
		p->ranks[p->count++] = rank_of(segment);
	}
}

static void release(struct pattern *p)
{
	free(p->text);
	free(p->method);
	free(p->copy);
}

static size_t slashes(const char *text)
{
	size_t n = 0;

	for (; *text; text++)
		n += *text == '/';
	return n;
}

/* ---- The plain way --------------------------------------------------------------------------- */

static bool matches(const struct pattern *p, const struct belay__target *t)
{
	for (size_t i = 0; i < p->count; i++) {
		const char *text = i < t->count ? t->segments + t->starts[i] : NULL;

		if (!text || (p->ranks[i] == ANY && !*text) ||
		    (p->ranks[i] == TEXT && strcmp(p->segments[i], text) != 0))
			return false;
		if (p->ranks[i] == TAIL)
			return true;
	}
	return p->count == t->count;
}

/* How well a pattern's method fits; 0: not at all. */
static int fits(const struct pattern *p, const char *method)
{
	if (strcmp(p->method, method) == 0 && *method)
		return 3;
	if (strcmp(method, "HEAD") == 0 && strcmp(p->method, "GET") == 0)
		return 2;
	return *p->method == '\0';
}

static bool is_better(const struct pattern *a, const struct pattern *b, const char *method)
{
	for (size_t i = 0; i < a->count && i < b->count; i++)
		if (a->ranks[i] != b->ranks[i])
			return a->ranks[i] < b->ranks[i];
	return fits(a, method) > fits(b, method);
}

static const struct pattern *best(const struct pattern *patterns, size_t count, const char *method,
				  const struct belay__target *t)
{
	const struct pattern *chosen = NULL;

	for (const struct pattern *p = patterns; p < patterns + count; p++)
		if (matches(p, t) && fits(p, method) &&
		    (!chosen || is_better(p, chosen, method)))
			chosen = p;
	return chosen;
}

static bool is_known(const struct pattern *patterns, size_t count, const struct belay__target *t)
{
	for (size_t i = 0; i < count; i++)
		if (matches(&patterns[i], t))
			return true;
	return false;
}

/* Whether "GET, HEAD" names methods of patterns that match, and no others. */
static void check_allow(const char *allow, const struct pattern *patterns, size_t count,
			const struct belay__target *t)
{
	char *copy = fuzz_copy(allow, strlen(allow)), *rest = copy;

	/* Empty: none of them fits into a header. */
	for (char *name; *allow && (name = strsep(&rest, ","));) {
		bool found = false;

		name += *name == ' ';
		for (size_t i = 0; i < count; i++)
			found |= matches(&patterns[i], t) && fits(&patterns[i], name) > 1;
		MUST(found);
	}
	free(copy);
}

/* ---- The request ----------------------------------------------------------------------------- */

static void check_param(belay_request *req, const struct look *look, size_t i)
{
	const struct pattern *p = look->chosen;
	size_t tail = p->ranks[i] == TAIL ? 5 : 2;
	char *name = fuzz_copy(p->segments[i] + 1, strlen(p->segments[i]) - tail);
	const char *text = p->ranks[i] == TAIL ? look->target->path : look->target->segments;
	const char *value = belay_request_param(req, name);

	MUST(value && strcmp(value, text + look->target->starts[i]) == 0);
	free(name);
}

static int handle(belay_ctx *ctx, belay_request *req, belay_response *res)
{
	const struct look *look = belay_request_data(req);

	MUST(look->chosen && strcmp(belay_request_route(req), look->chosen->text) == 0);
	for (size_t i = 0; i < look->chosen->count; i++)
		if (look->chosen->ranks[i] != TEXT)
			check_param(req, look, i);
	return belay_response_status(res, 200);
}

static void ask(belay_router *router, struct look *look, const struct pattern *patterns,
		size_t count, const char *method, const char *target)
{
	belay_recorder *rec = belay_recorder_new(method, target);
	struct belay__target t = {0};
	int status;

	if (!rec)
		return;
	MUST(belay__target_parse(&t, target) == 0);
	*look = (struct look){&t, t.count > 0 ? best(patterns, count, method, &t) : NULL};
	MUST(belay_recorder_serve(belay_background(), rec, router) == 0);
	status = belay_recorder_status(rec);
	if (look->chosen)
		MUST(status == 200 || status == 0);
	else
		MUST(status == (t.count > 0 && is_known(patterns, count, &t) ? 405 : 404));
	if (status == 405)
		check_allow(belay_recorder_get_header(rec, "allow"), patterns, count, &t);
	belay__target_fini(&t);
	belay_recorder_free(rec);
}

/* Adds a pattern; true where it was taken. Twice never. */
static bool add(belay_router *router, struct look *look, const char *text)
{
	int r = slashes(text) > MOST_SEGMENTS ? -EINVAL
					      : belay_router_add(router, text, handle, look);

	MUST(r == 0 || r == -EINVAL || r == -EEXIST);
	MUST(r != 0 || belay_router_add(router, text, handle, look) == -EEXIST);
	return r == 0;
}

void fuzz_one(const uint8_t *data, size_t size)
{
	struct fuzz_input in = {data, size};
	struct pattern patterns[MOST_PATTERNS] = {0};
	belay_router *router = belay_router_new();
	struct look look;
	char *text = fuzz_line(&in), *target;
	size_t count = 0;

	MUST(router != NULL);
	for (; *text && count < MOST_PATTERNS; text = fuzz_line(&in)) {
		if (add(router, &look, text)) {
			patterns[count].text = text;
			cut(&patterns[count++]);
		} else {
			free(text);
		}
	}
	free(text);
	text = fuzz_line(&in);
	target = fuzz_line(&in);
	ask(router, &look, patterns, count, text, target);
	free(text);
	free(target);
	belay_router_free(router);
	while (count > 0)
		release(&patterns[--count]);
}
