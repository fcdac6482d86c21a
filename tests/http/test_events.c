/* SPDX-License-Identifier: MIT
 *
 * test_events.c - server-sent events.
 */
#include "around.h"
#include "site.h"

#include <belay/http_events.h>

#include <stdatomic.h>
#include <unistd.h>

/* Runs handler, and gives what it has written. */
static belay_recorder *run(belay_handler *handler, void *data, int result)
{
	belay_recorder *rec = check_made(belay_recorder_new("GET", "/"));

	check(belay_recorder_header(rec, "Last-Event-ID", "41") == 0);
	assert_int_equal(belay_recorder_run(belay_background(), rec, handler, data), result);
	return rec;
}

static int send_event(belay_ctx *ctx, belay_request *req, belay_response *res)
{
	int r = belay_events_begin(ctx, req, res);

	return r == 0 ? belay_events_send(ctx, res, belay_request_data(req)) : r;
}

static void assert_written(struct belay_event event, const char *text)
{
	belay_recorder *rec = run(send_event, &event, 0);

	assert_string_equal(belay_recorder_get_body(rec, NULL), text);
	assert_int_equal(belay_recorder_flushes(rec), 2);
	belay_recorder_free(rec);
}

static void an_event_has_its_fields_and_an_empty_line(void **state)
{
	assert_written((struct belay_event){.data = "hello"}, "data: hello\n\n");
	assert_written((struct belay_event){.event = "news", .data = "x", .id = "7",
					    .retry = BELAY_MS(1500)},
		       "event: news\nid: 7\nretry: 1500\ndata: x\n\n");
	assert_written((struct belay_event){.id = "8"}, "id: 8\n\n");
	assert_written((struct belay_event){.data = ""}, "data: \n\n");
}

static void each_line_of_data_is_a_field(void **state)
{
	assert_written((struct belay_event){.data = "a\nb\r\nc\rd"},
		       "data: a\ndata: b\ndata: c\ndata: d\n\n");
	assert_written((struct belay_event){.data = "a\n"}, "data: a\ndata: \n\n");
	assert_written((struct belay_event){.data = "\n\nid: 1"},
		       "data: \ndata: \ndata: id: 1\n\n");
}

static void line_breaks_elsewhere_are_refused(void **state)
{
	static struct belay_event bad[] = {{.event = "a\nb"}, {.id = "a\rb"}, {.retry = -1}};

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		belay_recorder *rec = run(send_event, &bad[i], -EINVAL);

		assert_string_equal(belay_recorder_get_body(rec, NULL), "");
		belay_recorder_free(rec);
	}
}

static int tell_last_id(belay_ctx *ctx, belay_request *req, belay_response *res)
{
	int r = belay_events_begin(ctx, req, res);

	check(belay_events_begin(ctx, req, res) == -EALREADY);
	check(belay_events_comment(ctx, res, "a\nb") == -EINVAL);
	return r == 0 ? belay_events_comment(ctx, res, belay_events_last_id(req)) : r;
}

static void the_stream_is_not_cached_and_goes_on_where_it_was(void **state)
{
	belay_recorder *rec = run(tell_last_id, NULL, 0);

	assert_true(around_header_is(rec, "Content-Type", "text/event-stream"));
	assert_true(around_header_is(rec, "Cache-Control", "no-store, no-transform"));
	assert_string_equal(belay_recorder_get_body(rec, NULL), ": 41\n\n");
	belay_recorder_free(rec);
}

/* What a handler that receives is told about. */
struct feed {
	belay_chan *channel;
	atomic_int result;
	atomic_bool over;
};

static int relay(belay_ctx *ctx, belay_request *req, belay_response *res)
{
	struct feed *feed = belay_request_data(req);
	int r = belay_events_begin(ctx, req, res), n;
	char text[16];

	while (r == 0) {
		r = belay_events_recv(ctx, res, feed->channel, &n, BELAY_MS(1));
		if (r < 0)
			break;
		snprintf(text, sizeof text, "%d", n);
		r = belay_events_send(ctx, res, &(struct belay_event){.data = text});
	}
	atomic_store(&feed->result, r);
	atomic_store(&feed->over, true);
	return r == -EPIPE ? 0 : r;
}

static void elements_are_events_until_the_channel_is_closed(void **state)
{
	struct feed feed = {.channel = check_made(belay_chan_new(sizeof(int), 2))};
	belay_recorder *rec;

	assert_int_equal(belay_try_send(feed.channel, &(int){1}), 0);
	assert_int_equal(belay_try_send(feed.channel, &(int){2}), 0);
	belay_chan_close(feed.channel);
	rec = run(relay, &feed, 0);
	assert_string_equal(belay_recorder_get_body(rec, NULL), "data: 1\n\ndata: 2\n\n");
	assert_int_equal(feed.result, -EPIPE);
	belay_recorder_free(rec);
	belay_chan_unref(feed.channel);
}

static void an_idle_stream_beats_and_ends_when_the_client_goes(void **state)
{
	struct feed feed = {.channel = check_made(belay_chan_new(sizeof(int), 0))};
	struct site site;
	int fd;

	site_init(&site);
	assert_int_equal(belay_router_add(site.router, "GET /", relay, &feed), 0);
	site_start(&site, belay_background(), NULL);
	fd = site_dial(&site);
	raw_send(fd, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
	raw_read_until(fd, ": \n\n");
	assert_int_equal(belay_send(belay_background(), feed.channel, &(int){3}), 0);
	raw_read_until(fd, "data: 3\n\n");
	close(fd);
	assert_true(check_until(atomic_load(&feed.over)));
	assert_int_equal(feed.result, -ECANCELED);
	site_stop(&site);
	belay_chan_unref(feed.channel);
}

BELAY_TEST_MAIN(cmocka_unit_test(an_event_has_its_fields_and_an_empty_line),
		cmocka_unit_test(each_line_of_data_is_a_field),
		cmocka_unit_test(line_breaks_elsewhere_are_refused),
		cmocka_unit_test(the_stream_is_not_cached_and_goes_on_where_it_was),
		cmocka_unit_test(elements_are_events_until_the_channel_is_closed),
		cmocka_unit_test(an_idle_stream_beats_and_ends_when_the_client_goes))
