/* SPDX-License-Identifier: MIT
 *
 * fd_names.c - what a command's environment says of the descriptors that have names: the other side
 * of net/inherit.c, which has the protocol.
 */
#include "os/fd_names.h"

#include "base/alloc.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char names_prefix[] = "LISTEN_FDNAMES=";

enum { LONGEST = 255 };

/* As systemd's own are (FileDescriptorName= in systemd.socket(5)). */
static bool is_name(const char *name)
{
	size_t size = name ? strlen(name) : 0;

	for (size_t i = 0; i < size; i++)
		if (name[i] < ' ' || name[i] == 0x7f || name[i] == ':')
			return false;
	return size > 0 && size <= LONGEST;
}

/* That of all names with something behind each; 0: one of them is none. */
static size_t joined_size(const struct belay_command *command)
{
	size_t size = sizeof names_prefix;

	for (size_t i = 0; i < command->fd_count; i++) {
		if (!is_name(command->fd_names[i]))
			return 0;
		size += strlen(command->fd_names[i]) + 1;
	}
	return size;
}

static int join(struct belay__fd_names *fds, const struct belay_command *command)
{
	size_t size = joined_size(command);
	char *at;

	if (size == 0)
		return -EINVAL;
	fds->names = belay__malloc(size);
	if (!fds->names)
		return -ENOMEM;
	at = stpcpy(fds->names, names_prefix);
	for (size_t i = 0; i < command->fd_count; i++)
		at = stpcpy(stpcpy(at, i > 0 ? ":" : ""), command->fd_names[i]);
	return 0;
}

int belay__fd_names_init(struct belay__fd_names *fds, const struct belay_command *command)
{
	int err;

	*fds = (struct belay__fd_names){.names = NULL};
	if (!command->fd_names || command->fd_count == 0)
		return 0;
	err = join(fds, command);
	if (err < 0)
		return err;
	snprintf(fds->count, sizeof fds->count, "LISTEN_FDS=%zu", command->fd_count);
	snprintf(fds->parent, sizeof fds->parent, "BELAY_LISTEN_PPID=%d", (int)getpid());
	fds->entries[0] = fds->count;
	fds->entries[1] = fds->names;
	fds->entries[2] = fds->parent;
	fds->entries[3] = "LISTEN_PID";
	return 0;
}

void belay__fd_names_fini(struct belay__fd_names *fds)
{
	belay__free(fds->names);
}
