/* SPDX-License-Identifier: MIT
 *
 * request.h - the inside of a request: its parts, and where its body comes from.
 */
#ifndef BELAY_SRC_HTTP_REQUEST_H
#define BELAY_SRC_HTTP_REQUEST_H

#include "http/headers.h"
#include "http/target.h"

#include <belay/http.h>

enum { BELAY__MOST_PARAMS = 16 };

/* Where a body comes from: read() as belay_request_read(), and size is not 0. */
struct belay__source {
	ssize_t (*read)(belay_ctx *ctx, struct belay__source *source, void *buf, size_t size);
};

/* Embedded in a connection or a recorder, and used for one request after the other. All zeros:
 * empty. */
struct belay_request {
	char *line;         /* the target as sent              */
	size_t line_room;
	struct belay__headers headers;
	struct belay__target target;
	const char *remote; /* of whoever embeds it            */
	const char *protocol; /* static: "HTTP/2"              */
	const belay_conn *conn; /* where it came from; NULL: it was made up */
	struct belay__pair params[BELAY__MOST_PARAMS]; /* as many as are counted below */

	/* From here on it is one request's: zeros, until there is one. */
	const char *method; /* static, or of whoever embeds it */

	/* What the router found. */
	const belay_router *router;
	const char *route; /* its pattern; NULL: none was found */
	void *data;
	unsigned param_count;

	/* The body. */
	struct belay__source *source;
	uint64_t received; /* bytes of it that were read       */
	bool touched;  /* the handler has read some of it itself */
	int failed;    /* what every further read answers        */
	char *body;    /* what belay_request_body() has so far   */
	size_t body_size, body_room;
	bool collected; /* and that is all of it                 */
};

/* Makes it ready for the next request: empties it, and keeps what memory is worth keeping. */
void belay__request_reset(struct belay_request *req);
void belay__request_fini(struct belay_request *req);

/* Sets the target: 0, -EBADMSG, -ENOMEM as belay__target_parse(). */
int belay__request_set_target(struct belay_request *req, const char *text, size_t size);

#endif
