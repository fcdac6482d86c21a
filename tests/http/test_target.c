/* SPDX-License-Identifier: MIT
 *
 * test_target.c - a request's target, taken apart.
 */
#include "check_oom.h"
#include "http/target.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static struct belay__target target;

static int tear_down(void **state)
{
	belay__target_fini(&target);
	return 0;
}

static int parse(const char *text)
{
	return belay__target_parse(&target, text);
}

static const char *segment(size_t i)
{
	assert_true(i < target.count);
	return target.segments + target.starts[i];
}

static void a_path_has_segments(void **state)
{
	assert_int_equal(parse("/packages/0ad/closure"), 0);
	assert_string_equal(target.path, "/packages/0ad/closure");
	assert_int_equal(target.count, 3);
	assert_string_equal(segment(0), "packages");
	assert_string_equal(segment(1), "0ad");
	assert_string_equal(segment(2), "closure");
	assert_int_equal(target.query_count, 0);
}

static void empty_segments_are_segments(void **state)
{
	assert_int_equal(parse("/"), 0);
	assert_int_equal(target.count, 1);
	assert_string_equal(segment(0), "");
	assert_int_equal(parse("//a/"), 0);
	assert_int_equal(target.count, 3);
	assert_string_equal(segment(0), "");
	assert_string_equal(segment(1), "a");
	assert_string_equal(segment(2), "");
	assert_string_equal(target.path, "//a/");
}

static void segments_are_decoded_and_not_parted_by_an_encoded_slash(void **state)
{
	assert_int_equal(parse("/a%20b/c%2Fd/%c3%A9+"), 0);
	assert_string_equal(target.path, "/a b/c/d/\xc3\xa9+");
	assert_int_equal(target.count, 3);
	assert_string_equal(segment(0), "a b");
	assert_string_equal(segment(1), "c/d");
	assert_string_equal(segment(2), "\xc3\xa9+");
}

static void a_query_has_pairs(void **state)
{
	assert_int_equal(parse("/p?q=a+b%26c&limit=20&flag&empty=&=v&&q=2&x=1=2"), 0);
	assert_string_equal(target.path, "/p");
	assert_int_equal(target.query_count, 7);
	assert_string_equal(target.query[0].name, "q");
	assert_string_equal(target.query[0].value, "a b&c");
	assert_string_equal(target.query[1].value, "20");
	assert_string_equal(target.query[2].name, "flag");
	assert_string_equal(target.query[2].value, "");
	assert_string_equal(target.query[3].value, "");
	assert_string_equal(target.query[4].name, "");
	assert_string_equal(target.query[4].value, "v");
	assert_string_equal(target.query[5].value, "2");
	assert_string_equal(target.query[6].value, "1=2");
	assert_int_equal(parse("/p?"), 0);
	assert_int_equal(target.query_count, 0);
}

static void malformed_escapes_are_refused(void **state)
{
	static const char *const bad[] = {"/%", "/%2", "/%zz", "/a%2", "/%-1", "/?q=%", "/?q=%2",
					  "/?%gg=1", "/%2/b", "/?a%2&b"};

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_int_equal(parse(bad[i]), -EBADMSG);
}

static void nul_is_refused(void **state)
{
	assert_int_equal(parse("/a%00b"), -EBADMSG);
	assert_int_equal(parse("/?a=%00"), -EBADMSG);
}

static void what_is_no_target_is_refused(void **state)
{
	static const char *const bad[] = {"", "a", "?q", "/a b", "/a#b", "/a\x7f", "/a\tb",
					  "ftp://x/", "*a", "x:80"};

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_int_equal(parse(bad[i]), -EBADMSG);
}

static void dots_lead_nowhere(void **state)
{
	static const char *const bad[] = {"/.", "/..", "/a/../b", "/a/./b", "/a/..", "/%2e%2E/x",
					  "/a%2f..%2fb", "/..%2f", "/a/%2e"};
	static const char *const good[] = {"/...", "/.a", "/a..", "/a.b/..c", "/?x=../.."};

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_int_equal(parse(bad[i]), -EBADMSG);
	for (size_t i = 0; i < sizeof good / sizeof *good; i++)
		assert_int_equal(parse(good[i]), 0);
}

static void an_absolute_target_is_its_path(void **state)
{
	assert_int_equal(parse("http://example.com:80/a?b=c"), 0);
	assert_string_equal(target.path, "/a");
	assert_string_equal(target.query[0].value, "c");
	assert_int_equal(parse("HTTPS://example.com"), 0);
	assert_string_equal(target.path, "/");
	assert_int_equal(target.count, 1);
	assert_int_equal(parse("http://example.com?x=y"), 0);
	assert_string_equal(target.path, "/");
	assert_string_equal(target.query[0].name, "x");
}

static void an_asterisk_has_no_segments(void **state)
{
	assert_int_equal(parse("*"), 0);
	assert_string_equal(target.path, "*");
	assert_int_equal(target.count, 0);
}

static void there_is_a_limit_to_the_parameters(void **state)
{
	char text[4096] = "/?";

	memset(text + 2, '&', 999);
	assert_int_equal(parse(text), 0);
	text[1001] = '&';
	assert_int_equal(parse(text), -EBADMSG);
}

static void there_is_a_limit_to_the_segments(void **state)
{
	char text[1002] = "";

	memset(text, '/', 1000);
	assert_int_equal(parse(text), 0);
	assert_int_equal(target.count, 1000);
	text[1000] = '/';
	assert_int_equal(parse(text), -EBADMSG);
}

/* Random bytes and random pieces: no crash, no overrun, and what is accepted has no dots in it. */
static void whatever_comes_is_taken_apart_or_refused(void **state)
{
	static const char *const pieces[] = {"/", "a", "%2f", "%2e", ".", "..", "?", "&", "=", "+",
					     "%", "%4", "%00", "http://", "*", "bcd", "%e2%82%ac"};
	unsigned seed = 1;

	for (int round = 0; round < 20000; round++) {
		char text[256] = "/";
		int n = rand_r(&seed) % 16;

		for (int i = 0; i < n; i++)
			strcat(text, pieces[(size_t)rand_r(&seed) %
					    (sizeof pieces / sizeof *pieces)]);
		if (parse(text) < 0)
			continue;
		assert_null(strstr(target.path, "/../"));
		assert_true(strlen(target.path) <= strlen(text));
	}
}

static void parse_some(void *arg)
{
	struct belay__target t = {0};
	int r = belay__target_parse(&t, "/a/b/c?d=e&f=g");

	check(r == 0 || r == -ENOMEM);
	belay__target_fini(&t);
}

static void without_memory_it_says_so(void **state)
{
	assert_int_equal(check_each_allocation(parse_some, NULL), 3);
}

#define TARGET_TEST(name) cmocka_unit_test_teardown(name, tear_down)

BELAY_TEST_MAIN(TARGET_TEST(a_path_has_segments), TARGET_TEST(empty_segments_are_segments),
		TARGET_TEST(segments_are_decoded_and_not_parted_by_an_encoded_slash),
		TARGET_TEST(a_query_has_pairs), TARGET_TEST(malformed_escapes_are_refused),
		TARGET_TEST(nul_is_refused), TARGET_TEST(what_is_no_target_is_refused),
		TARGET_TEST(dots_lead_nowhere), TARGET_TEST(an_absolute_target_is_its_path),
		TARGET_TEST(an_asterisk_has_no_segments),
		TARGET_TEST(there_is_a_limit_to_the_parameters),
		TARGET_TEST(there_is_a_limit_to_the_segments),
		TARGET_TEST(whatever_comes_is_taken_apart_or_refused),
		TARGET_TEST(without_memory_it_says_so))
