/* SPDX-License-Identifier: MIT
 *
 * hogs.c - BELAY_REPORT=hogs: tasks that keep a worker for long without giving it up.
 *
 * A timer looks at every worker each LOOK_EVERY. One that goes on with the same task, without a
 * turn in between, is held by that task: for as long as its thread computes, or sleeps in the
 * kernel, but not while the machine gives it no processor, which is nobody's fault here. Up to two
 * LOOK_EVERY less than the truth are told. The timer is the clock thread's, which no task can hold.
 *
 * Locking     A worker's watch is the clock thread's; armed is guarded by lock.
 */
#include "base/report.h"
#include "task/by_site.h"
#include "task/worker.h"
#include "wait/timer.h"

#include <belay/time.h>

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LOOK_EVERY BELAY_MS(2)
#define LONG       BELAY_MS(10)

static struct {
	struct belay__lock lock;
	bool armed; /* the timer is, or fires */
} watcher;

static struct belay__timer timer;
static struct by_site hogs;

/* ---- One worker ------------------------------------------------------------------------------ */

static int64_t cpu_of(struct worker *worker)
{
	struct timespec used = {0};
	clockid_t clock;

	if (pthread_getcpuclockid(worker->thread, &clock) == 0)
		clock_gettime(clock, &used);
	return (int64_t)used.tv_sec * 1000000000 + used.tv_nsec;
}

/* Its thread runs or could, and is not asleep in the kernel: the state in proc_pid_stat(5). */
static bool is_runnable(struct worker *worker)
{
	char path[64], line[128];
	const char *state;
	ssize_t n = -1;
	int fd;

	snprintf(path, sizeof path, "/proc/self/task/%d/stat", (int)worker->tid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		n = read(fd, line, sizeof line - 1);
		close(fd);
	}
	line[n > 0 ? n : 0] = '\0';
	state = strrchr(line, ')');
	return !state || state[1] != ' ' || state[2] == 'R';
}

/* The line that spawned what runs now; NULL: nothing does, or it changed meanwhile. */
static const struct belay_site *held_by(struct worker *worker)
{
	struct belay__task *task = belay__running(worker);
	const struct belay_site *site;

	/* Acquire: the second look at the turns does not come before it. */
	site = task ? atomic_load_explicit(&task->site, memory_order_acquire) : NULL;
	return belay__turns_over(worker) == worker->watch.turns ? site : NULL;
}

static void begin_anew(struct worker *worker, int64_t now)
{
	worker->watch = (struct watch){
		.turns = belay__turns_over(worker),
		.looked = now,
		.cpu = -1,
	};
}

/* How much longer than at the last look. */
static int64_t held_since(struct worker *worker, int64_t now)
{
	struct watch *watch = &worker->watch;
	int64_t cpu = cpu_of(worker), before = watch->cpu < 0 ? cpu : watch->cpu;
	int64_t passed = watch->cpu < 0 ? 0 : now - watch->looked;

	watch->cpu = cpu;
	watch->looked = now;
	return is_runnable(worker) ? cpu - before : passed;
}

static void look(struct worker *worker, void *arg)
{
	int64_t now = *(const int64_t *)arg;
	const struct belay_site *site = held_by(worker);
	struct watch *watch = &worker->watch;

	if (!site || watch->looked == 0) {
		begin_anew(worker, now);
		return;
	}
	watch->held += held_since(worker, now);
	if (watch->hog)
		belay__by_site_raise(&hogs, watch->hog, watch->held);
	else if (watch->held >= LONG)
		watch->hog = belay__by_site_note(&hogs, site, watch->held, 0);
}

/* ---- The timer ------------------------------------------------------------------------------- */

static bool always(struct belay__timer *unused)
{
	return true;
}

/* True: it was not armed, and is the caller's to arm. */
static bool take_timer(void)
{
	bool mine;

	belay__lock_take(&watcher.lock, BELAY__RANK_LEAF);
	mine = !watcher.armed;
	watcher.armed = true;
	belay__lock_give(&watcher.lock, BELAY__RANK_LEAF);
	return mine;
}

static void give_timer(void)
{
	belay__lock_take(&watcher.lock, BELAY__RANK_LEAF);
	watcher.armed = false;
	belay__lock_give(&watcher.lock, BELAY__RANK_LEAF);
}

/* Where the workers have gone, the next start arms it again; or this does, where that came between
 * the look and the giving up. */
static void look_at_all(struct belay__timer *unused)
{
	int64_t now = belay_now();
	bool more = belay__workers_visit(look, &now);

	if (!more) {
		give_timer();
		more = belay__workers_run() && take_timer();
	}
	if (more)
		belay__timer_arm(&timer, now + LOOK_EVERY);
}

/* The clock is started also where the timer is armed: it may have been stopped with it. Without
 * memory for a clock nobody is watched. */
void belay__hogs_watch(void)
{
	static const struct belay__timer_ops ops = {.claim = always, .fire = look_at_all};

	if (!belay__report_wanted("hogs") || belay__clock_start() < 0 || !take_timer())
		return;
	belay__timer_init(&timer, &ops);
	belay__timer_arm(&timer, belay__moment(LOOK_EVERY));
}

/* ---- The report ------------------------------------------------------------------------------ */

static void print_hog(FILE *out, const struct belay__by_site_entry *hog)
{
	fprintf(out, "  %lld ms at the longest, %llu time%s: task started at ",
		(long long)(hog->most / 1000000), (unsigned long long)hog->count,
		hog->count == 1 ? "" : "s");
	belay__site_print(out, hog->site);
	fputc('\n', out);
}

static size_t report(FILE *out)
{
	static const char *title = "belay: tasks that held a worker for 10 ms or more:\n";

	return belay__by_site_print(&hogs, out, title, print_hog);
}

__attribute__((constructor)) static void register_report(void)
{
	belay__report("hogs", report, "belay: no task held a worker for long\n");
}
