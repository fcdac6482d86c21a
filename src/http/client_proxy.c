/* SPDX-License-Identifier: MIT
 *
 * client_proxy.c - through which proxy a request goes, if any.
 *
 * The environment's variables are those of curl and wget: http_proxy (in lower case alone:
 * HTTP_PROXY is what a CGI program gets for a client's header "Proxy"), https_proxy, all_proxy,
 * no_proxy. They are read once, when a client is made that asks for it. curl itself is kept from
 * reading them: the choice must be known here, where names are looked up.
 */
#include "client.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- Checks ---------------------------------------------------------------------------------- */

/* Those that look the target's name up here are refused: it is the proxy that shall. */
static bool scheme_is_known(CURLU *parts)
{
	char *scheme = NULL;
	bool known = curl_url_get(parts, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
		     (belay__same_name(scheme, "http") || belay__same_name(scheme, "https") ||
		      belay__same_name(scheme, "socks5h"));

	curl_free(scheme);
	return known;
}

static bool has_port(CURLU *parts)
{
	char *port = NULL;
	bool has = curl_url_get(parts, CURLUPART_PORT, &port, 0) == CURLUE_OK;

	curl_free(port);
	return has;
}

int belay__proxy_check(const char *proxy)
{
	CURLU *parts = curl_url();
	bool valid;

	if (!parts)
		return -ENOMEM;
	valid = curl_url_set(parts, CURLUPART_URL, proxy, CURLU_NON_SUPPORT_SCHEME) == CURLUE_OK &&
		scheme_is_known(parts) && has_port(parts);
	curl_url_cleanup(parts);
	return valid ? 0 : -EINVAL;
}

/* ---- The environment ------------------------------------------------------------------------- */

static const char *variable(const char *lower, const char *upper)
{
	const char *value = secure_getenv(lower);

	if ((!value || !*value) && upper)
		value = secure_getenv(upper);
	return value && *value ? value : NULL;
}

/* "host:port" is an HTTP proxy's. */
static int copy_proxy(const char *value, char **ret)
{
	const char *scheme = strstr(value, "://") ? "" : "http://";
	size_t size = strlen(scheme) + strlen(value) + 1;

	*ret = belay__malloc(size);
	if (!*ret)
		return -ENOMEM;
	snprintf(*ret, size, "%s%s", scheme, value);
	return belay__proxy_check(*ret);
}

static int copy_first(const char *first, const char *second, char **ret)
{
	const char *value = first ? first : second;

	return value ? copy_proxy(value, ret) : 0;
}

static int copy_text(const char *text, char **ret)
{
	*ret = text ? belay__strdup(text) : NULL;
	return !text || *ret ? 0 : -ENOMEM;
}

static int from_environment(struct belay__proxies *proxies)
{
	const char *all = variable("all_proxy", "ALL_PROXY");
	int err = copy_first(variable("http_proxy", NULL), all, &proxies->http);

	if (err == 0)
		err = copy_first(variable("https_proxy", "HTTPS_PROXY"), all, &proxies->https);
	if (err == 0 && !proxies->direct)
		err = copy_text(variable("no_proxy", "NO_PROXY"), &proxies->direct);
	return err;
}

int belay__proxies_init(struct belay__proxies *proxies,
			const struct belay_http_client_options *options)
{
	int err = copy_text(options->no_proxy, &proxies->direct);

	if (err)
		return err;
	if (!options->proxy)
		return options->proxy_from_environment ? from_environment(proxies) : 0;
	err = belay__proxy_check(options->proxy);
	if (err == 0)
		err = copy_text(options->proxy, &proxies->http);
	return err ? err : copy_text(options->proxy, &proxies->https);
}

void belay__proxies_fini(struct belay__proxies *proxies)
{
	belay__free(proxies->http);
	belay__free(proxies->https);
	belay__free(proxies->direct);
}

/* ---- Who is asked directly ------------------------------------------------------------------- */

/* Whether the first bits of both are the same. */
static bool same_bits(const unsigned char *a, const unsigned char *b, unsigned bits)
{
	unsigned rest = bits % 8;

	return memcmp(a, b, bits / 8) == 0 &&
	       (rest == 0 || (a[bits / 8] ^ b[bits / 8]) >> (8 - rest) == 0);
}

/* entry is "address" or "address/bits". */
static bool address_is_of(const char *host, const char *entry, int family, unsigned bits)
{
	unsigned char ours[16], theirs[16];
	char text[INET6_ADDRSTRLEN], *slash;

	if (strlen(entry) >= sizeof text || inet_pton(family, host, ours) != 1)
		return false;
	strcpy(text, entry);
	slash = strchr(text, '/');
	if (slash) {
		char *end;
		unsigned long asked = strtoul(slash + 1, &end, 10);

		*slash = '\0';
		if (end == slash + 1 || *end || asked > bits)
			return false;
		bits = (unsigned)asked;
	}
	return inet_pton(family, text, theirs) == 1 && same_bits(ours, theirs, bits);
}

/* "example.org" and ".example.org" are that host, and all below it. */
static bool name_is_of(const char *host, const char *entry)
{
	size_t host_size = strlen(host), size;

	entry += *entry == '.';
	size = strlen(entry);
	if (size == 0 || host_size < size || !belay__same_name(host + host_size - size, entry))
		return false;
	return host_size == size || host[host_size - size - 1] == '.';
}

static bool is_address(const char *host, int family)
{
	unsigned char bytes[16];

	return inet_pton(family, host, bytes) == 1;
}

static bool is_of(const char *host, const char *entry)
{
	if (strcmp(entry, "*") == 0)
		return true;
	if (is_address(host, AF_INET))
		return address_is_of(host, entry, AF_INET, 32);
	if (is_address(host, AF_INET6))
		return address_is_of(host, entry, AF_INET6, 128);
	return name_is_of(host, entry);
}

/* host without brackets, and without a dot at its end. */
static bool is_direct(const char *list, const char *host)
{
	static const char between[] = ", \t";
	char entry[256];

	for (list += strspn(list, between); *list; list += strspn(list, between)) {
		size_t size = strcspn(list, between);

		if (size < sizeof entry) {
			memcpy(entry, list, size);
			entry[size] = '\0';
			if (is_of(host, entry))
				return true;
		}
		list += size;
	}
	return false;
}

const char *belay__proxy_for(const struct belay__proxies *proxies, const char *scheme,
			     const char *host)
{
	const char *proxy = belay__same_name(scheme, "https") ? proxies->https : proxies->http;
	char bare[256];
	size_t size;

	if (!proxy || !proxies->direct)
		return proxy;
	host += *host == '[';
	size = strcspn(host, "]%");
	if (size > 0 && host[size - 1] == '.')
		size--;
	if (size >= sizeof bare)
		return proxy;
	memcpy(bare, host, size);
	bare[size] = '\0';
	return is_direct(proxies->direct, bare) ? NULL : proxy;
}
