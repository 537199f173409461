package compat_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/pyshm-go/pyshm/compat"
	"github.com/pyshm-go/pyshm/internal/testkit"
	"github.com/pyshm-go/pyshm/pyshm"
)

// here returns the caller's line in the form in which a peer's sources are named.
func here() string {
	_, file, line, _ := runtime.Caller(1)
	return fmt.Sprintf("%s:%d", filepath.Base(file), line)
}

func wantPlace(t *testing.T, err error, file string, line int) {
	t.Helper()
	var raised *compat.PythonError
	switch place := fmt.Sprintf(" (%s, line %d)", file, line); {
	case !errors.As(err, &raised):
		t.Errorf("error %v, want Python's", err)
	case raised.File != file || raised.Line != line:
		t.Errorf("%v: %q, line %d, want %q, line %d\n%s", err, raised.File, raised.Line, file, line, raised.Traceback)
	case file == "" && strings.Contains(err.Error(), "line"), file != "" && strings.Count(err.Error(), place) != 1:
		t.Errorf("place %q in the message: %v", place, err)
	}
}

// TestErrorsHaveAPlace: an error has the line of the caller's own Python, in a module,
// or in the source of this call or an earlier one.
func TestErrorsHaveAPlace(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	beside, broken := filepath.Join(dir, "beside.py"), filepath.Join(dir, "broken.py")
	testkit.Check(t, os.WriteFile(beside, []byte("import json\n\ndef load():\n    return json.loads('[')\n"), 0o644))
	testkit.Check(t, os.WriteFile(broken, []byte("x = 1\n\nx = = 2\n"), 0o644))
	compat.ForEach(t, func(t *testing.T, py compat.Interpreter) {
		t.Parallel()
		p := testkit.StartPeer(t, py, compat.Dir(dir), compat.Env("PYTHONDONTWRITEBYTECODE=1"))
		worker := testkit.Must(p.StartWorker("spawn"))(t)
		t.Cleanup(func() { worker.Close() })
		for _, p := range []*compat.Peer{p, worker} {
			at, err := here(), p.Exec("x = 1\n\nx / 0")
			wantPlace(t, err, "<exec at "+at+">", 3)
			at, err = here(), p.Exec("def f(d):\n  import beside\n  return 1 / d\n")
			testkit.Check(t, err)
			_, err = p.Eval("f(0)")
			wantPlace(t, err, "<exec at "+at+">", 3)
			at, err = here(), second(p.Eval(" [1,\n1 / 0]"))
			wantPlace(t, err, "<eval at "+at+">", 2)
			wantPlace(t, p.Exec("import beside\nbeside.load()"), beside, 4)
			wantPlace(t, p.Exec("import broken"), broken, 3)
			at, err = here(), p.Exec("pass\nx = = 2")
			wantPlace(t, err, "<exec at "+at+">", 2)
			at, err = here(), p.Exec("\neval('1 +')")
			wantPlace(t, err, "<exec at "+at+">", 2)
			at, err = here(), p.Exec("import json\njson.loads('[')")
			wantPlace(t, err, "<exec at "+at+">", 2)
			wantPlace(t, p.Exec("class Odd(SyntaxError):\n  filename = property(lambda self: 1 / 0)\nraise Odd"), "", 0)
		}
		at, replies := here(), testkit.Must(p.Do([]compat.Request{
			{Op: "exec", Args: []any{"pass"}}, {Op: "exec", Args: []any{"\n1 / 0"}}, {Op: "eval", Args: []any{"1 / 0"}},
		}))(t)
		testkit.Check(t, replies[0].Err)
		wantPlace(t, replies[1].Err, "<exec at "+at+", requests[1]>", 2)
		wantPlace(t, replies[2].Err, "<eval at "+at+", requests[2]>", 1)

		list := testkit.Must(p.CreateList("", []any{1}))(t)
		defer list.Unlink()
		_, err := list.Get(7)
		wantPlace(t, err, "", 0) // the operation has no source of its own

		supervised := testkit.StartPeer(t, py, compat.Command(func(cmd *exec.Cmd) { testkit.Check(t, pyshm.WorkerEnv(cmd)) }))
		_, err = supervised.AttachBlock(testkit.Name(t))
		wantPlace(t, err, "", 0) // although sitecustomize.py was executing

		go p.Exec("place = sys._getframe().f_code.co_filename") // no line of Go is above it
		var place any
		for deadline := time.Now().Add(20 * time.Second); place == nil && time.Now().Before(deadline); {
			place = testkit.Must(p.Eval("globals().get('place')"))(t)
		}
		testkit.WantEqual(t, "the name of a source", place, any("<exec at a go statement>"))
	})
}
