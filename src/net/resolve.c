/* SPDX-License-Identifier: MIT
 *
 * resolve.c - getaddrinfo(3), given up on where the context ends first.
 *
 * Nothing can cut getaddrinfo() short, so it runs as a job on a blocking thread, and whoever asked
 * may leave. Numeric addresses need no thread: they are parsed in place.
 *
 * State       A lookup has two references, the job's and the asker's; the last to leave frees it,
 *             and the answer too where nobody took it.
 * Locking     lock guards done and askers. What the job found is written before done, and read by
 *             the asker after it was woken.
 */
#include "base/alloc.h"
#include "context/context.h"
#include "net/io.h"
#include "task/task.h"

#include <errno.h>
#include <netdb.h>
#include <string.h>

struct lookup {
	struct belay__job job;
	_Atomic int references;
	struct belay__lock lock;
	struct belay__list askers;  /* the one's wait, until it is woken or leaves              */
	char *host, *service;       /* NULL: none                                               */
	struct addrinfo hints;
	int err;                    /* the answer                                               */
	struct addrinfo *list;
};

/* ---- Errors ---------------------------------------------------------------------------------- */

static int system_error(int err)
{
	return err ? (int)belay__not_the_context(-err) : -EHOSTUNREACH;
}

static int error_of(int code)
{
	switch (code) {
	case 0:
		return 0;
	case EAI_NONAME:
	case EAI_NODATA:
	case EAI_ADDRFAMILY:
		return -ENOENT;
	case EAI_AGAIN:
	case EAI_FAIL:
		return -EHOSTUNREACH;
	case EAI_MEMORY:
		return -ENOMEM;
	case EAI_SYSTEM:
		return system_error(errno);
	default: /* EAI_BADFLAGS, EAI_FAMILY, EAI_SOCKTYPE, EAI_SERVICE */
		return -EINVAL;
	}
}

/* ---- The job --------------------------------------------------------------------------------- */

/* Acquire and release: who frees has seen all that the other did. */
static void lookup_unref(struct lookup *lookup)
{
	if (atomic_fetch_sub_explicit(&lookup->references, 1, memory_order_acq_rel) > 1)
		return;
	if (lookup->list)
		freeaddrinfo(lookup->list);
	belay__free(lookup->host);
	belay__free(lookup->service);
	belay__free(lookup);
}

static void look_up(struct belay__job *job)
{
	struct lookup *lookup = belay__container(job, struct lookup, job);
	struct belay__wait *asker;

	lookup->err = error_of(getaddrinfo(lookup->host, lookup->service, &lookup->hints,
					   &lookup->list));
	belay__lock_take(&lookup->lock, BELAY__RANK_SYNC);
	asker = belay__queue_claim(&lookup->askers);
	belay__lock_give(&lookup->lock, BELAY__RANK_SYNC);
	if (asker)
		belay__wait_wake(asker);
	lookup_unref(lookup);
}

/* ---- The asker ------------------------------------------------------------------------------- */

static bool copy_text(const char *from, char **to)
{
	*to = from ? belay__strdup(from) : NULL;
	return !from || *to;
}

static struct lookup *lookup_new(const char *host, const char *service,
				 const struct addrinfo *hints)
{
	struct lookup *lookup = belay__calloc(1, sizeof *lookup);

	if (!lookup)
		return NULL;
	lookup->job.run = look_up;
	atomic_init(&lookup->references, 1);
	belay__list_init(&lookup->askers);
	lookup->hints = *hints;
	if (copy_text(host, &lookup->host) && copy_text(service, &lookup->service))
		return lookup;
	lookup_unref(lookup);
	return NULL;
}

/* Where the job has not begun it never will, and its reference is ours to give up. */
static void give_up(struct lookup *lookup, struct belay__wait *wait)
{
	belay__lock_take(&lookup->lock, BELAY__RANK_SYNC);
	if (belay__list_linked(&wait->link))
		belay__list_remove(&wait->link);
	belay__lock_give(&lookup->lock, BELAY__RANK_SYNC);
	if (belay__job_withdraw(&lookup->job))
		lookup_unref(lookup);
}

/* Submits lookup and waits for its answer, or for the end of ctx. */
static int ask(belay_ctx *ctx, struct lookup *lookup)
{
	struct belay__waiter waiter;
	struct belay__wait wait;
	int err;

	belay__waiter_init(&waiter);
	waiter.why = BELAY__WHY_IO;
	belay__wait_init(&wait, &waiter);
	belay__list_append(&lookup->askers, &wait.link);
	/* Relaxed: it is still ours alone. */
	atomic_fetch_add_explicit(&lookup->references, 1, memory_order_relaxed);
	err = belay__job_submit(&lookup->job);
	if (err < 0) {
		lookup_unref(lookup);
		return err;
	}
	if (belay__block(ctx, &waiter))
		return lookup->err;
	give_up(lookup, &wait);
	return belay_err(ctx);
}

static int resolve_on_thread(belay_ctx *ctx, const char *host, const char *service,
			     const struct addrinfo *hints, struct addrinfo **ret)
{
	struct lookup *lookup = lookup_new(host, service, hints);
	int err;

	if (!lookup)
		return -ENOMEM;
	err = ask(ctx, lookup);
	if (err == 0) {
		*ret = lookup->list;
		lookup->list = NULL;
	}
	lookup_unref(lookup);
	return err;
}

/* What needs neither a name server nor a file: getaddrinfo(3) does not block then. EAI_NONAME and
 * EAI_SERVICE: not all numeric. */
static int resolve_in_place(const char *host, const char *service, const struct addrinfo *hints,
			    struct addrinfo **list)
{
	struct addrinfo numeric = *hints;

	numeric.ai_flags |= AI_NUMERICHOST | AI_NUMERICSERV;
	return getaddrinfo(host, service, &numeric, list);
}

int belay_resolve(belay_ctx *ctx, const char *host, const char *service,
		  const struct addrinfo *hints, struct addrinfo **ret)
{
	struct addrinfo any = {.ai_family = AF_UNSPEC};
	struct addrinfo *list = NULL;
	int err = belay_err(ctx), code;

	if (err < 0)
		return err;
	if (hints)
		any = (struct addrinfo){.ai_flags = hints->ai_flags,
					.ai_family = hints->ai_family,
					.ai_socktype = hints->ai_socktype,
					.ai_protocol = hints->ai_protocol};
	code = resolve_in_place(host, service, &any, &list);
	if ((host || service) && (code == EAI_NONAME || code == EAI_SERVICE))
		return resolve_on_thread(ctx, host, service, &any, ret);
	err = error_of(code);
	if (err == 0)
		*ret = list;
	return err;
}
