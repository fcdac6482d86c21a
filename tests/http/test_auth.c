/* SPDX-License-Identifier: MIT
 *
 * test_auth.c - who is asking.
 */
#include "around.h"

#include <belay/http_middleware.h>

static int checks;

static int check_credentials(belay_ctx *ctx, const struct belay_credentials *given,
			     belay_ctx **ret, void *arg)
{
	checks++;
	if (arg)
		return *(int *)arg;
	if (given->scheme == BELAY_AUTH_BASIC)
		return strcmp(given->user, "Aladdin") == 0 &&
				       belay_same_secret(given->secret, "open sesame")
			       ? 0
			       : -EACCES;
	if (!belay_same_secret(given->secret, "mF_9.B5f-4.1JqM=="))
		return -EACCES;
	*ret = belay_with_user(ctx, "token's");
	return 0;
}

static int who(belay_ctx *ctx, belay_request *req, belay_response *res)
{
	const char *user = belay_user(ctx);

	return belay_response_puts(ctx, res, user ? user : "nobody");
}

static const struct belay_http_auth both = {
	.schemes = BELAY_AUTH_BASIC | BELAY_AUTH_BEARER,
	.realm = "a \"b\" c",
	.check = check_credentials,
};
static const struct belay_http_auth basic = {.schemes = BELAY_AUTH_BASIC,
					     .check = check_credentials};

static belay_recorder *ask(const struct belay_http_auth *auth, const char *credentials)
{
	belay_router *router = around_new(belay_http_authenticate, auth, who, NULL);
	belay_recorder *rec = around_ask(belay_background(), router, "GET", "/",
					 credentials ? "Authorization" : NULL, credentials);

	belay_router_free(router);
	return rec;
}

static void assert_user(const struct belay_http_auth *auth, const char *credentials,
			const char *user)
{
	belay_recorder *rec = ask(auth, credentials);

	assert_int_equal(belay_recorder_status(rec), 200);
	assert_string_equal(belay_recorder_get_body(rec, NULL), user);
	belay_recorder_free(rec);
}

static void assert_refused(const struct belay_http_auth *auth, const char *credentials)
{
	belay_recorder *rec = ask(auth, credentials);

	if (belay_recorder_status(rec) != 401)
		fail_msg("\"%s\" was let in", credentials);
	assert_non_null(belay_recorder_get_header(rec, "WWW-Authenticate"));
	belay_recorder_free(rec);
}

static void good_basic_credentials_name_the_user(void **state)
{
	assert_user(&both, "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==", "Aladdin"); /* RFC 7617's */
	assert_user(&both, "bAsIc   QWxhZGRpbjpvcGVuIHNlc2FtZQ==", "Aladdin");
}

static void a_good_token_goes_on_under_the_check_s_context(void **state)
{
	assert_user(&both, "Bearer mF_9.B5f-4.1JqM==", "token's");
}

static void bad_credentials_are_answered_401(void **state)
{
	assert_refused(&both, "Basic QWxhZGRpbjpvcGVuIHNlc2FtZw==");
	assert_refused(&both, "Bearer mF_9");
}

static void without_credentials_each_scheme_is_a_challenge(void **state)
{
	belay_recorder *rec = ask(&both, NULL);

	assert_int_equal(belay_recorder_status(rec), 401);
	assert_true(around_header_is(rec, "WWW-Authenticate", "Bearer realm=\"a \\\"b\\\" c\""));
	belay_recorder_free(rec);
	rec = ask(&basic, NULL);
	assert_true(around_header_is(rec, "WWW-Authenticate",
				     "Basic realm=\"restricted\", charset=\"UTF-8\""));
	belay_recorder_free(rec);
}

static void a_bad_token_is_called_that(void **state)
{
	belay_recorder *rec = ask(&both, "Bearer x");

	assert_true(around_header_is(rec, "WWW-Authenticate",
				     "Bearer realm=\"a \\\"b\\\" c\", error=\"invalid_token\""));
	belay_recorder_free(rec);
}

static void malformed_credentials_are_refused_without_asking(void **state)
{
	static const char *const bad[] = {
		"", "Basic", "Basic ", "Basicx", "Basic QWxh", "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ",
		"Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ= =", "Basic QWxhZGRpbjpvcGVuIHNlc2FtZR==",
		"Basic QQ=Q", "Basic ====", "Basic YTpiAGM=", "Basic YToK", "Bearer", "Bearer ",
		"Bearer a b", "Bearer a=b", "Bearer \"a\"", "Digest username=\"a\"",
		"Basic Q\xc3\xa4==",
	};

	checks = 0;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_refused(&both, bad[i]);
	assert_int_equal(checks, 0);
}

static void a_scheme_that_is_not_accepted_is_refused(void **state)
{
	assert_refused(&basic, "Bearer mF_9.B5f-4.1JqM==");
}

static void an_error_of_the_check_s_is_the_request_s(void **state)
{
	int err = -EIO;
	const struct belay_http_auth auth = {.schemes = BELAY_AUTH_BASIC,
					     .check = check_credentials, .arg = &err};
	belay_router *router = around_new(belay_http_authenticate, &auth, who, NULL);
	belay_recorder *rec = check_made(belay_recorder_new("GET", "/"));

	check(belay_recorder_header(rec, "Authorization", "Basic YTpi") == 0);
	assert_int_equal(belay_recorder_serve(belay_background(), rec, router), -EIO);
	belay_recorder_free(rec);
	belay_router_free(router);
}

static void secrets_are_compared_as_a_whole(void **state)
{
	assert_true(belay_same_secret("", ""));
	assert_true(belay_same_secret("abc", "abc"));
	assert_false(belay_same_secret("abc", "abd"));
	assert_false(belay_same_secret("abc", "ab"));
	assert_false(belay_same_secret("ab", "abc"));
	assert_false(belay_same_secret("abab", "ab"));
	assert_false(belay_same_secret("a", ""));
	assert_false(belay_same_secret("", "a"));
}

BELAY_TEST_MAIN(cmocka_unit_test(good_basic_credentials_name_the_user),
		cmocka_unit_test(a_good_token_goes_on_under_the_check_s_context),
		cmocka_unit_test(bad_credentials_are_answered_401),
		cmocka_unit_test(without_credentials_each_scheme_is_a_challenge),
		cmocka_unit_test(a_bad_token_is_called_that),
		cmocka_unit_test(malformed_credentials_are_refused_without_asking),
		cmocka_unit_test(a_scheme_that_is_not_accepted_is_refused),
		cmocka_unit_test(an_error_of_the_check_s_is_the_request_s),
		cmocka_unit_test(secrets_are_compared_as_a_whole))
