/* SPDX-License-Identifier: MIT
 *
 * client_request.c - a call, turned into a curl handle.
 *
 * URLs are taken apart and put together by curl's parser. What is wrong with one stands in
 * reply->curl_text, which curl does not use before the request is submitted.
 */
#include "client.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* ---- Calls ----------------------------------------------------------------------------------- */

bool belay__call_has(const struct belay_http_call *call, const char *name)
{
	for (size_t i = 0; i < call->header_count; i++)
		if (belay__same_name(call->headers[i].name, name))
			return true;
	return false;
}

/* A POST without a body has an empty one, and says so by its Content-Length. */
int belay__outgoing_init(struct belay__outgoing *request, const struct belay_http_call *call)
{
	static const char *const with_body[] = {"POST", "PUT", "PATCH", NULL};
	int err = belay__call_check(call);

	if (err)
		return err;
	request->call = call;
	request->method = call->method ? call->method : call->body ? "POST" : "GET";
	request->with_body = call->body || belay__is_one_of(request->method, with_body);
	request->first_method = request->method;
	request->lost_body = false;
	request->same_origin = true;
	request->url = belay__strdup(call->url);
	return request->url ? 0 : belay__explain(call, -ENOMEM, "%s", belay_strerror(-ENOMEM));
}

void belay__outgoing_fini(struct belay__outgoing *request)
{
	belay__free(request->url);
}

/* ---- Addresses ------------------------------------------------------------------------------- */

/* Notes why, where a URL or its host is. What may hold a password is not shown. */
static int refuse(belay_http_reply *reply, int err, const char *why, const char *where)
{
	snprintf(reply->curl_text, sizeof reply->curl_text, "%s: %s", why,
		 strchr(where, '@') ? "(not shown)" : where);
	return err;
}

static int url_error(belay_http_reply *reply, const char *url, CURLUcode code)
{
	switch (code) {
	case CURLUE_OK:
		return 0;
	case CURLUE_OUT_OF_MEMORY:
		return -ENOMEM;
	case CURLUE_UNSUPPORTED_SCHEME:
		return refuse(reply, -EPROTONOSUPPORT, curl_url_strerror(code), url);
	default:
		return refuse(reply, -EINVAL, curl_url_strerror(code), url);
	}
}

static int name_error(belay_http_reply *reply, const char *host, int err)
{
	switch (err) {
	case -ENOENT:
		return refuse(reply, err, "no such host", host);
	case -EHOSTUNREACH:
		return refuse(reply, err, "the host can't be looked up for now", host);
	case -EINVAL:
		return refuse(reply, err, "no host has such a name", host);
	default:
		return err;
	}
}

static bool is_http(const char *scheme)
{
	return belay__same_name(scheme, "http") || belay__same_name(scheme, "https");
}

static int add_addresses(belay_ctx *ctx, belay_http_reply *reply, const char *host,
			 const char *port)
{
	struct curl_slist *list;
	char *entry;
	int err = belay__names_look_up(ctx, &reply->client->names, host, port, &entry);

	if (err)
		return name_error(reply, host, err);
	if (!entry)
		return 0;
	list = curl_slist_append(reply->addresses, entry);
	belay__free(entry);
	if (!list)
		return -ENOMEM;
	reply->addresses = list;
	return 0;
}

/* Looks up the host of url, which parts holds. */
static int look_up(belay_ctx *ctx, belay_http_reply *reply, const char *url, CURLU *parts)
{
	char *host = NULL, *port = NULL;
	int err = url_error(reply, url, curl_url_get(parts, CURLUPART_HOST, &host, CURLU_PUNYCODE));

	if (err == 0)
		err = url_error(reply, url,
				curl_url_get(parts, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT));
	if (err == 0)
		err = add_addresses(ctx, reply, host, port);
	curl_free(host);
	curl_free(port);
	return err;
}

/* Checks the scheme, and sees to which proxy the URL in parts is asked through. */
static int choose_proxy(belay_http_reply *reply, const char *url, CURLU *parts)
{
	char *scheme = NULL, *host = NULL;
	int err = url_error(reply, url, curl_url_get(parts, CURLUPART_SCHEME, &scheme, 0));

	if (err == 0 && !is_http(scheme))
		err = refuse(reply, -EPROTONOSUPPORT, "neither http:// nor https://", url);
	if (err == 0)
		err = url_error(reply, url, curl_url_get(parts, CURLUPART_HOST, &host, 0));
	if (err == 0)
		reply->proxy = belay__proxy_for(&reply->client->proxies, scheme, host);
	curl_free(scheme);
	curl_free(host);
	return err;
}

/* Through a proxy it is the proxy's name that must be known here, and the proxy knows the rest. */
static int look_up_peer(belay_ctx *ctx, const struct belay__outgoing *request,
			belay_http_reply *reply)
{
	const char *url = request->url;
	CURLU *parts = curl_url();
	CURLUcode code;
	int err;

	if (!parts)
		return -ENOMEM;
	code = curl_url_set(parts, CURLUPART_URL, url, 0);
	err = url_error(reply, url, code);
	if (err == 0)
		err = choose_proxy(reply, url, parts);
	if (err == 0 && reply->proxy) {
		url = reply->proxy;
		code = curl_url_set(parts, CURLUPART_URL, url, CURLU_NON_SUPPORT_SCHEME);
		err = url_error(reply, url, code);
	}
	if (err == 0)
		err = look_up(ctx, reply, url, parts);
	curl_url_cleanup(parts);
	return err;
}

/* ---- Headers --------------------------------------------------------------------------------- */

/* curl writes "name;" where a header has no value, and takes "name:" for "leave this one out". */
bool belay__add_header(struct curl_slist **list, const char *name, const char *value)
{
	size_t size = strlen(name) + strlen(value) + sizeof ": ";
	char *line = belay__malloc(size);
	struct curl_slist *longer;

	if (!line)
		return false;
	snprintf(line, size, "%s%s%s", name, *value ? ": " : ";", value);
	longer = curl_slist_append(*list, line);
	belay__free(line);
	if (!longer)
		return false;
	*list = longer;
	return true;
}

static bool leave_out(struct curl_slist **list, const char *line)
{
	struct curl_slist *longer = curl_slist_append(*list, line);

	if (longer)
		*list = longer;
	return longer != NULL;
}

static bool is_sent(const struct belay__outgoing *request, const char *name)
{
	static const char *const secret[] = {"Authorization", "Proxy-Authorization", "Cookie",
					     "Host", NULL};
	static const char *const of_body[] = {"Content-Type", "Content-Encoding",
					      "Content-Language", "Content-Location", NULL};

	if (!request->same_origin && belay__is_one_of(name, secret))
		return false;
	return !request->lost_body || !belay__is_one_of(name, of_body);
}

static int add_headers(belay_ctx *ctx, const struct belay__outgoing *request,
		       belay_http_reply *reply)
{
	const struct belay_http_call *call = request->call;

	for (size_t i = 0; i < call->header_count; i++)
		if (is_sent(request, call->headers[i].name) &&
		    !belay__add_header(&reply->headers, call->headers[i].name,
				       call->headers[i].value))
			return -ENOMEM;
	if (!belay__call_has(call, "Expect") && !leave_out(&reply->headers, "Expect:"))
		return -ENOMEM;
	if (!belay__call_has(call, "Content-Type") && !leave_out(&reply->headers, "Content-Type:"))
		return -ENOMEM;
	return belay__propagate(ctx, call, &reply->headers);
}

/* ---- The curl handle ------------------------------------------------------------------------- */

/* curl asks before it looks a name up by itself: that would be one which we have missed. */
static int refuse_look_up(void *resolver, void *reserved, void *arg)
{
	(void)resolver, (void)reserved, (void)arg;
	return 1;
}

/* A request is about to be sent. Where a connection that it had kept breaks before there is an
 * answer, curl would send it once more by itself, whatever it is: the peer may have done by then
 * what it was asked for. */
static int on_send(void *arg, char *to, char *from, int to_port, int from_port)
{
	belay_http_reply *reply = arg;
	bool again = reply->sent;

	(void)to, (void)from, (void)to_port, (void)from_port;
	reply->sent = true;
	if (again && reply->once)
		reply->failure = -ECONNRESET;
	else if (!reply->upload.room || belay__upload_begin(reply))
		return CURL_PREREQFUNC_OK;
	return CURL_PREREQFUNC_ABORT;
}

static bool set_callbacks(belay_http_reply *reply)
{
	CURL *easy = reply->easy;

	return !curl_easy_setopt(easy, CURLOPT_PRIVATE, reply) &&
	       !curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, reply->curl_text) &&
	       !curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, belay__reply_on_head) &&
	       !curl_easy_setopt(easy, CURLOPT_HEADERDATA, reply) &&
	       !curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, belay__reply_on_body) &&
	       !curl_easy_setopt(easy, CURLOPT_WRITEDATA, reply) &&
	       !curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, on_send) &&
	       !curl_easy_setopt(easy, CURLOPT_PREREQDATA, reply);
}

static bool set_sockets(belay_http_reply *reply)
{
	CURL *easy = reply->easy;

	return !curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, belay__driver_open) &&
	       !curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, reply) &&
	       !curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, belay__driver_close) &&
	       !curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, &reply->client->driver);
}

/* A name stays known to curl for ten minutes after its last request: it need not keep all names
 * that there ever were. */
static bool set_names(belay_http_reply *reply)
{
	CURL *easy = reply->easy;

	if (curl_easy_setopt(easy, CURLOPT_DNS_CACHE_TIMEOUT, 600L) ||
	    curl_easy_setopt(easy, CURLOPT_RESOLVE, reply->addresses))
		return false;
	return !reply->addresses ||
	       !curl_easy_setopt(easy, CURLOPT_RESOLVER_START_FUNCTION, refuse_look_up);
}

static bool has_body(const struct belay__outgoing *request)
{
	return request->streamed || (request->with_body && request->call->body_size > 0);
}

/* Over http:// it is never HTTP/2, and a request that may share a connection would wait for one in
 * vain (CURLOPT_PIPEWAIT). Bodies go by HTTP/1.1. Over HTTP/2 an answer that comes before the body
 * has been sent, and is followed by RST_STREAM as RFC 9113, section 8.1, has it, is lost by
 * libcurl 7.88: it fails at its next write to the stream without having handed over what it has
 * read, or waits for ever for room in the window. No callback is called, so there is nothing to be
 * made up for here. */
static bool set_version(const struct belay__outgoing *request, belay_http_reply *reply)
{
	bool http2 = reply->client->options.http2 && !has_body(request) &&
		     strncasecmp(request->url, "https:", 6) == 0;
	long version = http2 ? CURL_HTTP_VERSION_2TLS : CURL_HTTP_VERSION_1_1;

	return !curl_easy_setopt(reply->easy, CURLOPT_HTTP_VERSION, version) &&
	       !curl_easy_setopt(reply->easy, CURLOPT_PIPEWAIT, http2 ? 1L : 0L);
}

/* Without the environment: a program's requests go where it says. Time-outs are the context's, but
 * for connecting, where 0 would be curl's own five minutes. */
static bool set_connection(belay_http_reply *reply)
{
	const struct belay_http_client_options *options = &reply->client->options;
	long ms = options->connect_timeout ? (long)(options->connect_timeout / BELAY_MS(1)) : 0;
	CURL *easy = reply->easy;

	if (!options->connect_timeout || ms > INT32_MAX)
		ms = INT32_MAX;
	else if (ms == 0)
		ms = 1;
	return !curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L) &&
	       !curl_easy_setopt(easy, CURLOPT_PROXY, reply->proxy ? reply->proxy : "") &&
	       !curl_easy_setopt(easy, CURLOPT_NOPROXY, "") &&
	       !curl_easy_setopt(easy, CURLOPT_SHARE, reply->client->share.curl) &&
	       !curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L) &&
	       !curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, ms) &&
	       (!options->ca_file || (!curl_easy_setopt(easy, CURLOPT_CAINFO, options->ca_file) &&
				      !curl_easy_setopt(easy, CURLOPT_CAPATH, NULL)));
}

/* All codings that curl knows. */
static bool set_decoding(belay_http_reply *reply)
{
	return reply->client->options.decoded_most == 0 ||
	       !curl_easy_setopt(reply->easy, CURLOPT_ACCEPT_ENCODING, "");
}

/* Copied by curl, since the transfer may outlive a call that was cancelled. */
static bool set_body(const struct belay__outgoing *request, belay_http_reply *reply)
{
	const struct belay_http_call *call = request->call;
	CURL *easy = reply->easy;

	if (request->streamed)
		return belay__upload_prepare(reply);
	if (!request->with_body)
		return true;
	return !curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)call->body_size) &&
	       !curl_easy_setopt(easy, CURLOPT_COPYPOSTFIELDS, call->body ? call->body : "");
}

static bool set_message(const struct belay__outgoing *request, belay_http_reply *reply)
{
	const char *agent = reply->client->options.user_agent;
	CURL *easy = reply->easy;

	return !curl_easy_setopt(easy, CURLOPT_URL, request->url) &&
	       !curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https") &&
	       !curl_easy_setopt(easy, CURLOPT_USERAGENT, agent ? agent : "belay") &&
	       !curl_easy_setopt(easy, CURLOPT_HTTPHEADER, reply->headers) &&
	       set_body(request, reply) &&
	       (strcmp(request->method, "HEAD") != 0 ||
		!curl_easy_setopt(easy, CURLOPT_NOBODY, 1L)) &&
	       !curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request->method);
}

int belay__outgoing_prepare(belay_ctx *ctx, const struct belay__outgoing *request,
			   belay_http_reply *reply)
{
	int err = look_up_peer(ctx, request, reply);

	reply->once = !belay__is_repeatable(request->call, request->method);
	if (err == 0)
		err = add_headers(ctx, request, reply);
	if (err)
		return err;
	if (!set_callbacks(reply) || !set_sockets(reply) || !set_names(reply) ||
	    !set_connection(reply) || !set_version(request, reply) || !set_decoding(reply) ||
	    !set_message(request, reply))
		return -ENOMEM;
	return 0;
}
