// SPDX-License-Identifier: MIT

package main

import (
	"context"
	"runtime"
	"time"

	"belay/bench/harness/go"
)

func openAndEnd(parent context.Context, n int) {
	for ; n > 0; n-- {
		_, cancel := context.WithCancel(parent)
		cancel()
	}
}

func openTimeoutAndEnd(parent context.Context, n int) {
	for ; n > 0; n-- {
		_, cancel := context.WithTimeout(parent, hour)
		cancel()
	}
}

func workCancel() {
	root := openRoot()
	harness.Tell("ns", harness.CPU(func(n int) { openAndEnd(root.ctx, n) }))
}

func workShared() {
	root := openRoot()
	threads := harness.Arg("threads", harness.Processors())
	harness.Tell("ns", harness.Wall(threads, func(n int) { openAndEnd(root.ctx, n) }))
	harness.Must(!root.done())
}

func workTimeout() {
	root := openRoot()
	harness.Tell("ns", harness.CPU(func(n int) { openTimeoutAndEnd(root.ctx, n) }))
}

func workTimeoutCrowd() {
	root := openRoot()
	others := make([]kept, harness.Arg("timers", 400000))
	for i := range others {
		others[i] = openTimeout(root.ctx, hour+time.Duration(i)*time.Millisecond)
	}
	threads := harness.Arg("threads", harness.Processors())
	harness.Tell("ns", harness.Wall(threads, func(n int) { openTimeoutAndEnd(root.ctx, n) }))
	runtime.KeepAlive(others)
}

// tellGrowth: ten times as many siblings from one point to the next.
func tellGrowth(openOne func(context.Context) kept, work func(context.Context, int)) {
	root := openRoot()
	most := harness.Arg("live", 1000000)
	others := make([]kept, 0, most)
	for x := 1; x <= most; x *= 10 {
		for len(others) < x {
			others = append(others, openOne(root.ctx))
		}
		harness.TellAt("ns", x, harness.CPU(func(n int) { work(root.ctx, n) }))
	}
	runtime.KeepAlive(others)
}

func workCancelGrowth() {
	tellGrowth(open, openAndEnd)
}

func openHour(parent context.Context) kept {
	return openTimeout(parent, hour)
}

func workTimeoutGrowth() {
	tellGrowth(openHour, openTimeoutAndEnd)
}

// Objects for each operation.
func tellAllocations(figure string, work func(context.Context, int)) {
	root := openRoot()
	n := harness.Arg("n", 100000)
	work(root.ctx, n)
	before := harness.Allocations()
	work(root.ctx, n)
	harness.Tell(figure, (harness.Allocations()-before)/float64(n))
}

func workAllocations() {
	tellAllocations("cancel", openAndEnd)
	tellAllocations("timeout", openTimeoutAndEnd)
}
