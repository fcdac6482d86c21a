/* SPDX-License-Identifier: MIT
 *
 * test_headers.c - a list of header fields.
 */
#include "check_oom.h"
#include "http/headers.h"

#include <errno.h>
#include <locale.h>
#include <string.h>

static void add(struct belay__headers *list, const char *name, const char *value)
{
	assert_int_equal(belay__headers_add(list, name, strlen(name), value, strlen(value)), 0);
}

/* "name=value name=value" */
static const char *text_of(const struct belay__headers *list)
{
	static char text[4096];
	size_t n = 0;

	text[0] = '\0';
	for (size_t i = 0; i < list->count; i++)
		n += (size_t)snprintf(text + n, sizeof text - n, "%s%s=%s", i ? " " : "",
				      belay__headers_name(list, i), belay__headers_value(list, i));
	return text;
}

static void names_are_found_in_any_case(void **state)
{
	struct belay__headers list = {0};

	add(&list, "Content-Type", "a");
	assert_string_equal(belay__headers_get(&list, "content-type"), "a");
	assert_string_equal(belay__headers_get(&list, "CONTENT-TYPE"), "a");
	assert_null(belay__headers_get(&list, "Content-Typ"));
	assert_null(belay__headers_get(&list, "Content-Type2"));
	belay__headers_fini(&list);
}

static void the_order_is_kept(void **state)
{
	struct belay__headers list = {0};

	for (int i = 0; i < 100; i++) {
		char name[8], value[8];

		snprintf(name, sizeof name, "n%d", i);
		snprintf(value, sizeof value, "v%d", i);
		add(&list, name, value);
	}
	assert_int_equal(list.count, 100);
	assert_string_equal(belay__headers_name(&list, 57), "n57");
	assert_string_equal(belay__headers_value(&list, 57), "v57");
	belay__headers_clear(&list);
	assert_int_equal(list.count, 0);
	assert_null(belay__headers_get(&list, "n57"));
	belay__headers_fini(&list);
}

static void setting_replaces_all_of_the_name_where_the_first_one_stood(void **state)
{
	struct belay__headers list = {0};

	add(&list, "a", "1");
	add(&list, "b", "2");
	add(&list, "B", "3");
	add(&list, "c", "4");
	assert_int_equal(belay__headers_set(&list, "b", "5"), 0);
	assert_string_equal(text_of(&list), "a=1 b=5 c=4");
	assert_int_equal(belay__headers_set(&list, "d", "6"), 0);
	assert_string_equal(text_of(&list), "a=1 b=5 c=4 d=6");
	assert_int_equal(belay__headers_set(&list, "d", "7"), 0);
	assert_string_equal(text_of(&list), "a=1 b=5 c=4 d=7");
	belay__headers_fini(&list);
}

static void removing_takes_out_all_of_the_name(void **state)
{
	struct belay__headers list = {0};

	add(&list, "a", "1");
	add(&list, "b", "2");
	add(&list, "A", "3");
	assert_int_equal(belay__headers_remove(&list, "a"), 2);
	assert_string_equal(text_of(&list), "b=2");
	assert_int_equal(belay__headers_remove(&list, "a"), 0);
	belay__headers_fini(&list);
}

static void a_token_is_a_name(void **state)
{
	assert_true(belay__is_token("X-Trace-Id_1.2~", 15));
	assert_false(belay__is_token("", 0));
	assert_false(belay__is_token("a b", 3));
	assert_false(belay__is_token("a:", 2));
	assert_false(belay__is_token("a\r\n", 3));
	assert_false(belay__is_token("a\0b", 3));
	assert_false(belay__is_token("\xc3\xa9", 2));
}

static void a_value_has_no_line_ends_and_no_nul(void **state)
{
	assert_true(belay__is_field_value("a b\tc \xc3\xa9", 8));
	assert_true(belay__is_field_value("", 0));
	assert_false(belay__is_field_value("a\r\nb", 4));
	assert_false(belay__is_field_value("a\n", 2));
	assert_false(belay__is_field_value("a\0b", 3));
	assert_false(belay__is_field_value("a\x7f", 2));
}

static bool may_stand_in_a_value(unsigned c)
{
	return c == '\t' || (c >= 0x20 && c != 0x7f);
}

/* Among letters, tabs and bytes from 0x80 on. */
static void each_byte_is_judged_wherever_it_stands_in_a_value(void **state)
{
	static const char around[] = {'a', '\t', (char)0x80, (char)0xff};
	char value[21];

	for (size_t i = 0; i < sizeof around; i++)
		for (size_t at = 0; at < sizeof value; at++)
			for (unsigned c = 0; c < 256; c++) {
				memset(value, around[i], sizeof value);
				value[at] = (char)c;
				assert_int_equal(belay__is_field_value(value, sizeof value),
						 may_stand_in_a_value(c));
			}
}

/* In some locales I and i are two letters. */
static void names_do_not_depend_on_the_locale(void **state)
{
	setlocale(LC_ALL, "tr_TR.UTF-8");
	assert_true(belay__same_name("TRANSFER-ENCODING", "transfer-encoding"));
	setlocale(LC_ALL, "C");
	assert_false(belay__same_name("a", "ab"));
	assert_false(belay__same_name("[", "{"));
}

static void fill(void *arg)
{
	struct belay__headers list = {0};
	char value[600];

	memset(value, 'x', sizeof value);
	for (int i = 0; i < 40; i++) {
		size_t before = list.count;
		int r = i % 2 ? belay__headers_set(&list, "set", "v")
			      : belay__headers_add(&list, "add", 3, value, sizeof value);

		check(r == 0 || (r == -ENOMEM && list.count == before));
	}
	belay__headers_fini(&list);
}

static void without_memory_a_list_stays_as_it_is(void **state)
{
	assert_true(check_each_allocation(fill, NULL) > 4);
}

BELAY_TEST_MAIN(cmocka_unit_test(names_are_found_in_any_case),
		cmocka_unit_test(the_order_is_kept),
		cmocka_unit_test(setting_replaces_all_of_the_name_where_the_first_one_stood),
		cmocka_unit_test(removing_takes_out_all_of_the_name),
		cmocka_unit_test(a_token_is_a_name),
		cmocka_unit_test(a_value_has_no_line_ends_and_no_nul),
		cmocka_unit_test(each_byte_is_judged_wherever_it_stands_in_a_value),
		cmocka_unit_test(names_do_not_depend_on_the_locale),
		cmocka_unit_test(without_memory_a_list_stays_as_it_is))
