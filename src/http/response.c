/* SPDX-License-Identifier: MIT
 *
 * response.c - what a handler writes, held back until it fills the buffer or is sent for.
 *
 * States      OPEN -> COMMITTED, by the writer, when the head leaves; OPEN or COMMITTED -> CUT, by
 *             another task, once the handler's deadline has passed. Whoever moves it out of OPEN
 *             decides who answers.
 * Invariants  buf holds the body written so far that the sink has not been given.
 * Memory      The writer alone touches all but state and refused. A cut stores refused and then
 *             state (release); the writer's load of state (acquire) licenses reading refused.
 */
#include "http/file_body.h"
#include "http/response.h"

#include "base/alloc.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BUFFER = 16384, FIRST_BUFFER = 1024, COPY = 65536, MOST_AT_ONCE = 256 * 1024 };

/* ---- States ---------------------------------------------------------------------------------- */

static enum belay__response_state state_of(const struct belay_response *res)
{
	return atomic_load_explicit(&res->state, memory_order_acquire);
}

/* Whether the writer may go on: 0 or what it is told instead. */
static int check_writer(belay_ctx *ctx, struct belay_response *res)
{
	int r = belay_err(ctx);

	if (r == 0 && state_of(res) == BELAY__RESPONSE_CUT)
		r = res->refused;
	res->denied |= r < 0;
	return r == 0 && res->ended ? -EPIPE : r;
}

/* Whether the head may still be changed. */
static int check_head(const struct belay_response *res)
{
	switch (state_of(res)) {
	case BELAY__RESPONSE_OPEN:
		return 0;
	case BELAY__RESPONSE_COMMITTED:
		return -EALREADY;
	default:
		return res->refused;
	}
}

/* The head goes out. Acquire: where it was cut, refused is read. */
static int commit(struct belay_response *res)
{
	enum belay__response_state now = BELAY__RESPONSE_OPEN;

	atomic_compare_exchange_strong_explicit(&res->state, &now, BELAY__RESPONSE_COMMITTED,
						memory_order_acquire, memory_order_acquire);
	return now == BELAY__RESPONSE_CUT ? res->refused : 0;
}

/* ---- Body ------------------------------------------------------------------------------------ */

static int append(struct belay_response *res, const void *data, size_t size)
{
	size_t room = res->room ? res->room : FIRST_BUFFER;

	while (room < res->size + size)
		room *= 2;
	if (room > res->room) {
		char *buf = belay__realloc(res->buf, room);

		if (!buf)
			return -ENOMEM;
		res->buf = buf;
		res->room = room;
	}
	memcpy(res->buf + res->size, data, size);
	res->size += size;
	return 0;
}

/* Gives the sink what is in the buffer. */
static int drain(belay_ctx *ctx, struct belay_response *res, enum belay__part part)
{
	int r = commit(res);

	if (r < 0)
		return r;
	r = res->sink->send(ctx, res->sink, res, res->buf, res->size, part);
	res->size = 0;
	return r;
}

/* What does not fit into the buffer goes past it: by pieces, for each of which the client has time
 * anew. */
static int pour(belay_ctx *ctx, struct belay_response *res, const char *data, size_t size)
{
	int r = drain(ctx, res, BELAY__PART_MORE);

	if (r == 0 && size <= BUFFER)
		return append(res, data, size);
	while (r == 0 && size > 0) {
		size_t piece = size < MOST_AT_ONCE ? size : MOST_AT_ONCE;

		r = res->sink->send(ctx, res->sink, res, data, piece, BELAY__PART_MORE);
		data += piece;
		size -= piece;
	}
	return r;
}

/* ---- Headers --------------------------------------------------------------------------------- */

static int parse_length(const char *value, int64_t *ret)
{
	char *end;

	errno = 0;
	if (*value < '0' || *value > '9')
		return -EINVAL;
	*ret = strtoll(value, &end, 10);
	return *end != '\0' || errno == ERANGE ? -EINVAL : 0;
}

static int check_header(const struct belay_response *res, const char *name, const char *value,
			int64_t *ret_length)
{
	int r = check_head(res);

	if (r < 0)
		return r;
	if (!belay__is_token(name, strlen(name)) || !belay__is_field_value(value, strlen(value)) ||
	    belay__same_name(name, "transfer-encoding"))
		return -EINVAL;
	if (!belay__same_name(name, "content-length"))
		return 0;
	r = parse_length(value, ret_length);
	return r == 0 && (uint64_t)*ret_length < res->taken ? -EINVAL : r;
}

/* ---- For the neighbours ---------------------------------------------------------------------- */

void belay__response_init(struct belay_response *res, struct belay__sink *sink)
{
	*res = (struct belay_response){.sink = sink};
	belay__response_reset(res);
}

void belay__response_reset(struct belay_response *res)
{
	size_t kept = offsetof(struct belay_response, state);

	memset((char *)res + kept, 0, offsetof(struct belay_response, cause) - kept);
	res->cause[0] = '\0';
	res->status = 200;
	res->declared = -1;
	belay__headers_clear(&res->headers);
}

void belay__response_fini(struct belay_response *res)
{
	belay__free(res->buf);
	belay__headers_fini(&res->headers);
}

/* Answers without a body may promise a length all the same: the one that a GET would have had. */
static bool keeps_its_length(const struct belay_response *res)
{
	return res->declared < 0 || res->head_only || !belay__has_body(res->status) ||
	       res->taken == (uint64_t)res->declared;
}

int belay__response_finish(belay_ctx *ctx, struct belay_response *res)
{
	int r;

	if (res->ended)
		return 0;
	if (state_of(res) == BELAY__RESPONSE_CUT)
		return res->refused;
	if (!keeps_its_length(res))
		return -EBADMSG;
	r = drain(ctx, res, BELAY__PART_LAST);
	res->ended = r == 0;
	return r;
}

bool belay__response_cut(struct belay_response *res, int err)
{
	res->refused = err;
	return atomic_exchange_explicit(&res->state, BELAY__RESPONSE_CUT, memory_order_acq_rel) ==
	       BELAY__RESPONSE_OPEN;
}

void belay__response_clear_body(struct belay_response *res)
{
	static const char *const describing[] = {
		"content-type", "content-length", "content-encoding", "content-language",
		"content-range", "content-disposition", "etag", "last-modified", "accept-ranges",
	};

	for (size_t i = 0; i < sizeof describing / sizeof *describing; i++)
		belay__headers_remove(&res->headers, describing[i]);
	res->size = 0;
	res->taken = 0;
	res->declared = -1;
}

const char *belay__response_note_cause(struct belay_response *res, const belay_ctx *ctx)
{
	belay_cause cause;

	if (!res->cause[0] && belay_cause_of(ctx, &cause) == 0) {
		snprintf(res->cause, sizeof res->cause, "%s", cause.message);
		res->cause_err = belay_err(ctx);
		res->cause_code = cause.code;
	}
	return res->cause[0] ? res->cause : NULL;
}

const char *belay__response_trouble(struct belay_response *res, const belay_ctx *ctx,
				    const char **ret_name)
{
	const char *cause = belay__response_note_cause(res, ctx);

	*ret_name = cause ? "cause" : "error";
	return !cause && res->failure ? belay_strerror(res->failure) : cause;
}

void belay__response_copy_cause(struct belay_response *to, const struct belay_response *from)
{
	to->failure = from->failure;
	if (!from->cause[0])
		return;
	memcpy(to->cause, from->cause, sizeof to->cause);
	to->cause_err = from->cause_err;
	to->cause_code = from->cause_code;
}

/* Headers of which each says one thing more. */
static bool adds_up(const char *name)
{
	return belay__same_name(name, "vary") || belay__same_name(name, "set-cookie");
}

int belay__response_copy_head(struct belay_response *to, const struct belay_response *from)
{
	const struct belay__headers *headers = &from->headers;
	int r = belay_response_status(to, from->status);

	for (size_t i = 0; r == 0 && i < headers->count; i++) {
		const char *name = belay__headers_name(headers, i);
		const char *value = belay__headers_value(headers, i);
		bool first = belay__headers_find(headers, name, 0) == i;

		r = first && !adds_up(name) ? belay_response_header(to, name, value)
					    : belay_response_add_header(to, name, value);
	}
	return r;
}

int belay__response_hand_on(belay_ctx *ctx, struct belay_response *to, const void *data,
			    size_t size, enum belay__part part)
{
	int r = size > 0 ? belay_response_write(ctx, to, data, size) : 0;

	return r == 0 && part == BELAY__PART_FLUSH ? belay_response_flush(ctx, to) : r;
}

/* ---- The public face ------------------------------------------------------------------------- */

int belay_response_status(belay_response *res, int status)
{
	int r = check_head(res);

	if (r < 0)
		return r;
	if (status < 200 || status > 599)
		return -EINVAL;
	if (!belay__has_body(status) && res->size > 0)
		return -EINVAL;
	res->status = status;
	res->written = true;
	return 0;
}

int belay_response_header(belay_response *res, const char *name, const char *value)
{
	int64_t length = res->declared;
	int r = check_header(res, name, value, &length);

	if (r == 0)
		r = belay__headers_set(&res->headers, name, value);
	if (r == 0)
		res->declared = length;
	return r;
}

int belay_response_add_header(belay_response *res, const char *name, const char *value)
{
	int64_t length = res->declared;
	int r = check_header(res, name, value, &length);

	if (r == 0 && belay__same_name(name, "content-length"))
		return belay_response_header(res, name, value);
	return r == 0 ? belay__headers_add(&res->headers, name, strlen(name), value, strlen(value))
		      : r;
}

int belay_response_write(belay_ctx *ctx, belay_response *res, const void *data, size_t size)
{
	int r = check_writer(ctx, res);

	if (r < 0)
		return r;
	if (size > 0 && !belay__has_body(res->status))
		return -EINVAL;
	if (res->declared >= 0 && size > (uint64_t)res->declared - res->taken)
		return -EMSGSIZE;
	if (size > 0)
		r = size <= BUFFER - res->size ? append(res, data, size)
					       : pour(ctx, res, data, size);
	if (r < 0)
		return r;
	res->taken += size;
	res->written = true;
	return 0;
}

/* Past the buffer, where the sink can and the body has no frames. 1: it went; 0: it can't. */
static int pour_file(belay_ctx *ctx, struct belay_response *res, int fd, off_t offset, size_t size)
{
	int r;

	if (!res->sink->send_file || res->declared < 0 || size <= BUFFER - res->size)
		return 0;
	r = drain(ctx, res, BELAY__PART_MORE);
	if (r == 0)
		r = res->sink->send_file(ctx, res->sink, res, fd, offset, size);
	if (r == 0)
		res->taken += size;
	return r == -EOPNOTSUPP ? 0 : r == 0 ? 1 : r;
}

static int copy_file(belay_ctx *ctx, struct belay_response *res, int fd, off_t offset, size_t size)
{
	char *buf = belay__malloc(size < COPY ? size : COPY);
	int r = buf ? 0 : -ENOMEM;

	while (r == 0 && size > 0) {
		size_t piece = size < COPY ? size : COPY;

		r = belay__file_read(ctx, fd, buf, piece, offset);
		if (r == 0)
			r = belay_response_write(ctx, res, buf, piece);
		offset += (off_t)piece;
		size -= piece;
	}
	belay__free(buf);
	return r;
}

int belay_response_send_file(belay_ctx *ctx, belay_response *res, int fd, int64_t offset,
			     uint64_t size)
{
	int r = check_writer(ctx, res);

	if (r < 0 || size == 0)
		return r;
	if (!belay__has_body(res->status) || offset < 0 || size > INT64_MAX - (uint64_t)offset)
		return -EINVAL;
	if (res->declared >= 0 && size > (uint64_t)res->declared - res->taken)
		return -EMSGSIZE;
	res->written = true;
	if (res->head_only && res->declared >= 0) {
		res->taken += size;
		return 0;
	}
	r = pour_file(ctx, res, fd, offset, size);
	if (r == 0)
		return copy_file(ctx, res, fd, offset, size);
	return r > 0 ? 0 : r;
}

int belay_response_puts(belay_ctx *ctx, belay_response *res, const char *text)
{
	return belay_response_write(ctx, res, text, strlen(text));
}

int belay_response_printf(belay_ctx *ctx, belay_response *res, const char *fmt, ...)
{
	char small[512], *large = NULL;
	va_list args;
	int n, r;

	va_start(args, fmt);
	n = vsnprintf(small, sizeof small, fmt, args);
	va_end(args);
	if (n < 0)
		return -EINVAL;
	if ((size_t)n < sizeof small)
		return belay_response_write(ctx, res, small, (size_t)n);
	large = belay__malloc((size_t)n + 1);
	if (!large)
		return -ENOMEM;
	va_start(args, fmt);
	vsnprintf(large, (size_t)n + 1, fmt, args);
	va_end(args);
	r = belay_response_write(ctx, res, large, (size_t)n);
	belay__free(large);
	return r;
}

int belay_response_flush(belay_ctx *ctx, belay_response *res)
{
	int r = check_writer(ctx, res);

	if (r == 0)
		r = drain(ctx, res, BELAY__PART_FLUSH);
	if (r == 0)
		res->written = true;
	return r;
}

int belay_response_get_status(const belay_response *res)
{
	return res->status;
}

bool belay_response_is_sent(const belay_response *res)
{
	return state_of(res) == BELAY__RESPONSE_COMMITTED;
}
