/* SPDX-License-Identifier: MIT
 *
 * media_type.h - what is in a file, as far as its name says.
 */
#ifndef BELAY_SRC_HTTP_MEDIA_TYPE_H
#define BELAY_SRC_HTTP_MEDIA_TYPE_H

#include <stdbool.h>

/* By the name's last extension, in any case; "application/octet-stream" where it is not known. */
const char *belay__media_type(const char *path);

/* Whether what is of this type (parameters and all) gets smaller by a content coding. */
bool belay__is_compressible(const char *type);

#endif
