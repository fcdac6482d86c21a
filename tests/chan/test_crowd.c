/* SPDX-License-Identifier: MIT
 *
 * test_crowd.c - 8 threads and 10,000 tasks that send, receive, select, close and cancel at random:
 * each element that was sent is received once, whatever happened to it on its way.
 *
 * STORM_SECONDS in the environment says for how long; by default two seconds, or one round.
 *
 * A round is a crowd that comes, does so many steps each, goes, and is counted: elements are
 * numbered, and who has sent one notes it, as does who has received it. A number whose send failed
 * is still its owner's, who offers it again. Each call is made under a context that ends soon: by
 * its deadline, or because somebody of the crowd picks it out and cancels it.
 * Channels stand in slots. Who closes one puts a new one into its place first, and afterwards takes
 * what was left in it; so nothing is lost with it.
 * Locking     storm.slots_lock guards the slots, and is held for no call of Belay's but ref and
 *             swap. All else that is shared is atomic.
 */
#include "check.h"

#include "scale.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum { THREADS = 8, TASKS = 10000, STEPS = 20, SLOTS = 24, EXPOSED = 64, MOST_CASES = 4 };

static const size_t capacities[] = {0, 0, 1, 0, 3, 16};

struct storm {
	pthread_mutex_t slots_lock;
	belay_chan *slots[SLOTS];
	_Atomic(belay_ctx *) exposed[EXPOSED]; /* each with a reference */
	atomic_uint next;                      /* the number that comes next */
	unsigned elements;
	atomic_uchar *sent, *received;         /* how often, by number */
	atomic_uint closed, cancelled;         /* how often that happened */
	atomic_bool over;                      /* for the threads */
};

/* One of the crowd. */
struct actor {
	struct storm *storm;
	unsigned seed;
	unsigned element; /* to be sent; storm.elements: none is left */
};

static unsigned dice(struct actor *actor, unsigned sides)
{
	return (unsigned)rand_r(&actor->seed) % sides;
}

/* ---- What was sent, what was received -------------------------------------------------------- */

static void next_element(struct actor *actor)
{
	actor->element = atomic_fetch_add(&actor->storm->next, 1);
	if (actor->element >= actor->storm->elements)
		actor->element = actor->storm->elements;
}

static void note_sent(struct actor *actor)
{
	atomic_fetch_add(&actor->storm->sent[actor->element], 1);
	next_element(actor);
}

static void note_received(struct storm *storm, unsigned element)
{
	if (check(element < storm->elements))
		atomic_fetch_add(&storm->received[element], 1);
}

static bool has_element(const struct actor *actor)
{
	return actor->element < actor->storm->elements;
}

static bool is_failure(int r)
{
	return r == -ECANCELED || r == -ETIME || r == -EPIPE;
}

/* ---- Slots ----------------------------------------------------------------------------------- */

static belay_chan *new_channel(unsigned slot)
{
	size_t kinds = sizeof capacities / sizeof capacities[0];

	return check_made(belay_chan_new(sizeof(unsigned), capacities[slot % kinds]));
}

/* A reference. */
static belay_chan *pick_channel(struct actor *actor)
{
	struct storm *storm = actor->storm;
	belay_chan *ch;

	pthread_mutex_lock(&storm->slots_lock);
	ch = belay_chan_ref(storm->slots[dice(actor, SLOTS)]);
	pthread_mutex_unlock(&storm->slots_lock);
	return ch;
}

/* Closed before, so that what it holds becomes no more. */
static void drain(struct storm *storm, belay_chan *ch)
{
	unsigned element;
	int r;

	while ((r = belay_try_recv(ch, &element)) == 0)
		note_received(storm, element);
	check(r == -EPIPE);
}

static void retire(struct storm *storm, belay_chan *ch)
{
	check(belay_chan_close(ch) == 0);
	drain(storm, ch);
	belay_chan_unref(ch);
}

static void close_one(struct actor *actor)
{
	struct storm *storm = actor->storm;
	unsigned slot = dice(actor, SLOTS);
	belay_chan *old, *new = new_channel(slot);

	pthread_mutex_lock(&storm->slots_lock);
	old = storm->slots[slot];
	storm->slots[slot] = new;
	pthread_mutex_unlock(&storm->slots_lock);
	retire(storm, old);
	atomic_fetch_add(&storm->closed, 1);
}

/* ---- Contexts that don't last ---------------------------------------------------------------- */

/* From some that are over at once to some that others have a good chance to cancel. */
static belay_ctx *make_short_lived(struct actor *actor)
{
	int64_t longest[] = {0, BELAY_US(20), BELAY_US(200), BELAY_MS(2)};
	belay_ctx *ctx = belay_with_timeout(belay_background(), longest[dice(actor, 4)]);

	if (dice(actor, 2))
		belay_unref(atomic_exchange(&actor->storm->exposed[dice(actor, EXPOSED)],
					    belay_ref(ctx)));
	return ctx;
}

static void cancel_one(struct actor *actor)
{
	belay_ctx *ctx = atomic_exchange(&actor->storm->exposed[dice(actor, EXPOSED)], NULL);

	if (ctx && belay_cancel(ctx))
		atomic_fetch_add(&actor->storm->cancelled, 1);
	belay_unref(ctx);
}

/* ---- Steps ----------------------------------------------------------------------------------- */

static void send_one(struct actor *actor, belay_ctx *ctx)
{
	belay_chan *ch = pick_channel(actor);
	int r = dice(actor, 4) ? belay_send(ctx, ch, &actor->element)
			       : belay_try_send(ch, &actor->element);

	if (r == 0)
		note_sent(actor);
	else
		check(is_failure(r) || r == -EAGAIN);
	belay_chan_unref(ch);
}

static void recv_one(struct actor *actor, belay_ctx *ctx)
{
	belay_chan *ch = pick_channel(actor);
	unsigned element = UINT_MAX;
	int r = dice(actor, 4) ? belay_recv(ctx, ch, &element) : belay_try_recv(ch, &element);

	if (r == 0)
		note_received(actor->storm, element);
	else
		check((is_failure(r) || r == -EAGAIN) && element == UINT_MAX);
	belay_chan_unref(ch);
}

/* A select of any cases; at most one of them has run afterwards. */
struct choice {
	struct belay_case cases[MOST_CASES];
	belay_chan *channels[MOST_CASES];
	unsigned got[MOST_CASES];
	bool ok[MOST_CASES];
	unsigned n;
};

static void add_case(struct actor *actor, struct choice *choice)
{
	unsigned i = choice->n++;
	belay_chan *ch = choice->channels[i] = pick_channel(actor);

	choice->got[i] = UINT_MAX;
	choice->ok[i] = false;
	if (has_element(actor) && dice(actor, 2))
		choice->cases[i] = BELAY_SEND(ch, &actor->element);
	else
		choice->cases[i] = BELAY_RECV_OK(ch, &choice->got[i], &choice->ok[i]);
}

/* Of a receive: ok, or from a closed channel and zeroed. */
static void note_choice(struct actor *actor, struct choice *choice, int chosen)
{
	for (int i = 0; i < (int)choice->n; i++) {
		if (i != chosen)
			check(!choice->ok[i] && choice->got[i] == UINT_MAX);
		else if (choice->cases[i].kind == BELAY_CASE_SEND)
			note_sent(actor);
		else if (choice->ok[i])
			note_received(actor->storm, choice->got[i]);
		else
			check(choice->got[i] == 0);
	}
}

static void select_one(struct actor *actor, belay_ctx *ctx)
{
	struct choice choice = {.n = 0};
	unsigned n = 1 + dice(actor, MOST_CASES);
	int r;

	while (choice.n < n)
		add_case(actor, &choice);
	r = dice(actor, 4) ? belay_select_n(ctx, choice.cases, n)
			   : belay_try_select_n(choice.cases, n);
	check(r >= 0 ? r < (int)n : is_failure(r) || r == -EAGAIN);
	note_choice(actor, &choice, r);
	for (unsigned i = 0; i < n; i++)
		belay_chan_unref(choice.channels[i]);
}

static void move_one(struct actor *actor)
{
	belay_ctx *ctx = make_short_lived(actor);
	unsigned roll = dice(actor, 3);

	if (roll == 0)
		select_one(actor, ctx);
	else if (roll == 1 && has_element(actor))
		send_one(actor, ctx);
	else
		recv_one(actor, ctx);
	belay_end(ctx);
}

static void step(struct actor *actor)
{
	unsigned roll = dice(actor, 256);

	if (roll == 0)
		close_one(actor);
	else if (roll < 48)
		cancel_one(actor);
	else if (roll < 64)
		belay_yield();
	else
		move_one(actor);
}

/* ---- The crowd ------------------------------------------------------------------------------- */

static int act_in_a_task(belay_ctx *ctx, void *arg)
{
	struct actor *actor = arg;

	for (int i = 0; i < STEPS; i++)
		step(actor);
	return 0;
}

static void *act_on_a_thread(void *arg)
{
	struct actor *actor = arg;

	while (!atomic_load(&actor->storm->over))
		step(actor);
	return NULL;
}

static void come(struct storm *storm, struct actor *actor, unsigned seed)
{
	*actor = (struct actor){.storm = storm, .seed = seed};
	next_element(actor);
}

static void run_crowd(struct storm *storm, struct actor *actors, size_t tasks, unsigned seed)
{
	belay_group *group = check_made(belay_group_new(belay_background()));
	pthread_t threads[THREADS];
	size_t i;

	for (i = 0; i < tasks + THREADS; i++)
		come(storm, &actors[i], seed + (unsigned)i);
	for (i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, act_on_a_thread,
						&actors[tasks + i]), 0);
	for (i = 0; i < tasks; i++)
		assert_int_equal(belay_group_go(group, act_in_a_task, &actors[i]), 0);
	assert_int_equal(belay_group_wait(group), 0);
	atomic_store(&storm->over, true);
	for (i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
}

static void judge(const struct storm *storm)
{
	unsigned moved = 0;

	for (unsigned i = 0; i < storm->elements; i++) {
		if (storm->sent[i] != storm->received[i] || storm->sent[i] > 1)
			fail_msg("element %u was sent %d times and received %d times", i,
				 storm->sent[i], storm->received[i]);
		moved += storm->sent[i];
	}
	assert_true(moved > 0);
}

static void run_round(size_t tasks, unsigned seed)
{
	struct storm storm = {.slots_lock = PTHREAD_MUTEX_INITIALIZER};
	struct actor *actors = calloc(tasks + THREADS, sizeof *actors);

	storm.elements = (unsigned)(tasks * STEPS);
	storm.sent = calloc(storm.elements, 1);
	storm.received = calloc(storm.elements, 1);
	assert_true(actors && storm.sent && storm.received);
	for (unsigned i = 0; i < SLOTS; i++)
		storm.slots[i] = new_channel(i);
	run_crowd(&storm, actors, tasks, seed);
	for (int i = 0; i < SLOTS; i++)
		retire(&storm, storm.slots[i]);
	for (int i = 0; i < EXPOSED; i++)
		belay_end(atomic_exchange(&storm.exposed[i], NULL));
	judge(&storm);
	assert_true(storm.closed > 0 && storm.cancelled > 0);
	free(storm.received);
	free(storm.sent);
	free(actors);
}

static int64_t duration(void)
{
	const char *seconds = getenv("STORM_SECONDS");

	return BELAY_S(seconds ? strtod(seconds, NULL) : 2);
}

/* semantics 2.2, 2.4, 2.7, 2.8 */
static void a_crowd_of_threads_and_tasks_loses_and_doubles_nothing(void **state)
{
	int64_t until = belay_now() + duration();
	unsigned rounds = 0;

	do
		run_round(scaled(TASKS), rounds++ * 100000);
	while (belay_now() < until);
	print_message("%u rounds\n", rounds);
}

BELAY_TEST_MAIN(cmocka_unit_test(a_crowd_of_threads_and_tasks_loses_and_doubles_nothing))
