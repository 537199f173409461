//go:build unix

package main

import (
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"
)

// stops is locked while this process may hold a lease on a segment, and must not
// be stopped: each process that opens the segment would wait until it goes on.
var stops sync.Mutex

// unstopped calls a function that may take leases. A Ctrl-Z takes effect when the
// function has returned. There is no remedy against SIGSTOP.
func unstopped(f func()) {
	deferStops()
	stops.Lock()
	defer stops.Unlock()
	f()
}

// deferStops makes Ctrl-Z wait for stops, until this process ends: once a program has
// asked for the signal, the Go runtime does not give it back to the kernel.
var deferStops = sync.OnceFunc(func() {
	if signal.Ignored(syscall.SIGTSTP) { // as in shells without job control
		return
	}
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTSTP)
	go func() {
		for range signals {
			stop()
		}
	}()
})

// stop does what the kernel does at a Ctrl-Z. SIGTTIN has the same effect: it stops
// the process, unless there is no shell that could let it go on.
func stop() {
	stops.Lock()
	defer stops.Unlock()
	_ = syscall.Kill(os.Getpid(), syscall.SIGTTIN)
	// Kill may return shortly before this thread stops, too.
	time.Sleep(10 * time.Millisecond)
}
