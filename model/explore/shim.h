/* SPDX-License-Identifier: MIT
 *
 * shim.h - put before each file of the core that is explored: every atomic operation becomes a
 * point at which another thread may go on, and then a plain one, since all of them share one real
 * thread.
 *
 * That makes the search sequentially consistent: it does not try what weaker orders would allow.
 */
#ifndef BELAY_MODEL_SHIM_H
#define BELAY_MODEL_SHIM_H

#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>

void explore_point(void);
int explore_cpu(void);

/* Each thread of a scenario is on a processor of its own. */
#define sched_getcpu()  explore_cpu()

#undef atomic_load_explicit
#undef atomic_store_explicit
#undef atomic_exchange_explicit
#undef atomic_fetch_add_explicit
#undef atomic_fetch_sub_explicit
#undef atomic_compare_exchange_strong_explicit
#undef atomic_compare_exchange_weak_explicit

#define atomic_load_explicit(object, order) \
	__extension__({ explore_point(); *(object); })
#define atomic_store_explicit(object, value, order) \
	__extension__({ explore_point(); *(object) = (value); (void)0; })

/* The value from before. */
#define explore_update(object, expression) \
	__extension__({ \
		explore_point(); \
		__auto_type before_ = *(object); \
		*(object) = (expression); \
		before_; \
	})
#define atomic_exchange_explicit(object, value, order)  explore_update(object, value)
#define atomic_fetch_add_explicit(object, value, order) explore_update(object, before_ + (value))
#define atomic_fetch_sub_explicit(object, value, order) explore_update(object, before_ - (value))

#define atomic_compare_exchange_strong_explicit(object, expected, value, success, failure) \
	__extension__({ \
		explore_point(); \
		__auto_type before_ = *(object); \
		bool same_ = before_ == *(expected); \
		if (same_) \
			*(object) = (value); \
		else \
			*(expected) = before_; \
		same_; \
	})
#define atomic_compare_exchange_weak_explicit atomic_compare_exchange_strong_explicit

#endif
