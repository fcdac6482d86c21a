/* SPDX-License-Identifier: MIT
 *
 * fan_in.c - several channels, one task that receives from all of them: whichever has something.
 *
 *     fan_in [READINGS]       each of three stations sends so many
 *
 * Where the senders could share one channel they should: that is simpler. This is for those that
 * have one each, because they come from different rooms of a program, or because it matters who
 * has sent what. A channel that has been closed is replaced by NULL, which is never ready.
 */
#include "explain.h"

#include <errno.h>
#include <signal.h>

enum {
	STATIONS = 3
};

struct reading {
	unsigned long number;
	double celsius;
};

BELAY_CHAN(reading_chan, struct reading);

struct station {
	const char *name;
	double celsius;
	unsigned long count;
	reading_chan *readings; /* the station sends, and closes it at its end */
	/* Who receives writes these. */
	struct reading latest;
	bool open;
	unsigned long received, out_of_order;
};

static int measure(belay_ctx *ctx, void *arg)
{
	struct station *station = arg;
	int err = 0;

	for (unsigned long i = 1; i <= station->count && err == 0; i++) {
		struct reading reading = {i, station->celsius + (double)(i % 10) / 10};

		err = reading_chan_send(ctx, station->readings, &reading);
	}
	reading_chan_close(station->readings);
	return err;
}

/* The case that receives from a station; of one that has closed its channel: never ready. */
static struct belay_case case_of(struct station *station)
{
	return reading_chan_case_recv_ok(station->open ? station->readings : NULL, &station->latest,
					 &station->open);
}

static void note(struct station *station)
{
	station->received++;
	station->out_of_order += station->latest.number != station->received;
}

/* The array of cases is made once, and used for every select. */
static int collect(belay_ctx *ctx, struct station stations[STATIONS])
{
	struct belay_case cases[STATIONS];
	int open = STATIONS;

	for (int i = 0; i < STATIONS; i++)
		cases[i] = case_of(&stations[i]);
	while (open > 0) {
		int i = belay_select_n(ctx, cases, STATIONS);

		if (i < 0)
			return i;
		if (stations[i].open) {
			note(&stations[i]);
			continue;
		}
		cases[i] = case_of(&stations[i]);
		open--;
	}
	return 0;
}

static int run(belay_ctx *ctx, struct station stations[STATIONS])
{
	belay_group *group = belay_group_new(ctx);
	int err = 0, failed;

	if (!group)
		return -ENOMEM;
	for (int i = 0; i < STATIONS && err == 0; i++)
		err = belay_group_go(group, measure, &stations[i]);
	if (err == 0)
		err = collect(belay_group_ctx(group), stations);
	if (err < 0) /* nobody receives any more */
		belay_cancel(belay_group_ctx(group));
	failed = belay_group_wait(group);
	return err < 0 ? err : failed;
}

static int open_all(struct station stations[STATIONS])
{
	for (int i = 0; i < STATIONS; i++) {
		stations[i].readings = reading_chan_new(0);
		if (!stations[i].readings)
			return -ENOMEM;
		stations[i].open = true;
	}
	return 0;
}

static void show(const struct station stations[STATIONS])
{
	for (int i = 0; i < STATIONS; i++)
		printf("%-6s %lu readings, %lu of them out of order\n", stations[i].name,
		       stations[i].received, stations[i].out_of_order);
}

int main(int argc, char **argv)
{
	belay_ctx *ctx = belay_with_signal(belay_background(), SIGINT, SIGTERM, 0);
	unsigned long count = argc > 1 ? strtoul(argv[1], NULL, 10) : 1000;
	struct station stations[STATIONS] = {
		{.name = "attic", .celsius = 31, .count = count},
		{.name = "cellar", .celsius = 12, .count = count},
		{.name = "garden", .celsius = 18, .count = count},
	};
	int err = open_all(stations), status;

	if (err == 0)
		err = run(ctx, stations);
	if (err == 0)
		show(stations);
	for (int i = 0; i < STATIONS; i++)
		reading_chan_unref(stations[i].readings);
	status = explain("fan_in", ctx, err);
	belay_end(ctx);
	belay_shutdown();
	return status;
}
