/* SPDX-License-Identifier: MIT
 *
 * context.h - contexts: a tree that carries "stop", "by when", "why" and "on whose behalf".
 *
 * A context is immutable but for its end, which happens at most once and takes the whole subtree
 * with it. Every function here may be called from any thread or task at any time, and none blocks
 * except belay_wait() and belay_hook_remove(). Contexts are counted references: each derived one
 * belongs to the caller, who gives it up with belay_end() or belay_unref(). A child keeps its
 * parents alive.
 */
#ifndef BELAY_CONTEXT_H
#define BELAY_CONTEXT_H

#include <belay/macros.h>
#include <belay/time.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

BELAY_BEGIN_DECLS

typedef struct belay_chan belay_chan;
typedef struct belay_key belay_key;

/* ---- Roots ----------------------------------------------------------------------------------- */

/* Never done, no deadline, no values. Static: references to it are not counted. */
BELAY_EXPORT belay_ctx *belay_background(void);

/* The same, for code that does not know yet which context it should use. */
BELAY_EXPORT belay_ctx *belay_todo(void);

/* ---- The end of a reference ------------------------------------------------------------------ */

/* Cancels what is ctx's own, then gives up the caller's reference. NULL is fine. To use ctx longer,
 * under another reference, keep that in a variable of its own: compilers take this for the end of
 * what ctx points to. */
BELAY_EXPORT void belay_end(belay_ctx *ctx) BELAY_RELEASES;
BELAY_EXPORT void belay_end_at(belay_ctx *ctx, const struct belay_site *site) BELAY_RELEASES;
#define belay_end(...) belay_end_at((__VA_ARGS__), BELAY_HERE)

/* What stands on each derivation. */
#define BELAY_DERIVES                                                                              \
	BELAY_RELEASED_BY(belay_end)                                                               \
	BELAY_RELEASED_BY(belay_end_at) __attribute__((returns_nonnull))

/* ---- Derivation: never NULL ---------------------------------------------------------------------
 *
 * Where memory runs out, the result is a context that is already done with -ENOMEM; for a NULL
 * parent (or key), one that is already done with -EINVAL. Both are safe in every call here. Where
 * the parent is done, the child is done on return with the parent's error and cause.
 *
 * Each is also a macro that records the line it stands on; the _at forms take that place as an
 * argument, for wrappers that want their caller's line in reports (site may be NULL: unknown). */

/* A child that ends with its parent or by belay_cancel(). */
BELAY_EXPORT belay_ctx *belay_with_cancel(BELAY_BORROWED belay_ctx *parent) BELAY_DERIVES;
BELAY_EXPORT belay_ctx *belay_with_cancel_at(BELAY_BORROWED belay_ctx *parent,
					     const struct belay_site *site) BELAY_DERIVES;
#define belay_with_cancel(...) belay_with_cancel_at((__VA_ARGS__), BELAY_HERE)

/* The same, and it ends by itself at the moment when (belay_now()'s clock) with -ETIME. A moment
 * in the past: done on return. A moment not before the parent's own deadline, or BELAY_FOREVER:
 * a plain cancellable child. The first deadline of a process starts the clock thread. */
BELAY_EXPORT belay_ctx *belay_with_deadline(BELAY_BORROWED belay_ctx *parent, int64_t when)
	BELAY_DERIVES;
BELAY_EXPORT belay_ctx *belay_with_deadline_at(BELAY_BORROWED belay_ctx *parent, int64_t when,
					       const struct belay_site *site) BELAY_DERIVES;
#define belay_with_deadline(parent, ...)                                                           \
	belay_with_deadline_at((parent), (__VA_ARGS__), BELAY_HERE)

/* The same, ns nanoseconds from now. ns <= 0: done on return. A sum past the end of the clock is
 * "no deadline". */
BELAY_EXPORT belay_ctx *belay_with_timeout(BELAY_BORROWED belay_ctx *parent, int64_t ns)
	BELAY_DERIVES;
BELAY_EXPORT belay_ctx *belay_with_timeout_at(BELAY_BORROWED belay_ctx *parent, int64_t ns,
					      const struct belay_site *site) BELAY_DERIVES;
#define belay_with_timeout(parent, ...)                                                            \
	belay_with_timeout_at((parent), (__VA_ARGS__), BELAY_HERE)

/* The same, with a code and message (copied; NULL: the default) as the cause where the deadline is
 * what ends it. belay_err() is -ETIME all the same. */
BELAY_EXPORT belay_ctx *belay_with_deadline_cause(BELAY_BORROWED belay_ctx *parent, int64_t when,
						  int code, const char *message) BELAY_DERIVES;
BELAY_EXPORT belay_ctx *belay_with_deadline_cause_at(BELAY_BORROWED belay_ctx *parent, int64_t when,
						     int code, const char *message,
						     const struct belay_site *site) BELAY_DERIVES;
#define belay_with_deadline_cause(parent, when, code, ...)                                         \
	belay_with_deadline_cause_at((parent), (when), (code), (__VA_ARGS__), BELAY_HERE)

BELAY_EXPORT belay_ctx *belay_with_timeout_cause(BELAY_BORROWED belay_ctx *parent, int64_t ns,
						 int code, const char *message) BELAY_DERIVES;
BELAY_EXPORT belay_ctx *belay_with_timeout_cause_at(BELAY_BORROWED belay_ctx *parent, int64_t ns,
						    int code, const char *message,
						    const struct belay_site *site) BELAY_DERIVES;
#define belay_with_timeout_cause(parent, ns, code, ...)                                            \
	belay_with_timeout_cause_at((parent), (ns), (code), (__VA_ARGS__), BELAY_HERE)

/* A key gives a value its type and its identity: keys are compared by address. */
struct belay_key {
	const char *name;                                         /* for people              */
	void (*destroy)(void *value);                             /* NULL: borrowed          */
	int (*format)(const void *value, char *buf, size_t size); /* as snprintf; NULL: hide */
};

/* A child that answers belay_value(key) with value, and is done when its parent is. It has no end
 * of its own: belay_cancel() on it does nothing. The value moves into the context: key->destroy
 * runs exactly once, when the last reference goes, or before the return where the context could
 * not be made. key must outlive the context; value may be NULL. */
BELAY_EXPORT belay_ctx *belay_with_value(BELAY_BORROWED belay_ctx *parent, const belay_key *key,
					 void *value) BELAY_DERIVES;
BELAY_EXPORT belay_ctx *belay_with_value_at(BELAY_BORROWED belay_ctx *parent, const belay_key *key,
					    void *value, const struct belay_site *site)
	BELAY_DERIVES;
#define belay_with_value(parent, key, ...)                                                         \
	belay_with_value_at((parent), (key), (__VA_ARGS__), BELAY_HERE)

/* A child with its parent's values and nothing else of it: never done, no deadline. */
BELAY_EXPORT belay_ctx *belay_without_cancel(BELAY_BORROWED belay_ctx *parent) BELAY_DERIVES;
BELAY_EXPORT belay_ctx *belay_without_cancel_at(BELAY_BORROWED belay_ctx *parent,
						const struct belay_site *site) BELAY_DERIVES;
#define belay_without_cancel(...) belay_without_cancel_at((__VA_ARGS__), BELAY_HERE)

/* A child of both: done as soon as either is, with that one's error and cause; its deadline is the
 * earlier; values are looked up in first, then in second, which costs a stack frame for each merge
 * of two contexts with values on the way, and goes every way there is: a merge is for two or
 * three. */
BELAY_EXPORT belay_ctx *belay_with_merge(BELAY_BORROWED belay_ctx *first,
					 BELAY_BORROWED belay_ctx *second) BELAY_DERIVES;
BELAY_EXPORT belay_ctx *belay_with_merge_at(BELAY_BORROWED belay_ctx *first,
					    BELAY_BORROWED belay_ctx *second,
					    const struct belay_site *site) BELAY_DERIVES;
#define belay_with_merge(first, ...) belay_with_merge_at((first), (__VA_ARGS__), BELAY_HERE)

/* ---- Ends ------------------------------------------------------------------------------------ */

/* Ends ctx and everything below it with -ECANCELED. On return all of them are done; the work that
 * was told to stop is not waited for. True: this call ended it. False: it was done before, or it
 * has no end of its own (background, todo, a value, a without-cancel). Hooks run on this thread.
 * Who waits for the end may go on before this returns: who cancels what another owns needs a
 * reference of its own (belay_ref()). */
BELAY_EXPORT bool belay_cancel(BELAY_BORROWED belay_ctx *ctx);
BELAY_EXPORT bool belay_cancel_at(BELAY_BORROWED belay_ctx *ctx, const struct belay_site *site);
#define belay_cancel(...) belay_cancel_at((__VA_ARGS__), BELAY_HERE)

/* The same with a cause: any code and a printf-like message (fmt NULL: the default message). Where
 * memory for the message runs out, the message says that instead. */
BELAY_EXPORT bool belay_cancel_cause(BELAY_BORROWED belay_ctx *ctx, int code, const char *fmt, ...)
	BELAY_PRINTF(3, 4);
BELAY_EXPORT bool belay_cancel_cause_at(BELAY_BORROWED belay_ctx *ctx, int code,
					const struct belay_site *site, const char *fmt, ...)
	BELAY_PRINTF(4, 5);
#define belay_cancel_cause(ctx, code, ...)                                                         \
	belay_cancel_cause_at((ctx), (code), BELAY_HERE, __VA_ARGS__)

/* One more reference (returns ctx), and one less without a cancel. NULL is fine in both. When the
 * last one goes, deferred calls run on this thread, then values are destroyed and memory freed;
 * where an expiry held the last one, on a thread of Belay's that may be kept waiting. */
BELAY_EXPORT belay_ctx *belay_ref(belay_ctx *ctx);
BELAY_EXPORT void belay_unref(belay_ctx *ctx);

static inline void belay__scope_end(belay_ctx **ctx)
{
	(belay_end)(*ctx);
}

/* BELAY_SCOPED belay_ctx *ctx = ...;  calls belay_end(ctx) when the scope is left, on every
 * path. */
#define BELAY_SCOPED __attribute__((cleanup(belay__scope_end)))

/* ---- Questions ------------------------------------------------------------------------------- */

/* 0 while live; once done, for ever the same: -ECANCELED, -ETIME, -ENOMEM or -EINVAL. A NULL
 * context: -EINVAL. One acquire load: a caller that sees an error sees what the canceller did. */
BELAY_EXPORT int belay_err(const belay_ctx *ctx);

/* True and *when (may be NULL) where there is a deadline; the same after the end as before. */
BELAY_EXPORT bool belay_deadline(const belay_ctx *ctx, int64_t *when);

/* The nearest value for key, borrowed; NULL: none (or a stored NULL, which hides outer ones). */
BELAY_EXPORT void *belay_value(const belay_ctx *ctx, const belay_key *key);

/* A channel that is closed when ctx is done, to select on: each time the same one. NULL where ctx
 * never can be done. Borrowed; belay_chan_ref() on it keeps the context alive. */
BELAY_EXPORT belay_chan *belay_done(BELAY_BORROWED belay_ctx *ctx);

/* Blocks until ctx is done; returns its error. -EDEADLK: it can never be done. */
BELAY_EXPORT int belay_wait(BELAY_BORROWED belay_ctx *ctx);

/* A descriptor that polls readable once ctx is done, for poll, epoll, libuv, GLib. Made at the
 * first call, then the same one; it belongs to the context: don't read, write or close it.
 * -EDEADLK: ctx can never be done; -EINVAL: it is NULL; -ENOMEM, -EMFILE, -ENFILE: as
 * eventfd(2). */
BELAY_EXPORT int belay_done_fd(BELAY_BORROWED belay_ctx *ctx);

/* Why a context is done. */
typedef struct belay_cause {
	int code;            /* what the canceller gave, else belay_err()                         */
	const char *message; /* never NULL; lives as long as the context                          */
	const char *file;    /* where it was cancelled; NULL: not known, or it was not the program
				that said so: a deadline, a signal, a client that has left        */
	const char *func;    /* likewise                                                          */
	int line;
	unsigned levels_up;  /* 0: this context itself was ended; 1: its parent; ...              */
} belay_cause;

/* 0 and *ret, or -EAGAIN while ctx is live (for ever: background, todo); -EINVAL: ctx is NULL. */
BELAY_EXPORT int belay_cause_of(const belay_ctx *ctx, belay_cause *ret);

/* The path from the root, as "background.with_cancel.with_value(trace_id=42)", into buf as
 * snprintf(3) does: cut to size, always terminated where size > 0, returns the full length. The
 * form is a promise; new steps may come to it:
 *
 *     path = root {"." step}                     NULL: "null"
 *     root = "background" | "todo"
 *          | "failed(" belay_strerror() ")"      a derivation that failed
 *     step = "with_cancel"                       also of signals, groups, hang-ups, and of a
 *                                                deadline not before the parent's
 *          | "with_deadline(in " seconds ")"     such as "in 1.500s": from now
 *          | "with_deadline(" seconds " ago)"
 *          | "with_value(" name ["=" text] ")"   no text: the key has no format, or it writes none
 *          | "without_cancel"
 *          | "with_merge(" second ")"            the second parent's path; the first's is this one
 *     second = path | "..." {"." step}           its last steps where it is longer than 160 bytes;
 *                                                inside of a second path only "..."
 *
 * In name and text a backslash stands before "\" and ")", in name also before "=". Bytes of control
 * characters (C0, DEL, C1), and what is no UTF-8, are written as \xHH. Of a name 64 bytes are shown
 * at most, of a text 160, whole characters only; it is whatever key->format writes into 256 bytes,
 * which is called twice. */
BELAY_EXPORT int belay_format(const belay_ctx *ctx, char *buf, size_t size);

/* The text for an error of Belay's: "context canceled" for -ECANCELED, "context deadline exceeded"
 * for -ETIME, else as strerror(3) for the errno (either sign). Static; any thread. */
BELAY_EXPORT const char *belay_strerror(int err);

/* ---- Values with a type -----------------------------------------------------------------------
 *
 * BELAY_KEY(trace_id, const char *, .destroy = NULL);  at file scope defines, static to the file,
 * the key trace_id_key and the functions
 *     belay_ctx  *with_trace_id(belay_ctx *parent, const char *value);
 *     const char *trace_id_of(const belay_ctx *ctx);
 * so that no cast is ever written. (In reports the line of such a context is that of the BELAY_KEY;
 * call belay_with_value_at() for another.) The type may be any that is not larger than a pointer;
 * what is not there reads as zero. */
/* Before C++20 designators are an extension, and what they skip is warned of. */
#ifdef __cplusplus
#define BELAY__KEY_BEGIN                                                                           \
	_Pragma("GCC diagnostic push")                                                             \
	_Pragma("GCC diagnostic ignored \"-Wmissing-field-initializers\"") __extension__
#define BELAY__KEY_END _Pragma("GCC diagnostic pop")
#else
#define BELAY__KEY_BEGIN
#define BELAY__KEY_END
#endif
#define BELAY_KEY(id, type, ...)                                                                   \
	BELAY__KEY_BEGIN                                                                           \
	static const belay_key id##_key = {.name = #id, __VA_ARGS__};                              \
	BELAY__KEY_END                                                                             \
	__attribute__((unused)) static inline belay_ctx *with_##id(belay_ctx *parent, type value)  \
	{                                                                                          \
		void *belay__slot = NULL;                                                          \
		memcpy(&belay__slot, &value, sizeof value);                                        \
		return belay_with_value(parent, &id##_key, belay__slot);                           \
	}                                                                                          \
	__attribute__((unused)) static inline type id##_of(const belay_ctx *ctx)                   \
	{                                                                                          \
		void *belay__slot = belay_value(ctx, &id##_key);                                   \
		type belay__value;                                                                 \
		memcpy(&belay__value, &belay__slot, sizeof belay__value);                          \
		return belay__value;                                                               \
	}                                                                                          \
	typedef char id##_fits_a_pointer[sizeof(type) <= sizeof(void *) ? 1 : -1]                  \
		__attribute__((unused))

/* ---- Memory and clean-up tied to a context ------------------------------------------------------
 *
 * When the context's last reference goes the calls run, last in, first out; then memory is freed.
 * Not for background or todo, which never go: there they fail with NULL or -EINVAL. */

/* size zeroed bytes, aligned for any type. NULL: out of memory. */
BELAY_EXPORT void *belay_alloc(BELAY_BORROWED belay_ctx *ctx, size_t size);
BELAY_EXPORT char *belay_strdup(BELAY_BORROWED belay_ctx *ctx, const char *s);
BELAY_EXPORT char *belay_sprintf(BELAY_BORROWED belay_ctx *ctx, const char *fmt, ...)
	BELAY_PRINTF(2, 3);

/* Runs fn(arg) then, on the thread or task that gives up the last reference, or on one of Belay's
 * own; it may block. It may use ctx as before, also to derive from it; what keeps a reference keeps
 * the context, and its memory, until that goes too. A chain of contexts whose deferred calls each
 * give up the next one nests as deep as it is long. 0, or -ENOMEM or -EINVAL: fn will not run. */
BELAY_EXPORT int belay_defer(BELAY_BORROWED belay_ctx *ctx, void (*fn)(void *arg), void *arg);

/* ---- What runs when a context is done -------------------------------------------------------- */

typedef struct belay_after belay_after;

/* Keeps what belay_after_func() was given from being run. True: it has not run and never will.
 * False: it has been started; it may still be running, this does not wait. Frees the handle either
 * way; may be called from inside fn. */
BELAY_EXPORT bool belay_after_stop(belay_after *after) BELAY_RELEASES;

/* Runs fn(arg) once, in a task of its own, when ctx is done (at once where it is already). The
 * handle must be given to belay_after_stop() exactly once, before or after fn has run. NULL:
 * -ENOMEM. Everything that fn needs to start is reserved here, so it can't fail later. */
BELAY_EXPORT belay_after *belay_after_func(BELAY_BORROWED belay_ctx *ctx, void (*fn)(void *arg),
					   void *arg) BELAY_RELEASED_BY(belay_after_stop);
BELAY_EXPORT belay_after *belay_after_func_at(BELAY_BORROWED belay_ctx *ctx, void (*fn)(void *arg),
					      void *arg, const struct belay_site *site)
	BELAY_RELEASED_BY(belay_after_stop);
#define belay_after_func(ctx, fn, ...) belay_after_func_at((ctx), (fn), (__VA_ARGS__), BELAY_HERE)

/* A hook is embedded in the caller's object and needs no memory of its own; its fields are
 * private. */
struct belay_hook {
	void *link[2];
	belay_ctx *ctx;
	void (*fn)(struct belay_hook *hook);
	void *running;
	uintptr_t state;
};

/* When ctx ends, runs fn(hook) on the thread that ends it, with none of Belay's locks held. fn must
 * not block; it may call anything that does not. False: ctx is done already, fn has been run, and
 * the hook is not registered. True: registered (or ctx can never be done). A registered hook keeps
 * the context alive until it has run or is removed. */
BELAY_EXPORT bool belay_hook_add(BELAY_BORROWED belay_ctx *ctx, struct belay_hook *hook,
				 void (*fn)(struct belay_hook *hook));

/* True: fn has not run and never will. False: fn has returned (this waits for it, unless called
 * from inside fn itself). Either way the object may be freed on return. Call it from one place at
 * a time; calling it on a hook that has run is fine. Only after it, also from inside fn, may the
 * hook be added again. */
BELAY_EXPORT bool belay_hook_remove(struct belay_hook *hook);

BELAY_END_DECLS

/* What is found is to be at the caller's line, not at a macro's: so in an analysis they are plain
 * calls. */
#ifdef BELAY_ANALYZE
#undef belay_end
#undef belay_with_cancel
#undef belay_with_deadline
#undef belay_with_timeout
#undef belay_with_deadline_cause
#undef belay_with_timeout_cause
#undef belay_with_value
#undef belay_without_cancel
#undef belay_with_merge
#undef belay_cancel
#undef belay_cancel_cause
#undef belay_after_func
#endif

#endif
