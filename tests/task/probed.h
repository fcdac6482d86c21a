/* SPDX-License-Identifier: MIT
 *
 * probed.h - a call that needs more stack than a task and its guard have.
 */
#ifndef BELAY_TESTS_TASK_PROBED_H
#define BELAY_TESTS_TASK_PROBED_H

int probed_leap(int depth);

#endif
