/* SPDX-License-Identifier: MIT
 *
 * filter.c - what stands between a connection's users and its socket: how it is put there, and how
 * it uses the socket.
 *
 * The filter is set before anybody else uses the connection, and is constant from then on: no lock
 * guards it.
 */
#include "net/conn.h"
#include "net/io.h"
#include "net/pollfd.h"

#include <belay/conn_filter.h>

void belay_conn_set_filter(belay_conn *conn, const struct belay_conn_filter *filter, void *state)
{
	conn->filter = filter;
	conn->filter_state = state;
}

void *belay_conn_filter_state(const belay_conn *conn, const struct belay_conn_filter *filter)
{
	return conn->filter == filter ? conn->filter_state : NULL;
}

/* An attempt in the clothes of a try whose events are to be read when it would block. */
struct trial {
	belay_conn_attempt *attempt;
	void *arg;
	unsigned events;
};

static ssize_t try_attempt(int fd, void *arg)
{
	struct trial *trial = arg;

	return trial->attempt(fd, trial->arg, &trial->events);
}

ssize_t belay_conn_try(belay_ctx *ctx, belay_conn *conn, belay_conn_attempt *attempt, void *arg)
{
	struct trial trial = {attempt, arg, BELAY_READABLE};

	return belay__io_either(ctx, conn->fd, &trial.events, try_attempt, &trial);
}

/* As io.c has it: edges tell of TCP alone, and first the count, then whether all it counts were of
 * what makes an edge each time. */
uint64_t belay_conn_arrivals(const belay_conn *conn)
{
	const struct belay__pollfd *record = conn->input.tells ? belay__pollfd_of(conn->fd) : NULL;
	uint64_t edges = record ? belay__pollfd_edges(record) : 0;

	return !record || belay__pollfd_is_exceptional(record) ? 0 : edges + 1;
}

/* ---- What others are told -------------------------------------------------------------------- */

int belay_conn_handshake(belay_ctx *ctx, belay_conn *conn)
{
	int err = belay_err(ctx);

	if (err < 0 || !conn->filter)
		return err;
	err = conn->filter->handshake(ctx, conn, conn->filter_state);
	if (err == 0)
		belay__hangup_rest(&conn->hangup);
	return err;
}

bool belay_conn_is_secure(const belay_conn *conn)
{
	return conn->filter != NULL;
}

int belay_conn_offer(belay_conn *conn, const char *protocols)
{
	if (!conn->filter || !conn->filter->offer)
		return 0;
	return conn->filter->offer(conn, conn->filter_state, protocols);
}

static const char *tell(const belay_conn *conn, enum belay_conn_fact fact)
{
	return conn->filter ? conn->filter->tell(conn, conn->filter_state, fact) : NULL;
}

const char *belay_conn_protocol(const belay_conn *conn)
{
	return tell(conn, BELAY_CONN_PROTOCOL);
}

const char *belay_conn_peer_subject(const belay_conn *conn)
{
	return tell(conn, BELAY_CONN_PEER_SUBJECT);
}
