/* SPDX-License-Identifier: MIT
 *
 * precondition.h - whether a client needs what it asks for: conditional and range requests (RFC
 * 9110, sections 13 and 14).
 */
#ifndef BELAY_SRC_HTTP_PRECONDITION_H
#define BELAY_SRC_HTTP_PRECONDITION_H

#include <belay/http.h>

#include <time.h>

/* What tells one version of a representation from another. */
struct belay__validators {
	const char *etag; /* with its quotes, and W/ where it is weak */
	time_t modified;
};

/* Evaluates If-Match, If-Unmodified-Since, If-None-Match and If-Modified-Since in the order of
 * section 13.2.2, for GET and HEAD: 0: go on; 304; 412. */
int belay__precondition(const belay_request *req, const struct belay__validators *v);

enum belay__range_verdict {
	BELAY__RANGE_WHOLE,         /* none was asked for, or it is to be ignored */
	BELAY__RANGE_PART,
	BELAY__RANGE_UNSATISFIABLE, /* 416 */
};

/* What of size bytes is to be sent. Ranges in other units, malformed ones, several at once, and
 * those whose If-Range does not hold are ignored, as section 14.2 allows. */
enum belay__range_verdict belay__range(const belay_request *req, const struct belay__validators *v,
				       uint64_t size, uint64_t *ret_first, uint64_t *ret_count);

/* Range alone: "bytes=0-99", of size bytes. */
enum belay__range_verdict belay__range_parse(const char *text, uint64_t size, uint64_t *ret_first,
					     uint64_t *ret_count);

#endif
