/* SPDX-License-Identifier: MIT
 *
 * message.h - a request as it stands on the wire: llhttp, and the rules that it leaves to its user.
 */
#ifndef BELAY_SRC_HTTP_MESSAGE_H
#define BELAY_SRC_HTTP_MESSAGE_H

#include "http/request.h"

#include <llhttp.h>

#include <stdint.h>

struct belay__message {
	llhttp_t parser;
	struct belay_request *req;
	unsigned most_headers;
	int error;              /* what a callback found                             */
	const char *target;     /* the parts of the head that is being parsed        */
	const char *name, *value;
	size_t target_size, name_size, value_size;

	int minor;              /* HTTP/1.minor                                      */
	bool keep_alive;        /* the client would send another one                 */
	bool wants_continue;    /* it waits for "100 Continue"                       */
	bool chunked;
	uint64_t length;        /* of a body that is not chunked                     */
	bool head_done, done;   /* all of the head, or of the message, has been seen */

	char *out;              /* where belay__message_body() puts what it decodes  */
	size_t produced;
	uint64_t body_size;     /* bytes of body so far                              */
	int64_t waited;         /* ns for them, by its reader                        */
	uint64_t overhead;      /* bytes of coding so far                            */
	char last;              /* the last byte of either                           */
};

/* Parses data[0..size), a head that belay__head_scan() found, into req, of which it sets method,
 * target and headers. 0, or the error that the answer is for:
 *   -EBADMSG          malformed, or of a form that smuggles requests        400
 *   -E2BIG            more than most_headers                                431
 *   -EPROTONOSUPPORT  a version that is not HTTP/1.0 or 1.1                 505
 *   -EOPNOTSUPP       an expectation other than 100-continue                417
 *   -ENOMEM                                                                 503 */
int belay__message_head(struct belay__message *msg, struct belay_request *req,
			unsigned most_headers, const char *data, size_t size);

/* Decodes body from data[0..size) to out, which has room for as much; *ret is how much that was.
 * Returns how much of data it has used; less than size only at the end of the message (done). Or
 * -EBADMSG. */
ssize_t belay__message_body(struct belay__message *msg, const char *data, size_t size, char *out,
			    size_t *ret);

#endif
