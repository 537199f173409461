//go:build race

// Package words touches words of shared memory, in a race build.
//
// There sync/atomic touches the memory from the race runtime, which is C: a
// fault there, because another process has truncated the file, ends the process
// instead of becoming an error. Accesses from Go code and its assembly can fault.
// The detector has nothing to say about shared memory.
package words
