/* SPDX-License-Identifier: MIT
 *
 * error.c - the engine's result codes as errnos.
 *
 * -ECANCELED and -ETIME are the context's alone: no code of the engine's is ever turned into them,
 * not even where the operating system says so.
 */
#include "sqlite/sqlite.h"

#include <errno.h>

static int of_constraint(int extended)
{
	switch (extended) {
	case SQLITE_CONSTRAINT_PRIMARYKEY:
	case SQLITE_CONSTRAINT_ROWID:
	case SQLITE_CONSTRAINT_UNIQUE:
		return -EEXIST;
	default:
		return -EDOM;
	}
}

/* What the operating system said, where it said anything that can be passed on. */
static int of_system(sqlite3 *raw, int otherwise)
{
	int err = raw ? sqlite3_system_errno(raw) : 0;

	return err > 0 && err != ECANCELED && err != ETIME ? -err : otherwise;
}

int belay_sqlite__errno(sqlite3 *raw, int code)
{
	switch (code & 0xff) {
	case SQLITE_OK:
		return 0;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return -EBUSY;
	case SQLITE_NOMEM:
		return -ENOMEM;
	case SQLITE_INTERRUPT:
		return -EINTR;
	case SQLITE_CONSTRAINT:
		return of_constraint(code);
	case SQLITE_READONLY:
		return -EROFS;
	case SQLITE_PERM:
	case SQLITE_AUTH:
		return -EACCES;
	case SQLITE_CANTOPEN:
		return of_system(raw, -ENOENT);
	case SQLITE_IOERR:
		return code == SQLITE_IOERR_NOMEM ? -ENOMEM : of_system(raw, -EIO);
	case SQLITE_PROTOCOL:
		return -EIO;
	case SQLITE_FULL:
		return -ENOSPC;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
	case SQLITE_FORMAT:
		return -EBADMSG;
	case SQLITE_TOOBIG:
		return -E2BIG;
	case SQLITE_ABORT:
	case SQLITE_SCHEMA:
		return -ESTALE;
	case SQLITE_RANGE:
		return -ERANGE;
	default:
		return -EINVAL;
	}
}

void belay_sqlite__describe(struct belay_sqlite_error *error, sqlite3 *raw, int code,
			    const char *message)
{
	error->code = code;
	if (!message && raw && sqlite3_errcode(raw) == code)
		message = sqlite3_errmsg(raw);
	sqlite3_snprintf(sizeof error->message, error->message, "%s",
			 message ? message : sqlite3_errstr(code));
}
