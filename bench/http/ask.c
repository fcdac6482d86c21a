/* SPDX-License-Identifier: MIT
 *
 * ask.c - requests at a rate, whatever the server makes of them.
 *
 *     http-ask rate port=NUMBER connections=NUMBER rate=NUMBER seconds=NUMBER
 *
 * Each request has a moment when it is due, one after the other in even steps, and the connections
 * take turns. An answer's time is counted from that moment: a request that has to wait because its
 * connection's last answer is late has waited too, so that a server that stalls can't hide it. It
 * never sleeps, so that it is not late itself.
 */
#include "bench.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define ANSWER_MOST 4096

static const char request[] = "GET / HTTP/1.1\r\nHost: localhost\r\nX-User: alice\r\n\r\n";
static const char body[] = "hello, alice";

struct connection {
	int fd;
	bool waits;  /* for an answer to the request that was due last */
	int64_t due; /* that one, or the next                          */
	size_t got;
	char answer[ANSWER_MOST];
};

struct samples {
	int64_t *took;
	size_t n, most;
};

static int connect_to(long port)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;

	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	bench_must(fd >= 0);
	bench_must(connect(fd, (struct sockaddr *)&to, sizeof to) == 0);
	bench_must(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one) == 0);
	return fd;
}

static void ask(struct connection *c)
{
	bench_must(send(c->fd, request, sizeof request - 1, 0) == sizeof request - 1);
	c->waits = true;
	c->got = 0;
}

/* Whether the answer is whole: what it ends in is known. */
static bool has_answer(struct connection *c)
{
	ssize_t n = recv(c->fd, c->answer + c->got, ANSWER_MOST - c->got, MSG_DONTWAIT);
	size_t end = sizeof body - 1;

	if (n < 0 && errno == EAGAIN)
		return false;
	bench_must(n > 0);
	c->got += (size_t)n;
	bench_must(c->got < ANSWER_MOST);
	if (c->got < end || memcmp(c->answer + c->got - end, body, end) != 0)
		return false;
	bench_must(memcmp(c->answer, "HTTP/1.1 200", 12) == 0);
	return true;
}

/* What can be done for one connection now; step is the time between its requests. */
static void attend(struct connection *c, int64_t step, struct samples *samples)
{
	int64_t now = bench_now();

	if (!c->waits && now >= c->due)
		ask(c);
	if (!c->waits || !has_answer(c))
		return;
	bench_must(samples->n < samples->most);
	samples->took[samples->n++] = bench_now() - c->due;
	c->waits = false;
	c->due += step;
}

static bool is_over(const struct connection *list, long n, int64_t end)
{
	for (long i = 0; i < n; i++)
		if (list[i].waits || list[i].due < end)
			return false;
	return true;
}

/* Until the last request that is due within so many seconds has its answer. */
static void ask_all(struct connection *list, long n, struct samples *samples)
{
	long rate = bench_arg("rate", 1000);
	int64_t start = bench_now(), end = start + bench_arg("seconds", 1) * 1000000000;

	for (long i = 0; i < n; i++)
		list[i].due = start + i * 1000000000 / rate;
	while (!is_over(list, n, end))
		for (long i = 0; i < n; i++)
			if (list[i].waits || list[i].due < end)
				attend(&list[i], n * 1000000000 / rate, samples);
}

static void work_rate(void)
{
	long n = bench_arg("connections", 64), port = bench_arg("port", 0);
	struct connection *list = bench_calloc((size_t)n, sizeof *list);
	struct samples samples = {0};

	samples.most = (size_t)(bench_arg("rate", 1000) * bench_arg("seconds", 1) + n);
	samples.took = bench_calloc(samples.most, sizeof *samples.took);
	for (long i = 0; i < n; i++)
		list[i].fd = connect_to(port);
	ask_all(list, n, &samples);
	bench_sort(samples.took, samples.n);
	bench_tell("p50", (double)bench_percentile(samples.took, samples.n, 0.5) / 1e3);
	bench_tell("p99", (double)bench_percentile(samples.took, samples.n, 0.99) / 1e3);
	for (long i = 0; i < n; i++)
		close(list[i].fd);
	free(samples.took);
	free(list);
}

int main(int argc, char **argv)
{
	static const struct bench_entry entries[] = {{"rate", work_rate}, {NULL, NULL}};

	return bench_main(argc, argv, entries);
}
