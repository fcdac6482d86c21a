/* SPDX-License-Identifier: MIT
 *
 * h2_peer.c - an HTTP/2 client for tests.
 */
#include "h2_peer.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- A session ------------------------------------------------------------------------------- */

struct h2_reply *h2_reply_of(struct h2_peer *peer, int32_t id)
{
	assert_true(id > 0 && id / 2 < H2_REPLIES);
	return &peer->replies[id / 2];
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
		     size_t name_size, const uint8_t *value, size_t value_size, uint8_t flags,
		     void *arg)
{
	struct h2_reply *reply = h2_reply_of(arg, frame->hd.stream_id);
	size_t at = strlen(reply->head);

	if (name_size == 7 && memcmp(name, ":status", 7) == 0)
		reply->status = atoi((const char *)value);
	else
		snprintf(reply->head + at, sizeof reply->head - at, "%.*s: %.*s\n", (int)name_size,
			 name, (int)value_size, value);
	return 0;
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
	struct h2_peer *peer = arg;

	if (frame->hd.type == NGHTTP2_GOAWAY) {
		peer->goaway = true;
		peer->goaways++;
		peer->goaway_code = frame->goaway.error_code;
		peer->goaway_last = frame->goaway.last_stream_id;
	}
	peer->pings += frame->hd.type == NGHTTP2_PING;
	if (frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA)
		return 0;
	if (frame->hd.flags & NGHTTP2_FLAG_END_STREAM)
		h2_reply_of(peer, frame->hd.stream_id)->ended = true;
	else if (frame->hd.type == NGHTTP2_HEADERS)
		h2_reply_of(peer, frame->hd.stream_id)->interim +=
			h2_reply_of(peer, frame->hd.stream_id)->status < 200;
	return 0;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *data,
		   size_t size, void *arg)
{
	struct h2_peer *peer = arg;
	struct h2_reply *reply = h2_reply_of(peer, id);

	reply->body = realloc(reply->body, reply->size + size + 1);
	memcpy(reply->body + reply->size, data, size);
	reply->size += size;
	reply->body[reply->size] = '\0';
	if (!peer->hold)
		nghttp2_session_consume(session, id, size);
	return 0;
}

static int on_close(nghttp2_session *session, int32_t id, uint32_t code, void *arg)
{
	struct h2_reply *reply = h2_reply_of(arg, id);

	reply->closed = true;
	reply->code = code;
	return 0;
}

static ssize_t on_send(nghttp2_session *session, const uint8_t *data, size_t size, int flags,
		       void *arg)
{
	struct h2_peer *peer = arg;

	return raw_send_bytes(peer->fd, data, size) ? (ssize_t)size : NGHTTP2_ERR_CALLBACK_FAILURE;
}

static void make_session(struct h2_peer *peer)
{
	nghttp2_session_callbacks *callbacks;
	nghttp2_option *option;

	nghttp2_session_callbacks_new(&callbacks);
	nghttp2_option_new(&option);
	nghttp2_option_set_no_auto_window_update(option, 1);
	nghttp2_session_callbacks_set_send_callback(callbacks, on_send);
	nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
	nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
	nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_close);
	nghttp2_session_client_new2(&peer->session, callbacks, peer, option);
	nghttp2_session_callbacks_del(callbacks);
	nghttp2_option_del(option);
}

void h2_dial_with(const struct site *site, struct h2_peer *peer, uint32_t window, bool hold)
{
	const nghttp2_settings_entry settings[] = {
		{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, window}};

	memset(peer, 0, sizeof *peer);
	peer->fd = site_dial(site);
	peer->hold = hold;
	make_session(peer);
	nghttp2_submit_settings(peer->session, NGHTTP2_FLAG_NONE, settings, 1);
	h2_flush(peer);
}

void h2_dial(const struct site *site, struct h2_peer *peer)
{
	h2_dial_with(site, peer, 65535, false);
}

void h2_close(struct h2_peer *peer)
{
	nghttp2_session_del(peer->session);
	close(peer->fd);
	for (size_t i = 0; i < H2_REPLIES; i++)
		free(peer->replies[i].body);
}

/* The server may have closed: that shows when it is read. */
void h2_flush(struct h2_peer *peer)
{
	nghttp2_session_send(peer->session);
}

bool h2_pump(struct h2_peer *peer)
{
	char buf[16384];
	size_t n;

	h2_flush(peer);
	n = raw_read_some(peer->fd, buf, sizeof buf);
	peer->at_end |= n == 0;
	if (n > 0)
		assert_int_equal(
			nghttp2_session_mem_recv(peer->session, (const uint8_t *)buf, n), n);
	h2_flush(peer);
	return !peer->at_end;
}

static nghttp2_nv field(const char *name, const char *value)
{
	nghttp2_nv nv = {.namelen = strlen(name), .valuelen = strlen(value)};

	memcpy(&nv.name, &name, sizeof name);
	memcpy(&nv.value, &value, sizeof value);
	return nv;
}

static ssize_t read_body(nghttp2_session *session, int32_t id, uint8_t *buf, size_t most,
			 uint32_t *flags, nghttp2_data_source *source, void *arg)
{
	struct h2_body *body = source->ptr;
	size_t n = body->size - body->sent < most ? body->size - body->sent : most;

	if (n == 0 && body->open)
		return NGHTTP2_ERR_DEFERRED;
	memcpy(buf, body->data + body->sent, n);
	body->sent += n;
	if (body->sent == body->size && !body->open)
		*flags |= NGHTTP2_DATA_FLAG_EOF;
	return (ssize_t)n;
}

int32_t h2_ask(struct h2_peer *peer, const char *method, const char *path,
	       const char *const *extra, struct h2_body *body)
{
	nghttp2_nv fields[128] = {field(":method", method), field(":scheme", "http"),
				  field(":path", path), field(":authority", "test")};
	const nghttp2_data_provider provider = {{.ptr = body}, read_body};
	size_t count = 4;
	int32_t id;

	for (; extra && extra[0]; extra += 2)
		fields[count++] = field(extra[0], extra[1]);
	id = nghttp2_submit_request(peer->session, NULL, fields, count, body ? &provider : NULL,
				    NULL);
	assert_true(id > 0);
	h2_flush(peer);
	return id;
}

void h2_more(struct h2_peer *peer, int32_t id)
{
	nghttp2_session_resume_data(peer->session, id);
	h2_flush(peer);
}

struct h2_reply *h2_await(struct h2_peer *peer, int32_t id)
{
	while (!h2_reply_of(peer, id)->closed && h2_pump(peer))
		;
	return h2_reply_of(peer, id);
}

struct h2_reply *h2_get(struct h2_peer *peer, const char *path)
{
	return h2_await(peer, h2_ask(peer, "GET", path, NULL, NULL));
}

void h2_await_end(struct h2_peer *peer)
{
	while (h2_pump(peer))
		;
}

void h2_reset(struct h2_peer *peer, int32_t id, uint32_t code)
{
	nghttp2_submit_rst_stream(peer->session, NGHTTP2_FLAG_NONE, id, code);
	h2_flush(peer);
}

void h2_consume(struct h2_peer *peer, int32_t id, size_t size)
{
	nghttp2_session_consume(peer->session, id, size);
	h2_flush(peer);
}

bool h2_has(const struct h2_reply *reply, const char *name, const char *value)
{
	char line[512];

	snprintf(line, sizeof line, "%s: %s\n", name, value);
	return strstr(reply->head, line);
}

/* ---- By hand --------------------------------------------------------------------------------- */

uint32_t h2_number(const unsigned char *bytes)
{
	return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 |
	       bytes[3];
}

bool h2_raw_send(int fd, uint8_t type, uint8_t flags, uint32_t id, const void *payload, size_t size)
{
	const unsigned char head[9] = {
		(unsigned char)(size >> 16), (unsigned char)(size >> 8), (unsigned char)size,
		type, flags,
		(unsigned char)(id >> 24), (unsigned char)(id >> 16), (unsigned char)(id >> 8),
		(unsigned char)id,
	};

	return raw_send_bytes(fd, head, sizeof head) && raw_send_bytes(fd, payload, size);
}

int h2_raw_dial(const struct site *site)
{
	int fd = site_dial(site);

	raw_send(fd, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
	h2_raw_send(fd, NGHTTP2_SETTINGS, 0, 0, "", 0);
	return fd;
}

/* RFC 7541: indexed :method GET and :scheme http; literals without indexing: :path, :authority. */
bool h2_raw_get(int fd, uint32_t id, const char *path, uint8_t flags)
{
	unsigned char block[256] = {0x82, 0x86, 0x04, (unsigned char)strlen(path)};
	size_t size = 4 + strlen(path);

	assert_true(strlen(path) <= 100);
	memcpy(block + 4, path, strlen(path));
	memcpy(block + size, "\x01\x01x", 3);
	return h2_raw_send(fd, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS | flags, id, block,
			   size + 3);
}

static bool read_exactly(int fd, unsigned char *buf, size_t size)
{
	while (size > 0) {
		ssize_t n = TEMP_FAILURE_RETRY(recv(fd, buf, size, 0));

		if (n < 0 && errno != ECONNRESET)
			fail_msg("recv: %s", strerror(errno));
		if (n <= 0)
			return false;
		buf += n;
		size -= (size_t)n;
	}
	return true;
}

bool h2_raw_next(int fd, struct h2_frame *ret)
{
	unsigned char head[9];

	if (!read_exactly(fd, head, sizeof head))
		return false;
	ret->size = h2_number(head) >> 8;
	ret->type = head[3];
	ret->flags = head[4];
	ret->id = (int32_t)h2_number(head + 5);
	assert_true(ret->size <= sizeof ret->payload);
	return read_exactly(fd, ret->payload, ret->size);
}

bool h2_raw_await(int fd, uint8_t type, struct h2_frame *ret)
{
	while (h2_raw_next(fd, ret))
		if (ret->type == type)
			return true;
	return false;
}

int64_t h2_raw_goaway(int fd)
{
	struct h2_frame frame;
	int64_t code = -1;

	while (h2_raw_await(fd, NGHTTP2_GOAWAY, &frame))
		code = h2_number(frame.payload + 4);
	return code;
}

int64_t h2_raw_reset(int fd, int32_t id)
{
	struct h2_frame frame;

	while (h2_raw_await(fd, NGHTTP2_RST_STREAM, &frame))
		if (frame.id == id)
			return h2_number(frame.payload);
	return -1;
}
