/* SPDX-License-Identifier: MIT
 *
 * client.h - what the client's files share.
 *
 * A call (client_send.c) makes one reply for each hop: it prepares a curl handle
 * (client_request.c) with addresses that it has looked up itself (client_names.c), hands it to the
 * client's driver (client_driver.c), and waits. The driver alone touches the multi handle; what it
 * gets it puts into the reply (client_reply.c), from which the caller takes it.
 *
 * Ownership   A reply has a reference for its caller, one for the driver from the submission until
 *             its curl handle has left the multi handle, and one while it stands in the queue. Each
 *             reply has one of the client, each client one for whoever made it.
 * Locking     client->lock, names->lock and reply->lock each guard what stands below them. They are
 *             leaves: no two are held together, nothing that blocks or is foreign runs under them.
 */
#ifndef BELAY_SRC_HTTP_CLIENT_H
#define BELAY_SRC_HTTP_CLIENT_H

#include "base/alloc.h"
#include "base/list.h"
#include "base/lock.h"
#include "http/headers.h"

#include <belay.h>
#include <belay/http_client.h>

#include <curl/curl.h>
#include <pthread.h>
#include <stdatomic.h>

/* ---- Names looked up, for a minute: client_names.c ------------------------------------------- */

struct belay__name;

struct belay__names {
	struct belay__lock lock;
	struct belay__name *slots[64]; /* by hash; a newcomer replaces what is there */
};

void belay__names_fini(struct belay__names *names);

/* "+host:port:address,address" for CURLOPT_RESOLVE, to be freed with belay__free(); *ret is NULL
 * where host is an address itself. 0, the context's error, or as belay_resolve(). */
int belay__names_look_up(belay_ctx *ctx, struct belay__names *names, const char *host,
			 const char *port, char **ret);

/* No answer from the addresses of that entry: the next look-up asks again. */
void belay__names_forget(struct belay__names *names, const char *entry);

/* ---- The head of a reply: client_head.c ------------------------------------------------------ */

struct belay__reply_head {
	struct belay__headers headers;
	size_t size; /* of all lines together */
	int status;
	bool whole;
};

void belay__reply_head_fini(struct belay__reply_head *head);

/* One line as curl hands it over, with or without its line end. 0; -ENOMEM; -EMSGSIZE; -EPROTO: a
 * coding of the transfer that nobody has asked for. The blank line after the last interim head
 * makes it whole; what comes then is a trailer, and dropped. */
int belay__reply_head_line(struct belay__reply_head *head, const char *line, size_t size);

/* ---- The descriptors of a driver: client_sockets.c ------------------------------------------- */

struct belay__sockets {
	int epoll_fd;
	bool *wanted; /* by number: somebody waits for it */
	size_t room;
};

/* 0, or -EMFILE, -ENFILE, -ENOMEM; to be given to belay__sockets_fini() either way. */
int belay__sockets_init(struct belay__sockets *sockets);
void belay__sockets_fini(struct belay__sockets *sockets);

/* From now on events (EPOLLIN, EPOLLOUT) of fd, and no others, are waited for. 0 or -errno. */
int belay__sockets_watch(struct belay__sockets *sockets, int fd, uint32_t events);

/* Nobody waits for fd any more, which may have been closed already. */
void belay__sockets_unwatch(struct belay__sockets *sockets, int fd);

/* An event of fd has come: true where somebody waits for it. */
bool belay__sockets_expect(struct belay__sockets *sockets, int fd);

/* A socket to connect, or -errno; and its end. */
int belay__sockets_open(struct belay__sockets *sockets, int family, int type, int protocol);
void belay__sockets_close(struct belay__sockets *sockets, int fd);

/* ---- Clients and their drivers: client_driver.c ---------------------------------------------- */

/* What only the driver touches once it runs. */
struct belay__driver {
	CURLM *multi;
	struct belay__sockets sockets; /* curl's, timer_fd and the client's wake_fd */
	int timer_fd;                  /* when curl wants to be called without an event */
	struct belay__list running;    /* replies whose handle is in multi */
	struct belay__list unwatched;  /* replies whose socket is of no use any more */
	CURLMcode failure;             /* of curl as a whole, not of one transfer */
};

static inline void belay__client_lock(struct belay__lock *lock)
{
	belay__lock_take(lock, BELAY__RANK_LEAF);
}

static inline void belay__client_unlock(struct belay__lock *lock)
{
	belay__lock_give(lock, BELAY__RANK_LEAF);
}

/* ---- TLS sessions, for all connections: client_share.c --------------------------------------- */

struct belay__share {
	CURLSH *curl;
	pthread_mutex_t locks[CURL_LOCK_DATA_LAST]; /* curl's, by what they guard */
};

/* 0 or -ENOMEM; to be given to belay__share_fini() either way, once no handle uses it. */
int belay__share_init(struct belay__share *share);
void belay__share_fini(struct belay__share *share);

/* ---- Proxies: client_proxy.c ----------------------------------------------------------------- */

/* Constant once made. NULL: none. */
struct belay__proxies {
	char *http, *https; /* for URLs of that scheme */
	char *direct;       /* whom to ask without one */
};

/* 0; -EINVAL: one that can't be used; -ENOMEM; to be given to belay__proxies_fini() either way. */
int belay__proxies_init(struct belay__proxies *proxies,
			const struct belay_http_client_options *options);
void belay__proxies_fini(struct belay__proxies *proxies);

/* 0; -EINVAL: without a port, or of a kind that is not known; -ENOMEM. */
int belay__proxy_check(const char *proxy);

/* The one for a URL with that scheme and host; NULL: none. Lives as long as proxies. */
const char *belay__proxy_for(const struct belay__proxies *proxies, const char *scheme,
			     const char *host);

/* ---- Clients --------------------------------------------------------------------------------- */

struct belay_http_client {
	_Atomic unsigned references;
	belay_group *group; /* of one task, the driver */
	struct belay_http_client_options options;
	struct belay__names names;
	struct belay__proxies proxies;
	struct belay__share share;
	struct belay__driver driver;
	_Atomic int64_t retry_tokens; /* see client_retry.c */
	int wake_fd; /* an eventfd: the queue is not empty */

	struct belay__lock lock;
	struct belay__list queue; /* replies with operations for the driver */
	bool stopped;             /* the driver takes no more of them */
};

int belay__driver_init(struct belay_http_client *client);
void belay__driver_fini(struct belay_http_client *client);

/* The driver's task: runs until ctx is done, then fails what is left with -ESHUTDOWN. */
int belay__driver_run(belay_ctx *ctx, void *client);

/* What curl opens and closes sockets with: arg is the reply, and the driver. */
curl_socket_t belay__driver_open(void *reply, curlsocktype purpose, struct curl_sockaddr *address);
int belay__driver_close(void *driver, curl_socket_t fd);

enum belay__operation {
	BELAY__OP_ADD = 1,      /* start; with a reference for the driver */
	BELAY__OP_REMOVE = 2,   /* stop, and close a connection in mid-body */
	BELAY__OP_CONTINUE = 4, /* there is room in the body again, or more of the request's */
};

/* Asks the driver for an operation; no call of its own blocks, so hooks may. False: the driver has
 * stopped, nothing was queued. */
bool belay__driver_ask(belay_http_reply *reply, enum belay__operation operation);

belay_http_client *belay__client_ref(belay_http_client *client);
void belay__client_unref(belay_http_client *client);

/* ---- Bodies that are written while they are sent: client_upload.c ---------------------------- */

/* Bytes of a body, of a request or a reply, that may wait for who takes them. */
enum { BELAY__BODY_MOST = 64 << 10 };

/* Of a request whose body is not streamed room is NULL. */
struct belay__upload {
	belay_chan *room; /* holds a token after curl has taken something, or will take no more */
	int64_t left;     /* bytes that the caller may still write; -1: any number; the caller's */
	int failure;      /* of a write that was cut in its middle; the caller's */

	/* Guarded by reply->lock. */
	char *bytes; /* [start, end) are there to be sent, of BELAY__BODY_MOST */
	size_t start, end;
	bool is_whole; /* bytes[0] is the body's first byte */
	bool finished; /* nothing more is written */
	bool starved;  /* curl waits for more */
};

/* For a body of that many bytes, or -1. 0 or -ENOMEM; to be given to belay__upload_fini() either
 * way, as is one that is all zeros. */
int belay__upload_init(struct belay__upload *upload, int64_t size);
void belay__upload_fini(struct belay__upload *upload);

/* Has reply->easy take its body from reply->upload. False: out of memory. */
bool belay__upload_prepare(belay_http_reply *reply);

/* The body is about to be sent, for the first time or once more. False: its beginning is gone. */
bool belay__upload_begin(belay_http_reply *reply);

/* The head of the reply is there: curl, where it waits for more, looks what that makes of it. */
void belay__upload_prod(belay_http_reply *reply);

/* Whether curl waits for more. */
bool belay__upload_is_starved(belay_http_reply *reply);

/* Who waits for room looks again. */
void belay__upload_wake(struct belay__upload *upload);

/* ---- Replies: client_reply.c, client_read.c -------------------------------------------------- */

struct belay_http_reply {
	_Atomic unsigned references;
	belay_http_client *client;
	belay_chan *event; /* holds a token after anything below lock has changed */

	/* The caller's. */
	belay_ctx *ctx; /* the exchange's; NULL until the reply is handed to the user */
	belay_ctx *hooked;
	struct belay_hook hook; /* on the exchange's context */
	char *url;
	unsigned attempts;
	const char *proxy; /* the client's; NULL: none */

	/* The request, made by the caller, the driver's from the submission on, until the last
	 * reference goes. */
	CURL *easy;
	struct curl_slist *headers, *addresses;
	char curl_text[CURL_ERROR_SIZE];

	/* The driver's. */
	struct belay__list link; /* in running or unwatched */
	int failure;             /* what made a callback give up; 0: nothing did */
	uint64_t decoded;        /* bytes of a body with a coding so far */
	int connect_error;       /* why the last socket could not be opened; 0: it could */
	bool once, sent;         /* it is not to be sent more often; it has been */

	/* Guarded by client->lock. */
	struct belay__list queued;
	unsigned operations;

	struct belay__upload upload; /* of the request */

	struct belay__lock lock;
	struct belay__reply_head head; /* constant once whole: then read without the lock */
	char *body;              /* bytes [body_start, body_end) are there to be read */
	size_t body_start, body_end, body_room;
	bool paused;   /* curl waits for room */
	bool finished; /* nothing more will come */
	int result;    /* then: 0, or the error */
	char text[CURL_ERROR_SIZE];
};

int belay__reply_new(belay_http_client *client, belay_http_reply **ret);
belay_http_reply *belay__reply_ref(belay_http_reply *reply);
void belay__reply_unref(belay_http_reply *reply);

/* Hands a prepared reply to the driver; ends it when ctx, the exchange's context, is done. 0; ctx's
 * error; -ESHUTDOWN. */
int belay__reply_submit(belay_ctx *ctx, belay_http_reply *reply);

/* Blocks until the head is whole. 0 or the exchange's error. */
int belay__reply_await_head(belay_ctx *ctx, belay_http_reply *reply);

/* True: *ret is what awaiting the head comes to. */
bool belay__reply_head_is_decided(belay_http_reply *reply, int *ret);

bool belay__reply_is_finished(belay_http_reply *reply);

/* The first call decides how the exchange went and wakes the caller; text may be NULL. */
void belay__reply_finish(belay_http_reply *reply, int result, const char *text);

/* What an exchange whose context is done returns: that context's error, but -ETIMEDOUT where it was
 * the client's own time-out. *text (may be NULL): its cause, which lives as long as ctx. */
int belay__exchange_error(const belay_ctx *ctx, const char **text);

/* curl's callbacks. */
size_t belay__reply_on_head(char *line, size_t one, size_t size, void *reply);
size_t belay__reply_on_body(char *bytes, size_t one, size_t size, void *reply);

/* ---- Calls: client_check.c ------------------------------------------------------------------- */

/* Says in call's own buffer, where it has one (call may be NULL), why it fails. Returns err. */
int belay__explain(const struct belay_http_call *call, int err, const char *format, ...)
	BELAY_PRINTF(3, 4);

/* 0 or -EINVAL, with the reason. */
int belay__call_check(const struct belay_http_call *call);

/* Names of headers or methods; list ends with NULL. */
bool belay__is_one_of(const char *name, const char *const *list);

/* ---- Requests: client_request, client_propagate, client_redirect ----------------------------- */

/* A call and what redirects have made of it. */
struct belay__outgoing {
	const struct belay_http_call *call;
	const char *method;
	char *url;
	bool with_body;
	bool streamed; /* the body is reply->upload */
	bool lost_body;   /* a redirect made it a GET: what describes the body goes too */
	bool same_origin; /* false: went to another host: what is secret stays behind */
	const char *first_method; /* before any redirect */
	unsigned attempts;        /* begun so far */
};

/* 0, or -EINVAL, -ENOMEM, with the reason. */
int belay__outgoing_init(struct belay__outgoing *request, const struct belay_http_call *call);
void belay__outgoing_fini(struct belay__outgoing *request);

/* Looks names up and sets reply->easy up. ctx is the exchange's. Where it fails reply->curl_text
 * says why, or nothing. */
int belay__outgoing_prepare(belay_ctx *ctx, const struct belay__outgoing *request,
			   belay_http_reply *reply);

/* True: the call has a header of that name. */
bool belay__call_has(const struct belay_http_call *call, const char *name);

/* Appends "name: value". False: out of memory. */
bool belay__add_header(struct curl_slist **list, const char *name, const char *value);

/* Appends what goes along from ctx. 0 or -ENOMEM. */
int belay__propagate(belay_ctx *ctx, const struct belay_http_call *call, struct curl_slist **list);

/* 1: request has been turned to where reply, a redirect, points; 0: reply is none; -EPROTO: it
 * points nowhere; -ENOMEM. */
int belay__redirect(struct belay__outgoing *request, const belay_http_reply *reply);

/* ---- Sending again: client_retry.c ----------------------------------------------------------- */

/* What a retry takes from the budget: a percent of it is a whole number. */
enum { BELAY__RETRY_TOKEN = 100 };

/* Fills in the defaults. 0 or -EINVAL. */
int belay__retry_options(struct belay_http_retry *retry);

/* Whether a request of that method may be sent more than once. */
bool belay__is_repeatable(const struct belay_http_call *call, const char *method);

/* A request begins: it is counted, and adds to the budget. */
void belay__retry_begin(belay_http_client *client);

/* How long to wait, in ns, before an attempt that ended with err, or with reply, is followed by
 * another, which is paid for; -1: it is not. ctx is the exchange's. */
int64_t belay__retry_wait(belay_ctx *ctx, belay_http_client *client,
			  const struct belay__outgoing *request, int err,
			  const belay_http_reply *reply);

/* ---- Errors: client_error.c ------------------------------------------------------------------ */

/* The errno, negative, for a transfer that ended so. */
int belay__curl_errno(CURL *easy, CURLcode code);

#endif
