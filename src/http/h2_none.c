/* SPDX-License-Identifier: MIT
 *
 * h2_none.c - a server without HTTP/2, where nghttp2 is not there: no connection is told to speak
 * it.
 */
#include "http/server.h"

bool belay__h2_is_built(void)
{
	return false;
}

bool belay__h2_serve(struct belay_server *server, belay_conn *conn, belay_ctx *hangup,
		     belay_ctx *ctx, belay_ctx *quiet, const char *in, size_t size)
{
	return false;
}
