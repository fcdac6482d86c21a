/* SPDX-License-Identifier: MIT
 *
 * test_coding.c - which content coding a client wants.
 */
#include "check.h"
#include "http/coding.h"
#include "http/request.h"

#include <string.h>

enum { ALL = BELAY__CODING_ZSTD | BELAY__CODING_BR | BELAY__CODING_GZIP };

/* The name of what is chosen for up to two headers. */
static const char *chosen(unsigned offered, const char *first, const char *second)
{
	static const char name[] = "Accept-Encoding";
	struct belay_request req = {0};
	enum belay__coding coding;

	if (first)
		check(belay__headers_add(&req.headers, name, sizeof name - 1, first,
					 strlen(first)) == 0);
	if (second)
		check(belay__headers_add(&req.headers, name, sizeof name - 1, second,
					 strlen(second)) == 0);
	coding = belay__coding_choose(&req, offered);
	belay__request_fini(&req);
	return belay__coding_name(coding);
}

static void assert_chosen(const char *accept, const char *coding)
{
	if (strcmp(chosen(ALL, accept, NULL), coding) != 0)
		fail_msg("%s for \"%s\"", chosen(ALL, accept, NULL), accept);
}

static void without_a_wish_nothing_is_coded(void **state)
{
	assert_string_equal(chosen(ALL, NULL, NULL), "identity");
	assert_chosen("", "identity");
}

static void the_highest_q_wins(void **state)
{
	assert_chosen("gzip;q=0.9, br;q=0.5", "gzip");
	assert_chosen("gzip;q=0.001, br;q=0.002", "br");
	assert_chosen("gzip;q=0.5, identity;q=0.9", "identity");
	assert_chosen("gzip;q=0, br;q=0", "identity");
	assert_chosen("gzip;q=0", "identity");
	assert_chosen("identity;q=0, gzip;q=0.1", "gzip");
}

static void among_equals_the_server_chooses(void **state)
{
	assert_chosen("gzip, br, zstd", "zstd");
	assert_chosen("gzip, deflate, br", "br");
	assert_chosen("identity, gzip", "gzip");
}

static void a_star_stands_for_what_is_not_named(void **state)
{
	assert_chosen("*", "zstd");
	assert_chosen("*, zstd;q=0", "br");
	assert_chosen("gzip, *;q=0", "gzip");
	assert_chosen("*;q=0.1, gzip;q=0.9", "gzip");
}

static void only_what_is_offered_is_chosen(void **state)
{
	assert_string_equal(chosen(BELAY__CODING_GZIP, "gzip;q=0.1, br", NULL), "gzip");
	assert_string_equal(chosen(0, "gzip, br", NULL), "identity");
}

static void several_headers_are_one_list(void **state)
{
	assert_string_equal(chosen(ALL, "gzip;q=0.5", "br"), "br");
}

static void odd_lists_are_read_as_far_as_they_go(void **state)
{
	assert_chosen(" ,, gzip ;  Q=1.000 ,", "gzip");
	assert_chosen("GZIP", "gzip");
	assert_chosen("x-gzip", "gzip");
	assert_chosen("gzip;q=2", "identity");
	assert_chosen("gzip;q=1.5", "identity");
	assert_chosen("gzip;q", "identity");
	assert_chosen("gzip;level=9", "identity");
	assert_chosen("gzipped, brr", "identity");
	assert_chosen(";q=1", "identity");
}

BELAY_TEST_MAIN(cmocka_unit_test(without_a_wish_nothing_is_coded),
		cmocka_unit_test(the_highest_q_wins),
		cmocka_unit_test(among_equals_the_server_chooses),
		cmocka_unit_test(a_star_stands_for_what_is_not_named),
		cmocka_unit_test(only_what_is_offered_is_chosen),
		cmocka_unit_test(several_headers_are_one_list),
		cmocka_unit_test(odd_lists_are_read_as_far_as_they_go))
