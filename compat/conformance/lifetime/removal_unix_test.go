//go:build unix

package lifetime

import (
	"syscall"
	"testing"
	"time"

	"github.com/pyshm-go/pyshm/compat"
	"github.com/pyshm-go/pyshm/internal/testkit"
)

// A segment to which a worker process has attached goes with the worker if the worker was
// forked before its parent had a resource tracker, and otherwise with the parent.
func TestWorkersRemoveWhatTheyAttachedTo(t *testing.T) {
	t.Parallel()
	compat.ForEach(t, func(t *testing.T, py compat.Interpreter) {
		t.Parallel()
		p := start(t, py)
		attachAndExit := func(method string, how compat.Exit) (name string) {
			worker := must(p.StartWorker(method))(t)
			name = testkit.Foreign(t)
			must(worker.AttachBlock(name))(t)
			must(worker.Exit(how))(t)
			return name
		}
		for _, how := range []compat.Exit{compat.ExitNormal, compat.ExitSIGKILL} {
			name := attachAndExit("fork", how)
			testkit.Eventually(t, "the first worker's tracker has ended after "+string(how), func() bool { return !exists(name) })
		}
		var later []string
		for _, method := range []string{"spawn", "forkserver", "fork"} { // spawn starts the tracker
			later = append(later, attachAndExit(method, compat.ExitSIGKILL))
		}
		time.Sleep(100 * time.Millisecond)
		for _, name := range later {
			wantEqual(t, "it is there when the worker has ended", exists(name), true)
		}
		must(p.Exit(compat.ExitNormal))(t)
		for _, name := range later {
			wantEqual(t, "it is there when the parent has ended", exists(name), false)
		}
	})
}

// A segment that Python makes through a manager that it has started itself goes when that
// Python ends in order. Otherwise the manager's process goes on, and the segment stays
// until the manager has ended, too. Then the resource tracker removes it, unless the
// tracker was killed.
func TestPythonEndsWithItsManager(t *testing.T) {
	t.Parallel()
	compat.ForEach(t, func(t *testing.T, py compat.Interpreter) {
		t.Parallel()
		for _, how := range testkit.Share(t, py, []compat.Exit{compat.ExitNormal, compat.ExitException, compat.ExitKillGroup,
			compat.ExitImmediate, compat.ExitSIGTERM, compat.ExitSIGKILL}) {
			t.Run(string(how), func(t *testing.T) {
				t.Parallel()
				p := start(t, py)
				connectTo(t, p, "None", authkey)
				check(t, p.Exec("manager.start(); block = manager.SharedMemory(64)"))
				name := must(p.Eval("block.name"))(t).(string)
				testkit.RemoveAfter(t, name)
				server := int(must(p.Eval("manager._process.pid"))(t).(int64))
				switch how {
				case compat.ExitNormal, compat.ExitException, compat.ExitKillGroup:
					must(p.Exit(how))(t)
					wantEqual(t, "it is there", exists(name), how == compat.ExitKillGroup)
					return
				}
				ended := make(chan error, 1)
				go func() { _, err := p.Exit(how); ended <- err }() // waits for the server, too
				testkit.Eventually(t, "Python has ended", func() bool { return state(p.Pid()) == "" || state(p.Pid()) == "Z" })
				time.Sleep(100 * time.Millisecond)
				wantEqual(t, "it is there while there is a server", exists(name), true)
				check(t, syscall.Kill(server, syscall.SIGKILL))
				check(t, <-ended)
				wantEqual(t, "it is there when all have ended", exists(name), false)
			})
		}
	})
}
