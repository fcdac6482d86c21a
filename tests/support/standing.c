/* SPDX-License-Identifier: MIT
 *
 * standing.c - counts what stands around a test, before it and after.
 */
#include "standing.h"

#include "check.h"

#include <dirent.h>
#include <pthread.h>
#include <unistd.h>

/* Of src/task/cache.h: how many tasks there are. Not there for programs that link the shared
 * library, which shows public names alone. */
extern size_t belay__task_count(void) __attribute__((weak));

/* ---- Counting -------------------------------------------------------------------------------- */

static unsigned entries(const char *path)
{
	DIR *dir = opendir(path);
	unsigned n = 0;

	if (!dir)
		return 0;
	for (struct dirent *entry; (entry = readdir(dir));)
		n += entry->d_name[0] != '.';
	closedir(dir);
	return n;
}

/* Without the one that the listing itself opens. */
unsigned check_descriptors(void)
{
	return entries("/proc/self/fd") - 1;
}

unsigned check_threads(void)
{
	return entries("/proc/self/task");
}

static size_t tasks(void)
{
	return belay__task_count ? belay__task_count() : 0;
}

/* A thread sanitizer starts a thread of its own beside the first that a program starts. Else none
 * is started: tests that fork want a process that never had a second one. */
#if defined(__SANITIZE_THREAD__) || defined(__clang__) /* which does not say */
static void *nothing(void *arg)
{
	return arg;
}

static void start_first_thread(void)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, nothing, NULL) == 0)
		pthread_join(thread, NULL);
}
#else
static void start_first_thread(void)
{
}
#endif

void standing_note(struct standing *ret)
{
	start_first_thread();
	ret->contexts = belay_tree_count();
	ret->tasks = tasks();
	ret->descriptors = check_descriptors();
	ret->threads = check_threads();
}

/* ---- What a test leaves behind --------------------------------------------------------------- */

static void print_descriptors(void)
{
	for (int fd = 0; fd < 1024; fd++) {
		char path[32], target[256];
		ssize_t n;

		snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
		n = readlink(path, target, sizeof target);
		if (n >= 0)
			fprintf(stderr, "  %d -> %.*s\n", fd, (int)n, target);
	}
}

static void judge_contexts(size_t before)
{
	if (check_until(belay_tree_count() <= before))
		return;
	belay_tree(stderr);
	fail_msg("%zu contexts are still alive", belay_tree_count() - before);
}

static void judge_tasks(size_t before)
{
	if (!check_until(tasks() <= before))
		fail_msg("%zu tasks have not returned", tasks() - before);
}

/* A joined thread may stand in /proc for a moment more. */
static void judge_threads(unsigned before)
{
	if (!check_until(check_threads() <= before))
		fail_msg("%u threads more than before the test", check_threads() - before);
}

static void judge_descriptors(unsigned before)
{
	unsigned open = check_descriptors();

	if (open <= before)
		return;
	print_descriptors();
	fail_msg("%u descriptors more than before the test", open - before);
}

void standing_judge(const struct standing *before)
{
	judge_contexts(before->contexts);
	judge_tasks(before->tasks);
	belay_shutdown();
	judge_threads(before->threads);
	judge_descriptors(before->descriptors);
}
