// SPDX-License-Identifier: MIT

package main

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"belay/bench/harness/go"
)

// What is given up is the collector's to find: to free is to let it look once.

type spent struct {
	make, cancel, free time.Duration
}

func (s spent) all() time.Duration {
	return s.make + s.cancel + s.free
}

func (s spent) tell(nodes int) {
	harness.Tell("make", float64(s.make)/float64(nodes))
	harness.Tell("cancel", float64(s.cancel)/float64(nodes))
	harness.Tell("free", float64(s.free)/float64(nodes))
	harness.Tell("all", float64(s.all())/float64(nodes))
}

func spendOnWide(children []kept) (s spent) {
	parent := open(context.Background())
	n := len(children)
	t0 := harness.CPUNow()
	for i := range children {
		children[i] = open(parent.ctx)
	}
	t1 := harness.CPUNow()
	parent.cancel()
	t2 := harness.CPUNow()
	harness.Must(children[0].done() && children[n/2].done() && children[n-1].done())
	for i := range children {
		children[i].cancel()
		children[i] = kept{}
	}
	runtime.GC()
	t3 := harness.CPUNow()
	return spent{t1 - t0, t2 - t1, t3 - t2}
}

func workWide() {
	children := make([]kept, harness.Arg("children", 1000000))
	spendOnWide(children)
	spendOnWide(children).tell(len(children))
}

// Here the collector comes when it likes, and whatever runs meanwhile pays for it.
func spendOnDeep(chain []kept, s *spent) {
	t0 := harness.CPUNow()
	chain[0] = open(context.Background())
	for i := 1; i < len(chain); i++ {
		chain[i] = open(chain[i-1].ctx)
	}
	t1 := harness.CPUNow()
	chain[0].cancel()
	t2 := harness.CPUNow()
	harness.Must(chain[len(chain)-1].done())
	for i := len(chain) - 1; i >= 0; i-- {
		chain[i].cancel()
		chain[i] = kept{}
	}
	t3 := harness.CPUNow()
	s.make += t1 - t0
	s.cancel += t2 - t1
	s.free += t3 - t2
}

func workDeep() {
	var s spent
	times := 0
	chain := make([]kept, harness.Arg("depth", 1000))
	spendOnDeep(chain, &s)
	for s = (spent{}); s.all() < harness.Least(); times++ {
		spendOnDeep(chain, &s)
	}
	s.tell(len(chain) * times)
}

// ---- In the way of a big end: as in ../works.h

type stall struct {
	parent, warm kept
	children     []kept
	order        []int
	next         int64
	begun, over  int32
}

func (s *stall) getInTheWay(samples []int64) []int64 {
	for atomic.LoadInt32(&s.begun) == 0 {
	}
	for { // once at the least, also where the end was too quick to be seen
		since := time.Now()
		child := open(s.parent.ctx)
		samples = append(samples, lap(&since))
		child.cancel()
		samples = append(samples, lap(&since))
		if i := atomic.AddInt64(&s.next, 1) - 1; int(i) < len(s.children) {
			s.children[s.order[i]].cancel()
		}
		samples = append(samples, lap(&since))
		if atomic.LoadInt32(&s.over) != 0 || len(samples)+3 > cap(samples) {
			return samples
		}
	}
}

func lap(since *time.Time) int64 {
	before := *since
	*since = time.Now()
	return int64(since.Sub(before))
}

func (s *stall) cancelAll() {
	atomic.StoreInt32(&s.begun, 1)
	s.parent.cancel()
	atomic.StoreInt32(&s.over, 1)
}

func (s *stall) run(threads int) (all []int64) {
	var ready, ended sync.WaitGroup
	line := make(chan struct{})
	samples := make([][]int64, threads)
	ready.Add(threads)
	ended.Add(threads)
	for i := range samples {
		samples[i] = make([]int64, 0, harness.Arg("samples", 4000000))
		go func(i int) {
			runtime.LockOSThread()
			openAndEnd(s.warm.ctx, 1000)
			ready.Done()
			<-line
			if i == 0 {
				s.cancelAll()
			} else {
				samples[i] = s.getInTheWay(samples[i])
			}
			ended.Done()
		}(i)
	}
	ready.Wait()
	runtime.GC() // so that it does not come in between
	close(line)
	ended.Wait()
	for i := range samples {
		all = append(all, samples[i]...)
	}
	return all
}

func workStall() {
	threads := harness.Processors()
	if threads < 2 {
		threads = 2
	}
	n := harness.Arg("children", 1000000)
	s := &stall{parent: openRoot(), warm: openRoot(), children: make([]kept, n),
		order: harness.Shuffled(n)}
	for i := range s.children {
		s.children[i] = open(s.parent.ctx)
	}
	all := s.run(threads)
	for i := range s.children {
		harness.Must(s.children[i].done())
	}
	harness.Sort(all)
	harness.Tell("p9999", float64(harness.Percentile(all, 0.9999))/1000)
	harness.Tell("max", float64(all[len(all)-1])/1000)
	harness.Tell("calls", float64(len(all)))
}
