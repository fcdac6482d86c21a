/* SPDX-License-Identifier: MIT
 *
 * fiber.cc - Boost.Fiber: the works of belay.c, with the stacks that it gives a fiber by default.
 * It has no cancellation (a channel that is closed ends those that wait) and no pool for what
 * blocks.
 */
#include "fibers.h"

#include <atomic>

namespace fibers = boost::fibers;

/* ---- Started and joined ---------------------------------------------------------------------- */

static void start_and_join(void *arg, long n)
{
	long at_a_time = *static_cast<long *>(arg), wanted = n;
	std::atomic<long> ran{0};
	std::vector<fibers::fiber> running;

	while (n > 0) {
		for (long i = 0; i < at_a_time && n > 0; i++, n--)
			running.emplace_back([&] { ran.fetch_add(1, std::memory_order_relaxed); });
		for (auto &fiber : running)
			fiber.join();
		running.clear();
	}
	bench_must(ran == wanted);
}

static void work_spawn(void)
{
	bench_workers workers;
	long at_a_time = bench_arg("at_a_time", 1);

	bench_tell("ns", bench_here(start_and_join, &at_a_time));
}

/* ---- Changing over, sleeping ----------------------------------------------------------------- */

static void yield_often(void *arg, int)
{
	for (long left = *static_cast<long *>(arg); left > 0; left--)
		boost::this_fiber::yield();
}

static void yield_to_each_other(void *arg, long n)
{
	int tasks = *static_cast<int *>(arg);
	long each = n / tasks + 1;

	bench_fibers(tasks, yield_often, &each);
}

static void work_yield(void)
{
	bench_workers workers;
	int tasks = 2 * bench_processors();

	bench_tell("ns", bench_here(yield_to_each_other, &tasks));
}

static void sleep_often(void *arg, int)
{
	for (long left = *static_cast<long *>(arg); left > 0; left--)
		boost::this_fiber::sleep_for(std::chrono::milliseconds(1));
}

static void work_sleep(void)
{
	bench_workers workers;
	int tasks = static_cast<int>(bench_arg("tasks", 100000));
	long times = bench_arg("times", 10);
	int64_t start = bench_cpu_now();

	bench_fibers(tasks, sleep_often, &times);
	bench_tell("ns", (double)(bench_cpu_now() - start) / (double)(tasks * times));
}

/* ---- Many that wait -------------------------------------------------------------------------- */

struct crowd {
	fibers::unbuffered_channel<long> ch; /* nobody ever sends */
	fibers::mutex lock;
	fibers::condition_variable all;
	long arriving;
};

static void wait_in_receive(struct crowd *crowd)
{
	long element;

	crowd->lock.lock();
	if (--crowd->arriving == 0)
		crowd->all.notify_one();
	crowd->lock.unlock();
	bench_must(crowd->ch.pop(element) == fibers::channel_op_status::closed);
}

static void fill(struct crowd *crowd, std::vector<fibers::fiber> &running, long n)
{
	crowd->arriving = n;
	for (long i = 0; i < n; i++)
		running.emplace_back(wait_in_receive, crowd);
	std::unique_lock<fibers::mutex> lock(crowd->lock);
	crowd->all.wait(lock, [&] { return crowd->arriving == 0; });
}

static void work_crowd(void)
{
	bench_workers workers;
	struct crowd crowd;
	std::vector<fibers::fiber> running;
	long n = bench_arg("live", 10000), before = bench_footprint();
	int64_t start = bench_now();

	fill(&crowd, running, n);
	bench_tell("make", (double)(bench_now() - start) / 1e6);
	bench_tell("live", (double)(bench_footprint() - before) / (double)n);
	crowd.ch.close();
	for (auto &fiber : running)
		fiber.join();
}

int main(int argc, char **argv)
{
	static const bench_entry entries[] = {
		{"spawn", work_spawn},
		{"yield", work_yield},
		{"sleep", work_sleep},
		{"crowd", work_crowd},
		{"few", work_crowd},
		{nullptr, nullptr},
	};

	return bench_main(argc, argv, entries);
}
