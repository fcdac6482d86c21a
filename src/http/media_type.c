/* SPDX-License-Identifier: MIT
 *
 * media_type.c - what is in a file, as far as its name says.
 *
 * A table of what browsers load, and not the machine's MIME database: what a server answers should
 * not change with the packages that happen to be installed beside it. Text is taken for UTF-8.
 */
#include "http/media_type.h"

#include <stddef.h>
#include <string.h>
#include <strings.h>

static const struct {
	const char *extension, *type;
} types[] = {
	{"avif", "image/avif"},
	{"bin", "application/octet-stream"},
	{"bmp", "image/bmp"},
	{"css", "text/css; charset=utf-8"},
	{"csv", "text/csv; charset=utf-8"},
	{"gif", "image/gif"},
	{"gz", "application/gzip"},
	{"htm", "text/html; charset=utf-8"},
	{"html", "text/html; charset=utf-8"},
	{"ico", "image/vnd.microsoft.icon"},
	{"ics", "text/calendar; charset=utf-8"},
	{"jpeg", "image/jpeg"},
	{"jpg", "image/jpeg"},
	{"js", "text/javascript; charset=utf-8"},
	{"json", "application/json"},
	{"map", "application/json"},
	{"md", "text/markdown; charset=utf-8"},
	{"mjs", "text/javascript; charset=utf-8"},
	{"mp3", "audio/mpeg"},
	{"mp4", "video/mp4"},
	{"oga", "audio/ogg"},
	{"ogg", "audio/ogg"},
	{"ogv", "video/ogg"},
	{"opus", "audio/opus"},
	{"otf", "font/otf"},
	{"pdf", "application/pdf"},
	{"png", "image/png"},
	{"svg", "image/svg+xml"},
	{"tar", "application/x-tar"},
	{"tif", "image/tiff"},
	{"tiff", "image/tiff"},
	{"ttf", "font/ttf"},
	{"txt", "text/plain; charset=utf-8"},
	{"wasm", "application/wasm"},
	{"wav", "audio/wav"},
	{"weba", "audio/webm"},
	{"webm", "video/webm"},
	{"webmanifest", "application/manifest+json"},
	{"webp", "image/webp"},
	{"woff", "font/woff"},
	{"woff2", "font/woff2"},
	{"xhtml", "application/xhtml+xml"},
	{"xml", "application/xml"},
	{"zip", "application/zip"},
	{"zst", "application/zstd"},
};

const char *belay__media_type(const char *path)
{
	const char *slash = strrchr(path, '/'), *dot = strrchr(slash ? slash : path, '.');

	for (size_t i = 0; dot && i < sizeof types / sizeof *types; i++)
		if (strcasecmp(dot + 1, types[i].extension) == 0)
			return types[i].type;
	return "application/octet-stream";
}

static bool ends_with(const char *text, size_t size, const char *end)
{
	size_t length = strlen(end);

	return size >= length && strncasecmp(text + size - length, end, length) == 0;
}

/* Text, and what is text under another name. */
bool belay__is_compressible(const char *type)
{
	static const char *const whole[] = {
		"application/javascript", "application/json", "application/wasm",
		"application/x-ndjson", "application/xml", "font/otf", "font/ttf", "image/bmp",
		"image/vnd.microsoft.icon",
	};
	size_t size = strcspn(type, " \t;");

	if (strncasecmp(type, "text/", 5) == 0 || ends_with(type, size, "+json") ||
	    ends_with(type, size, "+xml"))
		return true;
	for (size_t i = 0; i < sizeof whole / sizeof *whole; i++)
		if (strlen(whole[i]) == size && strncasecmp(type, whole[i], size) == 0)
			return true;
	return false;
}
