/* SPDX-License-Identifier: MIT
 *
 * client_retry.c - whether and when a request is sent again.
 *
 * Only what is safe to repeat is: methods that are idempotent (RFC 9110, section 9.2.2), or what
 * the caller says may be. Only where the next attempt may do better: there was no reply, or one
 * that asks to come again (429, 503; RFC 6585, section 4, and RFC 9110, section 15.6.4).
 *
 * Waits grow by powers of two and are drawn evenly from zero to that ("full jitter"; M. Brooker,
 * Exponential Backoff And Jitter, AWS 2015), so that those who failed together don't come back
 * together. One that would outlast the context's deadline is not begun.
 *
 * The budget  keeps retries from multiplying the load of a peer that is down already: each request
 *             of the client's adds a part of a token, each retry takes a whole one, and without one
 *             there is no retry (as in Finagle's RetryBudget and gRPC's retry throttling).
 * Memory      tokens is relaxed: only its own sum matters.
 */
#include "client.h"

#include "http/client_count.h"
#include "http/date.h"
#include "wait/timer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define DEFAULT_BASE BELAY_MS(50)
#define DEFAULT_LONGEST BELAY_S(5)
enum { DEFAULT_PERCENT = 10, DEFAULT_BURST = 10, MOST_BURST = 1000000 };

/* ---- The budget ------------------------------------------------------------------------------ */

int belay__retry_options(struct belay_http_retry *retry)
{
	if (retry->base < 0 || retry->longest < 0 || retry->percent > 100 ||
	    retry->burst > MOST_BURST)
		return -EINVAL;
	retry->base = retry->base ? retry->base : DEFAULT_BASE;
	retry->longest = retry->longest ? retry->longest : DEFAULT_LONGEST;
	retry->percent = retry->percent ? retry->percent : DEFAULT_PERCENT;
	retry->burst = retry->burst ? retry->burst : DEFAULT_BURST;
	return 0;
}

static void earn(belay_http_client *client)
{
	const struct belay_http_retry *retry = &client->options.retry;
	int64_t most = (int64_t)retry->burst * BELAY__RETRY_TOKEN;
	int64_t had = atomic_load_explicit(&client->retry_tokens, memory_order_relaxed), has;

	do {
		has = had + retry->percent;
		has = has < most ? has : most;
	} while (!atomic_compare_exchange_weak_explicit(&client->retry_tokens, &had, has,
							memory_order_relaxed,
							memory_order_relaxed));
}

static bool spend(belay_http_client *client)
{
	int64_t had = atomic_load_explicit(&client->retry_tokens, memory_order_relaxed);

	do {
		if (had < BELAY__RETRY_TOKEN)
			return false;
	} while (!atomic_compare_exchange_weak_explicit(&client->retry_tokens, &had,
							had - BELAY__RETRY_TOKEN,
							memory_order_relaxed,
							memory_order_relaxed));
	return true;
}

/* ---- Whether --------------------------------------------------------------------------------- */

bool belay__is_repeatable(const struct belay_http_call *call, const char *method)
{
	static const char *const idempotent[] = {"GET", "HEAD",	  "PUT", "DELETE",
						 "OPTIONS", "TRACE", NULL};

	for (const char *const *one = idempotent; *one; one++)
		if (strcmp(method, *one) == 0)
			return true;
	return call->repeatable;
}

/* The peer, or the way to it, may be back in a moment. */
static bool may_pass(int err)
{
	switch (err) {
	case -ECONNREFUSED:
	case -ECONNRESET:
	case -EPIPE:
	case -ETIMEDOUT:
	case -ENETDOWN:
	case -ENETUNREACH:
	case -EHOSTUNREACH:
		return true;
	default:
		return false;
	}
}

static bool asks_again(const belay_http_reply *reply)
{
	int status = belay_http_reply_status(reply);

	return status == 429 || status == 503;
}

static enum belay__client_count reason_of(int err, const belay_http_reply *reply)
{
	switch (err) {
	case 0:
		return belay_http_reply_status(reply) == 429 ? BELAY__COUNT_429 : BELAY__COUNT_503;
	case -ECONNREFUSED:
		return BELAY__COUNT_REFUSED;
	case -ETIMEDOUT:
		return BELAY__COUNT_TIMED_OUT;
	case -ECONNRESET:
	case -EPIPE:
		return BELAY__COUNT_RESET;
	default:
		return BELAY__COUNT_UNREACHABLE;
	}
}

/* ---- When ------------------------------------------------------------------------------------ */

/* Evenly from 0 to most; without random numbers the whole of it. */
static int64_t random_to(int64_t most)
{
	uint64_t random;

	if (getrandom(&random, sizeof random, GRND_NONBLOCK) != sizeof random)
		return most;
	return (int64_t)(random % ((uint64_t)most + 1));
}

static int64_t backoff(const struct belay_http_retry *retry, unsigned done)
{
	int64_t most = retry->base;

	while (done-- > 0 && most < retry->longest)
		most = most > retry->longest / 2 ? retry->longest : 2 * most;
	return random_to(most < retry->longest ? most : retry->longest);
}

/* Seconds, which may be too many to count, or a date; 0: it says nothing that can be understood
 * (RFC 9110, section 10.2.3). */
static int64_t retry_after(const belay_http_reply *reply)
{
	const char *text = belay_http_reply_header(reply, "Retry-After");
	size_t digits = text ? strspn(text, "0123456789") : 0;
	time_t when;

	if (digits > 0 && text[digits] == '\0')
		return digits > 9 ? BELAY_FOREVER : BELAY_S(strtol(text, NULL, 10));
	if (!text || belay__date_parse(text, &when) < 0)
		return 0;
	when -= time(NULL);
	return when <= 0 ? 0 : when > BELAY_FOREVER / BELAY_S(1) ? BELAY_FOREVER : BELAY_S(when);
}

/* Who sets no deadline does not want to wait for hours either. */
static bool is_in_time(belay_ctx *ctx, const struct belay_http_retry *retry, int64_t wait)
{
	int64_t when;

	if (belay_deadline(ctx, &when))
		return wait < belay__until(when);
	return wait <= retry->longest;
}

int64_t belay__retry_wait(belay_ctx *ctx, belay_http_client *client,
			  const struct belay__outgoing *request, int err,
			  const belay_http_reply *reply)
{
	const struct belay_http_retry *retry = &client->options.retry;
	int64_t wait, asked = err == 0 ? retry_after(reply) : 0;

	if (request->attempts > retry->most || belay_err(ctx) < 0 ||
	    !belay__is_repeatable(request->call, request->first_method))
		return -1;
	if (err < 0 ? !may_pass(err) : !asks_again(reply))
		return -1;
	wait = backoff(retry, request->attempts - 1);
	if (wait < asked)
		wait = asked;
	if (!is_in_time(ctx, retry, wait)) {
		belay__client_counted(BELAY__COUNT_DEADLINE);
		return -1;
	}
	if (!spend(client)) {
		belay__client_counted(BELAY__COUNT_BUDGET);
		return -1;
	}
	belay__client_counted(reason_of(err, reply));
	return wait;
}

void belay__retry_begin(belay_http_client *client)
{
	belay__client_counted(BELAY__COUNT_REQUESTS);
	if (client->options.retry.most > 0)
		earn(client);
}
