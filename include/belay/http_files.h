/* SPDX-License-Identifier: MIT
 *
 * http_files.h - the files below a folder, over HTTP.
 *
 *     belay_files *files;
 *
 *     belay_files_open("/srv/www", NULL, &files);
 *     belay_router_add(router, "GET /static/{path...}", belay_files_handler, files);
 *
 * What the route's {path...} stands for is opened below the folder. No request gets anything else:
 * the kernel resolves the path with RESOLVE_BENEATH (openat2(2)); where that is missing it is
 * walked segment by segment. Symbolic links are not followed, unless follow_links says so, and then
 * only as far as they lead to what is below the folder (without openat2(2): not at all). Files and
 * folders whose names begin with a dot are not there, unless hidden says so. Pipes, devices and
 * sockets are never there. An encoded slash (%2F) is part of a name, and no file has such a one: so
 * it leads to nothing that another route below this one stands for.
 *
 * Answers have a Content-Type by the name's extension, with X-Content-Type-Options: nosniff, ETag
 * and Last-Modified; 304 and 412 by If-None-Match, If-Modified-Since, If-Match and
 * If-Unmodified-Since (RFC 9110, section 13); one range (206, 416, If-Range: section 14; of several
 * at once the whole is sent). A folder is answered with its index file, or, without a slash behind
 * it, with 301 to where there is one; folders are not listed. GET and HEAD alone: else 405.
 *
 * The entity tag is made of the file's inode, size and time of modification. It is strong, but for
 * a file that was modified within the last two seconds: that may be modified again within the same
 * tick of the file system's clock, so its tag is weak. Who changes a file in place, keeps its size
 * and sets its time back deceives it, and clients with it. Servers with copies of the same file
 * have different tags for it.
 */
#ifndef BELAY_HTTP_FILES_H
#define BELAY_HTTP_FILES_H

#include <belay/http.h>

BELAY_BEGIN_DECLS

typedef struct belay_files belay_files;

struct belay_files_options {
	const char *index;         /* what stands for a folder [index.html]; "": nothing      */
	const char *cache_control; /* "max-age=3600" on every answer; NULL: none              */
	bool precompressed; /* file.zst, file.br or file.gz, where it is beside the file, not older
			       than that, and the client takes it                             */
	bool follow_links;
	bool hidden;
};

/* Opens the folder dir, which may be renamed later. options (NULL: zeros) are copied, with their
 * strings. 0 and *ret; -EINVAL: cache_control can't be a header, or index has a slash; -ENOMEM;
 * -errno as open(2). Blocks for the disk. Its end: NULL is fine, no request may be using it. */
BELAY_EXPORT int belay_files_open(const char *dir, const struct belay_files_options *options,
				  belay_files **ret);
BELAY_EXPORT void belay_files_close(belay_files *files);

/* Serves them; data: the files. The route's pattern ends in {name...}; of any other one, the whole
 * path is taken. */
BELAY_EXPORT belay_handler belay_files_handler;

BELAY_END_DECLS

#endif
