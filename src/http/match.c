/* SPDX-License-Identifier: MIT
 *
 * match.c - finds the route for a path in the tree of segments.
 *
 * At each node text is tried before {name}, and that before {name...}; what leads nowhere is gone
 * back on, so that every node of the tree is looked at once at most. Recursion goes as deep as the
 * tree, that is, as the program's own patterns, however long the path is.
 */
#include "http/router.h"

#include <stdio.h>
#include <string.h>

static const struct belay__route *for_method(const struct belay__segment *node, const char *method)
{
	for (const struct belay__route *r = node->routes; r; r = r->next_method)
		if (strcmp(r->method, method) == 0)
			return r;
	return NULL;
}

/* HEAD is answered by GET's handler (RFC 9110, section 9.3.2). */
static const struct belay__route *choose(const struct belay__segment *node, const char *method)
{
	const struct belay__route *route = for_method(node, method);

	if (!route && strcmp(method, "HEAD") == 0)
		route = for_method(node, "GET");
	return route ? route : for_method(node, "");
}

/* Whether "GET, HEAD" names a method. */
static bool names(const char *allow, const char *method)
{
	size_t size = strlen(method);

	for (const char *p = allow; (p = strstr(p, method)); p += size)
		if ((p == allow || p[-1] == ' ') && (p[size] == ',' || p[size] == '\0'))
			return true;
	return false;
}

/* One that does not fit is left out: half a name is another method's. */
static void allow(struct belay__match *match, const char *method)
{
	size_t size = strlen(match->allow);

	if (size + strlen(method) + sizeof ", " <= sizeof match->allow &&
	    !names(match->allow, method))
		snprintf(match->allow + size, sizeof match->allow - size, "%s%s",
			 size > 0 ? ", " : "", method);
}

/* The path has led to node: takes the route for the method there, or notes those for others. */
static bool arrive(const struct belay__segment *node, struct belay__match *match)
{
	match->route = choose(node, match->method);
	for (const struct belay__route *r = node->routes; r && !match->route; r = r->next_method) {
		match->known = true;
		allow(match, r->method);
		if (strcmp(r->method, "GET") == 0)
			allow(match, "HEAD");
	}
	return match->route != NULL;
}

static bool walk(const struct belay__segment *node, size_t index, struct belay__match *match)
{
	const struct belay__target *target = match->target;
	const char *text;

	if (index == target->count)
		return arrive(node, match);
	text = target->segments + target->starts[index];
	for (const struct belay__segment *c = node->texts; c; c = c->next)
		if (strcmp(c->text, text) == 0 && walk(c, index + 1, match))
			return true;
	if (node->any && *text && walk(node->any, index + 1, match))
		return true;
	return node->tail && arrive(node->tail, match);
}

/* A target without a path ("*") matches nothing. */
void belay__match(const struct belay__segment *root, const char *method,
		  const struct belay__target *target, struct belay__match *ret)
{
	ret->method = method;
	ret->target = target;
	ret->route = NULL;
	ret->known = false;
	ret->allow[0] = '\0';
	if (target->count > 0)
		walk(root, 0, ret);
}
