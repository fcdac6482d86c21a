/* SPDX-License-Identifier: MIT
 *
 * files.h - the files below a folder, over HTTP: for the files that it is made of.
 *
 * An answer is made in three steps: the file is found, then the representation of it that the
 * client takes (itself, or one that was compressed beforehand), then what of that the client needs
 * (nothing, a part, all). Each file is opened once and all is asked of the descriptor, so that what
 * is said in the head is true of what is sent, whatever is renamed meanwhile.
 */
#ifndef BELAY_SRC_HTTP_FILES_H
#define BELAY_SRC_HTTP_FILES_H

#include "http/coding.h"
#include "http/date.h"

#include <belay/http_files.h>

#include <limits.h>
#include <stdbool.h>
#include <sys/stat.h>

struct belay_files {
	int dir;
	bool precompressed, follow, hidden;
	char *index, *cache_control;
};

/* What is sent. */
struct belay__file {
	int fd; /* -1: nothing */
	struct stat stat;
	enum belay__coding coding;
	const char *type;
	char etag[96];
	char modified[BELAY__DATE_SIZE];
};

/* One request. path is the file's, below the folder. */
struct file_job {
	belay_ctx *ctx;
	belay_request *req;
	belay_response *res;
	const belay_files *files;
	char path[PATH_MAX];
};

/* ---- file_find.c ----------------------------------------------------------------------------- */

/* Opens the file that job->path names: 0; -EISDIR: it is a folder, and there is no slash behind it;
 * else what open(2) says. */
int belay__file_find(struct file_job *job, struct belay__file *ret);

/* Takes a representation that was compressed beforehand instead, where there is one that the client
 * wants. 0; the context's error. */
int belay__file_choose_coding(const struct file_job *job, struct belay__file *found);

void belay__file_close(struct belay__file *found);

/* ---- file_send.c ----------------------------------------------------------------------------- */

/* Its tag and its date: what belay__file_send() says in the head. */
void belay__file_describe(struct belay__file *found);

/* Answers with what of it the client needs. A handler's result. */
int belay__file_send(const struct file_job *job, struct belay__file *found);

#endif
