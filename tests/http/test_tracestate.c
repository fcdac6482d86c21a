/* SPDX-License-Identifier: MIT
 *
 * test_tracestate.c - W3C tracestate: what is well-formed, which trace it belongs to, and what a
 * handler gets of it.
 */
#include "check.h"
#include "http/dropped.h"
#include "http/tracestate.h"

#include <belay/http.h>
#include <belay/http_client.h>
#include <belay/log.h>

#include <errno.h>
#include <string.h>

#define PARENT "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

/* ---- The form -------------------------------------------------------------------------------- */

/* Trace Context, section 3.3.1 */
static void what_the_grammar_has_is_accepted(void **state)
{
	static const char *const good[] = {
		"rojo=00f067aa0ba902b7",
		"rojo=00f067aa0ba902b7,congo=t61rcWkgMzE",
		"fw529a3039@dt=FfAAAACAAAAAAQ,1a-_*/=x",
		"a=with space inside \t, b=2 ",
		",a=1,,b=2,",
		"a=!\"#$%&'()*+-./:;<>?@[\\]^_`{|}~",
	};

	for (size_t i = 0; i < sizeof good / sizeof *good; i++)
		if (!belay__is_tracestate(good[i]))
			fail_msg("refused: %s", good[i]);
}

static void what_it_has_not_is_refused(void **state)
{
	static const char *const bad[] = {"",	    " ",   ",",	     "a",     "=1",    "a=",
					  "A=1",    "a =1", "a= ",   "a=1=2", "a=1 b=2,a=1",
					  "-a=1",   "@a=1", "a=\x7f", "a=\xc3\xa9", "a=1;b=2\x01",
					  "a=1,a=2"};

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		if (belay__is_tracestate(bad[i]))
			fail_msg("accepted: %s", bad[i]);
}

/* "a0=1,a1=1,..." */
static const char *members(unsigned count)
{
	static char text[1024];
	char *at = text;

	for (unsigned i = 0; i < count; i++)
		at += sprintf(at, "%sa%u=1", i > 0 ? "," : "", i);
	return text;
}

static void there_are_32_members_at_most(void **state)
{
	assert_true(belay__is_tracestate(members(32)));
	assert_false(belay__is_tracestate(members(33)));
}

static void keys_and_values_have_256_characters_at_most(void **state)
{
	char text[600];

	memset(text, 'a', sizeof text);
	strcpy(text + 256, "=1");
	assert_true(belay__is_tracestate(text));
	assert_false(belay__is_tracestate(memset(text, 'a', 257)));
	strcpy(text + 257, "=1");
	assert_false(belay__is_tracestate(text));
	memset(text, 'a', sizeof text);
	memcpy(text, "a=", 2);
	text[258] = '\0';
	assert_true(belay__is_tracestate(text));
	text[258] = 'a';
	text[259] = '\0';
	assert_false(belay__is_tracestate(text));
}

/* ---- A context's ----------------------------------------------------------------------------- */

static void it_belongs_to_the_trace_that_it_came_with(void **state)
{
	belay_ctx *traced = check_live(belay_with_trace_id(belay_background(), "one"));
	belay_ctx *stated = check_live(belay_with_tracestate(traced, "a=1"));
	belay_ctx *child = check_live(belay_with_cancel(stated));
	belay_ctx *other = check_live(belay_with_trace_id(child, "two"));

	assert_null(belay_tracestate(traced));
	assert_non_null(belay_tracestate(child));
	assert_string_equal(belay_tracestate(child), "a=1");
	assert_null(belay_tracestate(other));
	belay_end(other);
	belay_end(child);
	belay_end(stated);
	belay_end(traced);
}

static void without_a_trace_or_a_form_the_context_is_done(void **state)
{
	belay_ctx *traced = check_live(belay_with_trace_id(belay_background(), "one"));
	belay_ctx *bad[] = {belay_with_tracestate(belay_background(), "a=1"),
			    belay_with_tracestate(traced, "a"), belay_with_tracestate(traced, NULL),
			    belay_with_tracestate(NULL, "a=1")};

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		assert_true(belay_err(bad[i]) < 0);
		belay_end(bad[i]);
	}
	belay_end(traced);
}

/* ---- A handler's ----------------------------------------------------------------------------- */

static int tell_state(belay_ctx *ctx, belay_request *req, belay_response *res)
{
	const char *text = belay_tracestate(ctx);

	return belay_response_puts(ctx, res, text ? text : "none");
}

/* What a handler gets of these headers: a traceparent twice or less, and a tracestate. */
static const char *served(const char *parent, const char *twin, const char *tracestate)
{
	static char text[200];
	belay_router *router = check_made(belay_router_new());
	belay_recorder *rec = check_made(belay_recorder_new("GET", "/"));

	check(belay_router_use(router, belay_http_trace, NULL) == 0);
	check(belay_router_add(router, "GET /", tell_state, NULL) == 0);
	if (parent)
		check(belay_recorder_header(rec, "traceparent", parent) == 0);
	if (twin)
		check(belay_recorder_header(rec, "traceparent", twin) == 0);
	check(belay_recorder_header(rec, "tracestate", tracestate) == 0);
	check(belay_recorder_header(rec, "tracestate", "last=1") == 0);
	assert_int_equal(belay_recorder_serve(belay_background(), rec, router), 0);
	snprintf(text, sizeof text, "%s", belay_recorder_get_body(rec, NULL));
	belay_recorder_free(rec);
	belay_router_free(router);
	return text;
}

static void a_handler_s_context_has_it_as_one_list(void **state)
{
	assert_string_equal(served(PARENT, NULL, "a=1"), "a=1,last=1");
}

/* Trace Context, section 3.3 */
static void without_a_valid_traceparent_it_means_nothing(void **state)
{
	uint64_t before = belay__dropped_count(BELAY__DROPPED_TRACEPARENT);

	assert_string_equal(served(NULL, NULL, "a=1"), "none");
	assert_int_equal(belay__dropped_count(BELAY__DROPPED_TRACEPARENT), before);
	assert_string_equal(served("00-zz", NULL, "a=1"), "none");
	assert_string_equal(served(PARENT, PARENT, "a=1"), "none");
	assert_int_equal(belay__dropped_count(BELAY__DROPPED_TRACEPARENT), before + 2);
}

static void what_is_malformed_is_dropped_and_counted(void **state)
{
	uint64_t before = belay__dropped_count(BELAY__DROPPED_TRACESTATE);

	assert_string_equal(served(PARENT, NULL, "last=2"), "none");
	assert_int_equal(belay__dropped_count(BELAY__DROPPED_TRACESTATE), before + 1);
}

BELAY_TEST_MAIN(cmocka_unit_test(what_the_grammar_has_is_accepted),
		cmocka_unit_test(what_it_has_not_is_refused),
		cmocka_unit_test(there_are_32_members_at_most),
		cmocka_unit_test(keys_and_values_have_256_characters_at_most),
		cmocka_unit_test(it_belongs_to_the_trace_that_it_came_with),
		cmocka_unit_test(without_a_trace_or_a_form_the_context_is_done),
		cmocka_unit_test(a_handler_s_context_has_it_as_one_list),
		cmocka_unit_test(without_a_valid_traceparent_it_means_nothing),
		cmocka_unit_test(what_is_malformed_is_dropped_and_counted))
