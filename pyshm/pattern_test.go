package pyshm_test

import (
	"errors"
	"io"
	"io/fs"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/pyshm-go/pyshm/internal/testkit"
	"github.com/pyshm-go/pyshm/pyshm"
)

// named is a handle that a pattern can name.
type named interface {
	shared
	Current() (bool, error)
}

// creators has the Create functions, for a handle of each kind.
var creators = map[string]func(name string) (named, error){
	"Create":     func(name string) (named, error) { return pyshm.Create(name, 8) },
	"CreateList": func(name string) (named, error) { return pyshm.CreateList(name, []any{1}) },
	"CreateListOf": func(name string) (named, error) {
		return pyshm.CreateListOf(name, []int64{1}, pyshm.Replace())
	},
	"CreateArray": func(name string) (named, error) { return pyshm.CreateArray[int64](name, []int{2}) },
	"CreateFrom": func(name string) (named, error) {
		return pyshm.CreateFrom(name, 8, func(io.WriterAt) error { return nil }, pyshm.Replace())
	},
	"CreateLock":      func(name string) (named, error) { return pyshm.CreateLock(name) },
	"CreateSemaphore": func(name string) (named, error) { return pyshm.CreateSemaphore(name, 2, pyshm.Replace()) },
	"CreateBoundedSemaphore": func(name string) (named, error) {
		return pyshm.CreateBoundedSemaphore(name, 2)
	},
	"CreateCondition": func(name string) (named, error) { return pyshm.CreateCondition(name) },
	"CreateEvent":     func(name string) (named, error) { return pyshm.CreateEvent(name) },
}

func TestPatterns(t *testing.T) {
	testkit.NeedKeptNames(t)
	for function, create := range creators {
		t.Run(function, func(t *testing.T) {
			needKind(t, function)
			base := testkit.Name(t)[:20] // with the digits, it is as long as macOS allows
			for _, tc := range []struct{ pattern, want string }{
				{base + "-*", base + "-#"},
				{"/" + base + "-*", base + "-#"},
				{base + "*.x", base + "#.x"},
				{base + "*-*", base + "*-#"},
			} {
				want := regexp.MustCompile("^" + strings.ReplaceAll(regexp.QuoteMeta(tc.want), "#", "[0-9a-f]{8}") + "$")
				seen := map[string]bool{}
				for range 3 {
					h := keep[named](t)(create(tc.pattern))
					if !want.MatchString(h.Name()) || seen[h.Name()] {
						t.Errorf("%s gives the name %s, after %v", tc.pattern, h.Name(), seen)
					}
					seen[h.Name()] = true
					wantCurrent(t, h)
				}
			}
		})
	}
}

// A name in use is not given again.
func TestPatternCollides(t *testing.T) {
	var names []string
	last, err := pyshm.NamesOf("x-*", func(name string) error {
		if names = append(names, name); len(names) <= 3 {
			return syscall.EEXIST
		}
		return nil
	})
	if err != nil || len(names) != 4 || last != names[3] || names[0] == names[3] {
		t.Errorf("%q, %v after %q", last, err, names)
	}
	calls := 0
	_, err = pyshm.NamesOf("x-*", func(string) error { calls++; return syscall.ENOSPC })
	if calls != 1 || !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("%d calls, %v", calls, err)
	}
	calls = 0
	_, err = pyshm.NamesOf("x", func(string) error { calls++; return syscall.EEXIST })
	if calls != 1 || !errors.Is(err, syscall.EEXIST) {
		t.Errorf("without a star: %d calls, %v", calls, err)
	}
}

// A pattern is refused if all names that fit it would be refused.
func TestPatternArguments(t *testing.T) {
	testkit.NeedLinux(t)
	for _, pattern := range []string{"a/*", "*\x00", "*:", "\n*", "ä*", ".pyshm-*", "//*"} {
		for function, create := range creators {
			if _, err := create(pattern); !errors.Is(err, fs.ErrInvalid) {
				t.Errorf("%s(%q): %v", function, pattern, err)
			}
		}
	}
	if _, err := pyshm.CreateLock("sem.*"); !errors.Is(err, fs.ErrInvalid) {
		t.Errorf("a lock with the prefix of its file: %v", err)
	}
	base := testkit.Name(t)
	longest := base + strings.Repeat("x", 254-8-len(base)) + "*"
	m, err := pyshm.Create(longest, 1)
	noError(t, err)
	if len(m.Name()) != 254 {
		t.Errorf("the name has %d bytes", len(m.Name()))
	}
	noError(t, errors.Join(m.Unlink(), m.Close()))
	if _, err := pyshm.Create("x"+longest, 1); !errors.Is(err, syscall.ENAMETOOLONG) {
		t.Errorf("a longer one: %v", err)
	}
	tooLong := base + strings.Repeat("x", 251-len(base)) + "*"
	if _, err := pyshm.CreateLock(tooLong); !errors.Is(err, syscall.ENAMETOOLONG) {
		t.Errorf("a lock's: %v", err)
	}
}

// In functions that do not create a new name, a star is an ordinary character.
func TestStarIsACharacter(t *testing.T) {
	testkit.NeedLinux(t)
	name := testkit.Name(t) + "*a*"
	block := keep[*pyshm.SharedMemory](t)(pyshm.Open(name, 8))
	lock := keep[*pyshm.Lock](t)(pyshm.OpenLock(name))
	event := keep[*pyshm.Event](t)(pyshm.OpenEvent(name))
	array := keep[*pyshm.Array[int8]](t)(pyshm.OpenArray[int8](name+"*", []int{2}))
	if array.Name() != name+"*" {
		t.Errorf("%v", array)
	}
	for _, h := range []named{block, lock, event} {
		if h.Name() != name {
			t.Errorf("%v", h)
		}
	}
	attach(t, name)
	attachLock(t, name)
	again, err := pyshm.AttachEvent(name)
	noError(t, err)
	noError(t, again.Close())
	if _, err := pyshm.AttachLock("*" + name); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	noError(t, pyshm.Unlink(name))
}
