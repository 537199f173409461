//go:build !linux || pyshm_posix

package worker

// hasLanes reports whether calls may go through shared memory. The protocol needs semaphores
// for which a thread waits without polling, and that both sides can wait for until a worker
// ends. FreeBSD's have another format than Go knows, and on macOS Go polls. There all goes
// by the connection.
const hasLanes = false

// yield does nothing: nothing is watched here.
func yield() {}
