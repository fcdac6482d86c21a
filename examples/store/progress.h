/* SPDX-License-Identifier: MIT
 *
 * progress.h - how far a long piece of work has come: a bar on a terminal, else a line now and
 * then.
 */
#ifndef STORE_PROGRESS_H
#define STORE_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct progress {
	const char *what; /* borrowed */
	uint64_t total;
	bool terminal;
	int percent; /* shown last; -1: nothing yet */
};

/* Shows it on standard error. */
void progress_begin(struct progress *progress, const char *what, uint64_t total);
void progress_show(struct progress *progress, uint64_t done);

/* Leaves the line, finished or not. */
void progress_end(struct progress *progress);

#endif
