/* SPDX-License-Identifier: MIT
 *
 * h2_heard.c - a reader of what a server of HTTP/2 says.
 *
 * Blocks of fields are decoded by nghttp2's own inflater; frames, the states of streams, windows
 * and lengths are this reader's own idea.
 */
#include "h2_heard.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <nghttp2/nghttp2.h>

enum { FRAME_HEAD = 9, MOST_FRAME = 16384 };

struct answer {
	bool begun, over; /* its final head has come; nothing may follow */
	bool sized;
	uint64_t length, got;
};

struct reader {
	const struct h2_said *said;
	nghttp2_hd_inflater *inflater;
	struct answer answers[H2_STREAMS];
	uint64_t got; /* of all bodies, as the windows count */
	bool first;   /* no frame has come yet               */
};

struct frame {
	const uint8_t *payload;
	size_t size;
	uint8_t type, flags;
	uint32_t id;
};

static uint32_t number(const uint8_t *at)
{
	return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

/* NULL: one that is not kept track of, which only byte by byte can be opened. */
static struct answer *answer_of(struct reader *in, uint32_t id)
{
	MUST(id % 2 == 1);
	MUST(id <= in->said->last || in->said->opaque);
	return id / 2 < H2_STREAMS ? &in->answers[id / 2] : NULL;
}

/* ---- Heads ----------------------------------------------------------------------------------- */

/* Nothing else may be in an answer: neither the server nor a handler says it. */
static void check_name(const char *name)
{
	static const char *const names[] = {
		":status", "content-length", "date", "content-type", "x-value", "allow",
		"x-content-type-options"};

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (strcmp(name, names[i]) == 0)
			return;
	fprintf(stderr, "unheard-of field: %s\n", name);
	abort();
}

static void take_field(struct answer *answer, const nghttp2_nv *nv, unsigned index, int *status)
{
	char *name = fuzz_copy(nv->name, nv->namelen), *value = fuzz_copy(nv->value, nv->valuelen);

	MUST(strlen(name) == nv->namelen && strlen(value) == nv->valuelen);
	MUST(!fuzz_has_control(value));
	check_name(name);
	MUST((index == 0) == (strcmp(name, ":status") == 0));
	if (index == 0)
		*status = atoi(value);
	if (strcmp(name, "content-length") == 0) {
		MUST(!answer->sized);
		answer->sized = true;
		answer->length = strtoull(value, NULL, 10);
	}
	free(name);
	free(value);
}

/* The status. Of one that is not kept track of, too: the table has to be kept. */
static int take_block(struct reader *in, struct answer *answer, const struct frame *frame)
{
	const uint8_t *at = frame->payload;
	size_t left = frame->size;
	unsigned count = 0;
	int flags = 0, status = 0;

	while (!(flags & NGHTTP2_HD_INFLATE_FINAL)) {
		nghttp2_nv nv;
		ssize_t n = nghttp2_hd_inflate_hd2(in->inflater, &nv, &flags, at, left, 1);

		MUST(n >= 0);
		at += n;
		left -= (size_t)n;
		if (flags & NGHTTP2_HD_INFLATE_EMIT)
			take_field(answer, &nv, count++, &status);
	}
	nghttp2_hd_inflate_end_headers(in->inflater);
	return status;
}

static void end(struct answer *answer)
{
	MUST(!answer->sized || answer->got == answer->length || answer->got == 0);
	answer->over = true;
}

/* None of these heads is so large that it needs a second frame. */
static void take_headers(struct reader *in, const struct frame *frame)
{
	struct answer other = {.begun = false}, *answer = answer_of(in, frame->id);
	bool ends = frame->flags & NGHTTP2_FLAG_END_STREAM;
	int status;

	MUST((frame->flags & ~NGHTTP2_FLAG_END_STREAM) == NGHTTP2_FLAG_END_HEADERS);
	answer = answer ? answer : &other;
	MUST(!answer->begun && !answer->over);
	status = take_block(in, answer, frame);
	MUST(status == 100 || (status >= 200 && status <= 599));
	answer->begun = status != 100;
	MUST(answer->begun || !ends);
	if (ends)
		end(answer);
}

/* ---- The other frames ------------------------------------------------------------------------ */

static void check_windows(struct reader *in, const struct answer *answer, uint32_t id)
{
	const struct h2_said *said = in->said;

	if (said->opaque)
		return;
	MUST(in->got <= said->whole);
	MUST(answer->got <= said->initial + said->more[id / 2]);
}

static void take_data(struct reader *in, const struct frame *frame)
{
	struct answer *answer = answer_of(in, frame->id);

	MUST((frame->flags & ~NGHTTP2_FLAG_END_STREAM) == 0);
	in->got += frame->size;
	if (!answer)
		return;
	MUST(answer->begun && !answer->over);
	answer->got += frame->size;
	MUST(!answer->sized || answer->got <= answer->length);
	check_windows(in, answer, frame->id);
	if (frame->flags & NGHTTP2_FLAG_END_STREAM)
		end(answer);
}

static void take_reset(struct reader *in, const struct frame *frame)
{
	struct answer *answer = answer_of(in, frame->id);

	MUST(frame->size == 4);
	if (answer)
		answer->over = true;
}

static void take_window_update(struct reader *in, const struct frame *frame)
{
	MUST(frame->size == 4 && number(frame->payload) > 0 &&
	     number(frame->payload) <= INT32_MAX);
	MUST(frame->id == 0 || answer_of(in, frame->id) || in->said->opaque);
}

static void take(struct reader *in, const struct frame *frame)
{
	bool acks = frame->flags & NGHTTP2_FLAG_ACK;

	switch (frame->type) {
	case NGHTTP2_HEADERS:
		take_headers(in, frame);
		break;
	case NGHTTP2_DATA:
		take_data(in, frame);
		break;
	case NGHTTP2_RST_STREAM:
		take_reset(in, frame);
		break;
	case NGHTTP2_WINDOW_UPDATE:
		take_window_update(in, frame);
		break;
	case NGHTTP2_SETTINGS:
		MUST(frame->id == 0 && (acks ? frame->size == 0 : frame->size % 6 == 0));
		break;
	case NGHTTP2_PING:
		MUST(frame->id == 0 && frame->size == 8 && acks);
		break;
	case NGHTTP2_GOAWAY:
		MUST(frame->id == 0 && frame->size >= 8);
		break;
	default:
		fprintf(stderr, "unheard-of frame: %u\n", (unsigned)frame->type);
		abort();
	}
}

void h2_heard_check(const uint8_t *data, size_t size, const struct h2_said *said)
{
	struct reader in = {.said = said, .first = true};

	MUST(nghttp2_hd_inflate_new(&in.inflater) == 0);
	while (size >= FRAME_HEAD) {
		struct frame frame = {.payload = data + FRAME_HEAD,
				      .size = number(data) >> 8,
				      .type = data[3],
				      .flags = data[4],
				      .id = number(data + 5)};

		MUST(frame.size <= MOST_FRAME);
		MUST(!in.first || frame.type == NGHTTP2_SETTINGS);
		in.first = false;
		if (size - FRAME_HEAD < frame.size)
			break;
		take(&in, &frame);
		data += FRAME_HEAD + frame.size;
		size -= FRAME_HEAD + frame.size;
	}
	nghttp2_hd_inflate_del(in.inflater);
}
