/* SPDX-License-Identifier: MIT
 *
 * file_server.c - the files below a folder: types, validators, ranges, compressed where that helps.
 *
 *     ./file_server FOLDER [ADDRESS]
 *     curl -i http://127.0.0.1:8080/README.md
 *     curl -r 0-99 http://127.0.0.1:8080/README.md
 *     curl --compressed http://127.0.0.1:8080/README.md
 */
#include "serve.h"

#include <belay/http_files.h>
#include <belay/http_middleware.h>

#include <errno.h>

/* Files that have a file.gz, file.br or file.zst beside them go out as that; others are compressed
 * on the way, where the client takes it and the type is worth it. */
static int serve_files(belay_files *files, const char *address)
{
	belay_router *router = serve_router();
	int r = router ? belay_router_use(router, belay_http_compress, NULL) : -ENOMEM;

	if (r == 0)
		r = belay_router_add(router, "/{path...}", belay_files_handler, files);
	if (r == 0)
		r = serve(router, address);
	belay_router_free(router);
	return r;
}

int main(int argc, char **argv)
{
	const struct belay_files_options options = {.cache_control = "no-cache",
						    .precompressed = true};
	belay_files *files;
	int r;

	if (argc < 2) {
		fprintf(stderr, "usage: %s FOLDER [ADDRESS]\n", argv[0]);
		return 2;
	}
	r = belay_files_open(argv[1], &options, &files);
	if (r < 0) {
		fprintf(stderr, "%s: %s\n", argv[1], belay_strerror(r));
		return 1;
	}
	r = serve_files(files, argc > 2 ? argv[2] : "127.0.0.1:8080");
	belay_files_close(files);
	belay_shutdown();
	return r < 0;
}
