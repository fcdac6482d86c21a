/* SPDX-License-Identifier: MIT
 *
 * address.h - addresses as people write them.
 */
#ifndef BELAY_SRC_NET_ADDRESS_H
#define BELAY_SRC_NET_ADDRESS_H

#include <sys/socket.h>
#include <sys/un.h>

enum belay__address_kind {
	BELAY__ADDRESS_INET,
	BELAY__ADDRESS_UNIX,
};

/* "host:port", "[v6]:port", ":port", "*:port": host is empty for the last two. Or "unix:/path" and
 * "unix:@name". Whether the name and the port mean anything is getaddrinfo's to say. */
struct belay__address {
	enum belay__address_kind kind;
	char host[256]; /* the longest name has 253 characters (RFC 1035, 2.3.4) */
	char port[32];
	struct sockaddr_un path;
	socklen_t path_len;
};

/* 0, or -EINVAL. */
int belay__address_parse(const char *text, struct belay__address *ret);

/* Room for any address: "unix:" and a path that fills sun_path is the longest. */
enum { BELAY__ADDRESS_SIZE = 128 };

/* As "1.2.3.4:80", "[::1]:80", "[fe80::1%2]:80" or "unix:/path". An IPv4 address in IPv6's clothes
 * is written as what it is. A Unix socket without a name: "unix:". Another family: "unknown". */
void belay__address_format(const struct sockaddr *addr, socklen_t len,
			   char ret[BELAY__ADDRESS_SIZE]);

#endif
