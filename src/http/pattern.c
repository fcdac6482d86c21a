/* SPDX-License-Identifier: MIT
 *
 * pattern.c - "GET /packages/{name}/closure" taken apart, and put into the tree of segments.
 */
#include "http/router.h"

#include "base/alloc.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

/* ---- Nodes ----------------------------------------------------------------------------------- */

struct belay__segment *belay__segment_new(const char *text, size_t size)
{
	struct belay__segment *node = belay__calloc(1, sizeof *node + size + 1);

	if (node)
		memcpy(node->text, text, size);
	return node;
}

/* Recursion goes as deep as the program's own patterns. */
void belay__segment_free(struct belay__segment *node)
{
	while (node) {
		struct belay__segment *next = node->next;

		belay__segment_free(node->texts);
		belay__segment_free(node->any);
		belay__segment_free(node->tail);
		belay__free(node);
		node = next;
	}
}

/* The node that *slot holds, made where there is none; NULL: no memory. */
static struct belay__segment *child(struct belay__segment **slot)
{
	if (!*slot)
		*slot = belay__segment_new("", 0);
	return *slot;
}

static struct belay__segment *text_child(struct belay__segment *node, const char *text, size_t size)
{
	struct belay__segment *c = node->texts;

	while (c && (strncmp(c->text, text, size) != 0 || c->text[size] != '\0'))
		c = c->next;
	if (c)
		return c;
	c = belay__segment_new(text, size);
	if (c) {
		c->next = node->texts;
		node->texts = c;
	}
	return c;
}

/* ---- Routes ---------------------------------------------------------------------------------- */

/* Room for the pattern, the method, and the names, which stand in the pattern with more around
 * them. */
static struct belay__route *route_new(const char *pattern)
{
	size_t size = strlen(pattern) + 1;
	struct belay__route *route = belay__calloc(1, sizeof *route + 3 * size);

	if (!route)
		return NULL;
	route->pattern = memcpy(route->text, pattern, size);
	route->method = route->text + size;
	return route;
}

void belay__route_free(struct belay__route *route)
{
	if (route)
		belay__chain_free(route->chain);
	belay__free(route);
}

/* Copies a name to *at, which moves behind it. */
static const char *keep(char **at, const char *text, size_t size)
{
	char *start = memcpy(*at, text, size);

	*at += size + 1;
	return start;
}

static bool is_name(const char *text, size_t size)
{
	return belay__is_token(text, size) && !memchr(text, '.', size);
}

static bool has_param(const struct belay__route *route, const char *name)
{
	for (unsigned i = 0; i < route->param_count; i++)
		if (strcmp(route->params[i].name, name) == 0)
			return true;
	return false;
}

/* "{name}" or "{name...}" as the path's segment of that index. */
static int add_param(struct belay__route *route, char **at, const char *text, size_t size,
		     size_t index)
{
	struct belay__route_param *param = &route->params[route->param_count];
	bool tail = size > 5 && memcmp(text + size - 4, "...}", 4) == 0;
	size_t name_size = size - (tail ? 5 : 2);
	const char *name;

	if (text[size - 1] != '}' || !is_name(text + 1, name_size) ||
	    route->param_count == BELAY__MOST_PARAMS)
		return -EINVAL;
	name = keep(at, text + 1, name_size);
	if (has_param(route, name))
		return -EINVAL;
	*param = (struct belay__route_param){.name = name, .segment = index, .tail = tail};
	route->param_count++;
	return 0;
}

/* Never in a request's path (RFC 3986, section 6.2.2.3): clients take them out, the server refuses
 * them. */
static bool is_dots(const char *text, size_t size)
{
	return (size == 1 || size == 2) && memcmp(text, "..", size) == 0;
}

/* Moves *node to its child for a segment of the pattern. 0; -EINVAL; -ENOMEM. */
static int descend(struct belay__segment **node, struct belay__route *route, char **at,
		   const char *text, size_t size, size_t index)
{
	int r;

	if (size > 0 && text[0] == '{') {
		r = size > 2 ? add_param(route, at, text, size, index) : -EINVAL;
		if (r < 0)
			return r;
		*node = child(route->params[route->param_count - 1].tail ? &(*node)->tail
									  : &(*node)->any);
	} else if (memchr(text, '{', size) || memchr(text, '}', size) || is_dots(text, size)) {
		return -EINVAL;
	} else {
		*node = text_child(*node, text, size);
	}
	return *node ? 0 : -ENOMEM;
}

static bool ends_in_tail(const struct belay__route *route)
{
	return route->param_count > 0 && route->params[route->param_count - 1].tail;
}

static int parse_path(struct belay__segment **node, struct belay__route *route, char *at,
		      const char *path)
{
	for (size_t i = 0; *path; i++) {
		size_t size = strcspn(path + 1, "/");
		int r = ends_in_tail(route) ? -EINVAL
					    : descend(node, route, &at, path + 1, size, i);

		if (r < 0)
			return r;
		path += 1 + size;
	}
	return 0;
}

/* Methods are told apart by case (RFC 9110, section 9.1): "get" is none that a client means. */
static bool is_method(const char *text, size_t size)
{
	static const char *const common[] = {"GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT",
					     "OPTIONS", "TRACE", "PATCH"};

	for (size_t i = 0; i < sizeof common / sizeof *common; i++)
		if (strlen(common[i]) == size && strncasecmp(common[i], text, size) == 0)
			return strncmp(common[i], text, size) == 0;
	return belay__is_token(text, size);
}

static int parse(struct belay__segment **node, struct belay__route *route)
{
	const char *path = strchr(route->pattern, '/');
	size_t size = path ? (size_t)(path - route->pattern) : 0;
	char *at = route->text + strlen(route->pattern) + 1;

	if (!path || (size > 0 && (path[-1] != ' ' || !is_method(route->pattern, size - 1))))
		return -EINVAL;
	keep(&at, route->pattern, size > 0 ? size - 1 : 0);
	return parse_path(node, route, at, path);
}

int belay__route_parse(struct belay__segment *root, const char *pattern, struct belay__route **ret,
		       struct belay__segment **ret_node)
{
	struct belay__route *route = route_new(pattern);
	struct belay__segment *node = root;
	int r;

	if (!route)
		return -ENOMEM;
	r = parse(&node, route);
	if (r < 0) {
		belay__route_free(route);
		return r;
	}
	*ret = route;
	*ret_node = node;
	return 0;
}
