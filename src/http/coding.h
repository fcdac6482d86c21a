/* SPDX-License-Identifier: MIT
 *
 * coding.h - content codings, and which of them a client wants.
 */
#ifndef BELAY_SRC_HTTP_CODING_H
#define BELAY_SRC_HTTP_CODING_H

#include <belay/http.h>

/* In the order in which the server prefers them, as bits. */
enum belay__coding {
	BELAY__CODING_IDENTITY = 0,
	BELAY__CODING_ZSTD = 1,
	BELAY__CODING_BR = 2,
	BELAY__CODING_GZIP = 4,
};

/* "gzip"; and how files with it end, ".gz". */
const char *belay__coding_name(enum belay__coding coding);
const char *belay__coding_suffix(enum belay__coding coding);

/* The one of those offered (a mask) that req's Accept-Encoding gives the highest q to, or identity
 * (RFC 9110, section 12.5.3). Without the header identity, though any would do: clients that want
 * one say so. Identity also where the header rules out all there is: an answer is more use than
 * 406. */
enum belay__coding belay__coding_choose(const belay_request *req, unsigned offered);

#endif
