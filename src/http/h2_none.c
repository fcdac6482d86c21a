/* SPDX-License-Identifier: MIT
 *
 * h2_none.c - a server without HTTP/2, where nghttp2 is not there: no connection is told to speak
 * it.
 */
#include "http/connection.h"

bool belay__h2_is_built(void)
{
	return false;
}

struct belay__h2 *belay__h2_new(struct belay__connection *c)
{
	return NULL;
}

bool belay__h2_serve(struct belay__h2 *h2, const char *in, size_t size, bool sleepless)
{
	return false;
}

belay_ctx *belay__h2_asleep(struct belay__h2 *h2)
{
	return NULL;
}

bool belay__h2_free(struct belay__h2 *h2)
{
	return false;
}
