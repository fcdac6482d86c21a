/* SPDX-License-Identifier: MIT
 *
 * response.h - the inside of a response, and the seam to where it goes.
 */
#ifndef BELAY_SRC_HTTP_RESPONSE_H
#define BELAY_SRC_HTTP_RESPONSE_H

#include "http/headers.h"

#include <belay/http.h>

#include <stdatomic.h>
#include <stdint.h>

enum belay__part {
	BELAY__PART_MORE,  /* more follows when it is there           */
	BELAY__PART_FLUSH, /* the client shall see it now             */
	BELAY__PART_LAST,  /* the body ends with it                   */
};

/* Where a response goes: a connection, a recorder, another response. send() is given the parts of
 * the body in turn (size may be 0); at the first one it takes status and headers too. 0, or an
 * error, after which it is not called again but for more errors. */
struct belay__sink {
	int (*send)(belay_ctx *ctx, struct belay__sink *sink, struct belay_response *res,
		    const void *data, size_t size, enum belay__part part);

	/* The same with a part that stands in a file, and after which there is more; NULL: it
	 * can't, as where it answers -EOPNOTSUPP, having done nothing. The head has been sent. */
	int (*send_file)(belay_ctx *ctx, struct belay__sink *sink, struct belay_response *res,
			 int fd, off_t offset, size_t size);
};

enum belay__response_state {
	BELAY__RESPONSE_OPEN,      /* nothing has left it: all of it can still be another one */
	BELAY__RESPONSE_COMMITTED, /* the head has gone to the sink                           */
	BELAY__RESPONSE_CUT,       /* somebody else answers: its writer is refused            */
};

/* Embedded in a connection or a recorder, and used for one request after the other. */
struct belay_response {
	struct belay__sink *sink;
	struct belay__headers headers;
	char *buf;
	size_t room;

	/* From here on it is one answer's. To be reset: all up to cause, which stays the last. */
	_Atomic(enum belay__response_state) state;
	int refused; /* what a writer is told once it is CUT; written before that by who cuts    */
	int status;
	bool written;  /* status or body were set                                        */
	bool ended;    /* the last part has gone to the sink                             */
	bool denied;   /* a write was, for a context's end: something may be missing     */
	bool head_only; /* the answer to HEAD                                            */
	bool awaited;  /* somebody who can read it waits for an answer, whatever it is   */
	int64_t declared; /* the Content-Length that was set; -1: none was              */
	uint64_t taken;   /* bytes of body that were written                             */
	size_t size;      /* and so many of them are in buf                              */
	int failure; /* what the handler returned, where it failed by itself; 0: it didn't */
	int cause_err, cause_code; /* belay_err() and the cause's code, where the request */
	char cause[128];           /* was cut short, and why; "": it was not              */
};

void belay__response_init(struct belay_response *res, struct belay__sink *sink);

/* Empties it for the next request, and keeps its memory. */
void belay__response_reset(struct belay_response *res);
void belay__response_fini(struct belay_response *res);

/* Sends what is left and the end. 0 where that was done before, or now; the writer's errors;
 * -EBADMSG: less was written than its Content-Length says, and nothing was sent. */
int belay__response_finish(belay_ctx *ctx, struct belay_response *res);

/* From now on the writer is refused with err. True: nothing had left the response, and nothing
 * will. For another task than the writer's; once. */
bool belay__response_cut(struct belay_response *res, int err);

/* Takes back the body and the headers that describe one. Only while it is open. */
void belay__response_clear_body(struct belay_response *res);

/* Notes why ctx is done, where it is and nothing is noted yet; the note, or NULL. */
const char *belay__response_note_cause(struct belay_response *res, const belay_ctx *ctx);

/* What went wrong with an answer, for a log; its name is *ret_name, "cause" where the request was
 * cut short, "error" where its handler failed; NULL: nothing did. */
const char *belay__response_trouble(struct belay_response *res, const belay_ctx *ctx,
				    const char **ret_name);

/* Takes over the status and headers of another response: one that it set replaces that of the same
 * name, but for Vary and Set-Cookie, which are added. 0; belay_response_header()'s errors. */
int belay__response_copy_head(struct belay_response *to, const struct belay_response *from);

/* What a sink that hands on to another response does with a part: the bytes, and a flush. The other
 * one's end is its owner's to send. 0, or belay_response_write()'s errors. */
int belay__response_hand_on(belay_ctx *ctx, struct belay_response *to, const void *data,
			    size_t size, enum belay__part part);

/* Takes over what is noted for another response. */
void belay__response_copy_cause(struct belay_response *to, const struct belay_response *from);

/* Answers with the router's error page (router NULL: the default one), in place of what is there.
 * ctx must be live. req may be NULL. A page that fails leaves an empty body. 0; -EALREADY; what a
 * page got that failed after it had sent something. */
int belay__response_error_page(belay_ctx *ctx, const belay_router *router,
			       const belay_request *req, struct belay_response *res, int status,
			       const char *message, const char *cause);

/* Whether answers of this status have a body (RFC 9110, section 6.4.1). */
static inline bool belay__has_body(int status)
{
	return status != 204 && status != 304;
}

/* Whether this one has; and whether the handler has kept what it promised of it. */
static inline bool belay__response_has_body(const struct belay_response *res)
{
	return !res->head_only && belay__has_body(res->status);
}

static inline bool belay__response_is_complete(const struct belay_response *res)
{
	return !belay__response_has_body(res) || res->declared < 0 ||
	       res->taken == (uint64_t)res->declared;
}

#endif
