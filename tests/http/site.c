/* SPDX-License-Identifier: MIT
 *
 * site.c - a server for tests, and clients that speak to it byte by byte.
 */
#include "site.h"

#include "narrow.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

/* ---- The server ------------------------------------------------------------------------------ */

static void *serve(void *arg)
{
	struct site *site = arg;

	site->result = belay_server_serve(site->stop, site->server, site->listener);
	return NULL;
}

void site_init(struct site *site)
{
	*site = (struct site){.router = belay_router_new()};
	assert_non_null(site->router);
}

void site_start(struct site *site, belay_ctx *base, const struct belay_server_options *options)
{
	check_needs_memory_again(); /* to accept, while the clients wait */
	site->stop = check_live(belay_with_cancel(belay_background()));
	assert_int_equal(belay_server_new(base, site->router, options, &site->server), 0);
	assert_int_equal(belay_listen(site->stop, "127.0.0.1:0", &site->listener), 0);
	snprintf(site->address, sizeof site->address, "%s",
		 belay_listener_address(site->listener));
	assert_int_equal(pthread_create(&site->thread, NULL, serve, site), 0);
	site->serving = true;
}

void site_join(struct site *site)
{
	if (site->serving)
		pthread_join(site->thread, NULL);
	site->serving = false;
}

void site_stop(struct site *site)
{
	BELAY_SCOPED belay_ctx *now = belay_with_cancel(belay_background());

	if (site->server) {
		belay_cancel(now);
		belay_cancel(site->stop);
		belay_server_shutdown(now, site->server);
		site_join(site);
		belay_server_free(site->server);
		belay_end(site->stop);
	}
	belay_router_free(site->router);
}

/* ---- Bytes ----------------------------------------------------------------------------------- */

static int make_socket(void)
{
	const struct timeval patience = {.tv_sec = 30};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience), 0);
	return fd;
}

static void connect_to(const struct site *site, int fd)
{
	struct sockaddr_in to = {.sin_family = AF_INET};

	to.sin_port = htons((uint16_t)atoi(strrchr(site->address, ':') + 1));
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
}

int site_dial(const struct site *site)
{
	int fd = make_socket();

	connect_to(site, fd);
	return fd;
}

int site_dial_narrow(const struct site *site, int size)
{
	int fd = make_socket();

	make_narrow(fd, size);
	connect_to(site, fd);
	return fd;
}

bool raw_send_bytes(int fd, const void *data, size_t size)
{
	const char *p = data;

	while (size > 0) {
		ssize_t n = send(fd, p, size, MSG_NOSIGNAL);

		if (n < 0)
			return false;
		p += n;
		size -= (size_t)n;
	}
	return true;
}

bool raw_send(int fd, const char *text)
{
	return raw_send_bytes(fd, text, strlen(text));
}

/* With a limit of time recv(2) is not restarted where the process was stopped and goes on. */
size_t raw_read_some(int fd, char *buf, size_t size)
{
	ssize_t n = TEMP_FAILURE_RETRY(recv(fd, buf, size - 1, 0));

	if (n < 0 && errno != ECONNRESET)
		fail_msg("recv: %s", strerror(errno));
	buf[n > 0 ? n : 0] = '\0';
	return n > 0 ? (size_t)n : 0;
}

char *raw_read_all(int fd)
{
	size_t size = 0, room = 1 << 20;
	char *text = malloc(room);

	for (size_t n = 1; n > 0; size += n) {
		assert_true(size + 1 < room);
		n = raw_read_some(fd, text + size, room - size);
	}
	return text;
}

void raw_expect(int fd, const char *text)
{
	for (const char *p = text; *p; p++) {
		char c[2];

		if (raw_read_some(fd, c, sizeof c) == 0 || c[0] != *p)
			fail_msg("not \"%s\": its byte %zu is \"%s\"", text, (size_t)(p - text), c);
	}
}

void raw_read_until(int fd, const char *text)
{
	char seen[65536];
	size_t size = 0;

	seen[0] = '\0';
	while (!strstr(seen, text)) {
		size_t n = raw_read_some(fd, seen + size, sizeof seen - size);

		if (n == 0)
			fail_msg("the end came before \"%s\": \"%s\"", text, seen);
		size += n;
	}
}

/* Byte by byte, so that nothing behind it is taken: the first size bytes, up to and with end. */
static void read_line_end(int fd, char *buf, size_t size, const char *end)
{
	size_t got = 0, tail = strlen(end);

	while (got < tail || memcmp(buf + got - tail, end, tail) != 0) {
		char c[2];

		if (got + 1 == size || raw_read_some(fd, c, sizeof c) == 0)
			fail_msg("the end came after \"%.*s\"", (int)got, buf);
		buf[got++] = c[0];
	}
	buf[got] = '\0';
}

static void read_exactly(int fd, struct reply *reply, size_t size)
{
	assert_true(reply->size + size < sizeof reply->body);
	while (size > 0) {
		size_t n = raw_read_some(fd, reply->body + reply->size, size + 1);

		if (n == 0)
			fail_msg("the end came in the body: \"%s\"", reply->body);
		reply->size += n;
		size -= n;
	}
}

static void read_chunks(int fd, struct reply *reply)
{
	char line[64];
	size_t size;

	do {
		read_line_end(fd, line, sizeof line, "\r\n");
		size = strtoul(line, NULL, 16);
		read_exactly(fd, reply, size);
		read_line_end(fd, line, sizeof line, "\r\n");
		assert_string_equal(line, "\r\n");
	} while (size > 0);
}

/* ---- Replies --------------------------------------------------------------------------------- */

bool reply_header(const struct reply *reply, const char *name, char *buf, size_t size)
{
	size_t length = strlen(name);

	for (const char *line = strstr(reply->head, "\r\n"); line && line[2] != '\r';
	     line = strstr(line + 2, "\r\n")) {
		if (strncasecmp(line + 2, name, length) != 0 || line[2 + length] != ':')
			continue;
		line += 2 + length + 1;
		line += strspn(line, " ");
		snprintf(buf, size, "%.*s", (int)strcspn(line, "\r"), line);
		return true;
	}
	return false;
}

void raw_read_reply(int fd, struct reply *ret, bool head_only)
{
	char value[64];

	*ret = (struct reply){0};
	read_line_end(fd, ret->head, sizeof ret->head, "\r\n\r\n");
	assert_int_equal(sscanf(ret->head, "HTTP/1.1 %d ", &ret->status), 1);
	ret->chunked = reply_header(ret, "transfer-encoding", value, sizeof value);
	ret->closes = reply_header(ret, "connection", value, sizeof value) &&
		      strcmp(value, "close") == 0;
	if (head_only || ret->status == 204 || ret->status == 304 || ret->status == 100)
		return;
	if (ret->chunked)
		read_chunks(fd, ret);
	else if (reply_header(ret, "content-length", value, sizeof value))
		read_exactly(fd, ret, strtoul(value, NULL, 10));
}

bool raw_is_closed(int fd)
{
	char c[2];

	return raw_read_some(fd, c, sizeof c) == 0;
}

bool site_ask(const struct site *site, const char *text, struct reply *ret)
{
	int fd = site_dial(site);
	bool closed;

	raw_send(fd, text);
	raw_read_reply(fd, ret, false);
	closed = ret->closes && raw_is_closed(fd);
	close(fd);
	return closed;
}
