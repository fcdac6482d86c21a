/* SPDX-License-Identifier: MIT
 *
 * report.h - what a program says about itself at its exit, if its user asks for that.
 *
 * BELAY_REPORT in the environment holds one or more of these words, with commas between them:
 *
 *     leaks     contexts that were never ended, and tasks that are still there
 *     hogs      tasks that held a worker for 10 ms or more without giving it up
 *     stacks    the most stack that tasks have used, of each line that spawns some
 *
 * Each comes with the lines that made them, on standard error. Without the variable nothing is said
 * and nothing measured. hogs costs a look at each worker every 2 ms; stacks two system calls a
 * task.
 */
#ifndef BELAY_REPORT_H
#define BELAY_REPORT_H

#include <belay/macros.h>

#include <stddef.h>
#include <stdio.h>

BELAY_BEGIN_DECLS

/* Writes to out now what would be written at exit. How many things that names; 0 as well where
 * BELAY_REPORT asks for nothing. Any thread or task; blocks only as far as writing to out does. */
BELAY_EXPORT size_t belay_report(FILE *out);

BELAY_END_DECLS

#endif
