// SPDX-License-Identifier: MIT

package main

import (
	"context"
	"runtime"
	"sync/atomic"
	"time"

	"belay/bench/harness/go"
)

func ask(ctx context.Context, n int) {
	done := 0
	for i := 0; i < n; i++ {
		if ctx.Err() != nil {
			done++
		}
	}
	harness.Must(done == 0 || done == n)
}

func workErr() {
	root := openRoot()
	harness.Tell("live", harness.CPU(func(n int) { ask(root.ctx, n) }))
	root.cancel()
	harness.Tell("done", harness.CPU(func(n int) { ask(root.ctx, n) }))
}

// ---- Values

type key int

var sink context.Context

func workValueEnd() {
	root := openRoot()
	value := new(int)
	harness.Tell("ns", harness.CPU(func(n int) {
		for ; n > 0; n-- {
			sink = context.WithValue(root.ctx, key(0), value)
		}
	}))
	harness.Must(sink.Value(key(0)) == value)
}

func lookUp(ctx context.Context, wanted key, expected any, n int) {
	for ; n > 0; n-- {
		harness.Must(ctx.Value(wanted) == expected)
	}
}

// The first key is the farthest from the chain's end.
func workValue() {
	most := harness.Arg("depth", 1000)
	deepest := openRoot().ctx
	depth := 0
	value := new(int)
	for x := 1; x <= most; x *= 10 {
		for ; depth < x; depth++ {
			deepest = context.WithValue(deepest, key(depth), value)
		}
		found := harness.CPU(func(n int) { lookUp(deepest, key(0), value, n) })
		missed := harness.CPU(func(n int) { lookUp(deepest, key(-1), nil, n) })
		harness.TellAt("found", x, found)
		harness.TellAt("missed", x, missed)
	}
}

// ---- Memory

func tellMemory(openOne func(context.Context) kept) {
	root := openRoot()
	n := harness.Arg("contexts", 1000000)
	before := harness.Resident()
	heapBefore, _ := harness.Memory()
	all := make([]kept, n)
	for i := range all {
		all[i] = openOne(root.ctx)
	}
	live := harness.Resident()
	heap, sys := harness.Memory()
	for i := range all {
		all[i].cancel()
	}
	runtime.KeepAlive(all)
	all = nil
	harness.Tell("live", (live-before)/float64(n))
	harness.Tell("left", (harness.Resident()-before)/float64(n))
	harness.Tell("heap", (heap-heapBefore)/float64(n))
	harness.Tell("sys", sys/float64(n))
	runtime.KeepAlive(root)
}

func workMemory() {
	tellMemory(open)
}

func workMemoryTimeout() {
	tellMemory(openHour)
}

// ---- How late a deadline is

var over int32

// compute never yields of itself; the runtime interrupts it.
func compute() {
	for atomic.LoadInt32(&over) == 0 {
	}
}

// tellLateness: one goroutine waits for one after the other, in the order in which they are due.
func tellLateness(n int, span time.Duration) {
	root := openRoot()
	all := make([]kept, n)
	late := make([]int64, n)
	first := time.Now().Add(span / 5)
	step := span / time.Duration(n)
	for _, i := range harness.Shuffled(n) {
		ctx, cancel := context.WithDeadline(root.ctx, first.Add(time.Duration(i)*step))
		all[i] = kept{ctx, cancel}
	}
	for i := range all {
		<-all[i].ctx.Done()
		late[i] = int64(time.Since(first.Add(time.Duration(i) * step)))
		harness.Must(all[i].ctx.Err() == context.DeadlineExceeded)
		all[i].cancel()
	}
	harness.Sort(late)
	harness.Tell("p50", float64(harness.Percentile(late, 0.5))/1000)
	harness.Tell("p99", float64(harness.Percentile(late, 0.99))/1000)
	harness.Tell("max", float64(late[n-1])/1000)
}

func workLateness() {
	if harness.Arg("busy", 0) != 0 {
		for i := 0; i < harness.Processors(); i++ {
			go compute()
		}
	}
	span := time.Duration(harness.Arg("span_ms", 1000)) * time.Millisecond
	tellLateness(harness.Arg("deadlines", 10000), span)
	atomic.StoreInt32(&over, 1)
}
