/* SPDX-License-Identifier: MIT
 *
 * chan.c - scenarios of channels: sends, receives, selects, a close and an end that meet. What was
 * sent was received or is still in the channel; what was not sent is nowhere.
 */
#include "explore.h"

#include <belay/chan.h>
#include <belay/select.h>
#include <belay/time.h>

#include <errno.h>
#include <stdint.h>

static belay_ctx *ctx;
static belay_chan *chan, *other;
static int sent[THREADS_MAX], received[THREADS_MAX]; /* results */
static int got[THREADS_MAX];                         /* elements; 0: none */

enum { NOT_RUN = 1 };

/* A select locks by address, and a run must be as the one before: so chan comes first. */
static void make_channels(size_t capacity)
{
	chan = belay_chan_new(sizeof(int), capacity);
	other = belay_chan_new(sizeof(int), capacity);
	if ((uintptr_t)chan > (uintptr_t)other) {
		belay_chan *swapped = chan;

		chan = other;
		other = swapped;
	}
}

static void make(size_t capacity)
{
	ctx = belay_with_cancel(belay_background());
	make_channels(capacity);
	for (int i = 0; i < THREADS_MAX; i++) {
		sent[i] = received[i] = NOT_RUN;
		got[i] = 0;
	}
}

static void make_rendezvous(void)
{
	make(0);
}

static void make_buffered(void)
{
	make(1);
}

static void make_full(void)
{
	make(1);
	belay_try_send(chan, &(int){9});
}

/* ---- What threads do: element 1 + its number ------------------------------------------------- */

static void send_one(void)
{
	int self = explore_self(), element = 1 + self;

	sent[self] = belay_send(ctx, chan, &element);
}

static void receive(void)
{
	int self = explore_self();

	received[self] = belay_recv(ctx, chan, &got[self]);
}

/* Under a context that has no end the wait has one reason alone, and is claimed another way. */
static void send_for_ever(void)
{
	int self = explore_self(), element = 1 + self;

	sent[self] = belay_send(belay_background(), chan, &element);
}

static void receive_for_ever(void)
{
	int self = explore_self();

	received[self] = belay_recv(belay_background(), chan, &got[self]);
}

static void try_send(void)
{
	int self = explore_self(), element = 1 + self;

	sent[self] = belay_try_send(chan, &element);
}

static void select_two(void)
{
	int self = explore_self(), a = 0, b = 0;
	int which = belay_select(ctx, BELAY_RECV(chan, &a), BELAY_RECV(other, &b));

	EXPECT(which == 0 || which == 1 || which == -ECANCELED);
	EXPECT(which == 0 || a == 0);
	EXPECT(which == 1 || b == 0);
	received[self] = which < 0 ? which : 0;
	got[self] = a + b;
}

/* Sends 1 + its number, or receives into got. */
static void select_both_ways(void)
{
	int self = explore_self(), element = 1 + self;
	bool open = true;
	int which = belay_select(ctx, BELAY_SEND(chan, &element),
				 BELAY_RECV_OK(chan, &got[self], &open));

	if (which == 0)
		sent[self] = 0;
	else
		received[self] = which < 0 ? which : open ? 0 : -EPIPE;
	EXPECT(got[self] != 1 + self);
}

static void select_end(void)
{
	int self = explore_self();
	int which = belay_select(belay_background(), BELAY_DONE(ctx), BELAY_RECV(chan, &got[self]));

	EXPECT(which == 0 || which == 1);
	EXPECT(which == 1 || belay_err(ctx) != 0);
	received[self] = which == 1 ? 0 : -ECANCELED;
}

static void select_time(void)
{
	int self = explore_self();
	int which = belay_select(ctx, BELAY_TIMEOUT(BELAY_S(1)), BELAY_RECV(chan, &got[self]));

	received[self] = which == 1 ? 0 : which < 0 ? which : -ETIME;
}

static void send_other(void)
{
	int self = explore_self(), element = 1 + self;

	sent[self] = belay_send(ctx, other, &element);
}

static void cancel(void)
{
	belay_cancel(ctx);
}

static void close_chan(void)
{
	EXPECT(belay_chan_close(chan) == 0);
}

/* Whoever sees the clock last would wait for ever. */
static void run_clock_and_cancel(void)
{
	rooms_run_clock();
	belay_cancel(ctx);
}

/* ---- After them ------------------------------------------------------------------------------ */

static int count(const int *elements, int n, int element)
{
	int found = 0;

	for (int i = 0; i < n; i++)
		found += elements[i] == element;
	return found;
}

/* Nothing is lost, nothing doubled, nothing moved by half; then all is freed. */
static void settled(void)
{
	int elements[2 * THREADS_MAX] = {0}, n = 0;

	for (int i = 0; i < THREADS_MAX; i++)
		elements[n++] = got[i];
	while (belay_try_recv(chan, &elements[n]) == 0 || belay_try_recv(other, &elements[n]) == 0)
		n++;
	for (int i = 0; i < THREADS_MAX; i++) {
		EXPECT(count(elements, n, 1 + i) == (sent[i] == 0));
		EXPECT((received[i] == 0) == (got[i] != 0));
	}
	belay_chan_unref(chan);
	belay_chan_unref(other);
	belay_unref(ctx);
}

static void all_moved(void)
{
	for (int i = 0; i < THREADS_MAX; i++)
		EXPECT(sent[i] >= 0 && received[i] >= 0);
	settled();
}

const struct scenario chan_scenarios[] = {
	{"send / recv", make_rendezvous, {send_one, receive}, all_moved, 3, 4},
	{"send / recv, neither with an end", make_rendezvous,
	 {send_for_ever, receive_for_ever}, all_moved, 3, 4},
	{"close / send / recv, neither with an end", make_rendezvous,
	 {close_chan, send_for_ever, receive_for_ever}, settled, 3, 4},
	{"send / recv / cancel", make_rendezvous, {send_one, receive, cancel}, settled, 3, 4},
	{"send / recv / cancel, with room for one", make_buffered,
	 {send_one, receive, cancel}, settled, 3, 4},
	{"send / recv / cancel, full", make_full, {send_one, receive, cancel}, settled, 3, 4},
	{"send / send / recv, then a cancel", make_rendezvous,
	 {send_one, send_one, receive, cancel}, settled, 2, 3},
	{"rendezvous: send / recv / send both ways", make_rendezvous,
	 {send_one, receive, select_both_ways, cancel}, settled, 2, 3},
	{"rendezvous: three selects both ways, then a cancel", make_rendezvous,
	 {select_both_ways, select_both_ways, select_both_ways, cancel}, settled, 1, 2},
	{"rendezvous: two selects both ways / send, then a cancel", make_rendezvous,
	 {select_both_ways, select_both_ways, send_one, cancel}, settled, 1, 2},
	{"rendezvous: two selects both ways / close", make_rendezvous,
	 {select_both_ways, select_both_ways, close_chan}, settled, 2, 3},
	{"two selects of two / send, then a cancel", make_rendezvous,
	 {select_two, select_two, send_one, cancel}, settled, 1, 2},
	{"two selects of two / send, then a cancel, with room for one", make_buffered,
	 {select_two, select_two, send_one, cancel}, settled, 1, 2},
	{"two selects with an end / send / cancel", make_rendezvous,
	 {select_end, select_end, send_one, cancel}, settled, 1, 2},
	{"close / send / recv / cancel", make_rendezvous,
	 {close_chan, send_one, receive, cancel}, settled, 2, 3},
	{"close / send / recv / cancel, with room for one", make_buffered,
	 {close_chan, send_one, receive, cancel}, settled, 2, 3},
	{"rendezvous: two selects both ways", make_rendezvous,
	 {select_both_ways, select_both_ways}, all_moved, 3, 4},
	{"select of two / send / send to the other, then a cancel", make_rendezvous,
	 {select_two, send_one, send_other, cancel}, settled, 2, 3},
	{"select of two / send / cancel", make_rendezvous,
	 {select_two, send_one, cancel}, settled, 3, 4},
	{"select with an end / send / cancel", make_rendezvous,
	 {select_end, try_send, cancel}, settled, 3, 4},
	{"select with a time / send / clock", make_rendezvous,
	 {select_time, send_one, run_clock_and_cancel}, settled, 2, 3},
	{"close / send", make_rendezvous, {close_chan, send_one}, settled, 3, 4},
	{"close / recv", make_rendezvous, {close_chan, receive}, settled, 3, 4},
	{"close / send / recv", make_rendezvous, {close_chan, send_one, receive}, settled, 3, 4},
	{"close / send / recv, full", make_full, {close_chan, send_one, receive}, settled, 3, 4},
	{"close / select both ways / recv", make_rendezvous,
	 {close_chan, select_both_ways, receive}, settled, 2, 3},
	{0},
};
