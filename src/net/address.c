/* SPDX-License-Identifier: MIT
 *
 * address.c - addresses as people write them: parsed for dial and listen, formatted for their
 * answers.
 */
#include "net/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

static const char unix_prefix[] = "unix:";

/* ---- Parsing --------------------------------------------------------------------------------- */

static int copy_part(const char *from, size_t size, char *to, size_t room)
{
	if (size >= room || memchr(from, '\0', size))
		return -EINVAL;
	memcpy(to, from, size);
	to[size] = '\0';
	return 0;
}

/* A path ends with a zero, an abstract name (unix(7)) begins with one and has none at its end. */
static int parse_unix(const char *name, struct belay__address *ret)
{
	size_t size = strlen(name);
	bool abstract = name[0] == '@';

	if (size <= (abstract ? 1 : 0) || size >= sizeof ret->path.sun_path)
		return -EINVAL;
	ret->kind = BELAY__ADDRESS_UNIX;
	ret->path.sun_family = AF_UNIX;
	memcpy(ret->path.sun_path, name, size + 1);
	if (abstract)
		ret->path.sun_path[0] = '\0';
	ret->path_len = offsetof(struct sockaddr_un, sun_path) + size + (abstract ? 0 : 1);
	return 0;
}

/* The host's part of text, without brackets; *rest: what follows it. */
static int parse_host(const char *text, char *host, size_t room, const char **rest)
{
	bool bracketed = text[0] == '[';
	const char *begin = bracketed ? text + 1 : text;
	const char *end = strpbrk(begin, bracketed ? "]" : ":[]");

	if (!end || *end != (bracketed ? ']' : ':') || (bracketed && end == begin))
		return -EINVAL;
	*rest = bracketed ? end + 1 : end;
	if (end - begin == 1 && *begin == '*' && !bracketed)
		begin = end;
	return copy_part(begin, (size_t)(end - begin), host, room);
}

/* A number has to be a port's; a service's name is left to the resolver. */
static bool is_port(const char *port)
{
	size_t digits = strspn(port, "0123456789");
	unsigned number = 0;

	if (port[0] == '\0' || strpbrk(port, ":[]"))
		return false;
	if (port[digits] != '\0')
		return true;
	for (size_t i = 0; i < digits && number <= 65535; i++)
		number = number * 10 + (unsigned)(port[i] - '0');
	return number <= 65535;
}

static int parse_inet(const char *text, struct belay__address *ret)
{
	const char *rest;
	int err;

	ret->kind = BELAY__ADDRESS_INET;
	err = parse_host(text, ret->host, sizeof ret->host, &rest);
	if (err < 0)
		return err;
	if (rest[0] != ':' || !is_port(rest + 1))
		return -EINVAL;
	return copy_part(rest + 1, strlen(rest + 1), ret->port, sizeof ret->port);
}

int belay__address_parse(const char *text, struct belay__address *ret)
{
	memset(ret, 0, sizeof *ret);
	if (!text)
		return -EINVAL;
	if (strncmp(text, unix_prefix, strlen(unix_prefix)) == 0)
		return parse_unix(text + strlen(unix_prefix), ret);
	return parse_inet(text, ret);
}

/* ---- Formatting ------------------------------------------------------------------------------ */

static void format_inet(const struct sockaddr_in *in, char *ret)
{
	char host[INET_ADDRSTRLEN];

	inet_ntop(AF_INET, &in->sin_addr, host, sizeof host);
	snprintf(ret, BELAY__ADDRESS_SIZE, "%s:%u", host, (unsigned)ntohs(in->sin_port));
}

static void format_mapped(const struct sockaddr_in6 *in6, char *ret)
{
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = in6->sin6_port};

	memcpy(&in.sin_addr, &in6->sin6_addr.s6_addr[12], sizeof in.sin_addr);
	format_inet(&in, ret);
}

static void format_inet6(const struct sockaddr_in6 *in6, char *ret)
{
	char host[INET6_ADDRSTRLEN], scope[16] = "";

	inet_ntop(AF_INET6, &in6->sin6_addr, host, sizeof host);
	if (in6->sin6_scope_id)
		snprintf(scope, sizeof scope, "%%%u", (unsigned)in6->sin6_scope_id);
	snprintf(ret, BELAY__ADDRESS_SIZE, "[%s%s]:%u", host, scope,
		 (unsigned)ntohs(in6->sin6_port));
}

/* An abstract name may hold zeros, which are shown as '@' like the first one (as in
 * /proc/net/unix). */
static void format_unix(const struct sockaddr_un *un, socklen_t len, char *ret)
{
	size_t offset = offsetof(struct sockaddr_un, sun_path);
	size_t size = len > offset ? len - offset : 0;
	bool abstract = size > 0 && un->sun_path[0] == '\0';

	if (!abstract)
		size = strnlen(un->sun_path, size);
	memcpy(ret, unix_prefix, sizeof unix_prefix);
	ret += strlen(unix_prefix);
	memcpy(ret, un->sun_path, size);
	ret[size] = '\0';
	for (size_t i = 0; i < size; i++)
		if (ret[i] == '\0')
			ret[i] = '@';
}

void belay__address_format(const struct sockaddr *addr, socklen_t len,
			   char ret[BELAY__ADDRESS_SIZE])
{
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)addr;
	sa_family_t family = len >= sizeof family ? addr->sa_family : AF_UNSPEC;

	if (family == AF_UNIX)
		format_unix((const struct sockaddr_un *)addr, len, ret);
	else if (family == AF_INET && len >= sizeof(struct sockaddr_in))
		format_inet((const struct sockaddr_in *)addr, ret);
	else if (family != AF_INET6 || len < sizeof *in6)
		strcpy(ret, "unknown");
	else if (IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr))
		format_mapped(in6, ret);
	else
		format_inet6(in6, ret);
}
