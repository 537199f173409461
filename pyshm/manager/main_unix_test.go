//go:build unix

package manager

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/pyshm-go/pyshm/internal/testkit"
	"github.com/pyshm-go/pyshm/pyshm/internal/shmfile"
)

func TestMain(m *testing.M) {
	hidesPanics = false
	testkit.ManyAtATime()
	testkit.Main(m)
}

// key is the authkey of the tests.
var key = []byte("the key of the tests")

// segment makes a segment of 8 bytes. None of its names, hidden ones included, may be
// left when the test ends.
func segment(t testing.TB, name string) *object {
	t.Helper()
	f, err := os.OpenFile(path(name), os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Truncate(8); err != nil {
		t.Fatal(err)
	}
	o := &object{f}
	checkNames(t)
	made.Lock()
	defer made.Unlock()
	made.objects[t] = append(made.objects[t], o)
	return o
}

// made has the objects of each test that runs.
var made = struct {
	sync.Mutex
	objects map[testing.TB][]*object
}{objects: map[testing.TB][]*object{}}

// checkNames looks for names that are left after all cleanups registered later.
func checkNames(t testing.TB) {
	testkit.NeedLinux(t)
	made.Lock()
	defer made.Unlock()
	if _, ok := made.objects[t]; ok {
		return
	}
	made.objects[t] = nil
	t.Cleanup(func() {
		made.Lock()
		defer made.Unlock()
		for _, o := range made.objects[t] {
			if n := o.links(t); n != 0 {
				t.Errorf("%s has %d names left", o.f.Name(), n)
			}
			o.f.Close()
		}
		delete(made.objects, t)
	})
}

// An object is an open segment that can be compared with others.
type object struct{ f *os.File }

func (o *object) links(t testing.TB) int {
	t.Helper()
	var st syscall.Stat_t
	if err := syscall.Fstat(int(o.f.Fd()), &st); err != nil {
		t.Fatal(err)
	}
	return int(st.Nlink)
}

// is reports whether a name belongs to the object.
func (o *object) is(name string) bool {
	mine, err := o.f.Stat()
	if err != nil {
		return false
	}
	other, err := os.Stat(path(name))
	return err == nil && os.SameFile(mine, other)
}

func path(name string) string { return shmfile.Dir + "/" + name }

func unlink(t testing.TB, name string) {
	t.Helper()
	if err := os.Remove(path(name)); err != nil {
		t.Fatal(err)
	}
}

// startManager starts a manager, and shuts it down when the test ends.
func startManager(t testing.TB, address string, opts ...Option) *Manager {
	t.Helper()
	checkNames(t)
	m, err := Start(address, key, opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return m
}

func wantReason(t testing.TB, what string, err, reason error) {
	t.Helper()
	if !errors.Is(err, reason) {
		t.Errorf("%s: %v, want %v", what, err, reason)
	}
	var mine *Error
	if err != nil && !errors.As(err, &mine) {
		t.Errorf("%s: %v is no *Error", what, err)
	}
	if err != nil && strings.Contains(err.Error(), string(key)) {
		t.Errorf("%s: the authkey is in the error %v", what, err)
	}
}

func missing(name string) bool {
	_, err := os.Lstat(path(name))
	return errors.Is(err, fs.ErrNotExist)
}

// startKeeper starts a keeper, and closes it when the test ends.
func startKeeper(t testing.TB) (*keeper, *testkit.Log) {
	return startKeeperScanning(t, rescanInterval)
}

func startKeeperScanning(t testing.TB, interval time.Duration) (*keeper, *testkit.Log) {
	t.Helper()
	checkNames(t)
	log := &testkit.Log{}
	k, err := newKeeper(log.Logger(), 100, interval)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := k.close(); err != nil {
			t.Error(err)
		}
	})
	return k, log
}

// tracked makes a segment that a keeper tracks.
func tracked(t testing.TB, k *keeper) (string, *object) {
	t.Helper()
	name := testkit.Name(t)
	o := segment(t, name)
	track(t, k, name)
	return name, o
}

func track(t testing.TB, k *keeper, name string) {
	t.Helper()
	if err := k.track(name, true); err != nil {
		t.Fatal(err)
	}
}

func release(t testing.TB, k *keeper, name string) {
	t.Helper()
	if err := k.release(name); err != nil {
		t.Fatal(err)
	}
}

// never is an interval that makes a keeper go by events alone.
const never = time.Hour

// saysItFailed reports whether an error is about an operation, and about no segment.
func saysItFailed(err error, op, address string) bool {
	var e *Error
	return errors.As(err, &e) && e.Op == op && e.Name == "" && e.Address == address
}
