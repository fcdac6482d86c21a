/* SPDX-License-Identifier: MIT
 *
 * vary.c - what an answer depends on besides its target, and lists in headers.
 */
#include "http/vary.h"

#include "http/response.h"

#include <string.h>
#include <strings.h>

bool belay__list_has(const char *list, const char *element)
{
	size_t size = strlen(element);

	while (*list) {
		size_t item = strcspn(list += strspn(list, " \t,"), ",");
		size_t name = strcspn(list, " \t,;");

		if (name == size && strncasecmp(list, element, size) == 0)
			return true;
		list += item;
	}
	return false;
}

int belay__vary(belay_response *res, const char *names)
{
	const struct belay__headers *headers = &res->headers;

	for (size_t i = 0; i < headers->count; i++)
		if (belay__same_name(belay__headers_name(headers, i), "vary") &&
		    (strcmp(belay__headers_value(headers, i), names) == 0 ||
		     belay__list_has(belay__headers_value(headers, i), names)))
			return 0;
	return belay_response_add_header(res, "Vary", names);
}
