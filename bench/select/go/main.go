// SPDX-License-Identifier: MIT

// Go's select: the works of ../belay.c.
package main

import (
	"context"

	"belay/bench/harness/go"
)

func receive(ctx context.Context, ch <-chan int) int {
	select {
	case element := <-ch:
		return element
	case <-ctx.Done():
		panic("nobody cancelled it")
	}
}

func workDone() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	capacity := harness.Arg("capacity", 1)
	there, back := make(chan int, capacity), make(chan int, capacity)
	harness.Tell("ns", harness.Here(func(n int) {
		harness.Crew(2, func(part int) {
			for i := 0; i < n; i++ {
				if part == 0 {
					there <- i
					harness.Must(receive(ctx, back) == i)
				} else {
					back <- receive(ctx, there)
				}
			}
		})
	}))
}

func receiveAny(ch *[8]chan int) (one, element int) {
	select {
	case element = <-ch[0]:
		return 0, element
	case element = <-ch[1]:
		return 1, element
	case element = <-ch[2]:
		return 2, element
	case element = <-ch[3]:
		return 3, element
	case element = <-ch[4]:
		return 4, element
	case element = <-ch[5]:
		return 5, element
	case element = <-ch[6]:
		return 6, element
	case element = <-ch[7]:
		return 7, element
	}
}

func workEight() {
	var ch [8]chan int
	for i := range ch {
		ch[i] = make(chan int, 1)
	}
	drawn := harness.Shuffled(1024)
	harness.Tell("ns", harness.Here(func(n int) {
		for i := 0; i < n; i++ {
			one := drawn[i%len(drawn)] % len(ch)
			ch[one] <- i
			from, element := receiveAny(&ch)
			harness.Must(from == one && element == i)
		}
	}))
}

func main() {
	harness.Main([]harness.Entry{
		{Name: "done", Work: workDone},
		{Name: "eight", Work: workEight},
	})
}
