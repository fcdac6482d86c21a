/* SPDX-License-Identifier: MIT
 *
 * similarity.h - how far two texts are apart.
 */
#ifndef STORE_SIMILARITY_H
#define STORE_SIMILARITY_H

#include <sqlite3.h>
#include <stddef.h>

/* The edit distance (Levenshtein): how many bytes must be put in, left out or replaced to make one
 * of the other. */
int edit_distance(const char *a, size_t a_length, const char *b, size_t b_length);

/* Adds the SQL function distance(a, b): that of two texts; NULL where one of them is. A code of
 * SQLite's. */
int similarity_register(sqlite3 *raw);

#endif
