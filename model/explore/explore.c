/* SPDX-License-Identifier: MIT
 *
 * explore.c - the search: who goes on at each point, and which run comes next.
 *
 * A run is fixed by its decisions. The search keeps those of the last run with the number of ways
 * that each could have gone; the next run repeats them up to the last one that has a way left,
 * takes that way, and from there on always the first way. That is depth first, and needs no memory
 * of what was seen.
 *
 * First way   The thread that runs goes on, if it can. Every other way costs one of the bound's
 *             interruptions; where it can't go on all ways are free.
 */
#include "explore.h"

#include "task/fiber.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { DEPTH_MAX = 20000, STACK_SIZE = 128 << 10 };

struct decision {
	unsigned short taken, ways;
};

struct thread {
	struct belay__fiber fiber;
	char *stack;
	void (*fn)(void);
	bool (*ready)(void *arg); /* NULL: it can go on */
	void *arg;
	bool begun; /* the fiber, in this run or one before */
	bool over;
};

static struct thread threads[THREADS_MAX];
static struct belay__fiber home;      /* the search's own                          */
static struct belay__fiber *came_from; /* by the thread that began last            */
static struct belay__control control; /* what each begins with                     */
static int count, current = -1;       /* -1: no thread runs                        */
static int bound, interruptions;
static struct decision decisions[DEPTH_MAX];
static size_t depth, length;          /* made in this run; known from the run before */
static const struct scenario *running;
static const char *failure;           /* of this run; NULL: none                   */
static char failure_text[256];
static unsigned char order[DEPTH_MAX]; /* who ran, for a report                    */
static size_t order_length;

/* ---- Decisions ------------------------------------------------------------------------------- */

static unsigned decide(unsigned ways)
{
	if (ways == 1)
		return 0;
	if (depth == DEPTH_MAX) {
		fprintf(stderr, "%s: a run has more than %d decisions\n", running->name, DEPTH_MAX);
		exit(2);
	}
	if (depth == length)
		decisions[length++] = (struct decision){.ways = (unsigned short)ways};
	if (decisions[depth].ways != ways) {
		fprintf(stderr, "%s: a run can't be repeated: %u ways, then %u\n", running->name,
			(unsigned)decisions[depth].ways, ways);
		exit(2);
	}
	return decisions[depth++].taken;
}

/* False: all runs have been tried. */
static bool next_run(void)
{
	while (length > 0 && decisions[length - 1].taken + 1 == decisions[length - 1].ways)
		length--;
	if (length == 0)
		return false;
	decisions[length - 1].taken++;
	return true;
}

static bool can_run(const struct thread *thread)
{
	return !thread->over && (!thread->ready || thread->ready(thread->arg));
}

/* The one to go on; -1: nobody can. */
static int pick(void)
{
	int able[THREADS_MAX];
	unsigned n = 0;
	bool goes_on = current >= 0 && can_run(&threads[current]);
	unsigned way;

	if (goes_on)
		able[n++] = current;
	if (!goes_on || interruptions < bound)
		for (int i = 0; i < count; i++)
			if (i != current && can_run(&threads[i]))
				able[n++] = i;
	if (n == 0)
		return -1;
	way = decide(n);
	interruptions += goes_on && way > 0;
	return able[way];
}

/* ---- Threads --------------------------------------------------------------------------------- */

static void note(int who)
{
	if (order_length < sizeof order)
		order[order_length++] = (unsigned char)who;
}

static struct belay__context *entry(void *arg);

static void leave_for(struct belay__fiber *from, int next)
{
	struct thread *thread = next < 0 ? NULL : &threads[next];

	current = next;
	rooms_switch(next);
	if (thread)
		note(next);
	if (!thread || thread->begun) {
		belay__fiber_switch(from, thread ? &thread->fiber : &home);
		return;
	}
	thread->begun = true;
	came_from = from;
	belay__fiber_start(from, &thread->fiber, thread->stack, STACK_SIZE, entry, thread,
			   &control, false);
}

static void go_on_with(int next)
{
	int self = current;

	if (next != self)
		leave_for(&threads[self].fiber, next);
}

void explore_point(void)
{
	if (current >= 0)
		go_on_with(pick());
}

void explore_wait(bool (*ready)(void *arg), void *arg)
{
	struct thread *self = &threads[current];

	self->ready = ready;
	self->arg = arg;
	go_on_with(pick());
	self->ready = NULL;
}

size_t explore_choose(size_t n)
{
	return current >= 0 ? decide((unsigned)n) : 0;
}

int explore_self(void)
{
	return current;
}

int explore_cpu(void)
{
	return current < 0 ? 0 : current;
}

/* Takes part in run after run. */
static struct belay__context *entry(void *arg)
{
	struct thread *self = arg;

	belay__fiber_begin(came_from);
	for (;;) {
		self->fn();
		self->over = true;
		leave_for(&self->fiber, pick());
	}
	return NULL; /* never */
}

static void make_thread(struct thread *thread)
{
	thread->stack = malloc(STACK_SIZE);
	if (!thread->stack)
		abort();
	thread->begun = false;
}

static void prepare_threads(const struct scenario *scenario)
{
	for (count = 0; count < THREADS_MAX && scenario->threads[count]; count++) {
		struct thread *thread = &threads[count];

		if (!thread->stack)
			make_thread(thread);
		thread->fn = scenario->threads[count];
		thread->ready = NULL;
		thread->over = false;
	}
}

/* After an error a thread stands somewhere for good; its stack is lost with it. */
static void forget_threads(void)
{
	for (int i = 0; i < count; i++)
		threads[i].stack = NULL;
}

/* ---- Errors ---------------------------------------------------------------------------------- */

/* The switches of the run: "1 0 2" is thread 1, then 0, then 2. */
static void print_order(void)
{
	fprintf(stderr, "# %s: the threads took turns:", running->name);
	for (size_t i = 0; i < order_length; i++)
		fprintf(stderr, " %d", order[i]);
	fputc('\n', stderr);
}

/* A thread that has failed is left as it stands. */
void explore_fail(const char *what, const char *file, int line)
{
	if (!failure) {
		snprintf(failure_text, sizeof failure_text, "%s (%s:%d)", what, file, line);
		failure = failure_text;
	}
	if (current >= 0)
		leave_for(&threads[current].fiber, -1);
}

/* ---- The search ------------------------------------------------------------------------------ */

static void run_once(const struct scenario *scenario)
{
	depth = order_length = 0;
	interruptions = 0;
	failure = NULL;
	rooms_reset();
	if (scenario->setup)
		scenario->setup();
	prepare_threads(scenario);
	leave_for(&home, pick());
	for (int i = 0; i < count && !failure; i++)
		if (!threads[i].over)
			explore_fail("nobody can go on, thread", scenario->name, i);
	if (!failure && scenario->check)
		scenario->check();
	if (!failure)
		rooms_check();
	if (failure)
		forget_threads();
}

/* How many runs there were within bound; they end at the first error. */
static size_t search(const struct scenario *scenario)
{
	size_t runs = 0;

	length = 0;
	do {
		run_once(scenario);
		runs++;
	} while (!failure && next_run());
	return runs;
}

/* True: as it should be. */
static bool explore(const struct scenario *scenario, bool full, int number)
{
	int most = full ? scenario->full : scenario->quick;
	size_t runs = 0;
	bool good;

	running = scenario;
	for (bound = 0; bound <= most; bound++) {
		runs = search(scenario);
		if (failure)
			break;
	}
	good = scenario->is_broken == (failure != NULL);
	printf("%s %d - %s: %zu interleavings, %d interruptions at most: %s\n",
	       good ? "ok" : "not ok", number, scenario->name, runs, failure ? bound : most,
	       failure ? failure : "no error");
	if (!good && failure)
		print_order();
	return good;
}

#ifdef BELAY__ASAN
/* What is left alive rooms.c counts; a thread that has failed leaves what it had. */
__attribute__((visibility("default"))) const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
	return "detect_stack_use_after_return=1:detect_leaks=0:quarantine_size_mb=16";
}
#endif

/* explore [--full] [NAME]: all scenarios, or those whose name contains NAME; as TAP. */
int main(int argc, char **argv)
{
	const struct scenario *tables[] = {broken_scenarios, context_scenarios, attached_scenarios,
					   merge_scenarios, chan_scenarios};
	bool full = argc > 1 && strcmp(argv[1], "--full") == 0;
	const char *wanted = argc > 1 + full ? argv[1 + full] : "";
	int number = 0, failures = 0;

	setvbuf(stdout, NULL, _IOLBF, 0);
#ifdef BELAY__ASAN
	__sanitizer_set_death_callback(print_order);
#endif
	belay__fiber_init_thread(&home);
	belay__control_get(&control);
	for (size_t t = 0; t < sizeof tables / sizeof *tables; t++)
		for (const struct scenario *s = tables[t]; s->name; s++)
			if (strstr(s->name, wanted))
				failures += !explore(s, full, ++number);
	printf("1..%d\n", number);
	return failures > 0;
}
