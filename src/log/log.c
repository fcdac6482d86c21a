/* SPDX-License-Identifier: MIT
 *
 * log.c - lines for people: "2026-01-31T08:15:30.123Z INFO  [trace id] text".
 *
 * State       least: the level below which lines are dropped; UNSET until the environment was
 *             asked. sink and sink_arg: where lines go; NULL: standard error.
 * Locking     sink_lock guards sink and sink_arg, and is not held while the sink runs.
 * Memory      least is relaxed: nothing else is published by it.
 */
#include "base/lock.h"
#include "log/line.h"

#include <belay/log.h>

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

enum { UNSET = -1, PLACE = 1024 };

typedef void log_sink(void *arg, enum belay_log_level level, const char *line);

static _Atomic int least = UNSET;

static struct belay__lock sink_lock;
static log_sink *sink;
static void *sink_arg;

static const char *const names[] = {"debug", "info", "warning", "error"};
static const char *const tags[] = {"DEBUG", "INFO ", "WARN ", "ERROR"};

/* ---- Levels ---------------------------------------------------------------------------------- */

static int level_of_environment(void)
{
	const char *wanted = getenv("BELAY_LOG");

	for (int i = 0; wanted && i < (int)(sizeof names / sizeof *names); i++)
		if (strcasecmp(wanted, names[i]) == 0)
			return i;
	return BELAY_LOG_INFO;
}

/* The first to ask writes down what the environment says, unless a level was set meanwhile. */
static int level(void)
{
	int now = atomic_load_explicit(&least, memory_order_relaxed);

	if (now == UNSET) {
		int wanted = level_of_environment();

		if (atomic_compare_exchange_strong_explicit(&least, &now, wanted,
							    memory_order_relaxed,
							    memory_order_relaxed))
			now = wanted;
	}
	return now;
}

/* ---- Lines ----------------------------------------------------------------------------------- */

static void put_head(struct belay__line *line, const belay_ctx *ctx, enum belay_log_level at)
{
	const char *id = ctx ? belay_trace_id(ctx) : NULL;
	struct timespec now;
	struct tm utc;
	char head[64];
	size_t n;

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &utc);
	n = strftime(head, sizeof head, "%Y-%m-%dT%H:%M:%S", &utc);
	n += (size_t)snprintf(head + n, sizeof head - n, ".%03ldZ %s [", now.tv_nsec / 1000000,
			      tags[at]);
	belay__line_append(line, head, n);
	belay__line_append(line, id ? id : "-", id ? strlen(id) : 1);
	belay__line_append(line, "] ", 2);
}

/* One write(2) a line; what a signal or a full pipe cut off follows. */
static void write_all(const char *text, size_t size)
{
	while (size > 0) {
		ssize_t n = write(STDERR_FILENO, text, size);

		if (n == 0 || (n < 0 && errno != EINTR))
			return;
		if (n > 0) {
			text += n;
			size -= (size_t)n;
		}
	}
}

/* The NUL behind the text makes room for the newline. */
static void deliver(struct belay__line *line, enum belay_log_level at)
{
	log_sink *to;
	void *arg;

	belay__lock_take(&sink_lock, BELAY__RANK_LEAF);
	to = sink;
	arg = sink_arg;
	belay__lock_give(&sink_lock, BELAY__RANK_LEAF);
	if (to) {
		to(arg, at, line->text);
		return;
	}
	line->text[line->size] = '\n';
	write_all(line->text, line->size + 1);
}

/* ---- The public face ------------------------------------------------------------------------- */

void belay_log(const belay_ctx *ctx, enum belay_log_level at, const char *fmt, ...)
{
	int error = errno; /* for %m, and so that a line ahead of errno's check does no harm */
	char place[PLACE];
	struct belay__line line;
	va_list args;

	if ((int)at < level() || at > BELAY_LOG_ERROR)
		return;
	belay__line_init(&line, place, sizeof place);
	put_head(&line, ctx, at);
	va_start(args, fmt);
	errno = error;
	belay__line_vprintf(&line, fmt, args);
	va_end(args);
	deliver(&line, at);
	belay__line_fini(&line);
	errno = error;
}

void belay_log_level(enum belay_log_level wanted)
{
	atomic_store_explicit(&least, (int)wanted, memory_order_relaxed);
}

void belay_log_to(void (*to)(void *arg, enum belay_log_level level, const char *line), void *arg)
{
	belay__lock_take(&sink_lock, BELAY__RANK_LEAF);
	sink = to;
	sink_arg = arg;
	belay__lock_give(&sink_lock, BELAY__RANK_LEAF);
}
