//go:build unix

package conformance

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/pyshm-go/pyshm/compat"
	"github.com/pyshm-go/pyshm/internal/testkit"
	"github.com/pyshm-go/pyshm/pyshm"
)

// TestFreeLockAfterContention has three Pythons hammer a lock beside Go. One more Python
// is dead, but counted as a waiter. When they have ended, no process holds the lock, and
// Go acquires it even with very short deadlines.
func TestFreeLockAfterContention(t *testing.T) {
	testkit.NeedSemaphores(t)
	pythons := must(compat.Find(t.Context()))(t)
	name := testkit.Name(t)
	l := must(pyshm.CreateLock(name))(t)
	defer l.Unlink()
	defer l.Close()
	ended := must(pyshm.Create(testkit.Name(t), 1))(t)
	defer ended.Unlink()
	defer ended.Close()
	startPython := func(i int) *compat.Peer {
		p := start(t, pythons[i%len(pythons)], testkit.AttachHelper(t))
		check(t, p.Exec(fmt.Sprintf("import threading\nfrom pyshm_attach import *\nlock, ended = attach_lock(%q), attach_block(%q)", name, ended.Name())))
		return p
	}

	check(t, l.Acquire(soon(t)))
	victim := startPython(0)
	check(t, victim.Exec("threading.Thread(target=lock.acquire, daemon=True).start()"))
	wantState(t, l, 0, 1)
	must(victim.Exit(compat.ExitSIGKILL))(t)
	wantState(t, l, 0, 1)
	check(t, l.Release())

	var others []<-chan error
	for i := range 3 {
		others = append(others, later(startPython(1+i), "while not ended.buf[0]:\n    with lock: pass"))
	}
	acquire := func() error {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Millisecond)
		defer cancel()
		err := l.Acquire(ctx)
		if err == nil {
			check(t, l.Release())
		}
		return err
	}
	for end := time.Now().Add(500 * time.Millisecond); acquire() == nil && time.Now().Before(end); {
	}
	must(ended.WriteAt([]byte{1}, 0))(t)
	for _, other := range others {
		check(t, <-other)
	}
	for i := range 200 {
		if err := acquire(); err != nil {
			t.Fatalf("number %d, of a lock that no process holds: %v", i, err)
		}
	}
	wantState(t, l, 1, 1)
}
