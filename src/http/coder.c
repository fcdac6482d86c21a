/* SPDX-License-Identifier: MIT
 *
 * coder.c - which codings were built in.
 */
#include "http/coder.h"

#include <belay/http_middleware.h>

#include <stddef.h>

static const struct belay__coder_kind *const kinds[] = {
#ifdef BELAY_HAVE_ZSTD
	&belay__coder_zstd,
#endif
#ifdef BELAY_HAVE_BROTLI
	&belay__coder_br,
#endif
#ifdef BELAY_HAVE_ZLIB
	&belay__coder_gzip,
#endif
	NULL,
};

unsigned belay__coders(void)
{
	unsigned mask = 0;

	for (size_t i = 0; kinds[i]; i++)
		mask |= kinds[i]->coding;
	return mask;
}

const struct belay__coder_kind *belay__coder_of(enum belay__coding coding)
{
	size_t i = 0;

	while (kinds[i] && kinds[i]->coding != coding)
		i++;
	return kinds[i];
}

/* The names, each with a comma before it. */
static const char names[] = ""
#ifdef BELAY_HAVE_ZSTD
	", zstd"
#endif
#ifdef BELAY_HAVE_BROTLI
	", br"
#endif
#ifdef BELAY_HAVE_ZLIB
	", gzip"
#endif
	;

const char *belay_http_codings(void)
{
	return names[0] ? names + 2 : names;
}
