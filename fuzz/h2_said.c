/* SPDX-License-Identifier: MIT
 *
 * h2_said.c - what a client of HTTP/2 says.
 *
 * Input       steps: a byte for what it is, and as many as that takes. A stream is named by how far
 *             it lies behind the last one, so that most frames hit one that lives.
 */
#include "h2_said.h"

#include <string.h>

#include <nghttp2/nghttp2.h>

enum { MOST_BLOCK = 2048, SMALL = 64 };

/* ---- Frames ---------------------------------------------------------------------------------- */

void h2_said_raw(struct h2_said *said, const uint8_t *data, size_t size)
{
	if (size > sizeof said->bytes - said->size)
		size = sizeof said->bytes - said->size;
	if (size > 0)
		memcpy(said->bytes + said->size, data, size);
	said->size += size;
}

static void frame(struct h2_said *said, uint8_t type, uint8_t flags, uint32_t id,
		  const void *payload, size_t size)
{
	const uint8_t head[9] = {
		(uint8_t)(size >> 16), (uint8_t)(size >> 8), (uint8_t)size, type, flags,
		(uint8_t)(id >> 24), (uint8_t)(id >> 16), (uint8_t)(id >> 8), (uint8_t)id,
	};

	h2_said_raw(said, head, sizeof head);
	h2_said_raw(said, payload, size);
}

static void number(uint8_t *at, uint32_t value)
{
	for (int i = 0; i < 4; i++)
		at[i] = (uint8_t)(value >> (24 - 8 * i));
}

void h2_said_begin(struct h2_said *said)
{
	static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

	said->size = said->last = 0;
	said->opaque = false;
	said->initial = said->whole = 65535;
	memset(said->more, 0, sizeof said->more);
	h2_said_raw(said, (const uint8_t *)preface, sizeof preface - 1);
	frame(said, NGHTTP2_SETTINGS, 0, 0, NULL, 0);
}

/* ---- What the input says --------------------------------------------------------------------- */

/* 0, the connection, where it lies before the first one. */
static uint32_t stream(struct h2_said *said, struct fuzz_input *in)
{
	uint8_t byte = fuzz_byte(in);
	uint32_t back = byte == 0xff ? UINT32_MAX : 2u * (byte % 16);

	return back > said->last ? 0 : said->last - back;
}

/* Mostly small, now and then as large as it gets. */
static uint32_t amount(struct fuzz_input *in)
{
	uint8_t byte = fuzz_byte(in);

	return byte < 0xc0 ? byte : (uint32_t)(byte & 0x0f) << (byte & 0x30 ? 27 : 12);
}

static void some_bytes(struct h2_said *said, struct fuzz_input *in)
{
	size_t size = fuzz_byte(in) % SMALL;

	size = size < in->size ? size : in->size;
	said->opaque = true;
	h2_said_raw(said, in->data, size);
	in->data += size;
	in->size -= size;
}

/* ---- Blocks of fields (RFC 7541) ------------------------------------------------------------- */

struct block {
	uint8_t bytes[MOST_BLOCK];
	size_t size;
};

static void put_text(struct block *block, const char *text)
{
	size_t size = strlen(text);

	if (size > 126 || block->size + size + 1 > sizeof block->bytes)
		size = 0;
	if (block->size < sizeof block->bytes)
		block->bytes[block->size++] = (uint8_t)size;
	memcpy(block->bytes + block->size, text, size);
	block->size += size;
}

/* A literal, with or without an entry in the table that both sides keep. */
static void put(struct block *block, bool keep, const char *name, const char *value)
{
	if (block->size < sizeof block->bytes)
		block->bytes[block->size++] = keep ? 0x40 : 0;
	put_text(block, name);
	put_text(block, value);
}

#define PICK(list, index) (list)[(index) % (sizeof (list) / sizeof *(list))]

static void put_extra(struct block *block, uint8_t which)
{
	static const char *const fields[][2] = {
		{"content-length", "5"}, {"content-length", "0"}, {"content-length", "70000"},
		{"content-length", "x"}, {"cookie", "a=b"}, {"cookie", "c=d"},
		{"expect", "100-continue"}, {"expect", "more"}, {"te", "trailers"}, {"te", "gzip"},
		{"host", "a"}, {"host", "b"}, {"priority", "u=1"}, {"priority", "u=7, i"},
		{"connection", "close"}, {"transfer-encoding", "chunked"}, {"X-Upper", "x"},
		{"x-break", "a\r\nb"}, {"x", ""}, {"", "x"}, {":path", "/"}, {":status", "200"},
		{":protocol", "websocket"}, {"deadline", "1"}, {"x-space", " x "},
		{":authority", "b"}, {":method", "GET"}, {"content-length", "18446744073709551616"},
	};

	put(block, which & 0x80, PICK(fields, which & 0x7f)[0], PICK(fields, which & 0x7f)[1]);
}

static void put_request(struct block *block, struct fuzz_input *in)
{
	static const char *const paths[] = {
		"/", "/echo", "/stream", "/wait", "/large", "/half", "/late",
		"/headers?a=b%0d%0ac&d=e", "/nowhere", "/a/../b", "", "*", "no"};
	static const char *const methods[] = {
		"GET", "POST", "HEAD", "PUT", "OPTIONS", "CONNECT", "FROB", ""};
	static const char *const hosts[] = {"a", "", "a b", "[::1]:1"};
	uint8_t what = fuzz_byte(in), extra = fuzz_byte(in);

	put(block, extra & 0x80, ":method", PICK(methods, what & 0x7));
	put(block, extra & 0x80, ":path", PICK(paths, (what >> 3) & 0xf));
	put(block, extra & 0x80, ":scheme", "http");
	put(block, extra & 0x80, ":authority", PICK(hosts, (extra & 0x60) >> 5));
	for (int i = extra & 0x1f; i > 0; i--)
		put_extra(block, fuzz_byte(in));
}

/* In one frame, or in two. */
static void put_block(struct h2_said *said, uint32_t id, const struct block *block, uint8_t how)
{
	uint8_t ends = how & NGHTTP2_FLAG_END_STREAM;
	size_t first = how & 2 ? block->size / 2 : block->size;

	if (first == block->size)
		ends |= NGHTTP2_FLAG_END_HEADERS;
	frame(said, NGHTTP2_HEADERS, ends, id, block->bytes, first);
	if (first < block->size)
		frame(said, NGHTTP2_CONTINUATION, how & 0x80 ? 0 : NGHTTP2_FLAG_END_HEADERS, id,
		      block->bytes + first, block->size - first);
}

static uint32_t next_stream(struct h2_said *said)
{
	if (said->last == 0)
		said->last = 1;
	else if (said->last / 2 + 1 < H2_STREAMS)
		said->last += 2;
	return said->last;
}

static void request(struct h2_said *said, struct fuzz_input *in)
{
	struct block block = {.size = 0};
	uint8_t how = fuzz_byte(in);

	put_request(&block, in);
	put_block(said, next_stream(said), &block, how);
}

static void trailers(struct h2_said *said, struct fuzz_input *in)
{
	struct block block = {.size = 0};
	uint8_t how = fuzz_byte(in);

	put_extra(&block, fuzz_byte(in));
	put_block(said, stream(said, in), &block, how ^ 1);
}

/* A block that no client would make. */
static void strange_block(struct h2_said *said, struct fuzz_input *in)
{
	struct block block = {.size = fuzz_byte(in) % SMALL};

	for (size_t i = 0; i < block.size; i++)
		block.bytes[i] = fuzz_byte(in);
	put_block(said, next_stream(said), &block, 1);
}

/* ---- The other frames ------------------------------------------------------------------------ */

static void data(struct h2_said *said, struct fuzz_input *in)
{
	static const uint8_t zeros[16384];
	uint32_t id = stream(said, in), size = amount(in);
	uint8_t how = fuzz_byte(in);

	frame(said, NGHTTP2_DATA, how & (NGHTTP2_FLAG_END_STREAM | NGHTTP2_FLAG_PADDED), id, zeros,
	      size % (sizeof zeros + 1));
}

static void reset(struct h2_said *said, struct fuzz_input *in)
{
	uint8_t code[4];
	uint32_t id = stream(said, in);

	number(code, fuzz_byte(in) % 16);
	frame(said, NGHTTP2_RST_STREAM, 0, id, code, sizeof code);
}

static void window(struct h2_said *said, struct fuzz_input *in)
{
	uint8_t bytes[4];
	uint32_t id = stream(said, in), more = amount(in);

	*(id == 0 ? &said->whole : &said->more[id / 2]) += more & INT32_MAX;
	number(bytes, more);
	frame(said, NGHTTP2_WINDOW_UPDATE, 0, id, bytes, sizeof bytes);
}

static void setting(struct h2_said *said, struct fuzz_input *in)
{
	uint8_t entry[6] = {0, fuzz_byte(in) % 12};
	uint32_t value = amount(in);

	if (entry[1] == NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE && value > said->initial)
		said->initial = value;
	number(entry + 2, value);
	frame(said, NGHTTP2_SETTINGS, 0, 0, entry, sizeof entry);
}

static void ping(struct h2_said *said, struct fuzz_input *in)
{
	frame(said, NGHTTP2_PING, fuzz_byte(in) & NGHTTP2_FLAG_ACK, 0, "12345678", 8);
}

static void goaway(struct h2_said *said, struct fuzz_input *in)
{
	uint8_t bytes[8];

	number(bytes, stream(said, in));
	number(bytes + 4, fuzz_byte(in));
	frame(said, NGHTTP2_GOAWAY, 0, 0, bytes, sizeof bytes);
}

static void priority(struct h2_said *said, struct fuzz_input *in)
{
	uint8_t bytes[5];

	number(bytes, stream(said, in));
	bytes[4] = fuzz_byte(in);
	frame(said, NGHTTP2_PRIORITY, 0, stream(said, in), bytes, sizeof bytes);
}

static void agree(struct h2_said *said, struct fuzz_input *in)
{
	frame(said, NGHTTP2_SETTINGS, NGHTTP2_FLAG_ACK, 0, NULL, 0);
}

enum h2_step h2_said_next(struct h2_said *said, struct fuzz_input *in)
{
	static void (*const steps[])(struct h2_said *said, struct fuzz_input *in) = {
		request, data, reset, window, setting, ping, goaway, priority, trailers,
		strange_block, some_bytes, agree};
	uint8_t what = fuzz_byte(in) % 16;

	if (what == 15)
		return H2_PAUSE;
	if (what == 14 && in->size == 0)
		return H2_HALF_CLOSE;
	PICK(steps, what)(said, in);
	return H2_SAID;
}
