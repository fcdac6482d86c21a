/* SPDX-License-Identifier: MIT
 *
 * flight.c - one call at a time for a key, shared by all who ask.
 *
 * A call is its result as well: it is made by the first asker, run by a task, and read by whoever
 * was answered.
 *
 * State       LISTED (askers may join) -> unlisted, once: by its end, or by its last asker's
 *             leaving.
 * Invariants  (1) refs = 1 for the task until it is through + 1 for each asker that has not
 *             returned + what askers were given and have not given up.
 *             (2) listed: askers > 0, and finished is false.
 *             (3) a listed call is the only one listed for its key.
 * Locking     the flight's lock guards the table, running, and of each call listed, askers and
 *             queue. Contexts are ended, tasks started and values released without it.
 * Memory      err and value are written under the lock before any asker is claimed, and read after
 *             the claim by its owner; then they never change.
 */
#include "sync/sync.h"

#include "base/alloc.h"
#include "task/task.h"

#include <errno.h>
#include <string.h>

struct belay_flight_result {
	_Atomic size_t refs;
	belay_flight *flight; /* for the task and the askers, not for who holds a result */
	void (*release)(void *value);
	belay_ctx *ctx;       /* the task's, which ends it */
	struct belay__task *task;

	belay_flight_result *next;
	bool listed;
	size_t askers;
	struct belay__list queue;

	int err;
	void *value;
	uint64_t hash;
	char key[];
};

/* ---- The table, with the lock held --------------------------------------------------------------
 *
 * Chains hang on a fixed number of heads, so that the object needs no memory of its own; 64 calls
 * under way are a chain of one, 6,400 one of a hundred. */

/* FNV-1a, 64 bits. */
static uint64_t hash_of(const char *key)
{
	uint64_t hash = UINT64_C(14695981039346656037);

	for (; *key; key++)
		hash = (hash ^ (unsigned char)*key) * UINT64_C(1099511628211);
	return hash;
}

static belay_flight_result **chain_of(belay_flight *flight, uint64_t hash)
{
	return &flight->calls[(hash ^ hash >> 32) % BELAY__FLIGHT_BUCKETS];
}

static belay_flight_result *find(belay_flight *flight, const char *key, uint64_t hash)
{
	belay_flight_result *call = *chain_of(flight, hash);

	while (call && (call->hash != hash || strcmp(call->key, key) != 0))
		call = call->next;
	return call;
}

static void list(belay_flight_result *call)
{
	belay_flight_result **head = chain_of(call->flight, call->hash);

	call->next = *head;
	call->listed = true;
	*head = call;
}

static void unlist(belay_flight_result *call)
{
	belay_flight_result **slot = chain_of(call->flight, call->hash);

	if (!call->listed)
		return;
	while (*slot != call)
		slot = &(*slot)->next;
	*slot = call->next;
	call->listed = false;
}

/* ---- The call's task ------------------------------------------------------------------------- */

/* Answers all who still ask; each has a reference already. */
static void answer(belay_flight_result *call, int err, void *value)
{
	struct belay_waiters *waiters = &call->flight->waiters;
	struct belay__list woken;

	belay__list_init(&woken);
	belay__waiters_take(waiters);
	unlist(call);
	call->err = err;
	call->value = err ? NULL : value;
	belay__queue_claim_all(&call->queue, &woken);
	belay__waiters_give(waiters);
	belay__wake_all(&woken);
}

/* The task's last touch of the flight, which may be gone when this returns. */
static void depart(belay_flight *flight)
{
	struct belay__list woken;

	belay__list_init(&woken);
	belay__waiters_take(&flight->waiters);
	if (--flight->running == 0)
		belay__queue_claim_all(belay__waiters_queue(&flight->waiters), &woken);
	belay__waiters_give(&flight->waiters);
	belay__wake_all(&woken);
}

static void run(belay_ctx *ctx, void *arg)
{
	belay_flight_result *call = arg;
	belay_flight *flight = call->flight;
	void *value = NULL;
	int err = flight->fn(ctx, call->key, flight->arg, &value);

	answer(call, err, value);
	belay__cancel_with(ctx, -ECANCELED, -ECANCELED, NULL, "the call has returned");
	belay_unref(call->ctx);
	belay_flight_unref(call);
	depart(flight);
}

/* ---- Making a call --------------------------------------------------------------------------- */

static belay_ctx *derive(belay_ctx *asker, const struct belay_site *site)
{
	belay_ctx *values = belay_without_cancel_at(asker, site);
	belay_ctx *ctx = belay_with_cancel_at(values, site);

	belay_unref(values);
	return ctx;
}

/* What the task needs, reserved here so that a listed call can't fail to start. */
static int prepare(belay_flight_result *call, belay_ctx *asker, const struct belay_site *site)
{
	int err;

	call->ctx = derive(asker, site);
	err = belay_err(call->ctx);
	if (!err) {
		call->task = belay__task_new(call->ctx, run, call, site);
		err = call->task ? 0 : -ENOMEM;
	}
	if (err)
		belay_unref(call->ctx);
	return err;
}

static int call_new(belay_ctx *asker, belay_flight *flight, const char *key, uint64_t hash,
		    const struct belay_site *site, belay_flight_result **ret)
{
	size_t size = strlen(key) + 1;
	belay_flight_result *call = belay__calloc(1, sizeof *call + size);
	int err;

	if (!call)
		return -ENOMEM;
	err = prepare(call, asker, site);
	if (err) {
		belay__free(call);
		return err;
	}
	atomic_init(&call->refs, 1);
	call->flight = flight;
	call->release = flight->release;
	call->hash = hash;
	memcpy(call->key, key, size);
	belay__list_init(&call->queue);
	*ret = call;
	return 0;
}

/* Another asker was quicker. */
static void discard(belay_flight_result *call)
{
	belay__task_discard(call->task);
	belay_end_at(call->ctx, NULL);
	belay__free(call);
}

/* ---- Asking ---------------------------------------------------------------------------------- */

/* Queues wait at the call under way, else at fresh, which is listed then. NULL where there is
 * neither. */
static belay_flight_result *join(belay_flight *flight, const char *key, uint64_t hash,
				 belay_flight_result *fresh, struct belay__wait *wait)
{
	belay_flight_result *call;

	belay__waiters_take(&flight->waiters);
	call = find(flight, key, hash);
	if (!call && fresh) {
		call = fresh;
		list(call);
		flight->running++;
	}
	if (call) {
		belay_flight_ref(call);
		call->askers++;
		belay__list_append(&call->queue, &wait->link);
	}
	belay__waiters_give(&flight->waiters);
	return call;
}

/* Joins the call for key, and starts it where none is under way. */
static int ask(belay_ctx *ctx, belay_flight *flight, const char *key, const struct belay_site *site,
	       struct belay__wait *wait, belay_flight_result **ret)
{
	uint64_t hash = hash_of(key);
	belay_flight_result *fresh;
	int err;

	*ret = join(flight, key, hash, NULL, wait);
	if (*ret)
		return 0;
	err = call_new(ctx, flight, key, hash, site, &fresh);
	if (err)
		return err;
	*ret = join(flight, key, hash, fresh, wait);
	if (*ret == fresh)
		belay__task_start(fresh->task);
	else
		discard(fresh);
	return 0;
}

/* The asker's context has ended. The last one to leave ends the call: nobody can join it any
 * more. */
static void leave(belay_flight_result *call, struct belay__wait *wait)
{
	belay_flight *flight = call->flight;
	belay_ctx *unwanted = NULL;

	belay__waiters_take(&flight->waiters);
	if (belay__list_linked(&wait->link))
		belay__list_remove(&wait->link);
	if (--call->askers == 0 && call->listed) {
		unlist(call);
		unwanted = belay_ref(call->ctx); /* still the task's: it was listed */
	}
	belay__waiters_give(&flight->waiters);
	if (unwanted)
		belay__cancel_with(unwanted, -ECANCELED, -ECANCELED, NULL,
				   "all who asked have gone");
	belay_unref(unwanted);
	belay_flight_unref(call);
}

/* Hands the asker's reference over to ret, or gives it up. */
static int take_result(belay_flight_result *call, belay_flight_result **ret)
{
	int err = call->err;

	if (!err && ret)
		*ret = call;
	else
		belay_flight_unref(call);
	return err;
}

/* ---- Public ---------------------------------------------------------------------------------- */

void belay_flight_init(belay_flight *flight,
		       int (*fn)(belay_ctx *ctx, const char *key, void *arg, void **ret),
		       void (*release)(void *value), void *arg)
{
	*flight = (belay_flight)BELAY_FLIGHT_INIT(fn, release, arg);
}

int belay_flight_do_at(belay_ctx *ctx, belay_flight *flight, const char *key,
		       belay_flight_result **ret, const struct belay_site *site)
{
	struct belay__waiter waiter;
	struct belay__wait wait;
	belay_flight_result *call;
	int err = key ? belay_err(ctx) : -EINVAL;

	if (err)
		return err;
	belay__waiter_init(&waiter);
	waiter.why = BELAY__WHY_SYNC;
	belay__wait_init(&wait, &waiter);
	err = ask(ctx, flight, key, site, &wait, &call);
	if (err)
		return err;
	if (belay__block(ctx, &waiter))
		return take_result(call, ret);
	leave(call, &wait);
	return belay_err(ctx);
}

int (belay_flight_do)(belay_ctx *ctx, belay_flight *flight, const char *key,
		      belay_flight_result **ret)
{
	return belay_flight_do_at(ctx, flight, key, ret, NULL);
}

int belay_flight_wait(belay_ctx *ctx, belay_flight *flight)
{
	struct belay__waiter waiter;
	struct belay__wait wait;
	int err = belay_err(ctx);

	if (err)
		return err;
	belay__waiters_take(&flight->waiters);
	if (flight->running == 0) {
		belay__waiters_give(&flight->waiters);
		return 0;
	}
	belay__waiter_init(&waiter);
	waiter.why = BELAY__WHY_SYNC;
	belay__wait_init(&wait, &waiter);
	return belay__waiters_wait(ctx, &flight->waiters, &wait);
}

size_t belay_flight_askers(belay_flight *flight, const char *key)
{
	belay_flight_result *call;
	size_t askers;

	belay__waiters_take(&flight->waiters);
	call = find(flight, key, hash_of(key));
	askers = call ? call->askers : 0;
	belay__waiters_give(&flight->waiters);
	return askers;
}

void *belay_flight_value(const belay_flight_result *result)
{
	return result->value;
}

/* Relaxed: who adds one has one. */
belay_flight_result *belay_flight_ref(belay_flight_result *result)
{
	if (result)
		atomic_fetch_add_explicit(&result->refs, 1, memory_order_relaxed);
	return result;
}

/* Release, and acquire by the last one: what all others did with the value comes before its end. */
void belay_flight_unref(belay_flight_result *result)
{
	if (!result || atomic_fetch_sub_explicit(&result->refs, 1, memory_order_acq_rel) != 1)
		return;
	if (result->value && result->release)
		result->release(result->value);
	belay__free(result);
}
