/* SPDX-License-Identifier: MIT
 *
 * test_chan_storm.c - numbered elements under a storm of cancellations and closes, from threads and
 * tasks on both sides: nothing is lost, nothing is doubled, nothing is moved by a call that failed.
 *
 * Half of the actors are threads and half are tasks. Each call is made under a context of its own,
 * which may be live, done, about to expire, or cancelled by a thread that does nothing else. What a
 * send returned 0 for is written down on one side, what a receive returned 0 for on the other; in
 * the end both lists must be the same.
 */
#include "check.h"

#include "scale.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

enum { CHANNELS = 2, SIDE = 6, ACTORS = 2 * SIDE, ELEMENTS = 60000 };

struct storm {
	belay_chan *ch[CHANNELS];
	bool by_select, closing;
	int elements;
	atomic_int next;                      /* the number that the next element will have */
	atomic_uchar *sent, *received;        /* how often, by number */
	_Atomic(belay_ctx *) exposed[ACTORS]; /* each with a reference, for the canceller */
	atomic_int senders, actors;           /* not yet through */
	atomic_bool over;
};

struct actor {
	struct storm *storm;
	int number;
	unsigned seed;
	pthread_t thread;
};

/* ---- Contexts that don't last ---------------------------------------------------------------- */

static void expose(struct actor *actor, belay_ctx *ctx)
{
	belay_unref(atomic_exchange(&actor->storm->exposed[actor->number], belay_ref(ctx)));
}

static belay_ctx *make_short_lived(struct actor *actor)
{
	belay_ctx *ctx;

	switch (rand_r(&actor->seed) % 8) {
	case 0:
		return belay_with_timeout(belay_background(), rand_r(&actor->seed) % 100000);
	case 1:
		return belay_with_timeout(belay_background(), 0);
	case 2:
	case 3:
		ctx = belay_with_cancel(belay_background());
		expose(actor, ctx);
		return ctx;
	default:
		return belay_with_timeout(belay_background(), BELAY_MS(2));
	}
}

static void *cancel_what_is_exposed(void *arg)
{
	struct storm *storm = arg;
	unsigned seed = 1;

	while (!atomic_load(&storm->over)) {
		int victim = rand_r(&seed) % ACTORS;

		belay_end(atomic_exchange(&storm->exposed[victim], NULL));
		belay_yield();
	}
	for (int i = 0; i < ACTORS; i++)
		belay_end(atomic_exchange(&storm->exposed[i], NULL));
	return NULL;
}

static bool is_context_error(int r)
{
	return r == -ECANCELED || r == -ETIME;
}

/* ---- Senders --------------------------------------------------------------------------------- */

/* One call: 0, -EPIPE or the context's error. */
static int send_once(struct actor *actor, belay_ctx *ctx, int element)
{
	struct storm *storm = actor->storm;
	int r;

	if (!storm->by_select)
		return belay_send(ctx, storm->ch[rand_r(&actor->seed) % CHANNELS], &element);
	r = belay_select(ctx, BELAY_SEND(storm->ch[0], &element),
			 BELAY_SEND(storm->ch[1], &element));
	return r > 0 ? 0 : r;
}

/* Until it is sent, or some failures are enough. */
static void send_element(struct actor *actor, int element)
{
	int r;

	do {
		belay_ctx *ctx = make_short_lived(actor);

		r = send_once(actor, ctx, element);
		belay_end(ctx);
		check(r == 0 || is_context_error(r) || (r == -EPIPE && actor->storm->closing));
	} while (is_context_error(r) && rand_r(&actor->seed) % 16);
	if (r == 0)
		atomic_fetch_add(&actor->storm->sent[element], 1);
}

static void send_all(struct actor *actor)
{
	struct storm *storm = actor->storm;
	int element;

	while ((element = atomic_fetch_add(&storm->next, 1)) < storm->elements)
		send_element(actor, element);
	if (atomic_fetch_sub(&storm->senders, 1) == 1)
		for (int i = 0; i < CHANNELS; i++)
			belay_chan_close(storm->ch[i]);
	atomic_fetch_sub(&storm->actors, 1);
}

/* ---- Receivers ------------------------------------------------------------------------------- */

static void note_received(struct storm *storm, int element)
{
	if (check(element >= 0 && element < storm->elements))
		atomic_fetch_add(&storm->received[element], 1);
}

/* One call on what is open yet; closes *open where it was drained. */
static void recv_once(struct actor *actor, belay_ctx *ctx, belay_chan *open[CHANNELS])
{
	int i = rand_r(&actor->seed) % CHANNELS, element = -1, r;

	if (!open[i])
		i = !i;
	r = belay_recv(ctx, open[i], &element);
	if (r == 0)
		note_received(actor->storm, element);
	else if (r == -EPIPE)
		open[i] = NULL;
	else
		check(is_context_error(r));
	check(r == 0 || element == -1);
}

static void select_once(struct actor *actor, belay_ctx *ctx, belay_chan *open[CHANNELS])
{
	int element[CHANNELS] = {-1, -1}, i;
	bool ok = false;

	i = belay_select(ctx, BELAY_RECV_OK(open[0], &element[0], &ok),
			 BELAY_RECV_OK(open[1], &element[1], &ok));
	if (i < 0)
		check(is_context_error(i) && element[0] == -1 && element[1] == -1);
	else if (ok)
		note_received(actor->storm, element[i]);
	else
		open[i] = NULL;
	check(i < 0 || element[!i] == -1);
}

static void recv_all(struct actor *actor)
{
	struct storm *storm = actor->storm;
	belay_chan *open[CHANNELS] = {storm->ch[0], storm->ch[1]};

	while (open[0] || open[1]) {
		belay_ctx *ctx = make_short_lived(actor);

		if (storm->by_select)
			select_once(actor, ctx, open);
		else
			recv_once(actor, ctx, open);
		belay_end(ctx);
	}
	atomic_fetch_sub(&storm->actors, 1);
}

/* ---- The storm ------------------------------------------------------------------------------- */

static void act(struct actor *actor)
{
	if (actor->number < SIDE)
		send_all(actor);
	else
		recv_all(actor);
}

static void *act_on_a_thread(void *arg)
{
	act(arg);
	return NULL;
}

static void act_in_a_task(belay_ctx *ctx, void *arg)
{
	act(arg);
}

static void start(struct actor *actor)
{
	if (actor->number % 2)
		assert_int_equal(belay_go(belay_background(), act_in_a_task, actor), 0);
	else
		assert_int_equal(pthread_create(&actor->thread, NULL, act_on_a_thread, actor), 0);
}

static void close_in_the_middle(struct storm *storm)
{
	int middle = storm->elements / 2;

	while (atomic_load(&storm->next) < middle)
		belay_yield();
	for (int i = 0; i < CHANNELS; i++) {
		int r = belay_chan_close(storm->ch[i]);

		assert_true(r == 0 || r == -EPIPE); /* the senders were through before us */
	}
}

static void judge(struct storm *storm)
{
	int moved = 0;

	for (int i = 0; i < storm->elements; i++) {
		if (storm->sent[i] != storm->received[i] || storm->sent[i] > 1)
			fail_msg("element %d was sent %d times and received %d times", i,
				 storm->sent[i], storm->received[i]);
		moved += storm->sent[i];
	}
	assert_true(moved > 0);
}

static void run_storm(struct storm *storm, unsigned seed)
{
	struct actor actors[ACTORS];
	pthread_t canceller;

	storm->elements = (int)scaled(ELEMENTS);
	storm->sent = calloc((size_t)storm->elements, 1);
	storm->received = calloc((size_t)storm->elements, 1);
	assert_non_null(storm->sent);
	assert_non_null(storm->received);
	storm->senders = SIDE;
	storm->actors = ACTORS;
	assert_int_equal(pthread_create(&canceller, NULL, cancel_what_is_exposed, storm), 0);
	for (int i = 0; i < ACTORS; i++) {
		actors[i] = (struct actor){.storm = storm, .number = i, .seed = seed + (unsigned)i};
		start(&actors[i]);
	}
	if (storm->closing)
		close_in_the_middle(storm);
	for (int i = 0; i < ACTORS; i += 2)
		pthread_join(actors[i].thread, NULL);
	assert_true(check_until(atomic_load(&storm->actors) == 0));
	atomic_store(&storm->over, true);
	pthread_join(canceller, NULL);
	judge(storm);
	free(storm->sent);
	free(storm->received);
}

static void weather(size_t first, size_t second, bool by_select, bool closing)
{
	struct storm storm = {.by_select = by_select, .closing = closing};

	storm.ch[0] = belay_chan_new(sizeof(int), first);
	storm.ch[1] = belay_chan_new(sizeof(int), second);
	assert_non_null(storm.ch[0]);
	assert_non_null(storm.ch[1]);
	run_storm(&storm, (unsigned)(first * 100 + second * 10 + by_select + closing));
	belay_chan_unref(storm.ch[0]);
	belay_chan_unref(storm.ch[1]);
}

/* semantics 2.7, 2.8 */
static void rendezvous_lose_and_double_nothing(void **state)
{
	weather(0, 0, false, false);
}

/* semantics 2.7, 2.8 */
static void buffers_lose_and_double_nothing(void **state)
{
	weather(1, 16, false, false);
}

/* semantics 2.4, 2.7, 2.8 */
static void selects_over_rendezvous_lose_and_double_nothing(void **state)
{
	weather(0, 0, true, false);
}

/* semantics 2.4, 2.7, 2.8 */
static void selects_over_buffers_lose_and_double_nothing(void **state)
{
	weather(1, 7, true, false);
}

/* semantics 2.2, 2.7 */
static void closing_in_the_middle_loses_and_doubles_nothing(void **state)
{
	weather(0, 5, false, true);
}

/* semantics 2.2, 2.4, 2.7 */
static void closing_under_selects_loses_and_doubles_nothing(void **state)
{
	weather(0, 5, true, true);
}

/* ---- A select that both receives and sends --------------------------------------------------- */

/* Hands on from one channel to the other, always willing to do either. */
struct relay {
	belay_chan *from, *to;
	int held[4], n;
	atomic_int over;
};

static void relay_all(belay_ctx *ctx, void *arg)
{
	struct relay *relay = arg;
	belay_chan *from = relay->from;
	bool ok;
	int got;

	while (from || relay->n > 0) {
		switch (belay_select(ctx, BELAY_RECV_OK(relay->n < 4 ? from : NULL, &got, &ok),
				     BELAY_SEND(relay->n > 0 ? relay->to : NULL,
						&relay->held[relay->n > 0 ? relay->n - 1 : 0]))) {
		case 0:
			if (ok)
				relay->held[relay->n++] = got;
			else
				from = NULL;
			break;
		case 1:
			relay->n--;
			break;
		default:
			check(!"a case that is not there, or an error");
			return;
		}
	}
	atomic_store(&relay->over, 1);
}

static void *feed(void *arg)
{
	belay_chan *ch = arg;
	int n = (int)scaled(20000);

	for (int i = 0; i < n; i++)
		check(belay_send(belay_background(), ch, &i) == 0);
	belay_chan_close(ch);
	return NULL;
}

/* semantics 2.6, 2.8 */
static void relays_between_a_thread_and_a_thread_lose_and_double_nothing(void **state)
{
	enum { RELAYS = 5 };
	belay_chan *in = check_made(belay_chan_new(sizeof(int), 0));
	belay_chan *out = check_made(belay_chan_new(sizeof(int), 1));
	struct relay relays[RELAYS];
	int n = (int)scaled(20000), got;
	unsigned char *seen = calloc((size_t)n, 1);
	pthread_t feeder;

	assert_non_null(seen);
	assert_int_equal(pthread_create(&feeder, NULL, feed, in), 0);
	for (int i = 0; i < RELAYS; i++) {
		relays[i] = (struct relay){.from = in, .to = out};
		assert_int_equal(belay_go(belay_background(), relay_all, &relays[i]), 0);
	}
	for (int i = 0; i < n; i++) {
		assert_int_equal(belay_recv(belay_background(), out, &got), 0);
		assert_in_range(got, 0, n - 1);
		assert_int_equal(seen[got]++, 0);
	}
	pthread_join(feeder, NULL);
	for (int i = 0; i < RELAYS; i++)
		assert_true(check_until(atomic_load(&relays[i].over)));
	assert_int_equal(belay_try_recv(out, &got), -EAGAIN);
	free(seen);
	belay_chan_unref(in);
	belay_chan_unref(out);
}

BELAY_TEST_MAIN(cmocka_unit_test(rendezvous_lose_and_double_nothing),
		cmocka_unit_test(buffers_lose_and_double_nothing),
		cmocka_unit_test(selects_over_rendezvous_lose_and_double_nothing),
		cmocka_unit_test(selects_over_buffers_lose_and_double_nothing),
		cmocka_unit_test(closing_in_the_middle_loses_and_doubles_nothing),
		cmocka_unit_test(closing_under_selects_loses_and_doubles_nothing),
		cmocka_unit_test(relays_between_a_thread_and_a_thread_lose_and_double_nothing))
