/* SPDX-License-Identifier: MIT
 *
 * duration.c - "150ms" as nanoseconds.
 */
#include <belay/http.h>

#include <errno.h>
#include <string.h>

static int64_t unit_of(const char *text)
{
	static const struct {
		const char *name;
		int64_t ns;
	} units[] = {
		{"ns", BELAY_NS(1)}, {"us", BELAY_US(1)},  {"ms", BELAY_MS(1)},
		{"s", BELAY_S(1)},   {"m", BELAY_S(60)},
	};

	for (size_t i = 0; i < sizeof units / sizeof *units; i++)
		if (strcmp(text, units[i].name) == 0)
			return units[i].ns;
	return 0;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* digits * unit, or BELAY_FOREVER. */
static int64_t whole(const char *digits, size_t count, int64_t unit)
{
	int64_t n = 0;

	for (size_t i = 0; i < count; i++)
		if (__builtin_mul_overflow(n, 10, &n) ||
		    __builtin_add_overflow(n, digits[i] - '0', &n))
			return BELAY_FOREVER;
	return __builtin_mul_overflow(n, unit, &n) ? BELAY_FOREVER : n;
}

/* 0.digits * unit; what is less than a nanosecond is cut off. */
static int64_t fraction(const char *digits, size_t count, int64_t unit)
{
	int64_t n = 0;

	for (size_t i = 0; i < count; i++) {
		unit /= 10;
		n += (digits[i] - '0') * unit;
	}
	return n;
}

static size_t count_digits(const char *text)
{
	size_t n = 0;

	while (is_digit(text[n]))
		n++;
	return n;
}

int belay_duration_parse(const char *text, int64_t *ret)
{
	size_t before = count_digits(text), after = 0;
	const char *unit_text = text + before;
	int64_t unit, ns;

	if (*unit_text == '.') {
		after = count_digits(unit_text + 1);
		unit_text += 1 + after;
	}
	unit = unit_of(unit_text);
	if (before == 0 || unit == 0 || unit_text[-1] == '.')
		return -EINVAL;
	ns = whole(text, before, unit);
	if (__builtin_add_overflow(ns, fraction(text + before + 1, after, unit), &ns))
		ns = BELAY_FOREVER;
	*ret = ns;
	return 0;
}
