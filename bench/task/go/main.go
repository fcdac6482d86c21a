// SPDX-License-Identifier: MIT

// Goroutines: the works of ../belay.c. What may block is not called on a pool of Go's own making: a
// goroutine that has a thread to itself is asked to, and answers.
package main

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"belay/bench/harness/go"
)

func workSpawn() {
	atATime := harness.Arg("at_a_time", 1)
	harness.Tell("ns", harness.Here(func(n int) {
		var ran int64
		var running sync.WaitGroup
		for left := n; left > 0; {
			for i := 0; i < atATime && left > 0; i, left = i+1, left-1 {
				running.Add(1)
				go func() {
					atomic.AddInt64(&ran, 1)
					running.Done()
				}()
			}
			running.Wait()
		}
		harness.Must(ran == int64(n))
	}))
}

func workYield() {
	tasks := 2 * harness.Processors()
	harness.Tell("ns", harness.Here(func(n int) {
		harness.Crew(tasks, func(int) {
			for left := n/tasks + 1; left > 0; left-- {
				runtime.Gosched()
			}
		})
	}))
}

func workSleep() {
	tasks, times := harness.Arg("tasks", 100000), harness.Arg("times", 10)
	start := harness.CPUNow()
	harness.Crew(tasks, func(int) {
		for left := times; left > 0; left-- {
			time.Sleep(time.Millisecond)
		}
	})
	harness.Tell("ns", float64(harness.CPUNow()-start)/float64(tasks*times))
}

type crowd struct {
	ch                chan struct{} // nobody ever sends
	arriving, leaving sync.WaitGroup
}

func (crowd *crowd) fill(ctx context.Context, n int) {
	crowd.arriving.Add(n)
	crowd.leaving.Add(n)
	for i := 0; i < n; i++ {
		go func() {
			crowd.arriving.Done()
			select {
			case <-crowd.ch:
				panic("an element from nowhere")
			case <-ctx.Done():
			}
			crowd.leaving.Done()
		}()
	}
	crowd.arriving.Wait()
}

func milliseconds(since time.Time) float64 {
	return float64(time.Since(since)) / 1e6
}

func workCrowd() {
	n := harness.Arg("live", 10000)
	ctx, cancel := context.WithCancel(context.Background())
	crowd := crowd{ch: make(chan struct{})}
	before, start := harness.Footprint(), time.Now()
	crowd.fill(ctx, n)
	harness.Tell("make", milliseconds(start))
	harness.Tell("live", (harness.Footprint()-before)/float64(n))
	start = time.Now()
	cancel()
	crowd.leaving.Wait()
	harness.Tell("cancel", milliseconds(start))
}

func workBlocking() {
	calls, answers := make(chan func()), make(chan struct{})
	go func() {
		runtime.LockOSThread()
		for fn := range calls {
			fn()
			answers <- struct{}{}
		}
	}()
	harness.Tell("ns", harness.Here(func(n int) {
		called := 0
		for i := 0; i < n; i++ {
			calls <- func() { called++ }
			<-answers
		}
		harness.Must(called == n)
	}))
	close(calls)
}

func main() {
	harness.Main([]harness.Entry{
		{Name: "spawn", Work: workSpawn},
		{Name: "yield", Work: workYield},
		{Name: "sleep", Work: workSleep},
		{Name: "crowd", Work: workCrowd},
		{Name: "few", Work: workCrowd},
		{Name: "blocking", Work: workBlocking},
	})
}
