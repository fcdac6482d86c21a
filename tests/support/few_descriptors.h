/* SPDX-License-Identifier: MIT
 *
 * few_descriptors.h - lets a process run out of descriptors.
 */
#ifndef BELAY_TESTS_SUPPORT_FEW_DESCRIPTORS_H
#define BELAY_TESTS_SUPPORT_FEW_DESCRIPTORS_H

#include "check.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

static struct rlimit few_descriptors_before;

/* No descriptor can be opened any more, until allow_descriptors(). */
static inline void forbid_descriptors(void)
{
	struct rlimit none;
	int lowest = open("/dev/null", O_RDONLY | O_CLOEXEC);

	assert_true(lowest >= 0);
	close(lowest);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &few_descriptors_before), 0);
	none = few_descriptors_before;
	none.rlim_cur = (rlim_t)lowest;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
}

static inline void allow_descriptors(void)
{
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few_descriptors_before), 0);
}

#endif
