// SPDX-License-Identifier: MIT

// net/http: the server of ../belay.c. It is built outside of the module, where Debian's
// golang.org/x/net is found.
package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/h2c"
)

const works = "keep_alive\nlatency\nhttp2\ntls\nidle\ngone"

// ---- The work of a request

type userKey struct{}

func greet(ctx context.Context, answers chan<- string) {
	answers <- "hello, " + ctx.Value(userKey{}).(string)
}

func answer(w http.ResponseWriter, r *http.Request) {
	limited, cancel := context.WithTimeout(r.Context(), 5*time.Second)
	defer cancel()
	known := context.WithValue(limited, userKey{}, r.Header.Get("X-User"))
	answers := make(chan string, 1)
	go greet(known, answers)
	select {
	case text := <-answers:
		w.Header().Set("Content-Type", "text/plain")
		io.WriteString(w, text)
	case <-known.Done():
		http.Error(w, known.Err().Error(), http.StatusServiceUnavailable)
	}
}

// ---- Clients that go

const most = 10000

var goneAt [most]int64

// monotonicNow is by the clock that other programs see.
func monotonicNow() int64 {
	var ts syscall.Timespec
	const clockMonotonic = 1
	syscall.RawSyscall(syscall.SYS_CLOCK_GETTIME, clockMonotonic,
		uintptr(unsafe.Pointer(&ts)), 0)
	return ts.Nano()
}

func waitUntilGone(w http.ResponseWriter, r *http.Request) {
	id, err := strconv.Atoi(strings.TrimPrefix(r.URL.Path, "/gone/"))
	if err != nil || id < 0 || id >= most {
		http.NotFound(w, r)
		return
	}
	io.WriteString(w, "waiting\n")
	w.(http.Flusher).Flush()
	<-r.Context().Done()
	atomic.StoreInt64(&goneAt[id], monotonicNow())
}

func tellGone(w http.ResponseWriter, r *http.Request) {
	for id := range goneAt {
		if at := atomic.LoadInt64(&goneAt[id]); at != 0 {
			fmt.Fprintf(w, "%d %d\n", id, at)
		}
	}
}

// collect is called before memory is looked at: what is garbage is not counted.
func collect(w http.ResponseWriter, r *http.Request) {
	debug.FreeOSMemory()
}

// ---- The server

func listen() net.Listener {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	return listener
}

func serve(chain, key string) {
	mux := http.NewServeMux()
	mux.HandleFunc("/", answer)
	mux.HandleFunc("/gone/", waitUntilGone)
	mux.HandleFunc("/gone", tellGone)
	mux.HandleFunc("/collect", collect)
	plain, secure := listen(), listen()
	fmt.Printf("http %s\nhttp2 %s\nhttps %s\n", plain.Addr(), plain.Addr(), secure.Addr())
	server := http.Server{Handler: mux, TLSConfig: &tls.Config{MinVersion: tls.VersionTLS13},
		ErrorLog: log.New(io.Discard, "", 0)} // of those who connect, and say nothing
	go func() { log.Fatal(server.ServeTLS(secure, chain, key)) }()
	both := http.Server{Handler: h2c.NewHandler(mux, &http2.Server{})}
	log.Fatal(both.Serve(plain))
}

func main() {
	switch {
	case len(os.Args) == 2 && os.Args[1] == "list":
		fmt.Println(works)
	case len(os.Args) == 3:
		serve(os.Args[1], os.Args[2])
	default:
		log.Fatalf("usage: %s list | CHAIN KEY", os.Args[0])
	}
}
