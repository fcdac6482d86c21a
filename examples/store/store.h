/* SPDX-License-Identifier: MIT
 *
 * store.h - what the handlers share: each gets it as its request's data.
 */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include "database.h"

struct events;
struct replicas;

struct store {
	struct database db;
	struct events *events;
	struct replicas *replicas;
};

#endif
