/* SPDX-License-Identifier: MIT
 *
 * test_calls.c - errno, the locale, the thread and what is thread-local are in a task after each
 * call that blocks what they were before, although another task of the same worker has set them
 * meanwhile.
 */
#include "check.h"

#include <dlfcn.h>
#include <locale.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static belay_ctx *bg(void)
{
	return belay_background();
}

static int one_worker(void **state)
{
	return setenv("BELAY_WORKERS", "1", 1);
}

static int default_workers(void **state)
{
	return unsetenv("BELAY_WORKERS");
}

enum { THEIRS = 4242, MINE = 2424 };

static locale_t mine, theirs;
static _Thread_local int local;

/* What the library asks of the system, as when its clock starts, may leave any errno: where /sys is
 * not mounted this does. The thread sanitizer asks before there is a dlsym(). */
#ifndef __SANITIZE_THREAD__
__attribute__((visibility("default"))) long sysconf(int name)
{
	long (*real)(int) = (long (*)(int))dlsym(RTLD_NEXT, "sysconf");
	long value = real(name);

	errno = THEIRS;
	return value;
}
#endif

/* ---- The one that meddles -------------------------------------------------------------------- */

static atomic_bool meddles;
static atomic_uint meddled;

/* On the only worker, between the call and its return, again and again. */
static void meddle(belay_ctx *ctx, void *arg)
{
	while (atomic_load(&meddles)) {
		errno = THEIRS;
		uselocale(theirs);
		atomic_fetch_add(&meddled, 1);
		belay_yield();
		check(uselocale((locale_t)0) == theirs);
	}
}

/* ---- Calls that block, and what ends the wait, in a task of its own -------------------------- */

static belay_chan *chan;
static belay_ctx *ends, *ends_too;

static void do_nothing(void) { }
static void do_sleep(void) { check(belay_sleep(bg(), BELAY_MS(1)) == 0); }
static void do_send(void) { check(belay_send(bg(), chan, NULL) == 0); }
static void do_recv(void) { check(belay_recv(bg(), chan, NULL) == 0); }
static void do_select(void) { check(belay_select(bg(), BELAY_RECV(chan, NULL)) == 0); }
static void do_time_out(void) { check(belay_select(bg(), BELAY_TIMEOUT(BELAY_MS(1))) == 0); }
static void do_wait(void) { check(belay_wait(ends) == -ECANCELED); }
static void do_end(void) { belay_cancel(ends); }
static void do_done(void) { check(belay_recv(bg(), belay_done(ends_too), NULL) == -EPIPE); }
static void do_end_too(void) { belay_cancel(ends_too); }

static void do_wait_cancelled(void)
{
	BELAY_SCOPED belay_ctx *ctx = belay_with_timeout(bg(), BELAY_MS(1));

	check(belay_recv(ctx, NULL, NULL) == -ETIME);
}

static void do_wait_for_signal(void)
{
	BELAY_SCOPED belay_ctx *ctx = check_live(belay_with_signal(bg(), SIGUSR1, 0));

	check(belay_wait(ctx) == -ECANCELED);
}

static void do_kill(void) { check(kill(getpid(), SIGUSR1) == 0); }

/* ---- Locks and their like -------------------------------------------------------------------- */

static belay_mutex mutex = BELAY_MUTEX_INIT;
static belay_rwlock rwlock = BELAY_RWLOCK_INIT;
static belay_sem sem = BELAY_SEM_INIT(0);
static belay_wg wg = BELAY_WG_INIT;
static belay_cond cond = BELAY_COND_INIT;
static belay_once once = BELAY_ONCE_INIT;

static void do_unlock(void) { belay_mutex_unlock(&mutex); }
static void do_read_lock(void) { check(belay_rwlock_read_lock(bg(), &rwlock) == 0); }
static void do_write_unlock(void) { belay_rwlock_write_unlock(&rwlock); }
static void do_write_lock(void) { check(belay_rwlock_write_lock(bg(), &rwlock) == 0); }
static void do_read_unlock(void) { belay_rwlock_read_unlock(&rwlock); }
static void do_acquire(void) { check(belay_sem_acquire(bg(), &sem, 1) == 0); }
static void do_release(void) { belay_sem_release(&sem, 1); }
static void do_wg_wait(void) { check(belay_wg_wait(bg(), &wg) == 0); }
static void do_wg_done(void) { belay_wg_done(&wg); }
static void do_signal(void) { belay_cond_signal(&cond); }

static void do_lock(void)
{
	check(belay_mutex_lock(bg(), &mutex) == 0);
	belay_mutex_unlock(&mutex);
}

static void do_cond(void)
{
	check(belay_mutex_lock(bg(), &mutex) == 0);
	check(belay_cond_wait(bg(), &cond, &mutex) == 0);
	belay_mutex_unlock(&mutex);
}

static int nap(belay_ctx *ctx, void *arg)
{
	return belay_sleep(ctx, BELAY_MS(1));
}

static void do_once(void)
{
	check(belay_once_do(bg(), &once, nap, NULL) == 0);
}

static int fetch(belay_ctx *ctx, const char *key, void *arg, void **ret)
{
	errno = THEIRS;
	*ret = NULL;
	return belay_sleep(ctx, BELAY_MS(1));
}

static belay_flight flight = BELAY_FLIGHT_INIT(fetch, NULL, NULL);

static void do_flight(void)
{
	check(belay_flight_do(bg(), &flight, "key", NULL) == 0);
	check(belay_flight_wait(bg(), &flight) == 0);
}

/* ---- Work ------------------------------------------------------------------------------------ */

static void meddle_elsewhere(void *arg)
{
	errno = THEIRS;
}

static void do_blocking(void)
{
	check(belay_blocking(bg(), meddle_elsewhere, NULL) == 0);
}

static int member(belay_ctx *ctx, void *arg)
{
	errno = THEIRS;
	return belay_sleep(ctx, BELAY_MS(1));
}

static void do_group(void)
{
	belay_group *group = check_made(belay_group_new(bg()));

	check(belay_group_go(group, member, NULL) == 0);
	check(belay_group_wait(group) == 0);
}

static void do_group_at_its_limit(void)
{
	belay_group *group = check_made(belay_group_new(bg()));

	belay_group_limit(group, 1);
	check(belay_group_go(group, member, NULL) == 0);
	check(belay_group_go(group, member, NULL) == 0);
	check(errno != THEIRS && uselocale((locale_t)0) == mine);
	check(belay_group_wait(group) == 0);
}

static void do_first(void)
{
	void *args[] = {NULL, NULL};

	check(belay_first(bg(), member, args, 2, 0) >= 0);
}

/* ---- Descriptors and connections ------------------------------------------------------------- */

enum { MUCH = 8 << 20 }; /* more than the kernel takes at once */

static int fds[2];
static belay_conn *ours, *peer;
static belay_listener *listener;
static char buffer[MUCH];

static void do_write_byte(void) { check(write(fds[1], "x", 1) == 1); }

static void do_read(void)
{
	check(belay_read(bg(), fds[0], buffer, 1) == 1);
}

static void do_wait_fd(void)
{
	check(belay_wait_fd(bg(), fds[0], BELAY_READABLE) == BELAY_READABLE);
	check(read(fds[0], buffer, 1) == 1);
}

/* Until the pipe has no room: the last one waits. */
static void do_write(void)
{
	for (size_t done = 0; done < MUCH;) {
		ssize_t n = belay_write(bg(), fds[1], buffer, MUCH - done);

		if (!check(n > 0))
			return;
		done += (size_t)n;
	}
}

static void do_drain(void)
{
	static char drained[64 << 10];
	size_t done = 0;
	ssize_t n;

	while (done < MUCH && check((n = belay_read(bg(), fds[0], drained, sizeof drained)) > 0))
		done += (size_t)n;
}

static void do_conn_read(void)
{
	check(belay_conn_read(bg(), ours, buffer, 1) == 1);
}

static void do_conn_write_byte(void)
{
	check(belay_conn_write(bg(), peer, "x", 1, NULL) == 0);
}

static void do_conn_write(void)
{
	check(belay_conn_write(bg(), ours, buffer, MUCH, NULL) == 0);
}

static void do_conn_writev(void)
{
	const struct iovec parts[] = {{buffer, MUCH / 2}, {buffer, MUCH / 2}};

	check(belay_conn_writev(bg(), ours, parts, 2, NULL) == 0);
}

static void do_conn_drain(void)
{
	static char drained[64 << 10];
	size_t done = 0;
	ssize_t n;

	while (done < MUCH && check((n = belay_conn_read(bg(), peer, drained, sizeof drained)) > 0))
		done += (size_t)n;
}

/* Of those that wait in the listener's queue nobody is there any more. */
static void dial(const char *host)
{
	const char *port = strrchr(belay_listener_address(listener), ':');
	belay_conn *conn = NULL;
	char address[64];

	snprintf(address, sizeof address, "%s%s", host, port);
	check(belay_dial(bg(), address, &conn) == 0);
	belay_conn_close(conn);
}

static void do_dial(void) { dial("localhost"); }
static void do_dial_number(void) { dial("127.0.0.1"); }

static void do_connect(void)
{
	struct sockaddr_in address;
	socklen_t length = sizeof address;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	check(getsockname(belay_listener_fd(listener), (struct sockaddr *)&address, &length) == 0);
	check(belay_connect(bg(), fd, (struct sockaddr *)&address, length) == 0);
	close(fd);
}

static void do_listener_accept(void)
{
	belay_conn *conn = NULL;

	check(belay_listener_accept(bg(), listener, &conn) == 0);
	belay_conn_close(conn);
}

static void do_accept(void)
{
	int fd = belay_accept(bg(), belay_listener_fd(listener), NULL, NULL);

	check(fd >= 0);
	close(fd);
}

static void do_resolve(void)
{
	struct addrinfo *found = NULL;

	if (check(belay_resolve(bg(), "localhost", NULL, NULL, &found) == 0))
		freeaddrinfo(found);
}

/* ---- All of them ----------------------------------------------------------------------------- */

struct call {
	const char *name;
	void (*block)(void), (*release)(void);
	bool sets_errno; /* to what a system call of its own said last */
	bool may_not_wait;
};

static const struct call calls[] = {
	{"send", do_send, do_recv},
	{"recv", do_recv, do_send},
	{"select", do_select, do_send},
	{"select that times out", do_time_out, do_nothing},
	{"sleep", do_sleep, do_nothing},
	{"yield", belay_yield, do_nothing},
	{"wait", do_wait, do_end},
	{"recv of done", do_done, do_end_too},
	{"a deadline", do_wait_cancelled, do_nothing},
	{"a signal", do_wait_for_signal, do_kill},
	{"mutex_lock", do_lock, do_unlock},
	{"rwlock_read_lock", do_read_lock, do_write_unlock},
	{"rwlock_write_lock", do_write_lock, do_read_unlock},
	{"sem_acquire", do_acquire, do_release},
	{"wg_wait", do_wg_wait, do_wg_done},
	{"cond_wait", do_cond, do_signal},
	{"once_do", do_once, do_nothing},
	{"flight_do", do_flight, do_nothing},
	{"blocking", do_blocking, do_nothing},
	{"group_wait", do_group, do_nothing},
	{"group_go", do_group_at_its_limit, do_nothing},
	{"first", do_first, do_nothing},
	{"wait_fd", do_wait_fd, do_write_byte},
	{"read", do_read, do_write_byte, .sets_errno = true},
	{"write", do_write, do_drain, .sets_errno = true},
	{"conn_read", do_conn_read, do_conn_write_byte, .sets_errno = true},
	{"conn_write", do_conn_write, do_conn_drain, .sets_errno = true},
	{"conn_writev", do_conn_writev, do_conn_drain, .sets_errno = true},
	{"listener_accept", do_listener_accept, do_dial_number, .sets_errno = true},
	{"accept", do_accept, do_dial_number, .sets_errno = true},
	{"dial", do_dial, do_listener_accept, .sets_errno = true},
	{"connect", do_connect, do_listener_accept, .sets_errno = true, .may_not_wait = true},
	{"resolve", do_resolve, do_nothing},
};

static atomic_bool released; /* whose own wait a shutdown would strand */

static void release(belay_ctx *ctx, void *arg)
{
	const struct call *at = arg;

	at->release();
	atomic_store(&released, true);
}

static void call(belay_ctx *ctx, void *arg)
{
	const struct call *at = arg;
	unsigned before = atomic_load(&meddled);
	pthread_t thread = pthread_self();
	int *address = &local;
	bool same;

	check(uselocale((locale_t)0) == LC_GLOBAL_LOCALE);
	uselocale(mine);
	check(belay_go(bg(), release, arg) == 0);
	errno = MINE;
	local = MINE;
	at->block();
	same = (errno == MINE || (at->sets_errno && errno != THEIRS)) &&
	       uselocale((locale_t)0) == mine && address == &local && local == MINE &&
	       pthread_equal(thread, pthread_self());
	if (!check(same) || !check(at->may_not_wait || atomic_load(&meddled) != before))
		fprintf(stderr, "after %s\n", at->name);
}

static void run_call(const struct call *at)
{
	atomic_store(&meddles, true);
	assert_int_equal(belay_go(bg(), meddle, NULL), 0);
	atomic_store(&released, false);
	check_in_task(call, (void *)at);
	assert_true(check_until(atomic_load(&released)));
	atomic_store(&meddles, false);
}

static void make_locales(void)
{
	mine = newlocale(LC_ALL_MASK, "C", (locale_t)0);
	theirs = newlocale(LC_ALL_MASK, "POSIX", (locale_t)0);
	theirs = theirs == mine ? newlocale(LC_ALL_MASK, "C.UTF-8", (locale_t)0) : theirs;
	assert_true(mine && theirs && mine != theirs);
}

static void make_what_is_waited_for(void)
{
	int pair[2];

	chan = check_made(belay_chan_new(0, 0));
	ends = check_live(belay_with_cancel(bg()));
	ends_too = check_live(belay_with_cancel(bg()));
	assert_int_equal(pipe(fds), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	assert_int_equal(belay_conn_from_fd(pair[0], &ours), 0);
	assert_int_equal(belay_conn_from_fd(pair[1], &peer), 0);
	assert_int_equal(belay_listen(bg(), "127.0.0.1:0", &listener), 0);
	belay_wg_add(&wg, 1);
	assert_int_equal(belay_rwlock_write_lock(bg(), &rwlock), 0);
	assert_int_equal(belay_mutex_lock(bg(), &mutex), 0);
}

static void free_all(void)
{
	belay_rwlock_write_unlock(&rwlock);
	belay_shutdown();
	belay_listener_close(listener);
	belay_conn_close(ours), belay_conn_close(peer);
	close(fds[0]), close(fds[1]);
	belay_end(ends), belay_end(ends_too);
	belay_chan_unref(chan);
	freelocale(mine), freelocale(theirs);
}

static void errno_locale_and_thread_are_the_same_after_every_call(void **state)
{
	make_locales();
	make_what_is_waited_for();
	for (size_t i = 0; i < sizeof calls / sizeof *calls; i++)
		run_call(&calls[i]);
	free_all();
}

BELAY_TEST_MAIN(
	cmocka_unit_test_setup_teardown(errno_locale_and_thread_are_the_same_after_every_call,
					one_worker, default_workers))
