/* SPDX-License-Identifier: MIT
 *
 * process.h - a child that ends with its context: what it is, for the files that it is made of.
 *
 * State       RUNNING -> EXITED -> GONE: the child has ended, but is not reaped before its output
 *             is at its end or the grace period is over. Where the context has ended it, LINGERING
 *             stands before GONE: it is reaped, but others of its group may still be there. Those
 *             that got SIGKILL close what they have of its output a moment later, as they die: so
 *             whoever has it once the last of them is gone is none of the group.
 * Who         The hook of its own context, on whatever thread that ends on, sends SIGTERM and sets
 *             the alarm (a timerfd). The clock thread, which watches the alarm, sends SIGKILL. All
 *             else is done by the one who waits: it takes the output and reaps. So a deadline is
 *             kept where nobody waits and no worker is free, and nothing is reaped behind
 *             somebody's back.
 * Waiting     Everything that the one who waits for stands on one epoll: the output, the child's
 *             pidfd as long as it is RUNNING, and the alarm. What tells nobody (there is no pidfd;
 *             somebody is left of a group) is looked at now and then, for which the alarm rings
 *             too.
 * The alarm   is set to over or look_at, whichever comes first. Once it has rung it stays readable
 *             until the one who waits sets it anew; the clock thread sees one edge and leaves it
 *             so.
 * Locking     lock guards what stands below it. Signals are sent under it, so that no number is
 *             signalled that somebody reaps at the same time.
 * No failure  Everything that may be lacking is made before the child is started. Afterwards only
 *             output needs memory; where there is none for it, it can be thrown away.
 */
#ifndef BELAY_SRC_OS_PROCESS_H
#define BELAY_SRC_OS_PROCESS_H

#include "base/lock.h"
#include "os/capture.h"
#include "os/pidfd.h"
#include "wait/watch.h"

#include <belay/context.h>
#include <belay/process.h>

#include <stdbool.h>
#include <sys/types.h>

enum belay__process_state { RUNNING, EXITED, LINGERING, GONE };

enum { BELAY__OUTPUTS = 2 };

struct belay_process {
	struct belay__child child;                 /* constant */
	belay_ctx *ctx;                            /* a child of the starter's */
	struct belay_hook hook;
	struct belay__watch watch;                 /* of alarm */
	int epoll, alarm;
	int64_t grace;
	bool polled;                               /* no event tells that the child has ended */
	struct belay__intake output[BELAY__OUTPUTS]; /* of the one who waits */
	int64_t pause;                             /* his, too: between two looks */

	struct belay__lock lock;
	enum belay__process_state state;
	bool lost;                                 /* GONE, reaped by somebody else */
	bool stopped, killed;                      /* got SIGTERM, SIGKILL from here */
	int64_t dead_by;                           /* when who was killed is waited for no more */
	bool is_over;                              /* the grace period */
	int64_t over;                              /* when it is; BELAY_FOREVER: it has not begun */
	int64_t look_at;                           /* when the one who waits wants to look again */
	struct belay_exit exit;
};

static inline void belay__process_take(struct belay_process *process)
{
	belay__lock_take(&process->lock, BELAY__RANK_LEAF);
}

static inline void belay__process_give(struct belay_process *process)
{
	belay__lock_give(&process->lock, BELAY__RANK_LEAF);
}

/* ---- grace.c; these three with the lock held ------------------------------------------------- */

/* To over or look_at. Also makes the alarm unreadable. */
void belay__process_set_alarm(struct belay_process *process);

/* Ends the grace period, if it is over: what was told to end, and has not, gets SIGKILL. Leaves the
 * alarm readable for the one who waits. */
void belay__process_attend(struct belay_process *process);

/* Notes where the child has ended by now. */
void belay__process_look(struct belay_process *process);

/* The alarm's watch, and the hook of the context. */
void belay__process_rang(struct belay__watch *watch, uint32_t events);
void belay__process_ctx_ended(struct belay_hook *hook);

/* ---- reap.c; for the one who waits ----------------------------------------------------------- */

/* A try, as belay__io_lent() wants it: 1: the process is gone; -EAGAIN; -ENOMEM. */
ssize_t belay__process_step(int epoll, void *process);

bool belay__process_is_gone(struct belay_process *process);

/* Throws away what still comes out of it. */
void belay__process_wait_until_gone(struct belay_process *process);

#endif
