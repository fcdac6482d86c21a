/* SPDX-License-Identifier: MIT
 *
 * pollfd.h - which tasks wait for which descriptor. (Plain threads: thread.h.)
 *
 * There is one record for each descriptor number, for ever: it does not belong to the file that the
 * number stands for now. So an event that arrives after its file has been closed finds a record all
 * the same, and wakes somebody who looks again and waits on. All waits here may end without a
 * cause: callers try their call first, wait where it would block, and try again.
 *
 * A descriptor that Belay owns is registered once, edge-triggered, and taken off before it is
 * closed. One that it is lent is registered one-shot for as long as somebody waits.
 */
#ifndef BELAY_SRC_NET_POLLFD_H
#define BELAY_SRC_NET_POLLFD_H

#include "wait/wait.h"

#include <belay/net.h>

#include <stdbool.h>
#include <stdint.h>

struct belay__pollfd;

/* The record of fd (>= 0). NULL: out of memory, which it never is for a number that had one
 * before. */
struct belay__pollfd *belay__pollfd_of(int fd);

/* ---- Descriptors that the caller is lent ----------------------------------------------------- */

/* Blocks until the record's descriptor may be ready for one of events (BELAY_READABLE,
 * BELAY_WRITABLE), beginning with what it is ready for now. 0; the context's error; -EPERM: it
 * can't be polled; -EBADF, -ENOMEM, -ENOSPC as epoll_ctl(2). */
int belay__pollfd_wait_lent(belay_ctx *ctx, struct belay__pollfd *record, unsigned events);

/* Between these two no other thread of this process is between them for the same descriptor: what a
 * look at it has shown to be there is still there, unless another process takes it. Not to be held
 * across anything that blocks. */
void belay__pollfd_turn_begin(struct belay__pollfd *record);
void belay__pollfd_turn_end(struct belay__pollfd *record);

/* ---- Descriptors that Belay owns ------------------------------------------------------------- */

/* How many times the descriptor was found ready. Taken before a try, and handed to the wait if that
 * would have blocked: the wait does not begin where the descriptor has become ready meanwhile. */
uint32_t belay__pollfd_edges(const struct belay__pollfd *record);

/* Whether one of these times told of the end of the peer's stream, of urgent data or of an error.
 * After a look at the edges: the answer knows of all that they count. */
bool belay__pollfd_is_exceptional(const struct belay__pollfd *record);

/* As belay__pollfd_wait_lent(), for a descriptor that will be given to belay__pollfd_forget()
 * before it is closed. */
int belay__pollfd_wait(belay_ctx *ctx, struct belay__pollfd *record, unsigned events,
		       uint32_t edges);

/* The same for BELAY_READABLE and for who doesn't park, but is woken otherwise. 1: wait is queued;
 * once it has won, or another of its waiter's has, it is to leave. 0: it is not, since the
 * descriptor has become ready since edges. Or an error, as above. Leaving is fine also where it is
 * not queued. */
int belay__pollfd_join(struct belay__pollfd *record, struct belay__wait *wait, uint32_t edges);
void belay__pollfd_leave(struct belay__pollfd *record, struct belay__wait *wait);

/* Has the record's descriptor, where nobody waits for it, tell the calling task's worker from now
 * on: for one that was started by another worker's, and may wait for it many times. */
void belay__pollfd_follow(struct belay__pollfd *record);

/* Takes fd off its epoll; to be called before it is closed, when nobody waits for it any more. */
void belay__pollfd_forget(int fd);

#endif
