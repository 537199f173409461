package compat_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/pyshm-go/pyshm/compat"
)

// anyPython returns the interpreter that Find prefers.
func anyPython(t testing.TB) compat.Interpreter {
	t.Helper()
	found, err := compat.Find(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return found[0]
}

// start starts a peer that must end in an orderly way at the end of the test.
func start(t testing.TB, py compat.Interpreter, options ...compat.PeerOption) *compat.Peer {
	t.Helper()
	p, err := py.Start(t.Context(), options...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			t.Logf("standard error of %v:\n%s", py, p.Stderr())
		}
	})
	return p
}

// namePrefix begins every name that these tests give, for TestMain to find.
var namePrefix = fmt.Sprintf("pyshm_tc%06x", rand.Uint32N(1<<24))

func segmentName() string {
	return fmt.Sprintf("%s_%08x", namePrefix, rand.Uint32())
}

// must returns v unless there is an error, which fails the test.
func must[T any](v T, err error) func(t testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
