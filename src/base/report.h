/* SPDX-License-Identifier: MIT
 *
 * report.h - what a user has asked for in the environment: BELAY_REPORT=leaks[,...].
 */
#ifndef BELAY_SRC_BASE_REPORT_H
#define BELAY_SRC_BASE_REPORT_H

#include <stdbool.h>
#include <stdio.h>

/* True where name is one of the words of BELAY_REPORT. */
bool belay__report_wanted(const char *name);

/* print(out) returns how many things it has named. All that are registered run once at exit, after
 * the program's own atexit functions, if BELAY_REPORT has the word leaks. To be called from
 * constructors. */
void belay__report_leaks(size_t (*print)(FILE *out));

#endif
