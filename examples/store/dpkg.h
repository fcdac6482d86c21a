/* SPDX-License-Identifier: MIT
 *
 * dpkg.h - reads dpkg's format: paragraphs of "Field: value", with an empty line between them.
 */
#ifndef STORE_DPKG_H
#define STORE_DPKG_H

#include "source.h"

/* A package, as its paragraph has it. Fields that are missing are "". */
struct dpkg_package {
	const char *name, *version, *section, *architecture, *homepage;
	const char *summary; /* the first line of the description */
	const char *depends, *pre_depends, *provides;
	long long size;      /* installed, in KiB */
	bool installed;
};

struct dpkg_reader;

/* Borrows source. NULL: out of memory. */
struct dpkg_reader *dpkg_reader_new(struct source *source);
void dpkg_reader_free(struct dpkg_reader *reader);

/* The next package that has a name; its strings live until the next call. 1; 0 at the end;
 * -EBADMSG: that line is no field (dpkg_reader_line()); or an error of source_line(). */
int dpkg_next(belay_ctx *ctx, struct dpkg_reader *reader, struct dpkg_package *ret);

/* The number of the line last read. */
unsigned long dpkg_reader_line(const struct dpkg_reader *reader);

/* Goes through a field of dependencies, "a (>= 1) | b:any, c": calls fn for each name, with the
 * number of its group (between commas) and its place within that, both from 0, until it returns an
 * error; then returns that. name is not terminated. */
int dpkg_each_dependency(const char *field,
			 int (*fn)(void *arg, int group, int alternative, const char *name,
				   size_t length),
			 void *arg);

#endif
