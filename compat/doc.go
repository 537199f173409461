// Package compat runs Go and real Python interpreters against each other. It is for
// tests: tests of pyshm, and tests of programs that share memory with Python.
//
// # Interpreters
//
// [Find] returns the interpreters of this machine. $PYSHM_PYTHONS adds others, or
// lists the only ones to use. [ForEach] runs a subtest on each of them:
//
//	func TestSharing(t *testing.T) {
//		compat.ForEach(t, func(t *testing.T, py compat.Interpreter) {
//			p, err := py.Start(t.Context())
//			...
//			t.Cleanup(func() { p.Close() })
//
// # Peers
//
// [Interpreter.Start] starts a [Peer]: a Python process that executes requests of the
// test. Python's ShareableList and SharedMemory appear in Go as [List] and [Block].
// Python's exceptions appear as [*PythonError], with the file and line of the test's
// own Python. [Peer.Eval] and [Peer.Exec] reach everything else. [Peer.StartWorker]
// starts children with each start method of multiprocessing. [Peer.Exit] ends
// processes in the ways that matter to Python's resource tracker. [Peer.Do] executes
// thousands of operations at once.
//
// A peer behaves as any Python program does. In particular, when the process ends its
// resource tracker unlinks every segment that it has created or attached to.
//
// No peer outlives the test. Requests have a time limit, Close leaves no process, and
// when the test itself is killed the peer ends with it. A worker (outside Linux the
// peer, too) first completes the request that it is executing. Peers need Unix or
// Windows; on other systems Start returns an error that wraps [errors.ErrUnsupported]. On
// Windows they have no resource tracker, no start method but spawn, and no exits by
// signals.
//
// # Values
//
// Arguments and results cross without losing anything: an int keeps all its
// digits, a float its bits.
//
//	Python   Go, returned           Go, accepted
//	int      int64, or *big.Int     every integer type, *big.Int
//	          if it does not fit
//	float    float64                float64, float32
//	bool     bool                   bool
//	None     nil                    nil
//	str      string                 string of valid UTF-8
//	bytes    []byte                 []byte
//	list     []any                  []any
//
// A str with a lone surrogate is an error, because no Go string can hold it.
//
// [Peer.EvalInto] brings more into variables of Go: dicts, dataclasses, numpy's
// scalars and arrays. It fails if the type of the variable cannot hold the value
// exactly.
package compat
