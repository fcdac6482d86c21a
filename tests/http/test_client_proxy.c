/* SPDX-License-Identifier: MIT
 *
 * test_client_proxy.c - requests that go through a proxy: which one, which don't, and how.
 */
#include "client_authority.h"
#include "client_peer.h"

#include <errno.h>
#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* ---- A proxy that answers itself ------------------------------------------------------------- */

/* With what it was asked for. */
static void tell_target(struct peer *peer, int fd)
{
	struct peer_request *request = malloc(sizeof *request);

	while (peer_read(peer, fd, request))
		peer_reply(fd, request->path);
	free(request);
}

/* Whether url was asked for through the proxy, and *ret what it was asked for. */
static void ask(belay_http_client *client, const char *url, char *ret, size_t size)
{
	belay_http_reply *reply;
	char *body;

	assert_int_equal(belay_http_get(belay_background(), client, url, &reply), 0);
	assert_int_equal(belay_http_reply_read_all(belay_background(), reply, 1000, &body, NULL),
			 0);
	snprintf(ret, size, "%s", body);
	free(body);
	belay_http_reply_end(reply);
}

/* ---- Which one ------------------------------------------------------------------------------- */

static void clear_environment(void)
{
	static const char *const names[] = {"http_proxy", "HTTP_PROXY", "https_proxy",
					    "HTTPS_PROXY", "all_proxy", "ALL_PROXY",
					    "no_proxy", "NO_PROXY"};

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		unsetenv(names[i]);
}

/* What the peer, which is the proxy too, is asked for, where the variable names it. */
static void asked_by_environment(const char *variable, const char *no_proxy, bool wanted,
				 char *ret, size_t size)
{
	const struct belay_http_client_options options = {.proxy_from_environment = wanted};
	belay_http_client *client;
	struct peer peer;

	peer_start(&peer, tell_target, NULL);
	clear_environment();
	setenv(variable, peer.url + strlen("http://"), 1);
	if (no_proxy)
		setenv("no_proxy", no_proxy, 1);
	client = peer_client(&options);
	clear_environment();
	ask(client, peer_url(&peer, "/x"), ret, size);
	belay_http_client_close(client);
	peer_stop(&peer);
}

static void the_environment_names_one_where_the_client_asks_it(void **state)
{
	char asked[200];

	asked_by_environment("http_proxy", NULL, true, asked, sizeof asked);
	assert_memory_equal(asked, "http://", 7);
	asked_by_environment("all_proxy", NULL, true, asked, sizeof asked);
	assert_memory_equal(asked, "http://", 7);
	asked_by_environment("ALL_PROXY", NULL, true, asked, sizeof asked);
	assert_memory_equal(asked, "http://", 7);
	asked_by_environment("http_proxy", NULL, false, asked, sizeof asked);
	assert_string_equal(asked, "/x");
}

/* A CGI program has it from a client's header. */
static void HTTP_PROXY_in_capitals_is_not_trusted(void **state)
{
	char asked[200];

	asked_by_environment("HTTP_PROXY", NULL, true, asked, sizeof asked);
	assert_string_equal(asked, "/x");
}

static void no_proxy_names_those_who_are_asked_directly(void **state)
{
	static const char *const direct[] = {"127.0.0.1", "*", "a.test, 127.0.0.0/8",
					     "x 127.0.0.1"};
	static const char *const other[] = {"127.0.0.2", "126.0.0.0/8", "0.0.1", "localhost", "",
					    "127.0.0.1/33", "127.0.0.1/x"};
	char asked[200];

	for (size_t i = 0; i < sizeof direct / sizeof *direct; i++) {
		asked_by_environment("http_proxy", direct[i], true, asked, sizeof asked);
		if (strcmp(asked, "/x") != 0)
			fail_msg("not direct: %s", direct[i]);
	}
	for (size_t i = 0; i < sizeof other / sizeof *other; i++) {
		asked_by_environment("http_proxy", other[i], true, asked, sizeof asked);
		if (strncmp(asked, "http://", 7) != 0)
			fail_msg("direct: %s", other[i]);
	}
}

/* Names below one that is listed are direct, too. The proxy answers all others; a direct request
 * finds nobody. */
static bool is_proxied(const char *no_proxy, const char *url)
{
	struct belay_http_client_options options = {.no_proxy = no_proxy};
	belay_http_client *client;
	belay_http_reply *reply;
	struct peer peer;
	int err;

	peer_start(&peer, tell_target, NULL);
	options.proxy = peer.url;
	client = peer_client(&options);
	err = belay_http_get(belay_background(), client, url, &reply);
	if (err == 0)
		belay_http_reply_end(reply);
	belay_http_client_close(client);
	peer_stop(&peer);
	return err == 0;
}

static void names_are_compared_by_their_parts(void **state)
{
	assert_true(is_proxied("b.invalid", "http://a.invalid/"));
	assert_true(is_proxied("b.invalid", "http://ab.invalid/"));
	assert_true(is_proxied("a.b.invalid", "http://b.invalid/"));
	assert_false(is_proxied("b.invalid", "http://b.invalid/"));
	assert_false(is_proxied(".B.invalid", "http://a.b.INVALID./"));
	assert_true(is_proxied("::2", "http://[::1]:9/"));
	assert_false(is_proxied("::0/64", "http://[::1]:9/"));
}

/* curl would look there by itself. */
static void the_environment_does_not_overrule_the_options(void **state)
{
	bool proxied;

	setenv("no_proxy", "*", 1);
	proxied = is_proxied(NULL, "http://a.invalid/");
	unsetenv("no_proxy");
	assert_true(proxied);
}

static void one_of_the_environment_that_can_t_be_used_is_an_error(void **state)
{
	const struct belay_http_client_options options = {.proxy_from_environment = true};
	belay_http_client *client = NULL;
	int err;

	clear_environment();
	setenv("https_proxy", "socks4://127.0.0.1:1", 1);
	err = belay_http_client_new(&options, &client);
	clear_environment();
	assert_int_equal(err, -EINVAL);
	assert_null(client);
}

/* ---- Tunnels --------------------------------------------------------------------------------- */

struct scene {
	struct authority authority;
	char asked[256], credentials[100];
};

/* The tunnel ends here: the proxy is the peer, too. */
static void serve_tunnel(struct peer *peer, int fd)
{
	static const char text[] = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nsecret";
	struct peer_request *request = malloc(sizeof *request);
	struct scene *scene = peer->arg;
	char scrap[4096];
	SSL *ssl = NULL;

	if (peer_read(peer, fd, request)) {
		snprintf(scene->asked, sizeof scene->asked, "%.15s %.200s", request->method,
			 request->path);
		peer_header(request, "Proxy-Authorization", scene->credentials,
			    sizeof scene->credentials);
		peer_send(fd, "HTTP/1.1 200 Connected\r\n\r\n");
		ssl = authority_accept(&scene->authority, fd);
	}
	if (ssl && SSL_read(ssl, scrap, sizeof scrap) > 0)
		SSL_write(ssl, text, sizeof text - 1);
	SSL_free(ssl);
	ERR_clear_error();
	free(request);
}

/* RFC 9110, section 9.3.6 */
static void https_goes_through_a_tunnel(void **state)
{
	struct scene scene = {.credentials = "none"};
	struct belay_http_client_options options = {0};
	belay_http_client *client;
	char url[64], body[100];
	struct peer proxy;

	authority_init(&scene.authority, "DNS:peer.invalid");
	peer_start(&proxy, serve_tunnel, &scene);
	snprintf(url, sizeof url, "http://me:word@127.0.0.1:%d", proxy.port);
	options.proxy = url;
	options.ca_file = scene.authority.file;
	client = peer_client(&options);
	ask(client, "https://peer.invalid/x", body, sizeof body);
	assert_string_equal(body, "secret");
	assert_string_equal(scene.asked, "CONNECT peer.invalid:443");
	assert_string_equal(scene.credentials, "Basic bWU6d29yZA==");
	belay_http_client_close(client);
	peer_stop(&proxy);
	authority_fini(&scene.authority);
}

static bool receive(int fd, void *ret, size_t size)
{
	return recv(fd, ret, size, MSG_WAITALL) == (ssize_t)size;
}

/* RFC 1928: no authentication, CONNECT to a name. */
static void serve_socks(struct peer *peer, int fd)
{
	static const unsigned char welcome[] = {5, 0}, done[] = {5, 0, 0, 1, 0, 0, 0, 0, 0, 0};
	unsigned char head[5], scrap[256];
	struct scene *scene = peer->arg;

	if (!receive(fd, head, 2) || !receive(fd, scrap, head[1]))
		return;
	peer_send_bytes(fd, welcome, sizeof welcome);
	if (!receive(fd, head, 5) || head[1] != 1 || head[3] != 3 ||
	    !receive(fd, scrap, head[4] + 2u))
		return;
	snprintf(scene->asked, sizeof scene->asked, "%.*s:%d", head[4], (char *)scrap,
		 scrap[head[4]] << 8 | scrap[head[4] + 1]);
	peer_send_bytes(fd, done, sizeof done);
	tell_target(peer, fd);
}

static void socks_5_is_told_the_name(void **state)
{
	struct scene scene = {0};
	struct belay_http_client_options options = {0};
	belay_http_client *client;
	char url[64], body[100];
	struct peer proxy;

	peer_start(&proxy, serve_socks, &scene);
	snprintf(url, sizeof url, "socks5h://127.0.0.1:%d", proxy.port);
	options.proxy = url;
	client = peer_client(&options);
	ask(client, "http://peer.invalid:81/x", body, sizeof body);
	assert_string_equal(body, "/x");
	assert_string_equal(scene.asked, "peer.invalid:81");
	belay_http_client_close(client);
	peer_stop(&proxy);
}

BELAY_TEST_MAIN(cmocka_unit_test(the_environment_names_one_where_the_client_asks_it),
		cmocka_unit_test(HTTP_PROXY_in_capitals_is_not_trusted),
		cmocka_unit_test(no_proxy_names_those_who_are_asked_directly),
		cmocka_unit_test(names_are_compared_by_their_parts),
		cmocka_unit_test(the_environment_does_not_overrule_the_options),
		cmocka_unit_test(one_of_the_environment_that_can_t_be_used_is_an_error),
		cmocka_unit_test(https_goes_through_a_tunnel),
		cmocka_unit_test(socks_5_is_told_the_name))
