/* SPDX-License-Identifier: MIT
 *
 * test_open_beneath.c - files below a folder, and nothing else.
 */
#include "folder.h"
#include "http/open_beneath.h"

static int dir;

static int set_up(void **state)
{
	folder_make();
	assert_int_equal(mkdir(in_folder("served"), 0755), 0);
	assert_int_equal(mkdir(in_folder("served/a"), 0755), 0);
	folder_put("secret", "s", 0);
	folder_put("served/file", "f", 0);
	folder_put("served/a/file", "af", 0);
	assert_int_equal(symlink("a/file", in_folder("served/inside")), 0);
	assert_int_equal(symlink("../secret", in_folder("served/outside")), 0);
	assert_int_equal(symlink("/etc/passwd", in_folder("served/absolute")), 0);
	assert_int_equal(symlink("a", in_folder("served/folder")), 0);
	assert_int_equal(symlink("/proc/self/fd", in_folder("served/magic")), 0);
	dir = open(in_folder("served"), O_PATH | O_DIRECTORY | O_CLOEXEC);
	return dir < 0;
}

static int tear_down(void **state)
{
	close(dir);
	folder_drop();
	return 0;
}

/* The result, with a descriptor closed and told as 1. */
static int opened(int fd)
{
	if (fd < 0)
		return fd;
	close(fd);
	return 1;
}

static int by_kernel(const char *path, bool follow)
{
	return opened(belay__open_beneath(belay_background(), dir, path, follow));
}

static int by_steps(const char *path)
{
	return opened(belay__open_by_steps(dir, path));
}

static void what_is_below_is_opened(void **state)
{
	assert_int_equal(by_kernel("file", false), 1);
	assert_int_equal(by_kernel("a/file", false), 1);
	assert_int_equal(by_kernel("a", false), 1);
	assert_int_equal(by_kernel("", false), 1);
	assert_int_equal(by_steps("file"), 1);
	assert_int_equal(by_steps("a/file"), 1);
	assert_int_equal(by_steps("a"), 1);
	assert_int_equal(by_steps(""), 1);
}

static void what_is_not_there_is_said_so(void **state)
{
	assert_int_equal(by_kernel("nothing", false), -ENOENT);
	assert_int_equal(by_kernel("file/more", false), -ENOTDIR);
	assert_int_equal(by_steps("nothing"), -ENOENT);
	assert_int_equal(by_steps("file/more"), -ENOTDIR);
}

static void no_path_leads_out(void **state)
{
	static const char *const ways[] = {"..", "../secret", "a/../../secret", "/etc/passwd",
					   "a/../../served/../secret", "./../secret"};

	for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
		assert_int_equal(by_kernel(ways[i], false), -EXDEV);
		assert_int_equal(by_kernel(ways[i], true), -EXDEV);
		assert_true(by_steps(ways[i]) < 0);
	}
}

static void links_are_not_followed(void **state)
{
	static const char *const links[] = {"inside", "outside", "absolute", "folder/file"};

	for (size_t i = 0; i < sizeof links / sizeof *links; i++) {
		assert_int_equal(by_kernel(links[i], false), -ELOOP);
		assert_true(by_steps(links[i]) < 0);
	}
}

static void links_that_stay_inside_are_followed_where_that_is_wanted(void **state)
{
	assert_int_equal(by_kernel("inside", true), 1);
	assert_int_equal(by_kernel("folder/file", true), 1);
	assert_int_equal(by_kernel("outside", true), -EXDEV);
	assert_int_equal(by_kernel("absolute", true), -EXDEV);
	assert_true(by_kernel("magic/0", true) < 0);
}

static void a_pipe_is_not_waited_for(void **state)
{
	assert_int_equal(mkfifo(in_folder("served/pipe"), 0644), 0);
	assert_int_equal(by_kernel("pipe", false), 1);
	assert_int_equal(by_steps("pipe"), 1);
}

static void a_name_that_is_too_long_is_refused(void **state)
{
	char name[400];

	memset(name, 'x', sizeof name);
	name[sizeof name - 1] = '\0';
	assert_int_equal(by_kernel(name, false), -ENAMETOOLONG);
	assert_int_equal(by_steps(name), -ENAMETOOLONG);
}

static void under_a_context_that_is_done_nothing_is_opened(void **state)
{
	belay_ctx *ctx = check_live(belay_with_cancel(belay_background()));

	belay_cancel(ctx);
	assert_int_equal(belay__open_beneath(ctx, dir, "file", false), -ECANCELED);
	belay_end(ctx);
}

#define OPEN_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

BELAY_TEST_MAIN(OPEN_TEST(what_is_below_is_opened),
		OPEN_TEST(what_is_not_there_is_said_so),
		OPEN_TEST(no_path_leads_out),
		OPEN_TEST(links_are_not_followed),
		OPEN_TEST(links_that_stay_inside_are_followed_where_that_is_wanted),
		OPEN_TEST(a_pipe_is_not_waited_for),
		OPEN_TEST(a_name_that_is_too_long_is_refused),
		OPEN_TEST(under_a_context_that_is_done_nothing_is_opened))
