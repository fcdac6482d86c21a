/* SPDX-License-Identifier: MIT
 *
 * test_baggage.c - W3C Baggage: what is well-formed, how much of it is kept, and what a handler
 * gets of it.
 */
#include "check.h"
#include "http/baggage.h"
#include "http/dropped.h"

#include <belay/http.h>
#include <belay/http_client.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- The form -------------------------------------------------------------------------------- */

/* The part of text that is kept; -1: malformed. */
static ssize_t kept(const char *text)
{
	size_t size;

	return belay__baggage_scan(text, &size) < 0 ? -1 : (ssize_t)size;
}

/* Baggage, section 3.2.1 */
static void what_the_grammar_has_is_kept_whole(void **state)
{
	static const char *const good[] = {
		"a=1",
		"a=",
		"key1=value1,key2=value2",
		"key1=value1 , key2 = value2",
		"key1=value1;property1;property2, key2 = value2, key3=value3; propertyKey=v",
		"userId=Am%C3%A9lie,serverNode=DF%2028,isProduction=false",
		"a=b=c",
		"a=1,,b=2",
		"!#$%&'*+-.^_`|~=x",
	};

	for (size_t i = 0; i < sizeof good / sizeof *good; i++)
		if (kept(good[i]) != (ssize_t)strlen(good[i]))
			fail_msg("cut: %s", good[i]);
	assert_int_equal(kept(""), 0);
	assert_int_equal(kept(" ,\t, "), 0);
}

static void what_it_has_not_is_refused(void **state)
{
	static const char *const bad[] = {"a",	   "=1",      "a b=1",	     "a=1 2",	  "a=\"1\"",
					  "a=1;",  "a=1;=2",  "a=1,b",	     "a=1;b c",	  "a=\\",
					  "a=\xc3\xa9", "k\xc3\xa9=1", "a=1\x01", "(a)=1",
					  "a=1,;b"};

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		if (kept(bad[i]) != -1)
			fail_msg("accepted: %s", bad[i]);
}

/* Members "k=1" with commas between them. */
static char *members(unsigned count, unsigned value_size)
{
	char *text = calloc(count, value_size + 3), *at = text;

	for (unsigned i = 0; i < count; i++) {
		at = stpcpy(at, i > 0 ? ",k=" : "k=");
		memset(at, '1', value_size);
		at += value_size;
	}
	return text;
}

/* Baggage, section 3.2.3 */
static void of_more_than_64_members_the_first_64_are_kept(void **state)
{
	char *text = members(64, 1);

	assert_int_equal(kept(text), 64 * 4 - 1);
	free(text);
	text = members(65, 1);
	assert_int_equal(kept(text), 64 * 4 - 1);
	free(text);
}

static void of_more_than_8192_bytes_whole_members_are_kept(void **state)
{
	char *text = members(1, 8190);

	assert_int_equal(kept(text), 8192);
	free(text);
	text = members(1, 8191);
	assert_int_equal(kept(text), 0);
	free(text);
	text = members(9, 1000); /* 1002, and 1003 for each that follows */
	assert_int_equal(kept(text), 1002 + 7 * 1003);
	free(text);
}

/* ---- A handler's ----------------------------------------------------------------------------- */

static int tell_baggage(belay_ctx *ctx, belay_request *req, belay_response *res)
{
	const char *baggage = belay_baggage(ctx);

	return belay_response_puts(ctx, res, baggage ? baggage : "none");
}

/* What a handler gets of these headers; NULL: one less. */
static const char *served(const char *first, const char *second)
{
	static char text[200];
	belay_router *router = check_made(belay_router_new());
	belay_recorder *rec = check_made(belay_recorder_new("GET", "/"));

	check(belay_router_use(router, belay_http_trace, NULL) == 0);
	check(belay_router_add(router, "GET /", tell_baggage, NULL) == 0);
	if (first)
		check(belay_recorder_header(rec, "baggage", first) == 0);
	if (second)
		check(belay_recorder_header(rec, "Baggage", second) == 0);
	assert_int_equal(belay_recorder_serve(belay_background(), rec, router), 0);
	snprintf(text, sizeof text, "%s", belay_recorder_get_body(rec, NULL));
	belay_recorder_free(rec);
	belay_router_free(router);
	return text;
}

static void a_handler_s_context_has_it(void **state)
{
	assert_string_equal(served(NULL, NULL), "none");
	assert_string_equal(served("user=42", NULL), "user=42");
	assert_string_equal(served("", NULL), "none");
}

/* RFC 9110, section 5.3 */
static void headers_of_the_same_name_are_one_list(void **state)
{
	assert_string_equal(served("user=42", "plan=free;x"), "user=42,plan=free;x");
}

static void what_is_malformed_is_dropped_and_counted(void **state)
{
	uint64_t before = belay__dropped_count(BELAY__DROPPED_BAGGAGE);

	assert_string_equal(served("user=42", "no member"), "none");
	assert_int_equal(belay__dropped_count(BELAY__DROPPED_BAGGAGE), before + 1);
}

BELAY_TEST_MAIN(cmocka_unit_test(what_the_grammar_has_is_kept_whole),
		cmocka_unit_test(what_it_has_not_is_refused),
		cmocka_unit_test(of_more_than_64_members_the_first_64_are_kept),
		cmocka_unit_test(of_more_than_8192_bytes_whole_members_are_kept),
		cmocka_unit_test(a_handler_s_context_has_it),
		cmocka_unit_test(headers_of_the_same_name_are_one_list),
		cmocka_unit_test(what_is_malformed_is_dropped_and_counted))
