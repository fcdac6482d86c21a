/* SPDX-License-Identifier: MIT
 *
 * test_files.c - the files below a folder, over HTTP, without a socket.
 */
#include "around.h"
#include "folder.h"

#include <belay/http_files.h>

#include <time.h>

enum { MODIFIED = 784111777 };
#define MODIFIED_DATE "Sun, 06 Nov 1994 08:49:37 GMT"

static belay_files *files;
static belay_router *router;

static void serve(struct belay_files_options options)
{
	assert_int_equal(belay_files_open(folder, &options, &files), 0);
	router = check_made(belay_router_new());
	check(belay_router_add(router, "/static/{path...}", belay_files_handler, files) == 0);
}

static int set_up(void **state)
{
	folder_make();
	folder_put("page.html", "<p>0123456789", MODIFIED);
	folder_put("data", "x", MODIFIED);
	folder_put(".htpasswd", "secret", MODIFIED);
	assert_int_equal(mkdir(in_folder("sub"), 0755), 0);
	folder_put("sub/index.html", "<p>index", MODIFIED);
	assert_int_equal(mkdir(in_folder("bare"), 0755), 0);
	files = NULL;
	router = NULL;
	return 0;
}

static int tear_down(void **state)
{
	belay_router_free(router);
	belay_files_close(files);
	folder_drop();
	return 0;
}

static belay_recorder *ask(const char *method, const char *target, const char *name,
			   const char *value)
{
	return around_ask(belay_background(), router, method, target, name, value);
}

static void assert_status(const char *target, int status)
{
	belay_recorder *rec = ask("GET", target, NULL, NULL);

	if (belay_recorder_status(rec) != status)
		fail_msg("%d for %s", belay_recorder_status(rec), target);
	belay_recorder_free(rec);
}

static void assert_body(belay_recorder *rec, int status, const char *body)
{
	assert_int_equal(belay_recorder_status(rec), status);
	assert_string_equal(belay_recorder_get_body(rec, NULL), body);
	belay_recorder_free(rec);
}

static void a_file_is_served_with_what_describes_it(void **state)
{
	belay_recorder *rec;

	serve((struct belay_files_options){.cache_control = "max-age=60"});
	rec = ask("GET", "/static/page.html", NULL, NULL);
	assert_true(around_header_is(rec, "Content-Type", "text/html; charset=utf-8"));
	assert_true(around_header_is(rec, "Content-Length", "13"));
	assert_true(around_header_is(rec, "Last-Modified", MODIFIED_DATE));
	assert_true(around_header_is(rec, "Accept-Ranges", "bytes"));
	assert_true(around_header_is(rec, "Cache-Control", "max-age=60"));
	assert_true(around_header_is(rec, "X-Content-Type-Options", "nosniff"));
	assert_true(around_header_is(rec, "Vary", NULL));
	assert_int_equal(belay_recorder_get_header(rec, "ETag")[0], '"');
	assert_body(rec, 200, "<p>0123456789");
	rec = ask("GET", "/static/data", NULL, NULL);
	assert_true(around_header_is(rec, "Content-Type", "application/octet-stream"));
	assert_body(rec, 200, "x");
}

static void head_has_the_length_and_no_body(void **state)
{
	belay_recorder *rec;

	serve((struct belay_files_options){0});
	rec = ask("HEAD", "/static/page.html", "Range", "bytes=0-1");
	assert_true(around_header_is(rec, "Content-Length", "13"));
	assert_body(rec, 200, "");
}

static void an_empty_file_is_an_empty_answer(void **state)
{
	serve((struct belay_files_options){0});
	folder_put("empty.txt", "", MODIFIED);
	assert_body(ask("GET", "/static/empty.txt", NULL, NULL), 200, "");
	assert_body(ask("GET", "/static/empty.txt", "Range", "bytes=-5"), 200, "");
}

static int keep_out(belay_ctx *ctx, belay_request *req, belay_response *res)
{
	return belay_response_error(ctx, req, res, 403, NULL);
}

/* It is no slash that parts segments: else files would be had past the routes that guard them. */
static void an_encoded_slash_leads_nowhere(void **state)
{
	serve((struct belay_files_options){0});
	check(belay_router_add(router, "/static/sub/{path...}", keep_out, NULL) == 0);
	assert_status("/static/sub/index.html", 403);
	assert_status("/static/sub%2findex.html", 404);
	assert_status("/static/sub%2F", 404);
	assert_status("/static%2Fpage.html", 404);
}

static void other_methods_are_not_allowed(void **state)
{
	belay_recorder *rec;

	serve((struct belay_files_options){0});
	rec = ask("POST", "/static/page.html", NULL, NULL);
	assert_int_equal(belay_recorder_status(rec), 405);
	assert_true(around_header_is(rec, "Allow", "GET, HEAD"));
	belay_recorder_free(rec);
}

static void what_is_not_there_or_not_a_file_is_404(void **state)
{
	serve((struct belay_files_options){0});
	assert_int_equal(mkfifo(in_folder("pipe"), 0644), 0);
	assert_status("/static/nothing", 404);
	assert_status("/static/page.html/", 404);
	assert_status("/static/page.html/x", 404);
	assert_status("/static//page.html", 404);
	assert_status("/static/pipe", 404);
	assert_status("/static/bare/", 404);
	assert_status("/static/", 404);
}

static void no_way_of_writing_it_leads_out(void **state)
{
	static const char *const targets[] = {
		"/static/%2fetc%2fpasswd", "/static//etc/passwd", "/static/sub%2f%2fetc",
		"/static/%5c..%5cpage.html", "/static/link", "/static/sub/up/page.html",
	};

	serve((struct belay_files_options){.follow_links = false});
	assert_int_equal(symlink("/etc/passwd", in_folder("link")), 0);
	assert_int_equal(symlink("..", in_folder("sub/up")), 0);
	for (size_t i = 0; i < sizeof targets / sizeof *targets; i++)
		assert_status(targets[i], 404);
}

static void links_are_followed_inside_where_that_is_wanted(void **state)
{
	serve((struct belay_files_options){.follow_links = true});
	assert_int_equal(symlink("page.html", in_folder("inside")), 0);
	assert_int_equal(symlink("/etc/passwd", in_folder("outside")), 0);
	assert_status("/static/inside", 200);
	assert_status("/static/outside", 404);
}

static void hidden_files_are_not_there_unless_wanted(void **state)
{
	serve((struct belay_files_options){0});
	assert_status("/static/.htpasswd", 404);
	belay_router_free(router);
	belay_files_close(files);
	serve((struct belay_files_options){.hidden = true});
	assert_status("/static/.htpasswd", 200);
}

static void a_file_that_may_not_be_read_is_403(void **state)
{
	serve((struct belay_files_options){0});
	if (geteuid() == 0)
		skip(); /* root may read everything */
	assert_int_equal(chmod(in_folder("data"), 0), 0);
	assert_status("/static/data", 403);
}

static void a_folder_is_answered_with_its_index(void **state)
{
	belay_recorder *rec;

	serve((struct belay_files_options){0});
	rec = ask("GET", "/static/sub/", NULL, NULL);
	assert_true(around_header_is(rec, "Content-Type", "text/html; charset=utf-8"));
	assert_body(rec, 200, "<p>index");
	folder_put("index.html", "<p>top", MODIFIED);
	assert_body(ask("GET", "/static/", NULL, NULL), 200, "<p>top");
}

static void without_an_index_there_is_none(void **state)
{
	serve((struct belay_files_options){.index = ""});
	assert_status("/static/sub/", 404);
}

static void a_folder_without_a_slash_is_redirected_relatively(void **state)
{
	belay_recorder *rec;

	serve((struct belay_files_options){0});
	rec = ask("GET", "/static/sub?a=b", NULL, NULL);
	assert_int_equal(belay_recorder_status(rec), 301);
	assert_true(around_header_is(rec, "Location", "./sub/?a=b"));
	belay_recorder_free(rec);
}

static void an_unchanged_file_is_304_with_its_validators(void **state)
{
	belay_recorder *rec;
	char etag[96];

	serve((struct belay_files_options){.cache_control = "no-cache"});
	rec = ask("GET", "/static/page.html", NULL, NULL);
	snprintf(etag, sizeof etag, "%s", belay_recorder_get_header(rec, "ETag"));
	belay_recorder_free(rec);
	rec = ask("GET", "/static/page.html", "If-None-Match", etag);
	assert_true(around_header_is(rec, "ETag", etag));
	assert_true(around_header_is(rec, "Cache-Control", "no-cache"));
	assert_body(rec, 304, "");
	assert_body(ask("GET", "/static/page.html", "If-Modified-Since", MODIFIED_DATE), 304, "");
	assert_body(ask("HEAD", "/static/page.html", "If-None-Match", etag), 304, "");
	assert_body(ask("GET", "/static/page.html", "If-None-Match", "\"other\""), 200,
		    "<p>0123456789");
}

static void a_change_changes_the_tag(void **state)
{
	char etag[96];
	belay_recorder *rec;

	serve((struct belay_files_options){0});
	rec = ask("GET", "/static/page.html", NULL, NULL);
	snprintf(etag, sizeof etag, "%s", belay_recorder_get_header(rec, "ETag"));
	belay_recorder_free(rec);
	folder_put("page.html", "<p>9876543210", MODIFIED + 1);
	assert_body(ask("GET", "/static/page.html", "If-None-Match", etag), 200, "<p>9876543210");
}

static void a_file_that_was_just_modified_has_a_weak_tag(void **state)
{
	belay_recorder *rec;

	check_needs_memory(); /* for the header to be there */
	serve((struct belay_files_options){0});
	folder_put("fresh", "x", time(NULL));
	rec = ask("GET", "/static/fresh", NULL, NULL);
	assert_int_equal(strncmp(belay_recorder_get_header(rec, "ETag"), "W/\"", 3), 0);
	belay_recorder_free(rec);
}

static void a_lost_version_is_412(void **state)
{
	belay_recorder *rec;

	serve((struct belay_files_options){0});
	rec = ask("GET", "/static/page.html", "If-Match", "\"other\"");
	assert_int_equal(belay_recorder_status(rec), 412);
	belay_recorder_free(rec);
}

static void a_range_is_206_with_its_place(void **state)
{
	belay_recorder *rec;

	serve((struct belay_files_options){0});
	rec = ask("GET", "/static/page.html", "Range", "bytes=3-5");
	assert_true(around_header_is(rec, "Content-Range", "bytes 3-5/13"));
	assert_true(around_header_is(rec, "Content-Length", "3"));
	assert_body(rec, 206, "012");
	assert_body(ask("GET", "/static/page.html", "Range", "bytes=0-0,2-2"), 200,
		    "<p>0123456789");
}

static void a_range_beyond_the_end_is_416_with_the_size(void **state)
{
	belay_recorder *rec;

	serve((struct belay_files_options){0});
	rec = ask("GET", "/static/page.html", "Range", "bytes=13-");
	assert_int_equal(belay_recorder_status(rec), 416);
	assert_true(around_header_is(rec, "Content-Range", "bytes */13"));
	assert_true(around_header_is(rec, "ETag", NULL));
	belay_recorder_free(rec);
}

static void a_compressed_form_beside_it_is_served_where_it_is_taken(void **state)
{
	belay_recorder *rec;

	serve((struct belay_files_options){.precompressed = true});
	folder_put("page.html.gz", "gzipped", MODIFIED);
	folder_put("page.html.br", "brotlied", MODIFIED);
	rec = ask("GET", "/static/page.html", "Accept-Encoding", "gzip, br;q=0.5, zstd");
	assert_true(around_header_is(rec, "Content-Encoding", "gzip"));
	assert_true(around_header_is(rec, "Content-Type", "text/html; charset=utf-8"));
	assert_true(around_header_is(rec, "Vary", "Accept-Encoding"));
	assert_non_null(strstr(belay_recorder_get_header(rec, "ETag"), "-gzip\""));
	assert_body(rec, 200, "gzipped");
	assert_body(ask("GET", "/static/page.html", "Accept-Encoding", "gzip, br"), 200,
		    "brotlied");
	rec = ask("GET", "/static/page.html", NULL, NULL);
	assert_true(around_header_is(rec, "Vary", "Accept-Encoding"));
	assert_true(around_header_is(rec, "Content-Encoding", NULL));
	assert_body(rec, 200, "<p>0123456789");
}

static void an_older_compressed_form_is_not_served(void **state)
{
	serve((struct belay_files_options){.precompressed = true});
	folder_put("page.html.gz", "stale", MODIFIED - 1);
	assert_body(ask("GET", "/static/page.html", "Accept-Encoding", "gzip"), 200,
		    "<p>0123456789");
}

static void unless_asked_for_no_compressed_form_is_looked_for(void **state)
{
	serve((struct belay_files_options){0});
	folder_put("page.html.gz", "gzipped", MODIFIED);
	assert_body(ask("GET", "/static/page.html", "Accept-Encoding", "gzip"), 200,
		    "<p>0123456789");
}

static void under_a_context_that_is_done_nothing_is_served(void **state)
{
	belay_ctx *ctx = check_live(belay_with_cancel(belay_background()));

	serve((struct belay_files_options){0});
	belay_cancel(ctx);
	assert_body(around_ask(ctx, router, "GET", "/static/page.html", NULL, NULL), 0, "");
	belay_end(ctx);
}

static void options_that_make_no_sense_are_refused(void **state)
{
	belay_files *none;

	assert_int_equal(belay_files_open(folder, &(struct belay_files_options){.index = "a/b"},
					  &none), -EINVAL);
	assert_int_equal(belay_files_open(folder, &(struct belay_files_options){
							  .cache_control = "a\r\nb: c"}, &none),
			 -EINVAL);
	assert_int_equal(belay_files_open("/nonexistent", NULL, &none), -ENOENT);
	assert_int_equal(belay_files_open(in_folder("data"), NULL, &none), -ENOTDIR);
}

#define FILES_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

BELAY_TEST_MAIN(FILES_TEST(a_file_is_served_with_what_describes_it),
		FILES_TEST(head_has_the_length_and_no_body),
		FILES_TEST(an_empty_file_is_an_empty_answer),
		FILES_TEST(an_encoded_slash_leads_nowhere),
		FILES_TEST(other_methods_are_not_allowed),
		FILES_TEST(what_is_not_there_or_not_a_file_is_404),
		FILES_TEST(no_way_of_writing_it_leads_out),
		FILES_TEST(links_are_followed_inside_where_that_is_wanted),
		FILES_TEST(hidden_files_are_not_there_unless_wanted),
		FILES_TEST(a_file_that_may_not_be_read_is_403),
		FILES_TEST(a_folder_is_answered_with_its_index),
		FILES_TEST(without_an_index_there_is_none),
		FILES_TEST(a_folder_without_a_slash_is_redirected_relatively),
		FILES_TEST(an_unchanged_file_is_304_with_its_validators),
		FILES_TEST(a_change_changes_the_tag),
		FILES_TEST(a_file_that_was_just_modified_has_a_weak_tag),
		FILES_TEST(a_lost_version_is_412),
		FILES_TEST(a_range_is_206_with_its_place),
		FILES_TEST(a_range_beyond_the_end_is_416_with_the_size),
		FILES_TEST(a_compressed_form_beside_it_is_served_where_it_is_taken),
		FILES_TEST(an_older_compressed_form_is_not_served),
		FILES_TEST(unless_asked_for_no_compressed_form_is_looked_for),
		FILES_TEST(under_a_context_that_is_done_nothing_is_served),
		FILES_TEST(options_that_make_no_sense_are_refused))
