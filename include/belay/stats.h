/* SPDX-License-Identifier: MIT
 *
 * stats.h - what the process does right now, and has done so far, in numbers.
 */
#ifndef BELAY_STATS_H
#define BELAY_STATS_H

#include <belay/macros.h>

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

BELAY_BEGIN_DECLS

/* Later versions add fields at the end. */
struct belay_numbers {
	/* Now. A task is not running and neither ready nor parked only for the moment in which it
	 * changes over. */
	uint64_t workers;         /* threads that run tasks; 0: none was needed yet               */
	uint64_t tasks;           /* all there are                                                */
	uint64_t running;         /* have a worker                                                */
	uint64_t ready;           /* could go on, or begin, but for their worker                  */
	uint64_t parked;          /* wait for something; the sum of the next nine                 */
	uint64_t parked_chan;     /* for a channel                                                */
	uint64_t parked_select;
	uint64_t parked_sleep;
	uint64_t parked_done;     /* for a context's end                                          */
	uint64_t parked_sync;     /* for a lock, a semaphore, a condition, a wait group, a flight */
	uint64_t parked_group;    /* for a group's tasks, or a race's                             */
	uint64_t parked_io;       /* for a descriptor, or a name's addresses                      */
	uint64_t parked_blocking; /* for a function on a blocking thread                          */
	uint64_t parked_other;
	uint64_t timers;          /* armed: deadlines, the library's own, and tasks' time-outs    */
	uint64_t contexts;        /* alive, roots not counted                                     */
	uint64_t blocking_busy;   /* threads that run what may block                              */
	uint64_t blocking_idle;
	/* Since the program began. They never fall. */
	uint64_t spawned;         /* tasks                                                        */
	uint64_t switches;        /* how often a task was begun, or lined up to be gone on with   */
	uint64_t parks, wakes;    /* of tasks                                                     */
	uint64_t yields;
	uint64_t steals;          /* new tasks that another worker took over                      */
	uint64_t kicks;           /* sleeps of workers that somebody ended                        */
	uint64_t sleeps;          /* of workers without work                                      */
	uint64_t spins;           /* looks around for work before such a sleep                    */
};

/* Fills in *ret, of which size bytes are written: sizeof *ret, as the caller was compiled. What
 * this version of the library does not know is 0. Nobody is stopped for it: numbers that belong
 * together may differ by what happened meanwhile, and a task that another thread has woken counts
 * as parked until its worker has seen that. Any thread or task; takes as long as a look at every
 * context. */
BELAY_EXPORT void belay_stats(struct belay_numbers *ret, size_t size);

/* The same to out, a line each, in the text format of Prometheus (version 0.0.4): the names above
 * behind "belay_", and those that never fall before "_total". 0; -EIO: out failed. */
BELAY_EXPORT int belay_stats_text(FILE *out);

/* As one JSON object with the names above. 0; -EIO: out failed. */
BELAY_EXPORT int belay_stats_json(FILE *out);

BELAY_END_DECLS

#endif
