/* SPDX-License-Identifier: MIT
 *
 * membarrier.c - membarrier(2), and what is done without it.
 */
#include "base/membarrier.h"

#include <errno.h>
#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static bool have_it;

static bool membarrier(int command)
{
	return syscall(SYS_membarrier, command, 0, 0) == 0;
}

/* Before main(), as long as there is one thread: with more of them it takes milliseconds. */
__attribute__((constructor)) static void ask_for_it(void)
{
	have_it = membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED);
}

bool belay__have_membarrier(void)
{
	return have_it;
}

/* Processors keep a store to themselves for less than a microsecond. */
bool belay__membarrier(void)
{
	const struct timespec long_enough = {.tv_nsec = 10000000};
	int saved = errno;
	bool done = membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED);

	if (!done)
		nanosleep(&long_enough, NULL);
	errno = saved;
	return done;
}
