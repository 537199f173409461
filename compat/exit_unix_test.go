//go:build unix

package compat_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/pyshm-go/pyshm/compat"
	"github.com/pyshm-go/pyshm/internal/testkit"
)

// exitCodes has the exit code of a process for each way of ending it.
var exitCodes = map[compat.Exit]int{
	compat.ExitNormal: 0, compat.ExitStatus3: 3, compat.ExitException: 1, compat.ExitImmediate: 0,
	compat.ExitSIGTERM: -15, compat.ExitSIGINT: -2, compat.ExitSIGABRT: -6, compat.ExitSIGKILL: -9, compat.ExitKillGroup: -9,
}

// workerExitCode is the same for a worker: multiprocessing catches the
// KeyboardInterrupt of SIGINT like every exception.
func workerExitCode(how compat.Exit) int {
	if how == compat.ExitSIGINT {
		return 1
	}
	return exitCodes[how]
}

// TestExit ends Pythons that have attached to a foreign segment in all the ways. When
// Exit returns, the resource tracker has unlinked the segment, unless the tracker was
// killed as well.
func TestExit(t *testing.T) {
	t.Parallel()
	compat.ForEach(t, func(t *testing.T, py compat.Interpreter) {
		t.Parallel()
		for _, how := range testkit.Share(t, py, compat.Exits()) {
			t.Run(string(how), func(t *testing.T) {
				t.Parallel()
				p := start(t, py)
				name := testkit.Foreign(t)
				block := must(p.AttachBlock(name))(t)
				if how == compat.ExitStatus3 {
					check(t, block.Close()) // makes no difference
				}
				wantEqual(t, "exit code", must(p.Exit(how))(t), exitCodes[how])
				wantEqual(t, "the name is still there", len(testkit.NamesWith(name)) > 0, how == compat.ExitKillGroup)
				for text, want := range map[string]bool{
					"1 leaked shared_memory object":    how != compat.ExitKillGroup,
					"RuntimeError: uncaught, as asked": how == compat.ExitException,
					"KeyboardInterrupt":                how == compat.ExitSIGINT,
				} {
					wantEqual(t, "standard error has "+text, strings.Contains(p.Stderr(), text), want)
				}
				if err := syscall.Kill(p.Pid(), 0); !errors.Is(err, syscall.ESRCH) {
					t.Errorf("process %d: %v", p.Pid(), err)
				}
				var exit *compat.ExitError
				if err := p.Exec("pass"); !errors.As(err, &exit) || exit.Code != exitCodes[how] {
					t.Errorf("a request afterwards: %v", err)
				}
			})
		}
	})
}

func TestExitInAnUnknownWay(t *testing.T) {
	t.Parallel()
	if code, err := start(t, testkit.Python(t)).Exit("explode"); err == nil {
		t.Errorf("exit code %d and no error", code)
	}
}

// TestProcessDies reports a process that ends in the middle of a request.
func TestProcessDies(t *testing.T) {
	t.Parallel()
	compat.ForEach(t, func(t *testing.T, py compat.Interpreter) {
		t.Parallel()
		p := start(t, py)
		name := testkit.Foreign(t)
		block := must(p.AttachBlock(name))(t)
		check(t, os.Truncate("/dev/shm/"+name, 0))
		_, err := block.Read(0, 1)
		var exit *compat.ExitError
		if !errors.As(err, &exit) || exit.Code != -int(syscall.SIGBUS) {
			t.Errorf("reading a truncated segment: %v", err)
		}
	})
}

// TestProcessIsEnded: an exception outside of the class Exception ends the process.
func TestProcessIsEnded(t *testing.T) {
	t.Parallel()
	for statement, code := range map[string]int{
		"sys.exit(5)":             5,
		"raise KeyboardInterrupt": exitCodes[compat.ExitSIGINT],
		"import asyncio; raise asyncio.CancelledError": 1,
	} {
		var exit *compat.ExitError
		if err := start(t, testkit.Python(t)).Exec(statement); !errors.As(err, &exit) || exit.Code != code {
			t.Errorf("%s: %v", statement, err)
		}
	}
}

func TestWorkers(t *testing.T) {
	t.Parallel()
	compat.ForEach(t, func(t *testing.T, py compat.Interpreter) {
		t.Parallel()
		p := start(t, py)
		list := must(p.CreateList("", []any{0, 0, 0, 0}))(t)
		for i, method := range testkit.StartMethods {
			worker := must(p.StartWorker(method))(t)
			inWorker := must(worker.AttachList(list.Name()))(t)
			check(t, inWorker.Set(i, i+1))
			wantEqual(t, "its process and parent",
				must(worker.Eval("os.getpid(), multiprocessing.parent_process().pid"))(t),
				any([]any{int64(worker.Pid()), int64(p.Pid())}))
			_, err := worker.AttachList(list.Name() + "_missing")
			wantPythonError(t, err, "FileNotFoundError", "")

			grandchild := must(worker.StartWorker("fork"))(t)
			last := must(must(grandchild.AttachList(list.Name()))(t).Get(i))(t)
			wantEqual(t, "what a worker's worker reads", last, any(int64(i+1)))
			check(t, grandchild.Close())
			check(t, worker.Close())
			check(t, worker.Close())
		}
		wantEqual(t, "Values", must(list.Values())(t), []any{int64(1), int64(2), int64(3), int64(0)})
		check(t, list.Close())
		check(t, list.Unlink())
		check(t, p.Close())
		wantEqual(t, "standard error", p.Stderr(), "")
		if _, err := p.StartWorker("fork"); !errors.Is(err, os.ErrClosed) {
			t.Errorf("StartWorker after Close: %v", err)
		}
	})
}

func TestWorkerExit(t *testing.T) {
	t.Parallel()
	compat.ForEach(t, func(t *testing.T, py compat.Interpreter) {
		t.Parallel()
		p := start(t, py)
		for _, how := range compat.Exits() { // the last way kills the parent, too
			worker := must(p.StartWorker("fork"))(t)
			wantEqual(t, "exit code after "+string(how), must(worker.Exit(how))(t), workerExitCode(how))
			var exit *compat.ExitError
			if err := worker.Exec("pass"); !errors.As(err, &exit) || exit.Code != workerExitCode(how) {
				t.Errorf("a request after %s: %v", how, err)
			}
		}
	})
}

// TestWorkersEndWithTheirParent: workers end in every way in which their parent ends.
func TestWorkersEndWithTheirParent(t *testing.T) {
	t.Parallel()
	ways := []compat.Exit{compat.ExitSIGKILL, compat.ExitNormal, compat.ExitException}
	compat.ForEach(t, func(t *testing.T, py compat.Interpreter) {
		t.Parallel()
		p := start(t, py)
		how := ways[py.Version[1]%len(ways)] // several interpreters try all the ways
		var pids []int
		for _, method := range append(testkit.StartMethods, "fork") {
			worker := must(p.StartWorker(method))(t)
			pids = append(pids, worker.Pid(), must(worker.StartWorker("fork"))(t).Pid())
		}
		wantEqual(t, "exit code after "+string(how), must(p.Exit(how))(t), exitCodes[how])
		for _, pid := range pids {
			testkit.WaitForEnd(t, pid)
		}
	})
}

// TestKilledTestLeavesNoPython kills a test process whose peer is busy, so that the
// peer does not notice that a pipe closes. A busy worker finishes its request.
func TestKilledTestLeavesNoPython(t *testing.T) {
	t.Parallel()
	for busy, statements := range map[string]string{
		"peer":   "import time; time.sleep(60)",
		"worker": "import time; time.sleep(1)",
	} {
		t.Run(busy, func(t *testing.T) {
			cmd := testkit.Command(t, "busy", busy, statements)
			cmd.Stderr = os.Stderr
			stdout := must(cmd.StdoutPipe())(t)
			check(t, cmd.Start())
			var peer, worker int
			must(fmt.Fscan(stdout, &peer, &worker))(t)
			check(t, cmd.Process.Kill())
			cmd.Wait()
			testkit.WaitForEnd(t, peer)
			testkit.WaitForEnd(t, worker)
		})
	}
}

func init() {
	testkit.Roles["busy"] = func(args []string, _ <-chan string) error { return keepBusy(args[0], args[1]) }
}

// keepBusy prints the process IDs of a peer and its worker, and has one of the two
// execute statements.
func keepBusy(who, statements string) error {
	py, err := compat.First(context.Background())
	if err != nil {
		return err
	}
	p, err := py.Start(context.Background())
	if err != nil {
		return err
	}
	worker, err := p.StartWorker("forkserver")
	if err != nil {
		return err
	}
	fmt.Println(p.Pid(), worker.Pid())
	if who == "worker" {
		p = worker
	}
	return p.Exec(statements)
}
