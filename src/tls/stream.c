/* SPDX-License-Identifier: MIT
 *
 * stream.c - what goes in and out of a connection with TLS once the handshake is made.
 *
 * Locking     an SSL is for one thread at a time: each step of it runs with the link's lock held,
 *             never waits for the socket, and has read OpenSSL's errors, which are its thread's,
 *             when it gives the lock back. Who would have to wait does so without the lock, and
 *             comes again.
 * Reader      the only one who takes the socket's input, as long as he is in read(): else what he
 *             waits for could be taken by another, and he not be woken. So a look at what has
 *             arrived is left to him. A writer takes none: there is no renegotiation.
 * Writer      what he has handed to OpenSSL goes out, ahead of what comes next, also where he has
 *             given up waiting for it: socket.c.
 */
#include "tls/tls.h"

#include "base/alloc.h"

#include <errno.h>
#include <limits.h>
#include <stdatomic.h>
#include <string.h>

static bool is_ready(struct belay_tls__link *link)
{
	return atomic_load_explicit(&link->ready, memory_order_acquire);
}

/* ---- In -------------------------------------------------------------------------------------- */

struct input {
	struct belay_tls__link *link;
	void *buf;
	int size;
};

/* Whether neither OpenSSL has anything that nobody has read nor the socket has got anything since
 * it was emptied. Guessed only once: not every wait is for what is counted as arrivals. */
static bool is_in_vain(struct belay_tls__link *link)
{
	bool drained = link->drained;

	link->drained = false;
	return drained && link->arrivals != 0 &&
	       link->arrivals == belay_conn_arrivals(link->conn) && !SSL_has_pending(link->ssl) &&
	       !(SSL_get_shutdown(link->ssl) & SSL_RECEIVED_SHUTDOWN);
}

/* What else OpenSSL had to say (a new key) is tried to be sent too; if not now, then before the
 * next write. */
static int read_locked(const struct input *input, unsigned *events)
{
	struct belay_tls__link *link = input->link;
	unsigned ignored;
	int result = belay_tls__flush_locked(link, &ignored);

	if (result < 0 && result != -EAGAIN)
		return result;
	if (is_in_vain(link)) {
		*events = BELAY_READABLE;
		return -EAGAIN;
	}
	belay_tls__errors_clear();
	result = SSL_read(link->ssl, input->buf, input->size);
	if (result <= 0)
		return belay_tls__judge(link, result, events);
	link->barren = 0;
	return result;
}

static ssize_t take(int fd, void *arg, unsigned *events)
{
	const struct input *input = arg;
	struct belay_tls__link *link = input->link;
	int result;

	pthread_mutex_lock(&link->lock);
	result = link->broken ? link->broken : read_locked(input, events);
	link->reading = result == -EAGAIN;
	pthread_mutex_unlock(&link->lock);
	return result;
}

static void leave(struct belay_tls__link *link)
{
	pthread_mutex_lock(&link->lock);
	link->reading = false;
	pthread_mutex_unlock(&link->lock);
}

ssize_t belay_tls__read(belay_ctx *ctx, belay_conn *conn, void *state, void *buf, size_t size)
{
	struct input input = {state, buf, size < INT_MAX ? (int)size : INT_MAX};
	ssize_t result = belay_tls__handshake(ctx, conn, state);

	if (result < 0)
		return result;
	result = belay_conn_try(ctx, conn, take, &input);
	if (result < 0)
		leave(input.link);
	return result;
}

/* ---- A look ---------------------------------------------------------------------------------- */

static int peek(struct belay_tls__link *link)
{
	unsigned ignored;
	char byte;
	int result;

	if (link->broken)
		return link->broken;
	belay_tls__errors_clear();
	result = SSL_peek(link->ssl, &byte, 1);
	return result > 0 ? 1 : belay_tls__judge(link, result, &ignored);
}

int belay_tls__look(belay_conn *conn, void *state)
{
	struct belay_tls__link *link = state;
	int seen;

	if (!is_ready(link))
		return 1;
	pthread_mutex_lock(&link->lock);
	seen = link->reading ? 1 : peek(link);
	pthread_mutex_unlock(&link->lock);
	return seen;
}

/* As one who reads, and waits for the socket. */
bool belay_tls__doze(belay_conn *conn, void *state)
{
	struct belay_tls__link *link = state;
	bool dry;

	if (!is_ready(link))
		return false;
	pthread_mutex_lock(&link->lock);
	dry = peek(link) == -EAGAIN;
	link->reading = dry;
	pthread_mutex_unlock(&link->lock);
	return dry;
}

void belay_tls__wake(belay_conn *conn, void *state)
{
	leave(state);
}

/* ---- Out ------------------------------------------------------------------------------------- */

enum { RECORD = SSL3_RT_MAX_PLAIN_LENGTH };

struct output {
	struct belay_tls__link *link;
	const struct iovec *iov;
	int count;
};

/* How much of the parts goes into one record. */
static size_t record_size(const struct output *output)
{
	size_t size = 0;

	for (int i = 0; i < output->count && size < RECORD; i++)
		size += output->iov[i].iov_len < RECORD ? output->iov[i].iov_len : RECORD;
	return size < RECORD ? size : RECORD;
}

static void gather(const struct output *output, char *record, size_t size)
{
	size_t used = 0;

	for (int i = 0; used < size; i++) {
		size_t left = size - used, part = output->iov[i].iov_len;

		part = part < left ? part : left;
		if (part > 0) /* an empty one may be nowhere */
			memcpy(record + used, output->iov[i].iov_base, part);
		used += part;
	}
}

static int write_bytes(struct belay_tls__link *link, const void *bytes, size_t size,
		       unsigned *events)
{
	int result;

	belay_tls__errors_clear();
	result = SSL_write(link->ssl, bytes, (int)size);
	return result > 0 ? result : belay_tls__judge(link, result, events);
}

/* Several small parts, as a head and a body, make one record: where there is memory to put them
 * together. */
static int write_record(const struct output *output, unsigned *events)
{
	size_t size = record_size(output), first = output->iov->iov_len;
	char *record = first < size ? belay__malloc(size) : NULL;
	int result;

	if (!record)
		return write_bytes(output->link, output->iov->iov_base, first < size ? first : size,
				   events);
	gather(output, record, size);
	result = write_bytes(output->link, record, size, events);
	belay__free(record);
	return result;
}

static int write_locked(const struct output *output, unsigned *events)
{
	struct belay_tls__link *link = output->link;
	int result = link->broken;

	if (result == 0 && link->finished)
		result = -EPIPE;
	if (result == 0)
		result = belay_tls__flush_locked(link, events);
	return result < 0 ? result : write_record(output, events);
}

static ssize_t put(int fd, void *arg, unsigned *events)
{
	const struct output *output = arg;
	int result;

	pthread_mutex_lock(&output->link->lock);
	result = write_locked(output, events);
	pthread_mutex_unlock(&output->link->lock);
	return result;
}

/* By way of belay_conn_handshake(): so that nobody has to read for a hang-up to be noticed. */
ssize_t belay_tls__write(belay_ctx *ctx, belay_conn *conn, void *state, const struct iovec *iov,
			 int count)
{
	struct output output = {state, iov, count};
	int err = is_ready(output.link) ? 0 : belay_conn_handshake(ctx, conn);

	return err < 0 ? err : belay_conn_try(ctx, conn, put, &output);
}

static ssize_t push(int fd, void *arg, unsigned *events)
{
	struct belay_tls__link *link = arg;
	int err;

	pthread_mutex_lock(&link->lock);
	err = link->broken ? link->broken : belay_tls__flush_locked(link, events);
	pthread_mutex_unlock(&link->lock);
	return err;
}

/* Where everything has gone already, a context that has just ended is too late. */
int belay_tls__flush(belay_ctx *ctx, belay_conn *conn, void *state)
{
	unsigned ignored;
	ssize_t result = push(0, state, &ignored);

	return (int)(result == -EAGAIN ? belay_conn_try(ctx, conn, push, state) : result);
}

/* ---- The end --------------------------------------------------------------------------------- */

static int say_end(struct belay_tls__link *link, unsigned *events)
{
	int result;

	if (link->finished)
		return 0;
	belay_tls__errors_clear();
	result = SSL_shutdown(link->ssl);
	if (result < 0)
		return belay_tls__judge(link, result, events);
	link->finished = true;
	return 0;
}

/* To a peer whose stream is broken there is nothing to say. */
static ssize_t end(int fd, void *arg, unsigned *events)
{
	struct belay_tls__link *link = arg;
	int err = 0;

	pthread_mutex_lock(&link->lock);
	if (!link->broken) {
		err = belay_tls__flush_locked(link, events);
		if (err == 0)
			err = say_end(link, events);
		if (err == 0)
			err = belay_tls__flush_locked(link, events);
	}
	pthread_mutex_unlock(&link->lock);
	return err;
}

int belay_tls__finish(belay_ctx *ctx, belay_conn *conn, void *state)
{
	unsigned ignored;

	if (!is_ready(state))
		return 0;
	return (int)(ctx ? belay_conn_try(ctx, conn, end, state) : end(0, state, &ignored));
}
