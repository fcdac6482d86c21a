/* SPDX-License-Identifier: MIT
 *
 * engine_fuse.h - SQLite's allocations, and so those of the library's that it makes for it, fail as
 * all others do. Set up before the engine is first used; for one file of a program.
 */
#ifndef BELAY_TESTS_SQLITE_ENGINE_FUSE_H
#define BELAY_TESTS_SQLITE_ENGINE_FUSE_H

#include "fuse.h"

#include <sqlite3.h>
#include <stdlib.h>

static sqlite3_mem_methods engine_real;

static void *engine_malloc(int size)
{
	return belay__fuse_blows() ? NULL : engine_real.xMalloc(size);
}

static void *engine_realloc(void *block, int size)
{
	return belay__fuse_blows() ? NULL : engine_real.xRealloc(block, size);
}

__attribute__((constructor)) static void engine_fuse(void)
{
	sqlite3_mem_methods fused;

	if (sqlite3_config(SQLITE_CONFIG_GETMALLOC, &engine_real) != SQLITE_OK)
		abort();
	fused = engine_real;
	fused.xMalloc = engine_malloc;
	fused.xRealloc = engine_realloc;
	if (sqlite3_config(SQLITE_CONFIG_MALLOC, &fused) != SQLITE_OK)
		abort();
}

#endif
