/* SPDX-License-Identifier: MIT
 *
 * fuzz.h - what every fuzzer needs.
 *
 * A fuzzer is one file with fuzz_one(), which is given bytes and checks what must hold whatever
 * they are. Built with -Dfuzz=true it is libFuzzer's, which makes up the bytes; else it is a test
 * that goes through its kept inputs, corpus/<name>/, once.
 *
 * Texts are copied to memory that is just large enough, so that the address sanitizer sees whoever
 * reads beyond their end. Memory that the fuzzer itself can't get ends the run.
 */
#ifndef BELAY_FUZZ_FUZZ_H
#define BELAY_FUZZ_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The one of this program. */
void fuzz_one(const uint8_t *data, size_t size);

/* What must hold, whatever the input: says what did not, and aborts, by which the input is kept. */
#define MUST(...) ((__VA_ARGS__) ? (void)0 : fuzz_failed(#__VA_ARGS__, __FILE__, __LINE__))
_Noreturn void fuzz_failed(const char *what, const char *file, int line);

/* What of the input has not been used yet. */
struct fuzz_input {
	const uint8_t *data;
	size_t size;
};

/* The next byte; 0 at the end. */
uint8_t fuzz_byte(struct fuzz_input *in);

/* The next line without its line feed, up to a NUL in it, for free(); "" at the end. */
char *fuzz_line(struct fuzz_input *in);

/* All that is left, up to a NUL in it; for free(). */
char *fuzz_text(struct fuzz_input *in);

/* size bytes at data with a NUL behind them; for free(). */
char *fuzz_copy(const void *data, size_t size);

/* Whether text has a CR, an LF or another control character but the tab. */
bool fuzz_has_control(const char *text);

#endif
