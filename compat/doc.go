// Package compat runs Go and real Python interpreters against each other. It is
// for tests: pyshm's own, and those of programs that share memory with Python.
//
// # Interpreters
//
// [Find] returns the interpreters of this machine, and [ForEach] runs a subtest
// on each of them:
//
//	func TestSharing(t *testing.T) {
//		compat.ForEach(t, func(t *testing.T, py compat.Interpreter) {
//			p, err := py.Start(t.Context())
//			...
//			t.Cleanup(func() { p.Close() })
//
// # Peers
//
// [Interpreter.Start] starts a [Peer]: a Python process that does what the test
// asks. Python's ShareableList and SharedMemory appear in Go as [List] and
// [Block], its exceptions as [*PythonError]; [Peer.Eval] and [Peer.Exec] reach
// everything else. [Peer.StartWorker] starts children with each start method of
// multiprocessing, and [Peer.Exit] ends processes in the ways that matter to
// Python's resource tracker. [Peer.Do] executes thousands of operations in one
// go.
//
// A peer behaves as any Python program does. In particular its resource tracker
// unlinks, when the process ends, every segment it has created or attached to.
//
// No peer outlives the test: requests have a time limit, Close leaves no
// process, and when the test itself is killed the peer ends with it; a worker
// (outside Linux the peer, too) first completes the request that it is executing.
// Peers need Unix; elsewhere Start returns [errors.ErrUnsupported].
//
// # Values
//
// [EncodeValue] and [DecodeValue] spell the values of a ShareableList as JSON
// without losing anything: an int keeps all its digits, a float its bits.
package compat
