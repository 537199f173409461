//go:build unix

package pyshm_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/pyshm-go/pyshm/format"
	"github.com/pyshm-go/pyshm/internal/soak"
	"github.com/pyshm-go/pyshm/internal/testkit"
	"github.com/pyshm-go/pyshm/pyshm"
)

// A fault is an event that can happen to the file behind a segment.
type fault struct {
	name  string
	apply func(r *rand.Rand, path string) error
	// Errors that the methods of a handle, and later attaches, may then return besides
	// the errors that they may always return.
	handle, attach []error
	// Another file has the name now.
	replaced bool
}

// emptied has the errors for a list of which a part has become zero.
var emptied = []error{pyshm.ErrFault, format.ErrCorrupt, format.ErrIncomplete}

var faults = []fault{
	{name: "truncated to 0", apply: truncate(func(_ *rand.Rand, size int64) int64 { return 0 }), handle: emptied, attach: emptied},
	{name: "truncated to a page", apply: truncate(func(_ *rand.Rand, size int64) int64 { return int64(os.Getpagesize()) }), handle: emptied, attach: emptied},
	{name: "truncated anywhere", apply: truncate(func(r *rand.Rand, size int64) int64 { return r.Int64N(size) }), handle: emptied, attach: emptied},
	{name: "truncated and grown", apply: func(r *rand.Rand, path string) error {
		info, err := os.Stat(path)
		if err != nil {
			return err
		}
		return errors.Join(os.Truncate(path, r.Int64N(info.Size())), os.Truncate(path, info.Size()))
	}, handle: emptied, attach: emptied},
	{name: "unlinked", apply: func(_ *rand.Rand, path string) error { return os.Remove(path) },
		attach: []error{fs.ErrNotExist}, replaced: true},
	{name: "created anew", apply: func(r *rand.Rand, path string) error {
		list, err := format.Encode(usedValues(r, 4), nil)
		if err != nil {
			return err
		}
		return errors.Join(os.Remove(path), os.WriteFile(path, list, 0o600))
	}, attach: []error{fs.ErrNotExist, format.ErrIncomplete, format.ErrCorrupt}, replaced: true},
	{name: "a directory instead", apply: func(_ *rand.Rand, path string) error {
		return errors.Join(os.Remove(path), os.Mkdir(path, 0o700))
	}, attach: []error{fs.ErrNotExist, syscall.EISDIR}, replaced: true},
	{name: "a FIFO instead", apply: renamed(func(path string) error { return syscall.Mkfifo(path, 0o600) }),
		attach: []error{fs.ErrInvalid}, replaced: true},
	{name: "a symbolic link instead", apply: renamed(func(path string) error { return os.Symlink("/dev/zero", path) }),
		attach: []error{syscall.ELOOP}, replaced: true},
	// Even root cannot open a device if the file system is mounted without devices.
	{name: "a device instead", apply: renamed(func(path string) error { return syscall.Mknod(path, syscall.S_IFCHR|0o600, 1<<8|5) }),
		attach: []error{fs.ErrInvalid, fs.ErrPermission}, replaced: true},
}

func truncate(to func(r *rand.Rand, size int64) int64) func(*rand.Rand, string) error {
	return func(r *rand.Rand, path string) error {
		info, err := os.Stat(path)
		if err != nil {
			return err
		}
		return os.Truncate(path, to(r, info.Size()))
	}
}

// renamed puts another file under the name in one step.
func renamed(make func(path string) error) func(*rand.Rand, string) error {
	return func(_ *rand.Rand, path string) error {
		other := path + "_other"
		if err := make(other); err != nil {
			return err
		}
		return os.Rename(other, path)
	}
}

// TestFaults applies a fault to the file of a list at a random moment while the list
// is in use. Methods return only the errors that the fault allows, and users of another
// list notice nothing.
func TestFaults(t *testing.T) {
	testkit.NeedLinux(t)
	seed := soak.Seed(t)
	undisturbed := createList(t, usedValues(soak.Rand(seed, -1), 40))
	for n, f := range faults {
		t.Run(f.name, func(t *testing.T) {
			if strings.HasPrefix(f.name, "truncated") {
				testkit.NeedFaultAddress(t)
			}
			var tally soak.Tally
			for round := range soak.Length(5, 1000) {
				applied := faultRound(t, f, seed+uint64(n)<<32+uint64(round), undisturbed, &tally)
				if errors.Is(applied, fs.ErrPermission) {
					t.Skip("not allowed here:", applied)
				}
				if applied != nil || t.Failed() {
					t.Fatalf("round %d: %v", round, applied)
				}
			}
			t.Log(&tally)
		})
	}
}

func faultRound(t *testing.T, f fault, seed uint64, undisturbed *pyshm.ShareableList, tally *soak.Tally) (applied error) {
	r := soak.Rand(seed, -2)
	name := testkit.Name(t)
	l, err := pyshm.CreateList(name, usedValues(r, 40))
	if err != nil {
		t.Fatal(err)
	}
	defer os.Remove(pathOf(name))
	defer l.Close()

	stop := make(chan struct{})
	var running sync.WaitGroup
	use := func(number int, allowed []error, use func(u *user)) {
		u := newUser(t, seed, number, append(allowed, refusals...)...)
		running.Go(func() {
			for {
				select {
				case <-stop:
					u.report(tally)
					return
				default:
					use(u)
				}
			}
		})
	}
	use(1, f.handle, func(u *user) { u.use(l) })
	use(2, f.handle, func(u *user) { u.use(l) })
	use(3, nil, func(u *user) { u.use(undisturbed) })
	use(4, append(f.attach, f.handle...), func(u *user) {
		l, err := pyshm.AttachList(name)
		u.count("AttachList", err)
		if err == nil {
			u.use(l)
			l.Close()
		}
	})
	time.Sleep(time.Duration(r.IntN(3000)) * time.Microsecond)
	applied = f.apply(r, pathOf(name))
	time.Sleep(time.Duration(r.IntN(3000)) * time.Microsecond)
	close(stop)
	running.Wait()
	if applied == nil {
		tally.Add("faults", 1)
		afterFault(t, f, l)
	}
	return applied
}

// afterFault checks the results that do not depend on the moment of the fault.
func afterFault(t *testing.T, f fault, l *pyshm.ShareableList) {
	if f.name == "truncated to 0" {
		if _, err := l.Get(0); !errors.Is(err, pyshm.ErrFault) {
			t.Errorf("Get: %v", err)
		}
	}
	if !f.replaced {
		return
	}
	if m, err := pyshm.Attach(l.Name()); (err == nil) != (f.name == "created anew") {
		t.Errorf("Attach: %v", err)
	} else if err == nil {
		m.Close()
	}
	before, _ := os.Lstat(pathOf(l.Name()))
	if _, err := l.SharedMemory().Alias(); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Alias: %v", err)
	}
	if err := l.Unlink(); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Unlink: %v", err)
	}
	if after, _ := os.Lstat(pathOf(l.Name())); (before == nil) != (after == nil) || before != nil && !os.SameFile(before, after) {
		t.Errorf("Unlink has removed what is not the segment")
	}
	if err := l.SetInt(0, 1); err != nil {
		t.Errorf("the handle: %v", err)
	}
}

// TestPermissionsTakenAway takes away the permission to open a segment, and gives
// it back, while another process attaches again and again, and uses the handle of its
// first attach.
func TestPermissionsTakenAway(t *testing.T) {
	testkit.NeedLinux(t)
	l := createList(t, usedValues(soak.Rand(soak.Seed(t), 0), 4), pyshm.Mode(0o666))
	c := testkit.StartChild(t, "depends on permission", l.Name())
	c.Line(t)
	changes := 0
	for end := time.Now().Add(soak.Length(300*time.Millisecond, 10*time.Second)); time.Now().Before(end); changes++ {
		mode := []fs.FileMode{0, 0o666, 0o444, 0o222}[changes%4]
		if err := os.Chmod(pathOf(l.Name()), mode); err != nil {
			t.Fatal(err)
		}
		time.Sleep(50 * time.Microsecond)
	}
	if err := os.Chmod(pathOf(l.Name()), 0); err != nil {
		t.Fatal(err)
	}
	t.Logf("mode changed %d times: %s", changes, c.End(t))
}

func init() { testkit.Roles["depends on permission"] = dependsOnPermission }

func dependsOnPermission(args []string, end <-chan string) error {
	attached, err := pyshm.AttachList(args[0])
	if err != nil {
		return err
	}
	if os.Geteuid() == 0 { // permissions do not stop root
		if err := syscall.Setuid(65534); err != nil {
			return err
		}
	}
	fmt.Println("ready")
	attaches, refused := 0, 0
	for ended := false; !ended; attaches++ {
		select {
		case <-end:
			ended = true // try once more: the test has taken the permission away for good
		default:
		}
		l, err := pyshm.AttachList(args[0])
		switch {
		case err == nil:
			_, err = l.Get(0)
			l.Close()
		case errors.Is(err, fs.ErrPermission):
			refused++
			err = nil
		}
		_, errAttached := attached.Get(0)
		if err := errors.Join(err, errAttached); err != nil {
			return err
		}
	}
	if refused == 0 {
		return errors.New("permission was never refused")
	}
	fmt.Printf("%d attaches, %d refused\n", attaches, refused)
	return nil
}

// If another process truncates a new segment as soon as it has a name, Create still
// returns the handle. It does not fail and leave the name behind.
func TestTruncatedAtBirth(t *testing.T) {
	testkit.NeedLinux(t)
	testkit.NeedFaultAddress(t)
	for what, create := range map[string]func(name string) (io.Closer, error){
		"list":  func(name string) (io.Closer, error) { return pyshm.CreateList(name, everyKind) },
		"lock":  func(name string) (io.Closer, error) { return pyshm.CreateLock(name) },
		"block": func(name string) (io.Closer, error) { return pyshm.Create(name, 4096) },
	} {
		name := testkit.Name(t)
		path := pathOf(name)
		if what == "lock" {
			path = pathOf("sem." + name)
		}
		stop := make(chan struct{})
		truncated := 0
		var truncating sync.WaitGroup
		truncating.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					if os.Truncate(path, 0) == nil {
						truncated++
					}
				}
			}
		})
		for range soak.Length(200, 20_000) {
			made, err := create(name)
			os.Remove(path)
			if err != nil {
				t.Errorf("%s: %v", what, err)
				break
			}
			made.Close()
		}
		close(stop)
		truncating.Wait()
		t.Logf("%s: truncated %d times", what, truncated)
	}
}

// A fault outside the methods of this package ends the process, as it does without the
// package.
func TestStrayFault(t *testing.T) {
	testkit.NeedLinux(t)
	m := create(t, 4096)
	c := testkit.StartChild(t, "strays", m.Name())
	c.Line(t)
	if err := os.Truncate(pathOf(m.Name()), 0); err != nil {
		t.Fatal(err)
	}
	c.Stdin.Close()
	err := c.Cmd.Wait()
	if text := c.Stderr.String(); err == nil || !strings.Contains(text, "unexpected fault address") {
		t.Errorf("%v, and on standard error\n%s", err, text)
	}
}

func init() {
	testkit.Roles["strays"] = func(args []string, end <-chan string) error {
		m, err := pyshm.Attach(args[0])
		if err != nil {
			return err
		}
		memory := m.Bytes()
		fmt.Println("ready")
		<-end
		// A method that turned a fault into an error leaves no setting behind.
		if _, err := m.ReadAt(make([]byte, 1), 0); !errors.Is(err, pyshm.ErrFault) {
			return fmt.Errorf("ReadAt: %w", err)
		}
		return fmt.Errorf("memory that is gone holds %d zeros", bytes.Count(memory, []byte{0}))
	}
}
