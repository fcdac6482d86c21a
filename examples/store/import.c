/* SPDX-License-Identifier: MIT
 *
 * import.c - makes the database out of what dpkg and apt know.
 *
 * The new file has a name of its own until it is complete; rename(2) then puts it in its place, so
 * that whoever opens that finds the old one or the new one and nothing in between. What ends the
 * context in the middle (Ctrl-C) interrupts the statement that runs; the unfinished file is
 * removed.
 */
#include "import.h"

#include "dpkg.h"
#include "embedded.h"
#include "progress.h"
#include "source.h"

#include <belay/sqlite.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct importing {
	belay_ctx *ctx;
	belay_sqlite_conn *conn;
	belay_sqlite_stmt *add_package, *add_wish, *add_provision;
	struct progress progress;
	uint64_t bytes; /* of the files that are through */
	int64_t id;     /* of the package that is being added */
	unsigned long packages;
};

/* ---- Is it there already? -------------------------------------------------------------------- */

enum found {
	FOUND_NOTHING, /* or an empty file */
	FOUND_SAME,    /* made of this data */
	FOUND_OTHER,   /* made of other data */
	FOUND_FOREIGN, /* not made by the store: not ours to replace */
};

static enum found compare(belay_ctx *ctx, belay_sqlite_conn *conn, const char *fingerprint)
{
	enum found found = FOUND_FOREIGN;
	belay_sqlite_stmt *stmt;

	if (belay_sqlite_prepare(ctx, conn, "select fingerprint from origin", &stmt))
		return FOUND_FOREIGN;
	if (belay_sqlite_step(ctx, stmt) == 1 && belay_sqlite_text(stmt, 0))
		found = strcmp(belay_sqlite_text(stmt, 0), fingerprint) ? FOUND_OTHER : FOUND_SAME;
	belay_sqlite_finalize(stmt);
	return found;
}

static enum found look_into(belay_ctx *ctx, const char *path, const char *fingerprint)
{
	const struct belay_sqlite_options options = {.connections = 1,
						     .flags = SQLITE_OPEN_READONLY};
	enum found found = FOUND_FOREIGN;
	belay_sqlite_conn *conn;
	belay_sqlite *db;

	if (belay_sqlite_open(ctx, path, &options, &db))
		return FOUND_FOREIGN;
	if (belay_sqlite_take(ctx, db, &conn) == 0) {
		found = compare(ctx, conn, fingerprint);
		belay_sqlite_give(conn);
	}
	belay_sqlite_close(db);
	return found;
}

static enum found look_for(belay_ctx *ctx, const char *path, const char *fingerprint)
{
	struct stat st;

	if (stat(path, &st) ? errno == ENOENT : st.st_size == 0)
		return FOUND_NOTHING;
	return look_into(ctx, path, fingerprint);
}

/* ---- Packages -------------------------------------------------------------------------------- */

/* Runs a statement that has been given its values, for its effect. */
static int run(struct importing *im, belay_sqlite_stmt *stmt)
{
	int r = belay_sqlite_step(im->ctx, stmt);

	belay_sqlite_reset(stmt);
	return r;
}

static int bind_name(belay_sqlite_stmt *stmt, int index, const char *name, size_t length)
{
	char copy[256];

	if (length >= sizeof copy)
		return -EBADMSG;
	memcpy(copy, name, length);
	copy[length] = '\0';
	return belay_sqlite_bind_text(stmt, index, copy);
}

/* The field that is gone through: groups of several fields are counted on. */
struct wishing {
	struct importing *im;
	int first_group, groups;
};

static int add_wish(void *arg, int group, int alternative, const char *name, size_t length)
{
	struct wishing *wishing = arg;
	belay_sqlite_stmt *stmt = wishing->im->add_wish;
	int r = bind_name(stmt, 4, name, length);

	wishing->groups = group + 1;
	if (!r)
		r = belay_sqlite_bind_int64(stmt, 1, wishing->im->id);
	if (!r)
		r = belay_sqlite_bind_int64(stmt, 2, wishing->first_group + group);
	if (!r)
		r = belay_sqlite_bind_int64(stmt, 3, alternative);
	return r ? r : run(wishing->im, stmt);
}

static int add_provision(void *arg, int group, int alternative, const char *name, size_t length)
{
	struct importing *im = arg;
	int r = bind_name(im->add_provision, 1, name, length);

	if (!r)
		r = belay_sqlite_bind_int64(im->add_provision, 2, im->id);
	return r ? r : run(im, im->add_provision);
}

static int add_relations(struct importing *im, const struct dpkg_package *package)
{
	struct wishing wishing = {.im = im};
	int r = dpkg_each_dependency(package->pre_depends, add_wish, &wishing);

	wishing.first_group = wishing.groups;
	if (!r)
		r = dpkg_each_dependency(package->depends, add_wish, &wishing);
	if (!r)
		r = dpkg_each_dependency(package->provides, add_provision, im);
	return r;
}

static int bind_package(belay_sqlite_stmt *stmt, const struct dpkg_package *package)
{
	const char *const texts[] = {package->name,	    package->version,  package->section,
				     package->architecture, package->homepage, package->summary};
	size_t i;
	int r = 0;

	for (i = 0; i < sizeof texts / sizeof *texts && !r; i++)
		r = belay_sqlite_bind_text(stmt, (int)i + 1, texts[i]);
	if (!r)
		r = belay_sqlite_bind_int64(stmt, 7, package->size);
	if (!r)
		r = belay_sqlite_bind_int64(stmt, 8, package->installed);
	return r;
}

/* One that another file has had already counts as that file has it. */
static int add_package(struct importing *im, const struct dpkg_package *package)
{
	int r = bind_package(im->add_package, package);

	if (!r)
		r = run(im, im->add_package);
	if (r || belay_sqlite_changes(im->conn) == 0)
		return r;
	im->id = belay_sqlite_last_rowid(im->conn);
	im->packages++;
	return add_relations(im, package);
}

/* ---- Files ----------------------------------------------------------------------------------- */

static int add_all(struct importing *im, const char *path, struct source *source,
		   struct dpkg_reader *reader)
{
	struct dpkg_package package;
	int r;

	while ((r = dpkg_next(im->ctx, reader, &package)) == 1) {
		r = add_package(im, &package);
		if (r)
			return r;
		progress_show(&im->progress, im->bytes + source_bytes(source));
	}
	if (r == -EBADMSG)
		fprintf(stderr, "\nstore: %s:%lu: this is not a field of dpkg's\n", path,
			dpkg_reader_line(reader));
	im->bytes += source_bytes(source);
	return r;
}

static int add_file(struct importing *im, const char *path)
{
	struct dpkg_reader *reader;
	struct source *source;
	int r = source_open(path, &source);

	if (r)
		return r;
	reader = dpkg_reader_new(source);
	r = reader ? add_all(im, path, source, reader) : -ENOMEM;
	dpkg_reader_free(reader);
	source_close(source);
	return r;
}

static int measure_all(belay_ctx *ctx, const struct sources *sources, uint64_t *ret)
{
	uint64_t one = 0;
	size_t i;
	int r = 0;

	*ret = 0;
	for (i = 0; i < sources->n && !r; i++) {
		r = source_measure(ctx, sources->paths[i], &one);
		*ret += one;
	}
	return r;
}

static int add_files(struct importing *im, const struct sources *sources)
{
	uint64_t total;
	size_t i;
	int r = measure_all(im->ctx, sources, &total);

	if (r)
		return r;
	progress_begin(&im->progress, "importing packages", total);
	for (i = 0; i < sources->n && !r; i++)
		r = add_file(im, sources->paths[i]);
	progress_end(&im->progress);
	return r;
}

/* ---- The database ---------------------------------------------------------------------------- */

static int prepare(struct importing *im)
{
	int r = belay_sqlite_prepare(im->ctx, im->conn,
				     "insert or ignore into package (name, version, section, "
				     "architecture, homepage, summary, size, installed) "
				     "values (?, ?, ?, ?, ?, ?, ?, ?)",
				     &im->add_package);
	if (!r)
		r = belay_sqlite_prepare(im->ctx, im->conn, "insert into wish values (?, ?, ?, ?)",
					 &im->add_wish);
	if (!r)
		r = belay_sqlite_prepare(im->ctx, im->conn, "insert into provision values (?, ?)",
					 &im->add_provision);
	return r;
}

static void finalize(struct importing *im)
{
	belay_sqlite_finalize(im->add_package);
	belay_sqlite_finalize(im->add_wish);
	belay_sqlite_finalize(im->add_provision);
}

static int sign(struct importing *im, const char *fingerprint)
{
	belay_sqlite_stmt *stmt;
	int r = belay_sqlite_prepare(im->ctx, im->conn, "insert into origin values (?)", &stmt);

	if (r)
		return r;
	r = belay_sqlite_bind_text(stmt, 1, fingerprint);
	if (!r)
		r = run(im, stmt);
	belay_sqlite_finalize(stmt);
	return r;
}

static int finish(struct importing *im)
{
	fputs("building the indexes\n", stderr);
	return belay_sqlite_exec(im->ctx, im->conn, finish_sql);
}

static int fill(struct importing *im, const struct sources *sources)
{
	int r = prepare(im);

	if (!r)
		r = add_files(im, sources);
	finalize(im);
	if (!r)
		r = finish(im);
	if (!r)
		r = sign(im, sources->fingerprint);
	return r;
}

/* No journal: a file that is not complete is thrown away. */
static int fill_in_transaction(struct importing *im, const struct sources *sources)
{
	belay_sqlite_tx *tx;
	int r = belay_sqlite_exec(im->ctx, im->conn,
				  "pragma journal_mode = off; pragma synchronous = off");

	if (!r)
		r = belay_sqlite_exec(im->ctx, im->conn, schema_sql);
	if (!r)
		r = belay_sqlite_begin(im->ctx, im->conn, BELAY_SQLITE_EXCLUSIVE, &tx);
	if (r)
		return r;
	r = fill(im, sources);
	if (!r)
		return belay_sqlite_commit(im->ctx, tx);
	belay_sqlite_rollback(tx);
	return r;
}

static void complain(const char *path, int err, const struct belay_sqlite_error *error)
{
	fprintf(stderr, "store: can't make %s: %s\n", path,
		error->code ? error->message : belay_strerror(err));
}

static int build(belay_ctx *ctx, const char *path, const struct sources *sources)
{
	struct belay_sqlite_error error = {0};
	const struct belay_sqlite_options options = {.connections = 1, .error = &error};
	struct importing im = {.ctx = ctx};
	belay_sqlite *db;
	int r = belay_sqlite_open(ctx, path, &options, &db);

	if (!r) {
		r = belay_sqlite_take(ctx, db, &im.conn);
		if (!r) {
			r = fill_in_transaction(&im, sources);
			error = *belay_sqlite_error_of(im.conn);
			belay_sqlite_give(im.conn);
		}
		belay_sqlite_close(db);
	}
	if (r)
		complain(path, r, &error);
	else
		fprintf(stderr, "%lu packages imported\n", im.packages);
	return r;
}

static int build_and_move(belay_ctx *ctx, const char *path, const struct sources *sources)
{
	char *unfinished;
	int r;

	if (asprintf(&unfinished, "%s.%d.part", path, (int)getpid()) < 0)
		return -ENOMEM;
	r = build(ctx, unfinished, sources);
	if (!r && rename(unfinished, path)) {
		r = -errno;
		fprintf(stderr, "store: can't make %s: %s\n", path, belay_strerror(r));
	}
	if (r)
		unlink(unfinished);
	free(unfinished);
	return r;
}

static int make(belay_ctx *ctx, const char *path, const struct sources *sources)
{
	switch (look_for(ctx, path, sources->fingerprint)) {
	case FOUND_SAME:
		return 0;
	case FOUND_FOREIGN:
		if (!belay_err(ctx))
			fprintf(stderr, "store: %s is there, and is no store's\n", path);
		return belay_err(ctx) ? belay_err(ctx) : -EEXIST;
	default:
		return build_and_move(ctx, path, sources);
	}
}

int import(belay_ctx *ctx, const struct options *options)
{
	struct sources sources;
	int r = sources_find(options->data, &sources);

	if (r) {
		fprintf(stderr, "store: can't read %s: %s\n",
			options->data ? options->data : "what dpkg and apt know",
			belay_strerror(r));
		return r;
	}
	r = make(ctx, options->db, &sources);
	sources_free(&sources);
	return r;
}
