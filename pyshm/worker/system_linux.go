//go:build !pyshm_posix

package worker

// hasLanes reports whether calls may go through shared memory.
const hasLanes = true
