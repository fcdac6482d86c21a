/* SPDX-License-Identifier: MIT
 *
 * client_check.c - what is wrong with a call, in words.
 *
 * Nothing that a caller gives can break out of its place: methods and header names are tokens
 * (RFC 9110, section 5.6.2), values have no control characters, and the headers that say where a
 * message ends are curl's own.
 *
 * The words go straight to the caller's buffer, so that nothing can fail on the way. They show no
 * value of a header, which may be secret, and no control character, since logs are where they end.
 */
#include "client.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void replace_controls(char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < ' ' || *text == 127)
			*text = '?';
}

int belay__explain(const struct belay_http_call *call, int err, const char *format, ...)
{
	va_list args;

	if (!call || !call->error || call->error_size == 0)
		return err;
	va_start(args, format);
	vsnprintf(call->error, call->error_size, format, args);
	va_end(args);
	replace_controls(call->error);
	return err;
}

bool belay__is_one_of(const char *name, const char *const *list)
{
	for (; *list; list++)
		if (belay__same_name(name, *list))
			return true;
	return false;
}

static bool is_token(const char *text)
{
	return belay__is_token(text, strlen(text));
}

static int check_header(const struct belay_http_call *call, const struct belay_http_header *header)
{
	static const char *const ours[] = {"Content-Length", "Transfer-Encoding", "Connection",
					   "Trailer",        "Upgrade",           NULL};
	const char *name = header->name, *value = header->value;

	if (!name)
		return belay__explain(call, -EINVAL, "a header has no name");
	if (!is_token(name))
		return belay__explain(call, -EINVAL, "a header's name is no token: \"%s\"", name);
	if (!value)
		return belay__explain(call, -EINVAL, "the header %s has no value", name);
	if (!belay__is_field_value(value, strlen(value)))
		return belay__explain(call, -EINVAL,
				      "the value of the header %s has control characters", name);
	if (belay__is_one_of(name, ours))
		return belay__explain(call, -EINVAL, "the header %s is the client's own", name);
	return 0;
}

int belay__call_check(const struct belay_http_call *call)
{
	int err = 0;

	if (!call)
		return -EINVAL;
	if (!call->url)
		return belay__explain(call, -EINVAL, "the call has no URL");
	if (call->method && !is_token(call->method))
		return belay__explain(call, -EINVAL, "the method is no token: \"%s\"",
				      call->method);
	if (call->header_count && !call->headers)
		return belay__explain(call, -EINVAL, "the call counts headers, but has none");
	if (call->body_size && !call->body)
		return belay__explain(call, -EINVAL, "the call has a body_size, but no body");
	for (size_t i = 0; i < call->header_count && err == 0; i++)
		err = check_header(call, &call->headers[i]);
	return err;
}
