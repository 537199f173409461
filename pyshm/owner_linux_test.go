//go:build !posixshm

package pyshm_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/pyshm-go/pyshm/internal/testkit"
	"github.com/pyshm-go/pyshm/pyshm"
	"github.com/pyshm-go/pyshm/scripts"
)

// giveAway makes another user the owner of a file.
func giveAway(t *testing.T, file string) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root can give a file to another user")
	}
	if err := os.Chown(pathOf(file), 65534, 65534); err != nil {
		t.Skip("there is no other user: ", err)
	}
}

// All parts of an object belong to one user. A part of another user is refused by name,
// in Go and in Python.
func TestPartOfAnother(t *testing.T) {
	python := startPython(t)
	noError(t, python.Exec(scripts.AttachHelper()))
	type handle interface{ Close() error }
	attach := func(h handle, err error) error {
		if err == nil {
			h.Close()
		}
		return err
	}
	for kind, tc := range map[string]struct {
		create func(name string) (named, error)
		attach func(name string) error
		part   string
	}{
		"condition": {
			func(name string) (named, error) { return pyshm.CreateCondition(name) },
			func(name string) error { return attach(pyshm.AttachCondition(name)) }, "sleeping",
		},
		"event": {
			func(name string) (named, error) { return pyshm.CreateEvent(name) },
			func(name string) error { return attach(pyshm.AttachEvent(name)) }, "flag",
		},
		"barrier": {
			func(name string) (named, error) { return pyshm.CreateBarrier(name, 2) },
			func(name string) error { return attach(pyshm.AttachBarrier(name)) }, "lock",
		},
		"value": {
			func(name string) (named, error) { return pyshm.CreateValue[int64](name) },
			func(name string) error { return attach(pyshm.AttachValue[int64](name)) }, "lock",
		},
		"queue": {
			func(name string) (named, error) { return pyshm.CreateQueue(name, 2) },
			func(name string) error { return attach(pyshm.AttachQueue(name, 2)) }, "rlock",
		},
	} {
		t.Run(kind, func(t *testing.T) {
			name := keep[named](t)(tc.create(testkit.Name(t))).Name()
			inPython := fmt.Sprintf("attach_%s('%s')", kind, name)
			if kind == "queue" {
				inPython = fmt.Sprintf("attach_queue('%s', 2)", name)
			}
			if strconv.IntSize == 64 { // a 64-bit Python has other semaphores than a 32-bit Go
				noError(t, python.Exec(inPython))
			}
			noError(t, tc.attach(name))
			giveAway(t, "sem."+name+"."+tc.part)
			part := name + "." + tc.part
			if err := tc.attach(name); !errors.Is(err, fs.ErrPermission) || !strings.Contains(fmt.Sprint(err), part+`": it belongs to user 65534`) {
				t.Errorf("attach: %v", err)
			}
			if strconv.IntSize == 32 {
				return
			}
			if err := python.Exec(inPython); err == nil || !strings.Contains(err.Error(), "several users") {
				t.Errorf("Python: %v", err)
			}
		})
	}
}

// Another user cannot make a queue look joinable, by adding the names.
func TestJoinableOfAnother(t *testing.T) {
	python := startPython(t)
	noError(t, python.Exec(scripts.AttachHelper()))
	q := createQueue(t, 2)
	keep[*pyshm.Semaphore](t)(pyshm.CreateSemaphore(q.Name()+".unfinished", 0))
	keep[*pyshm.Condition](t)(pyshm.CreateCondition(q.Name() + ".cond"))
	for _, part := range []string{"unfinished", "cond.lock", "cond.sleeping", "cond.woken", "cond.wait"} {
		giveAway(t, "sem."+q.Name()+"."+part)
	}
	if err := attachQueue(t, q.Name(), 2).Join(t.Context()); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("join: %v", err)
	}
	if strconv.IntSize == 32 {
		return
	}
	noError(t, python.Exec(fmt.Sprintf("assert not hasattr(attach_queue('%s', 2), 'join')", q.Name())))
}
