// SPDX-License-Identifier: MIT

// Goroutines: to start one, to change over, and what one that waits takes up.
package main

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"

	"belay/bench/harness/go"
)

const atATime = 1000

func startAndJoin(n int) {
	var ran int64
	var group sync.WaitGroup
	for wanted := n; n > 0; harness.Must(n > 0 || ran == int64(wanted)) {
		for i := 0; i < atATime && n > 0; i, n = i+1, n-1 {
			group.Add(1)
			go func() {
				atomic.AddInt64(&ran, 1)
				group.Done()
			}()
		}
		group.Wait()
	}
}

func workStart() {
	harness.Tell("ns", harness.Wall(1, startAndJoin))
}

func workYield() {
	harness.Tell("ns", harness.CPU(func(n int) {
		var group sync.WaitGroup
		group.Add(2)
		for i := 0; i < 2; i++ {
			go func() {
				for left := n; left > 0; left-- {
					runtime.Gosched()
				}
				group.Done()
			}()
		}
		group.Wait()
	}))
}

func workMemory() {
	n := harness.Arg("tasks", 10000)
	ctx, cancel := context.WithCancel(context.Background())
	var waiting, group sync.WaitGroup
	before := harness.Resident()
	waiting.Add(n)
	group.Add(n)
	for i := 0; i < n; i++ {
		go func() {
			waiting.Done()
			<-ctx.Done()
			group.Done()
		}()
	}
	waiting.Wait()
	harness.Tell("live", (harness.Resident()-before)/float64(n))
	cancel()
	group.Wait()
}

func main() {
	harness.Main([]harness.Entry{
		{Name: "start", Work: workStart},
		{Name: "start_inside", Work: workStart}, // there is no outside
		{Name: "yield", Work: workYield},
		{Name: "memory", Work: workMemory},
	})
}
