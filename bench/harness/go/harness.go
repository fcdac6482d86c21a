// SPDX-License-Identifier: MIT

// Package harness is bench.h for Go: the same arguments, clocks and figures.
package harness

import (
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"sort"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
	"unsafe"
)

// Entry is a work by its name.
type Entry struct {
	Name string
	Work func()
}

// Main does what the arguments say.
func Main(entries []Entry) {
	wanted := ""
	if len(os.Args) > 1 {
		wanted = os.Args[1]
	}
	for _, entry := range entries {
		if wanted == "list" {
			fmt.Println(entry.Name)
		} else if wanted == entry.Name {
			entry.Work()
			return
		}
	}
	if wanted != "list" {
		fmt.Fprintf(os.Stderr, "usage: %s list | WORK [NAME=NUMBER]...\n", os.Args[0])
		os.Exit(2)
	}
}

// Arg is the number after NAME=, or fallback.
func Arg(name string, fallback int) int {
	if len(os.Args) < 3 {
		return fallback
	}
	for _, arg := range os.Args[2:] {
		if strings.HasPrefix(arg, name+"=") {
			n, err := strconv.Atoi(arg[len(name)+1:])
			Must(err == nil)
			return n
		}
	}
	return fallback
}

// Tell prints a figure.
func Tell(figure string, value float64) {
	fmt.Printf("%s %.9g\n", figure, value)
}

// TellAt prints a point of a curve.
func TellAt(curve string, x int, value float64) {
	fmt.Printf("%s %d %.9g\n", curve, x, value)
}

// Must aborts where what was to be timed was not done.
func Must(what bool) {
	if !what {
		panic("not so")
	}
}

// CPUNow is the processor time of all threads, the collector's included.
func CPUNow() time.Duration {
	var ts syscall.Timespec
	const processCPUTime = 2
	_, _, errno := syscall.RawSyscall(syscall.SYS_CLOCK_GETTIME, processCPUTime,
		uintptr(unsafe.Pointer(&ts)), 0)
	Must(errno == 0)
	return time.Duration(ts.Nano())
}

// firstTry warms up, and never counts.
const firstTry = 100

func more(n int, took, least time.Duration) int {
	if took < 1 {
		took = 1
	}
	wanted := 1.1 * float64(n) * float64(least) / float64(took)
	if wanted > 100*float64(n) {
		wanted = 100 * float64(n)
	}
	if int(wanted) > n {
		return int(wanted)
	}
	return n + 1
}

// Least is how long a measurement takes at the least.
func Least() time.Duration {
	return time.Duration(Arg("ms", 100)) * time.Millisecond
}

// CPU is the processor time of one operation, in nanoseconds.
func CPU(work func(n int)) float64 {
	least := Least()
	runtime.GC() // what was made before is not to be paid for here
	for n := firstTry; ; {
		start := CPUNow()
		work(n)
		took := CPUNow() - start
		if took >= least && n > firstTry {
			return float64(took) / float64(n)
		}
		n = more(n, took, least)
	}
}

// Here is by the clock that the argument wall asks for: the one on the wall, or processor time.
func Here(work func(n int)) float64 {
	if Arg("wall", 0) != 0 {
		return Wall(1, work)
	}
	return CPU(work)
}

// Crew runs fn(i) for each i < n, in a goroutine each, and returns when all have ended.
func Crew(n int, fn func(i int)) {
	var running sync.WaitGroup
	running.Add(n)
	for i := 0; i < n; i++ {
		go func(i int) {
			fn(i)
			running.Done()
		}(i)
	}
	running.Wait()
}

// Threads is the same where each goroutine has a thread of the system to itself.
func Threads(n int, fn func(i int)) {
	Crew(n, func(i int) {
		runtime.LockOSThread() // until the goroutine ends, and the thread with it
		fn(i)
	})
}

// ThreadAndGoroutines is the same where only the first has one.
func ThreadAndGoroutines(n int, fn func(i int)) {
	Crew(n, func(i int) {
		if i == 0 {
			runtime.LockOSThread()
		}
		fn(i)
	})
}

// Wall is the time of one operation where so many goroutines do them at once.
func Wall(threads int, work func(n int)) float64 {
	least := Least()
	runtime.GC()
	for n := firstTry; ; {
		took := race(threads, n, work)
		if took >= least && n > firstTry {
			return float64(took) / (float64(n) * float64(threads))
		}
		n = more(n, took, least)
	}
}

// race times all of them from the first start to the last end.
func race(threads, n int, work func(n int)) time.Duration {
	var ready, ended sync.WaitGroup
	starts, ends := make([]time.Time, threads), make([]time.Time, threads)
	line := make(chan struct{})
	ready.Add(threads)
	ended.Add(threads)
	for i := 0; i < threads; i++ {
		go func(i int) {
			ready.Done()
			<-line
			starts[i] = time.Now()
			work(n)
			ends[i] = time.Now()
			ended.Done()
		}(i)
	}
	ready.Wait()
	close(line)
	ended.Wait()
	start, end := starts[0], ends[0]
	for i := range starts {
		if starts[i].Before(start) {
			start = starts[i]
		}
		if ends[i].After(end) {
			end = ends[i]
		}
	}
	return end.Sub(start)
}

// Processors is how many this process may use.
func Processors() int {
	return runtime.NumCPU()
}

// Sort sorts samples.
func Sort(samples []int64) {
	sort.Slice(samples, func(i, j int) bool { return samples[i] < samples[j] })
}

// Percentile of sorted samples.
func Percentile(sorted []int64, p float64) int64 {
	i := int(p * float64(len(sorted)))
	if i >= len(sorted) {
		i = len(sorted) - 1
	}
	return sorted[i]
}

// Shuffled is 0..n-1 in the order of bench_shuffled().
func Shuffled(n int) []int {
	order := make([]int, n)
	for i := range order {
		order[i] = i
	}
	seed := uint64(1)
	for i := n; i > 1; i-- {
		seed = seed*6364136223846793005 + 1442695040888963407
		j := int((seed >> 33) % uint64(i))
		order[i-1], order[j] = order[j], order[i-1]
	}
	return order
}

// Resident is the process's memory in bytes, after a collection that gives back what it can.
func Resident() float64 {
	debug.FreeOSMemory()
	return readKib("/proc/self/smaps_rollup", "Rss:")
}

// Footprint is the same and the page tables.
func Footprint() float64 {
	return Resident() + readKib("/proc/self/status", "VmPTE:")
}

// readKib is the number of the line "NAME NUMBER kB" of a file of /proc, in bytes.
func readKib(path, name string) float64 {
	text, err := os.ReadFile(path)
	Must(err == nil)
	for _, line := range strings.Split(string(text), "\n") {
		if fields := strings.Fields(line); len(fields) == 3 && fields[0] == name {
			kib, err := strconv.Atoi(fields[1])
			Must(err == nil)
			return float64(kib) * 1024
		}
	}
	panic("no " + name)
}

// Memory is what Go's own books say: the heap in use, and all that was had from the system.
func Memory() (heap, sys float64) {
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return float64(stats.HeapAlloc), float64(stats.Sys)
}

// Allocations is how many objects were allocated so far.
func Allocations() float64 {
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return float64(stats.Mallocs)
}
