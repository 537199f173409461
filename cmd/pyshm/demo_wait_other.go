//go:build !linux

package main

import (
	"runtime"
	"time"
)

// wait waits for a time that may be too short for time.Sleep.
func wait(d time.Duration) {
	for began := time.Now(); time.Since(began) < d; {
		runtime.Gosched()
	}
}
