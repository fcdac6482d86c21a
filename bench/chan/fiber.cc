/* SPDX-License-Identifier: MIT
 *
 * fiber.cc - Boost.Fiber's channels: the works of belay.c. One for a buffer takes a power of two
 * and holds one less; no wait on any can be called off.
 */
#include "fibers.h"

#include <atomic>
#include <memory>

namespace fibers = boost::fibers;
using status = fibers::channel_op_status;
using rendezvous = fibers::unbuffered_channel<long>;
using buffer = fibers::buffered_channel<long>;

/* ---- Alone ----------------------------------------------------------------------------------- */

static void send_and_receive(void *arg, long n)
{
	auto *ch = static_cast<buffer *>(arg);

	for (long i = 0, back; i < n; i++)
		bench_must(ch->push(i) == status::success && ch->pop(back) == status::success &&
			   back == i);
}

static void try_to_receive(void *arg, long n)
{
	auto *ch = static_cast<buffer *>(arg);
	long element;

	while (n-- > 0)
		bench_must(ch->try_pop(element) == status::empty);
}

static void work_alone(void)
{
	buffer ch(2);

	bench_tell("ns", bench_here(send_and_receive, &ch));
}

static void work_try_recv(void)
{
	buffer ch(2);

	bench_tell("ns", bench_here(try_to_receive, &ch));
}

/* ---- There and back -------------------------------------------------------------------------- */

template <typename Channel> struct ping {
	bench_crew *crew;
	Channel &there, &back;
	long n;
};

template <typename Channel> static void ask_or_answer(void *arg, int part)
{
	auto *ping = static_cast<struct ping<Channel> *>(arg);

	for (long i = 0, element; i < ping->n; i++) {
		if (part == 0)
			bench_must(ping->there.push(i) == status::success);
		bench_must((part == 0 ? ping->back : ping->there).pop(element) == status::success &&
			   element == i);
		if (part == 1)
			bench_must(ping->back.push(element) == status::success);
	}
}

template <typename Channel> static void there_and_back(void *arg, long n)
{
	auto *ping = static_cast<struct ping<Channel> *>(arg);

	ping->n = n;
	ping->crew(2, ask_or_answer<Channel>, ping);
}

template <typename Channel> static void tell_ping(bench_crew *crew, Channel &there, Channel &back)
{
	ping<Channel> ping = {crew, there, back, 0};

	bench_tell("ns", bench_here(there_and_back<Channel>, &ping));
}

static void tell_rendezvous(bench_crew *crew)
{
	rendezvous there, back;

	tell_ping(crew, there, back);
}

static void tell_one_place(bench_crew *crew)
{
	buffer there(2), back(2);

	tell_ping(crew, there, back);
}

static void work_rendezvous(void)
{
	bench_workers workers;

	tell_rendezvous(bench_fibers);
}

static void work_one_place(void)
{
	bench_workers workers;

	tell_one_place(bench_fibers);
}

static void work_threads(void)
{
	tell_rendezvous(bench_threads);
}

static void work_mixed(void)
{
	tell_rendezvous(bench_thread_and_fiber);
}

static void work_one_place_threads(void)
{
	tell_one_place(bench_threads);
}

static void work_one_place_mixed(void)
{
	tell_one_place(bench_thread_and_fiber);
}

/* ---- Streams --------------------------------------------------------------------------------- */

struct stream {
	std::unique_ptr<buffer> ch;
	int senders, receivers;
	std::atomic<int> sending;
	std::atomic<long> received;
	long each;
};

static void send_all(struct stream *stream)
{
	for (long i = 0; i < stream->each; i++)
		bench_must(stream->ch->push(i) == status::success);
	if (stream->sending.fetch_sub(1) == 1)
		stream->ch->close();
}

static void receive_all(struct stream *stream)
{
	long received = 0, element;

	while (stream->ch->pop(element) == status::success)
		received++;
	stream->received += received;
}

static void send_or_receive(void *arg, int i)
{
	auto *stream = static_cast<struct stream *>(arg);

	if (i < stream->senders)
		send_all(stream);
	else
		receive_all(stream);
}

static void run_stream(void *arg, long n)
{
	auto *stream = static_cast<struct stream *>(arg);

	stream->ch = std::make_unique<buffer>((size_t)bench_arg("capacity", 128));
	stream->sending = stream->senders;
	stream->each = n / stream->senders;
	stream->received = 0;
	bench_fibers(stream->senders + stream->receivers, send_or_receive, stream);
	bench_must(stream->received == stream->each * stream->senders);
}

static void work_stream(void)
{
	bench_workers workers;
	struct stream stream = {};

	stream.senders = static_cast<int>(bench_arg("senders", 1));
	stream.receivers = static_cast<int>(bench_arg("receivers", 1));
	bench_tell("ns", bench_here(run_stream, &stream));
}

int main(int argc, char **argv)
{
	static const bench_entry entries[] = {
		{"alone", work_alone},
		{"try_recv", work_try_recv},
		{"rendezvous", work_rendezvous},
		{"threads", work_threads},
		{"mixed", work_mixed},
		{"one_place", work_one_place},
		{"one_place_threads", work_one_place_threads},
		{"one_place_mixed", work_one_place_mixed},
		{"stream", work_stream},
		{nullptr, nullptr},
	};

	return bench_main(argc, argv, entries);
}
