/* SPDX-License-Identifier: MIT
 *
 * sync.h - locks and meeting points whose every wait takes a context.
 *
 * Each object is embedded in its owner's memory, holds nothing that must be freed, and is ready
 * after its static initialiser; where that takes no argument, zeroed memory (belay_alloc(),
 * calloc(3)) is ready too. Once used an object must not be copied or moved. Threads and tasks may
 * share one.
 *
 * Whatever can wait takes a context first, and returns that context's error where it is done on
 * entry or ends before the wait does: then nothing has been taken, and the call has left its queue.
 * All queues are first in, first out; what is given up goes to the next in the queue, not to
 * whoever comes by. An object may be freed as soon as the last call on it that matters to its owner
 * has returned: the one who unlocks, releases or signals does not touch it after it has let
 * somebody go on.
 */
#ifndef BELAY_SYNC_H
#define BELAY_SYNC_H

#include <belay/context.h>

BELAY_BEGIN_DECLS

/* A short lock and those who wait behind it. Private; zeroed is free and empty. */
struct belay_waiters {
	uint32_t lock;
	void *first, *last;
};

#define BELAY__WAITERS_INIT {0, NULL, NULL}

/* ---- Mutex: one at a time -----------------------------------------------------------------------
 *
 * Belongs to nobody in particular: another thread or task than the one that locked it may unlock
 * it. Not recursive. */

typedef struct belay_mutex {
	struct belay_waiters waiters;
	bool locked;
} belay_mutex;

#define BELAY_MUTEX_INIT {BELAY__WAITERS_INIT, false}

/* Blocks until the mutex is the caller's. 0; the context's error: it is not. */
BELAY_EXPORT BELAY_MUST_CHECK int belay_mutex_lock(BELAY_BORROWED belay_ctx *ctx,
						   belay_mutex *mutex);

/* 0, or -EAGAIN where it would block. */
BELAY_EXPORT BELAY_MUST_CHECK int belay_mutex_try_lock(belay_mutex *mutex);

/* Hands it to the first who waits, else frees it. Does not block. 0; -EPERM: it was not locked. */
BELAY_EXPORT int belay_mutex_unlock(belay_mutex *mutex);

/* ---- Read-write lock: many readers or one writer ------------------------------------------------
 *
 * Fair to both: readers that come after a waiting writer wait behind it. So a reader must not take
 * the lock a second time: a writer between the two would wait for the first, and it for the
 * writer. */

typedef struct belay_rwlock {
	struct belay_waiters waiters;
	size_t readers;
	bool writer;
} belay_rwlock;

#define BELAY_RWLOCK_INIT {BELAY__WAITERS_INIT, 0, false}

/* Blocks while a writer has the lock or waits for it. 0; the context's error. */
BELAY_EXPORT BELAY_MUST_CHECK int belay_rwlock_read_lock(BELAY_BORROWED belay_ctx *ctx,
							 belay_rwlock *rwlock);

/* Blocks while anybody has the lock. 0; the context's error. */
BELAY_EXPORT BELAY_MUST_CHECK int belay_rwlock_write_lock(BELAY_BORROWED belay_ctx *ctx,
							  belay_rwlock *rwlock);

/* 0, or -EAGAIN where it would block. */
BELAY_EXPORT BELAY_MUST_CHECK int belay_rwlock_try_read_lock(belay_rwlock *rwlock);
BELAY_EXPORT BELAY_MUST_CHECK int belay_rwlock_try_write_lock(belay_rwlock *rwlock);

/* Let in the next writer, or the next readers up to a writer. Do not block. 0; -EPERM: no reader
 * (no writer) has the lock. */
BELAY_EXPORT int belay_rwlock_read_unlock(belay_rwlock *rwlock);
BELAY_EXPORT int belay_rwlock_write_unlock(belay_rwlock *rwlock);

/* ---- Condition: wait for a change to what a mutex guards ------------------------------------- */

typedef struct belay_cond {
	struct belay_waiters waiters;
} belay_cond;

#define BELAY_COND_INIT {BELAY__WAITERS_INIT}

/* Unlocks the mutex, which the caller must have, blocks until signalled, and locks it again.
 * Returns with the mutex locked in every case, and waits for it even where ctx is done. 0: this
 * call was signalled, and no other was for the same signal. The context's error: no signal was used
 * up. Never wakes without a reason; still others may have come in between, so look again:
 *
 *     while (!ready && (err = belay_cond_wait(ctx, &cond, &mutex)) == 0)
 *             ;
 */
BELAY_EXPORT BELAY_MUST_CHECK int belay_cond_wait(BELAY_BORROWED belay_ctx *ctx, belay_cond *cond,
						  belay_mutex *mutex);

/* Wakes the one that has waited longest, or all of them. Who does not wait yet is not woken; change
 * what the mutex guards while holding it, and no signal is missed. Do not block. */
BELAY_EXPORT void belay_cond_signal(belay_cond *cond);
BELAY_EXPORT void belay_cond_broadcast(belay_cond *cond);

/* ---- Semaphore: so many permits -------------------------------------------------------------- */

typedef struct belay_sem {
	struct belay_waiters waiters;
	size_t permits;
} belay_sem;

#define BELAY_SEM_INIT(permits) {BELAY__WAITERS_INIT, (permits)}

/* The same for memory that is the program's own; nobody may be using sem. */
BELAY_EXPORT void belay_sem_init(belay_sem *sem, size_t permits);

/* Blocks until n permits are free at once and nobody waits before the caller: one that asks for
 * many holds up those behind it, and is never starved by them. n may be 0. 0: all n are taken; the
 * context's error: none is. */
BELAY_EXPORT BELAY_MUST_CHECK int belay_sem_acquire(BELAY_BORROWED belay_ctx *ctx, belay_sem *sem,
						    size_t n);

/* 0, or -EAGAIN where it would block. */
BELAY_EXPORT BELAY_MUST_CHECK int belay_sem_try_acquire(belay_sem *sem, size_t n);

/* Gives back (or adds) n permits. Does not block. 0; -EOVERFLOW: more than SIZE_MAX would be free,
 * and none is given. */
BELAY_EXPORT int belay_sem_release(belay_sem *sem, size_t n);

/* ---- Wait group: until all are done ---------------------------------------------------------- */

typedef struct belay_wg {
	struct belay_waiters waiters;
	size_t count;
} belay_wg;

#define BELAY_WG_INIT {BELAY__WAITERS_INIT, 0}

/* n more to wait for: before they are started, not by themselves. 0; -EOVERFLOW: more than
 * SIZE_MAX, and none is added. Does not block. */
BELAY_EXPORT int belay_wg_add(belay_wg *wg, size_t n);

/* One is done; the last one wakes all that wait. 0; -EPERM: none was left. Does not block. */
BELAY_EXPORT int belay_wg_done(belay_wg *wg);

/* Blocks until none is left. 0 (whatever is added after that moment), or the context's error. */
BELAY_EXPORT BELAY_MUST_CHECK int belay_wg_wait(BELAY_BORROWED belay_ctx *ctx, belay_wg *wg);

/* ---- Once: until it has succeeded ------------------------------------------------------------ */

typedef struct belay_once {
	int state;
	struct belay_waiters waiters;
	void *runner;
} belay_once;

#define BELAY_ONCE_INIT {0, BELAY__WAITERS_INIT, NULL}

/* Sees to it that fn has succeeded, once. Where it has: 0 at once. Where nobody runs it: runs
 * fn(ctx, arg) here. Where somebody does: blocks until that is over. An fn that returns anything
 * but 0 has failed; then the next who waits runs its own. 0: fn has succeeded, here or elsewhere,
 * and what it wrote is visible; what fn returned, where it ran here and failed; the context's
 * error; -EDEADLK: called from inside fn, for the same once. */
BELAY_EXPORT BELAY_MUST_CHECK int belay_once_do(BELAY_BORROWED belay_ctx *ctx, belay_once *once,
						int (*fn)(belay_ctx *ctx, void *arg), void *arg);

/* ---- Flight: one call at a time for a key, shared by all who ask --------------------------------
 *
 * A flight stands for one function from keys to values (a look-up, a fetch, a computation). While a
 * call for a key is under way, all who ask for that key wait for that one call and share its value;
 * who asks after it has ended starts a new one: a flight is not a cache.
 *
 * Each call runs in a task of its own, under a context with the values of the first asker's and no
 * end but its own: an asker whose context ends leaves, and the call goes on for the others. When
 * the last one has left, the call's context is cancelled with the cause "all who asked have gone",
 * and the next asker starts a new call, even while the old one has not returned yet.
 *
 * Who owns what: fn and arg belong to the flight, not to an asker, so they outlive every call; the
 * key is copied. The value belongs to all who were answered together, each of whom holds a
 * reference to the result; with the last one release(value) runs, on the thread that gave it up, no
 * lock held. */

typedef struct belay_flight_result belay_flight_result;

enum { BELAY__FLIGHT_BUCKETS = 64 };

typedef struct belay_flight {
	int (*fn)(belay_ctx *ctx, const char *key, void *arg, void **ret);
	void (*release)(void *value);
	void *arg;
	struct belay_waiters waiters;
	size_t running;
	belay_flight_result *calls[BELAY__FLIGHT_BUCKETS];
} belay_flight;

/* fn(ctx, key, arg, &value) returns 0 with a value (NULL is one, and is not released), or an error
 * and no value; release may be NULL: values are borrowed. */
#define BELAY_FLIGHT_INIT(fn, release, arg)                                                        \
	{(fn), (release), (arg), BELAY__WAITERS_INIT, 0, {NULL}}

/* The same for memory that is the program's own; nobody may be using flight. */
BELAY_EXPORT void belay_flight_init(belay_flight *flight,
				    int (*fn)(belay_ctx *ctx, const char *key, void *arg,
					      void **ret),
				    void (*release)(void *value), void *arg);

/* Blocks until the call for key, which this starts where none is under way, has ended. 0 and *ret,
 * a reference (ret may be NULL: thrown away); what fn returned, the same for all; the context's
 * error; -ENOMEM: it could not be started; -EINVAL: key is NULL. fn must not ask for its own
 * key. */
BELAY_EXPORT BELAY_MUST_CHECK int belay_flight_do(BELAY_BORROWED belay_ctx *ctx,
						  belay_flight *flight, const char *key,
						  belay_flight_result **ret);
BELAY_EXPORT BELAY_MUST_CHECK int belay_flight_do_at(BELAY_BORROWED belay_ctx *ctx,
						     belay_flight *flight, const char *key,
						     belay_flight_result **ret,
						     const struct belay_site *site);
#define belay_flight_do(...) belay_flight_do_at(__VA_ARGS__, BELAY_HERE)

/* Blocks until no call of flight's is running, also none that everybody has left; then, if nobody
 * asks any more, the flight and its arg may be freed. 0, or the context's error. */
BELAY_EXPORT BELAY_MUST_CHECK int belay_flight_wait(BELAY_BORROWED belay_ctx *ctx,
						    belay_flight *flight);

/* How many wait for key now (a snapshot); 0: no call is under way. Does not block. */
BELAY_EXPORT size_t belay_flight_askers(belay_flight *flight, const char *key);

/* The value, borrowed: it lives as long as the result. */
BELAY_EXPORT void *belay_flight_value(const belay_flight_result *result);

/* One more reference (returns result), and one less. NULL is fine. They do not block, but for what
 * release does. */
BELAY_EXPORT belay_flight_result *belay_flight_ref(belay_flight_result *result);
BELAY_EXPORT void belay_flight_unref(belay_flight_result *result);

BELAY_END_DECLS

#endif
