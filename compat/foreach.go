package compat

import (
	"context"
	"fmt"
	"os"
	"sync"
)

// TestingT has the methods that [ForEach] needs: *testing.T and *testing.B have them.
//
// TestingT is not testing.TB for two reasons. testing.TB has no Run, because the Run
// of a test and the Run of a benchmark take different functions. And this package is
// also part of a command, pyshm demo, which must not link package testing: a test of
// pyshm checks that.
type TestingT[T any] interface {
	Context() context.Context
	Fatal(args ...any)
	Helper()
	Run(name string, f func(T)) bool
}

// ForEach runs f as a subtest on every interpreter that [Find] returns. The subtest
// has the interpreter's name, "CPython_3.13.0" or, for the second interpreter of one
// version, "CPython_3.13.0_#2". So go test -run 'TestName/PyPy' picks interpreters.
// ForEach fails the test if there is no interpreter.
//
// The first call of ForEach in a process writes the interpreters to standard error.
func ForEach[T TestingT[T]](t T, f func(T, Interpreter)) {
	t.Helper()
	found, err := Find(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	announce.Do(func() {
		for _, py := range found {
			fmt.Fprintf(os.Stderr, "compat: testing with %v, %s\n", py, py.Path)
		}
	})
	for _, py := range found {
		t.Run(py.String(), func(t T) { f(t, py) })
	}
}

var announce sync.Once
