package worker

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/pyshm-go/pyshm/format/pickle"
	"github.com/pyshm-go/pyshm/internal/soak"
	"github.com/pyshm-go/pyshm/internal/testkit"
)

// TestWorkersKilled kills workers under load. Each call returns its result or a CrashError, calls
// that may be repeated always their result, and the pool is soon at full strength again.
func TestWorkersKilled(t *testing.T) {
	const workers = 2
	kills := soak.Length(16, 1000)
	random := soak.Rand(soak.Seed(t), 1)
	p := startPool(t, testkit.Python(t), Options{Workers: workers})
	ctx, cancel := context.WithCancel(t.Context())
	var callers sync.WaitGroup
	var tally soak.Tally
	for n := range 6 {
		callers.Go(func() {
			for ctx.Err() == nil {
				callUnderFire(t, p, &tally, n)
			}
		})
	}
	var slowest time.Duration
	for range kills {
		time.Sleep(time.Duration(random.IntN(30)) * time.Millisecond)
		restarts := p.Stats().Restarts
		<-killOne(p, random.IntN(workers)).gone
		began := time.Now()
		testkit.Eventually(t, "all workers are up", func() bool { return p.Stats().Workers == workers && p.Stats().Restarts > restarts })
		slowest = max(slowest, time.Since(began))
	}
	cancel()
	callers.Wait()
	t.Logf("%v; full strength after %v at most; %+v", &tally, slowest, p.Stats())
	if got := p.Stats().Restarts; got < uint64(kills) {
		t.Errorf("%d restarts after %d kills", got, kills)
	}
}

// callUnderFire makes a call whose worker may be killed.
func callUnderFire(t *testing.T, p *Pool, tally *soak.Tally, n int) {
	ctx := t.Context()
	if n%2 == 0 {
		ctx = WithRetry(ctx, 1000)
	}
	v, err := p.Call(ctx, "dawdle", float64(n)/1000, n)
	var crash *CrashError
	switch {
	case err == nil && v == any(int64(n)):
		tally.Add("results", 1)
	case errors.As(err, &crash) && n%2 != 0:
		tally.Add("crashes", 1)
	default:
		t.Errorf("call %d returned %v, %v", n, v, err)
	}
}

// killOne kills the n-th of the workers, which all have to be up.
func killOne(p *Pool, n int) *worker {
	p.mu.Lock()
	defer p.mu.Unlock()
	for w := range p.workers {
		if n--; n < 0 {
			w.proc.kill()
			return w
		}
	}
	panic("a worker is not up")
}

// TestHangs: a call that its context gives up returns at once. Its worker may complete it
// within the grace. Otherwise it ends by SIGTERM or, if it ignores that, by SIGKILL.
func TestHangs(t *testing.T) {
	t.Parallel()
	p := startPool(t, testkit.Python(t), Options{Workers: 1, Grace: 500 * time.Millisecond})
	first := call(t, p, "pid")
	giveUp := func(seconds float64) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), moment)
		defer cancel()
		_, err := p.Call(ctx, "nap", seconds)
		wantReason(t, "a nap", err, context.DeadlineExceeded)
	}
	giveUp(0.2)
	wantEqual(t, "the worker after a nap", call(t, p, "pid"), first)
	giveUp(1000)
	second := call(t, p, "pid")
	wantEqual(t, "another worker", second != first, true)
	call(t, p, "ignore_sigterm")
	giveUp(1000)
	wantEqual(t, "another worker", call(t, p, "pid") != second, true)
	wantEqual(t, "expired", p.Stats().Expired, uint64(3))

	p.options.Deadline = moment
	_, err := p.Call(t.Context(), "nap", 1000)
	wantReason(t, "a nap", err, context.DeadlineExceeded)
}

// TestLimits: another worker takes the place of one that has served enough calls, or takes
// too much memory.
func TestLimits(t *testing.T) {
	t.Parallel()
	p := startPool(t, testkit.Python(t), Options{Workers: 1, MaxCalls: 2, MaxMemory: 200 << 20})
	first := call(t, p, "pid")
	wantEqual(t, "the second call", call(t, p, "pid"), first)
	second := call(t, p, "pid")
	wantEqual(t, "another worker", second != first, true)

	p.options.MaxCalls = 0
	wantEqual(t, "a call", call(t, p, "pid"), second)
	time.Sleep(weighInterval)
	call(t, p, "grow", 200)
	wantEqual(t, "another worker", call(t, p, "pid") != second, true)
}

// TestJunk: something else than a reply ends the worker, and the error says so.
func TestJunk(t *testing.T) {
	t.Parallel()
	p := startPool(t, testkit.Python(t), Options{Workers: 1, Grace: time.Millisecond})
	for _, junk := range [][]byte{
		nil,
		[]byte("junk"),
		must(pickle.Marshal(pickle.Tuple{"return", 99, nil}))(t),
		must(pickle.Marshal(pickle.Tuple{"raise", 2, nil}))(t),
		must(pickle.Marshal(pickle.Tuple{"call", 2, "add", pickle.Tuple{}}))(t),
	} {
		_, err := p.Call(t.Context(), "junk", junk)
		wantCrash(t, fmt.Sprintf("%q", junk), err)
		wantReason(t, fmt.Sprintf("%q", junk), err, errProtocol)
	}
	call(t, p, "pid")
}

// TestDown: while no worker can start, calls fail with the reason. When one can, they
// succeed.
func TestDown(t *testing.T) {
	t.Parallel()
	var broken atomic.Bool
	good := script(testkit.Python(t), "worker.py")
	p := startScript(t, func() *exec.Cmd {
		if broken.Load() {
			return exec.Command("sh", "-c", "echo no disk >&2; exit 9")
		}
		return good()
	}, Options{Workers: 1})
	broken.Store(true)
	<-killOne(p, 0).gone
	_, err := p.Call(t.Context(), "pid")
	var failed *StartError
	if !errors.As(err, &failed) || err.Error() != `worker: a worker cannot start: exit status 9; it wrote "no disk"` {
		t.Errorf("a call without workers: %v", err)
	}
	broken.Store(false)
	testkit.Eventually(t, "a call succeeds", func() bool {
		_, err := p.Call(t.Context(), "pid")
		return err == nil
	})
}

// TestClose: Close waits for the calls that were made, also the ones in the queue, and for
// no more than its context.
func TestClose(t *testing.T) {
	t.Parallel()
	py := testkit.Python(t)
	log := new(logged)
	p := must(Start(t.Context(), script(py, "worker.py"), Options{Workers: 1, Logger: log.logger()}))(t)
	child := call(t, p, "leave_child").(int64)
	var calls sync.WaitGroup
	for range 3 {
		calls.Go(func() { call(t, p, "nap", 0.3) })
	}
	testkit.Eventually(t, "the calls are made", func() bool { return p.Stats().Queued == 2 })
	calls.Go(func() { call(t, p, "say", "last") })
	testkit.Eventually(t, "the last call is made", func() bool { return p.Stats().Queued == 3 })
	closePool(t, p)
	calls.Wait()
	wantEqual(t, "what the last call printed", strings.Count(log.text.String(), "line=last"), 2) // on each of two
	_, err := p.Call(t.Context(), "pid")
	wantReason(t, "a call of a closed pool", err, fs.ErrClosed)
	closePool(t, p)
	testkit.WaitForEnd(t, int(child))

	p = must(Start(t.Context(), script(py, "worker.py"), Options{Workers: 1, Logger: quiet}))(t)
	for range 2 {
		calls.Go(func() {
			if _, err := p.Call(t.Context(), "nap", 1000); err == nil {
				t.Error("a nap of 1000 s has ended")
			}
		})
	}
	testkit.Eventually(t, "the calls are made", func() bool { return p.Stats().Queued == 1 })
	ctx, cancel := context.WithTimeout(t.Context(), moment)
	defer cancel()
	wantReason(t, "close", p.Close(ctx), context.DeadlineExceeded)
	calls.Wait()
}

func init() { testkit.Roles["service"] = service }

// service runs a pool, prints the processes of its workers, one of which is busy, and closes
// the pool when it gets a SIGINT.
func service(args []string, _ <-chan string) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	p, err := Start(context.Background(), func() *exec.Cmd {
		cmd := exec.Command(args[0], "testdata/worker.py")
		cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGCONT} // the connection has to do
		return cmd
	}, Options{Workers: 2, Logger: quiet})
	if err != nil {
		return err
	}
	p.mu.Lock()
	for w := range p.workers {
		fmt.Println(w.pid())
	}
	p.mu.Unlock()
	napped := make(chan error)
	go func() {
		_, err := p.Call(context.Background(), "nap", 0.2)
		napped <- err
	}()
	for p.Stats().Busy == 0 {
		time.Sleep(time.Millisecond)
	}
	fmt.Println("ready")
	<-ctx.Done()
	return errors.Join(p.Close(context.Background()), <-napped)
}

// TestServiceEnds: a killed service leaves no workers. A Ctrl-C at its terminal, which
// signals its process group, disturbs no call.
func TestServiceEnds(t *testing.T) {
	t.Parallel()
	for _, s := range []syscall.Signal{syscall.SIGKILL, syscall.SIGINT} {
		cmd := testkit.Command(t, "service", testkit.Python(t).Path)
		cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		cmd.Stderr = os.Stderr
		out := must(cmd.StdoutPipe())(t)
		check(t, cmd.Start())
		var pids []int
		for {
			var line string
			must(fmt.Fscanln(out, &line))(t)
			if line == "ready" {
				break
			}
			pids = append(pids, must(strconv.Atoi(strings.TrimSpace(line)))(t))
		}
		check(t, syscall.Kill(-cmd.Process.Pid, s))
		if err := cmd.Wait(); (err == nil) != (s == syscall.SIGINT) {
			t.Errorf("the service after %v: %v", s, err)
		}
		for _, pid := range pids {
			testkit.WaitForEnd(t, pid)
		}
	}
}
