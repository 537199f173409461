//go:build unix

package docs

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pyshm-go/pyshm/compat"
	"github.com/pyshm-go/pyshm/internal/testkit"
	"github.com/pyshm-go/pyshm/pyshm"
	"github.com/pyshm-go/pyshm/pyshm/manager"
	"github.com/pyshm-go/pyshm/scripts"
)

// ends are the ways to end in the table of removal.md, in the order of its columns.
var ends = []compat.Exit{compat.ExitNormal, compat.ExitException, compat.ExitSIGKILL, compat.ExitKillGroup}

// untracked is the row for Pythons that have the argument track.
const untracked = "Python 3.13: created or attached to with `track=False`"

// TestWhoRemovesWhat compares the table of removal.md with what happens to segments
// when processes end, here with one Python. The tests in compat/conformance have all
// of them end, in more ways.
func TestWhoRemovesWhat(t *testing.T) {
	cache := t.TempDir()
	check(t, os.Chmod(filepath.Dir(cache), 0o755))
	t.Setenv("XDG_CACHE_HOME", cache)
	py := newestPython(t)
	want := removalTable(t)
	if !py.HasTrack {
		t.Logf("no Python here has the argument track: not tested: %s", untracked)
		delete(want, untracked)
	}
	got := map[string][]string{}
	for _, how := range ends {
		e := ending{t, py, how, map[string]string{}}
		e.python()
		e.protectedPython()
		e.pythonManager()
		e.goProgram()
		for row, fate := range e.fates {
			got[row] = append(got[row], fate)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("removal.md is wrong about which names stay (-document +seen):\n%s", diff)
	}
}

// newestPython returns an interpreter that has the argument track, if there is one.
func newestPython(t *testing.T) compat.Interpreter {
	t.Helper()
	found, err := compat.Find(t.Context())
	check(t, err)
	i := slices.IndexFunc(found, func(py compat.Interpreter) bool { return py.HasTrack })
	return found[max(i, 0)]
}

// removalTable returns the table of removal.md: the cells of each row behind the first.
func removalTable(t *testing.T) map[string][]string {
	t.Helper()
	document, err := os.ReadFile("removal.md")
	check(t, err)
	_, section, _ := strings.Cut(string(document), "\n## When a process ends\n")
	section, _, _ = strings.Cut(section, "\n## ")
	_, body, _ := strings.Cut(section, "|---|\n")
	table := map[string][]string{}
	for line := range strings.Lines(body) {
		cells := strings.Split(strings.Trim(line, "|\n "), " | ")
		if len(cells) < 2 {
			break
		}
		table[cells[0]] = cells[1:]
	}
	return table
}

// An ending is a column of the table.
type ending struct {
	*testing.T
	py    compat.Interpreter
	how   compat.Exit
	fates map[string]string // by row
}

// saw notes the fate of segments, which should all have the same.
func (e ending) saw(row string, names ...string) {
	left := 0
	for _, name := range names {
		if exists(name) {
			left++
		}
	}
	switch left {
	case 0:
		e.fates[row] = "removed"
	case len(names):
		e.fates[row] = "stays"
	default:
		e.fates[row] = fmt.Sprintf("%d of %d stay", left, len(names))
	}
}

func exists(name string) bool {
	_, err := os.Lstat("/dev/shm/" + name)
	return err == nil
}

// newName returns a name, and removes it after the test if it is left.
func (e ending) newName() string {
	return e.removed(testkit.Name(e))
}

func (e ending) removed(name string) string {
	e.Cleanup(func() { os.Remove("/dev/shm/" + name) })
	return name
}

// newBlock makes a segment to which other processes attach, and returns its name.
func (e ending) newBlock() string {
	e.Helper()
	m, err := pyshm.Create(e.newName(), 64)
	check(e.T, err)
	check(e.T, m.Close())
	return m.Name()
}

// replace puts new segments under the names of others.
func (e ending) replace(names []string) {
	e.Helper()
	for _, name := range names {
		m, err := pyshm.Create(name, 64, pyshm.Replace())
		check(e.T, err)
		check(e.T, m.Close())
	}
}

// startPython starts a Python that has executed statements.
func (e ending) startPython(statements string, options ...compat.PeerOption) *compat.Peer {
	e.Helper()
	p, err := e.py.Start(e.Context(), options...)
	check(e.T, err)
	e.Cleanup(func() { p.Close() })
	check(e.T, p.Exec(statements))
	return p
}

// python ends a Python that has segments of many sorts.
func (e ending) python() {
	m, err := manager.Start("", []byte("authkey"))
	check(e.T, err)
	defer m.Shutdown(context.Background())
	tracked := e.newBlock()
	check(e.T, m.Track(e.Context(), tracked))

	original, err := pyshm.Attach(e.newBlock())
	check(e.T, err)
	defer original.Close()
	alias, err := original.Alias()
	check(e.T, err)
	e.removed(alias)

	dir := e.TempDir()
	check(e.T, os.WriteFile(filepath.Join(dir, "pyshm_attach.py"), []byte(scripts.AttachHelper()), 0o600))
	created, attached, helped := e.newName(), e.newBlock(), e.newBlock()
	replaced := []string{e.newName(), e.newBlock()}
	p := e.startPython(fmt.Sprintf(`
from multiprocessing.managers import SharedMemoryManager
from pyshm_attach import attach_block
created = SharedMemory(%q, create=True, size=64)
attached = SharedMemory(%q), SharedMemory(%q), SharedMemory(%q), attach_block(%q)
replaced = SharedMemory(%q, create=True, size=64), SharedMemory(%q)
manager = SharedMemoryManager(address=%s, authkey=b"authkey")
managed = manager.SharedMemory(64)
`, created, attached, alias, tracked, helped, replaced[0], replaced[1], m.PythonAddress()), compat.Dir(dir))
	names, err := m.Segments(e.Context())
	check(e.T, err)

	var without []string
	if e.py.HasTrack {
		without = []string{e.newName(), e.newBlock()}
		check(e.T, p.Exec(fmt.Sprintf("without = SharedMemory(%q, create=True, size=64, track=False), SharedMemory(%q, track=False)",
			without[0], without[1])))
	}
	e.replace(replaced)
	_, err = p.Exit(e.how)
	check(e.T, err)

	e.saw("Python: the successor (by `pyshm.Replace`) of a segment that it created or attached to", replaced...)
	e.saw("Python: created", created)
	e.saw("Python: attached to", attached)
	e.saw("Python: attached to with `pyshm_attach`", helped)
	e.saw("Python: attached to by an alias", original.Name())
	e.saw("Python: the alias itself", alias)
	if without != nil {
		e.saw(untracked, without...)
	}
	e.sawRestored("Python: attached to, tracked by a Go manager", names[0])
	e.sawRestored("Python: created through a Go manager", names[1])
}

// sawRestored gives the manager some time.
func (e ending) sawRestored(row, name string) {
	for end := time.Now().Add(5 * time.Second); !exists(name) && time.Now().Before(end); {
		time.Sleep(time.Millisecond)
	}
	e.saw(row, name)
}

// protectedPython ends a Python that was started by WorkerEnv.
func (e ending) protectedPython() {
	created, attached := e.newName(), e.newBlock()
	replaced := []string{e.newName(), e.newBlock()}
	p := e.startPython(
		fmt.Sprintf(`
segments = SharedMemory(%q, create=True, size=64), SharedMemory(%q)
replaced = SharedMemory(%q, create=True, size=64), SharedMemory(%q)
`, created, attached, replaced[0], replaced[1]),
		compat.Command(func(cmd *exec.Cmd) { check(e.T, pyshm.WorkerEnv(cmd)) }))
	e.replace(replaced)
	_, err := p.Exit(e.how)
	check(e.T, err)
	e.saw("Python under `pyshm run` or `WorkerEnv`: the successor of such a segment", replaced...)
	e.saw("Python under `pyshm run` or `WorkerEnv`: created", created)
	e.saw("Python under `pyshm run` or `WorkerEnv`: attached to", attached)
}

// ownManager is a program that uses a SharedMemoryManager in the way of its
// documentation.
const ownManager = `
import sys
from multiprocessing.managers import SharedMemoryManager

if __name__ == "__main__":
    with SharedMemoryManager() as manager:
        block = manager.SharedMemory(64)
        print(block.name, manager._process.pid, flush=True)
        if sys.stdin.readline() == "exception\n":
            raise RuntimeError
`

// pythonManager ends a Python that has started a manager of its own.
func (e ending) pythonManager() {
	program := filepath.Join(e.TempDir(), "manager.py")
	check(e.T, os.WriteFile(program, []byte(ownManager), 0o600))
	words := e.endProgram(exec.Command(e.py.Path, program))
	// The server and the resource tracker may still be at work.
	server, err := strconv.Atoi(words[1])
	check(e.T, err)
	time.Sleep(200 * time.Millisecond)
	e.saw("Python: made by the `SharedMemoryManager` that it started", e.removed(words[0]))
	syscall.Kill(server, syscall.SIGKILL)
}

// endProgram starts a program, which prints a line and then reads a line with the way to
// end, or is killed. It returns the words of the program's line.
func (e ending) endProgram(cmd *exec.Cmd) []string {
	e.Helper()
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	in, err := cmd.StdinPipe()
	check(e.T, err)
	out, err := cmd.StdoutPipe()
	check(e.T, err)
	check(e.T, cmd.Start())
	line, err := bufio.NewReader(out).ReadString('\n')
	check(e.T, err)
	switch e.how {
	case compat.ExitSIGKILL:
		check(e.T, cmd.Process.Kill())
	case compat.ExitKillGroup:
		check(e.T, syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL))
	default:
		fmt.Fprintln(in, e.how)
	}
	cmd.Wait() // some ways to end are errors
	return strings.Fields(line)
}

// goProgram ends a Go program that has segments.
func (e ending) goProgram() {
	created, attached, tracked := e.newName(), e.newBlock(), e.newBlock()
	e.endProgram(testkit.Command(e, "end with segments", created, attached, tracked))
	e.saw("Go: created or attached to", created, attached)
	e.saw("Go: tracked by the manager that it shuts down", tracked)
	removeHidden(tracked)
}

// removeHidden removes the hidden names that a killed manager left to a segment.
func removeHidden(name string) {
	segment, err := os.Stat("/dev/shm/" + name)
	if err != nil {
		return
	}
	hidden, _ := filepath.Glob("/dev/shm/.pyshm-*")
	for _, path := range hidden {
		if other, err := os.Stat(path); err == nil && os.SameFile(segment, other) {
			os.Remove(path)
		}
	}
}

func init() { testkit.Roles["end with segments"] = shareAndEnd }

// shareAndEnd is the Go program of goProgram. A line of input has the way to end.
func shareAndEnd(names []string, input <-chan string) error {
	created, attached, tracked := names[0], names[1], names[2]
	m, err := manager.New()
	if err != nil {
		return err
	}
	ctx := context.Background()
	defer m.Shutdown(ctx)
	if err := m.Track(ctx, tracked); err != nil {
		return err
	}
	mine, err := pyshm.Create(created, 64)
	if err != nil {
		return err
	}
	defer mine.Close()
	if _, err := pyshm.Attach(attached); err != nil {
		return err
	}
	fmt.Println("ready")
	if how, ok := <-input; !ok || how == string(compat.ExitException) {
		panic("as was asked for")
	}
	return nil
}
