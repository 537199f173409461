//go:build unix

package lifetime

import (
	"fmt"
	"syscall"
	"testing"

	"github.com/pyshm-go/pyshm/compat"
	"github.com/pyshm-go/pyshm/internal/testkit"
	"github.com/pyshm-go/pyshm/pyshm"
)

// replace puts a list of Go's under a name that another segment has.
func replace(t *testing.T, py compat.Interpreter, name string) *pyshm.ShareableList {
	t.Helper()
	list := must(pyshm.CreateList(name, []any{"successor"}, pyshm.Replace(), pyshm.Layout(py.Layout())))(t)
	t.Cleanup(func() { check(t, list.Close()) })
	testkit.RemoveAfter(t, name)
	return list
}

func wantCurrent(t *testing.T, what string, list *pyshm.ShareableList, want bool) {
	t.Helper()
	attached, err := pyshm.AttachList(list.Name())
	if err == nil {
		var item any
		item, err = attached.Get(0)
		check(t, attached.Close())
		wantEqual(t, what+": its item", item, any("successor"))
	}
	wantEqual(t, what+" is there", err == nil, want)
}

// TestReplacedByGo ends Pythons in every way after Go has put other segments under the
// names of segments that they have made and attached to. Without protection, Python
// removes the other segments, as documented at Replace.
func TestReplacedByGo(t *testing.T) {
	t.Parallel()
	compat.ForEach(t, func(t *testing.T, py compat.Interpreter) {
		t.Parallel()
		for _, how := range testkit.Share(t, py, compat.Exits()) {
			for _, protected := range []bool{true, false} {
				if !protected && how != compat.ExitNormal && how != compat.ExitSIGKILL {
					continue
				}
				t.Run(fmt.Sprintf("%s/protected=%v", how, protected), func(t *testing.T) {
					t.Parallel()
					var options []compat.PeerOption
					if protected {
						options = append(options, workerEnv(t))
					}
					p := start(t, py, options...)
					made, attached := testkit.Name(t), goList(t, py.Layout()).Name()
					testkit.RemoveAfter(t, made)
					check(t, p.Exec(fmt.Sprintf("made = ShareableList([1], name=%q); items = ShareableList(name=%q)", made, attached)))
					successors := map[string]*pyshm.ShareableList{
						"what has the name that Python made":        replace(t, py, made),
						"what has the name that Python attached to": replace(t, py, attached),
					}
					must(p.Exit(how))(t)
					for what, list := range successors {
						wantCurrent(t, what, list, protected)
					}
					if !protected {
						return
					}
					registered := 1
					if how == compat.ExitKillGroup {
						registered = 0
					}
					testkit.WantLeaks(t, p, registered)
				})
			}
		}
	})
}

// TestReplacedBeforeTheTrackerKnows replaces a segment that Python has made while
// Python's tracker cannot yet have read about it.
func TestReplacedBeforeTheTrackerKnows(t *testing.T) {
	t.Parallel()
	compat.ForEach(t, func(t *testing.T, py compat.Interpreter) {
		t.Parallel()
		p := start(t, py, workerEnv(t))
		check(t, p.Exec("resource_tracker.ensure_running()"))
		tracker := int(trackerOf(t, p).(int64))
		check(t, syscall.Kill(tracker, syscall.SIGSTOP))
		names := []string{testkit.Name(t), testkit.Name(t)}
		for _, name := range names {
			testkit.RemoveAfter(t, name)
		}
		check(t, p.Exec(fmt.Sprintf("made, kept = (ShareableList([1], name=name) for name in (%q, %q))", names[0], names[1])))
		successor := replace(t, py, names[0])
		check(t, syscall.Kill(tracker, syscall.SIGCONT))
		check(t, p.Close())
		wantCurrent(t, "the successor", successor, true)
		wantEqual(t, "what has kept its name is there", exists(names[1]), false)
		testkit.WantLeaks(t, p, 2)
	})
}

// TestMadeAgain: Python makes a segment under a name that it has made before.
func TestMadeAgain(t *testing.T) {
	t.Parallel()
	compat.ForEach(t, func(t *testing.T, py compat.Interpreter) {
		t.Parallel()
		p := start(t, py, workerEnv(t))
		lost, unlinked := testkit.Name(t), testkit.Name(t)
		testkit.RemoveAfter(t, lost)
		testkit.RemoveAfter(t, unlinked)
		make := func(name string) { check(t, p.Exec(fmt.Sprintf("made = ShareableList([1], name=%q)", name))) }
		make(lost)
		check(t, pyshm.Unlink(lost))
		make(lost)
		make(unlinked)
		check(t, p.Exec("made.shm.unlink()"))
		make(unlinked)
		check(t, p.Close())
		wantEqual(t, "the second, after Go has removed the first", exists(lost), false)
		wantEqual(t, "the second, after Python has removed the first", exists(unlinked), false)
		testkit.WantLeaks(t, p, 2)
	})
}

// TestUnlinkAfterReplace: unlink refuses a name that has passed to another segment, as
// Go's does, before and after close.
func TestUnlinkAfterReplace(t *testing.T) {
	t.Parallel()
	forProtections(t, func(t *testing.T, py compat.Interpreter, way protection) {
		p := start(t, py, way.option(t))
		name := goList(t, py.Layout()).Name()
		way.attachIn(t, p, name)
		successor := replace(t, py, name)
		wantPythonError(t, p.Exec("items.shm.unlink()"), "FileNotFoundError", "passed to another segment")
		check(t, p.Exec("items.shm.close()"))
		wantPythonError(t, p.Exec("items.shm.unlink()"), "FileNotFoundError", "passed to another segment")
		check(t, successor.Unlink())
		wantPythonError(t, p.Exec("items.shm.unlink()"), "FileNotFoundError", "")

		if way.name == "WorkerEnv" {
			check(t, p.Exec(fmt.Sprintf("made = SharedMemory(%q, create=True, size=8)", name)))
			replace(t, py, name)
			wantPythonError(t, p.Exec("made.unlink()"), "FileNotFoundError", "passed to another segment")
			wantEqual(t, "the successor is there", exists(name), true)
		}
		check(t, p.Close())
		wantEqual(t, "the successor is there at the end", exists(name), way.name == "WorkerEnv")
	})
}

// TestReplacedUnderPythonsManager: a manager of Python's that was asked to track a name
// leaves its successor alone, when it is asked to release it and at its end.
func TestReplacedUnderPythonsManager(t *testing.T) {
	t.Parallel()
	compat.ForEach(t, func(t *testing.T, py compat.Interpreter) {
		t.Parallel()
		p := start(t, py, workerEnv(t))
		connectTo(t, p, "None", authkey)
		check(t, p.Exec(`
manager.start()
def request(method, name):
    connection = manager._Client(manager.address, authkey=manager._authkey)
    try:
        dispatch(connection, None, method, (name,))
    finally:
        connection.close()
`))
		request := func(method, name string) { check(t, p.Exec(fmt.Sprintf("request(%q, %q)", method, name))) }
		names := map[string]string{}
		for _, what := range []string{"released", "replaced and released", "kept", "replaced"} {
			names[what] = goList(t, py.Layout()).Name()
			request("track_segment", names[what])
		}
		successors := []*pyshm.ShareableList{replace(t, py, names["replaced and released"]), replace(t, py, names["replaced"])}
		request("release_segment", names["released"])
		request("release_segment", names["replaced and released"])
		wantEqual(t, "what was released is there", exists(names["released"]), false)
		check(t, p.Exec("manager.shutdown()"))
		check(t, p.Close())
		wantEqual(t, "what has kept its name is there", exists(names["kept"]), false)
		for _, list := range successors {
			wantCurrent(t, "a successor", list, true)
		}
	})
}

// TestMixedTree: some of the processes that share a tracker run WorkerEnv's
// sitecustomize, and some do not. The segments that they create are removed, and nothing
// is printed that Python would not print.
func TestMixedTree(t *testing.T) {
	t.Parallel()
	site := siteDir(t)
	compat.ForEach(t, func(t *testing.T, py compat.Interpreter) {
		type tree struct{ name, ofParent, ofWorker string }
		for _, test := range testkit.Share(t, py, []tree{
			{"unmodified worker", site, ""},
			{"unmodified parent", "", site},
		}) {
			t.Run(test.name, func(t *testing.T) {
				t.Parallel()
				p := start(t, py, compat.Env("PYTHONPATH="+test.ofParent))
				check(t, p.Exec("resource_tracker.ensure_running()"))
				check(t, p.Exec(fmt.Sprintf("os.environ['PYTHONPATH'] = %q", test.ofWorker)))
				worker := must(p.StartWorker("spawn"))(t)
				modified := "hasattr(sys, '_pyshm_ran')"
				wantEqual(t, "the parent is modified", must(p.Eval(modified))(t), any(test.ofParent != ""))
				wantEqual(t, "the worker is modified", must(worker.Eval(modified))(t), any(test.ofWorker != ""))
				var created []string
				for _, process := range []*compat.Peer{p, worker} {
					name := testkit.Name(t)
					testkit.RemoveAfter(t, name)
					check(t, process.Exec(fmt.Sprintf("created = ShareableList([1], name=%q)", name)))
					check(t, process.Exec("unlinked = ShareableList([1]); unlinked.shm.unlink()"))
					created = append(created, name)
				}
				check(t, worker.Close())
				for _, name := range created {
					wantEqual(t, "it is there while there is the parent", exists(name), true)
				}
				check(t, p.Close())
				for _, name := range created {
					wantEqual(t, "it is there at the end", exists(name), false)
				}
				testkit.WantLeaks(t, p, 2)
			})
		}
	})
}
