package wait

import (
	"slices"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"

	"github.com/pyshm-go/pyshm/pyshm/internal/sem"
)

// These tests run on plain memory, in one process. The goroutines that count and
// sleep by the words themselves stand for threads of other processes.

var lastID atomic.Uint64

// newHandle opens a handle of a new semaphore.
func newHandle(t *testing.T, value uint32) *Handle { return newHandles(t, value, 1)[0] }

// newHandles opens n handles of a new semaphore.
func newHandles(t *testing.T, value uint32, n int) (handles []*Handle) {
	t.Helper()
	memory := make([]uint64, sem.Size/8)
	mem := unsafe.Slice((*byte)(unsafe.Pointer(&memory[0])), sem.Size)
	copy(mem, sem.Bytes(value))
	words, err := sem.At(mem)
	if err != nil {
		t.Fatal(err)
	}
	id := ID{Ino: lastID.Add(1)}
	for range n {
		h := new(Handle)
		h.Open(id, words)
		handles = append(handles, h)
	}
	return handles
}

// A plainMemory records the steps of Close, and calls its functions unless they are nil.
type plainMemory struct {
	steps          []string
	freeze, revoke func() error
}

func (m *plainMemory) Freeze() error { return m.step("freeze", m.freeze) }
func (m *plainMemory) Revoke() error { return m.step("revoke", m.revoke) }

func (m *plainMemory) Guard(f func()) {
	m.steps = append(m.steps, "guard")
	f()
}

func (m *plainMemory) step(what string, f func() error) error {
	m.steps = append(m.steps, what)
	if f == nil {
		return nil
	}
	return f()
}

// wantSteps compares the steps, and forgets them.
func (m *plainMemory) wantSteps(t *testing.T, want ...string) {
	t.Helper()
	if !slices.Equal(m.steps, want) {
		t.Errorf("Close has taken the steps %q, want %q", m.steps, want)
	}
	m.steps = nil
}

// wantState waits until the words have this value and so many waiters.
func wantState(t *testing.T, h *Handle, value, waiters uint32) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(100 * time.Microsecond) {
		v, w := h.words.Value(), h.words.Waiters()
		if v == value && w == waiters {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("value %d, %d waiters; want %d, %d", v, w, value, waiters)
		}
	}
}
