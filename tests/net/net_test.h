/* SPDX-License-Identifier: MIT
 *
 * net_test.h - what the tests of descriptors and connections share.
 */
#ifndef BELAY_TESTS_NET_NET_TEST_H
#define BELAY_TESTS_NET_NET_TEST_H

#include "check.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

/* Runs fn(ctx, arg) on this thread, then in a task. fn uses check(). */
static inline void from_both(void (*fn)(belay_ctx *ctx, void *arg), void *arg)
{
	fn(belay_background(), arg);
	check_in_task(fn, arg);
}

/* A task beside the test's own code, joined before anything goes that it uses. */
struct aside {
	void (*fn)(belay_ctx *ctx, void *arg);
	void *arg;
	belay_group *group;
};

static inline int aside_run(belay_ctx *ctx, void *arg)
{
	struct aside *aside = arg;

	aside->fn(ctx, aside->arg);
	return 0;
}

static inline void aside_start(struct aside *aside, belay_ctx *ctx,
			       void (*fn)(belay_ctx *ctx, void *arg), void *arg)
{
	*aside = (struct aside){fn, arg, belay_group_new(ctx)};
	check(belay_group_go(aside->group, aside_run, aside) == 0);
}

static inline void aside_join(struct aside *aside)
{
	check(belay_group_wait(aside->group) == 0);
}

/* True where one line of an epoll's fdinfo says that fd is registered there and armed for event. */
static inline bool line_arms(const char *line, int fd, unsigned event)
{
	unsigned events;
	int watched;

	return sscanf(line, "tfd: %d events: %x", &watched, &events) == 2 && watched == fd &&
	       (events & event);
}

static inline bool epoll_arms(const char *name, int fd, unsigned event)
{
	char path[64], line[256];
	bool arms = false;
	FILE *info;

	snprintf(path, sizeof path, "/proc/self/fdinfo/%.20s", name);
	info = fopen(path, "re");
	while (info && !arms && fgets(line, sizeof line, info))
		arms = line_arms(line, fd, event);
	if (info)
		fclose(info);
	return arms;
}

/* Whether somebody waits for event (EPOLLIN, EPOLLOUT, EPOLLRDHUP) on fd, as the kernel tells: what a
 * test waits for that wants to disturb a wait. */
static inline bool is_waited_for(int fd, unsigned event)
{
	DIR *dir = opendir("/proc/self/fdinfo");
	bool found = false;

	for (struct dirent *entry; dir && !found && (entry = readdir(dir));)
		found = epoll_arms(entry->d_name, fd, event);
	if (dir)
		closedir(dir);
	return found;
}

/* Cancels ctx from a task once fd is waited for. */
struct canceller {
	belay_ctx *ctx;
	int fd;
	unsigned event;
};

static inline void cancel_when_waited_for(belay_ctx *ctx, void *arg)
{
	struct canceller *canceller = arg;

	check(check_until(is_waited_for(canceller->fd, canceller->event)));
	belay_cancel(canceller->ctx);
}

#endif
