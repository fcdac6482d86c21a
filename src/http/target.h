/* SPDX-License-Identifier: MIT
 *
 * target.h - what a request asks for, taken apart: path, segments and query, percent-decoded.
 */
#ifndef BELAY_SRC_HTTP_TARGET_H
#define BELAY_SRC_HTTP_TARGET_H

#include <stddef.h>

/* All zeros: empty. */
struct belay__target {
	char *text; /* the decoded path, the same cut into segments, the query */
	size_t room;
	const char *path;       /* "/a/b"                                            */
	const char *segments;   /* "\0a\0b": each segment at its place in the path   */
	size_t *starts;         /* where in both each segment begins                 */
	size_t count;           /* of segments; "/" has one, an empty one; "*" none  */
	struct belay__pair {
		const char *name, *value;
	} *query;
	size_t query_count;
	size_t starts_room, query_room;
};

void belay__target_fini(struct belay__target *target);

/* The authority of a target in absolute form, "http://authority/path", and its size; NULL: it is of
 * another form. */
const char *belay__target_authority(const char *text, size_t *ret_size);

/* Takes text apart (RFC 9112, section 3.2: origin form, absolute form, or the asterisk), into
 * memory that is kept for the next time. 0; -EBADMSG: malformed, a NUL or a "." or ".." segment in
 * it, more than 1,000 segments or as many query parameters; -ENOMEM. */
int belay__target_parse(struct belay__target *target, const char *text);

#endif
