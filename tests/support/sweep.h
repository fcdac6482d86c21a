/* SPDX-License-Identifier: MIT
 *
 * sweep.h - each test of a program again and again, each time with another allocation failing.
 *
 * The environment says so, for any test program:
 *
 *     CHECK_OOM=400,30              sweeps: at most 400 trials a test, or what 30 seconds allow
 *     CHECK_OOM_ONLY=name           of that test alone
 *     CHECK_OOM_GDB=1               shows the stacks of what hangs
 *     CHECK_OOM_TRIAL='name 17'     one trial, in this very process, as a debugger wants it: the
 *                                   17th allocation fails; `name 17+`: and all after it
 */
#ifndef BELAY_TESTS_SUPPORT_SWEEP_H
#define BELAY_TESTS_SUPPORT_SWEEP_H

#include "check.h"

bool sweep_wanted(void);

/* Sweeps, telling of each test in cmocka's words. 0: no finding; else 1. This process has had one
 * thread till now, and no test of it has run. */
int sweep(const struct CMUnitTest *list, size_t count);

#endif
