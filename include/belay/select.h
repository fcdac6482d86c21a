/* SPDX-License-Identifier: MIT
 *
 * select.h - wait for whichever of several channels, contexts and times comes first.
 *
 *     switch (belay_select(ctx, BELAY_RECV(jobs, &job), BELAY_SEND(out, &result),
 *                          BELAY_TIMEOUT(BELAY_S(1)))) {
 *     case 0: ...   case 1: ...   case 2: ...   default: the context's error
 *     }
 *
 * Exactly one case runs. Among several that are ready the choice is uniformly random. The same
 * channel may stand in several cases; a select never matches itself.
 */
#ifndef BELAY_SELECT_H
#define BELAY_SELECT_H

#include <belay/chan.h>
#include <belay/context.h>

BELAY_BEGIN_DECLS

enum belay_case_kind {
	BELAY_CASE_RECV,
	BELAY_CASE_SEND,
	BELAY_CASE_TIMEOUT,
};

/* One case. Make them with the macros below; all fields are private. An array of cases may be used
 * again for the next select, by one caller at a time. */
struct belay_case {
	enum belay_case_kind kind;
	unsigned order;
	belay_chan *chan;
	void *element;
	size_t size;
	bool *ok;
	int64_t ns;
	struct belay_case *next;
	void *wait[6];
};

/* Blocks until a case has run, and returns its index; or the context's error, -EPIPE (a send on a
 * closed channel), -EMSGSIZE (a case's element has another size than its channel's), -EINVAL (a
 * send on a done channel; n past INT_MAX). A context that is done on entry wins over every case. n
 * may be 0: waits for ctx. */
BELAY_EXPORT int belay_select_n(BELAY_BORROWED belay_ctx *ctx, struct belay_case *cases, size_t n);

/* The same without blocking: -EAGAIN where no case is ready. */
BELAY_EXPORT int belay_try_select_n(struct belay_case *cases, size_t n);

/* Leaves alone what only the select uses: to clear it would take as long as the select. */
static inline struct belay_case belay__case(enum belay_case_kind kind, belay_chan *chan,
					    void *element, size_t size, bool *ok, int64_t ns)
{
	struct belay_case c;

	c.kind = kind;
	c.chan = chan;
	c.element = element;
	c.size = size;
	c.ok = ok;
	c.ns = ns;
	return c;
}

static inline struct belay_case belay__case_send(belay_chan *chan, const void *element, size_t size)
{
	void *readonly;

	memcpy(&readonly, &element, sizeof readonly);
	return belay__case(BELAY_CASE_SEND, chan, readonly, size, NULL, 0);
}

BELAY_END_DECLS

/* Receives into *ptr (NULL: thrown away). On a closed, drained channel it is ready: *ptr is zeroed,
 * and *ok_ptr, where given, is false. */
#define BELAY_RECV(ch, ptr)                                                                        \
	belay__case(BELAY_CASE_RECV, (ch), (ptr), BELAY__SIZEOF_TARGET(ptr), NULL, 0)
#define BELAY_RECV_OK(ch, ptr, ok_ptr)                                                             \
	belay__case(BELAY_CASE_RECV, (ch), (ptr), BELAY__SIZEOF_TARGET(ptr), (ok_ptr), 0)

/* Sends *ptr, which is read at the moment of the match. */
#define BELAY_SEND(ch, ...) belay__case_send((ch), (__VA_ARGS__), BELAY__SIZEOF_TARGET(__VA_ARGS__))

/* Ready once that context is done; never, where it can't be. */
#define BELAY_DONE(ctx) belay__case(BELAY_CASE_RECV, belay_done(ctx), NULL, 0, NULL, 0)

/* Ready ns nanoseconds after the select started. */
#define BELAY_TIMEOUT(ns) belay__case(BELAY_CASE_TIMEOUT, NULL, NULL, 0, NULL, (ns))

#ifdef __cplusplus
template <typename... Cases> inline int belay_select(belay_ctx *ctx, Cases... list)
{
	struct belay_case cases[] = {list...};
	return belay_select_n(ctx, cases, sizeof...(list));
}
template <typename... Cases> inline int belay_try_select(Cases... list)
{
	struct belay_case cases[] = {list...};
	return belay_try_select_n(cases, sizeof...(list));
}
#else
#define belay_select(ctx, ...)                                                                     \
	belay_select_n((ctx), (struct belay_case[]){__VA_ARGS__},                                  \
		       sizeof((struct belay_case[]){__VA_ARGS__}) / sizeof(struct belay_case))
#define belay_try_select(...)                                                                      \
	belay_try_select_n((struct belay_case[]){__VA_ARGS__},                                     \
			   sizeof((struct belay_case[]){__VA_ARGS__}) / sizeof(struct belay_case))
#endif

#endif
