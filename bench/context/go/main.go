// SPDX-License-Identifier: MIT

// Go's contexts: the works of ../works.h, values, and how late a deadline is.
package main

import (
	"context"
	"time"

	"belay/bench/harness/go"
)

const hour = time.Hour

// kept is what a program keeps of one context.
type kept struct {
	ctx    context.Context
	cancel context.CancelFunc
}

func open(parent context.Context) kept {
	ctx, cancel := context.WithCancel(parent)
	return kept{ctx, cancel}
}

func openTimeout(parent context.Context, timeout time.Duration) kept {
	ctx, cancel := context.WithTimeout(parent, timeout)
	return kept{ctx, cancel}
}

func (k kept) done() bool {
	return k.ctx.Err() != nil
}

// check sees to it that what will be timed is done.
func check(parent context.Context) {
	child := open(parent)
	grandchild := open(child.ctx)
	harness.Must(!child.done() && !grandchild.done())
	child.cancel()
	harness.Must(child.done() && grandchild.done() && parent.Err() == nil)
	grandchild.cancel()
}

// openRoot is a live parent that works.
func openRoot() kept {
	root := open(context.Background())
	check(root.ctx)
	return root
}

func main() {
	harness.Main([]harness.Entry{
		{Name: "cancel", Work: workCancel},
		{Name: "shared", Work: workShared},
		{Name: "timeout", Work: workTimeout},
		{Name: "timeout_crowd", Work: workTimeoutCrowd},
		{Name: "cancel_growth", Work: workCancelGrowth},
		{Name: "timeout_growth", Work: workTimeoutGrowth},
		{Name: "wide", Work: workWide},
		{Name: "deep", Work: workDeep},
		{Name: "err", Work: workErr},
		{Name: "value", Work: workValue},
		{Name: "value_end", Work: workValueEnd},
		{Name: "memory", Work: workMemory},
		{Name: "memory_timeout", Work: workMemoryTimeout},
		{Name: "allocations", Work: workAllocations},
		{Name: "lateness", Work: workLateness},
		{Name: "stall", Work: workStall},
	})
}
