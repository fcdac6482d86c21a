/* SPDX-License-Identifier: MIT
 *
 * test_client_retry.c - which requests are sent again, when, and how many of them.
 */
#include "client_peer.h"

#include <belay/http_middleware.h>
#include <belay/stats.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define UNAVAILABLE "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n"

/* What the peer says to the first requests, then 200; NULL: it closes without a word; where that is
 * half a head: it closes then. */
struct script {
	const char *first;
	unsigned count;
	char body[64]; /* of the last request */
};

static void follow_script(struct peer *peer, int fd)
{
	struct peer_request *request = malloc(sizeof *request);
	struct script *script = peer->arg;

	while (peer_read(peer, fd, request)) {
		snprintf(script->body, sizeof script->body, "%s", request->body);
		if (atomic_load(&peer->requests) > script->count)
			peer_reply(fd, "done");
		else if (!script->first || !peer_send(fd, script->first) ||
			 !strstr(script->first, "\r\n\r\n"))
			break;
	}
	free(request);
}

struct scene {
	struct peer peer;
	struct script script;
	belay_http_client *client;
	struct belay_http_call call;
	belay_http_reply *reply;
};

static void scene_begin(struct scene *scene, const char *first, unsigned count,
			struct belay_http_retry retry)
{
	memset(scene, 0, sizeof *scene);
	scene->script = (struct script){first, count, ""};
	peer_start(&scene->peer, follow_script, &scene->script);
	scene->client = peer_client(&(struct belay_http_client_options){.retry = retry});
	scene->call.url = scene->peer.url;
}

static int send_it(struct scene *scene, belay_ctx *ctx)
{
	belay_http_reply_end(scene->reply);
	scene->reply = NULL;
	return belay_http_send(ctx, scene->client, &scene->call, &scene->reply);
}

static void scene_end(struct scene *scene)
{
	belay_http_reply_end(scene->reply);
	belay_http_client_close(scene->client);
	peer_stop(&scene->peer);
}

static const struct belay_http_retry quick = {.most = 3, .base = BELAY_US(10)};

/* ---- What is repeated ------------------------------------------------------------------------ */

/* How often a request of that method was sent to a peer that answers the third one. */
static unsigned attempts_of(const char *method, const char *first, bool repeatable)
{
	struct scene scene;
	unsigned requests;

	scene_begin(&scene, first, 2, quick);
	scene.call.method = method;
	scene.call.repeatable = repeatable;
	if (send_it(&scene, belay_background()) == 0)
		assert_true(belay_http_reply_attempts(scene.reply) ==
			    atomic_load(&scene.peer.requests));
	requests = atomic_load(&scene.peer.requests);
	scene_end(&scene);
	return requests;
}

/* RFC 9110, section 9.2.2 */
static void what_is_idempotent_is_sent_again(void **state)
{
	static const char *const methods[] = {"GET", "HEAD", "PUT", "DELETE", "OPTIONS"};

	for (size_t i = 0; i < sizeof methods / sizeof *methods; i++)
		assert_int_equal(attempts_of(methods[i], UNAVAILABLE "\r\n", false), 3);
	assert_int_equal(attempts_of("GET", "HTTP/1.1 429 Slow Down\r\nContent-Length: 2\r\n\r\nno",
				     false),
			 3);
}

static void what_is_not_is_sent_once_unless_the_caller_says_so(void **state)
{
	assert_int_equal(attempts_of("POST", UNAVAILABLE "\r\n", false), 1);
	assert_int_equal(attempts_of("PATCH", UNAVAILABLE "\r\n", false), 1);
	assert_int_equal(attempts_of("POST", UNAVAILABLE "\r\n", true), 3);
}

/* Answers the first request of all, and takes the others without a word. */
static void answer_once(struct peer *peer, int fd)
{
	struct peer_request *request = malloc(sizeof *request);

	while (peer_read(peer, fd, request))
		if (atomic_load(&peer->requests) > 1 || !peer_reply(fd, "done"))
			break;
	free(request);
}

/* How often a request was sent, on a connection kept from the one before, that the peer has read
 * and then closes on. */
static unsigned times_on_a_kept_connection(struct belay_http_call call)
{
	belay_http_client *client = peer_client(NULL);
	belay_http_reply *reply;
	struct peer peer;
	unsigned requests;
	char *body;

	peer_start(&peer, answer_once, NULL);
	assert_int_equal(belay_http_get(belay_background(), client, peer.url, &reply), 0);
	assert_int_equal(belay_http_reply_read_all(belay_background(), reply, 100, &body, NULL), 0);
	free(body);
	belay_http_reply_end(reply);
	call.url = peer.url;
	assert_int_equal(belay_http_send(belay_background(), client, &call, &reply), -ECONNRESET);
	requests = atomic_load(&peer.requests) - 1;
	belay_http_client_close(client);
	peer_stop(&peer);
	return requests;
}

/* The peer may have done what it was asked for all the same. */
static void nor_is_it_where_a_kept_connection_breaks(void **state)
{
	const struct belay_http_call post = {.method = "POST", .body = "x", .body_size = 1};

	assert_int_equal(times_on_a_kept_connection(post), 1);
	assert_int_equal(times_on_a_kept_connection((struct belay_http_call){.method = "PATCH"}),
			 1);
	assert_int_equal(times_on_a_kept_connection((struct belay_http_call){.method = "LOCK"}), 1);
}

static void other_answers_are_the_answer(void **state)
{
	assert_int_equal(attempts_of("GET", "HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n", false),
			 1);
	assert_int_equal(attempts_of("GET", "HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n", false),
			 1);
}

static void a_connection_that_breaks_is_tried_again(void **state)
{
	struct scene scene;
	char why[100] = "untouched";

	scene_begin(&scene, NULL, 2, quick);
	scene.call.error = why;
	scene.call.error_size = sizeof why;
	assert_int_equal(send_it(&scene, belay_background()), 0);
	assert_int_equal(belay_http_reply_status(scene.reply), 200);
	assert_int_equal(belay_http_reply_attempts(scene.reply), 3);
	assert_string_equal(why, "");
	scene_end(&scene);
	assert_int_equal(attempts_of("GET", "HTTP/1.1 200 OK\r\nContent-", false), 3);
}

static void a_body_is_sent_again_whole(void **state)
{
	struct scene scene;

	scene_begin(&scene, UNAVAILABLE "\r\n", 1, quick);
	scene.call.method = "PUT";
	scene.call.body = "the body";
	scene.call.body_size = 8;
	assert_int_equal(send_it(&scene, belay_background()), 0);
	assert_int_equal(belay_http_reply_status(scene.reply), 200);
	assert_string_equal(scene.script.body, "the body");
	scene_end(&scene);
}

static void without_the_option_nothing_is(void **state)
{
	struct scene scene;

	scene_begin(&scene, UNAVAILABLE "\r\n", 1, (struct belay_http_retry){0});
	assert_int_equal(send_it(&scene, belay_background()), 0);
	assert_int_equal(belay_http_reply_status(scene.reply), 503);
	assert_int_equal(belay_http_reply_attempts(scene.reply), 1);
	scene_end(&scene);
}

/* ---- How many -------------------------------------------------------------------------------- */

static void after_the_last_retry_the_last_reply_is_the_call_s(void **state)
{
	struct scene scene;

	scene_begin(&scene, UNAVAILABLE "X-Last: 1\r\n\r\n", 100, quick);
	assert_int_equal(send_it(&scene, belay_background()), 0);
	assert_int_equal(belay_http_reply_status(scene.reply), 503);
	assert_non_null(belay_http_reply_header(scene.reply, "X-Last"));
	assert_int_equal(atomic_load(&scene.peer.requests), 4);
	scene_end(&scene);
}

/* 20 calls to a peer that is down: 5 retries at once, and one for each ten calls. */
static void the_budget_bounds_what_all_calls_repeat(void **state)
{
	const struct belay_http_retry retry = {
		.most = 3, .base = BELAY_US(10), .percent = 10, .burst = 5};
	struct scene scene;

	scene_begin(&scene, UNAVAILABLE "\r\n", 1000, retry);
	for (int i = 0; i < 20; i++)
		assert_int_equal(send_it(&scene, belay_background()), 0);
	assert_in_range(atomic_load(&scene.peer.requests), 20 + 5, 20 + 5 + 2);
	scene_end(&scene);
}

static void a_budget_out_of_its_bounds_is_refused(void **state)
{
	static const struct belay_http_retry bad[] = {
		{.base = -1}, {.longest = -1}, {.percent = 101}, {.burst = 1000001}};
	belay_http_client *client = NULL;

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		const struct belay_http_client_options options = {.retry = bad[i]};

		assert_int_equal(belay_http_client_new(&options, &client), -EINVAL);
	}
	assert_null(client);
}

/* ---- When ------------------------------------------------------------------------------------ */

static void a_retry_after_beyond_the_deadline_is_not_waited_for(void **state)
{
	belay_ctx *ctx = check_live(belay_with_timeout(belay_background(), BELAY_S(60)));
	struct scene scene;

	scene_begin(&scene, UNAVAILABLE "Retry-After: 61\r\n\r\n", 1, quick);
	assert_int_equal(send_it(&scene, ctx), 0);
	assert_int_equal(belay_http_reply_status(scene.reply), 503);
	assert_int_equal(belay_http_reply_attempts(scene.reply), 1);
	scene_end(&scene);
	belay_end(ctx);
}

static void without_a_deadline_it_is_waited_for_as_long_as_the_longest(void **state)
{
	struct scene scene;

	scene_begin(&scene, UNAVAILABLE "Retry-After: 6\r\n\r\n", 1, quick);
	assert_int_equal(send_it(&scene, belay_background()), 0);
	assert_int_equal(belay_http_reply_status(scene.reply), 503);
	scene_end(&scene);
	scene_begin(&scene, UNAVAILABLE "Retry-After: Fri, 01 Jan 2999 00:00:00 GMT\r\n\r\n", 1,
		    quick);
	assert_int_equal(send_it(&scene, belay_background()), 0);
	assert_int_equal(belay_http_reply_status(scene.reply), 503);
	scene_end(&scene);
}

static void a_retry_after_in_time_is_kept(void **state)
{
	belay_ctx *ctx = check_live(belay_with_timeout(belay_background(), BELAY_S(60)));
	int64_t start = belay_now();
	struct scene scene;

	scene_begin(&scene, UNAVAILABLE "Retry-After: 1\r\n\r\n", 1, quick);
	assert_int_equal(send_it(&scene, ctx), 0);
	assert_int_equal(belay_http_reply_status(scene.reply), 200);
	assert_true(belay_now() - start >= BELAY_S(1));
	scene_end(&scene);
	belay_end(ctx);
}

static void one_that_has_passed_is_not_waited_for(void **state)
{
	struct scene scene;

	scene_begin(&scene, UNAVAILABLE "Retry-After: Sun, 06 Nov 1994 08:49:37 GMT\r\n\r\n", 1,
		    quick);
	assert_int_equal(send_it(&scene, belay_background()), 0);
	assert_int_equal(belay_http_reply_status(scene.reply), 200);
	scene_end(&scene);
}

static int send_in_task(belay_ctx *ctx, void *arg)
{
	return send_it(arg, ctx);
}

static bool somebody_sleeps(void)
{
	struct belay_numbers numbers;

	belay_stats(&numbers, sizeof numbers);
	return numbers.parked_sleep > 0;
}

/* semantics 5.4 */
static void the_context_ends_the_wait(void **state)
{
	static const struct belay_http_retry slow = {.most = 1, .longest = BELAY_S(1000)};
	belay_ctx *ctx = check_live(belay_with_cancel(belay_background()));
	belay_group *group = check_made(belay_group_new(ctx));
	struct scene scene;

	check_needs_memory();
	scene_begin(&scene, UNAVAILABLE "Retry-After: 999\r\n\r\n", 100, slow);
	assert_int_equal(belay_group_go(group, send_in_task, &scene), 0);
	assert_true(check_until(somebody_sleeps()));
	belay_cancel(ctx);
	assert_int_equal(belay_group_wait(group), -ECANCELED);
	assert_null(scene.reply);
	assert_int_equal(atomic_load(&scene.peer.requests), 1);
	scene_end(&scene);
	belay_end(ctx);
}

/* ---- In numbers ------------------------------------------------------------------------------ */

/* The value behind that name, of which there are as many as this process has counted so far. */
static unsigned long counted(const char *name)
{
	belay_metrics *metrics = check_made(belay_metrics_new());
	char *text = NULL, line[100];
	size_t size;
	FILE *out = open_memstream(&text, &size);
	unsigned long value;

	assert_int_equal(belay_metrics_text(metrics, out), 0);
	fclose(out);
	snprintf(line, sizeof line, "\nbelay_http_client_%s ", name);
	assert_non_null(strstr(text, line));
	value = strtoul(strstr(text, line) + strlen(line), NULL, 10);
	free(text);
	belay_metrics_free(metrics);
	return value;
}

static void what_is_sent_again_is_counted_by_reason(void **state)
{
	unsigned long requests = counted("requests_total"), resets, late;

	late = counted("retries_total{reason=\"503\"}");
	assert_int_equal(attempts_of("GET", UNAVAILABLE "\r\n", false), 3);
	assert_int_equal(counted("requests_total"), requests + 1);
	assert_int_equal(counted("retries_total{reason=\"503\"}"), late + 2);
	resets = counted("retries_total{reason=\"reset\"}");
	assert_int_equal(attempts_of("GET", NULL, false), 3);
	assert_int_equal(counted("retries_total{reason=\"reset\"}"), resets + 2);
	assert_int_equal(counted("retries_total{reason=\"503\"}"), late + 2);
}

static void what_is_not_sent_again_is_counted_by_what_forbade_it(void **state)
{
	const struct belay_http_retry once = {
		.most = 3, .base = BELAY_US(10), .percent = 1, .burst = 1};
	unsigned long budget = counted("retries_withheld_total{by=\"budget\"}");
	unsigned long deadline = counted("retries_withheld_total{by=\"deadline\"}");
	struct scene scene;

	scene_begin(&scene, UNAVAILABLE "\r\n", 1000, once);
	assert_int_equal(send_it(&scene, belay_background()), 0);
	assert_int_equal(belay_http_reply_attempts(scene.reply), 2);
	scene_end(&scene);
	assert_int_equal(counted("retries_withheld_total{by=\"budget\"}"), budget + 1);
	scene_begin(&scene, UNAVAILABLE "Retry-After: 3600\r\n\r\n", 1000, quick);
	assert_int_equal(send_it(&scene, belay_background()), 0);
	scene_end(&scene);
	assert_int_equal(counted("retries_withheld_total{by=\"deadline\"}"), deadline + 1);
}

BELAY_TEST_MAIN(cmocka_unit_test(what_is_idempotent_is_sent_again),
		cmocka_unit_test(what_is_not_is_sent_once_unless_the_caller_says_so),
		cmocka_unit_test(nor_is_it_where_a_kept_connection_breaks),
		cmocka_unit_test(other_answers_are_the_answer),
		cmocka_unit_test(a_connection_that_breaks_is_tried_again),
		cmocka_unit_test(a_body_is_sent_again_whole),
		cmocka_unit_test(without_the_option_nothing_is),
		cmocka_unit_test(after_the_last_retry_the_last_reply_is_the_call_s),
		cmocka_unit_test(the_budget_bounds_what_all_calls_repeat),
		cmocka_unit_test(a_budget_out_of_its_bounds_is_refused),
		cmocka_unit_test(a_retry_after_beyond_the_deadline_is_not_waited_for),
		cmocka_unit_test(without_a_deadline_it_is_waited_for_as_long_as_the_longest),
		cmocka_unit_test(a_retry_after_in_time_is_kept),
		cmocka_unit_test(one_that_has_passed_is_not_waited_for),
		cmocka_unit_test(the_context_ends_the_wait),
		cmocka_unit_test(what_is_sent_again_is_counted_by_reason),
		cmocka_unit_test(what_is_not_sent_again_is_counted_by_what_forbade_it))
