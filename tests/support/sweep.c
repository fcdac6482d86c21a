/* SPDX-License-Identifier: MIT
 *
 * sweep.c - each test of a program again and again, each time with another allocation failing.
 *
 * The first trial of a test fails none and counts them. Then each allocation fails in turn, alone;
 * then each with all that come after it. How many a test makes differs a little between runs, so a
 * sweep goes on until a few trials in a row have ended before the one that was to fail. Where there
 * are more allocations than trials, the first ones fail one by one and the rest at even distances.
 *
 * A trial is a fork of this process, which never runs a test itself and so never has a second
 * thread. What it prints goes to a file in memory, and is shown where the trial is a finding.
 */
#include "sweep.h"

#include "fuse.h"
#include "scale.h"
#include "trial.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	HANG_S = 20,       /* longer than whatever a trial waits for                     */
	MISSES = 3,        /* trials in a row that did not get to the failing allocation */
	TRIALS_LEAST = 4,
	FINDINGS_SHOWN = 3, /* of a test; the others are only counted                    */
	OUTPUT_SHOWN = 6000,
};

static struct {
	long trials;
	int64_t ns;
	int output; /* of the trial that runs */
	struct trial_note *note;
} sweeping;

/* A trial's end, besides those of enum trial_end. */
enum { CRASHED = -1, HUNG = -2 };

struct tally {
	unsigned trials, passed, broke_off, findings;
};

/* ---- A trial --------------------------------------------------------------------------------- */

_Noreturn static void be_trial(const struct CMUnitTest *test, long nth, bool rest)
{
	const struct rlimit none = {0, 0};

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	setpgid(0, 0);
	setrlimit(RLIMIT_CORE, &none);
	dup2(sweeping.output, STDOUT_FILENO);
	dup2(sweeping.output, STDERR_FILENO);
	trial_run(test, nth, rest, sweeping.note);
}

static bool ends_in_time(pid_t pid)
{
	struct pollfd end = {.fd = (int)syscall(SYS_pidfd_open, pid, 0), .events = POLLIN};
	bool in_time = poll(&end, 1, HANG_S * 1000 * (scale() > 1 ? 3 : 1)) == 1;

	close(end.fd);
	return in_time;
}

/* Its stacks, among what it printed. */
static void look_at(pid_t pid)
{
	char command[200];

	if (!getenv("CHECK_OOM_GDB"))
		return;
	snprintf(command, sizeof command,
		 "gdb -p %d -batch -ex 'thread apply all bt 16' >>/proc/%d/fd/%d 2>&1", pid,
		 getpid(), sweeping.output);
	if (system(command) != 0)
		printf("  no stacks: %s\n", command);
}

/* The children of the trial's go with it. */
static int end_of(pid_t pid)
{
	bool in_time = ends_in_time(pid);
	int status;

	if (!in_time)
		look_at(pid);
	kill(-pid, SIGKILL);
	if (waitpid(pid, &status, 0) != pid)
		return CRASHED;
	if (!in_time)
		return HUNG;
	if (sweeping.note->died || !WIFEXITED(status))
		return CRASHED;
	return WEXITSTATUS(status);
}

static int try(const struct CMUnitTest *test, long nth, bool rest)
{
	pid_t pid;

	fflush(stdout);
	if (ftruncate(sweeping.output, 0) < 0 || lseek(sweeping.output, 0, SEEK_SET) < 0)
		return CRASHED;
	pid = fork();
	if (pid == 0)
		be_trial(test, nth, rest);
	return pid < 0 ? CRASHED : end_of(pid);
}

/* ---- What comes of it ------------------------------------------------------------------------ */

static const char *name_of(int end)
{
	switch (end) {
	case HUNG:
		return "hung";
	case TRIAL_GAVE_UP:
		return "waited in vain";
	case TRIAL_LEFT:
		return "left something behind";
	case TRIAL_LEAKED:
		return "leaked";
	default:
		return "crashed";
	}
}

static void show_output(void)
{
	static char text[OUTPUT_SHOWN];
	off_t size = lseek(sweeping.output, 0, SEEK_END);
	off_t from = size > OUTPUT_SHOWN ? size - OUTPUT_SHOWN : 0;
	ssize_t n = pread(sweeping.output, text, sizeof text, from);

	if (n > 0)
		printf("%.*s\n", (int)n, text);
}

static void show(const struct CMUnitTest *test, long nth, bool rest, int end)
{
	printf("  %s (%d): CHECK_OOM_TRIAL='%s %ld%s' %s\n", name_of(end), end, test->name, nth,
	       rest ? "+" : "", program_invocation_name);
	show_output();
}

static void count(struct tally *tally, const struct CMUnitTest *test, long nth, bool rest, int end)
{
	tally->trials++;
	if (end == TRIAL_PASSED)
		tally->passed++;
	else if (end == TRIAL_BROKE_OFF)
		tally->broke_off++;
	else if (tally->findings++ < FINDINGS_SHOWN)
		show(test, nth, rest, end);
}

/* ---- Sweeps ---------------------------------------------------------------------------------- */

/* The allocation after the nth whose failing is tried. */
static long next(long nth, long allocations, long trials)
{
	long one_by_one = trials / 2;

	if (nth < one_by_one || allocations <= trials)
		return nth + 1;
	return nth + (allocations - one_by_one) / (trials - one_by_one) + 1;
}

static bool was_missed(long nth)
{
	return sweeping.note->allocations >= 0 && sweeping.note->allocations < nth;
}

static void sweep_all(const struct CMUnitTest *test, bool rest, long allocations, long trials,
		      struct tally *tally)
{
	int misses = 0;

	for (long nth = 1; misses < MISSES && tally->findings <= FINDINGS_SHOWN;
	     nth = next(nth, allocations, trials)) {
		int end = try(test, nth, rest);

		if (end == TRIAL_NEEDS_MEMORY)
			break;
		count(tally, test, nth, rest, end);
		misses = was_missed(nth) ? misses + 1 : 0;
	}
}

static long trials_in_time(int64_t ns_each)
{
	long trials = sweeping.ns / ns_each;

	if (trials > sweeping.trials)
		trials = sweeping.trials;
	return trials < TRIALS_LEAST ? TRIALS_LEAST : trials;
}

static bool skip_sweep(const struct CMUnitTest *test, const char *why)
{
	printf("[  SKIPPED ] %s: %s\n", test->name, why);
	return true;
}

/* False: there was a finding. */
static bool sweep_test(const struct CMUnitTest *test)
{
	int64_t begun = belay_now();
	struct tally tally = {0};
	int end = try(test, LONG_MAX, false);
	long allocations = sweeping.note->allocations;
	long trials = trials_in_time(belay_now() - begun);

	if (end == TRIAL_OWN_FUSE)
		return skip_sweep(test, "makes allocations fail by itself");
	if (end == TRIAL_NEEDS_MEMORY)
		return skip_sweep(test, "waits, rightly, for what needs memory");
	if (end == TRIAL_BROKE_OFF)
		return skip_sweep(test, "does not pass with memory either");
	count(&tally, test, LONG_MAX, false, end);
	/* Else the number of allocations is unknown, and each trial would hang. */
	if (end != HUNG) {
		sweep_all(test, false, allocations, trials, &tally);
		sweep_all(test, true, allocations, trials, &tally);
	}
	printf("  %ld allocations, %u trials: %u passed, %u broke off, %u findings\n", allocations,
	       tally.trials, tally.passed, tally.broke_off, tally.findings);
	printf(tally.findings ? "[  FAILED  ] %s\n" : "[       OK ] %s\n", test->name);
	return tally.findings == 0;
}

/* ---- As the environment says ----------------------------------------------------------------- */

static bool prepare(void)
{
	const char *words = getenv("CHECK_OOM"), *seconds = words ? strchr(words, ',') : NULL;

	sweeping.trials = words ? atol(words) : 0;
	sweeping.ns = BELAY_S(seconds ? atol(seconds + 1) : 3600) / 2;
	sweeping.output = memfd_create("trial", MFD_CLOEXEC);
	sweeping.note = mmap(NULL, sizeof *sweeping.note, PROT_READ | PROT_WRITE,
			     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	return sweeping.output >= 0 && sweeping.note != MAP_FAILED;
}

/* "name n" or "name n+"; returns where there is no such test. */
static void try_here(const struct CMUnitTest *list, size_t count, const char *words)
{
	size_t length = strcspn(words, " ");

	for (size_t i = 0; i < count; i++)
		if (strlen(list[i].name) == length && strncmp(list[i].name, words, length) == 0)
			trial_run(&list[i], atol(words + length), strchr(words, '+') != NULL,
				  sweeping.note);
}

bool sweep_wanted(void)
{
	return getenv("CHECK_OOM") || getenv("CHECK_OOM_TRIAL");
}

int sweep(const struct CMUnitTest *list, size_t count)
{
	const char *one = getenv("CHECK_OOM_TRIAL"), *only = getenv("CHECK_OOM_ONLY");
	bool sound = true;

	if (!prepare())
		return 1;
	if (one) {
		try_here(list, count, one);
		return 1;
	}
	printf("[==========] Running %zu test(s).\n", only ? 1 : count);
	for (size_t i = 0; i < count; i++) {
		if (only && strcmp(only, list[i].name) != 0)
			continue;
		printf("[ RUN      ] %s\n", list[i].name);
		sound &= sweep_test(&list[i]);
	}
	printf("[==========] %zu test(s) run.\n", only ? 1 : count);
	return !sound;
}
