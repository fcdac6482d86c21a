/* SPDX-License-Identifier: MIT
 *
 * test_tree.c - the picture of all living contexts, as text, as JSON and as a number.
 *
 * The JSON is read by Python's parser, so that its form is judged by somebody else's idea of JSON.
 */
#include "check.h"

#include "scale.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int format_text(const void *value, char *buf, size_t size)
{
	return snprintf(buf, size, "%s", (const char *)value);
}

static const belay_key text = {.name = "text", .format = format_text};
static const belay_key hidden = {.name = "hid\"den"};

/* Each object of the array as a line: its fields in alphabetical order, parted by '|'. */
static const char parser[] =
	"import json,sys\n"
	"fields=['age_ns','cause','deadline_ns','err','file','func','id','kind','line','name',"
	"'parent','value']\n"
	"all=json.load(open(sys.argv[1]))\n"
	"ids=[o['id'] for o in all]\n"
	"assert isinstance(all,list) and len(set(ids))==len(ids)\n"
	"for o in all:\n"
	"  assert o['age_ns']>=0 and isinstance(o['kind'],str)\n"
	"  print('|'.join(json.dumps(o.get(f)) for f in fields))\n";

/* What fn writes, to be freed. Not inlined: gcc 12 would take it for a pointer to buf itself. */
static __attribute__((noinline)) char *written(int (*fn)(FILE *out))
{
	char *buf = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&buf, &size);

	assert_non_null(out);
	assert_int_equal(fn(out), 0);
	fclose(out);
	return buf;
}

static void write_file(const char *path, const char *content)
{
	FILE *out = fopen(path, "w");

	assert_non_null(out);
	assert_true(fputs(content, out) >= 0);
	assert_int_equal(fclose(out), 0);
}

/* The tree's JSON as lines, to be freed. */
static char *parsed(void)
{
	char data[] = "/tmp/belay-tree-XXXXXX", script[] = "/tmp/belay-parser-XXXXXX";
	char *json = written(belay_tree_json), *lines = calloc(1, 1 << 16), command[128];
	FILE *pipe;

	assert_non_null(lines);
	close(mkstemp(data));
	close(mkstemp(script));
	write_file(data, json);
	write_file(script, parser);
	snprintf(command, sizeof command, "python3 %s %s", script, data);
	pipe = popen(command, "r");
	assert_non_null(pipe);
	assert_true(fread(lines, 1, (1 << 16) - 1, pipe) < (1 << 16) - 1);
	if (pclose(pipe) != 0)
		fail_msg("not the JSON that was promised: %s", json);
	unlink(data);
	unlink(script);
	free(json);
	return lines;
}

/* The line of what was made in func, copied to line; fails where there is none. */
static void line_made_in(const char *lines, const char *func, char *line, size_t size)
{
	char quoted[128];
	const char *at, *end;

	snprintf(quoted, sizeof quoted, "|\"%s\"|", func);
	at = strstr(lines, quoted);
	assert_non_null(at);
	while (at > lines && at[-1] != '\n')
		at--;
	end = strchr(at, '\n');
	assert_non_null(end);
	snprintf(line, size, "%.*s", (int)(end - at), at);
}

/* Field number n, from 0, copied. */
static void field(const char *line, int n, char *ret, size_t size)
{
	while (n--)
		line = strchr(line, '|') + 1;
	snprintf(ret, size, "%.*s", (int)strcspn(line, "|"), line);
}

enum { AGE, CAUSE, DEADLINE, ERR, SITE_FILE, FUNC, ID, KIND, LINE, NAME, PARENT, VALUE };

static void assert_field(const char *lines, const char *func, int n, const char *expected)
{
	char line[1024], got[512];

	line_made_in(lines, func, line, sizeof line);
	field(line, n, got, sizeof got);
	assert_string_equal(got, expected);
}

static belay_ctx *made_with_cancel(belay_ctx *parent) { return belay_with_cancel(parent); }
static belay_ctx *made_with_timeout(belay_ctx *p) { return belay_with_timeout(p, BELAY_S(3600)); }
static belay_ctx *made_hidden(belay_ctx *parent) { return belay_with_value(parent, &hidden, NULL); }
static belay_ctx *made_without(belay_ctx *parent) { return belay_without_cancel(parent); }

static belay_ctx *made_with_text(belay_ctx *parent)
{
	return belay_with_value(parent, &text, "a \"quoted\"\n\ttext \\ \x01 end");
}

static void the_count_follows_births_and_deaths(void **state)
{
	size_t before = belay_tree_count();
	belay_ctx *parent = belay_with_cancel(belay_background());
	belay_ctx *child = belay_with_value(parent, &text, "a");

	assert_int_equal(belay_tree_count(), before + 2);
	belay_end(parent);
	assert_int_equal(belay_tree_count(), before + 2);
	belay_end(child);
	assert_int_equal(belay_tree_count(), before);
}

static void text_shows_each_context_with_its_kind_and_the_line_that_made_it(void **state)
{
	belay_ctx *parent = made_with_cancel(belay_background());
	belay_ctx *child = made_with_timeout(parent);
	belay_ctx *value = belay_with_value(child, &text, "shown");
	char *tree = written(belay_tree);

	assert_non_null(strstr(tree, "with_cancel"));
	assert_non_null(strstr(tree, "shown"));
	assert_non_null(strstr(tree, "test_tree.c"));
	belay_end(value);
	belay_end(child);
	belay_end(parent);
	free(tree);
}

/* How far the line that contains what is indented. */
static size_t indent_of(const char *tree, const char *what)
{
	const char *at = strstr(tree, what);

	assert_non_null(at);
	while (at > tree && at[-1] != '\n')
		at--;
	return strspn(at, " \t");
}

static void text_indents_children_below_their_parents(void **state)
{
	belay_ctx *outer = belay_with_value(belay_background(), &text, "OUTER");
	belay_ctx *inner = belay_with_value(outer, &text, "INNER");
	belay_ctx *innermost = belay_with_value(inner, &text, "DEEPEST");
	char *tree = written(belay_tree);

	assert_true(indent_of(tree, "OUTER") < indent_of(tree, "INNER"));
	assert_true(indent_of(tree, "INNER") < indent_of(tree, "DEEPEST"));
	assert_true(strstr(tree, "OUTER") < strstr(tree, "INNER"));
	assert_true(strstr(tree, "INNER") < strstr(tree, "DEEPEST"));
	belay_end(innermost);
	belay_end(inner);
	belay_end(outer);
	free(tree);
}

static void text_shows_the_cause_of_what_is_done(void **state)
{
	belay_ctx *ctx = belay_with_cancel(belay_background());
	char *tree;

	belay_cancel_cause(ctx, 5, "a remarkable reason");
	tree = written(belay_tree);
	assert_non_null(strstr(tree, "a remarkable reason"));
	belay_end(ctx);
	free(tree);
}

static void text_shows_who_ended_it_and_how_far_up(void **state)
{
	belay_ctx *parent = belay_with_cancel(belay_background());
	belay_ctx *child = belay_with_cancel(parent);
	char *tree, place[256];

	snprintf(place, sizeof place, "(felled) at %s:%d %s() 1 up", __FILE__, __LINE__ + 2,
		 __func__);
	belay_cancel_cause(parent, 5, "felled");
	tree = written(belay_tree);
	assert_non_null(strstr(tree, place));
	belay_end(child);
	belay_end(parent);
	free(tree);
}

static void the_oldest_deadline_there_is_is_in_the_past(void **state)
{
	belay_ctx *ctx = belay_with_deadline(belay_background(), INT64_MIN);
	char *tree = written(belay_tree), *json = written(belay_tree_json);

	assert_non_null(strstr(tree, "  deadline -9223372036.855s"));
	assert_non_null(strstr(json, "\"deadline_ns\":-9223372036854775808,"));
	belay_end(ctx);
	free(json);
	free(tree);
}

static void json_tells_who_ended_it_and_how_far_up(void **state)
{
	belay_ctx *parent = belay_with_cancel(belay_background());
	belay_ctx *child = belay_with_cancel(parent);
	char *tree, end[256];

	snprintf(end, sizeof end,
		 "\"code\":5,\"levels_up\":1,\"end_file\":\"%s\",\"end_line\":%d,"
		 "\"end_func\":\"%s\"",
		 __FILE__, __LINE__ + 1, __func__);
	belay_cancel_cause(parent, 5, "felled");
	tree = written(belay_tree_json);
	assert_non_null(strstr(tree, end));
	free(parsed());
	belay_end(child);
	belay_end(parent);
	free(tree);
}

static void json_tells_kind_place_parent_and_deadline(void **state)
{
	belay_ctx *parent = made_with_cancel(belay_background());
	belay_ctx *child = made_with_timeout(parent);
	belay_ctx *without = made_without(child);
	char *lines = parsed(), line[1024], id[64], deadline[64], file[256];

	assert_field(lines, "made_with_cancel", KIND, "\"with_cancel\"");
	assert_field(lines, "made_without", KIND, "\"without_cancel\"");
	assert_field(lines, "made_with_cancel", DEADLINE, "null");
	assert_field(lines, "made_without", DEADLINE, "null");
	assert_field(lines, "made_with_cancel", ERR, "null");
	line_made_in(lines, "made_with_cancel", line, sizeof line);
	field(line, ID, id, sizeof id);
	assert_field(lines, "made_with_timeout", PARENT, id);
	field(line, SITE_FILE, file, sizeof file);
	assert_non_null(strstr(file, "test_tree.c"));
	line_made_in(lines, "made_with_timeout", line, sizeof line);
	field(line, DEADLINE, deadline, sizeof deadline);
	assert_in_range(atoll(deadline), BELAY_S(1), BELAY_S(3600));
	belay_end(without);
	belay_end(child);
	belay_end(parent);
	free(lines);
}

static void json_escapes_names_values_and_causes(void **state)
{
	belay_ctx *named = made_with_text(belay_background());
	belay_ctx *secret = made_hidden(named);
	belay_ctx *ended = made_with_cancel(secret);
	char *lines, line[1024], cause[256];

	belay_cancel_cause(ended, 1, "because of \"%s\" \\ \n \x7f \xff \xc3\xa4", "quotes");
	lines = parsed();
	assert_field(lines, "made_with_text", NAME, "\"text\"");
	assert_field(lines, "made_with_text", VALUE,
		     "\"a \\\"quoted\\\"\\n\\ttext \\\\ \\u0001 end\"");
	assert_field(lines, "made_hidden", NAME, "\"hid\\\"den\"");
	assert_field(lines, "made_hidden", VALUE, "null");
	line_made_in(lines, "made_with_cancel", line, sizeof line);
	field(line, CAUSE, cause, sizeof cause);
	assert_non_null(strstr(cause, "because of \\\"quotes\\\" \\\\ \\n"));
	assert_string_not_equal(cause, "null");
	belay_end(ended);
	belay_end(secret);
	belay_end(named);
	free(lines);
}

static void json_of_nothing_is_an_empty_array(void **state)
{
	char *json;

	if (belay_tree_count() != 0)
		skip();
	json = written(belay_tree_json);
	assert_int_equal(json[strspn(json, " \n\t")], '[');
	free(json);
	json = parsed();
	assert_string_equal(json, "");
	free(json);
}

static void a_file_that_fails_is_eio(void **state)
{
	belay_ctx *ctx = belay_with_cancel(belay_background());
	FILE *full = fopen("/dev/full", "w");

	assert_non_null(full);
	setvbuf(full, NULL, _IONBF, 0);
	assert_int_equal(belay_tree(full), -EIO);
	assert_int_equal(belay_tree_json(full), -EIO);
	fclose(full);
	belay_end(ctx);
}

static int format_by_deriving(const void *value, char *buf, size_t size)
{
	belay_ctx *ctx = belay_with_cancel((belay_ctx *)value);

	belay_end(ctx);
	return snprintf(buf, size, "%zu", belay_tree_count());
}

static void a_format_may_derive_and_end_while_the_picture_is_taken(void **state)
{
	static const belay_key deriving = {.name = "deriving", .format = format_by_deriving};
	belay_ctx *top = belay_with_cancel(belay_background());
	belay_ctx *value = belay_with_value(top, &deriving, top);
	char *tree = written(belay_tree);

	assert_non_null(strstr(tree, "deriving"));
	free(tree);
	free(parsed());
	belay_end(value);
	belay_end(top);
}

struct forest {
	atomic_bool over;
};

static void *grow_and_fell(void *arg)
{
	struct forest *forest = arg;

	while (!atomic_load(&forest->over)) {
		belay_ctx *parent = belay_with_timeout(belay_background(), BELAY_S(3600));
		belay_ctx *value = belay_with_value(parent, &text, "wood");
		belay_ctx *child = belay_with_merge(value, parent);

		belay_cancel_cause(parent, 1, "felled");
		belay_end(parent);
		belay_end(value);
		belay_end(child);
	}
	return NULL;
}

static void a_picture_can_be_taken_while_contexts_come_and_go(void **state)
{
	struct forest forest = {false};
	pthread_t thread[3];

	for (int i = 0; i < 3; i++)
		assert_int_equal(pthread_create(&thread[i], NULL, grow_and_fell, &forest), 0);
	for (size_t i = 0; i < scaled(2000); i++) {
		free(written(belay_tree));
		free(written(belay_tree_json));
		belay_tree_count();
	}
	free(parsed());
	atomic_store(&forest.over, true);
	for (int i = 0; i < 3; i++)
		pthread_join(thread[i], NULL);
}

BELAY_TEST_MAIN(cmocka_unit_test(json_of_nothing_is_an_empty_array),
		cmocka_unit_test(the_count_follows_births_and_deaths),
		cmocka_unit_test(text_shows_each_context_with_its_kind_and_the_line_that_made_it),
		cmocka_unit_test(text_indents_children_below_their_parents),
		cmocka_unit_test(text_shows_the_cause_of_what_is_done),
		cmocka_unit_test(text_shows_who_ended_it_and_how_far_up),
		cmocka_unit_test(the_oldest_deadline_there_is_is_in_the_past),
		cmocka_unit_test(json_tells_who_ended_it_and_how_far_up),
		cmocka_unit_test(json_tells_kind_place_parent_and_deadline),
		cmocka_unit_test(json_escapes_names_values_and_causes),
		cmocka_unit_test(a_file_that_fails_is_eio),
		cmocka_unit_test(a_format_may_derive_and_end_while_the_picture_is_taken),
		cmocka_unit_test(a_picture_can_be_taken_while_contexts_come_and_go))
