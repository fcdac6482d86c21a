/* SPDX-License-Identifier: MIT
 *
 * database.h - the imported packages, open for reading.
 */
#ifndef STORE_DATABASE_H
#define STORE_DATABASE_H

#include <belay/sqlite.h>

/* Two pools, so that the slow queries, which may last for minutes, can't take all connections away
 * from the quick ones: those who want a slow one wait for it, as long as their context lasts. */
struct database {
	belay_sqlite *quick, *slow;
};

/* Opens path, which must exist. 0; the context's error; a negative errno, with a line on standard
 * error. */
int database_open(belay_ctx *ctx, const char *path, struct database *ret);
void database_close(struct database *database);

#endif
