/* SPDX-License-Identifier: MIT
 *
 * report.h - what a user has asked for in the environment: BELAY_REPORT=leaks,hogs,stacks.
 */
#ifndef BELAY_SRC_BASE_REPORT_H
#define BELAY_SRC_BASE_REPORT_H

#include <stdbool.h>
#include <stdio.h>

/* True where word is one of those of BELAY_REPORT. */
bool belay__report_wanted(const char *word);

/* print(out) belongs to the report of that name, which BELAY_REPORT may ask for, and returns how
 * many things it has named. All of a report's run at exit, after the program's own atexit
 * functions; and where none has a thing to name, that says none, a line. To be called from
 * constructors. */
void belay__report(const char *word, size_t (*print)(FILE *out), const char *none);

#define BELAY__NO_LEAKS "belay: nothing is left\n"

#endif
