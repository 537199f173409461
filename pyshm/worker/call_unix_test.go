//go:build linux || darwin || freebsd

package worker

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pyshm-go/pyshm/compat"
	"github.com/pyshm-go/pyshm/format/pickle"
	"github.com/pyshm-go/pyshm/internal/covered"
	"github.com/pyshm-go/pyshm/internal/testkit"
)

// TestCalls goes through what a worker can be called for, on every interpreter.
func TestCalls(t *testing.T) {
	compat.ForEach(t, func(t *testing.T, py compat.Interpreter) {
		t.Parallel()
		testkit.Covers(t, py, covered.Calls)
		log := new(logged)
		p := startPool(t, py, Options{Workers: 1, Logger: log.logger()})
		wantEqual(t, "add", call(t, p, "add", 2, 3.5), any(5.5))
		wantEqual(t, "a function by another name", call(t, p, "largest", 2, 7), any(int64(7)))
		wantEqual(t, "async", call(t, p, "later", 0.001, "x"), any("x"))
		all := []any{nil, true, int64(-1) << 62, 1.5, "é\x00", []byte{0xff}, []any{int64(1), "two"}, pickle.Tuple{int64(3)}}
		wantEqual(t, "values", call(t, p, "echo", all...), any(pickle.Tuple(all)))
		large := bytes.Repeat([]byte("abcdefg\n"), 100_000)
		for range 2 {
			wantEqual(t, "a large value is the same", bytes.Equal(call(t, p, "echo", large).(pickle.Tuple)[0].([]byte), large), true)
		}
		if sharesMemory {
			check(t, p.Do(t.Context(), func(j *Job) error {
				a := must(NewArray[int16](j, 3))(t)
				check(t, a.Set(7, 1))
				back := must(ArrayOf[int16](j, must(j.Call(t.Context(), "negate", a))(t)))(t)
				wantEqual(t, "an array", must(back.At(1))(t), int16(-7))
				return nil
			}))
		}

		wantException(t, p, log)
		_, err := p.Call(t.Context(), "unpicklable")
		var raised *PythonError
		if !errors.As(err, &raised) || !strings.Contains(raised.Traceback, "lambda") {
			t.Errorf("an unpicklable result: %v", err)
		}
		_, err = p.Call(t.Context(), "add", struct{}{})
		wantReason(t, "an argument of a struct", err, pickle.ErrType)

		call(t, p, "say", "häuser")
		log.wait(t, `level=INFO msg="worker printed" worker=0 pid=`, `line=häuser`)
		log.wait(t, `level=WARN msg="worker printed" worker=0 pid=`, `line=häuser`)
		log.wait(t, `level=WARN msg="worker printed" worker=0 pid=`, `line="häuser sold"`)
		if py.Path == testkit.Python(t).Path {
			wantExits(t, p)
		}
	})
}

func wantException(t *testing.T, p *Pool, log *logged) {
	t.Helper()
	_, err := p.Call(t.Context(), "fail", "why\n")
	var raised *PythonError
	if !errors.As(err, &raised) {
		t.Fatalf("fail returned %v", err)
	}
	wantEqual(t, "class", raised.Class, "__main__.Odd")
	wantEqual(t, "number of args", len(raised.Args), 3)
	if !strings.Contains(raised.Traceback, "raise Odd(message, 7, object())") || !strings.Contains(raised.Message, "why") {
		t.Errorf("message %q, traceback\n%s", raised.Message, raised.Traceback)
	}
	if strings.ContainsAny(err.Error(), "\n") {
		t.Errorf("an error of several lines: %s", err)
	}
	_, err = p.Call(t.Context(), "no_function")
	if !errors.As(err, &raised) || raised.Class != "LookupError" || !strings.Contains(err.Error(), "add, ") {
		t.Errorf("a function that is not there: %v", err)
	}
}

// wantExits ends the worker twice from within.
func wantExits(t *testing.T, p *Pool) {
	t.Helper()
	_, err := p.Call(t.Context(), "leave", 3)
	crash := wantCrash(t, "sys.exit", err)
	wantEqual(t, "how it ended", crash.Err.Error(), "exit status 3")
	wantEqual(t, "what it wrote", crash.Output[len(crash.Output)-1], "I leave")
	_, err = p.Call(t.Context(), "leave_at_once", 4)
	wantEqual(t, "how it ended", wantCrash(t, "os._exit", err).Err.Error(), "exit status 4")
	call(t, p, "pid") // of the third worker
}

// TestLoop calls the worker of the documentation that has only Python's standard library.
func TestLoop(t *testing.T) {
	compat.ForEach(t, func(t *testing.T, py compat.Interpreter) {
		t.Parallel()
		if !slices.Contains(testkit.Share(t, py, []int{0, 1, 2}), 0) {
			t.Skip("a third of the interpreters between the oldest and the newest")
		}
		p := startScript(t, script(py, "loop.py"), Options{Workers: 1})
		wantEqual(t, "add", call(t, p, "add", "a", "b"), any("ab"))
		_, err := p.Call(t.Context(), "add", 1)
		var raised *PythonError
		if !errors.As(err, &raised) || raised.Class != "TypeError" {
			t.Errorf("one argument: %v", err)
		}
		wantEqual(t, "add again", call(t, p, "add", []any{1}, []any{nil}), any([]any{int64(1), nil}))
	})
}

// TestLoopIsShort holds the documentation's loop to what it promises.
func TestLoopIsShort(t *testing.T) {
	text := string(must(os.ReadFile("testdata/loop.py"))(t))
	_, loop, _ := strings.Cut(text, "\n\n\npool = ")
	if lines := strings.Count(loop, "\n"); lines > 12 {
		t.Errorf("the loop has %d lines", lines)
	}
	doc := string(must(os.ReadFile("doc.go"))(t))
	commented := "//\t" + strings.ReplaceAll(strings.TrimSpace(text), "\n", "\n//\t")
	commented = strings.ReplaceAll(commented, "//\t\n", "//\n")
	if !strings.Contains(doc, commented) {
		t.Errorf("doc.go does not have testdata/loop.py:\n%s", cmp.Diff(doc, commented))
	}
}

// TestCannotStart: Start returns why a worker does not start, and leaves nothing.
func TestCannotStart(t *testing.T) {
	testkit.NeedLinux(t)
	python := testkit.Python(t).Path
	for _, test := range []struct {
		command []string
		want    string
		within  time.Duration
	}{
		{[]string{"/nonexistent/python3"}, "no such file or directory", 0},
		{[]string{python, "-c", "import nonesuch"}, `exit status 1; it wrote "ModuleNotFoundError: No module named 'nonesuch'"`, 0},
		{[]string{python, "-c", "pass"}, "exit status 0", 0},
		{[]string{"sleep", "100"}, "it has not replied within 20ms", moment},
	} {
		_, err := Start(t.Context(), func() *exec.Cmd {
			return exec.Command(test.command[0], test.command[1:]...)
		}, Options{Workers: 1, StartTimeout: test.within, Logger: quiet})
		var failed *StartError
		if !errors.As(err, &failed) || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%v: %v, want %s", test.command, err, test.want)
		}
	}
	command := func() *exec.Cmd { return exec.Command("sleep", "100") }
	_, err := Start(t.Context(), command, Options{Workers: -1})
	wantReason(t, "-1 workers", err, fs.ErrInvalid)
	_, err = Start(t.Context(), nil, Options{})
	wantReason(t, "no command", err, fs.ErrInvalid)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = Start(ctx, command, Options{Workers: 1, Logger: quiet})
	wantReason(t, "a context that has ended", err, context.Canceled)
}

// A logged collects a log.
type logged struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logged) logger() *slog.Logger { return slog.New(slog.NewTextHandler(l, nil)) }

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

// wait waits for a line that contains all of the parts.
func (l *logged) wait(t testing.TB, parts ...string) {
	t.Helper()
	testkit.Eventually(t, strings.Join(parts, " "), func() bool {
		l.mu.Lock()
		defer l.mu.Unlock()
		for line := range strings.Lines(l.text.String()) {
			found := true
			for _, part := range parts {
				found = found && strings.Contains(line, part)
			}
			if found {
				return true
			}
		}
		return false
	})
}
