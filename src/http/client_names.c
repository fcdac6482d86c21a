/* SPDX-License-Identifier: MIT
 *
 * client_names.c - names, looked up here so that curl never does.
 *
 * libcurl looks names up on a thread that it joins when a transfer is taken away, which would hold
 * up the driver, and with it every other exchange, for as long as the resolver takes. So each
 * request brings its addresses (CURLOPT_RESOLVE), looked up by belay_resolve(), which obeys the
 * context.
 *
 * A small table keeps what was found for a minute, as long as curl itself would. Addresses that did
 * not answer are forgotten at once.
 *
 * Locking     names->lock guards slots and what they point to; never held during a look-up, so that
 *             two who ask for the same name at once may both ask the resolver.
 */
#include "client.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { KEEP_S = 60, LONGEST_HOST = 253, SLOTS = 64 };

struct belay__name {
	int64_t until;
	char entry[]; /* "+host:port:address,address" */
};

void belay__names_fini(struct belay__names *names)
{
	for (unsigned i = 0; i < SLOTS; i++)
		belay__free(names->slots[i]);
}

/* ---- The table ------------------------------------------------------------------------------- */

/* The part of an entry that says for whom it is: up to and with its second colon. */
static size_t prefix_size(const char *entry)
{
	const char *colon = strchr(entry, ':');

	return (size_t)(strchr(colon + 1, ':') + 1 - entry);
}

/* FNV-1a over the prefix, in lower case. */
static struct belay__name **slot_of(struct belay__names *names, const char *prefix, size_t size)
{
	uint32_t hash = 2166136261u;

	for (size_t i = 0; i < size; i++)
		hash = (hash ^ (uint32_t)tolower((unsigned char)prefix[i])) * 16777619u;
	return &names->slots[hash % SLOTS];
}

static bool is_for(const struct belay__name *name, const char *prefix, size_t size)
{
	return name && strncasecmp(name->entry, prefix, size) == 0;
}

/* A copy of the entry that begins with prefix; NULL: none that is fresh, or no memory for it. */
static char *find(struct belay__names *names, const char *prefix)
{
	size_t size = strlen(prefix);
	struct belay__name **slot;
	char *entry = NULL;

	belay__client_lock(&names->lock);
	slot = slot_of(names, prefix, size);
	if (is_for(*slot, prefix, size) && belay_now() < (*slot)->until)
		entry = belay__strdup((*slot)->entry);
	belay__client_unlock(&names->lock);
	return entry;
}

/* Puts name, which may be NULL, where prefix belongs; returns what must be freed. */
static struct belay__name *replace(struct belay__names *names, const char *prefix,
				   struct belay__name *name, bool only_if_same)
{
	size_t size = prefix_size(prefix);
	struct belay__name **slot, *old = NULL;

	belay__client_lock(&names->lock);
	slot = slot_of(names, prefix, size);
	if (!only_if_same || is_for(*slot, prefix, size)) {
		old = *slot;
		*slot = name;
	}
	belay__client_unlock(&names->lock);
	return old;
}

/* Where memory runs out the name is not kept, nothing worse. */
static void keep(struct belay__names *names, const char *entry)
{
	size_t size = strlen(entry) + 1;
	struct belay__name *name = belay__malloc(sizeof *name + size);

	if (!name)
		return;
	name->until = belay_now() + BELAY_S(KEEP_S);
	memcpy(name->entry, entry, size);
	belay__free(replace(names, entry, name, false));
}

void belay__names_forget(struct belay__names *names, const char *entry)
{
	belay__free(replace(names, entry, NULL, true));
}

/* ---- Looking up ------------------------------------------------------------------------------ */

/* "[::1]" or "127.0.0.1": nothing to look up. */
static bool is_address(const char *host)
{
	struct in_addr v4;

	return *host == '[' || inet_pton(AF_INET, host, &v4) == 1;
}

static const char *format_address(const struct addrinfo *ai, char text[INET6_ADDRSTRLEN])
{
	const void *address;

	if (ai->ai_family == AF_INET)
		address = &((const struct sockaddr_in *)(const void *)ai->ai_addr)->sin_addr;
	else if (ai->ai_family == AF_INET6)
		address = &((const struct sockaddr_in6 *)(const void *)ai->ai_addr)->sin6_addr;
	else
		return NULL;
	return inet_ntop(ai->ai_family, address, text, INET6_ADDRSTRLEN);
}

static size_t entry_size(const char *prefix, const struct addrinfo *list)
{
	size_t size = strlen(prefix) + 1;

	for (; list; list = list->ai_next)
		size += INET6_ADDRSTRLEN + 1;
	return size;
}

/* prefix and the addresses. 0; -ENOMEM; -ENOENT: none that curl could use. */
static int make_entry(const char *prefix, const struct addrinfo *list, char **ret)
{
	char *entry = belay__malloc(entry_size(prefix, list)), *at;
	char address[INET6_ADDRSTRLEN];
	const char *comma = "";

	if (!entry)
		return -ENOMEM;
	at = stpcpy(entry, prefix);
	for (; list; list = list->ai_next) {
		if (!format_address(list, address))
			continue;
		at = stpcpy(stpcpy(at, comma), address);
		comma = ",";
	}
	if (!*comma) {
		belay__free(entry);
		return -ENOENT;
	}
	*ret = entry;
	return 0;
}

static int ask(belay_ctx *ctx, const char *host, const char *port, const char *prefix, char **ret)
{
	const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
	struct addrinfo *list;
	int err = belay_resolve(ctx, host, port, &hints, &list);

	if (err)
		return err;
	err = make_entry(prefix, list, ret);
	freeaddrinfo(list);
	return err;
}

int belay__names_look_up(belay_ctx *ctx, struct belay__names *names, const char *host,
			 const char *port, char **ret)
{
	char prefix[1 + LONGEST_HOST + 1 + 5 + 1 + 1];
	int err;

	*ret = NULL;
	if (is_address(host))
		return 0;
	/* curl takes an asterisk for "all hosts". */
	if (strlen(host) > LONGEST_HOST || strlen(port) > 5 || strchr(host, '*'))
		return -EINVAL;
	snprintf(prefix, sizeof prefix, "+%s:%s:", host, port);
	*ret = find(names, prefix);
	if (*ret)
		return 0;
	err = ask(ctx, host, port, prefix, ret);
	if (err == 0)
		keep(names, *ret);
	return err;
}
