/* SPDX-License-Identifier: MIT
 *
 * works.h - the works on contexts, written once for the peers that C and C++ can call.
 *
 * A peer defines, before it includes this, what it keeps of a context and what it does with one:
 *
 *     struct peer_ctx                      to be stored anywhere, never moved
 *     peer_open(ctx, parent)               parent NULL: a root
 *     peer_open_timeout(ctx, parent, ns)   only with PEER_TIMEOUTS defined
 *     peer_cancel(ctx)                     ends it and all below it
 *     peer_end(ctx)                        the same where it is live, and gives it up
 *     peer_done(ctx)                       asks
 *
 * and puts PEER_WORKS into its table. Everything that is compared is the same code, and so is what
 * checks that it was done.
 */
#include "bench.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

#define HOUR INT64_C(3600000000000)

/* Sees to it that the peer does what will be timed. */
static void check_peer(struct peer_ctx *parent)
{
	struct peer_ctx child, grandchild;

	peer_open(&child, parent);
	peer_open(&grandchild, &child);
	bench_must(!peer_done(&child) && !peer_done(&grandchild));
	peer_cancel(&child);
	bench_must(peer_done(&child) && peer_done(&grandchild) && !peer_done(parent));
	peer_end(&grandchild);
	peer_end(&child);
}

static struct peer_ctx *new_contexts(long n)
{
	return (struct peer_ctx *)bench_calloc((size_t)n, sizeof(struct peer_ctx));
}

/* ---- A child and its end --------------------------------------------------------------------- */

static void open_and_end(void *arg, long n)
{
	struct peer_ctx *parent = (struct peer_ctx *)arg, child;

	while (n-- > 0) {
		peer_open(&child, parent);
		bench_keep(&child);
		peer_end(&child);
	}
}

static void work_cancel(void)
{
	struct peer_ctx root;

	peer_open(&root, NULL);
	check_peer(&root);
	bench_tell("ns", bench_cpu(open_and_end, &root));
	peer_end(&root);
}

static void work_shared(void)
{
	struct peer_ctx root;

	peer_open(&root, NULL);
	check_peer(&root);
	bench_tell("ns", bench_wall((int)bench_arg("threads", bench_processors()), open_and_end,
				    &root));
	bench_must(!peer_done(&root));
	peer_end(&root);
}

/* ---- The same with a deadline ---------------------------------------------------------------- */

#ifdef PEER_TIMEOUTS
static void open_timeout_and_end(void *arg, long n)
{
	struct peer_ctx *parent = (struct peer_ctx *)arg, child;

	while (n-- > 0) {
		peer_open_timeout(&child, parent, HOUR);
		bench_keep(&child);
		peer_end(&child);
	}
}

static void work_timeout(void)
{
	struct peer_ctx root;

	peer_open(&root, NULL);
	check_peer(&root);
	bench_tell("ns", bench_cpu(open_timeout_and_end, &root));
	peer_end(&root);
}

/* Other timers that stay: they expire at different times, none while this runs. */
static void work_timeout_crowd(void)
{
	struct peer_ctx root;
	long n = bench_arg("timers", 400000);
	struct peer_ctx *others = new_contexts(n);

	peer_open(&root, NULL);
	check_peer(&root);
	for (long i = 0; i < n; i++)
		peer_open_timeout(&others[i], &root, HOUR + i * 1000000);
	bench_tell("ns", bench_wall((int)bench_arg("threads", bench_processors()),
				    open_timeout_and_end, &root));
	for (long i = 0; i < n; i++)
		peer_end(&others[i]);
	peer_end(&root);
	free(others);
}
#endif

/* ---- By how many others there are ------------------------------------------------------------ */

static void open_hours(struct peer_ctx *ctx, struct peer_ctx *parent, bool timeouts)
{
#ifdef PEER_TIMEOUTS
	if (timeouts) {
		peer_open_timeout(ctx, parent, HOUR);
		return;
	}
#endif
	(void)timeouts;
	peer_open(ctx, parent);
}

/* Ten times as many siblings from one point to the next. */
static void tell_growth(bench_work *work, bool timeouts)
{
	struct peer_ctx root;
	long most = bench_arg("live", 1000000), live = 0;
	struct peer_ctx *others = new_contexts(most);

	peer_open(&root, NULL);
	check_peer(&root);
	for (long x = 1; x <= most; x *= 10) {
		while (live < x)
			open_hours(&others[live++], &root, timeouts);
		bench_tell_at("ns", x, bench_cpu(work, &root));
	}
	while (live > 0)
		peer_end(&others[--live]);
	peer_end(&root);
	free(others);
}

static void work_cancel_growth(void)
{
	tell_growth(open_and_end, false);
}

#ifdef PEER_TIMEOUTS
static void work_timeout_growth(void)
{
	tell_growth(open_timeout_and_end, true);
}
#endif

/* ---- A tree's end ---------------------------------------------------------------------------- */

struct spent {
	int64_t make, cancel, release;
};

static void tell_spent(const struct spent *spent, double nodes)
{
	bench_tell("make", (double)spent->make / nodes);
	bench_tell("cancel", (double)spent->cancel / nodes);
	bench_tell("free", (double)spent->release / nodes);
	bench_tell("all", (double)(spent->make + spent->cancel + spent->release) / nodes);
}

/* One parent, many children. */
static void spend_on_wide(struct peer_ctx *children, long n, struct spent *spent)
{
	struct peer_ctx parent;
	int64_t t[4];

	peer_open(&parent, NULL);
	t[0] = bench_cpu_now();
	for (long i = 0; i < n; i++)
		peer_open(&children[i], &parent);
	t[1] = bench_cpu_now();
	peer_cancel(&parent);
	t[2] = bench_cpu_now();
	bench_must(peer_done(&children[0]) && peer_done(&children[n / 2]) &&
		   peer_done(&children[n - 1]));
	for (long i = 0; i < n; i++)
		peer_end(&children[i]);
	t[3] = bench_cpu_now();
	peer_end(&parent);
	*spent = (struct spent){t[1] - t[0], t[2] - t[1], t[3] - t[2]};
}

/* The second time counts: by then there is memory to be had without asking the kernel. */
static void work_wide(void)
{
	long n = bench_arg("children", 1000000);
	struct peer_ctx *children = new_contexts(n);
	struct spent spent;

	spend_on_wide(children, n, &spent);
	spend_on_wide(children, n, &spent);
	tell_spent(&spent, (double)n);
	free(children);
}

/* A chain, cancelled at its root and given up from its far end. */
static void spend_on_deep(struct peer_ctx *chain, long n, struct spent *spent)
{
	int64_t t[4];

	t[0] = bench_cpu_now();
	peer_open(&chain[0], NULL);
	for (long i = 1; i < n; i++)
		peer_open(&chain[i], &chain[i - 1]);
	t[1] = bench_cpu_now();
	peer_cancel(&chain[0]);
	t[2] = bench_cpu_now();
	bench_must(peer_done(&chain[n - 1]));
	for (long i = n; i-- > 0;)
		peer_end(&chain[i]);
	t[3] = bench_cpu_now();
	spent->make += t[1] - t[0];
	spent->cancel += t[2] - t[1];
	spent->release += t[3] - t[2];
}

static void work_deep(void)
{
	long n = bench_arg("depth", 1000), times = 0;
	struct peer_ctx *chain = new_contexts(n);
	struct spent spent = {0, 0, 0};
	int64_t until = bench_arg("ms", 100) * INT64_C(1000000);

	spend_on_deep(chain, n, &spent);
	for (spent = (struct spent){0, 0, 0}; spent.make + spent.cancel + spent.release < until;
	     times++)
		spend_on_deep(chain, n, &spent);
	tell_spent(&spent, (double)n * (double)times);
	free(chain);
}

/* ---- Questions ------------------------------------------------------------------------------- */

static void ask(void *arg, long n)
{
	struct peer_ctx *ctx = (struct peer_ctx *)arg;
	long yes = 0, asked = n;

	while (n-- > 0) {
		yes += peer_done(ctx);
		__asm__ volatile("" : "+r"(yes) : : "memory");
	}
	bench_must(yes == 0 || yes == asked);
}

static void work_err(void)
{
	struct peer_ctx root;

	peer_open(&root, NULL);
	check_peer(&root);
	bench_tell("live", bench_cpu(ask, &root));
	peer_cancel(&root);
	bench_tell("done", bench_cpu(ask, &root));
	peer_end(&root);
}

/* ---- Memory ---------------------------------------------------------------------------------- */

static void tell_memory(bool timeouts)
{
	struct peer_ctx root, *all;
	long n = bench_arg("contexts", 1000000), before, live;

	peer_open(&root, NULL);
	check_peer(&root);
	before = bench_resident();
	all = new_contexts(n);
	for (long i = 0; i < n; i++)
		open_hours(&all[i], &root, timeouts);
	live = bench_resident();
	for (long i = 0; i < n; i++)
		peer_end(&all[i]);
	free(all);
	bench_tell("live", (double)(live - before) / (double)n);
	bench_tell("left", (double)(bench_resident() - before) / (double)n);
	peer_end(&root);
}

static void work_memory(void)
{
	tell_memory(false);
}

#ifdef PEER_TIMEOUTS
static void work_memory_timeout(void)
{
	tell_memory(true);
}
#endif

/* How often memory is asked for, for each operation, once all pools are as big as they get. */
static void tell_allocations(const char *figure, bench_work *work, struct peer_ctx *parent)
{
	long n = bench_arg("n", 100000), before;

	work(parent, n);
	before = bench_allocations();
	if (before < 0)
		return;
	work(parent, n);
	bench_tell(figure, (double)(bench_allocations() - before) / (double)n);
}

static void work_allocations(void)
{
	struct peer_ctx root;

	peer_open(&root, NULL);
	check_peer(&root);
	tell_allocations("cancel", open_and_end, &root);
#ifdef PEER_TIMEOUTS
	tell_allocations("timeout", open_timeout_and_end, &root);
#endif
	peer_end(&root);
}

/* ---- In the way of a big end ----------------------------------------------------------------- */

/* While a parent of many children is being cancelled by one thread, the others derive from it, end
 * what they derived, and end children that it has, taken in random order. */
struct stall {
	struct peer_ctx parent, *children, warm;
	uint32_t *order;
	bool *ended;
	long n, next, most;
	int64_t **samples;
	long *counts;
	int begun, over; /* written by the canceller (release), read by the others (acquire) */
	pthread_barrier_t line;
};

static int64_t lap(int64_t *since)
{
	int64_t before = *since;

	*since = bench_now();
	return *since - before;
}

static void end_one_of_its_children(struct stall *stall)
{
	long i = __atomic_fetch_add(&stall->next, 1, __ATOMIC_RELAXED);

	if (i < stall->n) {
		peer_end(&stall->children[stall->order[i]]);
		stall->ended[stall->order[i]] = true;
	}
}

static void get_in_the_way(struct stall *stall, int64_t *samples, long *count)
{
	struct peer_ctx child;
	int64_t since;

	while (!__atomic_load_n(&stall->begun, __ATOMIC_ACQUIRE))
		;
	do { /* once at the least, also where the end was too quick to be seen */
		since = bench_now();
		peer_open(&child, &stall->parent);
		samples[(*count)++] = lap(&since);
		peer_end(&child);
		samples[(*count)++] = lap(&since);
		end_one_of_its_children(stall);
		samples[(*count)++] = lap(&since);
	} while (!__atomic_load_n(&stall->over, __ATOMIC_ACQUIRE) && *count + 3 <= stall->most);
}

/* Thread 0 cancels. */
static void run_stall(void *arg, int i)
{
	struct stall *stall = (struct stall *)arg;

	open_and_end(&stall->warm, 1000);
	pthread_barrier_wait(&stall->line);
	if (i > 0) {
		get_in_the_way(stall, stall->samples[i], &stall->counts[i]);
		return;
	}
	__atomic_store_n(&stall->begun, 1, __ATOMIC_RELEASE);
	peer_cancel(&stall->parent);
	__atomic_store_n(&stall->over, 1, __ATOMIC_RELEASE);
}

static void tell_stall(struct stall *stall, int threads)
{
	int64_t *all = (int64_t *)bench_calloc((size_t)(stall->most * threads), sizeof *all);
	size_t n = 0;

	for (int i = 1; i < threads; i++)
		for (long j = 0; j < stall->counts[i]; j++)
			all[n++] = stall->samples[i][j];
	bench_sort(all, n);
	bench_tell("p9999", (double)bench_percentile(all, n, 0.9999) / 1000);
	bench_tell("max", (double)all[n - 1] / 1000);
	bench_tell("calls", (double)n);
	free(all);
}

static void open_stall(struct stall *stall, int threads)
{
	*stall = (struct stall){};
	stall->n = bench_arg("children", 1000000);
	stall->most = bench_arg("samples", 4000000);
	stall->order = bench_shuffled((size_t)stall->n);
	stall->ended = (bool *)bench_calloc((size_t)stall->n, sizeof(bool));
	stall->children = new_contexts(stall->n);
	stall->counts = (long *)bench_calloc((size_t)threads, sizeof(long));
	stall->samples = (int64_t **)bench_calloc((size_t)threads, sizeof(int64_t *));
	for (int i = 1; i < threads; i++)
		stall->samples[i] = (int64_t *)bench_calloc((size_t)stall->most, sizeof(int64_t));
	pthread_barrier_init(&stall->line, NULL, (unsigned)threads);
	peer_open(&stall->warm, NULL);
	peer_open(&stall->parent, NULL);
	for (long i = 0; i < stall->n; i++)
		peer_open(&stall->children[i], &stall->parent);
}

static void end_stall(struct stall *stall, int threads)
{
	for (long i = 0; i < stall->n; i++) {
		if (stall->ended[i])
			continue;
		bench_must(peer_done(&stall->children[i]));
		peer_end(&stall->children[i]);
	}
	peer_end(&stall->parent);
	peer_end(&stall->warm);
	pthread_barrier_destroy(&stall->line);
	for (int i = 1; i < threads; i++)
		free(stall->samples[i]);
	free(stall->samples);
	free(stall->counts);
	free(stall->children);
	free(stall->ended);
	free(stall->order);
}

static void work_stall(void)
{
	int threads = bench_processors() > 1 ? bench_processors() : 2;
	struct stall stall;

	open_stall(&stall, threads);
	bench_threads(threads, run_stall, &stall);
	tell_stall(&stall, threads);
	end_stall(&stall, threads);
}

/* ---- The table ------------------------------------------------------------------------------- */

#ifdef PEER_TIMEOUTS
#define PEER_TIMEOUT_WORKS                                                                         \
	{"timeout", work_timeout}, {"timeout_crowd", work_timeout_crowd},                          \
		{"timeout_growth", work_timeout_growth}, {"memory_timeout", work_memory_timeout},
#else
#define PEER_TIMEOUT_WORKS
#endif

#define PEER_WORKS                                                                                 \
	{"cancel", work_cancel}, {"shared", work_shared}, {"cancel_growth", work_cancel_growth},   \
		{"wide", work_wide}, {"deep", work_deep}, {"err", work_err},                       \
		{"memory", work_memory}, {"allocations", work_allocations},                        \
		{"stall", work_stall}, PEER_TIMEOUT_WORKS
