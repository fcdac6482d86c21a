/* SPDX-License-Identifier: MIT
 *
 * client_key.c - a number for whom a request is from, which nobody can choose.
 */
#include "http/client_key.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

/* ---- SipHash --------------------------------------------------------------------------------- */

static uint64_t turn(uint64_t x, unsigned bits)
{
	return x << bits | x >> (64 - bits);
}

static void mix(uint64_t v[4], int rounds)
{
	for (int i = 0; i < rounds; i++) {
		v[0] += v[1];
		v[2] += v[3];
		v[1] = turn(v[1], 13) ^ v[0];
		v[3] = turn(v[3], 16) ^ v[2];
		v[0] = turn(v[0], 32);
		v[2] += v[1];
		v[0] += v[3];
		v[1] = turn(v[1], 17) ^ v[2];
		v[3] = turn(v[3], 21) ^ v[0];
		v[2] = turn(v[2], 32);
	}
}

/* Up to eight bytes as a number, the first one lowest. */
static uint64_t word_of(const unsigned char *p, size_t size)
{
	uint64_t word = 0;

	for (size_t i = 0; i < size; i++)
		word |= (uint64_t)p[i] << (8 * i);
	return word;
}

static void absorb(uint64_t v[4], uint64_t word)
{
	v[3] ^= word;
	mix(v, 2);
	v[0] ^= word;
}

uint64_t belay__siphash(const uint64_t secret[2], const void *data, size_t size)
{
	uint64_t v[4] = {secret[0] ^ 0x736f6d6570736575, secret[1] ^ 0x646f72616e646f6d,
			 secret[0] ^ 0x6c7967656e657261, secret[1] ^ 0x7465646279746573};
	const unsigned char *p = data;
	size_t left = size;

	for (; left >= 8; left -= 8, p += 8)
		absorb(v, word_of(p, 8));
	absorb(v, word_of(p, left) | (uint64_t)size << 56);
	v[2] ^= 0xff;
	mix(v, 4);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

int belay__siphash_secret(uint64_t ret[2])
{
	return getrandom(ret, 16, 0) == 16 ? 0 : -EIO;
}

/* ---- Clients --------------------------------------------------------------------------------- */

/* The network of "[2001:db8::1%2]:80". False: that it is not. */
static bool network_of(const char *remote, struct in6_addr *ret)
{
	char text[INET6_ADDRSTRLEN];
	size_t size = remote[0] == '[' ? strcspn(remote + 1, "%]") : sizeof text;

	if (size >= sizeof text)
		return false;
	snprintf(text, sizeof text, "%.*s", (int)size, remote + 1);
	return inet_pton(AF_INET6, text, ret) == 1;
}

/* What of the text is the client's: a Unix socket's all, of the others all but the port. */
static size_t size_without_port(const char *remote)
{
	const char *colon = strrchr(remote, ':');

	return colon && strncmp(remote, "unix:", 5) != 0 ? (size_t)(colon - remote)
							 : strlen(remote);
}

uint64_t belay__client_key(const uint64_t secret[2], const char *remote)
{
	struct in6_addr network;

	if (network_of(remote, &network))
		return belay__siphash(secret, &network, 8);
	return belay__siphash(secret, remote, size_without_port(remote));
}
