/* SPDX-License-Identifier: MIT
 *
 * pollfd.c - which tasks wait for which descriptor: the records, and the poller's side of them.
 *
 * State       epoll < 0: not registered, as far as we know. edge: registered edge-triggered for
 *             both directions, by an owner. Else: one-shot, armed while somebody waits.
 * Invariants  (1) A waiter in a queue stands under a registration that is armed for its direction:
 *                 it queues itself and arms under one hold of the lock, and ready() arms again for
 *                 those whom it leaves in a queue.
 *             (2) What the kernel has registered is found again by (file, number), never by us. A
 *                 number that was closed and opened again is one that EPOLL_CTL_MOD does not find:
 *                 then it is added. One that we took for gone, but that another descriptor kept
 *                 alive, is one that EPOLL_CTL_ADD finds: then it is modified.
 *             (3) Records are never freed while workers run: belay_shutdown() frees those that
 *                 nobody waits in, and the rest start over as never registered.
 * Locking     lock guards the record. epoll_ctl(2) is called under it: it takes no lock of ours.
 *             turn stands alone. Nobody is woken under a lock.
 * No loss     Lent: arming looks at the descriptor's state as it is, so that whatever became ready
 *             since the caller's try makes an event, and the waiter is queued by then.
 *             Owned: edges is read before the try. An edge after the try (there is one: the kernel
 *             wakes the epoll for what comes after it said EAGAIN) leads to ready(), which counts
 *             it under the lock: before the waiter has the lock, who then sees another number and
 *             tries again, or after, and then it is in the queue. Other waiters don't matter: one
 *             edge wakes all of them, which costs a herd its futile tries, and nobody depends on
 *             another's diligence.
 * Memory      edges is stored (release) under the lock, and exceptional before it; the load before
 *             the try is an acquire, so that neither the try nor the look at exceptional is made
 *             before it.
 */
#include "net/pollfd.h"

#include "base/alloc.h"
#include "base/stop.h"
#include "context/context.h"
#include "task/task.h"

#include <errno.h>
#include <sys/epoll.h>

enum { READERS, WRITERS, DIRECTIONS };

struct belay__pollfd {
	struct belay__source source;              /* constant                                */
	int fd;                                   /* constant                                */
	struct belay__lock turn;
	struct belay__lock lock;                  /* guards what follows                     */
	int epoll;
	bool edge;
	_Atomic bool exceptional;                 /* an event of this registration was so    */
	_Atomic uint32_t edges;
	struct belay__list waiters[DIRECTIONS];   /* struct belay__wait                      */
};

static bool waited_for(const struct belay__pollfd *record)
{
	return !belay__list_empty(&record->waiters[READERS]) ||
	       !belay__list_empty(&record->waiters[WRITERS]);
}

/* ---- The directory: three levels, grown as numbers come up ----------------------------------- */

enum { LEAF_BITS = 8, BRANCH_BITS = 10, ROOT_BITS = 12 };

struct leaf {
	struct belay__pollfd records[1 << LEAF_BITS];
};

struct branch {
	_Atomic(struct leaf *) leaves[1 << BRANCH_BITS];
};

static _Atomic(struct branch *) root[1 << ROOT_BITS];

static void ready(struct belay__source *source, uint32_t events);

static struct leaf *leaf_new(int first)
{
	struct leaf *leaf = belay__calloc(1, sizeof *leaf);

	for (int i = 0; leaf && i < 1 << LEAF_BITS; i++) {
		struct belay__pollfd *record = &leaf->records[i];

		record->source.ready = ready;
		record->fd = first + i;
		record->epoll = -1;
		for (int direction = 0; direction < DIRECTIONS; direction++)
			belay__list_init(&record->waiters[direction]);
	}
	return leaf;
}

static void forget_epolls(void);
static struct belay__stop at_stop = {.fn = forget_epolls};

/* Acquire pairs with the release of the exchange: who finds it finds it filled in. */
static struct branch *branch_at(unsigned index)
{
	struct branch *branch = atomic_load_explicit(&root[index], memory_order_acquire);
	struct branch *made;

	if (branch || !(made = belay__calloc(1, sizeof *made)))
		return branch;
	belay__stop_register(&at_stop);
	if (atomic_compare_exchange_strong_explicit(&root[index], &branch, made,
						    memory_order_acq_rel, memory_order_acquire))
		return made;
	belay__free(made);
	return branch;
}

static struct leaf *leaf_at(struct branch *branch, unsigned index, int first)
{
	struct leaf *leaf = atomic_load_explicit(&branch->leaves[index], memory_order_acquire);
	struct leaf *made;

	if (leaf || !(made = leaf_new(first)))
		return leaf;
	if (atomic_compare_exchange_strong_explicit(&branch->leaves[index], &leaf, made,
						    memory_order_acq_rel, memory_order_acquire))
		return made;
	belay__free(made);
	return leaf;
}

struct belay__pollfd *belay__pollfd_of(int fd)
{
	unsigned number = (unsigned)fd;
	unsigned in_leaf = number & ((1u << LEAF_BITS) - 1);
	unsigned in_branch = number >> LEAF_BITS & ((1u << BRANCH_BITS) - 1);
	unsigned in_root = number >> (LEAF_BITS + BRANCH_BITS);
	struct branch *branch;
	struct leaf *leaf;

	if (in_root >= 1u << ROOT_BITS)
		return NULL; /* past what fs.nr_open can be set to */
	branch = branch_at(in_root);
	leaf = branch ? leaf_at(branch, in_branch, fd - (int)in_leaf) : NULL;
	return leaf ? &leaf->records[in_leaf] : NULL;
}

/* ---- After a shutdown, when nobody else is here ---------------------------------------------- */

/* The epolls are closed, and their numbers may come to mean anything. True: nobody needs the
 * leaf. */
static bool forget_leaf(struct leaf *leaf)
{
	bool unused = true;

	for (int i = 0; i < 1 << LEAF_BITS; i++) {
		struct belay__pollfd *record = &leaf->records[i];

		record->epoll = -1;
		record->edge = false;
		unused = unused && !waited_for(record);
	}
	return unused;
}

static bool forget_branch(struct branch *branch)
{
	bool unused = true;

	for (int i = 0; i < 1 << BRANCH_BITS; i++) {
		struct leaf *leaf = atomic_load_explicit(&branch->leaves[i], memory_order_relaxed);

		if (leaf && forget_leaf(leaf)) {
			belay__free(leaf);
			atomic_store_explicit(&branch->leaves[i], NULL, memory_order_relaxed);
		} else if (leaf) {
			unused = false;
		}
	}
	return unused;
}

static void forget_epolls(void)
{
	for (int i = 0; i < 1 << ROOT_BITS; i++) {
		struct branch *branch = atomic_load_explicit(&root[i], memory_order_relaxed);

		if (branch && forget_branch(branch)) {
			belay__free(branch);
			atomic_store_explicit(&root[i], NULL, memory_order_relaxed);
		}
	}
}

/* ---- Registration; all of it under the record's lock ----------------------------------------- */

static const uint32_t edge_events = EPOLLIN | EPOLLPRI | EPOLLOUT | EPOLLRDHUP | EPOLLET;

static uint32_t wanted_events(const struct belay__pollfd *record)
{
	uint32_t events = EPOLLONESHOT;

	if (record->edge)
		return edge_events;
	if (!belay__list_empty(&record->waiters[READERS]))
		events |= EPOLLIN;
	if (!belay__list_empty(&record->waiters[WRITERS]))
		events |= EPOLLOUT;
	return events;
}

static int control(struct belay__pollfd *record, int epoll, int op, uint32_t events)
{
	struct epoll_event event = {.events = events, .data.ptr = &record->source};

	return epoll_ctl(epoll, op, record->fd, &event) < 0 ? -errno : 0;
}

static void take_off(struct belay__pollfd *record)
{
	if (record->epoll >= 0)
		control(record, record->epoll, EPOLL_CTL_DEL, 0);
	record->epoll = -1;
}

/* Arms the record on epoll for those who are queued; what is ready now makes an event at once. */
static int arm(struct belay__pollfd *record, int epoll)
{
	uint32_t events = wanted_events(record);
	int err;

	if (record->epoll != epoll)
		take_off(record);
	err = control(record, epoll, record->epoll < 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, events);
	if (err == -ENOENT)
		err = control(record, epoll, EPOLL_CTL_ADD, events);
	else if (err == -EEXIST)
		err = control(record, epoll, EPOLL_CTL_MOD, events);
	record->epoll = err < 0 ? -1 : epoll;
	return err;
}

/* Where to arm: a task is best woken by its own worker, but while others wait, or an owner has
 * chosen, it stays where it is. */
static int choose_epoll(const struct belay__pollfd *record, int own)
{
	bool keep = record->edge || waited_for(record);

	return record->epoll >= 0 && keep ? record->epoll : own;
}

/* ---- The poller's side ----------------------------------------------------------------------- */

/* Those who wait for the other direction keep waiting, but the shot is spent. Where it can't be
 * armed again they are woken, to find out why. */
static void arm_again(struct belay__pollfd *record, struct belay__list *woken)
{
	if (record->edge || record->epoll < 0 || !waited_for(record) ||
	    arm(record, record->epoll) == 0)
		return;
	belay__queue_claim_all(&record->waiters[READERS], woken);
	belay__queue_claim_all(&record->waiters[WRITERS], woken);
}

static void ready(struct belay__source *source, uint32_t events)
{
	struct belay__pollfd *record = belay__container(source, struct belay__pollfd, source);
	uint32_t both = EPOLLHUP | EPOLLERR;
	struct belay__list woken;

	belay__list_init(&woken);
	belay__lock_take(&record->lock, BELAY__RANK_FD);
	if (events & (EPOLLPRI | EPOLLRDHUP | both))
		atomic_store_explicit(&record->exceptional, true, memory_order_relaxed);
	atomic_fetch_add_explicit(&record->edges, 1, memory_order_release);
	if (events & (EPOLLIN | EPOLLRDHUP | both))
		belay__queue_claim_all(&record->waiters[READERS], &woken);
	if (events & (EPOLLOUT | both))
		belay__queue_claim_all(&record->waiters[WRITERS], &woken);
	arm_again(record, &woken);
	belay__lock_give(&record->lock, BELAY__RANK_FD);
	belay__wake_all(&woken);
}

/* ---- The side of those who wait -------------------------------------------------------------- */

/* One caller's place in the queues of the directions it waits for. */
struct place {
	struct belay__waiter waiter;
	struct belay__wait waits[DIRECTIONS];
};

static void place_init(struct place *place)
{
	belay__waiter_init(&place->waiter);
	place->waiter.why = BELAY__WHY_IO;
	for (int i = 0; i < DIRECTIONS; i++)
		belay__wait_init(&place->waits[i], &place->waiter);
}

static void enter(struct belay__pollfd *record, struct place *place, unsigned events)
{
	if (events & BELAY_READABLE)
		belay__list_append(&record->waiters[READERS], &place->waits[READERS].link);
	if (events & BELAY_WRITABLE)
		belay__list_append(&record->waiters[WRITERS], &place->waits[WRITERS].link);
}

static void leave(struct place *place)
{
	for (int i = 0; i < DIRECTIONS; i++)
		if (belay__list_linked(&place->waits[i].link))
			belay__list_remove(&place->waits[i].link);
}

/* Parks in the queues that place stands in. A lent registration is disarmed by its event; where
 * there was none it is taken off, so that none is armed that nobody waits under. */
static int park(belay_ctx *ctx, struct belay__pollfd *record, struct place *place)
{
	bool woken = belay__block(ctx, &place->waiter) != NULL;

	belay__lock_take(&record->lock, BELAY__RANK_FD);
	leave(place);
	if (!woken && !record->edge && !waited_for(record))
		take_off(record);
	belay__lock_give(&record->lock, BELAY__RANK_FD);
	return woken ? 0 : belay_err(ctx);
}

int belay__pollfd_wait_lent(belay_ctx *ctx, struct belay__pollfd *record, unsigned events)
{
	int epoll = belay__poller_fd();
	struct place place;
	int err;

	if (epoll < 0)
		return epoll;
	place_init(&place);
	belay__lock_take(&record->lock, BELAY__RANK_FD);
	epoll = choose_epoll(record, epoll);
	enter(record, &place, events);
	err = arm(record, epoll);
	if (err < 0)
		leave(&place);
	belay__lock_give(&record->lock, BELAY__RANK_FD);
	return err < 0 ? err : park(ctx, record, &place);
}

void belay__pollfd_turn_begin(struct belay__pollfd *record)
{
	belay__lock_take(&record->turn, BELAY__RANK_FD);
}

void belay__pollfd_turn_end(struct belay__pollfd *record)
{
	belay__lock_give(&record->turn, BELAY__RANK_FD);
}

uint32_t belay__pollfd_edges(const struct belay__pollfd *record)
{
	return atomic_load_explicit(&record->edges, memory_order_acquire);
}

bool belay__pollfd_is_exceptional(const struct belay__pollfd *record)
{
	return atomic_load_explicit(&record->exceptional, memory_order_relaxed);
}

/* The owner's first wait registers, which is a look at the descriptor like any arming. */
static int register_edges(struct belay__pollfd *record, int epoll)
{
	int err;

	record->edge = true;
	atomic_store_explicit(&record->exceptional, false, memory_order_relaxed);
	err = arm(record, waited_for(record) && record->epoll >= 0 ? record->epoll : epoll);
	if (err < 0)
		record->edge = false;
	return err;
}

/* Under the lock. 1: who is queued now misses nothing; 0: the descriptor has become ready since
 * edges; or an error. */
static int may_queue(struct belay__pollfd *record, int epoll, uint32_t edges)
{
	int err = record->edge ? 0 : register_edges(record, epoll);

	if (err < 0)
		return err;
	return edges == atomic_load_explicit(&record->edges, memory_order_relaxed);
}

int belay__pollfd_wait(belay_ctx *ctx, struct belay__pollfd *record, unsigned events,
		       uint32_t edges)
{
	int epoll = belay__poller_fd(), queued;
	struct place place;

	if (epoll < 0)
		return epoll;
	place_init(&place);
	belay__lock_take(&record->lock, BELAY__RANK_FD);
	queued = may_queue(record, epoll, edges);
	if (queued > 0)
		enter(record, &place, events);
	belay__lock_give(&record->lock, BELAY__RANK_FD);
	return queued > 0 ? park(ctx, record, &place) : queued;
}

int belay__pollfd_join(struct belay__pollfd *record, struct belay__wait *wait, uint32_t edges)
{
	int epoll = belay__poller_fd(), queued;

	if (epoll < 0)
		return epoll;
	belay__lock_take(&record->lock, BELAY__RANK_FD);
	queued = may_queue(record, epoll, edges);
	if (queued > 0)
		belay__list_append(&record->waiters[READERS], &wait->link);
	belay__lock_give(&record->lock, BELAY__RANK_FD);
	return queued;
}

void belay__pollfd_leave(struct belay__pollfd *record, struct belay__wait *wait)
{
	belay__lock_take(&record->lock, BELAY__RANK_FD);
	if (belay__list_linked(&wait->link))
		belay__list_remove(&wait->link);
	belay__lock_give(&record->lock, BELAY__RANK_FD);
}

/* What is ready makes an event there too. Where it can't be added it is as if it never had been. */
void belay__pollfd_follow(struct belay__pollfd *record)
{
	int own = belay__poller_fd();

	belay__lock_take(&record->lock, BELAY__RANK_FD);
	if (own >= 0 && record->edge && record->epoll != own && !waited_for(record))
		record->edge = arm(record, own) == 0;
	belay__lock_give(&record->lock, BELAY__RANK_FD);
}

void belay__pollfd_forget(int fd)
{
	struct belay__pollfd *record = belay__pollfd_of(fd);

	if (!record)
		return; /* then it was never waited for */
	belay__lock_take(&record->lock, BELAY__RANK_FD);
	take_off(record);
	record->edge = false;
	belay__lock_give(&record->lock, BELAY__RANK_FD);
}
