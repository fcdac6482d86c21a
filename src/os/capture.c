/* SPDX-License-Identifier: MIT
 *
 * capture.c - what comes out of a pipe, in memory that grows as far as a bound.
 *
 * Invariants  data has room + 1 bytes, and size <= room <= limit.
 *             Beyond limit one reads on, so that who writes is neither held up nor killed.
 */
#include "os/capture.h"

#include "base/alloc.h"

#include <errno.h>
#include <poll.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { FIRST = 1023, AT_A_TIME = 65536, THROWN_AWAY = 4096 };

int belay__intake_init(struct belay__intake *intake, int fd, int epoll, struct belay_capture *to)
{
	struct epoll_event event = {.events = EPOLLIN};
	size_t limit = to->limit ? to->limit : BELAY_CAPTURE_LIMIT;

	if (limit == SIZE_MAX)
		limit--;
	*intake = (struct belay__intake){.fd = -1, .epoll = epoll, .to = to, .limit = limit};
	intake->room = limit < FIRST ? limit : FIRST;
	intake->data = belay__malloc(intake->room + 1);
	if (!intake->data)
		return -ENOMEM;
	if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) < 0)
		return -errno;
	intake->fd = fd;
	return 0;
}

static int grow(struct belay__intake *intake)
{
	size_t room = intake->room > intake->limit / 2 ? intake->limit : intake->room * 2;
	char *data = belay__realloc(intake->data, room + 1);

	if (!data)
		return -ENOMEM;
	intake->data = data;
	intake->room = room;
	return 0;
}

/* Where more than size bytes came, none is too many: they were for nobody. */
static ssize_t throw_away(struct belay__intake *intake)
{
	char waste[THROWN_AWAY];
	ssize_t count = read(intake->fd, waste, sizeof waste);

	intake->cut |= count > 0;
	return count;
}

static ssize_t keep(struct belay__intake *intake)
{
	size_t free_room = intake->room - intake->size;
	ssize_t count = read(intake->fd, intake->data + intake->size,
			     free_room < AT_A_TIME ? free_room : AT_A_TIME);

	if (count > 0)
		intake->size += (size_t)count;
	return count;
}

/* A count; 0 at the end, which is where an error is too; -EAGAIN; -ENOMEM. */
static ssize_t take_some(struct belay__intake *intake)
{
	ssize_t count;

	if (intake->size == intake->room && intake->room < intake->limit && grow(intake) < 0)
		return -ENOMEM;
	do
		count = intake->size < intake->room ? keep(intake) : throw_away(intake);
	while (count < 0 && errno == EINTR);
	if (count < 0)
		return errno == EAGAIN ? -EAGAIN : 0;
	return count;
}

int belay__intake_take(struct belay__intake *intake)
{
	ssize_t count = 1;

	for (size_t total = 0; intake->fd >= 0 && count > 0 && total < AT_A_TIME;
	     total += (size_t)count) {
		count = take_some(intake);
		if (count == 0)
			belay__intake_close(intake);
		if (count < 0)
			return count == -ENOMEM ? -ENOMEM : 0;
	}
	return 0;
}

/* Also where bytes are left in the pipe. */
static bool has_writer(const struct belay__intake *intake)
{
	struct pollfd pipe = {.fd = intake->fd};

	return poll(&pipe, 1, 0) == 0;
}

int belay__intake_take_rest(struct belay__intake *intake)
{
	bool ends = !has_writer(intake);
	int err;

	do
		err = belay__intake_take(intake);
	while (err == 0 && ends && intake->fd >= 0);
	return err;
}

void belay__intake_refuse(struct belay__intake *intake)
{
	intake->limit = intake->room = intake->size;
}

bool belay__intake_close(struct belay__intake *intake)
{
	if (intake->fd < 0)
		return false;
	epoll_ctl(intake->epoll, EPOLL_CTL_DEL, intake->fd, NULL); /* a fork may have it open */
	close(intake->fd);
	intake->fd = -1;
	return true;
}

void belay__intake_hand_over(struct belay__intake *intake)
{
	if (!intake->to)
		return;
	intake->data[intake->size] = '\0';
	intake->to->data = intake->data;
	intake->to->size = intake->size;
	intake->to->cut = intake->cut;
	intake->data = NULL;
	intake->to = NULL;
}

void belay__intake_fini(struct belay__intake *intake)
{
	belay__intake_close(intake);
	belay__free(intake->data);
}
