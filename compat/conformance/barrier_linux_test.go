//go:build !posixshm

package conformance

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pyshm-go/pyshm/compat"
	"github.com/pyshm-go/pyshm/internal/soak"
	"github.com/pyshm-go/pyshm/internal/testkit"
	"github.com/pyshm-go/pyshm/pyshm"
)

// testBarrier has two parties in Go and two in Python, where the variable barrier has
// it: the barrier is whole at first and in the end.
func testBarrier(t *testing.T, p *compat.Peer, b *pyshm.Barrier) {
	testRounds(t, p, b)
	testBreaks(t, p, b)
	if waiting, broken := must(b.Waiting())(t), must(b.Broken())(t); waiting != 0 || broken {
		t.Errorf("%d parties wait, broken is %t", waiting, broken)
	}
}

func testRounds(t *testing.T, p *compat.Peer, b *pyshm.Barrier) {
	rounds := int64(soak.Length(40, 2000))
	board := keepHandle(t, must(pyshm.CreateArray[int64](newName(t), []int{4}))(t))
	done := make(chan error, 1)
	var firsts atomic.Int64
	go func() {
		n, err := p.Eval(fmt.Sprintf("run_rounds_in_threads(barrier, attach_board(%q), (2, 3), %d)", board.Name(), rounds))
		if err == nil {
			firsts.Add(n.(int64))
		}
		done <- err
	}()
	var parties sync.WaitGroup
	for slot := range 2 {
		parties.Go(func() {
			if err := runRounds(soon(t), b, board, slot, rounds, &firsts); err != nil {
				t.Error(err)
				b.Abort(soon(t))
			}
		})
	}
	parties.Wait()
	check(t, <-done)
	wantEqual(t, "times that a party got index 0", firsts.Load(), rounds)
}

// runRounds does what run_rounds does in Python.
func runRounds(ctx context.Context, b *pyshm.Barrier, board *pyshm.Array[int64], slot int, rounds int64, firsts *atomic.Int64) error {
	others := make([]int64, 4)
	for n := int64(1); n <= rounds; n++ {
		if err := board.Set(n, slot); err != nil {
			return err
		}
		index, err := b.Wait(ctx)
		if err != nil {
			return fmt.Errorf("round %d: %w", n, err)
		}
		if index == 0 {
			firsts.Add(1)
		}
		if _, err := board.CopyTo(others); err != nil {
			return err
		}
		for _, other := range others {
			if other != n && other != n+1 {
				return fmt.Errorf("round %d, and others are in %d", n, others)
			}
		}
	}
	return nil
}

// testBreaks breaks the barrier on each side, in each way, while the other side waits.
func testBreaks(t *testing.T, p *compat.Peer, b *pyshm.Barrier) {
	wantBroken := func(what string, err error) {
		t.Helper()
		if !errors.Is(err, pyshm.ErrBroken) {
			t.Errorf("%s: %v", what, err)
		}
	}
	waits := func(parties int) {
		t.Helper()
		testkit.Eventually(t, fmt.Sprintf("%d parties that wait", parties), func() bool { return must(b.Waiting())(t) == parties })
	}
	inGo := func() <-chan error {
		err := make(chan error, 1)
		go func() {
			_, waitErr := b.Wait(soon(t))
			err <- waitErr
		}()
		waits(1)
		return err
	}
	inPython := func() <-chan any {
		result := make(chan any, 1)
		go func() { result <- must(p.Eval("wait(barrier)"))(t) }()
		waits(1)
		return result
	}

	inP := inPython()
	check(t, b.Abort(soon(t)))
	wantEqual(t, "aborted by Go", <-inP, any("BrokenBarrierError"))
	_, err := b.Wait(soon(t))
	wantBroken("after abort", err)
	check(t, p.Exec("barrier.reset()"))
	inG := inGo()
	check(t, p.Exec("barrier.abort()"))
	wantBroken("aborted by Python", <-inG)
	wantEqual(t, "broken", must(b.Broken())(t), true)
	check(t, b.Reset(soon(t)))

	inP = inPython()
	check(t, b.Reset(soon(t)))
	wantEqual(t, "reset by Go", <-inP, any("BrokenBarrierError"))
	wantEqual(t, "whole after reset", must(p.Eval("[barrier.broken, barrier.n_waiting]"))(t), []any{false, int64(0)})
	inG = inGo()
	check(t, p.Exec("barrier.reset()"))
	wantBroken("reset by Python", <-inG)

	inP = inPython()
	testkit.Eventually(t, "a party in Go that is counted, and gives up", func() bool {
		_, err = b.Wait(briefly(t)) // while Python holds the lock, the party is not counted
		wantTimeout(t, err)
		return errors.Is(err, pyshm.ErrBroken)
	})
	wantEqual(t, "timeout of Go, in Python", <-inP, any("BrokenBarrierError"))
	check(t, b.Reset(soon(t)))
	inG = inGo()
	wantEqual(t, "timeout of Python", must(p.Eval("wait(barrier, 0.01)"))(t), any("BrokenBarrierError"))
	wantBroken("timeout of Python, in Go", <-inG)
	check(t, b.Reset(soon(t)))
}

// testKilledParty kills a Python that waits. It stays counted: the last party in Go wakes
// the others, gives up waiting for the dead one, and breaks the barrier, until Repair.
func testKilledParty(t *testing.T, p *compat.Peer, b *pyshm.Barrier, startMethods []string) {
	method := startMethods[len(startMethods)-1]
	check(t, p.Exec(fmt.Sprintf("process = child(%q, wait, barrier)", method)))
	lock := must(pyshm.AttachLock(b.Name() + ".lock"))(t)
	defer lock.Close()
	sleeping := must(pyshm.AttachSemaphore(b.Name() + ".sleeping"))(t)
	defer sleeping.Close()
	testkit.Eventually(t, "the child waits, without the lock", func() bool {
		return must(sleeping.Value())(t) == 1 && must(lock.Value())(t) == 1
	})
	check(t, p.Exec("process.kill(); process.join()"))
	wantEqual(t, "dead parties that count", must(b.Waiting())(t), 1)
	errs := make(chan error, 3)
	ctx, cancel := context.WithTimeout(t.Context(), time.Second/2)
	defer cancel()
	for range 3 {
		go func() {
			_, err := b.Wait(ctx)
			errs <- err
		}()
	}
	failed := 0
	for range 3 {
		if err := <-errs; err != nil {
			failed++
			// On a busy machine a party may come too late to be counted.
			if !errors.Is(err, pyshm.ErrBroken) && !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("with a dead party: %v", err)
			}
		}
	}
	if failed == 0 {
		t.Error("no party noticed the dead one")
	}
	wantEqual(t, "broken", must(b.Broken())(t), true)
	check(t, b.Repair())
	testRounds(t, p, b)
}
