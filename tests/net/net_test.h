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
#include <poll.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <sys/uio.h>
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

/* Under its other name after the process was stopped and goes on; the arguments stay. */
static inline bool is_poll(long call)
{
#ifdef SYS_poll
	if (call == SYS_poll)
		return true;
#endif
	return call == SYS_ppoll || call == SYS_restart_syscall;
}

/* True where the two entries at address, in a thread that may go on meanwhile, are fd with
 * event. */
static inline bool polls(unsigned long address, int fd, unsigned event)
{
	struct pollfd fds[2];
	struct iovec here = {fds, sizeof fds}, there = {(void *)address, sizeof fds};

	return process_vm_readv(getpid(), &here, 1, &there, 1, 0) == sizeof fds &&
	       fds[0].fd == fd && ((unsigned)fds[0].events & event);
}

/* True where the thread sleeps in poll(2) for event on fd. */
static inline bool thread_polls(const char *tid, int fd, unsigned event)
{
	char path[64], line[256];
	unsigned long address;
	long call = -1;
	FILE *info;

	snprintf(path, sizeof path, "/proc/self/task/%.20s/syscall", tid);
	info = fopen(path, "re");
	if (!info)
		return false;
	if (!fgets(line, sizeof line, info) || sscanf(line, "%ld %lx", &call, &address) != 2)
		call = -1;
	fclose(info);
	return is_poll(call) && polls(address, fd, event);
}

static inline bool any_entry(const char *path, bool (*fn)(const char *name, int fd, unsigned event),
			     int fd, unsigned event)
{
	DIR *dir = opendir(path);
	bool found = false;

	for (struct dirent *entry; dir && !found && (entry = readdir(dir));)
		found = fn(entry->d_name, fd, event);
	if (dir)
		closedir(dir);
	return found;
}

/* Whether somebody waits for event (EPOLLIN, EPOLLOUT, EPOLLRDHUP; POLLIN and POLLOUT are the same
 * bits) on fd, as the kernel tells: what a test waits for that wants to disturb a wait. */
static inline bool is_waited_for(int fd, unsigned event)
{
	return any_entry("/proc/self/fdinfo", epoll_arms, fd, event) ||
	       any_entry("/proc/self/task", thread_polls, fd, event);
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
