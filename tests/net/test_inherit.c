/* SPDX-License-Identifier: MIT
 *
 * test_inherit.c - descriptors that a process began with, by the protocol of sd_listen_fds(3).
 *
 * What is inherited is taken once for a process, so each test has a child of its own, whose 3, 4
 * and 5 are two listening sockets and a pipe's end.
 */
#include "net_test.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/wait.h>

enum { GIVEN = 3 };

static int listening_socket(void)
{
	struct sockaddr_in addr = {.sin_family = AF_INET,
				   .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	check(bind(fd, (struct sockaddr *)&addr, sizeof addr) == 0 && listen(fd, 8) == 0);
	return fd;
}

/* Whatever stands there belongs to the parent. */
static void put_at_3(const int fds[GIVEN])
{
	int high[GIVEN];

	for (int i = 0; i < GIVEN; i++)
		high[i] = fcntl(fds[i], F_DUPFD, 100);
	for (int i = 0; i < GIVEN; i++) {
		dup2(high[i], 3 + i);
		close(high[i]);
	}
}

static void set_number(const char *name, int n)
{
	char text[32];

	snprintf(text, sizeof text, "%d", n);
	setenv(name, text, 1);
}

/* As systemd would. */
static void announce(const char *names)
{
	set_number("LISTEN_PID", getpid());
	set_number("LISTEN_FDS", GIVEN);
	setenv("LISTEN_FDNAMES", names, 1);
}

/* Runs fn in a child that ends with 0 where it returned true. */
static bool holds_in_child(bool (*fn)(void))
{
	int fds[GIVEN] = {listening_socket(), listening_socket(), -1}, pipe_fds[2], status = -1;
	pid_t child;

	check(pipe2(pipe_fds, O_CLOEXEC) == 0);
	fds[2] = pipe_fds[0];
	child = fork();
	if (child == 0) {
		put_at_3(fds);
		_exit(fn() ? 0 : 1);
	}
	check(waitpid(child, &status, 0) == child);
	for (int i = 0; i < GIVEN; i++)
		close(fds[i]);
	close(pipe_fds[1]);
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static bool is_none(void)
{
	belay_listener *listener = NULL;

	return belay_inherited_fd(NULL) == -ENOENT &&
	       belay_listen_inherited(NULL, &listener) == -ENOENT && !listener;
}

static bool without_the_variables(void)
{
	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_FDNAMES");
	unsetenv("BELAY_LISTEN_PPID");
	return is_none();
}

static void without_the_variables_there_is_none(void **state)
{
	assert_true(holds_in_child(without_the_variables));
}

static bool by_name(void)
{
	announce("http:admin:ready");
	return belay_inherited_fd("ready") == 5 && belay_inherited_fd("http") == 3 &&
	       belay_inherited_fd("adm") == -ENOENT && belay_inherited_fd("admin") == 4 &&
	       belay_inherited_fd("admin") == -ENOENT && is_none();
}

static void each_is_handed_out_once_by_its_name(void **state)
{
	assert_true(holds_in_child(by_name));
}

static bool of_one_name(void)
{
	announce("http:http:ready");
	return belay_inherited_fd("http") == 3 && belay_inherited_fd("http") == 4 &&
	       belay_inherited_fd("http") == -ENOENT && belay_inherited_fd(NULL) == 5;
}

static void those_of_one_name_come_in_their_order(void **state)
{
	assert_true(holds_in_child(of_one_name));
}

static bool without_names(void)
{
	announce("");
	unsetenv("LISTEN_FDNAMES");
	return belay_inherited_fd("http") == -ENOENT && belay_inherited_fd("unknown") == 3 &&
	       belay_inherited_fd(NULL) == 4;
}

/* sd_listen_fds_with_names(3) */
static void without_names_all_are_called_unknown(void **state)
{
	assert_true(holds_in_child(without_names));
}

static bool of_another_process(void)
{
	announce("http:admin:ready");
	set_number("LISTEN_PID", getppid());
	return is_none();
}

static void those_of_another_process_are_left_alone(void **state)
{
	assert_true(holds_in_child(of_another_process));
}

static bool of_the_parent(void)
{
	announce("http:admin:ready");
	unsetenv("LISTEN_PID");
	set_number("BELAY_LISTEN_PPID", getpid());
	if (!is_none())
		return false;
	set_number("BELAY_LISTEN_PPID", getppid());
	return belay_inherited_fd("http") == 3;
}

static void who_starts_a_program_may_name_itself_instead(void **state)
{
	assert_true(holds_in_child(of_the_parent));
}

static bool refuses(const char *pid, const char *count, const char *names)
{
	announce(names);
	if (pid)
		setenv("LISTEN_PID", pid, 1);
	setenv("LISTEN_FDS", count, 1);
	return belay_inherited_fd(NULL) == -EINVAL;
}

static bool malformed(void)
{
	return refuses("", "3", "a:b:c") && refuses("12x", "3", "a:b:c") &&
	       refuses("99999999999999999999", "3", "a:b:c") && refuses(NULL, "", "a:b:c") &&
	       refuses(NULL, "-1", "a:b:c") && refuses(NULL, "0", "") &&
	       refuses(NULL, "2000000000", "a:b:c") && refuses(NULL, "3", "a:b") &&
	       refuses(NULL, "3", "a:b:c:d");
}

static void what_is_malformed_is_refused(void **state)
{
	assert_true(holds_in_child(malformed));
}

static bool closed_on_exec(void)
{
	announce("http:admin:ready");
	return !(fcntl(4, F_GETFD) & FD_CLOEXEC) && belay_inherited_fd("http") == 3 &&
	       (fcntl(3, F_GETFD) & FD_CLOEXEC) && (fcntl(4, F_GETFD) & FD_CLOEXEC);
}

static void they_are_not_for_programs_started_further_on(void **state)
{
	assert_true(holds_in_child(closed_on_exec));
}

static bool is_not_open(void)
{
	announce("http:admin:ready");
	close(4);
	return belay_inherited_fd("admin") == -EBADF && belay_inherited_fd("http") == 3;
}

static void one_that_is_not_open_is_an_error(void **state)
{
	assert_true(holds_in_child(is_not_open));
}

/* Somebody who connects is served. */
static bool serves(belay_listener *listener)
{
	belay_conn *out = NULL, *in = NULL;
	bool met = belay_dial(belay_background(), belay_listener_address(listener), &out) == 0 &&
		   belay_listener_accept(belay_background(), listener, &in) == 0;

	belay_conn_close(out);
	belay_conn_close(in);
	return met;
}

static bool as_a_listener(void)
{
	belay_listener *listener = NULL;
	bool served;

	announce("http:admin:ready");
	if (belay_listen_inherited("http", &listener) != 0)
		return false;
	served = belay_listener_fd(listener) == 3 && serves(listener);
	belay_listener_close(listener);
	return served;
}

static void a_listener_is_made_of_one(void **state)
{
	assert_true(holds_in_child(as_a_listener));
}

static bool what_does_not_listen(void)
{
	belay_listener *listener = NULL;

	announce("http:admin:ready");
	return belay_listen_inherited("ready", &listener) == -ENOTSOCK && !listener &&
	       belay_inherited_fd("ready") == 5;
}

static void what_does_not_listen_is_left_to_be_handed_out(void **state)
{
	assert_true(holds_in_child(what_does_not_listen));
}

BELAY_TEST_MAIN(cmocka_unit_test(without_the_variables_there_is_none),
		cmocka_unit_test(each_is_handed_out_once_by_its_name),
		cmocka_unit_test(those_of_one_name_come_in_their_order),
		cmocka_unit_test(without_names_all_are_called_unknown),
		cmocka_unit_test(those_of_another_process_are_left_alone),
		cmocka_unit_test(who_starts_a_program_may_name_itself_instead),
		cmocka_unit_test(what_is_malformed_is_refused),
		cmocka_unit_test(they_are_not_for_programs_started_further_on),
		cmocka_unit_test(one_that_is_not_open_is_an_error),
		cmocka_unit_test(a_listener_is_made_of_one),
		cmocka_unit_test(what_does_not_listen_is_left_to_be_handed_out))
