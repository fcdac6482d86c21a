/* SPDX-License-Identifier: MIT
 *
 * belay.c - Belay's contexts: the works of works.h, values, and how late a deadline is.
 */
#include <belay.h>

struct peer_ctx {
	belay_ctx *ctx;
};

static inline void peer_open(struct peer_ctx *ctx, struct peer_ctx *parent)
{
	ctx->ctx = belay_with_cancel(parent ? parent->ctx : belay_background());
}

static inline void peer_open_timeout(struct peer_ctx *ctx, struct peer_ctx *parent, int64_t ns)
{
	ctx->ctx = belay_with_timeout(parent->ctx, ns);
}

static inline void peer_cancel(struct peer_ctx *ctx)
{
	belay_cancel(ctx->ctx);
}

static inline void peer_end(struct peer_ctx *ctx)
{
	belay_end(ctx->ctx);
}

static inline int peer_done(struct peer_ctx *ctx)
{
	return belay_err(ctx->ctx) != 0;
}

#define PEER_TIMEOUTS
#include "works.h"

#include <errno.h>

/* ---- Values ---------------------------------------------------------------------------------- */

BELAY_KEY(number, intptr_t, .destroy = NULL);

static void open_value_and_end(void *arg, long n)
{
	struct peer_ctx *parent = (struct peer_ctx *)arg;

	while (n-- > 0)
		belay_end(with_number(parent->ctx, 1));
}

static void work_value_end(void)
{
	struct peer_ctx root;

	peer_open(&root, NULL);
	bench_tell("ns", bench_cpu(open_value_and_end, &root));
	peer_end(&root);
}

/* One key after the other on a chain; the first is the farthest from its end. */
struct values {
	belay_key *keys;
	belay_ctx *deepest;
	const belay_key *wanted;
	void *expected;
};

static void hang_values(struct values *values, belay_ctx *root, long from, long to)
{
	for (long i = from; i < to; i++) {
		belay_ctx *next;

		values->keys[i].name = "n";
		next = belay_with_value(values->deepest, &values->keys[i], &values->keys[i]);
		if (values->deepest != root)
			belay_unref(values->deepest);
		values->deepest = next;
	}
}

static void look_up(void *arg, long n)
{
	struct values *values = (struct values *)arg;

	while (n-- > 0)
		if (belay_value(values->deepest, values->wanted) != values->expected)
			abort();
}

static void work_value(void)
{
	struct peer_ctx root;
	long most = bench_arg("depth", 1000), depth = 0;
	struct values values = {.keys = bench_calloc((size_t)most, sizeof(belay_key))};

	peer_open(&root, NULL);
	values.deepest = root.ctx;
	for (long x = 1; x <= most; x *= 10) {
		hang_values(&values, root.ctx, depth, x);
		depth = x;
		values.wanted = values.expected = &values.keys[0];
		bench_tell_at("found", x, bench_cpu(look_up, &values));
		values.wanted = &number_key;
		values.expected = NULL;
		bench_tell_at("missed", x, bench_cpu(look_up, &values));
	}
	belay_unref(values.deepest);
	peer_end(&root);
	free(values.keys);
}

/* ---- How late a deadline is ------------------------------------------------------------------ */

static int over;

static void compute(belay_ctx *ctx, void *arg)
{
	(void)ctx;
	while (!__atomic_load_n(&over, __ATOMIC_RELAXED))
		bench_keep(arg);
	belay_wg_done(arg);
}

static void start_computing(belay_wg *wg)
{
	for (int i = 0; i < bench_processors(); i++) {
		belay_wg_add(wg, 1);
		bench_must(belay_go(belay_background(), compute, wg) == 0);
	}
}

/* A plain thread waits for one after the other, in the order in which they are due. */
static void tell_lateness(long n, int64_t span)
{
	belay_ctx *root = belay_with_cancel(belay_background());
	belay_ctx **all = bench_calloc((size_t)n, sizeof *all);
	int64_t *late = bench_calloc((size_t)n, sizeof *late), first = bench_now() + span / 5;
	uint32_t *order = bench_shuffled((size_t)n);

	for (long i = 0; i < n; i++)
		all[order[i]] = belay_with_deadline(root, first + order[i] * (span / n));
	for (long i = 0; i < n; i++) {
		bench_must(belay_wait(all[i]) == -ETIME);
		late[i] = bench_now() - (first + i * (span / n));
		belay_end(all[i]);
	}
	bench_sort(late, (size_t)n);
	bench_tell("p50", (double)bench_percentile(late, (size_t)n, 0.5) / 1000);
	bench_tell("p99", (double)bench_percentile(late, (size_t)n, 0.99) / 1000);
	bench_tell("max", (double)late[n - 1] / 1000);
	belay_end(root);
	free(order);
	free(late);
	free(all);
}

static void work_lateness(void)
{
	belay_wg wg = BELAY_WG_INIT;

	if (bench_arg("busy", 0))
		start_computing(&wg);
	tell_lateness(bench_arg("deadlines", 10000), bench_arg("span_ms", 1000) * 1000000);
	__atomic_store_n(&over, 1, __ATOMIC_RELAXED);
	bench_must(belay_wg_wait(belay_background(), &wg) == 0);
}

int main(int argc, char **argv)
{
	static const struct bench_entry entries[] = {
		PEER_WORKS
		{"value", work_value},
		{"value_end", work_value_end},
		{"lateness", work_lateness},
		{NULL, NULL},
	};
	int status = bench_main(argc, argv, entries);

	belay_shutdown();
	return status;
}
