//go:build !posixshm

package pyshm

import "time"

// Few tests have a process that works when they look whether it does.
func init() {
	patience, longestPatience, observation = 500*time.Millisecond, time.Second, 100*time.Millisecond
}

// ObserveForLong has Check and Reset observe a queue as long as they do outside of tests,
// until the returned function is called.
func ObserveForLong() (restore func()) {
	before := observation
	observation = time.Second
	return func() { observation = before }
}
