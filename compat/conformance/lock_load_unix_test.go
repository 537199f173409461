//go:build unix

package conformance

import (
	"math/rand/v2"
	"strconv"
	"testing"
	"time"

	"github.com/pyshm-go/pyshm/compat"
	"github.com/pyshm-go/pyshm/internal/soak"
	"github.com/pyshm-go/pyshm/internal/testkit"
)

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

// TestLockExcludes has three Go processes with eight goroutines each and every
// Python found increment one item under one lock. No increment is lost.
//
// Python 3.8 has a list of its own, in its layout, under the same lock.
func TestLockExcludes(t *testing.T) {
	testkit.NeedSemaphores(t)
	const goProcesses, goroutines = 3, 8
	pythons := must(compat.Find(t.Context()))(t)
	f := newLockField(t, goProcesses*goroutines+len(pythons))
	total := int64(soak.Length(100_000, 500_000))
	each := total/int64(goProcesses*goroutines+len(pythons)) + 1
	job := lockWorker{Increments: each, Patience: 60}
	began := time.Now()
	var workers []*runningWorker
	for range goProcesses {
		workers = append(workers, f.start(nil, job, goroutines))
	}
	for _, py := range pythons {
		workers = append(workers, f.start(&py, job, 1))
	}
	for _, w := range workers {
		if err := w.cmd.Wait(); err != nil {
			t.Errorf("%v: %v", w.cmd.Path, err)
		}
	}
	sum := int64(0)
	for layout, list := range f.lists {
		want := each * int64(len(f.slots[layout]))
		wantEqual(t, layout.String(), must(list.Int(0))(t), want)
		sum += want
	}
	wantState(t, f.lock, 1, 0)
	t.Logf("%d increments by %d processes in %v", sum, len(workers), time.Since(began))
}

// TestLockSurvivesKills kills workers at random, again and again. If the lock is left
// locked, the others exceed their deadlines, and Reset makes the lock usable. Each kill
// costs the count at most one increment, which was made and could not be noted any more.
func TestLockSurvivesKills(t *testing.T) {
	testkit.NeedSemaphores(t)
	pythons := must(compat.Find(t.Context()))(t)
	const goProcesses, goroutines, pythonProcesses = 2, 3, 3
	random := rand.New(rand.NewPCG(soak.Seed(t), 0))
	kills := soak.Length(8, 300)
	f := newLockField(t, 4+(goProcesses*goroutines+pythonProcesses)+kills*goroutines)
	job := lockWorker{Increments: -1, Patience: 0.2}
	nextPython := 0
	startPython := func() *runningWorker {
		nextPython++
		return f.start(&pythons[nextPython%len(pythons)], job, 1)
	}
	startGo := func() *runningWorker { return f.start(nil, job, goroutines) }

	k := &killer{lockField: f}
	defer k.killAll()
	k.killHolder(f.start(nil, lockWorker{Increments: -1, Patience: 60, Hold: true}, 1))
	k.killHolder(f.start(&pythons[0], lockWorker{Increments: -1, Patience: 60, Hold: true}, 1))
	for range goProcesses {
		k.workers = append(k.workers, startGo())
	}
	for range pythonProcesses {
		k.workers = append(k.workers, startPython())
	}
	for range kills {
		k.awaitProgress()
		i := random.IntN(len(k.workers))
		isGo := len(k.workers[i].Slots) > 1
		k.kill(i)
		if isGo {
			k.workers = append(k.workers, startGo())
		} else {
			k.workers = append(k.workers, startPython())
		}
	}
	k.awaitProgress()
	k.stop()
	for layout, list := range f.lists {
		acknowledged, count := f.acknowledged(layout), must(list.Int(0))(t)
		if count < acknowledged || count > acknowledged+int64(k.killed) {
			t.Errorf("%v: counted %d; %d increments were noted and %d workers killed", layout, count, acknowledged, k.killed)
		}
		t.Logf("%v: counted %d, %d noted", layout, count, acknowledged)
	}
	testLeakedWaiters(t, f, pythons[0])
	t.Logf("%d killed, %d resets, %d items torn", k.killed, k.resets, k.torn)
}

// A killer kills workers.
type killer struct {
	*lockField
	workers              []*runningWorker
	killed, resets, torn int
}

// killHolder kills a worker that certainly holds the lock.
func (k *killer) killHolder(w *runningWorker) {
	k.t.Helper()
	slot := w.Slots[0]
	for end := time.Now().Add(testkit.Patience); k.board.acknowledged(slot) == 0; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			k.t.Fatal("the worker does not get the lock")
		}
	}
	k.board.add(2*slot, -1) // the worker has noted it, but has not incremented
	wantTimeout(k.t, k.lock.Acquire(briefly(k.t)))
	k.end(w)
	wantTimeout(k.t, k.lock.Acquire(briefly(k.t)))
	check(k.t, k.lock.Reset())
	check(k.t, k.lock.Acquire(soon(k.t)))
	check(k.t, k.lock.Release())
}

func (k *killer) end(w *runningWorker) {
	w.cmd.Process.Kill()
	w.cmd.Wait()
}

// killAll leaves no process when the test has failed.
func (k *killer) killAll() {
	for _, w := range k.workers {
		k.end(w)
	}
}

// kill kills a worker and repairs the items that it has left.
func (k *killer) kill(i int) {
	k.t.Helper()
	w := k.workers[i]
	k.end(w)
	k.killed++
	k.workers = append(k.workers[:i], k.workers[i+1:]...)
	if k.isStuck() {
		k.mend()
		check(k.t, k.lock.Reset())
		k.resets++
	}
}

// isStuck reports whether the lock has been left locked: no live worker holds the lock if
// every one of them has waited for it in vain since.
func (k *killer) isStuck() bool {
	before := append(board(nil), k.board...)
	for end := time.Now().Add(testkit.Patience); ; time.Sleep(time.Millisecond) {
		waited := true
		for _, w := range k.workers {
			for _, slot := range w.Slots {
				// An increment that was under way may have been released before the kill.
				if k.board.acknowledged(slot) > before.acknowledged(slot)+1 {
					return false
				}
				waited = waited && k.board.timeouts(slot) > before.timeouts(slot)
			}
		}
		if waited {
			return true
		}
		if time.Now().After(end) {
			k.t.Fatal("workers neither go on nor get their deadlines")
		}
	}
}

// mend restores an item that a Python was assigning when it was killed: Python writes
// zeros first.
func (k *killer) mend() {
	k.t.Helper()
	for layout, list := range k.lists {
		v, err := list.Int(0)
		if acknowledged := k.acknowledged(layout); err != nil || v < acknowledged {
			check(k.t, list.SetInt(0, acknowledged))
			k.torn++
		}
	}
}

// awaitProgress waits until every worker has incremented, and a little longer.
func (k *killer) awaitProgress() {
	k.t.Helper()
	before := append(board(nil), k.board...)
	for _, w := range k.workers {
		for end := time.Now().Add(testkit.Patience); k.board.acknowledged(w.Slots[0]) == before.acknowledged(w.Slots[0]); time.Sleep(time.Millisecond) {
			if time.Now().After(end) {
				k.t.Fatalf("%v does not get on", w.cmd.Path)
			}
		}
	}
	time.Sleep(time.Duration(rand.IntN(3000)) * time.Microsecond)
}

// stop ends all workers in an orderly way.
func (k *killer) stop() {
	k.t.Helper()
	k.board.add(0, 1)
	for _, w := range k.workers {
		if err := w.cmd.Wait(); err != nil {
			k.t.Errorf("%v: %v", w.cmd.Path, err)
		}
	}
	k.workers = nil
}

// testLeakedWaiters: processes that were killed while they waited stay counted, which
// changes nothing for other processes.
func testLeakedWaiters(t *testing.T, f *lockField, py compat.Interpreter) {
	t.Helper()
	leaked := must(f.lock.Waiters())(t)
	t.Logf("%d waiters leaked", leaked)
	p := start(t, py, testkit.AttachHelper(t))
	check(t, p.Exec("from pyshm_attach import attach_lock\nshared = attach_lock("+strconv.Quote(f.lock.Name())+")"))
	for range 10 {
		check(t, f.lock.Acquire(soon(t)))
		done := later(p, "shared.acquire()")
		wantState(t, f.lock, 0, leaked+1)
		check(t, f.lock.Release())
		check(t, <-done)
		got := make(chan error)
		go func() { got <- f.lock.Acquire(soon(t)) }()
		wantState(t, f.lock, 0, leaked+1)
		check(t, p.Exec("shared.release()"))
		check(t, <-got)
		check(t, f.lock.Release())
	}
	wantState(t, f.lock, 1, leaked)
}
