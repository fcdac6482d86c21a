/* SPDX-License-Identifier: MIT
 *
 * socket.c - what OpenSSL reads from and writes to.
 *
 * Reading takes what the socket has, and says "again" where that is nothing. Writing never says so:
 * what the socket has no room for is kept, and sent ahead of everything else as soon as there is
 * some. So a record that OpenSSL has made is never lost, nor has it to be made again, when the one
 * who wrote it gives up waiting.
 *
 * Locking     all of it runs with the link's lock held.
 */
#include "tls/tls.h"

#include "base/alloc.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>

/* A handshake's flight, or a record and then some. A peer that makes us answer and reads none of it
 * gets no further. */
enum { MOST_PENDING = 256 * 1024 };

/* Nearly two of the largest records. OpenSSL goes on as long as there is input that is no data: a
 * peer that sends nothing but new keys, each a few bytes and some 20 us for us, would keep whoever
 * reads, or the clock's thread that looks, with the lock held, for as long as it likes. */
enum { MOST_BARREN = 32 * 1024 };

/* ---- Out ------------------------------------------------------------------------------------- */

/* How many of the bytes went; 0: none just now; or a negative errno. */
static ssize_t send_some(int fd, const void *data, size_t size)
{
	ssize_t n;

	do
		n = send(fd, data, size, MSG_DONTWAIT | MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == EAGAIN || errno == EWOULDBLOCK ? 0 : -errno;
	return n;
}

static void forget(struct belay_tls__pending *pending)
{
	belay__free(pending->bytes);
	*pending = (struct belay_tls__pending){0};
}

int belay_tls__send_pending(struct belay_tls__link *link)
{
	struct belay_tls__pending *pending = &link->pending;

	while (pending->start < pending->end) {
		ssize_t n = send_some(link->fd, pending->bytes + pending->start,
				      pending->end - pending->start);

		if (n <= 0)
			return n < 0 ? (int)n : -EAGAIN;
		pending->start += (size_t)n;
	}
	forget(pending);
	return 0;
}

static int reserve(struct belay_tls__pending *pending, size_t size)
{
	size_t room = pending->end + size;
	unsigned char *bytes;

	if (room <= pending->room)
		return 0;
	if (room > MOST_PENDING)
		return -ENOBUFS;
	bytes = belay__realloc(pending->bytes, room);
	if (!bytes)
		return -ENOMEM;
	pending->bytes = bytes;
	pending->room = room;
	return 0;
}

static int keep(struct belay_tls__pending *pending, const char *data, size_t size)
{
	int err = reserve(pending, size);

	if (err == 0 && size > 0) {
		memcpy(pending->bytes + pending->end, data, size);
		pending->end += size;
	}
	return err;
}

static int write_bio(BIO *bio, const char *data, int size)
{
	struct belay_tls__link *link = BIO_get_data(bio);
	ssize_t n = 0;
	int err;

	if (link->pending.start == link->pending.end)
		n = send_some(link->fd, data, (size_t)size);
	err = n < 0 ? (int)n : keep(&link->pending, data + n, (size_t)(size - n));
	if (err < 0) {
		link->io_error = err;
		return -1;
	}
	return size;
}

/* ---- In -------------------------------------------------------------------------------------- */

/* The handshake has limits of OpenSSL's own, and a time. Relaxed: who is past it has seen that. */
static bool is_barren(const struct belay_tls__link *link)
{
	return link->barren > MOST_BARREN &&
	       atomic_load_explicit(&link->ready, memory_order_relaxed);
}

static ssize_t receive(struct belay_tls__link *link, char *buf, int size)
{
	ssize_t n;

	link->arrivals = belay_conn_arrivals(link->conn);
	do
		n = recv(link->fd, buf, (size_t)size, MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	link->drained = n > 0 && n < size;
	link->barren += n > 0 ? (size_t)n : 0;
	return n;
}

static int read_bio(BIO *bio, char *buf, int size)
{
	struct belay_tls__link *link = BIO_get_data(bio);
	ssize_t n;

	BIO_clear_retry_flags(bio);
	if (is_barren(link)) {
		link->io_error = -EPROTO;
		return -1;
	}
	n = receive(link, buf, size);
	if (n >= 0) {
		link->eof = n == 0 && size > 0;
		return (int)n;
	}
	if (errno == EAGAIN || errno == EWOULDBLOCK)
		BIO_set_retry_read(bio);
	else
		link->io_error = -errno;
	return -1;
}

/* ---- The BIO --------------------------------------------------------------------------------- */

static long control_bio(BIO *bio, int command, long number, void *pointer)
{
	const struct belay_tls__link *link = BIO_get_data(bio);

	switch (command) {
	case BIO_CTRL_EOF:
		return link->eof;
	case BIO_CTRL_FLUSH: /* there is nothing that would wait for it */
		return 1;
	default:
		return 0;
	}
}

static BIO_METHOD *make_method(void)
{
	BIO_METHOD *made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "belay");

	if (made) {
		BIO_meth_set_write(made, write_bio);
		BIO_meth_set_read(made, read_bio);
		BIO_meth_set_ctrl(made, control_bio);
	}
	return made;
}

/* Made once, and kept for the process's life. NULL: out of memory; the next call tries again. */
static BIO_METHOD *the_method(void)
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	static BIO_METHOD *method;
	BIO_METHOD *found;

	pthread_mutex_lock(&lock);
	if (!method)
		method = make_method();
	found = method;
	pthread_mutex_unlock(&lock);
	return found;
}

BIO *belay_tls__socket_bio(struct belay_tls__link *link)
{
	BIO_METHOD *method = the_method();
	BIO *bio = method ? BIO_new(method) : NULL;

	if (!bio)
		return NULL;
	BIO_set_data(bio, link);
	BIO_set_init(bio, 1);
	return bio;
}
