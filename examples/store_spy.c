/* SPDX-License-Identifier: MIT
 *
 * store_spy.c - a slow store that stops when its request does, and a spy on what was answered.
 *
 * The store produces its answer letter by letter, in a task, through a channel. The handler puts
 * the letters together and answers. It is run twice without any socket, by a recorder that keeps
 * what was written: undisturbed, and with a client that goes away after 5 ms. In the second case
 * the store must hear of it, and not one byte may be written.
 */
#include <belay.h>
#include <belay/http.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

struct store {
	const char *answer;
	int64_t pause;       /* between two letters                        */
	belay_chan *letters; /* while it produces                          */
	bool told;           /* to stop; read when its task has returned   */
};

/* The task. Its channel is closed when the answer is complete and only then, so that a part of an
 * answer is never taken for the whole. */
static int produce(belay_ctx *ctx, void *arg)
{
	struct store *store = arg;
	const char *letter;
	int err = 0;

	for (letter = store->answer; *letter && err == 0; letter++) {
		err = belay_sleep(ctx, store->pause);
		if (err == 0)
			err = belay_send(ctx, store->letters, letter);
	}
	if (err == 0)
		err = belay_chan_close(store->letters);
	else
		store->told = true;
	return err;
}

/* Puts letters together until the channel is closed. 0; -EMSGSIZE: the buffer is too small; ctx's
 * error. */
static int collect(belay_ctx *ctx, belay_chan *letters, char *buf, size_t size)
{
	size_t n;
	int err;

	for (n = 0; n < size; n++) {
		err = belay_recv(ctx, letters, &buf[n]);
		if (err == -EPIPE) {
			buf[n] = '\0';
			return 0;
		}
		if (err < 0)
			return err;
	}
	return -EMSGSIZE;
}

/* The group is what makes this safe to call: the task has returned when fetch does, however that
 * comes about, so it may use the caller's store and the channel made here. */
static int fetch(belay_ctx *ctx, struct store *store, char *buf, size_t size)
{
	belay_group *group = belay_group_new(ctx);
	int err, joined;

	if (!group)
		return -ENOMEM;
	store->letters = belay_chan_new(sizeof(char), 0);
	err = store->letters ? belay_group_go(group, produce, store) : -ENOMEM;
	if (err == 0)
		err = collect(belay_group_ctx(group), store->letters, buf, size);
	if (err < 0) /* what can't be collected needn't be produced */
		belay_cancel(belay_group_ctx(group));
	joined = belay_group_wait(group);
	belay_chan_unref(store->letters);
	return err < 0 ? err : joined;
}

/* An error is returned as it came: nothing has been written then, and who called the handler knows
 * what to do about it. */
static int handle(belay_ctx *ctx, belay_request *req, belay_response *res)
{
	char answer[64];
	int err = fetch(ctx, belay_request_data(req), answer, sizeof answer);

	return err < 0 ? err : belay_response_puts(ctx, res, answer);
}

static void leave_soon(belay_ctx *request, void *arg)
{
	belay_sleep(request, BELAY_MS(5));
	belay_cancel_cause(request, -ECONNRESET, "client disconnected");
}

static void show(const char *when, const struct store *store, const belay_recorder *rec, int err)
{
	size_t size;
	const char *body = belay_recorder_get_body(rec, &size);

	printf("%s\n", when);
	printf("  the handler  %s\n", err < 0 ? belay_strerror(err) : "answered");
	printf("  the store    %s\n", store->told ? "was told to stop" : "came to its end");
	printf("  written      %zu bytes%s%s\n", size, size ? ": " : "", body);
}

static int spy(const char *when, struct store *store, bool disturbed)
{
	BELAY_SCOPED belay_ctx *request = belay_with_cancel(belay_background());
	belay_recorder *rec = belay_recorder_new("GET", "/");
	int err = rec ? 0 : -ENOMEM;

	if (err == 0 && disturbed)
		err = belay_go(request, leave_soon, NULL);
	if (err == 0)
		show(when, store, rec, belay_recorder_run(request, rec, handle, store));
	belay_recorder_free(rec);
	return err;
}

int main(void)
{
	struct store quick = {.answer = "hello, world", .pause = BELAY_MS(1)};
	struct store slow = {.answer = "hello, world", .pause = BELAY_MS(100)};
	int err = spy("undisturbed", &quick, false);

	if (err == 0)
		err = spy("the client goes away after 5 ms", &slow, true);
	if (err < 0)
		fprintf(stderr, "store_spy: %s\n", belay_strerror(err));
	belay_shutdown();
	return err < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
