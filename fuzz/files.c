/* SPDX-License-Identifier: MIT
 *
 * files.c - a folder over HTTP: no target, however written, leads out of it, and a range of a file
 * is that range.
 *
 * Beside the folder lies a file that nobody may see; links in the folder lead there. All files are
 * read by way of the server's own router.
 *
 * Input       a byte: the folder's options; lines: a target, then headers "Name: value".
 */
#include "fuzz.h"

#include <belay.h>
#include <belay/http.h>
#include <belay/http_files.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FOLDERS = 4, MOST_HEADERS = 8 };

static const char secret[] = "this is nobody's business";
static const char text_of_all[] = "0123456789abcdefghijklmnopqrstuvwxyz";

static belay_router *routers[FOLDERS];
static belay_files *folders[FOLDERS];
static char root[] = "/tmp/belay-fuzz-XXXXXX";

/* ---- The folder ------------------------------------------------------------------------------ */

static void make_file(const char *name, const char *text)
{
	char path[128];
	FILE *file;

	snprintf(path, sizeof path, "%s/%s", root, name);
	file = fopen(path, "we");
	MUST(file && fputs(text, file) >= 0 && fclose(file) == 0);
}

static void make_folder(const char *name)
{
	char path[128];

	snprintf(path, sizeof path, "%s/%s", root, name);
	MUST(mkdir(path, 0700) == 0);
}

static void make_link(const char *name, const char *to)
{
	char path[128];

	snprintf(path, sizeof path, "%s/%s", root, name);
	MUST(symlink(to, path) == 0);
}

static void remove_all(void)
{
	static const char *const names[] = {
		"in/index.html", "in/a.txt",  "in/a.txt.gz", "in/sub/b", "in/.hidden", "in/out",
		"in/up",	 "in/inside", "in/sub",	     "in",	 "secret",     ""};
	char path[128];

	for (int i = 0; i < FOLDERS; i++) {
		belay_router_free(routers[i]);
		belay_files_close(folders[i]);
	}
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		snprintf(path, sizeof path, "%s/%s", root, names[i]);
		remove(path);
	}
}

static void make_all(void)
{
	MUST(mkdtemp(root) != NULL);
	make_file("secret", secret);
	make_folder("in");
	make_folder("in/sub");
	make_file("in/index.html", text_of_all);
	make_file("in/a.txt", text_of_all);
	make_file("in/a.txt.gz", text_of_all);
	make_file("in/sub/b", text_of_all);
	make_file("in/.hidden", text_of_all);
	make_link("in/out", "../secret");
	make_link("in/up", "..");
	make_link("in/inside", "sub");
	atexit(remove_all);
}

static void open_all(void)
{
	char path[128];

	snprintf(path, sizeof path, "%s/in", root);
	for (int i = 0; i < FOLDERS; i++) {
		const struct belay_files_options options = {
			.follow_links = i & 1, .hidden = i & 2, .precompressed = i & 2};

		routers[i] = belay_router_new();
		MUST(routers[i] && belay_files_open(path, &options, &folders[i]) == 0);
		MUST(belay_router_add(routers[i], "GET /{path...}", belay_files_handler,
				      folders[i]) == 0);
	}
}

/* ---- One request ----------------------------------------------------------------------------- */

static void add(belay_recorder *rec, const char *line)
{
	const char *colon = strchr(line, ':');
	char *name = fuzz_copy(line, colon ? (size_t)(colon - line) : 0);

	if (colon)
		belay_recorder_header(rec, name, colon + 1 + strspn(colon + 1, " \t"));
	free(name);
}

/* "bytes 2-5/36", and those bytes. */
static void check_part(belay_recorder *rec, const char *body, size_t size)
{
	const char *range = belay_recorder_get_header(rec, "Content-Range");
	unsigned first, last, whole;

	MUST(range && sscanf(range, "bytes %u-%u/%u", &first, &last, &whole) == 3);
	MUST(whole == sizeof text_of_all - 1 && first <= last && last < whole);
	MUST(size == last - first + 1 && memcmp(body, text_of_all + first, size) == 0);
}

static void check_answer(belay_recorder *rec)
{
	int status = belay_recorder_status(rec);
	size_t size;
	const char *body = belay_recorder_get_body(rec, &size);

	MUST(!memmem(body, size, "nobody's", 8));
	switch (status) {
	case 200:
		MUST(size == sizeof text_of_all - 1 && memcmp(body, text_of_all, size) == 0);
		break;
	case 206:
		check_part(rec, body, size);
		break;
	case 301:
	case 302:
	case 307:
	case 308:
		MUST(!fuzz_has_control(belay_recorder_get_header(rec, "Location")));
		break;
	default:
		MUST(status == 304 || status == 400 || status == 403 || status == 404 ||
		     status == 412 || status == 414 || status == 416);
	}
}

void fuzz_one(const uint8_t *data, size_t size)
{
	struct fuzz_input in = {data, size};
	int which = fuzz_byte(&in) % FOLDERS;
	char *text = fuzz_line(&in);
	belay_recorder *rec = belay_recorder_new("GET", text);

	if (!routers[0]) {
		make_all();
		open_all();
	}
	free(text);
	if (!rec)
		return;
	for (int i = 0; i < MOST_HEADERS && in.size > 0; i++) {
		text = fuzz_line(&in);
		add(rec, text);
		free(text);
	}
	if (belay_recorder_serve(belay_background(), rec, routers[which]) == 0)
		check_answer(rec);
	belay_recorder_free(rec);
}
