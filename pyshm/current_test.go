package pyshm_test

import (
	"errors"
	"io/fs"
	"os"
	"testing"

	"github.com/pyshm-go/pyshm/internal/testkit"
	"github.com/pyshm-go/pyshm/pyshm"
)

// filesOf returns the names of the files of a handle.
func filesOf(t testing.TB, h named) (files []string) {
	t.Helper()
	for s, err := range pyshm.Segments() {
		noError(t, err)
		for _, suffix := range []string{"", ".lock", ".sleeping", ".woken", ".wait", ".flag"} {
			if s.Name == h.Name()+suffix || s.Name == "sem."+h.Name()+suffix {
				files = append(files, s.Name)
			}
		}
	}
	return files
}

func TestCurrent(t *testing.T) {
	testkit.NeedLinux(t)
	for function, create := range creators {
		t.Run(function, func(t *testing.T) {
			wantCurrent := func(h named, want bool) {
				t.Helper()
				if current, err := h.Current(); current != want || err != nil {
					t.Errorf("current: %v, %v", current, err)
				}
			}
			name := testkit.Name(t)
			h := keep[named](t)(create(name))
			wantCurrent(h, true)
			// Each of its files counts.
			for _, file := range filesOf(t, h) {
				noError(t, os.Rename(pathOf(file), pathOf(file+".away")))
				wantCurrent(h, false)
				noError(t, os.WriteFile(pathOf(file), []byte("another"), 0o600))
				wantCurrent(h, false)
				noError(t, os.Rename(pathOf(file+".away"), pathOf(file)))
				wantCurrent(h, true)
			}
			noError(t, h.Unlink())
			wantCurrent(h, false)
			next := keep[named](t)(create(name)) // a restarted producer does this
			wantCurrent(h, false)
			wantCurrent(next, true)
			noError(t, h.Close())
			if current, err := h.Current(); current || !errors.Is(err, fs.ErrClosed) {
				t.Errorf("after Close: %v, %v", current, err)
			}
		})
	}
}

func TestCurrentOfReplaced(t *testing.T) {
	testkit.NeedLinux(t)
	old := create(t, 8)
	next := keep[*pyshm.SharedMemory](t)(pyshm.Create(old.Name(), 8, pyshm.Replace()))
	for m, want := range map[*pyshm.SharedMemory]bool{old: false, next: true} {
		if current, err := m.Current(); current != want || err != nil {
			t.Errorf("%v, not %v; %v", current, want, err)
		}
	}
	// An alias leads to the segment as well.
	alias, err := next.Alias()
	noError(t, err)
	defer pyshm.Unlink(alias)
	noError(t, pyshm.Unlink(next.Name()))
	if current, err := attach(t, alias).Current(); !current || err != nil {
		t.Errorf("alias: %v, %v", current, err)
	}
	if current, err := next.Current(); current || err != nil {
		t.Errorf("without its name: %v, %v", current, err)
	}
}
