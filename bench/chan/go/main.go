// SPDX-License-Identifier: MIT

// Go's channels: the works of ../belay.c. A wait obeys no context but where it says so.
package main

import (
	"context"
	"sync/atomic"

	"belay/bench/harness/go"
)

func workAlone() {
	ch := make(chan int, 1)
	harness.Tell("ns", harness.Here(func(n int) {
		for i := 0; i < n; i++ {
			ch <- i
			harness.Must(<-ch == i)
		}
	}))
}

func workTryRecv() {
	ch := make(chan int, 1)
	harness.Tell("ns", harness.Here(func(n int) {
		for ; n > 0; n-- {
			select {
			case <-ch:
				panic("an element from nowhere")
			default:
			}
		}
	}))
}

// ---- There and back

func tellPing(crew func(n int, fn func(i int))) {
	capacity := harness.Arg("capacity", 0)
	there, back := make(chan int, capacity), make(chan int, capacity)
	harness.Tell("ns", harness.Here(func(n int) {
		crew(2, func(part int) {
			for i := 0; i < n; i++ {
				if part == 0 {
					there <- i
					harness.Must(<-back == i)
				} else {
					back <- <-there
				}
			}
		})
	}))
}

func workTasks() {
	tellPing(harness.Crew)
}

func workThreads() {
	tellPing(harness.Threads)
}

func workMixed() {
	tellPing(harness.ThreadAndGoroutines)
}

func send(ctx context.Context, ch chan<- int, element int) {
	select {
	case ch <- element:
	case <-ctx.Done():
		panic("nobody cancelled it")
	}
}

func receive(ctx context.Context, ch <-chan int) int {
	select {
	case element := <-ch:
		return element
	case <-ctx.Done():
		panic("nobody cancelled it")
	}
}

func workCancellable() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	capacity := harness.Arg("capacity", 0)
	there, back := make(chan int, capacity), make(chan int, capacity)
	harness.Tell("ns", harness.Here(func(n int) {
		harness.Crew(2, func(part int) {
			for i := 0; i < n; i++ {
				if part == 0 {
					send(ctx, there, i)
					harness.Must(receive(ctx, back) == i)
				} else {
					send(ctx, back, receive(ctx, there))
				}
			}
		})
	}))
}

// ---- Streams

// The last sender closes the channel, which ends the receivers.
type stream struct {
	ch       chan int
	sending  int64
	received int64
}

func (stream *stream) sendAll(n int) {
	for i := 0; i < n; i++ {
		stream.ch <- i
	}
	if atomic.AddInt64(&stream.sending, -1) == 0 {
		close(stream.ch)
	}
}

func (stream *stream) receiveAll() {
	received := int64(0)
	for range stream.ch {
		received++
	}
	atomic.AddInt64(&stream.received, received)
}

func workStream() {
	senders, receivers := harness.Arg("senders", 1), harness.Arg("receivers", 1)
	harness.Tell("ns", harness.Here(func(n int) {
		stream := stream{
			ch:      make(chan int, harness.Arg("capacity", 128)),
			sending: int64(senders),
		}
		harness.Crew(senders+receivers, func(i int) {
			if i < senders {
				stream.sendAll(n / senders)
			} else {
				stream.receiveAll()
			}
		})
		harness.Must(stream.received == int64(n/senders*senders))
	}))
}

func main() {
	harness.Main([]harness.Entry{
		{Name: "alone", Work: workAlone},
		{Name: "try_recv", Work: workTryRecv},
		{Name: "rendezvous", Work: workTasks},
		{Name: "cancellable", Work: workCancellable},
		{Name: "threads", Work: workThreads},
		{Name: "mixed", Work: workMixed},
		{Name: "one_place", Work: workTasks},
		{Name: "one_place_threads", Work: workThreads},
		{Name: "one_place_mixed", Work: workMixed},
		{Name: "stream", Work: workStream},
	})
}
