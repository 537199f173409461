//go:build race

// Package words reads and writes words of shared memory, here in a race build.
//
// In a race build, sync/atomic touches the memory from the race runtime, which is C. A
// fault there, because another process has truncated the file, ends the process
// instead of becoming an error. A fault in Go code, or in its assembly, can become one.
// The race detector cannot judge shared memory: it knows nothing of other processes.
package words
