package worker

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os/exec"
	"strconv"
	"testing"
	"time"

	"github.com/pyshm-go/pyshm/compat"
	"github.com/pyshm-go/pyshm/internal/testkit"
)

func TestMain(m *testing.M) { testkit.MainWithPeers(m) }

// Short names of the test kit.
var (
	check     = testkit.Check
	wantEqual = testkit.WantEqual
)

func must[T any](v T, err error) func(testing.TB) T { return testkit.Must(v, err) }

// quiet shows nothing of the log.
var quiet = slog.New(slog.NewTextHandler(io.Discard, nil))

// script returns commands of an interpreter that runs a file of testdata.
func script(py compat.Interpreter, file string, args ...string) func() *exec.Cmd {
	return func() *exec.Cmd { return exec.Command(py.Path, append([]string{"testdata/" + file}, args...)...) }
}

// sharesMemory reports whether this program and the Pythons have semaphores of one layout.
// Without, a pool uses its workers' connections alone.
const sharesMemory = hasLanes && strconv.IntSize == 64

func needArena(t testing.TB) {
	t.Helper()
	if !sharesMemory {
		t.Skip("the Pythons have no semaphores that this program could wait for")
	}
}

// startPool starts a pool of testdata/worker.py that lasts until the end of the test.
func startPool(t testing.TB, py compat.Interpreter, o Options) *Pool {
	t.Helper()
	return startScript(t, script(py, "worker.py"), o)
}

func startScript(t testing.TB, command func() *exec.Cmd, o Options) *Pool {
	t.Helper()
	testkit.NeedPosix(t)
	if o.Logger == nil {
		o.Logger = quiet
	}
	p := must(Start(t.Context(), command, o))(t)
	t.Cleanup(func() { closePool(t, p) })
	return p
}

func closePool(t testing.TB, p *Pool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), testkit.Patience)
	defer cancel()
	check(t, p.Close(ctx))
}

// call calls a function that has to succeed.
func call(t testing.TB, p *Pool, function string, args ...any) any {
	t.Helper()
	return must(p.Call(t.Context(), function, args...))(t)
}

func wantReason(t testing.TB, what string, err, reason error) {
	t.Helper()
	if !errors.Is(err, reason) {
		t.Errorf("%s: %v, want %v", what, err, reason)
	}
}

// wantCrash fails unless err is a CrashError.
func wantCrash(t testing.TB, what string, err error) *CrashError {
	t.Helper()
	var crash *CrashError
	if !errors.As(err, &crash) {
		t.Fatalf("%s: %v, want a crash", what, err)
	}
	return crash
}

const moment = 20 * time.Millisecond
