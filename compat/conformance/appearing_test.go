package conformance

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"testing"
	"time"

	"github.com/pyshm-go/pyshm/compat"
	"github.com/pyshm-go/pyshm/format"
	"github.com/pyshm-go/pyshm/internal/testkit"
	"github.com/pyshm-go/pyshm/pyshm"
)

// appearing is a list that takes a while to make. Its str and bytes are as long
// as their slots, so that none of their bytes may be missing.
var appearing = slices.Repeat([]any{int64(-1), 1.5, true, nil, "éééé", []byte("1234567")}, 100)

const appearingInPython = "[-1, 1.5, True, None, 'éééé', b'1234567'] * 100"

// testAppearingInGo attaches all the time while Python makes a list, in four steps. Go
// must not take a half-made list for a whole one.
func testAppearingInGo(t *testing.T, p *compat.Peer) {
	for range 10 {
		name := newName(t)
		made := make(chan error, 1)
		go func() { made <- p.Exec(fmt.Sprintf("made = ShareableList(%s, name=%q)", appearingInPython, name)) }()
		for whole, done := false, false; !whole || !done; {
			if whole = attachWhole(t, name); done && !whole {
				t.Fatal("Python has made the list, and Go finds none")
			}
			select {
			case err := <-made:
				check(t, err)
				done = true
			default:
			}
		}
		check(t, p.Exec("made.shm.unlink()"))
	}
}

// attachWhole attaches once, and reports whether the list is whole.
func attachWhole(t *testing.T, name string) bool {
	l, err := pyshm.AttachList(name)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, format.ErrIncomplete) {
		return false
	}
	if err != nil {
		t.Errorf("Go attaches while Python makes the list: %v", err)
		return false
	}
	defer l.Close()
	switch err := l.Check(); {
	case errors.Is(err, format.ErrBusy):
		return false
	case err != nil:
		t.Errorf("Go checks the list while Python makes it: %v", err)
	}
	if got, err := l.Values(); err != nil || !identical(got, appearing) {
		t.Errorf("Go takes the list for a whole one, and reads %s, %v", format.Repr(got), err)
	}
	return true
}

// testAppearingInPython attaches all the time while Go makes a list, which appears in one
// step. Where the name comes first, it is for a moment a segment without a size, and then a
// list without items, but never a list with a part of the items.
func testAppearingInPython(t *testing.T, p *compat.Peer) {
	testkit.NeedKeptNames(t)
	check(t, p.Exec(`
import errno
missing = early = empty = 0
def wait(name):
    global missing, early, empty
    while True:
        try:
            made = ShareableList(name=name)
        except FileNotFoundError:
            missing += 1
        except (OSError, ValueError) as e:
            assert isinstance(e, ValueError) or e.errno == errno.EINVAL, e
            early += 1
        else:
            if list(made):  # len(made) looks again
                return made
            made.shm.close()
            empty += 1
`))
	for range 10 {
		name := newName(t)
		seen := make(chan error, 1)
		go func() { seen <- p.Exec(fmt.Sprintf("made = wait(%q); seen = list(made)", name)) }()
		time.Sleep(time.Millisecond) // let it begin
		ours := must(pyshm.CreateList(name, appearing, pyshm.Layout(p.Interpreter().Layout())))(t)
		check(t, ours.Close())
		check(t, <-seen)
		if must(p.Eval("seen == "+appearingInPython))(t) != true {
			t.Error("Python has seen another list")
		}
		check(t, p.Exec("made.shm.unlink()"))
	}
	states := must(p.Eval("[missing, early, empty]"))(t).([]any)
	t.Logf("missing, without a size, without items: %v times", states)
	if !testkit.NamesFirst {
		wantEqual(t, "early looks", states[1:], []any{int64(0), int64(0)})
	}
}
