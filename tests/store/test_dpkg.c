/* SPDX-License-Identifier: MIT
 *
 * test_dpkg.c - the reader of dpkg's format, down to files that are none.
 */
#include "dpkg.h"

#include "check.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct file {
	char path[32];
	struct source *source;
	struct dpkg_reader *reader;
};

static void open_text(struct file *file, const char *text, size_t size)
{
	int fd;

	strcpy(file->path, "/tmp/belay-dpkg-XXXXXX");
	fd = mkstemp(file->path);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, size), size);
	close(fd);
	assert_int_equal(source_open(file->path, &file->source), 0);
	file->reader = dpkg_reader_new(file->source);
	assert_non_null(file->reader);
}

static void close_text(struct file *file)
{
	dpkg_reader_free(file->reader);
	source_close(file->source);
	unlink(file->path);
}

static int next(struct file *file, struct dpkg_package *package)
{
	return dpkg_next(belay_background(), file->reader, package);
}

#define OPEN(file, text) open_text(file, text, sizeof(text) - 1)

static void fields_are_taken_whatever_their_case_and_order(void **state)
{
	struct dpkg_package package;
	struct file file;

	OPEN(&file, "version: 1.0\nPACKAGE:one\nInstalled-Size: \t42\n"
		    "Status: install ok installed\nUnknown: x\nDescription: first\n second\n\n");
	assert_int_equal(next(&file, &package), 1);
	assert_string_equal(package.name, "one");
	assert_string_equal(package.version, "1.0");
	assert_string_equal(package.summary, "first");
	assert_string_equal(package.homepage, "");
	assert_int_equal(package.size, 42);
	assert_true(package.installed);
	assert_int_equal(next(&file, &package), 0);
	assert_int_equal(next(&file, &package), 0);
	close_text(&file);
}

static void a_field_of_several_lines_is_one(void **state)
{
	struct dpkg_package package;
	struct file file;

	OPEN(&file, "Package: one\nDepends: a,\n b,\n\tc\nX: 1\n 2\n");
	assert_int_equal(next(&file, &package), 1);
	assert_string_equal(package.depends, "a, b,\tc");
	close_text(&file);
}

static void nothing_is_carried_over_to_the_next_package(void **state)
{
	struct dpkg_package package;
	struct file file;

	OPEN(&file, "\n\nPackage: one\nSection: net\nStatus: install ok installed\n\n\n\n"
		    "Package: two\nStatus: deinstall ok config-files");
	assert_int_equal(next(&file, &package), 1);
	assert_int_equal(next(&file, &package), 1);
	assert_string_equal(package.name, "two");
	assert_string_equal(package.section, "");
	assert_false(package.installed);
	assert_int_equal(next(&file, &package), 0);
	close_text(&file);
}

static void a_paragraph_without_a_name_is_passed_over(void **state)
{
	struct dpkg_package package;
	struct file file;

	OPEN(&file, "Version: 1\n\nPackage: two\n");
	assert_int_equal(next(&file, &package), 1);
	assert_string_equal(package.name, "two");
	close_text(&file);
}

static void what_is_no_field_is_refused_with_its_line(void **state)
{
	struct dpkg_package package;
	struct file file;

	OPEN(&file, "Package: one\n\nPackage: two\nnonsense\n");
	assert_int_equal(next(&file, &package), 1);
	assert_int_equal(next(&file, &package), -EBADMSG);
	assert_int_equal(dpkg_reader_line(file.reader), 4);
	close_text(&file);
	OPEN(&file, ": no name\n");
	assert_int_equal(next(&file, &package), -EBADMSG);
	close_text(&file);
}

static void empty_files_and_zero_bytes_do_no_harm(void **state)
{
	struct dpkg_package package;
	struct file file;

	OPEN(&file, "");
	assert_int_equal(next(&file, &package), 0);
	close_text(&file);
	OPEN(&file, "Package: o\0ne\n");
	assert_int_equal(next(&file, &package), 1);
	assert_string_equal(package.name, "o");
	close_text(&file);
	OPEN(&file, " begins in the middle of a field\n");
	assert_int_equal(next(&file, &package), 0);
	close_text(&file);
}

static void lines_may_be_as_long_as_they_like(void **state)
{
	enum { LONG = 300000 };
	struct dpkg_package package;
	struct file file;
	char *text = malloc(LONG);

	assert_non_null(text);
	memset(text, 'x', LONG);
	memcpy(text, "Package: ", 9);
	text[LONG - 1] = '\n';
	open_text(&file, text, LONG);
	assert_int_equal(next(&file, &package), 1);
	assert_int_equal(strlen(package.name), LONG - 10);
	close_text(&file);
	free(text);
}

static void a_done_context_reads_nothing(void **state)
{
	BELAY_SCOPED belay_ctx *ctx = belay_with_cancel(belay_background());
	struct dpkg_package package;
	struct file file;

	OPEN(&file, "Package: one\n");
	belay_cancel(ctx);
	assert_int_equal(dpkg_next(ctx, file.reader, &package), -ECANCELED);
	close_text(&file);
}

struct dependency {
	int group, alternative;
	char name[16];
};

struct dependencies {
	struct dependency all[8];
	int n;
};

static int note(void *arg, int group, int alternative, const char *name, size_t length)
{
	struct dependencies *found = arg;
	struct dependency *one = &found->all[found->n++];

	one->group = group;
	one->alternative = alternative;
	snprintf(one->name, sizeof one->name, "%.*s", (int)length, name);
	return found->n == 8 ? -E2BIG : 0;
}

static void dependencies_are_groups_of_alternatives(void **state)
{
	const struct dependency expected[] = {
		{0, 0, "a"}, {0, 1, "b"}, {1, 0, "c"}, {2, 0, "d"}, {2, 1, "e"}};
	struct dependencies found = {.n = 0};
	int i;

	assert_int_equal(
		dpkg_each_dependency("a (>= 1.0) | b:any,c [amd64],  d<x>|e", note, &found), 0);
	assert_int_equal(found.n, 5);
	for (i = 0; i < 5; i++) {
		assert_int_equal(found.all[i].group, expected[i].group);
		assert_int_equal(found.all[i].alternative, expected[i].alternative);
		assert_string_equal(found.all[i].name, expected[i].name);
	}
}

static void broken_dependencies_do_no_harm(void **state)
{
	struct dependencies found = {.n = 0};

	assert_int_equal(dpkg_each_dependency("", note, &found), 0);
	assert_int_equal(dpkg_each_dependency(" , | ,(", note, &found), 0);
	assert_int_equal(found.n, 0);
	assert_int_equal(dpkg_each_dependency("a,a,a,a,a,a,a,a,a,a", note, &found), -E2BIG);
	assert_int_equal(found.n, 8);
}

BELAY_TEST_MAIN(cmocka_unit_test(fields_are_taken_whatever_their_case_and_order),
		cmocka_unit_test(a_field_of_several_lines_is_one),
		cmocka_unit_test(nothing_is_carried_over_to_the_next_package),
		cmocka_unit_test(a_paragraph_without_a_name_is_passed_over),
		cmocka_unit_test(what_is_no_field_is_refused_with_its_line),
		cmocka_unit_test(empty_files_and_zero_bytes_do_no_harm),
		cmocka_unit_test(lines_may_be_as_long_as_they_like),
		cmocka_unit_test(a_done_context_reads_nothing),
		cmocka_unit_test(dependencies_are_groups_of_alternatives),
		cmocka_unit_test(broken_dependencies_do_no_harm))
