/* SPDX-License-Identifier: MIT
 *
 * unix_socket.h - listening on a Unix socket, whose file outlives the process that bound it.
 */
#ifndef BELAY_SRC_NET_UNIX_SOCKET_H
#define BELAY_SRC_NET_UNIX_SOCKET_H

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

/* The file of a bound socket. path is empty where there is none. */
struct belay__unix_file {
	char path[sizeof((struct sockaddr_un *)0)->sun_path];
	dev_t device;
	ino_t inode;
};

/* A listening socket at addr, non-blocking, and its file (none: an abstract name); or a negative
 * errno. A file that a dead process left is replaced; -EADDRINUSE: somebody answers there, or the
 * file is not a socket. */
int belay__unix_listen(const struct sockaddr_un *addr, socklen_t len, int backlog,
		       struct belay__unix_file *ret);

/* Removes the file unless another one has taken its place. */
void belay__unix_file_remove(const struct belay__unix_file *file);

#endif
