/* SPDX-License-Identifier: MIT
 *
 * fibers.h - what the programs of Boost.Fiber share: its threads, and crews of fibers.
 *
 * With `workers=1` fibers run on the main thread, round robin, as the library has it by default;
 * else on as many threads, by its work_stealing.
 */
#ifndef BELAY_BENCH_FIBERS_H
#define BELAY_BENCH_FIBERS_H

#include "bench.h"

#include <boost/fiber/all.hpp>
#include <boost/fiber/algo/work_stealing.hpp>

#include <thread>
#include <vector>

typedef void bench_crew(int n, bench_part *fn, void *arg);

/* While it lives, the other threads run fibers too. The main thread's. */
class bench_workers {
	std::vector<std::thread> threads;
	boost::fibers::mutex lock;
	boost::fibers::condition_variable_any ended;
	bool over = false;

	static void join_in(unsigned count)
	{
		boost::fibers::use_scheduling_algorithm<boost::fibers::algo::work_stealing>(count);
	}

	void run(unsigned count)
	{
		join_in(count);
		lock.lock();
		while (!over)
			ended.wait(lock);
		lock.unlock();
	}

public:
	bench_workers()
	{
		unsigned count = (unsigned)bench_arg("workers", bench_processors());

		for (unsigned i = 1; i < count; i++)
			threads.emplace_back([this, count] { run(count); });
		if (count > 1)
			join_in(count);
	}

	~bench_workers()
	{
		lock.lock();
		over = true;
		lock.unlock();
		ended.notify_all();
		for (auto &thread : threads)
			thread.join();
	}
};

/* Runs fn(arg, i) for each i < n, in a fiber each; returns when all have ended. */
static inline void bench_fibers(int n, bench_part *fn, void *arg)
{
	std::vector<boost::fibers::fiber> fibers;

	for (int i = 0; i < n; i++)
		fibers.emplace_back(fn, arg, i);
	for (auto &fiber : fibers)
		fiber.join();
}

/* The first by the calling thread, the other in a fiber of another thread. */
static inline void bench_thread_and_fiber(int n, bench_part *fn, void *arg)
{
	bench_must(n == 2);
	std::thread other([=] { boost::fibers::fiber(fn, arg, 1).join(); });

	fn(arg, 0);
	other.join();
}

#endif
