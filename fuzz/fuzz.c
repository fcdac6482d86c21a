/* SPDX-License-Identifier: MIT
 *
 * fuzz.c - what every fuzzer needs.
 */
#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void fuzz_failed(const char *what, const char *file, int line)
{
	fprintf(stderr, "%s:%d: does not hold: %s\n", file, line, what);
	abort();
}

uint8_t fuzz_byte(struct fuzz_input *in)
{
	if (in->size == 0)
		return 0;
	in->size--;
	return *in->data++;
}

char *fuzz_copy(const void *data, size_t size)
{
	char *copy = malloc(size + 1);

	if (!copy)
		abort();
	if (size > 0)
		memcpy(copy, data, size);
	copy[size] = '\0';
	return copy;
}

static char *take(struct fuzz_input *in, size_t size)
{
	char *text = fuzz_copy(in->data, size > 0 ? strnlen((const char *)in->data, size) : 0);

	in->data += size;
	in->size -= size;
	return text;
}

char *fuzz_line(struct fuzz_input *in)
{
	const uint8_t *end = in->size > 0 ? memchr(in->data, '\n', in->size) : NULL;
	char *line = take(in, end ? (size_t)(end - in->data) : in->size);

	if (end)
		fuzz_byte(in);
	return line;
}

char *fuzz_text(struct fuzz_input *in)
{
	return take(in, in->size);
}

bool fuzz_has_control(const char *text)
{
	for (; *text; text++)
		if (((unsigned char)*text < 0x20 && *text != '\t') || *text == 0x7f)
			return true;
	return false;
}

/* libFuzzer's name for it. Empty inputs come as no pointer at all. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	fuzz_one(data, size);
	return 0;
}
