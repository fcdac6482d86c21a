/* SPDX-License-Identifier: MIT
 *
 * explore.h - a search through the interleavings of a few threads of the real code.
 *
 * The threads of a scenario are fibers of one real thread. At each atomic operation, at each wait
 * and at each random choice the search decides who goes on; it runs the scenario again and again
 * until it has tried every decision that keeps to a bound: how often a thread may be interrupted
 * although it could go on. (Iterative context bounding: Musuvathi and Qadeer, PLDI 2007. Most
 * errors need one or two.)
 */
#ifndef BELAY_MODEL_EXPLORE_H
#define BELAY_MODEL_EXPLORE_H

#include <stdbool.h>
#include <stddef.h>

enum { THREADS_MAX = 4 };

struct scenario {
	const char *name;
	void (*setup)(void); /* alone, before the threads; nothing in it is explored */
	void (*threads[THREADS_MAX])(void);
	void (*check)(void); /* alone, when all have ended; frees what is left */
	int quick, full;     /* bounds: for a test, and for `make model` */
	bool is_broken;      /* an error must be found: a check of the search */
};

/* The tables, each ended by one without a name. */
extern const struct scenario context_scenarios[];
extern const struct scenario attached_scenarios[];
extern const struct scenario merge_scenarios[];
extern const struct scenario chan_scenarios[];
extern const struct scenario broken_scenarios[];

/* What must hold, in a thread or in a check. Where it does not a thread goes no further. */
#define EXPECT(condition) ((condition) ? (void)0 : explore_fail(#condition, __FILE__, __LINE__))
void explore_fail(const char *what, const char *file, int line);

/* Another thread may go on here. Nothing outside of a scenario's threads. */
void explore_point(void);

/* Does not return before ready(arg) holds. */
void explore_wait(bool (*ready)(void *arg), void *arg);

/* One of 0 .. n-1, each of them in some run. 0 outside of a scenario's threads. */
size_t explore_choose(size_t n);

/* The number of the thread that runs; -1: none does. */
int explore_self(void);
int explore_cpu(void);

/* rooms.c: thread next goes on; -1: none of them. */
void rooms_switch(int next);

/* rooms.c: before each run, and after it; the latter fails where anything is left alive. */
void rooms_reset(void);
void rooms_check(void);

/* Expires every timer that is armed, and not for ever away, as the clock thread does. */
void rooms_run_clock(void);

#endif
