/* SPDX-License-Identifier: MIT
 *
 * events.c - server-sent events (HTML standard, section "Server-sent events").
 *
 * Every field is a line, and an empty line ends the event: so no text may bring a line break of its
 * own but data, whose lines become fields each.
 */
#include <belay/http_events.h>
#include <belay/select.h>

#include <errno.h>
#include <inttypes.h>
#include <string.h>

static bool has_break(const char *text)
{
	return text && strpbrk(text, "\r\n");
}

/* ---- Writing --------------------------------------------------------------------------------- */

static int put_field(belay_ctx *ctx, belay_response *res, const char *name, const char *text,
		     size_t size)
{
	int r = belay_response_puts(ctx, res, name);

	if (r == 0)
		r = belay_response_puts(ctx, res, ": ");
	if (r == 0)
		r = belay_response_write(ctx, res, text, size);
	return r == 0 ? belay_response_puts(ctx, res, "\n") : r;
}

static int put_text(belay_ctx *ctx, belay_response *res, const char *name, const char *text)
{
	return text ? put_field(ctx, res, name, text, strlen(text)) : 0;
}

/* Also the empty line behind a break at the end. */
static int put_data(belay_ctx *ctx, belay_response *res, const char *data)
{
	int r = 0;

	while (data && r == 0) {
		size_t size = strcspn(data, "\r\n");

		r = put_field(ctx, res, "data", data, size);
		data += size;
		if (*data == '\0')
			return r;
		data += strncmp(data, "\r\n", 2) == 0 ? 2 : 1;
	}
	return r;
}

static int put_retry(belay_ctx *ctx, belay_response *res, int64_t ns)
{
	if (ns == 0)
		return 0;
	return belay_response_printf(ctx, res, "retry: %" PRId64 "\n",
				     ns / BELAY_MS(1) + (ns % BELAY_MS(1) >= BELAY_US(500)));
}

static int put_event(belay_ctx *ctx, belay_response *res, const struct belay_event *event)
{
	int r = put_text(ctx, res, "event", event->event);

	if (r == 0)
		r = put_text(ctx, res, "id", event->id);
	if (r == 0)
		r = put_retry(ctx, res, event->retry);
	if (r == 0)
		r = put_data(ctx, res, event->data);
	return r == 0 ? belay_response_puts(ctx, res, "\n") : r;
}

/* ---- The public face ------------------------------------------------------------------------- */

int belay_events_begin(belay_ctx *ctx, belay_request *req, belay_response *res)
{
	int r = belay_response_header(res, "Content-Type", "text/event-stream");

	if (r == 0)
		r = belay_response_header(res, "Cache-Control", "no-store, no-transform");
	if (r == 0)
		r = belay_response_header(res, "X-Accel-Buffering", "no");
	return r == 0 ? belay_response_flush(ctx, res) : r;
}

int belay_events_send(belay_ctx *ctx, belay_response *res, const struct belay_event *event)
{
	int r;

	if (has_break(event->event) || has_break(event->id) || event->retry < 0)
		return -EINVAL;
	r = put_event(ctx, res, event);
	return r == 0 ? belay_response_flush(ctx, res) : r;
}

int belay_events_comment(belay_ctx *ctx, belay_response *res, const char *text)
{
	int r;

	if (has_break(text))
		return -EINVAL;
	r = belay_response_printf(ctx, res, ": %s\n\n", text);
	return r == 0 ? belay_response_flush(ctx, res) : r;
}

int belay_events_recv_sized(belay_ctx *ctx, belay_response *res, belay_chan *channel, void *element,
			    size_t size, int64_t every)
{
	bool open = true;

	if (every <= 0)
		return belay_recv_sized(ctx, channel, element, size);
	for (;;) {
		struct belay_case cases[] = {
			belay__case(BELAY_CASE_RECV, channel, element, size, &open, 0),
			BELAY_TIMEOUT(every),
		};
		int r = belay_select_n(ctx, cases, 2);

		if (r == 0)
			return open ? 0 : -EPIPE;
		if (r == 1)
			r = belay_events_comment(ctx, res, "");
		if (r < 0)
			return r;
	}
}

const char *belay_events_last_id(const belay_request *req)
{
	return belay_request_header(req, "last-event-id");
}
