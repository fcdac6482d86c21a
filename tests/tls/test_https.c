/* SPDX-License-Identifier: MIT
 *
 * test_https.c - the HTTP server behind TLS: with curl and openssl s_client for clients.
 */
#include "https_test.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- Programs as clients --------------------------------------------------------------------- */

static char said[65536];

/* Runs a line of the shell; its exit status, and what it printed in said. */
static int run(const char *fmt, ...)
{
	char line[1024];
	size_t used;
	FILE *out;
	va_list args;

	va_start(args, fmt);
	vsnprintf(line, sizeof line, fmt, args);
	va_end(args);
	out = popen(line, "re");
	assert_non_null(out);
	used = fread(said, 1, sizeof said - 1, out);
	said[used] = '\0';
	return WEXITSTATUS(pclose(out));
}

#define CURL "curl --silent --show-error --max-time 60 --cacert %s "
#define S_CLIENT "timeout 60 openssl s_client -CAfile %s -connect %s "

/* ---- Requests -------------------------------------------------------------------------------- */

static int tell(belay_ctx *ctx, belay_request *req, belay_response *res)
{
	const char *subject = belay_request_peer_subject(req);

	return belay_response_printf(ctx, res, "%s %s", belay_request_is_secure(req) ? "secure"
										   : "plain",
				     subject ? subject : "nobody");
}

static void curl_gets_an_answer(void **state)
{
	belay_router_add(router, "GET /", tell, NULL);
	https_start(NULL);
	assert_int_equal(run(CURL "--tlsv1.3 https://%s/ https://%s/", sides.authority.ca_file,
			     address, address),
			 0);
	assert_string_equal(said, "secure nobodysecure nobody");
	assert_int_equal(run(CURL "--tlsv1.2 --tls-max 1.2 https://%s/", sides.authority.ca_file,
			     address),
			 0);
	assert_string_equal(said, "secure nobody");
}

static void curl_refuses_a_server_that_it_does_not_know(void **state)
{
	https_start(NULL);
	assert_int_equal(run("curl --silent https://%s/", address), 60);
}

/* ---- What is spoken: HTTP2 is "2" where it was built in ------------------------------------- */

static int name_protocol(belay_ctx *ctx, belay_request *req, belay_response *res)
{
	return belay_response_puts(ctx, res, belay_request_protocol(req));
}

/* The client says it, and the handler. */
static void expect_version(const char *options, const char *version)
{
	char both[32];

	assert_int_equal(run(CURL "-w ' %%{http_version}' %s https://%s/",
			     sides.authority.ca_file, options, address),
			 0);
	snprintf(both, sizeof both, "HTTP/%s %s", version, version);
	assert_string_equal(said, both);
}

static void the_server_offers_what_it_speaks(void **state)
{
	belay_router_add(router, "GET /", name_protocol, NULL);
	https_start(NULL);
	expect_version("--http2", HTTP2);
	expect_version("--http1.1", "1.1");
	expect_version("--no-alpn", "1.1");
}

static void what_the_options_name_is_what_is_offered(void **state)
{
	sides.server_options.protocols = "http/1.1";
	belay_router_add(router, "GET /", name_protocol, NULL);
	https_start(NULL);
	expect_version("--http2", "1.1");
}

static void http2_that_is_switched_off_is_not_offered(void **state)
{
	static const struct belay_server_options options = {.no_http2 = true};

	belay_router_add(router, "GET /", name_protocol, NULL);
	https_start(&options);
	expect_version("--http2", "1.1");
}

static void an_offer_is_checked(void **state)
{
	belay_conn *conn;
	int pair[2];

	https_start(NULL);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	assert_int_equal(belay_conn_from_fd(pair[0], &conn), 0);
	assert_int_equal(belay_conn_offer(conn, "h2"), 0); /* without TLS it is nothing */
	assert_int_equal(belay_tls_accept(sides.server, conn), 0);
	assert_int_equal(belay_conn_offer(conn, "h2,,x"), -EINVAL);
	assert_int_equal(belay_conn_offer(conn, "h2"), 0);
	assert_int_equal(belay_conn_offer(conn, "h2,http/1.1"), 0);
	belay_conn_close(conn);
	close(pair[1]);
}

static void a_handler_knows_its_client_by_the_certificate(void **state)
{
	struct issued own = authority_issue(&sides.authority, "alice", "alice", NULL, 3600);

	sides.server_options.clients = BELAY_TLS_CLIENTS_MUST;
	sides.server_options.client_ca_file = sides.authority.ca_file;
	belay_router_add(router, "GET /", tell, NULL);
	https_start(NULL);
	assert_int_equal(run(CURL "--cert %s --key %s https://%s/", sides.authority.ca_file,
			     own.chain, own.key, address),
			 0);
	assert_string_equal(said, "secure CN=alice,O=Belay");
	assert_int_not_equal(run(CURL "https://%s/ 2>&1", sides.authority.ca_file, address), 0);
}

static void a_plain_request_gets_no_answer(void **state)
{
	belay_router_add(router, "GET /", tell, NULL);
	https_start(NULL);
	assert_int_not_equal(run("curl --silent http://%s/", address), 0);
	assert_string_equal(said, "");
}

static int echo(belay_ctx *ctx, belay_request *req, belay_response *res)
{
	char buf[20000];
	ssize_t n = 1;
	int r = 0;

	while (r == 0 && (n = belay_request_read(ctx, req, buf, sizeof buf)) > 0)
		r = belay_response_write(ctx, res, buf, (size_t)n);
	return r < 0 ? r : (int)n;
}

static void large_bodies_go_both_ways(void **state)
{
	static const struct belay_server_options options = {.body_size = 64 << 20};

	belay_router_add(router, "POST /", echo, NULL);
	https_start(&options);
	assert_int_equal(run("head -c 20000000 /dev/urandom > %s/body && " CURL
			     "--data-binary @%s/body -H Expect: https://%s/ | cmp - %s/body",
			     sides.authority.folder, sides.authority.ca_file,
			     sides.authority.folder, address, sides.authority.folder),
			 0);
}

static int send_the_program_itself(belay_ctx *ctx, belay_request *req, belay_response *res)
{
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	off_t size = lseek(fd, 0, SEEK_END);
	char length[24];
	int r;

	snprintf(length, sizeof length, "%jd", (intmax_t)size);
	r = belay_response_header(res, "Content-Length", length);
	if (r == 0)
		r = belay_response_send_file(ctx, res, fd, 0, (uint64_t)size);
	close(fd);
	return r;
}

/* Not past the encryption, as sendfile(2) would. */
static void a_file_goes_through_tls(void **state)
{
	belay_router_add(router, "GET /", send_the_program_itself, NULL);
	https_start(NULL);
	assert_int_equal(run(CURL "https://%s/ | cmp - /proc/%d/exe", sides.authority.ca_file,
			     address, (int)getpid()),
			 0);
}

static void old_versions_of_tls_are_refused(void **state)
{
	https_start(NULL);
	assert_int_not_equal(run(S_CLIENT "-tls1_1 -cipher ALL:@SECLEVEL=0 </dev/null 2>&1",
				 sides.authority.ca_file, address),
			     0);
	assert_int_not_equal(run(S_CLIENT "-tls1 -cipher ALL:@SECLEVEL=0 </dev/null 2>&1",
				 sides.authority.ca_file, address),
			     0);
	assert_int_not_equal(run(S_CLIENT "-tls1_2 -cipher AES128-SHA </dev/null 2>&1",
				 sides.authority.ca_file, address),
			     0);
}

/* Asks, and keeps the session; then asks again with that. The server's tickets come with the first
 * answer, so that has to be waited for. */
static void resume(const char *version)
{
	const char *ask = "GET / HTTP/1.1\\r\\nHost: x\\r\\nConnection: close\\r\\n\\r\\n";

	belay_router_add(router, "GET /", tell, NULL);
	https_start(NULL);
	assert_int_equal(run("printf '%s' | " S_CLIENT
			     "%s -ign_eof -sess_out %s/session 2>&1",
			     ask, sides.authority.ca_file, address, version,
			     sides.authority.folder),
			 0);
	assert_non_null(strstr(said, "New, TLSv1."));
	assert_int_equal(run("printf '%s' | " S_CLIENT "%s -ign_eof -sess_in %s/session 2>&1", ask,
			     sides.authority.ca_file, address, version, sides.authority.folder),
			 0);
	assert_non_null(strstr(said, "Reused, TLSv1."));
	assert_non_null(strstr(said, "secure nobody"));
	assert_int_equal(belay_tls_reload(belay_background(), sides.server, NULL), 0);
	assert_int_equal(run("printf '%s' | " S_CLIENT "%s -ign_eof -sess_in %s/session 2>&1", ask,
			     sides.authority.ca_file, address, version, sides.authority.folder),
			 0);
	assert_non_null(strstr(said, "New, TLSv1."));
}

static void sessions_are_resumed_until_a_reload(void **state)
{
	resume("-tls1_3");
}

static void sessions_of_tls_1_2_are_resumed_too(void **state)
{
	resume("-tls1_2");
}

static void renegotiation_is_refused(void **state)
{
	const char *folder = sides.authority.folder;

	https_start(NULL);
	/* Its input stays open, so that the refusal is what ends it. */
	run("mkfifo %s/input && exec 3<>%s/input && rm %s/input && printf 'R\\n' >&3 && "
	    S_CLIENT "-tls1_2 2>&1 <&3", folder, folder, folder, sides.authority.ca_file, address);
	assert_non_null(strstr(said, "RENEGOTIATING"));
	assert_non_null(strstr(said, "no renegotiation"));
}

/* ---- The request's context ------------------------------------------------------------------- */

struct watch {
	_Atomic int started, ended;
	char cause[64];
};

static int compute(belay_ctx *ctx, belay_request *req, belay_response *res)
{
	struct watch *watch = belay_request_data(req);
	int64_t until = belay_now() + BELAY_S(30);
	belay_cause cause = {0};

	atomic_store(&watch->started, 1);
	while (belay_err(ctx) == 0 && belay_now() < until)
		;
	if (belay_cause_of(ctx, &cause) == 0)
		snprintf(watch->cause, sizeof watch->cause, "%s", cause.message);
	atomic_store(&watch->ended, 1);
	return belay_err(ctx);
}

static void leave(void (*go)(belay_conn *conn))
{
	struct watch watch = {0};
	belay_conn *conn = NULL;

	belay_router_add(router, "GET /", compute, &watch);
	https_start(NULL);
	assert_int_equal(belay_tls_dial(belay_background(), address, sides.client, &conn, NULL),
			 0);
	assert_int_equal(belay_conn_write(belay_background(), conn,
					  "GET / HTTP/1.1\r\nHost: x\r\n\r\n", 27, NULL),
			 0);
	assert_true(check_until(atomic_load(&watch.started)));
	go(conn);
	assert_true(check_until(atomic_load(&watch.ended)));
	assert_string_equal(watch.cause, "client disconnected");
}

/* semantics 4.3, over TLS */
static void a_client_that_closes_ends_its_request_that_computes(void **state)
{
	leave(belay_conn_close);
}

static void reset_it(belay_conn *conn)
{
	const struct linger abort = {.l_onoff = 1};

	check(setsockopt(belay_conn_fd(conn), SOL_SOCKET, SO_LINGER, &abort, sizeof abort) == 0);
	belay_conn_close(conn);
}

/* semantics 4.3, over TLS */
static void a_client_that_resets_ends_its_request_that_computes(void **state)
{
	leave(reset_it);
}

static int shadow = -1;

static void say_so(belay_conn *conn)
{
	shadow = say_close_notify(conn);
}

/* semantics 4.3, over TLS */
static void a_client_that_says_close_notify_ends_its_request_that_computes(void **state)
{
	leave(say_so);
	close(shadow);
}

/* ---- Clients that ask again later ------------------------------------------------------------ */

/* What else than the task that accepts: none. */
static bool sleeps(void)
{
	struct belay_numbers numbers;

	belay_stats(&numbers, sizeof numbers);
	return belay_server_connections(server) == 1 && numbers.tasks == 1;
}

static void expect_answer(belay_conn *conn)
{
	char answer[512];
	ssize_t size = belay_conn_read(belay_background(), conn, answer, sizeof answer - 1);

	assert_true(size > 0);
	answer[size] = '\0';
	assert_non_null(strstr(answer, "secure nobody"));
}

static void put(belay_conn *conn, const char *text)
{
	assert_int_equal(belay_conn_write(belay_background(), conn, text, strlen(text), NULL), 0);
}

static void an_idle_connection_holds_no_task_and_goes_on(void **state)
{
	belay_conn *conn = NULL;

	belay_router_add(router, "GET /", tell, NULL);
	https_start(NULL);
	assert_int_equal(belay_tls_dial(belay_background(), address, sides.client, &conn, NULL), 0);
	for (int i = 0; i < 3; i++) {
		assert_true(check_until(sleeps()));
		put(conn, "GET / HTTP/1.1\r\n");
		assert_true(check_until(sleeps()));
		put(conn, "Host: x\r\n\r\n");
		expect_answer(conn);
	}
	assert_true(check_until(sleeps()));
	belay_conn_close(conn);
	assert_true(check_until(belay_server_connections(server) == 0));
}

/* ---- Reloading under load -------------------------------------------------------------------- */

enum { CLIENTS = 4, REQUESTS = 60 };

static int ask_once(belay_ctx *ctx, belay_conn *conn)
{
	static const char request[] = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
	char answer[512];
	size_t used = 0;

	if (belay_conn_write(ctx, conn, request, sizeof request - 1, NULL) < 0)
		return -EIO;
	while (used < sizeof answer - 1) {
		ssize_t n = belay_conn_read(ctx, conn, answer + used, sizeof answer - 1 - used);

		if (n <= 0)
			return -EIO;
		used += (size_t)n;
		answer[used] = '\0';
		if (strstr(answer, "secure nobody"))
			return 0;
	}
	return -EMSGSIZE;
}

static int ask_many(belay_ctx *ctx, void *arg)
{
	belay_conn *kept;

	if (!check(belay_tls_dial(ctx, address, sides.client, &kept, NULL) == 0))
		return 0;
	for (int i = 0; i < REQUESTS; i++) {
		struct belay_tls_error error = {""};
		belay_conn *fresh;

		check(ask_once(ctx, kept) == 0);
		if (!check(belay_tls_dial(ctx, address, sides.client, &fresh, &error) == 0)) {
			fprintf(stderr, "%s\n", error.text);
			break;
		}
		check(ask_once(ctx, fresh) == 0);
		belay_conn_close(fresh);
	}
	belay_conn_close(kept);
	atomic_fetch_add((_Atomic int *)arg, 1);
	return 0;
}

static void a_reload_under_load_disturbs_nobody(void **state)
{
	_Atomic int through = 0;
	belay_group *group;

	belay_router_add(router, "GET /", tell, NULL);
	https_start(NULL);
	group = belay_group_new(belay_background());
	for (int i = 0; i < CLIENTS; i++)
		assert_int_equal(belay_group_go(group, ask_many, &through), 0);
	while (atomic_load(&through) < CLIENTS)
		check(belay_tls_reload(belay_background(), sides.server, NULL) == 0);
	assert_int_equal(belay_group_wait(group), 0);
}

BELAY_TEST_MAIN(HTTPS_TEST(curl_gets_an_answer),
		HTTPS_TEST(curl_refuses_a_server_that_it_does_not_know),
		HTTPS_TEST(the_server_offers_what_it_speaks),
		HTTPS_TEST(what_the_options_name_is_what_is_offered),
		HTTPS_TEST(http2_that_is_switched_off_is_not_offered),
		HTTPS_TEST(an_offer_is_checked),
		HTTPS_TEST(a_handler_knows_its_client_by_the_certificate),
		HTTPS_TEST(a_plain_request_gets_no_answer),
		HTTPS_TEST(large_bodies_go_both_ways),
		HTTPS_TEST(a_file_goes_through_tls),
		HTTPS_TEST(old_versions_of_tls_are_refused),
		HTTPS_TEST(sessions_are_resumed_until_a_reload),
		HTTPS_TEST(sessions_of_tls_1_2_are_resumed_too),
		HTTPS_TEST(renegotiation_is_refused),
		HTTPS_TEST(a_client_that_closes_ends_its_request_that_computes),
		HTTPS_TEST(a_client_that_resets_ends_its_request_that_computes),
		HTTPS_TEST(a_client_that_says_close_notify_ends_its_request_that_computes),
		HTTPS_TEST(an_idle_connection_holds_no_task_and_goes_on),
		HTTPS_TEST(a_reload_under_load_disturbs_nobody))
