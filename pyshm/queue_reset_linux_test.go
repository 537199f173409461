//go:build !posixshm

package pyshm_test

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/pyshm-go/pyshm/internal/testkit"
	"github.com/pyshm-go/pyshm/pyshm"
)

// frame returns an item as Python writes it.
func frame(pickle string) string {
	return string(binary.BigEndian.AppendUint32(nil, uint32(len(pickle)))) + pickle
}

const (
	one = "\x80\x04K\x01."
	two = "\x80\x04\x95\x04\x00\x00\x00\x00\x00\x00\x00M\x00\x02."
)

// Processes are killed that hold locks, and have read or written parts of items. Reset
// keeps the whole items.
func TestQueueReset(t *testing.T) {
	t.Parallel()
	for what, tc := range map[string]struct {
		locks []string // held by the killed process
		bytes string
		items []any // afterwards
		free  int   // places that come back
	}{
		"waiting reader":     {[]string{"rlock"}, frame(one) + frame(two), []any{1, 512}, 0},
		"reader in header":   {[]string{"rlock"}, "\x00\x00\x05" + one + frame(two), []any{512}, 1},
		"reader in item":     {[]string{"rlock"}, one + frame(two) + frame(one), []any{512, 1}, 1},
		"reader at the end":  {[]string{"rlock"}, "\x01.", nil, 1},
		"protocol 0":         {[]string{"rlock"}, frame("I1\n.") + frame(two), []any{1, 512}, 0},
		"writer before":      {[]string{"wlock"}, frame(two), []any{512}, 0},
		"idle writer":        {[]string{"wlock"}, "", nil, 0},
		"writer in item":     {[]string{"wlock"}, frame(two) + frame(one)[:7], []any{512}, 1},
		"writer in header":   {[]string{"wlock"}, frame(two) + frame(one)[:2], []any{512}, 1},
		"reader and writer":  {[]string{"rlock", "wlock"}, two[3:] + frame(one) + frame(two)[:9], []any{1}, 2},
		"reader, old writer": {[]string{"rlock", "wlock"}, frame(one) + frame(two), []any{1, 512}, 0},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			q := createQueue(t, 4, pyshm.Joinable())
			sem, unfinished := rawSemaphore(t, q, "sem"), rawSemaphore(t, q, "unfinished")
			for range len(tc.items) + tc.free {
				noError(t, errors.Join(sem.Acquire(t.Context()), unfinished.Release()))
			}
			noError(t, q.Check(t.Context()))
			for _, lock := range tc.locks {
				noError(t, rawSemaphore(t, q, lock).Acquire(t.Context()))
			}
			_, err := rawPipe(t, q).WriteString(tc.bytes)
			noError(t, err)
			if err := q.Check(t.Context()); !errors.Is(err, pyshm.ErrStuck) {
				t.Errorf("check: %v", err)
			}
			noError(t, q.Reset(t.Context()))
			noError(t, q.Check(t.Context()))
			wantLen(t, q, len(tc.items))
			for _, want := range tc.items {
				wantItem(t, q, want)
				noError(t, q.TaskDone(t.Context()))
			}
			noError(t, q.Join(now(t)))
			noError(t, q.Put(now(t), "later"))
			wantItem(t, q, "later")
			for _, lock := range []string{"rlock", "wlock"} {
				wantState(t, rawSemaphore(t, q, lock), 1, 0)
			}
		})
	}
}

// Several processes notice that a queue is stuck, and reset it at the same time, while one
// waits for an item: one of them mends it, the others find nothing left to mend, and no
// whole item is lost.
func TestQueueResetsAtOnce(t *testing.T) {
	defer pyshm.ObserveForLong()() // the getter may be late
	const resets, items = 4, 300
	for range 2 {
		q := createQueue(t, 0)
		getter := attachQueue(t, q.Name(), 0)
		noError(t, errors.Join(rawSemaphore(t, q, "rlock").Acquire(t.Context()), rawSemaphore(t, q, "wlock").Acquire(t.Context())))
		content := two[3:] // the rest of an item
		for range items {
			content += frame(one)
		}
		_, err := rawPipe(t, q).WriteString(content + frame(two)[:9])
		noError(t, err)
		sem := rawSemaphore(t, q, "sem")
		for range items + 2 {
			noError(t, sem.Acquire(t.Context()))
		}
		var all sync.WaitGroup
		var mended atomic.Int32
		for range resets {
			other := attachQueue(t, q.Name(), 0)
			all.Go(func() {
				switch err := other.Reset(t.Context()); {
				case err == nil:
					mended.Add(1)
				case !errors.Is(err, fs.ErrInvalid):
					t.Error(err)
				}
			})
		}
		for range items {
			wantItem(t, getter, 1)
		}
		all.Wait()
		wantLen(t, q, 0)
		if n := mended.Load(); n != 1 {
			t.Errorf("%d resets have mended the queue", n)
		}
		for _, lock := range []string{"rlock", "wlock"} {
			wantState(t, rawSemaphore(t, q, lock), 1, 0)
		}
	}
}

// While another process resets the queue, and has locked its pipe for that, Reset waits.
func TestQueueResetWaitsForAnother(t *testing.T) {
	t.Parallel()
	q := createQueue(t, 0)
	noError(t, rawSemaphore(t, q, "wlock").Acquire(t.Context()))
	pipe := rawPipe(t, q)
	noError(t, syscall.Flock(int(pipe.Fd()), syscall.LOCK_EX))
	if err := q.Reset(within(t, 500*time.Millisecond)); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("during another: %v", err)
	}
	noError(t, pipe.Close())
	noError(t, q.Reset(t.Context()))
}

// A goroutine waits in Get of the handle that is reset: for a lock of a killed reader, for
// items that a killed writer keeps away, or for the rest of an item. Get goes on afterwards.
func TestQueueResetDuringGet(t *testing.T) {
	t.Parallel()
	for what, tc := range map[string]struct {
		lock  string // held by the killed process
		bytes string
		lost  int
	}{
		"waits for the lock":     {"rlock", two[3:], 1},
		"waits for an item":      {"wlock", "", 0},
		"waits for the rest":     {"wlock", frame(two)[:9], 1},
		"waits for more than it": {"wlock", frame(two)[:2], 1},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			q := createQueue(t, 2)
			sem := rawSemaphore(t, q, "sem")
			for range tc.lost {
				noError(t, sem.Acquire(t.Context()))
			}
			noError(t, rawSemaphore(t, q, tc.lock).Acquire(t.Context()))
			got := make(chan any, 2)
			for range cap(got) {
				go func() {
					v, err := q.Get(within(t, testkit.Patience))
					got <- cmp.Or[any](err, v)
				}()
			}
			_, err := rawPipe(t, q).WriteString(tc.bytes)
			noError(t, err)
			testkit.Eventually(t, "a queue that is stuck", func() bool { return errors.Is(q.Check(t.Context()), pyshm.ErrStuck) })
			noError(t, q.Reset(within(t, testkit.Patience/2)))
			for range cap(got) {
				noError(t, q.Put(t.Context(), "later"))
				if v := <-got; v != "later" {
					t.Errorf("got %v", v)
				}
			}
			wantLen(t, q, 0)
		})
	}
}

// A live writer waits for room, in the middle of an item, because a killed reader holds
// rlock. Reset leaves the writer alone.
func TestQueueResetLeavesWriter(t *testing.T) {
	q := createQueue(t, 0)
	rlock := rawSemaphore(t, q, "rlock")
	noError(t, rlock.Acquire(t.Context()))
	large := bytes.Repeat([]byte("z"), 200_000)
	noError(t, q.Put(t.Context(), "first"))
	noError(t, q.Put(within(t, 10*time.Millisecond), large)) // the rest in the background
	noError(t, q.Reset(t.Context()))
	wantItem(t, q, "first")
	wantItem(t, q, large)
}

// A killed reader has read the beginning of an item that is longer than the pipe, while its
// writer waits for room. The pipe then has the middle of the item alone. Whatever the bytes
// look like, Reset drops the rest of this item and nothing else.
func TestQueueResetInMiddleOfItem(t *testing.T) {
	t.Parallel()
	random := make([]byte, 300_000)
	rand.NewChaCha8([32]byte{1}).Read(random)
	for what, payload := range map[string][]byte{
		"zeros":  make([]byte, 300_000),
		"random": random,
		"items":  bytes.Repeat([]byte(frame(two)+frame(one)), 15_000),
	} {
		for _, read := range []int{2, 4, 10, 5000} {
			t.Run(fmt.Sprint(what, " ", read), func(t *testing.T) {
				t.Parallel()
				q := createQueue(t, 4)
				writer := attachQueue(t, q.Name(), 4)
				noError(t, writer.Put(within(t, 10*time.Millisecond), payload)) // the rest in the background
				var others sync.WaitGroup
				others.Go(func() { noError(t, writer.Put(t.Context(), "next")) })
				others.Go(func() { noError(t, q.Put(t.Context(), "next")) })
				noError(t, rawSemaphore(t, q, "rlock").Acquire(t.Context()))
				_, err := io.ReadFull(rawPipe(t, q), make([]byte, read))
				noError(t, err)
				testkit.Eventually(t, "a queue that is stuck", func() bool { return errors.Is(q.Check(t.Context()), pyshm.ErrStuck) })
				noError(t, q.Reset(within(t, testkit.Patience)))
				wantItem(t, q, "next")
				wantItem(t, q, "next")
				others.Wait()
				wantLen(t, q, 0)
				noError(t, q.Check(t.Context()))
			})
		}
	}
}

// A queue that is in use is not stuck, whatever its locks show at a moment.
func TestBusyQueueIsNotStuck(t *testing.T) {
	defer pyshm.ObserveForLong()()
	q := createQueue(t, 0)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for ctx.Err() == nil {
			if err := q.Put(ctx, 1); err != nil && ctx.Err() == nil {
				t.Error(err)
			}
		}
	}()
	other := attachQueue(t, q.Name(), 0)
	for range 20 {
		noError(t, q.Check(t.Context()))
		for range 20 {
			wantItem(t, other, 1)
		}
	}
	cancel()
	<-ended
}
