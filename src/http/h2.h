/* SPDX-License-Identifier: MIT
 *
 * h2.h - HTTP/2 on a connection (RFC 9113): the connection, and the streams on it, each of which
 * carries one request and its answer.
 *
 * Who does what, and which lock guards it: h2_connection.c.
 */
#ifndef BELAY_SRC_HTTP_H2_H
#define BELAY_SRC_HTTP_H2_H

#include "http/connection.h"
#include "http/date.h"
#include "http/request.h"
#include "http/response.h"

#include "base/list.h"

#include <belay/sync.h>

#include <nghttp2/nghttp2.h>
#include <pthread.h>

/* What is promised to a client, or asked of it: docs/http.md has the same numbers. */
enum {
	BELAY__H2_STREAM_WINDOW = 256 * 1024,      /* bytes of one body that wait for its handler */
	BELAY__H2_CONNECTION_WINDOW = 1024 * 1024, /* and of all bodies of a connection           */
	BELAY__H2_OUT = 64 * 1024,    /* of an answer that the handler may be ahead of its client */
	BELAY__H2_WRITE = 64 * 1024,  /* of all answers that is written at once, about            */
	BELAY__H2_HEAD = 16 * 1024 * 1024, /* of an answer's headers: what has more is never sent */
	BELAY__H2_RESETS = 1000,      /* streams that a client may reset at once                  */
	BELAY__H2_RESET_RATE = 33,    /* and each second from then on                             */
	BELAY__H2_CONTINUATIONS = 8,  /* frames that one request's headers may go on in           */
	BELAY__H2_ACKS = 1000,        /* answers to PING and SETTINGS that wait to be sent        */
	BELAY__H2_USELESS = 1000,     /* frames that bring nothing, in USELESS_TIME               */
	BELAY__H2_UNSEEN = 8 * 1024 * 1024, /* bytes of frames that are passed over, in the same  */
};
#define BELAY__H2_USELESS_TIME BELAY_S(10)

/* One task waits for something that another brings about. */
struct belay__h2_signal {
	bool waits; /* guarded by the connection's lock: whoever takes it back owes a release */
	belay_sem sem;
};

/* What a stream's task is to be told once the lock is given back. */
enum {
	BELAY__H2_TELL_END = 1,  /* its context ends            */
	BELAY__H2_TELL_IN = 2,   /* there is more of the body   */
	BELAY__H2_TELL_ROOM = 4, /* there is room for more      */
};

struct belay__h2_stream {
	struct belay__h2 *h2;
	int32_t id;

	/* The request, by the session until it is ready; from then on by its task. */
	struct belay_request req;
	struct belay_response res;
	struct belay__source source;
	struct belay__sink sink;
	char method[24];
	size_t fields_size; /* as SETTINGS_MAX_HEADER_LIST_SIZE counts        */
	size_t crumbs;      /* cookie fields besides the first: one will be made of all */
	bool seen_priority;
	bool wants_continue;
	int refused;        /* the error that it is answered for, unheard; 0: none */
	char length[24];    /* of the answer, as text                         */

	/* Guarded by the connection's lock, as is all below. */
	unsigned refs;          /* the session's, the task's (or ready's), told's */
	struct belay__list all;   /* of those alive, or of those kept for later     */
	struct belay__list ready; /* waits for a task                               */
	struct belay__list told;
	unsigned to_tell;
	belay_ctx *ctx;         /* the request's, while its handler may use it; borrowed */
	bool closed;            /* the session knows it no more                   */
	bool reset;             /* by the client                                  */
	uint32_t code;          /* that it was closed with                        */

	/* The body that comes. */
	char *in;
	size_t in_room, in_start, in_end;
	uint64_t taken;         /* bytes of it that its reader has                */
	int64_t waited;         /* ns for them; its reader's                      */
	bool held_up;           /* the client may not send: others don't read     */
	bool in_done, deaf;     /* all of it is there; nobody will read it        */
	int in_failed;          /* what its reader is told in place of more       */
	struct belay__h2_signal more;

	/* The answer. */
	bool answered, last, ended; /* head submitted; all submitted; END_STREAM sent   */
	bool has_body, cut;         /* DATA follow; none follow but what is there: a reset does */
	bool deferred;              /* the session waits to be told of more             */
	char *out;                  /* a ring of BELAY__H2_OUT bytes; NULL: none so far */
	size_t out_start, out_used;
	const char *tail;           /* what follows that, in the response's buffer      */
	size_t tail_size;
	int64_t moved_at;           /* when some of it was sent last                    */
	struct belay__h2_signal room;
};

/* What a session's memory is made of: h2_memory.c. */
struct belay__h2_memory {
	nghttp2_mem calls;         /* of nghttp2's                                */
	struct belay__list blocks;
	bool starved;              /* some was lacking: the session can't be used */
};

struct belay__h2 {
	struct belay_server *server;
	belay_conn *conn;
	belay_ctx *hangup, *ctx; /* the connection's: connection.c. Borrowed                  */
	belay_ctx *sending;      /* under which output goes out: until all has, or nobody reads */
	belay_wg handlers;       /* tasks of streams                                          */
	belay_wg writers;        /* there is one at most                                      */

	pthread_mutex_t lock;    /* guards what follows, the session and streams included     */
	struct belay__h2_memory memory;
	nghttp2_session *session; /* not to be used where belay__h2_is_lost()                */
	belay_ctx *reading;      /* under which the connection waits for input                */
	struct belay__list all, ready, told, kept;
	unsigned running;        /* streams that have a task                                  */
	unsigned open;           /* streams that the session knows                            */
	unsigned kept_count;
	bool writing;            /* somebody writes: whatever is submitted will go out        */
	bool gone;               /* nothing can be written any more                           */
	bool closing, final;     /* a shutdown has begun; no more streams are taken           */
	bool finished;           /* nothing is left to be read or written                     */
	bool idle, heard;        /* no stream since a shutdown began; of which the client knows */

	int64_t now;             /* about                                                     */
	int64_t open_until;      /* when a connection without a stream is closed              */
	int64_t head_by;         /* when the headers that have begun must end; FOREVER: none have */
	int64_t sweep_at;        /* when streams are looked at that nothing moves on          */
	int64_t final_by;        /* when a shutdown waits no more for what is on its way      */
	int64_t useless_since;
	int64_t useless;         /* frames since then that brought nothing                    */
	int64_t unseen;          /* bytes since then of frames that were passed over          */
	uint64_t moved;          /* bytes of bodies since that was last made less             */
	char date[BELAY__DATE_SIZE];

	char *buf;               /* what is to be written next; the writer's                  */
	size_t size, room;
};

/* ---- h2_connection.c ------------------------------------------------------------------------- */

/* The connection's lock. Giving it back does what was put off until then: it starts the writer
 * where there is something to be written, and tells streams. */
void belay__h2_lock(struct belay__h2 *h2);
void belay__h2_unlock(struct belay__h2 *h2);

/* Whether the client has gone, or was treated so. Needs no lock. */
bool belay__h2_has_hung_up(const struct belay__h2 *h2);

/* Whether nothing more can be asked of the session: nobody reads what it says, or it has run out of
 * memory. With the lock held. */
static inline bool belay__h2_is_lost(const struct belay__h2 *h2)
{
	return h2->gone || h2->memory.starved;
}

/* ---- h2_memory.c ----------------------------------------------------------------------------- */

void belay__h2_memory_init(struct belay__h2_memory *memory);

/* Frees all that is left of it. */
void belay__h2_memory_drop(struct belay__h2_memory *memory);

/* ---- h2_session.c: what nghttp2 asks and tells ----------------------------------------------- */

/* 0 or -ENOMEM. */
int belay__h2_session_init(struct belay__h2 *h2);

/* With the lock held, as all that has no word about it. Appends to what is to be written next: 0 or
 * -ENOMEM. */
int belay__h2_put(struct belay__h2 *h2, const void *data, size_t size);

/* Counts a frame that brings nothing; where there are too many the session ends. */
void belay__h2_count_useless(struct belay__h2 *h2);

/* size bytes were read, of which some may be of frames that nobody is told of. */
void belay__h2_count_read(struct belay__h2 *h2, size_t size);

/* size bytes of a body went in or out. */
void belay__h2_count_moved(struct belay__h2 *h2, size_t size);

/* ---- h2_request.c: fields make a request ----------------------------------------------------- */

void belay__h2_field(struct belay__h2_stream *s, const uint8_t *name, size_t name_size,
		     const uint8_t *value, size_t value_size);

/* All fields have come. */
void belay__h2_fields_end(struct belay__h2_stream *s);

/* ---- h2_stream.c: the life of a stream ------------------------------------------------------- */

/* One reference, the session's. NULL: out of memory. */
struct belay__h2_stream *belay__h2_stream_new(struct belay__h2 *h2, int32_t id);
void belay__h2_stream_unref(struct belay__h2_stream *s);

/* Its request is complete but for the body: it waits for a task. */
void belay__h2_stream_ready(struct belay__h2_stream *s);

/* The session forgets it, for code; the session's reference is given up. */
void belay__h2_stream_closed(struct belay__h2_stream *s, uint32_t code);

/* Ends it, for code, as soon as that can be told the client. */
void belay__h2_stream_reset(struct belay__h2_stream *s, uint32_t code);

/* Notes what (BELAY__H2_TELL_...) s is to be told. */
void belay__h2_tell(struct belay__h2_stream *s, unsigned what);

/* Tells all that was noted. Without the lock. */
void belay__h2_deliver(struct belay__h2 *h2);

/* Starts tasks for streams that are ready, up to the limit. Without the lock. */
void belay__h2_start(struct belay__h2 *h2);

/* Waits, without the lock, for what signal's waits was set for, no longer than patience. 0: look
 * again; the context's error; -ETIMEDOUT. */
int belay__h2_await(belay_ctx *ctx, struct belay__h2_signal *signal, int64_t patience);

/* What reading and writing say of a stream that is closed. */
int belay__h2_gone(belay_ctx *ctx);

/* Frees all that are left, and those that were kept. */
void belay__h2_streams_fini(struct belay__h2 *h2);

/* ---- h2_body.c: the body that comes ---------------------------------------------------------- */

void belay__h2_body_add(struct belay__h2_stream *s, const void *data, size_t size);

/* Nobody reads any more: gives the client back the room that was taken. */
void belay__h2_body_drop(struct belay__h2_stream *s);

ssize_t belay__h2_body_read(belay_ctx *ctx, struct belay__source *source, void *buf, size_t size);

/* ---- h2_answer.c: the answer that goes ------------------------------------------------------- */

int belay__h2_answer_send(belay_ctx *ctx, struct belay__sink *sink, struct belay_response *res,
			  const void *data, size_t size, enum belay__part part);

/* No more comes of it, and it is not complete: once what is there has been sent the stream is
 * reset. */
void belay__h2_answer_cut(struct belay__h2_stream *s);

/* Puts a DATA frame of length bytes of the answer's body. 0 or -ENOMEM. */
int belay__h2_answer_put(struct belay__h2_stream *s, const uint8_t *frame_head, size_t length);

#endif
