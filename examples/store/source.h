/* SPDX-License-Identifier: MIT
 *
 * source.h - where the data comes from: files, plain or compressed, read line by line.
 */
#ifndef STORE_SOURCE_H
#define STORE_SOURCE_H

#include <belay.h>

#include <stdint.h>

/* ---- Which files ----------------------------------------------------------------------------- */

struct sources {
	char **paths;
	size_t n;
	char *fingerprint; /* changes when a file does: names, sizes and times */
};

/* data alone, or, where that is NULL, what dpkg and apt have on this machine; lists that are
 * compressed only where apt's helper is there to read them. 0; -ENOMEM; -errno where data can't be
 * read. */
int sources_find(const char *data, struct sources *ret);
void sources_free(struct sources *sources);

/* ---- One of them ----------------------------------------------------------------------------- */

struct source;

/* 0 and *ret; -ENOMEM; -errno. */
int source_open(const char *path, struct source **ret);

/* The next line, without its newline, until the next call. 1; 0 at the end; the context's error;
 * -ENOMEM; -errno; -EIO: what decompresses it failed. */
int source_line(belay_ctx *ctx, struct source *source, char **ret);

/* Bytes read so far, decompressed. */
uint64_t source_bytes(const struct source *source);

void source_close(struct source *source);

/* How many bytes it has, decompressed; for that a compressed one is read through. Errors as
 * above. */
int source_measure(belay_ctx *ctx, const char *path, uint64_t *ret);

#endif
