/* SPDX-License-Identifier: MIT
 *
 * typed_chan.h - channels whose elements have a type that the compiler knows.
 *
 *     BELAY_CHAN(job_chan, struct job);
 *
 * at file scope, or in a header, defines the type job_chan and the functions below, static to the
 * file. Each is the call of chan.h or select.h that its name ends with, in all that it does, costs
 * and returns. No cast is ever written, and an element of another type, or another channel, does
 * not compile (as ISO C, so with -std=c11, it is a warning before gcc 14 and clang 16).
 *
 *     job_chan   *job_chan_new(size_t capacity);                         one reference, or NULL
 *     job_chan   *job_chan_ref(job_chan *ch);
 *     void        job_chan_unref(job_chan *ch);
 *     int         job_chan_send(belay_ctx *ctx, job_chan *ch, const struct job *element);
 *     int         job_chan_recv(belay_ctx *ctx, job_chan *ch, struct job *ret);
 *     int         job_chan_try_send(job_chan *ch, const struct job *element);
 *     int         job_chan_try_recv(job_chan *ch, struct job *ret);
 *     int         job_chan_close(job_chan *ch);
 *     size_t      job_chan_len(job_chan *ch);
 *     size_t      job_chan_cap(job_chan *ch);
 *     belay_chan *job_chan_untyped(job_chan *ch);     the same channel, for who knows no types
 *
 * and these as cases of belay_select(), beside BELAY_DONE() and BELAY_TIMEOUT():
 *
 *     struct belay_case job_chan_case_send(job_chan *ch, const struct job *element);
 *     struct belay_case job_chan_case_recv(job_chan *ch, struct job *ret);
 *     struct belay_case job_chan_case_recv_ok(job_chan *ch, struct job *ret, bool *ok);
 *
 * NULL is a channel that is never ready, and throws away what is received, as ever. A pointer to
 * void passes for any type, as ever in C: what comes out of a task's argument is the program's to
 * know. A job_chan is a belay_chan under another name: it may be made in one file and used in
 * another, where both say the same of it.
 *
 * The type may be any whose values can be copied by memcpy(); C++ checks that. Of pointers that are
 * sent, what they point to belongs to whom the program says: commonly to who has received it.
 */
#ifndef BELAY_TYPED_CHAN_H
#define BELAY_TYPED_CHAN_H

#include <belay/chan.h>
#include <belay/select.h>

/* A parameter that no pointer of another type is converted to. In GNU C, which gcc and clang take
 * where nobody says otherwise, it is a union of one member: callers may pass what that member could
 * be initialised with, and everything else is an error. C++ needs no such thing; clang's analyzer
 * loses sight of what such a pointer points to; and ISO C (-std=c11), which knows no such thing,
 * leaves it to the compiler: an error since gcc 14 and clang 16, before that a warning, and an
 * error with -Werror=incompatible-pointer-types. */
#if defined(__cplusplus) || defined(__STRICT_ANSI__) || defined(__clang_analyzer__)
#define BELAY__STRICT(id, ...)     typedef __VA_ARGS__ id
#define BELAY__STRICT_POINTER(arg) (arg)
#else
#define BELAY__STRICT(id, ...)                                                                     \
	typedef union {                                                                            \
		__VA_ARGS__ pointer;                                                               \
	} id __attribute__((transparent_union))
#define BELAY__STRICT_POINTER(arg) ((arg).pointer)
#endif

/* What stands last, and takes the semicolon. */
#ifdef __cplusplus
#define BELAY__CHAN_END(name, type)                                                                \
	static_assert(__is_trivially_copyable(type), "channels copy elements by memcpy()")
#else
#define BELAY__CHAN_END(name, type) struct name
#endif

#define BELAY__CHAN_FN __attribute__((unused)) static inline
#define BELAY__CHAN_UNTYPED(ch) ((belay_chan *)BELAY__STRICT_POINTER(ch))

/* What the compiler calls the parameters when it complains. */
#define BELAY__CHAN_TYPES(name, type)                                                              \
	typedef struct name name;                                                                  \
	BELAY__STRICT(name##_pointer, name *);                                                     \
	BELAY__STRICT(name##_element, const __typeof__(type) *);                                   \
	BELAY__STRICT(name##_ret, __typeof__(type) *)

#define BELAY__CHAN_LIFE(name, type)                                                               \
	BELAY__CHAN_FN name *name##_new(size_t capacity)                                           \
	{                                                                                          \
		return (name *)belay_chan_new(sizeof(type), capacity);                             \
	}                                                                                          \
	BELAY__CHAN_FN name *name##_ref(name##_pointer ch)                                         \
	{                                                                                          \
		return (name *)belay_chan_ref(BELAY__CHAN_UNTYPED(ch));                            \
	}                                                                                          \
	BELAY__CHAN_FN void name##_unref(name##_pointer ch)                                        \
	{                                                                                          \
		belay_chan_unref(BELAY__CHAN_UNTYPED(ch));                                         \
	}                                                                                          \
	BELAY__CHAN_FN int name##_close(name##_pointer ch)                                         \
	{                                                                                          \
		return belay_chan_close(BELAY__CHAN_UNTYPED(ch));                                  \
	}                                                                                          \
	BELAY__CHAN_FN size_t name##_len(name##_pointer ch)                                        \
	{                                                                                          \
		return belay_chan_len(BELAY__CHAN_UNTYPED(ch));                                    \
	}                                                                                          \
	BELAY__CHAN_FN size_t name##_cap(name##_pointer ch)                                        \
	{                                                                                          \
		return belay_chan_cap(BELAY__CHAN_UNTYPED(ch));                                    \
	}                                                                                          \
	BELAY__CHAN_FN belay_chan *name##_untyped(name##_pointer ch)                               \
	{                                                                                          \
		return BELAY__CHAN_UNTYPED(ch);                                                    \
	}

#define BELAY__CHAN_CALLS(name, type)                                                              \
	BELAY__CHAN_FN int name##_send(BELAY_BORROWED belay_ctx *ctx, name##_pointer ch,           \
				       name##_element element)                                     \
	{                                                                                          \
		return belay_send_sized(ctx, BELAY__CHAN_UNTYPED(ch),                              \
					BELAY__STRICT_POINTER(element), sizeof(type));             \
	}                                                                                          \
	BELAY__CHAN_FN int name##_recv(BELAY_BORROWED belay_ctx *ctx, name##_pointer ch,           \
				       name##_ret ret)                                             \
	{                                                                                          \
		return belay_recv_sized(ctx, BELAY__CHAN_UNTYPED(ch), BELAY__STRICT_POINTER(ret),  \
					sizeof(type));                                             \
	}                                                                                          \
	BELAY__CHAN_FN int name##_try_send(name##_pointer ch, name##_element element)              \
	{                                                                                          \
		return belay_try_send_sized(BELAY__CHAN_UNTYPED(ch),                               \
					    BELAY__STRICT_POINTER(element), sizeof(type));         \
	}                                                                                          \
	BELAY__CHAN_FN int name##_try_recv(name##_pointer ch, name##_ret ret)                      \
	{                                                                                          \
		return belay_try_recv_sized(BELAY__CHAN_UNTYPED(ch), BELAY__STRICT_POINTER(ret),   \
					    sizeof(type));                                         \
	}

#define BELAY__CHAN_CASES(name, type)                                                              \
	BELAY__CHAN_FN struct belay_case name##_case_send(name##_pointer ch,                       \
							  name##_element element)                  \
	{                                                                                          \
		return belay__case_send(BELAY__CHAN_UNTYPED(ch), BELAY__STRICT_POINTER(element),   \
					sizeof(type));                                             \
	}                                                                                          \
	BELAY__CHAN_FN struct belay_case name##_case_recv(name##_pointer ch, name##_ret ret)       \
	{                                                                                          \
		return belay__case(BELAY_CASE_RECV, BELAY__CHAN_UNTYPED(ch),                       \
				   BELAY__STRICT_POINTER(ret), sizeof(type), NULL, 0);             \
	}                                                                                          \
	BELAY__CHAN_FN struct belay_case name##_case_recv_ok(name##_pointer ch, name##_ret ret,    \
							     bool *ok)                             \
	{                                                                                          \
		return belay__case(BELAY_CASE_RECV, BELAY__CHAN_UNTYPED(ch),                       \
				   BELAY__STRICT_POINTER(ret), sizeof(type), ok, 0);               \
	}

#define BELAY_CHAN(name, type)                                                                     \
	BELAY__CHAN_TYPES(name, type);                                                             \
	BELAY__CHAN_LIFE(name, type)                                                               \
	BELAY__CHAN_CALLS(name, type)                                                              \
	BELAY__CHAN_CASES(name, type)                                                              \
	BELAY__CHAN_END(name, type)

#endif
