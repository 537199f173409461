package main

import (
	"syscall"
	"time"
)

// wait sleeps in the kernel. time.Sleep would sleep for a millisecond at least, which is
// too long here.
func wait(d time.Duration) {
	for end := time.Now().Add(d); d > 0; d = time.Until(end) {
		left := syscall.NsecToTimespec(int64(d))
		_ = syscall.Nanosleep(&left, nil) // a signal ends it early
	}
}
