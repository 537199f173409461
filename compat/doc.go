// Package compat runs Go and real Python interpreters against each other. It is
// for tests: pyshm's own, and those of programs that share memory with Python.
//
// # Interpreters
//
// [Find] returns the interpreters of this machine, to which $PYSHM_PYTHONS adds
// others or says which are the only ones. [ForEach] runs a subtest on each of them:
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
// [Block], its exceptions as [*PythonError] with the file and line of the test's
// own Python; [Peer.Eval] and [Peer.Exec] reach everything else. [Peer.StartWorker]
// starts children with each start method of multiprocessing, and [Peer.Exit] ends
// processes in the ways that matter to Python's resource tracker. [Peer.Do]
// executes thousands of operations in one go.
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
// Arguments and results cross without losing anything: an int keeps all its
// digits, a float its bits.
//
//	Python   Go, returned           Go, accepted
//	int      int64, or *big.Int     every integer type, *big.Int
//	          where that is small
//	float    float64                float64, float32
//	bool     bool                   bool
//	None     nil                    nil
//	str      string                 string of valid UTF-8
//	bytes    []byte                 []byte
//	list     []any                  []any
//
// A str with a lone surrogate, which no Go string can hold, is an error.
//
// [Peer.EvalInto] brings more into variables of Go: dicts, dataclasses, numpy's
// scalars and arrays. What the type of the variable cannot hold exactly is an error.
package compat
