package compat_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/pyshm-go/pyshm/compat"
	"github.com/pyshm-go/pyshm/format"
	"github.com/pyshm-go/pyshm/internal/testkit"
)

// someOfEach has values of every kind. Python keeps all of them exactly.
func someOfEach() []any {
	return []any{
		int64(math.MinInt64), int64(math.MaxInt64), math.Copysign(0, -1), math.Inf(-1),
		math.Float64frombits(0xfff8000000001234), true, false, nil, "", "a\x00h\u00e9\u20ac \U0001F600!", []byte{}, []byte("\x00\xff"),
	}
}

func second[T any](_ T, err error) error { return err }

func TestListRequests(t *testing.T) {
	testkit.NeedLinux(t)
	t.Parallel()
	compat.ForEach(t, func(t *testing.T, py compat.Interpreter) {
		t.Parallel()
		p, other := testkit.StartPeer(t, py), testkit.StartPeer(t, py)
		name := testkit.Name(t)
		list := testkit.Must(p.CreateList(name, someOfEach()))(t)
		testkit.WantEqual(t, "String", fmt.Sprint(list), "List('"+list.Name()+"')")
		attached := testkit.Must(other.AttachList(name))(t)

		testkit.WantEqual(t, "Name", attached.Name(), name)
		testkit.WantEqual(t, "Len", testkit.Must(attached.Len())(t), len(someOfEach()))
		testkit.WantEqual(t, "Values", testkit.Must(attached.Values())(t), someOfEach())
		for i, want := range someOfEach() {
			testkit.WantEqual(t, fmt.Sprintf("Get(%d)", i), testkit.Must(attached.Get(i))(t), want)
		}
		testkit.WantEqual(t, "Get(-1)", testkit.Must(attached.Get(-1))(t), any([]byte("\x00\xff")))
		testkit.Check(t, attached.Set(0, "ab"))
		testkit.WantEqual(t, "Get(0) after Set", testkit.Must(list.Get(0))(t), any("ab"))
		testkit.WantEqual(t, "Index", testkit.Must(list.Index("ab"))(t), 0)
		testkit.WantEqual(t, "Count", testkit.Must(list.Count(0))(t), 2) // -0.0 and False
		testkit.WantEqual(t, "Format", testkit.Must(list.Format())(t), "8sqdddxxxxxxx?xxxxxxx?xxxxxx?x8s16s8s8s")
		testkit.WantEqual(t, "Bytes", testkit.Must(list.Bytes())(t), testkit.Must(attached.Bytes())(t))
		if repr := testkit.Must(list.Repr())(t); !strings.HasPrefix(repr, "ShareableList(['ab', 9223372036854775807, -0.0, ") {
			t.Errorf("Repr: %s", repr)
		}
		inGo := testkit.Must(format.Attach(testkit.Must(list.Bytes())(t)))(t)
		testkit.WantEqual(t, "the layout of what it made", inGo.Layout(), py.Layout())

		_, err := list.Get(len(someOfEach()))
		testkit.WantPythonError(t, err, "IndexError", "index out of range")
		_, err = list.Index("missing")
		testkit.WantPythonError(t, err, "ValueError", "")
		testkit.WantPythonError(t, list.Set(0, strings.Repeat("a", 9)), "ValueError", "exceeds available storage")
		testkit.WantPythonError(t, list.Set(1, uint64(1<<63)), "struct.error", "")
		_, err = p.CreateList(name, nil)
		testkit.WantPythonError(t, err, "FileExistsError", "")
		_, err = p.AttachList(name + "_missing")
		testkit.WantPythonError(t, err, "FileNotFoundError", "")

		testkit.Check(t, attached.Close())
		_, err = attached.Get(0)
		testkit.WantPythonError(t, err, "TypeError", "")
		testkit.Check(t, list.Close())
		testkit.Check(t, list.Unlink())
		testkit.WantPythonError(t, list.Unlink(), "FileNotFoundError", "")
	})
}

func TestBlockRequests(t *testing.T) {
	testkit.NeedLinux(t)
	t.Parallel()
	compat.ForEach(t, func(t *testing.T, py compat.Interpreter) {
		t.Parallel()
		p := testkit.StartPeer(t, py)
		block := testkit.Must(p.CreateBlock("", 5000))(t)
		testkit.WantEqual(t, "String", fmt.Sprint(block), "Block('"+block.Name()+"')")
		if !strings.HasPrefix(block.Name(), "psm_") {
			t.Errorf("Python chose the name %q", block.Name())
		}
		other := testkit.Must(p.AttachBlock(block.Name()))(t)
		testkit.Check(t, block.Write(4998, []byte("\x01\xff")))
		testkit.WantEqual(t, "Size", testkit.Must(other.Size())(t), 5000)
		testkit.WantEqual(t, "Read", testkit.Must(other.Read(4997, 3))(t), []byte("\x00\x01\xff"))
		testkit.WantEqual(t, "Bytes", testkit.Must(other.Bytes())(t), append(make([]byte, 4998), 1, 255))
		testkit.WantPythonError(t, block.Write(4999, []byte("ab")), "ValueError", "")
		for _, err := range []error{
			block.Write(-2, []byte("a")), second(block.Read(-2, 1)), second(block.Read(0, -1)),
		} {
			if err == nil || !strings.Contains(err.Error(), "negative") {
				t.Errorf("a negative argument: %v", err)
			}
		}
		testkit.Check(t, other.Close())
		testkit.Check(t, block.Close())
		testkit.Check(t, block.Unlink())
		testkit.Check(t, p.Close())
		// A second registration of a name by the same process does not count.
		testkit.WantEqual(t, "standard error", p.Stderr(), "")
	})
}

func TestEvalAndExec(t *testing.T) {
	t.Parallel()
	compat.ForEach(t, func(t *testing.T, py compat.Interpreter) {
		t.Parallel()
		p := testkit.StartPeer(t, py)
		testkit.Check(t, p.Exec("def double(x):\n    return 2 * x\nm = SharedMemory(create=True, size=8)\nsl = ShareableList([1])"))
		testkit.WantEqual(t, "Eval", testkit.Must(p.Eval("(double(2**63), [double('a')], None)"))(t),
			any([]any{new(big.Int).Lsh(big.NewInt(1), 64), []any{"aa"}, nil}))
		testkit.WantEqual(t, "the block's size", testkit.Must(testkit.Must(p.Block("m"))(t).Size())(t), 8)
		testkit.WantEqual(t, "the list's length", testkit.Must(testkit.Must(p.List("sl"))(t).Len())(t), 1)
		_, err := p.Block("missing")
		testkit.WantPythonError(t, err, "KeyError", "missing")
		_, err = p.Eval("object()")
		testkit.WantPythonError(t, err, "TypeError", "Go has no type for object")
		_, err = p.Eval("1 +")
		testkit.WantPythonError(t, err, "SyntaxError", "")
		_, err = p.Eval(`'\ud800'`)
		if err == nil || !strings.Contains(err.Error(), "surrogate") {
			t.Errorf("Eval of a lone surrogate: %v", err)
		}
		testkit.Check(t, p.Exec("m.unlink(); sl.shm.unlink()"))
	})
}

// TestLongInts has more than the 4300 digits that Python converts by default.
func TestLongInts(t *testing.T) {
	t.Parallel()
	compat.ForEach(t, func(t *testing.T, py compat.Interpreter) {
		t.Parallel()
		p := testkit.StartPeer(t, py)
		long := new(big.Int).Lsh(big.NewInt(1), 20_000)
		testkit.WantEqual(t, "2**20000", testkit.Must(p.Eval("2**20_000"))(t), any(long))
		list := testkit.Must(p.CreateList("", []any{1}))(t)
		defer list.Unlink()
		testkit.WantEqual(t, "Count", testkit.Must(list.Count(long))(t), 0)
	})
}

// TestVariablesOfTheirOwn: the variables of lists and blocks replace no variable of a
// test.
func TestVariablesOfTheirOwn(t *testing.T) {
	t.Parallel()
	p := testkit.StartPeer(t, testkit.Python(t))
	testkit.Check(t, p.Exec("list1 = block2 = 'kept'"))
	list := testkit.Must(p.CreateList("", []any{"list"}))(t)
	block := testkit.Must(p.CreateBlock("", 8))(t)
	defer list.Unlink()
	defer block.Unlink()
	testkit.WantEqual(t, "the variables", testkit.Must(p.Eval("list1, block2"))(t), any([]any{"kept", "kept"}))
}

// TestOddExceptions: even an odd exception comes back, and the peer goes on.
func TestOddExceptions(t *testing.T) {
	t.Parallel()
	compat.ForEach(t, func(t *testing.T, py compat.Interpreter) {
		t.Parallel()
		p := testkit.StartPeer(t, py)
		testkit.WantPythonError(t, p.Exec("class Mute(Exception):\n    def __str__(self): return 1 / 0\nraise Mute"),
			"Mute", "<unprintable>")
		testkit.WantPythonError(t, p.Exec(`raise ValueError('a\ud800')`), "ValueError", `a\ud800`)
		// The older traceback modules fail to make a traceback of this one.
		var raised *compat.PythonError
		err := p.Exec("class Homeless(Exception): __module__ = None\nraise Homeless('text')")
		if !errors.As(err, &raised) || raised.Type != "None.Homeless" || raised.Message != "text" {
			t.Errorf("an exception without a module: %v", err)
		}
	})
}

func TestDo(t *testing.T) {
	t.Parallel()
	p := testkit.StartPeer(t, testkit.Python(t))
	list := testkit.Must(p.CreateList("", []any{strings.Repeat("x", 1000), 0}))(t)
	defer list.Unlink()
	// Much more than a pipe holds, in both directions.
	var requests []compat.Request
	for i := range 1000 {
		requests = append(requests,
			compat.Request{On: list.Var(), Op: "set", Args: []any{1, i}},
			compat.Request{On: list.Var(), Op: "get", Args: []any{2}},
			compat.Request{On: list.Var(), Op: "get", Args: []any{1}},
			compat.Request{On: list.Var(), Op: "get", Args: []any{0}},
		)
	}
	replies := testkit.Must(p.Do(requests))(t)
	for i := range 1000 {
		r := replies[4*i:]
		testkit.Check(t, r[0].Err)
		testkit.WantPythonError(t, r[1].Err, "IndexError", "")
		testkit.WantEqual(t, "get 1", r[2].Value, any(int64(i)))
		testkit.WantEqual(t, "get 0", r[3].Value, any(strings.Repeat("x", 1000)))
	}
	replies = testkit.Must(p.Do([]compat.Request{{Op: "jump"}, {On: list.Var(), Op: "get"}}))(t)
	testkit.WantPythonError(t, replies[0].Err, "KeyError", "jump")
	testkit.WantPythonError(t, replies[1].Err, "TypeError", "")
	if _, err := p.Do([]compat.Request{{On: list.Var(), Op: "set", Args: []any{0, "\xff"}}}); err == nil {
		t.Error("a value that cannot be sent gives no error")
	}
	testkit.WantEqual(t, "no replies", len(testkit.Must(p.Do(nil))(t)), 0)
}

func TestRequestsOfConcurrentCallers(t *testing.T) {
	t.Parallel()
	p := testkit.StartPeer(t, testkit.Python(t))
	values := []any{int64(0), int64(1), int64(2), int64(3)}
	list := testkit.Must(p.CreateList("", values))(t)
	defer list.Unlink()
	var wg sync.WaitGroup
	for i := range values {
		wg.Go(func() {
			for range 50 {
				if got, err := list.Get(i); got != values[i] || err != nil {
					t.Errorf("Get(%d) = %v, %v", i, got, err)
				}
			}
		})
	}
	wg.Wait()
}

func TestStderrIsCaptured(t *testing.T) {
	testkit.NeedLinux(t)
	t.Parallel()
	p := testkit.StartPeer(t, testkit.Python(t))
	testkit.Check(t, p.Exec("print('to stdout'); sys.stderr.write('to stderr\\n')"))
	testkit.Check(t, p.Close())
	for _, want := range []string{"to stdout\n", "to stderr\n"} {
		if !strings.Contains(p.Stderr(), want) {
			t.Errorf("%q is not in %q", want, p.Stderr())
		}
	}
}

// TestOutputSurvivesSIGKILL: no line waits in a buffer of the process.
func TestOutputSurvivesSIGKILL(t *testing.T) {
	testkit.NeedLinux(t)
	t.Parallel()
	compat.ForEach(t, func(t *testing.T, py compat.Interpreter) {
		t.Parallel()
		p := testkit.StartPeer(t, py, compat.Env("PYTHONUNBUFFERED=")) // empty counts as not set
		worker := testkit.Must(p.StartWorker("spawn"))(t)
		testkit.Check(t, worker.Exec("print('from the worker')"))
		testkit.Must(worker.Exit(compat.ExitSIGKILL))(t)
		testkit.Check(t, p.Exec("print('from the peer')"))
		testkit.Must(p.Exit(compat.ExitSIGKILL))(t)
		testkit.WantEqual(t, "output", p.Stderr(), "from the worker\nfrom the peer\n")
	})
}

// TestPeerClosesWhatItOpened: warnings about the peer itself would hide warnings about
// the code that a test examines.
func TestPeerClosesWhatItOpened(t *testing.T) {
	testkit.NeedLinux(t)
	t.Parallel()
	compat.ForEach(t, func(t *testing.T, py compat.Interpreter) {
		t.Parallel()
		p := testkit.StartPeer(t, py, compat.Env("PYTHONDEVMODE=1", "PYTHONWARNINGS=error"))
		testkit.Check(t, testkit.Must(p.StartWorker("fork"))(t).Close())
		testkit.Check(t, testkit.Must(p.StartWorker("spawn"))(t).Close())
		testkit.Check(t, p.Close())
		testkit.WantEqual(t, "standard error", p.Stderr(), "")
	})
}

func TestOptions(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	testkit.Check(t, os.WriteFile(filepath.Join(dir, "beside.py"), []byte("answer = 42\n"), 0o644))
	p := testkit.StartPeer(t, testkit.Python(t),
		compat.Env("PYSHM_TEST=a", "PYTHONDONTWRITEBYTECODE=1"), compat.Env("PYSHM_TEST=b"), compat.Dir(dir),
		compat.Command(func(cmd *exec.Cmd) { cmd.Args = append([]string{cmd.Args[0], "-O"}, cmd.Args[1:]...) }))
	testkit.Check(t, p.Exec("import beside"))
	testkit.WantEqual(t, "what the options did",
		testkit.Must(p.Eval("os.environ['PYSHM_TEST'], beside.answer, __debug__, len(os.environ) > 2"))(t),
		any([]any{"b", int64(42), false, true}))
}

// TestCommandMayReplaceSysProcAttr: the peer has a process group of its own all the
// same. Otherwise ExitKillGroup would end this test.
func TestCommandMayReplaceSysProcAttr(t *testing.T) {
	testkit.NeedLinux(t)
	t.Parallel()
	p := testkit.StartPeer(t, testkit.Python(t), compat.Command(func(cmd *exec.Cmd) {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}))
	testkit.WantEqual(t, "process group", testkit.Must(p.Eval("os.getpgid(0)"))(t), any(int64(p.Pid())))
}

func TestStartFails(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, path := range []string{
		filepath.Join(dir, "missing"),
		command(t, filepath.Join(dir, "ends"), "echo cannot start >&2; exit 7"),
		command(t, filepath.Join(dir, "prints"), "echo '{}' >&4; cat >/dev/null"),
	} {
		py := testkit.Python(t)
		py.Path = path
		if p, err := py.Start(t.Context()); err == nil {
			t.Errorf("%s: no error", path)
			p.Close()
		} else if !strings.Contains(err.Error(), "start") || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v", path, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if p, err := testkit.Python(t).Start(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Start with a cancelled context: %v, %v", p, err)
	}
}

// TestStuckPythonIsKilled: neither a request nor Close waits for a stuck Python.
func TestStuckPythonIsKilled(t *testing.T) {
	t.Parallel()
	p := testkit.Must(testkit.Python(t).Start(t.Context(), compat.Timeout(4*time.Second)))(t)
	name := testkit.Name(t)
	testkit.Must(p.CreateList(name, []any{1}))(t)
	began := time.Now()
	for _, statements := range []string{"import time; time.sleep(60)", "pass"} {
		if err := p.Exec(statements); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%s: %v", statements, err)
		}
	}
	testkit.Check(t, p.Close())
	if took := time.Since(began); took > 20*time.Second {
		t.Errorf("it took %v", took)
	}
	// Its resource tracker was left to do its work.
	testkit.WantEqual(t, "names", testkit.NamesWith(name), []string(nil))
}

// TestStuckWorkerIsKilled: a stuck worker is killed although its parent has ended
// already. Close waits for the worker once, and not once more after killing a process
// that has ended.
func TestStuckWorkerIsKilled(t *testing.T) {
	testkit.NeedLinux(t)
	t.Parallel()
	p := testkit.Must(testkit.Python(t).Start(t.Context(), compat.Timeout(4*time.Second)))(t)
	worker := testkit.Must(p.StartWorker("fork"))(t)
	if err := worker.Exec("import time; time.sleep(60)"); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("a request that takes too long: %v", err)
	}
	began := time.Now()
	if err := p.Close(); err == nil || !strings.Contains(err.Error(), "was killed") {
		t.Errorf("Close: %v", err)
	}
	if took := time.Since(began); took > 25*time.Second {
		t.Errorf("Close took %v", took)
	}
	testkit.WaitForEnd(t, worker.Pid())
}

func TestContextLimitsRequests(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	idle, busy := testkit.Must(testkit.Python(t).Start(ctx))(t), testkit.Must(testkit.Python(t).Start(ctx))(t)
	time.AfterFunc(50*time.Millisecond, cancel)
	if err := busy.Exec("import time; time.sleep(60)"); !errors.Is(err, context.Canceled) {
		t.Errorf("a request during which the context is cancelled: %v", err)
	}
	if err := idle.Exec("pass"); !errors.Is(err, context.Canceled) {
		t.Errorf("a request after it: %v", err)
	}
	testkit.Check(t, busy.Close())
	testkit.Check(t, idle.Close())
}

func TestAfterClose(t *testing.T) {
	t.Parallel()
	p := testkit.StartPeer(t, testkit.Python(t))
	testkit.Check(t, p.Close())
	testkit.Check(t, p.Close())
	if err := p.Exec("pass"); !errors.Is(err, os.ErrClosed) {
		t.Errorf("a request after Close: %v", err)
	}
}

func BenchmarkDo(b *testing.B) {
	found, err := compat.Find(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	for _, py := range found {
		b.Run(py.String(), func(b *testing.B) {
			p := start(b, py)
			list := testkit.Must(p.CreateList("", []any{1, "abc", 2.5}))(b)
			defer list.Unlink()
			const batch = 10_000
			var requests []compat.Request
			for i := range batch {
				requests = append(requests, compat.Request{On: list.Var(), Op: "get", Args: []any{i % 3}})
			}
			for b.Loop() {
				testkit.Must(p.Do(requests))(b)
			}
			b.ReportMetric(batch*float64(b.N)/b.Elapsed().Seconds(), "requests/s")
		})
	}
}
