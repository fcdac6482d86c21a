// SPDX-License-Identifier: MIT

// Go's channels: an element from one to the other, and to oneself. Each wait obeys a context, as
// each of Belay's does.
package main

import (
	"context"

	"belay/bench/harness/go"
)

func send(ctx context.Context, ch chan<- int, element int) bool {
	select {
	case ch <- element:
		return true
	case <-ctx.Done():
		return false
	}
}

func receive(ctx context.Context, ch <-chan int) (int, bool) {
	select {
	case element := <-ch:
		return element, true
	case <-ctx.Done():
		return 0, false
	}
}

func workAlone() {
	ch := make(chan int, 1)
	harness.Tell("ns", harness.CPU(func(n int) {
		for i := 0; i < n; i++ {
			harness.Must(send(context.Background(), ch, i))
			back, ok := receive(context.Background(), ch)
			harness.Must(ok && back == i)
		}
	}))
}

func workTryRecv() {
	ch := make(chan int, 1)
	harness.Tell("ns", harness.CPU(func(n int) {
		for ; n > 0; n-- {
			select {
			case <-ch:
				panic("an element from nowhere")
			default:
			}
		}
	}))
}

func workStream() {
	ch := make(chan int, harness.Arg("capacity", 0))
	harness.Tell("ns", harness.Wall(1, func(n int) {
		over := make(chan struct{})
		go func() {
			for i := 0; i < n; i++ {
				element, ok := receive(context.Background(), ch)
				harness.Must(ok && element == i)
			}
			close(over)
		}()
		go func() {
			for i := 0; i < n; i++ {
				harness.Must(send(context.Background(), ch, i))
			}
		}()
		<-over
	}))
}

func main() {
	harness.Main([]harness.Entry{
		{Name: "alone", Work: workAlone},
		{Name: "try_recv", Work: workTryRecv},
		{Name: "stream", Work: workStream},
	})
}
