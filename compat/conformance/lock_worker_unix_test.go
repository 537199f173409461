//go:build unix

package conformance

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pyshm-go/pyshm/compat"
	"github.com/pyshm-go/pyshm/format"
	"github.com/pyshm-go/pyshm/internal/testkit"
	"github.com/pyshm-go/pyshm/pyshm"
)

// A lockWorker is a process that increments item 0 of a list under a lock, in Go or in
// Python. It notes its work on a board, a block of int64s:
//
//	[0]     not 0: stop
//	[2s]    increments whose release has returned, by slot s
//	[2s+1]  times that slot s has waited in vain
//
// A Go worker has a slot for each goroutine, a Python worker one.
type lockWorker struct {
	Lock, List, Board string
	Slots             []int
	Increments        int64   // of each slot; -1: until it is stopped
	Patience          float64 // seconds
	Hold              bool    // stop forever with the lock held
}

// lockWorkerScript is the same in Python. Assignment to a memoryview is a single
// store, which a reader, and SIGKILL, sees as a whole.
const lockWorkerScript = `
import json, sys, time
from pyshm_attach import attach_block, attach_list, attach_lock
job = json.loads(sys.argv[1])
lock, items = attach_lock(job["Lock"]), attach_list(job["List"])
block = attach_block(job["Board"])
board = block.buf.cast("q")
slot, = job["Slots"]
done = 0
while not board[0] and done != job["Increments"]:
    if not lock.acquire(True, job["Patience"]):
        board[2 * slot + 1] += 1
        continue
    if job["Hold"]:
        board[2 * slot] = 1
        time.sleep(3600)
    items[0] = items[0] + 1
    lock.release()
    done += 1
    board[2 * slot] = done
board.release()
`

// The Go worker gets its lockWorker as JSON, like the Python worker.
func init() {
	testkit.Roles["lock worker"] = func(args []string, _ <-chan string) error {
		var w lockWorker
		if err := json.Unmarshal([]byte(args[0]), &w); err != nil {
			return err
		}
		return w.run()
	}
}

func (w lockWorker) run() error {
	lock, err := pyshm.AttachLock(w.Lock)
	if err != nil {
		return err
	}
	list, err := pyshm.AttachList(w.List)
	if err != nil {
		return err
	}
	board, err := attachBoard(w.Board)
	if err != nil {
		return err
	}
	errs := make([]error, len(w.Slots))
	var all sync.WaitGroup
	for i, slot := range w.Slots {
		all.Go(func() { errs[i] = w.increment(lock, list, board, slot) })
	}
	all.Wait()
	return errors.Join(errs...)
}

func (w lockWorker) increment(lock *pyshm.Lock, list *pyshm.ShareableList, board board, slot int) error {
	for board.get(0) == 0 && board.acknowledged(slot) != w.Increments {
		ctx, cancel := context.WithTimeout(context.Background(), seconds(w.Patience))
		err := lock.Acquire(ctx)
		cancel()
		if errors.Is(err, context.DeadlineExceeded) {
			board.add(2*slot+1, 1)
			continue
		}
		if err != nil {
			return err
		}
		if w.Hold {
			board.add(2*slot, 1)
			time.Sleep(time.Hour)
		}
		v, err := list.Int(0)
		if err == nil {
			err = list.SetInt(0, v+1)
		}
		if err != nil {
			return err
		}
		if err := lock.Release(); err != nil {
			return err
		}
		board.add(2*slot, 1)
	}
	return nil
}

// A board is a block to which lock workers write. Each word has one writer.
type board []int64

func attachBoard(name string) (board, error) {
	m, err := pyshm.Attach(name)
	if err != nil {
		return nil, err
	}
	return pyshm.View[int64](m, 0, m.Size()/8)
}

func (b board) get(i int) int64             { return atomic.LoadInt64(&b[i]) }
func (b board) add(i int, n int64)          { atomic.AddInt64(&b[i], n) }
func (b board) acknowledged(slot int) int64 { return b.get(2 * slot) }
func (b board) timeouts(slot int) int64     { return b.get(2*slot + 1) }

// A lockField has the segments that lock workers share: a lock, a list in each layout,
// both protected by the lock, and a board.
type lockField struct {
	t      *testing.T
	lock   *pyshm.Lock
	lists  map[format.Layout]*pyshm.ShareableList
	name   string // of the board
	board  board
	slots  map[format.Layout][]int // by which of the lists they increment
	next   int                     // slot
	helper string                  // folder of pyshm_attach.py
}

func newLockField(t *testing.T, slots int) *lockField {
	t.Helper()
	f := &lockField{t: t, slots: map[format.Layout][]int{}, lists: map[format.Layout]*pyshm.ShareableList{}, next: 1, helper: testkit.HelperDir(t)}
	f.lock = must(pyshm.CreateLock(testkit.Name(t)))(t)
	t.Cleanup(func() { f.lock.Unlink(); f.lock.Close() })
	for _, layout := range []format.Layout{format.Offsets, format.Sizes} {
		list := must(pyshm.CreateList(testkit.Name(t), []any{0}, pyshm.Layout(layout)))(t)
		t.Cleanup(func() { list.Unlink(); list.Close() })
		f.lists[layout] = list
	}
	block := must(pyshm.Create(testkit.Name(t), 16*(slots+1)))(t)
	t.Cleanup(func() { block.Unlink(); block.Close() })
	f.name, f.board = block.Name(), must(pyshm.View[int64](block, 0, 2*(slots+1)))(t)
	return f
}

// A runningWorker is a lockWorker as a process.
type runningWorker struct {
	lockWorker
	cmd *exec.Cmd
}

// start starts a worker: one in Go if py is nil, else one in Python.
func (f *lockField) start(py *compat.Interpreter, w lockWorker, goroutines int) *runningWorker {
	f.t.Helper()
	layout := format.Offsets
	if py != nil {
		layout, goroutines = py.Layout(), 1
	}
	w.Lock, w.List, w.Board = f.lock.Name(), f.lists[layout].Name(), f.name
	for range goroutines {
		w.Slots = append(w.Slots, f.next)
		f.slots[layout] = append(f.slots[layout], f.next)
		f.next++
	}
	job := string(must(json.Marshal(w))(f.t))
	cmd := testkit.Command(f.t, "lock worker", job)
	if py != nil {
		cmd = exec.CommandContext(f.t.Context(), py.Path, "-c", lockWorkerScript, job)
		cmd.Env = append(os.Environ(), "PYTHONPATH="+f.helper, "PYTHONDONTWRITEBYTECODE=")
	}
	cmd.Stderr = os.Stderr
	check(f.t, cmd.Start())
	return &runningWorker{w, cmd}
}

// acknowledged returns the sum of the increments that the workers of one list have noted.
func (f *lockField) acknowledged(layout format.Layout) (sum int64) {
	for _, slot := range f.slots[layout] {
		sum += f.board.acknowledged(slot)
	}
	return sum
}
