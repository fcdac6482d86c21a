/* SPDX-License-Identifier: MIT
 *
 * progress.c - how far a long piece of work has come: a bar on a terminal, else a line now and
 * then.
 */
#include "progress.h"

#include <stdio.h>
#include <unistd.h>

enum {
	WIDTH = 40,
	STEP = 10, /* percent between two lines where it is no terminal */
};

static void draw(const struct progress *progress, int percent)
{
	char bar[WIDTH + 1];
	int i;

	for (i = 0; i < WIDTH; i++)
		bar[i] = i < percent * WIDTH / 100 ? '#' : '.';
	bar[WIDTH] = '\0';
	fprintf(stderr, "\r%s [%s] %3d %%", progress->what, bar, percent);
	fflush(stderr);
}

void progress_begin(struct progress *progress, const char *what, uint64_t total)
{
	*progress = (struct progress){
		.what = what,
		.total = total ? total : 1,
		.terminal = isatty(STDERR_FILENO),
		.percent = -1,
	};
	progress_show(progress, 0);
}

void progress_show(struct progress *progress, uint64_t done)
{
	int percent = done >= progress->total ? 100 : (int)(done * 100 / progress->total);

	if (!progress->terminal)
		percent -= percent % STEP;
	if (percent == progress->percent)
		return;
	progress->percent = percent;
	if (progress->terminal)
		draw(progress, percent);
	else
		fprintf(stderr, "%s %d %%\n", progress->what, percent);
}

void progress_end(struct progress *progress)
{
	if (progress->terminal)
		fputc('\n', stderr);
}
