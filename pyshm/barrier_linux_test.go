//go:build !posixshm

package pyshm_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"testing"
	"time"

	"github.com/pyshm-go/pyshm/format"
	"github.com/pyshm-go/pyshm/format/npy"
	"github.com/pyshm-go/pyshm/internal/testkit"
	"github.com/pyshm-go/pyshm/pyshm"
)

func createBarrier(t testing.TB, parties int) *pyshm.Barrier {
	t.Helper()
	return keep[*pyshm.Barrier](t)(pyshm.CreateBarrier(testkit.Name(t), parties))
}

// waitAll has several goroutines wait, and returns their errors.
func waitAll(ctx context.Context, parties int, handles ...*pyshm.Barrier) (indices map[int]int, errs []error) {
	type result struct {
		index int
		err   error
	}
	results := make(chan result)
	for i := range parties {
		go func() {
			index, err := handles[i%len(handles)].Wait(ctx)
			results <- result{index, err}
		}()
	}
	indices = map[int]int{}
	for range parties {
		r := <-results
		indices[r.index]++
		if r.err != nil {
			errs = append(errs, r.err)
		}
	}
	return indices, errs
}

func waitsFor(t testing.TB, b *pyshm.Barrier, parties int) {
	t.Helper()
	testkit.Eventually(t, fmt.Sprintf("%d parties that wait", parties), func() bool {
		n, err := b.Waiting()
		return n == parties && err == nil
	})
}

func done(t testing.TB) context.Context {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return ctx
}

func TestBarrier(t *testing.T) {
	b := createBarrier(t, 3)
	other, err := pyshm.AttachBarrier(b.Name())
	testkit.Check(t, err)
	defer other.Close()
	if got, want := other.String(), fmt.Sprintf("Barrier('%s', parties=3)", b.Name()); got != want {
		t.Errorf("%s, want %s", got, want)
	}
	for range 20 {
		indices, errs := waitAll(t.Context(), 3, b, other)
		if len(errs) > 0 || len(indices) != 3 || indices[0]+indices[1]+indices[2] != 3 {
			t.Fatalf("indices %v, errors %v", indices, errs)
		}
	}
	if current, err := b.Current(); !current || err != nil {
		t.Errorf("current: %t, %v", current, err)
	}

	// The last party passes whatever its context is, and so do the others.
	passed := make(chan error, 2)
	for range 2 {
		go func() {
			_, err := b.Wait(t.Context())
			passed <- err
		}()
	}
	waitsFor(t, b, 2)
	if index, err := b.Wait(done(t)); index != 2 || err != nil {
		t.Errorf("the last party: %d, %v", index, err)
	}
	testkit.Check(t, errors.Join(<-passed, <-passed))

	// A party whose context is done breaks the barrier.
	_, err = b.Wait(done(t))
	if !errors.Is(err, pyshm.ErrBroken) || !errors.Is(err, context.Canceled) {
		t.Errorf("a party that gives up: %v", err)
	}
	if _, err := other.Wait(t.Context()); !errors.Is(err, pyshm.ErrBroken) || errors.Is(err, context.Canceled) {
		t.Errorf("a party that comes late: %v", err)
	}
	testkit.Check(t, b.Reset(done(t)))
	if _, errs := waitAll(t.Context(), 3, b); len(errs) > 0 {
		t.Error(errs)
	}
}

// A context that ends while another process holds the lock leaves the barrier as it is.
func TestBarrierLockHeld(t *testing.T) {
	t.Parallel()
	b := createBarrier(t, 2)
	lock, err := pyshm.AttachLock(b.Name() + ".lock")
	testkit.Check(t, err)
	defer lock.Close()
	testkit.Check(t, lock.Acquire(t.Context()))
	_, waitErr := b.Wait(done(t))
	for what, err := range map[string]error{"wait": waitErr, "abort": b.Abort(done(t)), "reset": b.Reset(done(t))} {
		if !errors.Is(err, context.Canceled) || errors.Is(err, pyshm.ErrBroken) {
			t.Errorf("%s: %v", what, err)
		}
	}
	testkit.Check(t, b.Repair()) // also frees the lock
	if _, errs := waitAll(t.Context(), 2, b); len(errs) > 0 {
		t.Error(errs)
	}

	// The lock is taken for ever while a party waits: the party gives up all the same.
	ctx, cancel := context.WithCancel(t.Context())
	failed := make(chan error, 1)
	go func() {
		_, err := b.Wait(ctx)
		failed <- err
	}()
	waitsFor(t, b, 1)
	testkit.Check(t, lock.Acquire(t.Context()))
	cancel()
	if err := <-failed; !errors.Is(err, context.Canceled) || !errors.Is(err, pyshm.ErrBroken) {
		t.Errorf("without the lock: %v", err)
	}
	testkit.Check(t, b.Repair())
	if n, err := b.Waiting(); n != 0 || err != nil {
		t.Errorf("%d parties after Repair, %v", n, err)
	}
}

func TestBarrierClose(t *testing.T) {
	b := createBarrier(t, 2)
	other, err := pyshm.AttachBarrier(b.Name())
	testkit.Check(t, err)
	failed := make(chan error, 1)
	go func() {
		_, err := other.Wait(t.Context())
		failed <- err
	}()
	waitsFor(t, b, 1)
	testkit.Check(t, other.Close())
	if err := <-failed; !errors.Is(err, fs.ErrClosed) {
		t.Errorf("Wait = %v", err)
	}
	if broken, err := b.Broken(); !broken || err != nil {
		t.Errorf("broken: %t, %v", broken, err)
	}
	for _, b := range []*pyshm.Barrier{other, {}} {
		_, wait := b.Wait(t.Context())
		_, waiting := b.Waiting()
		_, broken := b.Broken()
		_, current := b.Current()
		for what, err := range map[string]error{
			"Wait": wait, "Waiting": waiting, "Broken": broken, "Current": current,
			"Abort": b.Abort(t.Context()), "Reset": b.Reset(t.Context()), "Repair": b.Repair(),
		} {
			if !errors.Is(err, fs.ErrClosed) {
				t.Errorf("%s after Close: %v", what, err)
			}
		}
		testkit.Check(t, b.Close())
	}
}

// What no party stores is an error, and no party waits for it.
func TestBarrierHostile(t *testing.T) {
	b := createBarrier(t, 3)
	m := attach(t, b.Name())
	at := int64(m.Size() - 12)
	for _, words := range [][2]int32{{2, 0}, {-3, 0}, {0, -1}, {0, 3}, {0, 4}, {1 << 30, 1 << 30}, {-1 << 31, -1 << 31}} {
		memory := barrierWords(words[0], words[1])
		_, err := m.WriteAt(memory, at)
		testkit.Check(t, err)
		if _, err := b.Wait(t.Context()); !errors.Is(err, format.ErrCorrupt) {
			t.Errorf("state %d, count %d: %v", words[0], words[1], err)
		}
		want(t, m, string(memory), at)
		testkit.Check(t, b.Repair())
	}
	if _, errs := waitAll(t.Context(), 3, b); len(errs) > 0 {
		t.Error(errs)
	}
	// A barrier that never drains: a party waits until its context is done.
	_, err := m.WriteAt(barrierWords(1, 2), at)
	testkit.Check(t, err)
	if _, err := b.Wait(done(t)); !errors.Is(err, context.Canceled) || errors.Is(err, pyshm.ErrBroken) {
		t.Errorf("while it drains: %v", err)
	}
	_, err = m.WriteAt([]byte{0, 0, 0, 0}, at+8) // its parties
	testkit.Check(t, err)
	if _, err := pyshm.AttachBarrier(b.Name()); !errors.Is(err, format.ErrCorrupt) {
		t.Errorf("no parties: %v", err)
	}
}

// barrierWords returns what the memory of a barrier holds.
func barrierWords(state, count int32) []byte {
	return binary.NativeEndian.AppendUint32(binary.NativeEndian.AppendUint32(nil, uint32(state)), uint32(count))
}

// A count full of notifications does not keep a party beyond its context, in a barrier that
// fills or one that drains.
func TestBarrierNotifiedWithoutEnd(t *testing.T) {
	for _, state := range []int32{0, 1} {
		b := createBarrier(t, 3)
		m := attach(t, b.Name())
		_, err := m.WriteAt(barrierWords(state, 1), int64(m.Size()-12))
		testkit.Check(t, err)
		wait, err := os.OpenFile(pathOf("sem."+b.Name()+".wait"), os.O_WRONLY, 0)
		testkit.Check(t, err)
		defer wait.Close()
		_, err = wait.WriteAt(binary.NativeEndian.AppendUint32(nil, math.MaxInt32), 0)
		testkit.Check(t, err)
		failed := make(chan error, 1)
		go func() {
			_, err := b.Wait(within(t, 10*time.Millisecond))
			failed <- err
		}()
		select {
		case err := <-failed:
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("state %d: %v", state, err)
			}
		case <-time.After(testkit.Patience):
			t.Fatalf("state %d: Wait goes on without an end", state)
		}
	}
}

func TestBarrierNames(t *testing.T) {
	for _, parties := range []int{0, -1, math.MinInt} {
		if _, err := pyshm.CreateBarrier(testkit.Name(t), parties); !errors.Is(err, fs.ErrInvalid) {
			t.Errorf("%d parties: %v", parties, err)
		}
	}
	value := createValue[int32](t)
	if _, err := pyshm.AttachBarrier(value.Name()); !errors.Is(err, npy.ErrMismatch) {
		t.Errorf("a value: %v", err)
	}
	// The value has NAME.lock, and keeps it.
	if _, err := pyshm.CreateBarrier(value.Name(), 2); !errors.Is(err, fs.ErrExist) {
		t.Errorf("the name is in use: %v", err)
	}
	wantValue(t, value, 0)
	if names := testkit.NamesWith("sem." + value.Name()); len(names) != 1 {
		t.Errorf("a failed create has left %q", names)
	}
	opened := keep[*pyshm.Barrier](t)(pyshm.OpenBarrier(testkit.Name(t), 2))
	again, err := pyshm.OpenBarrier(opened.Name(), 2)
	testkit.Check(t, err)
	testkit.Check(t, again.Close())
	if _, err := pyshm.OpenBarrier(opened.Name(), 3); !errors.Is(err, fs.ErrExist) {
		t.Errorf("another number of parties: %v", err)
	}
}

func TestBarrierParts(t *testing.T) {
	memory, f := nameless(t, make([]byte, 64))
	memory.Offset, memory.Size = 8, 8
	c := createCondition(t)
	parts := pyshm.BarrierParts{MemoryParts: memory, ConditionParts: partsOfCondition(c.Name()), Parties: 2}
	b, err := pyshm.AttachBarrierParts(parts)
	testkit.Check(t, err)
	defer b.Close()
	if _, errs := waitAll(t.Context(), 2, b); len(errs) > 0 {
		t.Error(errs)
	}
	if err := b.Unlink(); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("unlink: %v", err)
	}
	if current, err := b.Current(); !current || err != nil {
		t.Errorf("current: %t, %v", current, err)
	}
	if testkit.HasFaultAddress(t) {
		testkit.Check(t, f.Truncate(0))
		if _, err := b.Wait(t.Context()); !errors.Is(err, pyshm.ErrFault) {
			t.Errorf("truncated: %v", err)
		}
	}
	parts.Parties = 0
	if _, err := pyshm.AttachBarrierParts(parts); !errors.Is(err, fs.ErrInvalid) {
		t.Errorf("no parties: %v", err)
	}
}

func partsOfCondition(name string) pyshm.ConditionParts {
	return pyshm.ConditionParts{Lock: name + ".lock", Sleeping: name + ".sleeping", Woken: name + ".woken", Wait: name + ".wait"}
}
