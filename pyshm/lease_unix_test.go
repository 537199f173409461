//go:build unix

package pyshm_test

import (
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/pyshm-go/pyshm/internal/testkit"
	"github.com/pyshm-go/pyshm/pyshm"
)

func init() { testkit.Roles["leases"] = holdLeases }

// holdLeases takes leases on files of its own, as another user if it can.
func holdLeases(args []string, end <-chan string) error {
	if err := becomeAnother(); err != nil {
		return err
	}
	n, err := strconv.Atoi(args[0])
	if err != nil {
		return err
	}
	for i := range n {
		name := []string{".pyshm-new-", "psm_"}[i%2] + rand.Text()
		f, err := os.OpenFile(pathOf(name), os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o644)
		if err != nil {
			return err
		}
		defer f.Close()
		const setSignal, setLease, writeLock = 10, 1024, 1
		_, _, errSignal := syscall.Syscall(syscall.SYS_FCNTL, f.Fd(), setSignal, uintptr(syscall.SIGURG))
		_, _, errLease := syscall.Syscall(syscall.SYS_FCNTL, f.Fd(), setLease, writeLock)
		if err := errors.Join(f.Chmod(0o644), f.Truncate(4096)); err != nil || errSignal != 0 || errLease != 0 {
			return fmt.Errorf("lease: %v, %v, %v", err, errSignal, errLease)
		}
	}
	fmt.Println("ready")
	<-end
	return nil
}

// becomeAnother turns root into another user, if there is another.
func becomeAnother() error {
	if os.Geteuid() != 0 {
		return nil
	}
	if err := syscall.Setuid(65534); err != syscall.EINVAL { // as in a user namespace of one user
		return err
	}
	return nil
}

// Leases of another user delay only a caller that asks for that segment. If a list
// waited a second for each, it would take 40 s.
func TestLeasesOfAnother(t *testing.T) {
	testkit.NeedLinux(t)
	if !testkit.InPrivateShm(t, 1<<20) {
		return
	}
	const leases = 40
	c := testkit.StartChild(t, "leases", strconv.Itoa(leases))
	c.Line(t)
	m := create(t, 64)

	begun := time.Now()
	other, err := pyshm.Create(m.Name(), 64, pyshm.Replace())
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	leased := ""
	unreadable := 0
	for s, err := range pyshm.Segments() {
		if err != nil {
			t.Fatal(err)
		}
		if s.Name == m.Name() {
			continue
		}
		leased = s.Name
		content, err := s.Inspect()
		if content.Kind == pyshm.KindUnreadable && errors.Is(err, syscall.EAGAIN) {
			unreadable++
		}
		if pids, err := s.Pids(); len(pids) > 0 || err == nil {
			t.Errorf("%s: mapped by %v, %v", s.Name, pids, err)
		}
		if err := s.UnlinkUnused(); !errors.Is(err, syscall.EBUSY) {
			t.Errorf("UnlinkUnused of what is leased: %v", err)
		}
	}
	if took := time.Since(begun); took > 10*time.Second {
		t.Errorf("took %v", took)
	}
	if unreadable != leases {
		t.Errorf("%d of %d are unreadable while there is a lease", unreadable, leases)
	}
	if _, err := pyshm.Attach(leased, pyshm.ReadOnly()); !errors.Is(err, syscall.EAGAIN) {
		t.Errorf("Attach to what is leased: %v", err)
	}
	c.End(t)
	attach(t, leased, pyshm.ReadOnly())
	wantLen := 1 + leases
	if names := testkit.Names(t); len(names) != wantLen || !slices.Contains(names, m.Name()) {
		t.Errorf("names %q", names)
	}
	pyshm.Unlink(m.Name())
}

// The writer of a FIFO goes on only when a process reads the FIFO.
func TestAttachLeavesFIFO(t *testing.T) {
	testkit.NeedLinux(t)
	name := testkit.Name(t)
	if err := syscall.Mkfifo(pathOf(name), 0o600); err != nil {
		t.Fatal(err)
	}
	defer os.Remove(pathOf(name))
	go os.WriteFile(pathOf(name), []byte("precious"), 0)
	for range 20 {
		for _, opts := range [][]pyshm.AttachOption{nil, {pyshm.ReadOnly()}} {
			if m, err := pyshm.Attach(name, opts...); err == nil {
				t.Errorf("attached to a FIFO: %v", m)
			}
		}
		time.Sleep(time.Millisecond)
	}
	read := make(chan string)
	go func() {
		content, err := os.ReadFile(pathOf(name))
		if err != nil {
			t.Error(err)
		}
		read <- string(content)
	}()
	select {
	case content := <-read:
		if content != "precious" {
			t.Errorf("read %q", content)
		}
	case <-time.After(10 * time.Second):
		t.Error("what was written is lost")
		os.WriteFile(pathOf(name), nil, 0) // ends the reader
		<-read
	}
}
