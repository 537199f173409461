package compat_test

import (
	"flag"
	"runtime"
	"strconv"
	"testing"

	"github.com/pyshm-go/pyshm/internal/testkit"
)

func TestMain(m *testing.M) {
	// Tests that may run at the same time mostly wait, for Pythons to start and end.
	flag.Set("test.parallel", strconv.Itoa(3*runtime.GOMAXPROCS(0))) // only a default
	testkit.Main(m)
}

// Short names of the test kit.
var (
	check           = testkit.Check
	start           = testkit.StartPeer
	wantEqual       = testkit.WantEqual
	wantPythonError = testkit.WantPythonError
)

func must[T any](v T, err error) func(testing.TB) T { return testkit.Must(v, err) }
