/* SPDX-License-Identifier: MIT
 *
 * client_key.h - a number for whom a request is from, which nobody can choose.
 */
#ifndef BELAY_SRC_HTTP_CLIENT_KEY_H
#define BELAY_SRC_HTTP_CLIENT_KEY_H

#include <stddef.h>
#include <stdbool.h>
#include <stdint.h>

/* A secret for belay__siphash(). 0; -EIO: no random numbers. */
int belay__siphash_secret(uint64_t ret[2]);

/* SipHash-2-4 (Aumasson and Bernstein, 2012): who does not know the secret can't find texts that
 * collide. */
uint64_t belay__siphash(const uint64_t secret[2], const void *data, size_t size);

/* Of an address as belay_conn_peer() writes it, without the port; of IPv6 the first 64 bits. */
uint64_t belay__client_key(const uint64_t secret[2], const char *remote);

#endif
