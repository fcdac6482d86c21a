/* SPDX-License-Identifier: MIT
 *
 * random.h - chance, for a select's choice among what is ready.
 */
#ifndef BELAY_SRC_CHAN_RANDOM_H
#define BELAY_SRC_CHAN_RANDOM_H

#include <stddef.h>

/* A number below n, each as likely as the others. n is at least 1, and below 2^32. */
size_t belay__random_below(size_t n);

#endif
