/* SPDX-License-Identifier: MIT
 *
 * client_redirect.c - where a redirect leads, and as what (RFC 9110, section 15.4).
 *
 * 307 and 308 keep method and body; the others become a GET, as every browser makes of them, but
 * for a HEAD, and for methods other than POST under 301 and 302. What is secret, and the Host that
 * the caller set, go no further than the origin: scheme, host and port.
 */
#include "client.h"

#include <errno.h>
#include <string.h>

static bool is_redirect(int status)
{
	return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

static bool becomes_get(int status, const char *method)
{
	if (status == 303)
		return strcmp(method, "HEAD") != 0;
	return (status == 301 || status == 302) && strcmp(method, "POST") == 0;
}

/* ---- URLs ------------------------------------------------------------------------------------ */

static bool same_part(CURLU *a, CURLU *b, CURLUPart part)
{
	char *x = NULL, *y = NULL;
	bool same = curl_url_get(a, part, &x, CURLU_DEFAULT_PORT) == CURLUE_OK &&
		    curl_url_get(b, part, &y, CURLU_DEFAULT_PORT) == CURLUE_OK &&
		    belay__same_name(x, y);

	curl_free(x);
	curl_free(y);
	return same;
}

static bool same_origin(CURLU *a, CURLU *b)
{
	return same_part(a, b, CURLUPART_SCHEME) && same_part(a, b, CURLUPART_HOST) &&
	       same_part(a, b, CURLUPART_PORT);
}

static int url_error(CURLUcode code)
{
	return code == CURLUE_OK ? 0 : code == CURLUE_OUT_OF_MEMORY ? -ENOMEM : -EPROTO;
}

/* Moves to from the URL it has to location, which may be relative to that. */
static int move(CURLU *to, const char *location, char **ret)
{
	int err = url_error(curl_url_set(to, CURLUPART_URL, location, CURLU_URLENCODE));
	char *url;

	if (err)
		return err;
	err = url_error(curl_url_get(to, CURLUPART_URL, &url, 0));
	if (err)
		return err;
	*ret = belay__strdup(url);
	curl_free(url);
	return *ret ? 0 : -ENOMEM;
}

static int resolve_location(const char *base, const char *location, char **ret, bool *ret_same)
{
	CURLU *from = curl_url(), *to = NULL;
	int err = from ? url_error(curl_url_set(from, CURLUPART_URL, base, 0)) : -ENOMEM;

	if (err == 0) {
		to = curl_url_dup(from);
		err = to ? move(to, location, ret) : -ENOMEM;
	}
	if (err == 0)
		*ret_same = same_origin(from, to);
	curl_url_cleanup(from);
	curl_url_cleanup(to);
	return err;
}

int belay__redirect(struct belay__outgoing *request, const belay_http_reply *reply)
{
	const char *location = belay_http_reply_header(reply, "Location");
	int status = belay_http_reply_status(reply);
	bool same = false;
	char *url;
	int err;

	if (!is_redirect(status) || !location)
		return 0;
	err = resolve_location(request->url, location, &url, &same);
	if (err)
		return err;
	belay__free(request->url);
	request->url = url;
	request->same_origin = request->same_origin && same;
	if (becomes_get(status, request->method)) {
		request->method = "GET";
		request->with_body = false;
		request->lost_body = true;
	}
	return 1;
}
