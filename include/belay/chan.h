/* SPDX-License-Identifier: MIT
 *
 * chan.h - channels: typed by the size of their elements, first in, first out, for threads and
 * tasks.
 *
 * A channel of capacity 0 is a rendezvous: a send returns once a receiver has the element. A closed
 * one hands out what it holds, then answers -EPIPE. A NULL channel is never ready.
 */
#ifndef BELAY_CHAN_H
#define BELAY_CHAN_H

#include <belay/context.h>

BELAY_BEGIN_DECLS

/* A channel with one reference, for elements of element_size bytes (0 is fine: only the event
 * counts), with room for capacity of them. NULL: out of memory, or the sizes overflow. */
BELAY_EXPORT belay_chan *belay_chan_new(size_t element_size, size_t capacity);

/* One more reference (returns ch), and one less; what is left in the channel goes with the last
 * one. NULL is fine. Nobody may be waiting on a channel whose last reference goes. */
BELAY_EXPORT belay_chan *belay_chan_ref(belay_chan *ch);
BELAY_EXPORT void belay_chan_unref(belay_chan *ch);

/* Copies *element into the channel, or to a receiver that waits. Blocks while there is neither room
 * nor a receiver. 0; the context's error (also where ctx is done on entry); -EPIPE: closed;
 * -EMSGSIZE: *element has another size than the channel's elements; -EINVAL: element is NULL, or ch
 * is a context's done channel. */
BELAY_EXPORT int belay_send(BELAY_BORROWED belay_ctx *ctx, belay_chan *ch, const void *element);

/* Takes the oldest element into *element (NULL: thrown away). Blocks while there is none. Errors as
 * belay_send(); -EPIPE: closed and empty. On an error *element is left alone. */
BELAY_EXPORT int belay_recv(BELAY_BORROWED belay_ctx *ctx, belay_chan *ch, void *element);

/* The same without blocking: -EAGAIN where it would. */
BELAY_EXPORT int belay_try_send(belay_chan *ch, const void *element);
BELAY_EXPORT int belay_try_recv(belay_chan *ch, void *element);

/* No more sends. Wakes all that wait. 0; -EPIPE: closed already; -EINVAL: NULL, or a context's done
 * channel, which only the context's end closes. */
BELAY_EXPORT int belay_chan_close(belay_chan *ch);

/* Elements held now (a snapshot), and room for how many. 0 for NULL. */
BELAY_EXPORT size_t belay_chan_len(const belay_chan *ch);
BELAY_EXPORT size_t belay_chan_cap(const belay_chan *ch);

/* The same four with the size of *element, 0 where it is not known. What the macros call. */
BELAY_EXPORT int belay_send_sized(BELAY_BORROWED belay_ctx *ctx, belay_chan *ch,
				  const void *element, size_t size);
BELAY_EXPORT int belay_recv_sized(BELAY_BORROWED belay_ctx *ctx, belay_chan *ch, void *element,
				  size_t size);
BELAY_EXPORT int belay_try_send_sized(belay_chan *ch, const void *element, size_t size);
BELAY_EXPORT int belay_try_recv_sized(belay_chan *ch, void *element, size_t size);

BELAY_END_DECLS

/* The size of what a pointer points to; 0 for void, whose size is not known. */
#ifdef __cplusplus
template <typename T> struct belay__target {
	static constexpr size_t size = 0; /* NULL and nullptr */
};
template <typename T> struct belay__target<T *> {
	static constexpr size_t size = sizeof(T);
};
template <> struct belay__target<void *> {
	static constexpr size_t size = 0;
};
template <> struct belay__target<const void *> {
	static constexpr size_t size = 0;
};
template <typename T> belay__target<T> belay__target_of(T);
#define BELAY__SIZEOF_TARGET(...) decltype(belay__target_of(__VA_ARGS__))::size
#else
#define BELAY__SIZEOF_TARGET(...)                                                                  \
	(__builtin_types_compatible_p(__typeof__(*(__VA_ARGS__)), void)                            \
		 ? (size_t)0                                                                       \
		 : __extension__ sizeof(*(__VA_ARGS__)))
#endif

#define belay_send(ctx, ch, ...)                                                                   \
	belay_send_sized((ctx), (ch), (__VA_ARGS__), BELAY__SIZEOF_TARGET(__VA_ARGS__))
#define belay_recv(ctx, ch, ...)                                                                   \
	belay_recv_sized((ctx), (ch), (__VA_ARGS__), BELAY__SIZEOF_TARGET(__VA_ARGS__))
#define belay_try_send(ch, ...)                                                                    \
	belay_try_send_sized((ch), (__VA_ARGS__), BELAY__SIZEOF_TARGET(__VA_ARGS__))
#define belay_try_recv(ch, ...)                                                                    \
	belay_try_recv_sized((ch), (__VA_ARGS__), BELAY__SIZEOF_TARGET(__VA_ARGS__))

#endif
