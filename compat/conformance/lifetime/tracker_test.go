package lifetime

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/pyshm-go/pyshm/compat"
	"github.com/pyshm-go/pyshm/format"
	"github.com/pyshm-go/pyshm/internal/testkit"
	"github.com/pyshm-go/pyshm/pyshm"
)

// workerEnv starts a peer with pyshm.WorkerEnv. The peer keeps bytecode.
func workerEnv(t testing.TB) compat.PeerOption {
	return compat.Command(func(cmd *exec.Cmd) {
		cmd.Env = append(cmd.Environ(), "PYTHONDONTWRITEBYTECODE=")
		check(t, pyshm.WorkerEnv(cmd))
	})
}

// goList makes a list in Go, in the layout of an interpreter.
func goList(t *testing.T, layout format.Layout) *pyshm.ShareableList {
	t.Helper()
	list := must(pyshm.CreateList(testkit.Name(t), []any{1, "two"}, pyshm.Layout(layout)))(t)
	t.Cleanup(func() {
		check(t, list.Close())
		if err := pyshm.Unlink(list.Name()); err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Error(err)
		}
	})
	return list
}

// foreignFile makes a segment without a list.
func foreignFile(t *testing.T, size int64) (name string) {
	t.Helper()
	name = testkit.Foreign(t)
	check(t, os.Truncate("/dev/shm/"+name, size))
	return name
}

func exists(name string) bool { return len(testkit.NamesWith(name)) > 0 }

func wantThere(t *testing.T, segments map[string]string) {
	t.Helper()
	for what, name := range segments {
		if !exists(name) {
			t.Errorf("%s is gone", what)
		}
	}
}

// TestWorkerEnv ends unmodified Pythons in every way. The segments to which they have
// attached are still there. The segments that they have created are not.
func TestWorkerEnv(t *testing.T) {
	t.Parallel()
	compat.ForEach(t, func(t *testing.T, py compat.Interpreter) {
		t.Parallel()
		for _, how := range testkit.Share(t, py, compat.Exits()) {
			t.Run(string(how), func(t *testing.T) {
				t.Parallel()
				p := start(t, py, workerEnv(t))
				foreign := map[string]string{
					"a list":                goList(t, py.Layout()).Name(),
					"a closed block":        foreignFile(t, 64),
					"an unregistered block": foreignFile(t, 64),
					"a block too small":     foreignFile(t, 4),
					"a block too large":     foreignFile(t, 1<<62),
				}
				created := testkit.Name(t)
				testkit.RemoveAfter(t, created)
				check(t, p.Exec(fmt.Sprintf(`
items = ShareableList(name=%q)
again = SharedMemory(name=items.shm.name)
closed = SharedMemory(%q)
closed.close()
unregistered = SharedMemory(%q)
resource_tracker.unregister(unregistered._name, "shared_memory")
created = ShareableList([1, 2, 3], name=%q)
for name in %q, %q, "missing":
    try:
        ShareableList(name=name)
    except (struct.error, OSError):
        continue
    raise AssertionError(name)
`, foreign["a list"], foreign["a closed block"], foreign["an unregistered block"], created,
					foreign["a block too small"], foreign["a block too large"])))
				must(p.Exit(how))(t)
				wantThere(t, foreign)
				checkCreated(t, p, how, created, 1)
			})
		}
	})
}

// checkCreated: the tracker has removed the segment that the process created, and with it
// the other registered names, unless the tracker was killed.
func checkCreated(t *testing.T, p *compat.Peer, how compat.Exit, created string, registered int) {
	t.Helper()
	if how == compat.ExitKillGroup {
		registered = 0
	}
	wantEqual(t, "what Python created is there", exists(created), how == compat.ExitKillGroup)
	testkit.WantLeaks(t, p, registered)
}

// TestAttachHelper is the same for pyshm_attach and for aliases. A plain attach beside
// them shows that they are needed.
func TestAttachHelper(t *testing.T) {
	t.Parallel()
	compat.ForEach(t, func(t *testing.T, py compat.Interpreter) {
		t.Parallel()
		for _, how := range testkit.Share(t, py, compat.Exits()) {
			t.Run(string(how), func(t *testing.T) {
				t.Parallel()
				p := start(t, py, testkit.AttachHelper(t))
				list := goList(t, py.Layout())
				alias := must(list.SharedMemory().Alias())(t)
				plain, created := foreignFile(t, 64), testkit.Name(t)
				testkit.RemoveAfter(t, alias)
				testkit.RemoveAfter(t, created)
				foreign := map[string]string{
					"a list":            list.Name(),
					"a closed block":    foreignFile(t, 64),
					"a block too small": foreignFile(t, 4),
					"a block too large": foreignFile(t, 1<<62),
				}
				check(t, p.Exec(fmt.Sprintf(`
from pyshm_attach import attach_block, attach_list
items = attach_list(%[1]q)
slash = attach_block("/" + items.shm.name)
assert list(items) == [1, "two"] and bytes(slash.buf) == bytes(items.shm.buf)
closed = attach_block(%[2]q)
closed.close()
for attach, name, expected in (
    (attach_list, %[3]q, ValueError),
    (attach_list, %[4]q, OSError),
    (attach_block, %[4]q, OSError),
    (attach_block, "missing", FileNotFoundError),
):
    try:
        attach(name)
    except expected:
        continue
    raise AssertionError(name)
alias = ShareableList(name=%[5]q)
assert list(alias) == list(items)
plain = SharedMemory(%[6]q)
created = ShareableList([1, 2, 3], name=%[7]q)
`, foreign["a list"], foreign["a closed block"], foreign["a block too small"], foreign["a block too large"],
					alias, plain, created)))
				must(p.Exit(how))(t)
				wantThere(t, foreign)
				checkCreated(t, p, how, created, 3)
				wantEqual(t, "the alias is there", exists(alias), how == compat.ExitKillGroup)
				wantEqual(t, "what was plainly attached to is there", exists(plain), how == compat.ExitKillGroup)
			})
		}
	})
}

// TestAttachHelperRefuses lists that this Python would misread, and damage.
func TestAttachHelperRefuses(t *testing.T) {
	t.Parallel()
	compat.ForEach(t, func(t *testing.T, py compat.Interpreter) {
		t.Parallel()
		p := start(t, py, testkit.AttachHelper(t))
		check(t, p.Exec("from pyshm_attach import attach_block, attach_list"))
		other := format.Sizes + format.Offsets - py.Layout()
		for _, test := range []struct {
			what, name, message string
		}{
			{"the other layout", goList(t, other).Name(), "in the layout of Python"},
			{"a list whose count is not written", foreignFile(t, 80), "still being made"},
			{"a list whose table is not written", testkit.ForeignWords(t, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0), ""},
			{"a negative count", testkit.ForeignWords(t, -1, 0, 8, 0, 0, 0), "no list"},
			{"a count too large", testkit.ForeignWords(t, 1<<60, 8, 8, 8, 8, 8), "no list"},
			{"a table that runs backwards", testkit.ForeignWords(t, 2, 0, 16, 8, 0, 0, 0, 0, 0, 0), ""},
			{"a slot that ends behind the end", testkit.ForeignWords(t, 1, 0, 8000, 0, 0, 0), ""},
			{"a list whose formats are not written", unfinishedList(t, p), "still being made"},
			{"an empty list cut off", foreignFile(t, 9), "no list"},
			{"an empty list cut off at the end", foreignFile(t, 15), "no list"},
			{"less than a count", foreignFile(t, 7), "no list"},
			{"a name with two slashes", "//x", "cannot be the name"},
			{"an empty name", "/", "cannot be the name"},
		} {
			_, err := p.Eval(fmt.Sprintf("attach_list(%q)", test.name))
			wantPythonError(t, err, "ValueError", test.message)
			if t.Failed() {
				t.Fatal(test.what)
			}
		}
		for _, call := range []string{"attach_list(None)", "attach_list(5)", "attach_block(None)", "attach_block(b'x')"} {
			_, err := p.Eval(call)
			wantPythonError(t, err, "TypeError", "a name is a str, not ")
		}
		check(t, p.Close())
		wantEqual(t, "standard error", p.Stderr(), "")
	})
}

// unfinishedList returns the segment left by a ShareableList that cannot be made.
func unfinishedList(t *testing.T, p *compat.Peer) (name string) {
	t.Helper()
	name = testkit.Name(t)
	testkit.RemoveAfter(t, name)
	wantPythonError(t, p.Exec(fmt.Sprintf("ShareableList([1, 2**63], name=%q)", name)), "struct.error", "")
	check(t, p.Exec(fmt.Sprintf("resource_tracker.unregister('/%s', 'shared_memory')", name)))
	return name
}

// A protection is a way to keep a Python from registering segments to which it attaches.
type protection struct {
	name   string
	option func(t testing.TB) compat.PeerOption
	setup  string // executed in each process
	attach string // a Python expression that attaches to the list called %q
}

var protections = []protection{
	{"WorkerEnv", workerEnv, "", "ShareableList(name=%q)"},
	{"pyshm_attach", testkit.AttachHelper, "import pyshm_attach", "pyshm_attach.attach_list(%q)"},
}

// forProtections runs a test for each interpreter and each protection that it shares.
func forProtections(t *testing.T, test func(t *testing.T, py compat.Interpreter, way protection)) {
	compat.ForEach(t, func(t *testing.T, py compat.Interpreter) {
		t.Parallel()
		for _, way := range testkit.Share(t, py, protections) {
			t.Run(way.name, func(t *testing.T) {
				t.Parallel()
				test(t, py, way)
			})
		}
	})
}

// attachIn attaches a peer to a list, as the variable items.
func (way protection) attachIn(t *testing.T, p *compat.Peer, name string) {
	t.Helper()
	check(t, p.Exec(way.setup))
	check(t, p.Exec("items = "+fmt.Sprintf(way.attach, name)))
	wantEqual(t, "what the process reads", must(p.Eval("list(items)"))(t), any([]any{int64(1), "two"}))
}

// TestUnlinkOfAttached: a process can still unlink a segment to which it has attached,
// without any complaint.
func TestUnlinkOfAttached(t *testing.T) {
	t.Parallel()
	forProtections(t, func(t *testing.T, py compat.Interpreter, way protection) {
		p := start(t, py, way.option(t))
		name := goList(t, py.Layout()).Name()
		way.attachIn(t, p, name)
		check(t, p.Exec("items.shm.close(); items.shm.unlink()"))
		wantEqual(t, "the name is there", exists(name), false)
		wantPythonError(t, p.Exec("items.shm.unlink()"), "FileNotFoundError", "")

		// In the process that created it, too.
		check(t, p.Exec(fmt.Sprintf("created = ShareableList([1, 'two'], name=%q)", name)))
		way.attachIn(t, p, name)
		check(t, p.Exec("items.shm.unlink()"))
		wantEqual(t, "the name is there", exists(name), false)
		check(t, p.Close())
		wantEqual(t, "standard error", p.Stderr(), "")
	})
}

// TestUnlinkOfUntrackable removes segments with names that some or all trackers cannot
// hold. A tracker that holds such a name must forget it.
func TestUnlinkOfUntrackable(t *testing.T) {
	t.Parallel()
	compat.ForEach(t, func(t *testing.T, py compat.Interpreter) {
		t.Parallel()
		p := start(t, py, testkit.AttachHelper(t))
		check(t, p.Exec("from pyshm_attach import attach_block"))
		ordinary := testkit.Name(t)
		for _, suffix := range []string{"é", ":", ":shared_memory", "a:b", "\n", "é\n", strings.Repeat("x", 255-len(ordinary))} {
			name := ordinary + suffix
			testkit.RemoveAfter(t, name)
			check(t, os.WriteFile(testkit.Path(name), make([]byte, 8), 0o600))
			check(t, p.Exec(fmt.Sprintf("block = attach_block(%q); block.unlink(); block.close()", name)))
			wantEqual(t, "the name is there", exists(name), false)
			// The tracker has to forget a name that it holds in this version.
			if py.AtLeast(3, 15) && len(name) < 255 || py.Version[1] == 14 && suffix != "é" {
				check(t, p.Exec(fmt.Sprintf("made = SharedMemory(%q, create=True, size=8)", name)))
				check(t, p.Exec(fmt.Sprintf("block = attach_block(%q); block.unlink(); block.close(); made.close()", name)))
			}
		}
		check(t, p.Close())
		wantEqual(t, "standard error", p.Stderr(), "")
	})
}

// TestAttachInTree attaches in worker processes, which share the tracker of their
// parent or, if forked before it has one, start their own.
func TestAttachInTree(t *testing.T) {
	t.Parallel()
	forProtections(t, func(t *testing.T, py compat.Interpreter, way protection) {
		p := start(t, py, way.option(t))
		foreign := goList(t, py.Layout()).Name()
		for _, method := range testkit.Share(t, py, testkit.StartMethods) { // fork is the first
			early := must(p.StartWorker(method))(t)
			for _, how := range []compat.Exit{compat.ExitNormal, compat.ExitSIGKILL} {
				worker := must(p.StartWorker(method))(t)
				way.attachIn(t, worker, foreign)
				must(worker.Exit(how))(t)
				wantEqual(t, method+": the list is there after the worker's "+string(how), exists(foreign), true)
			}
			own := testkit.Name(t)
			testkit.RemoveAfter(t, own)
			check(t, p.Exec(fmt.Sprintf("own = ShareableList([1, 'two'], name=%q)", own)))
			way.attachIn(t, early, own)
			check(t, early.Close())
			wantEqual(t, method+": the parent's list is there after a worker's end", exists(own), true)

			late := must(p.StartWorker(method))(t)
			way.attachIn(t, late, own)
			check(t, late.Exec("items.shm.unlink()"))
			check(t, late.Close())
			wantEqual(t, method+": the parent's list is there after a worker's unlink", exists(own), false)
		}
		check(t, p.Close())
		wantEqual(t, "the list is there at the end", exists(foreign), true)
		wantEqual(t, "standard error", p.Stderr(), "")
	})
}

// TestSendAttached sends a list and a block to a worker, which attaches to them on
// arrival.
func TestSendAttached(t *testing.T) {
	t.Parallel()
	forProtections(t, func(t *testing.T, py compat.Interpreter, way protection) {
		p := start(t, py, way.option(t))
		name := goList(t, py.Layout()).Name()
		way.attachIn(t, p, name)
		worker := must(p.StartWorker("spawn"))(t)
		for object, itsName := range map[string]string{"items": "received.shm.name", "items.shm": "received.name"} {
			pickled := must(p.Eval("__import__('pickle').dumps(" + object + ")"))(t)
			check(t, worker.Exec(fmt.Sprintf("received = __import__('pickle').loads(bytes.fromhex('%x'))", pickled)))
			wantEqual(t, "what arrives", must(worker.Eval(itsName))(t), any(name))
		}
		check(t, worker.Close())
		wantEqual(t, "the list is there after the worker's end", exists(name), true)
		check(t, p.Close())
		wantEqual(t, "the list is there at the end", exists(name), true)
		wantEqual(t, "standard error", p.Stderr(), "")
	})
}

// TestWorkerEnvThreads attaches in one thread and creates in another one.
func TestWorkerEnvThreads(t *testing.T) {
	t.Parallel()
	compat.ForEach(t, func(t *testing.T, py compat.Interpreter) {
		t.Parallel()
		p := start(t, py, workerEnv(t))
		foreign, created := foreignFile(t, 64), testkit.Name(t)
		check(t, p.Exec(fmt.Sprintf(`
import threading
def attach():
    while creating.is_alive():
        SharedMemory(%q).close()
def create():
    for i in range(200):
        SharedMemory("%s_%%d" %% i, create=True, size=8).close()
creating = threading.Thread(target=create)
creating.start()
attach()
`, foreign, created)))
		check(t, p.Close())
		wantEqual(t, "what was attached to is there", exists(foreign), true)
		wantEqual(t, "what was created", len(testkit.NamesWith(created)), 0)
		testkit.WantLeaks(t, p, 200)
	})
}
