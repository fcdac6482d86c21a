/* SPDX-License-Identifier: MIT
 *
 * readable_test.h - a task that begins once a connection has something to read, and tells what it
 * found.
 */
#ifndef BELAY_TESTS_NET_READABLE_TEST_H
#define BELAY_TESTS_NET_READABLE_TEST_H

#include "conn_test.h"

#include <stdatomic.h>

/* What a task found when it began; then it reads one byte, where it was not told to stop. */
struct begun {
	belay_conn *conn;
	_Atomic int count;
	int err;
	ssize_t got;
	char byte;
};

static inline void begin(belay_ctx *ctx, void *arg)
{
	struct begun *begun = arg;

	begun->err = belay_err(ctx);
	if (begun->err == 0)
		begun->got = belay_conn_read(ctx, begun->conn, &begun->byte, 1);
	atomic_fetch_add(&begun->count, 1);
}

static inline bool has_begun(struct begun *begun)
{
	return check_until(begun->count == 1);
}

#endif
