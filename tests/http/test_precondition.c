/* SPDX-License-Identifier: MIT
 *
 * test_precondition.c - whether a client needs what it asks for, and which part of it.
 */
#include "check.h"
#include "http/date.h"
#include "http/precondition.h"
#include "http/request.h"

#include <string.h>

enum { MODIFIED = 784111777 };
#define THEN "Sun, 06 Nov 1994 08:49:37 GMT"
#define BEFORE "Sun, 06 Nov 1994 08:49:36 GMT"
#define AFTER "Sun, 06 Nov 1994 08:49:38 GMT"

static const struct belay__validators strong = {"\"a,b\"", MODIFIED};
static const struct belay__validators weak = {"W/\"a,b\"", MODIFIED};

/* "Name: value\n" for each. */
static void set(struct belay_request *req, const char *headers)
{
	*req = (struct belay_request){.method = "GET"};
	while (*headers) {
		const char *colon = strchr(headers, ':'), *end = strchr(headers, '\n');

		check(belay__headers_add(&req->headers, headers, (size_t)(colon - headers),
					 colon + 2, (size_t)(end - colon - 2)) == 0);
		headers = end + 1;
	}
}

static int verdict(const struct belay__validators *v, const char *headers)
{
	struct belay_request req;
	int status;

	set(&req, headers);
	status = belay__precondition(&req, v);
	belay__request_fini(&req);
	return status;
}

static void if_none_match_compares_weakly(void **state)
{
	assert_int_equal(verdict(&strong, "If-None-Match: \"a,b\"\n"), 304);
	assert_int_equal(verdict(&strong, "If-None-Match: W/\"a,b\"\n"), 304);
	assert_int_equal(verdict(&weak, "If-None-Match: \"a,b\"\n"), 304);
	assert_int_equal(verdict(&strong, "If-None-Match: \"x\" , \"a,b\"\n"), 304);
	assert_int_equal(verdict(&strong, "If-None-Match: \"x\"\nIf-None-Match: \"a,b\"\n"), 304);
	assert_int_equal(verdict(&strong, "If-None-Match: *\n"), 304);
	assert_int_equal(verdict(&strong, "If-None-Match: \"a\"\n"), 0);
	assert_int_equal(verdict(&strong, "If-None-Match: a,b\n"), 0);
	assert_int_equal(verdict(&strong, "If-None-Match: \"a,b\n"), 0);
	assert_int_equal(verdict(&strong, ""), 0);
}

static void if_match_compares_strongly(void **state)
{
	assert_int_equal(verdict(&strong, "If-Match: \"a,b\"\n"), 0);
	assert_int_equal(verdict(&strong, "If-Match: *\n"), 0);
	assert_int_equal(verdict(&strong, "If-Match: W/\"a,b\"\n"), 412);
	assert_int_equal(verdict(&weak, "If-Match: W/\"a,b\"\n"), 412);
	assert_int_equal(verdict(&strong, "If-Match: \"x\"\n"), 412);
}

static void dates_count_where_there_are_no_tags(void **state)
{
	assert_int_equal(verdict(&strong, "If-Modified-Since: " THEN "\n"), 304);
	assert_int_equal(verdict(&strong, "If-Modified-Since: " AFTER "\n"), 304);
	assert_int_equal(verdict(&strong, "If-Modified-Since: " BEFORE "\n"), 0);
	assert_int_equal(verdict(&strong, "If-Modified-Since: nonsense\n"), 0);
	assert_int_equal(verdict(&strong, "If-Unmodified-Since: " BEFORE "\n"), 412);
	assert_int_equal(verdict(&strong, "If-Unmodified-Since: " THEN "\n"), 0);
	assert_int_equal(verdict(&strong, "If-None-Match: \"x\"\nIf-Modified-Since: " THEN "\n"),
			 0);
	assert_int_equal(verdict(&strong, "If-Match: \"a,b\"\nIf-Unmodified-Since: " BEFORE "\n"),
			 0);
}

static void a_lost_version_comes_before_an_unchanged_one(void **state)
{
	assert_int_equal(verdict(&strong, "If-Match: \"x\"\nIf-None-Match: \"a,b\"\n"), 412);
}

/* "first+count", "whole" or "416" of 1,000 bytes. */
static const char *range(const char *method, const char *headers, const struct belay__validators *v)
{
	static char text[64];
	struct belay_request req;
	uint64_t first = 0, count = 0;
	enum belay__range_verdict r;

	set(&req, headers);
	req.method = method;
	r = belay__range(&req, v, 1000, &first, &count);
	belay__request_fini(&req);
	snprintf(text, sizeof text, "%ju+%ju", (uintmax_t)first, (uintmax_t)count);
	return r == BELAY__RANGE_WHOLE ? "whole" : r == BELAY__RANGE_PART ? text : "416";
}

static void assert_range(const char *asked, const char *is)
{
	char header[128];

	snprintf(header, sizeof header, "Range: %s\n", asked);
	if (strcmp(range("GET", header, &strong), is) != 0)
		fail_msg("%s for \"%s\"", range("GET", header, &strong), asked);
}

static void a_range_is_within_what_there_is(void **state)
{
	assert_range("bytes=0-99", "0+100");
	assert_range("bytes=0-0", "0+1");
	assert_range("bytes=999-", "999+1");
	assert_range("bytes=500-5000", "500+500");
	assert_range("bytes=-1", "999+1");
	assert_range("bytes=-5000", "0+1000");
	assert_range("BYTES=1-1", "1+1");
	assert_range("bytes=0-99999999999999999999999", "0+1000");
}

static void one_beyond_it_can_t_be_satisfied(void **state)
{
	assert_range("bytes=1000-", "416");
	assert_range("bytes=99999999999999999999999-", "416");
	assert_range("bytes=-0", "416");
}

static void what_is_malformed_or_several_is_ignored(void **state)
{
	static const char *const bad[] = {"bytes", "bytes=", "bytes=-", "bytes=a-b", "bytes=5-4",
					  "bytes=0-1,3-4", "bytes=0-1,", "items=0-1", "bytes=0",
					  "bytes=0-1x", "bytes=--1", "bytes=+1-2", "bytes 0-1"};

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_range(bad[i], "whole");
}

static void of_nothing_there_is_no_range(void **state)
{
	uint64_t first, count;

	assert_int_equal(belay__range_parse("bytes=0-", 0, &first, &count),
			 BELAY__RANGE_UNSATISFIABLE);
	assert_int_equal(belay__range_parse("bytes=-5", 0, &first, &count), BELAY__RANGE_WHOLE);
}

static void ranges_are_get_s(void **state)
{
	assert_string_equal(range("HEAD", "Range: bytes=0-1\n", &strong), "whole");
}

static void if_range_holds_for_the_same_version_alone(void **state)
{
	assert_string_equal(range("GET", "Range: bytes=0-1\nIf-Range: \"a,b\"\n", &strong), "0+2");
	assert_string_equal(range("GET", "Range: bytes=0-1\nIf-Range: \"x\"\n", &strong), "whole");
	assert_string_equal(range("GET", "Range: bytes=0-1\nIf-Range: W/\"a,b\"\n", &weak),
			    "whole");
	assert_string_equal(range("GET", "Range: bytes=0-1\nIf-Range: " THEN "\n", &strong), "0+2");
	assert_string_equal(range("GET", "Range: bytes=0-1\nIf-Range: " AFTER "\n", &strong),
			    "whole");
	assert_string_equal(range("GET", "Range: bytes=0-1\nIf-Range: nonsense\n", &strong),
			    "whole");
}

BELAY_TEST_MAIN(cmocka_unit_test(if_none_match_compares_weakly),
		cmocka_unit_test(if_match_compares_strongly),
		cmocka_unit_test(dates_count_where_there_are_no_tags),
		cmocka_unit_test(a_lost_version_comes_before_an_unchanged_one),
		cmocka_unit_test(a_range_is_within_what_there_is),
		cmocka_unit_test(one_beyond_it_can_t_be_satisfied),
		cmocka_unit_test(what_is_malformed_or_several_is_ignored),
		cmocka_unit_test(of_nothing_there_is_no_range),
		cmocka_unit_test(ranges_are_get_s),
		cmocka_unit_test(if_range_holds_for_the_same_version_alone))
