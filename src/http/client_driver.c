/* SPDX-License-Identifier: MIT
 *
 * client_driver.c - the task that drives curl's multi handle.
 *
 * curl tells which sockets it waits for and until when. The sockets stand in an epoll descriptor of
 * the client's own, beside a timer and the eventfd of the queue; the task waits for that one
 * descriptor as for any other. Nothing that it calls blocks: names are looked up by the callers.
 *
 * States      of a reply, to the driver: queued -> running -> gone. The driver's reference covers
 *             queued for ADD and running.
 * Invariants  (1) A reply stands in running exactly while its curl handle is in the multi handle.
 *             (2) The eventfd is readable whenever the queue is not empty and the driver sleeps.
 * Locking     client->lock guards the queue. It is never held while curl is called.
 */
#include "client.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

enum { MOST_EVENTS = 64, MOST_IDLE = 100 };

#define RETRY_NS BELAY_MS(1)

static const char closed_text[] = "the client was closed";

/* ---- Asking ---------------------------------------------------------------------------------- */

/* Only the first entry of a queue wakes the driver: it empties the queue whenever it wakes. */
bool belay__driver_ask(belay_http_reply *reply, enum belay__operation operation)
{
	belay_http_client *client = reply->client;
	bool stopped, first;

	belay__client_lock(&client->lock);
	stopped = client->stopped;
	first = !stopped && belay__list_empty(&client->queue);
	if (!stopped) {
		if (reply->operations == 0)
			belay__list_append(&client->queue, &belay__reply_ref(reply)->queued);
		reply->operations |= operation;
	}
	belay__client_unlock(&client->lock);
	if (first)
		eventfd_write(client->wake_fd, 1);
	return !stopped;
}

/* The oldest entry with its reference; NULL: the queue is empty. */
static belay_http_reply *next_asked(belay_http_client *client, unsigned *ret_operations)
{
	belay_http_reply *reply = NULL;
	struct belay__list *link;

	belay__client_lock(&client->lock);
	link = belay__list_pop(&client->queue);
	if (link) {
		reply = belay__container(link, belay_http_reply, queued);
		*ret_operations = reply->operations;
		reply->operations = 0;
	}
	belay__client_unlock(&client->lock);
	return reply;
}

/* ---- What curl waits for --------------------------------------------------------------------- */

/* The reply of a handle that runs; NULL: one that has no reply (curl's own), or that is being
 * removed. */
static belay_http_reply *running_reply(CURL *easy)
{
	char *private = NULL;
	belay_http_reply *reply;

	curl_easy_getinfo(easy, CURLINFO_PRIVATE, &private);
	reply = (belay_http_reply *)(void *)private;
	return reply && belay__list_linked(&reply->link) ? reply : NULL;
}

/* Fails the exchange whose socket can't be watched: outside, since curl is calling us. One that is
 * being removed needs no more events. */
static void cant_watch(struct belay__driver *driver, CURL *easy, int err)
{
	belay_http_reply *reply = running_reply(easy);

	if (!reply)
		return;
	reply->failure = err;
	belay__list_remove(&reply->link);
	belay__list_append(&driver->unwatched, &reply->link);
}

/* Curl waits for nothing but more of a body: where the peer has closed, that is of no use to
 * anybody, and curl would not say so before it comes. */
static void look_for_end(struct belay__driver *driver, CURL *easy, curl_socket_t fd)
{
	belay_http_reply *reply = running_reply(easy);
	char next;

	if (reply && belay__upload_is_starved(reply) &&
	    recv(fd, &next, 1, MSG_PEEK | MSG_DONTWAIT) == 0)
		cant_watch(driver, easy, -ECONNRESET);
}

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *socket)
{
	struct belay__driver *driver = arg;
	int err;

	(void)socket;
	if (what == CURL_POLL_REMOVE) {
		belay__sockets_unwatch(&driver->sockets, fd);
		look_for_end(driver, easy, fd);
		return 0;
	}
	err = belay__sockets_watch(&driver->sockets, fd,
				   (what & CURL_POLL_IN ? EPOLLIN : 0u) |
					   (what & CURL_POLL_OUT ? EPOLLOUT : 0u));
	if (err)
		cant_watch(driver, easy, err);
	return 0;
}

/* Another address may do better: the last one's error counts, if none does. */
curl_socket_t belay__driver_open(void *arg, curlsocktype purpose, struct curl_sockaddr *address)
{
	belay_http_reply *reply = arg;
	int fd = belay__sockets_open(&reply->client->driver.sockets, address->family,
				     address->socktype, address->protocol);

	(void)purpose;
	reply->connect_error = fd < 0 ? fd : 0;
	return fd < 0 ? CURL_SOCKET_BAD : fd;
}

int belay__driver_close(void *arg, curl_socket_t fd)
{
	struct belay__driver *driver = arg;

	belay__sockets_close(&driver->sockets, fd);
	return 0;
}

/* Never: -1. At once: the shortest time that does not disarm. */
static int on_timer(CURLM *multi, long ms, void *arg)
{
	struct belay__driver *driver = arg;
	struct itimerspec when = {.it_value = {ms / 1000, ms % 1000 * 1000000}};

	(void)multi;
	if (ms < 0)
		when.it_value = (struct timespec){0, 0};
	else if (ms == 0)
		when.it_value.tv_nsec = 1;
	timerfd_settime(driver->timer_fd, 0, &when, NULL);
	return 0;
}

/* ---- Replies come and go --------------------------------------------------------------------- */

static void retire(struct belay__driver *driver, belay_http_reply *reply, int result,
		   const char *text)
{
	belay__list_remove(&reply->link);
	curl_multi_remove_handle(driver->multi, reply->easy);
	belay__reply_finish(reply, result, text);
	belay__reply_unref(reply);
}

/* A connection that failed may have been tried at addresses that are out of date. */
static void forget_addresses(belay_http_reply *reply, CURLcode code)
{
	if (code != CURLE_COULDNT_CONNECT && code != CURLE_OPERATION_TIMEDOUT)
		return;
	for (struct curl_slist *entry = reply->addresses; entry; entry = entry->next)
		belay__names_forget(&reply->client->names, entry->data);
}

/* What the end of a transfer comes to. curl is content where the peer closes within the head, or
 * speaks another protocol after it, unasked. */
static int result_of(belay_http_reply *reply, CURLcode code)
{
	if (reply->failure)
		return reply->failure;
	if (code == CURLE_COULDNT_CONNECT && reply->connect_error)
		return reply->connect_error;
	if (code == CURLE_OK && !reply->head.whole)
		return reply->head.status == 101 ? -EPROTO : -ECONNRESET;
	return belay__curl_errno(reply->easy, code);
}

static const char *text_of(belay_http_reply *reply, int result, CURLcode code)
{
	if (result == 0)
		return NULL;
	if (reply->failure)
		return belay_strerror(reply->failure);
	if (code == CURLE_OK)
		return "the connection ended before the head of the reply did";
	return *reply->curl_text ? reply->curl_text : curl_easy_strerror(code);
}

static void transfer_done(struct belay__driver *driver, CURL *easy, CURLcode code)
{
	belay_http_reply *reply;
	char *private = NULL;
	int result;

	curl_easy_getinfo(easy, CURLINFO_PRIVATE, &private);
	reply = (belay_http_reply *)(void *)private;
	result = result_of(reply, code);
	forget_addresses(reply, code);
	retire(driver, reply, result, text_of(reply, result, code));
}

static belay_http_reply *first_of(struct belay__list *list)
{
	if (belay__list_empty(list))
		return NULL;
	return belay__container(list->next, belay_http_reply, link);
}

/* Where curl fails as a whole, out of memory, it may have lost sight of any of its transfers, and
 * does not say which. */
static void fail_all(struct belay__driver *driver)
{
	int result = driver->failure == CURLM_OUT_OF_MEMORY ? -ENOMEM : -EIO;
	const char *text = curl_multi_strerror(driver->failure);
	belay_http_reply *reply;

	driver->failure = CURLM_OK;
	while ((reply = first_of(&driver->running)))
		retire(driver, reply, result, text);
}

static void collect_done(struct belay__driver *driver)
{
	belay_http_reply *reply;
	CURLMsg *message;
	int left;

	while ((message = curl_multi_info_read(driver->multi, &left)))
		if (message->msg == CURLMSG_DONE)
			transfer_done(driver, message->easy_handle, message->data.result);
	while ((reply = first_of(&driver->unwatched)))
		retire(driver, reply, reply->failure, belay_strerror(reply->failure));
	if (driver->failure != CURLM_OK)
		fail_all(driver);
}

/* Its context may be done by now, which the hook has told before we were asked to start: or it will
 * tell, and a REMOVE follows. */
static void start(struct belay__driver *driver, belay_http_reply *reply)
{
	CURLMcode code;

	if (belay__reply_is_finished(reply))
		return;
	belay__list_append(&driver->running, &belay__reply_ref(reply)->link);
	code = curl_multi_add_handle(driver->multi, reply->easy);
	if (code != CURLM_OK)
		retire(driver, reply, code == CURLM_OUT_OF_MEMORY ? -ENOMEM : -EIO,
		       curl_multi_strerror(code));
}

/* A transfer that has no connection any more is over, and its message is yet to be collected. */
static void go_on(struct belay__driver *driver, belay_http_reply *reply)
{
	CURLcode code = curl_easy_pause(reply->easy, CURLPAUSE_CONT);
	int result = result_of(reply, code);

	if (code != CURLE_OK && code != CURLE_BAD_FUNCTION_ARGUMENT)
		retire(driver, reply, result, text_of(reply, result, code));
}

/* A transfer that is taken away before its end loses its connection: that is the cancellation. Over
 * HTTP/2 its stream is reset, which curl writes down but sends with whatever comes next; so where
 * nobody else uses the connection, that is closed too, and the peer learns of it now. */
static void cut(struct belay__driver *driver, belay_http_reply *reply)
{
	curl_easy_setopt(reply->easy, CURLOPT_FORBID_REUSE, 1L);
	retire(driver, reply, -ECONNABORTED, NULL);
}

static void operate(struct belay__driver *driver, belay_http_reply *reply, unsigned operations)
{
	bool running = belay__list_linked(&reply->link);

	if (operations & BELAY__OP_REMOVE) {
		if (running)
			cut(driver, reply);
		return;
	}
	if (operations & BELAY__OP_ADD)
		start(driver, reply);
	else if (running)
		go_on(driver, reply);
}

static void operate_all(belay_http_client *client)
{
	belay_http_reply *reply;
	unsigned operations;
	eventfd_t ignored;

	eventfd_read(client->wake_fd, &ignored);
	while ((reply = next_asked(client, &operations))) {
		operate(&client->driver, reply, operations);
		belay__reply_unref(reply);
	}
}

/* ---- The loop -------------------------------------------------------------------------------- */

static void act(struct belay__driver *driver, curl_socket_t fd, int mask)
{
	int running;
	CURLMcode code = curl_multi_socket_action(driver->multi, fd, mask, &running);

	if (code != CURLM_OK)
		driver->failure = code;
}

static void on_time(struct belay__driver *driver)
{
	uint64_t expirations;

	if (read(driver->timer_fd, &expirations, sizeof expirations) > 0)
		act(driver, CURL_SOCKET_TIMEOUT, 0);
}

static void on_event(belay_http_client *client, const struct epoll_event *event)
{
	struct belay__driver *driver = &client->driver;
	int mask = 0;

	if (!belay__sockets_expect(&driver->sockets, event->data.fd))
		return;
	if (event->data.fd == client->wake_fd) {
		operate_all(client);
		return;
	}
	if (event->data.fd == driver->timer_fd) {
		on_time(driver);
		return;
	}
	if (event->events & EPOLLIN)
		mask |= CURL_CSELECT_IN;
	if (event->events & EPOLLOUT)
		mask |= CURL_CSELECT_OUT;
	if (event->events & (EPOLLERR | EPOLLHUP))
		mask |= CURL_CSELECT_ERR;
	act(driver, event->data.fd, mask);
}

/* One by one: what is done about one event may close the socket of the next, and its number be
 * another's by then. The rest is there at the next turn, after others have had the worker. */
static void turn(belay_http_client *client)
{
	struct epoll_event event;

	for (int i = 0; i < MOST_EVENTS; i++) {
		if (epoll_wait(client->driver.sockets.epoll_fd, &event, 1, 0) != 1)
			break;
		on_event(client, &event);
	}
	collect_done(&client->driver);
}

static void refuse_more(belay_http_client *client)
{
	belay_http_reply *reply;
	unsigned operations;

	belay__client_lock(&client->lock);
	client->stopped = true;
	belay__client_unlock(&client->lock);
	while ((reply = next_asked(client, &operations))) {
		belay__reply_finish(reply, -ESHUTDOWN, closed_text);
		belay__reply_unref(reply);
	}
}

/* Nothing is queued any more, what runs is let go, and the connections are closed. */
static void stop(belay_http_client *client)
{
	struct belay__driver *driver = &client->driver;
	belay_http_reply *reply;

	refuse_more(client);
	while ((reply = first_of(&driver->running)) || (reply = first_of(&driver->unwatched)))
		retire(driver, reply, -ESHUTDOWN, closed_text);
	curl_multi_cleanup(driver->multi);
	driver->multi = NULL;
}

/* Where there is no memory to wait with, all who ask are told so, until others have given some
 * back. */
static void go_without_memory(belay_ctx *ctx, belay_http_client *client)
{
	client->driver.failure = CURLM_OUT_OF_MEMORY;
	turn(client);
	if (belay_sleep(ctx, RETRY_NS) != 0)
		belay_yield();
}

int belay__driver_run(belay_ctx *ctx, void *arg)
{
	belay_http_client *client = arg;

	while (belay_err(ctx) == 0) {
		int r = belay_wait_fd(ctx, client->driver.sockets.epoll_fd, BELAY_READABLE);

		if (r > 0)
			turn(client);
		else if (r == -ENOMEM)
			go_without_memory(ctx, client);
		else
			break;
	}
	stop(client);
	return 0;
}

/* ---- Before and after ------------------------------------------------------------------------ */

static int multi_init(belay_http_client *client)
{
	const struct belay_http_client_options *options = &client->options;
	long idle = options->max_idle ? options->max_idle : MOST_IDLE;
	long per_host = options->max_per_host;
	CURLM *multi = curl_multi_init();

	client->driver.multi = multi;
	if (!multi || curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, on_socket) ||
	    curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, &client->driver) ||
	    curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, on_timer) ||
	    curl_multi_setopt(multi, CURLMOPT_TIMERDATA, &client->driver) ||
	    curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, idle) ||
	    curl_multi_setopt(multi, CURLMOPT_MAX_HOST_CONNECTIONS, per_host))
		return -ENOMEM;
	return 0;
}

static int descriptors_init(belay_http_client *client)
{
	struct belay__driver *driver = &client->driver;
	int err = belay__sockets_init(&driver->sockets);

	client->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (client->wake_fd < 0 && err == 0)
		err = -errno;
	driver->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	if (driver->timer_fd < 0 && err == 0)
		err = -errno;
	if (err == 0)
		err = belay__sockets_watch(&driver->sockets, client->wake_fd, EPOLLIN);
	return err ? err : belay__sockets_watch(&driver->sockets, driver->timer_fd, EPOLLIN);
}

static void close_if_open(int fd)
{
	if (fd >= 0)
		close(fd);
}

/* The driver has stopped, or never ran, also because belay__driver_init() failed. */
void belay__driver_fini(struct belay_http_client *client)
{
	if (client->driver.multi)
		curl_multi_cleanup(client->driver.multi);
	close_if_open(client->driver.timer_fd);
	close_if_open(client->wake_fd);
	belay__sockets_fini(&client->driver.sockets);
}

int belay__driver_init(struct belay_http_client *client)
{
	int err;

	belay__list_init(&client->driver.running);
	belay__list_init(&client->driver.unwatched);
	err = descriptors_init(client);
	return err ? err : multi_init(client);
}
