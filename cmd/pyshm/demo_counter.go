package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/pyshm-go/pyshm/compat"
	"github.com/pyshm-go/pyshm/pyshm"
	"github.com/pyshm-go/pyshm/scripts"
)

const (
	increments = 1000 // by each side

	// pause comes between reading the counter and writing it. It gives the other side
	// time to do the same, unless a lock prevents that. It also comes between two
	// steps: a side that has waited for the lock needs time to wake up, before this
	// side acquires the lock again.
	pause = 200 * time.Microsecond
)

// A counter is item 0 of a list, to which Go and Python add 1 at the same time. Items
// 1 and 2 count the additions of Go and of Python.
type counter struct {
	*demo
	items  []int64 // the memory of the list
	theirs string  // the list in Python
}

// A side acquires a holder while it adds 1: a lock, or nothing.
type holder interface {
	Acquire(context.Context) error
	Release() error
}

type nothing struct{}

func (nothing) Acquire(context.Context) error { return nil }
func (nothing) Release() error                { return nil }

func (c *counter) add(ctx context.Context, lock holder) error {
	for done := range int64(increments) {
		if err := ctx.Err(); err != nil { // a lock that is free does not look at ctx
			return err
		}
		if err := lock.Acquire(ctx); err != nil {
			return err
		}
		n := c.items[0]
		wait(pause)
		c.items[0] = n + 1
		if err := lock.Release(); err != nil {
			return err
		}
		atomic.StoreInt64(&c.items[1], done+1)
		wait(pause)
	}
	return nil
}

// addInPython is counter.add in Python.
var addInPython = fmt.Sprintf(`
import contextlib, time

def add(items, lock):
    for done in range(1, %[1]d + 1):
        with lock:
            n = items[0]
            time.sleep(%[2]g)
            items[0] = n + 1
        items[2] = done
        time.sleep(%[2]g)
`, increments, pause.Seconds())

// count has Go and Python count together, under a lock that Go makes, and
// without one.
func (d *demo) count(ctx context.Context) (err error) {
	lock, err := pyshm.CreateLock(d.stem + "_lock")
	if errors.Is(err, errors.ErrUnsupported) {
		return d.say("Go", "makes no lock", "Python's locks have no names on this system")
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lock.Unlink(), lock.Close()) }()
	if err := d.say("Go", "makes "+lock.Name(), "a multiprocessing.Lock"); err != nil {
		return err
	}
	if err := d.python.Exec(scripts.AttachHelper() + addInPython); err != nil {
		return err
	}
	err = d.python.Exec(fmt.Sprintf("lock = attach_lock(%q)", lock.Name()))
	if isOtherLibc(err) {
		return d.say("Python", "cannot attach to it", "locks of its libc differ from locks of glibc")
	}
	if err != nil {
		return err
	}
	return d.countTogether(ctx, lock)
}

// isOtherLibc reports whether Python could not attach to a lock that exists.
func isOtherLibc(err error) bool {
	exception, ok := errors.AsType[*compat.PythonError](err)
	return ok && (exception.Type == "FileNotFoundError" || exception.Type == "ValueError")
}

func (d *demo) countTogether(ctx context.Context, lock *pyshm.Lock) (err error) {
	layout := pyshm.Layout(d.python.Interpreter().Layout())
	list, err := pyshm.CreateListOf(d.stem+"_sum", []int64{0, 0, 0}, layout)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, list.Unlink(), list.Close()) }()
	items, err := list.ViewInts()
	if err != nil {
		return err
	}
	theirs, err := d.python.AttachList(list.Name())
	if err != nil {
		return err
	}
	c := &counter{d, items, theirs.Var()}

	if err := c.run(ctx, "adds 1 under the lock", lock, "lock"); err != nil {
		return err
	}
	if items[0] != 2*increments {
		return fmt.Errorf("demo: Go and Python should have counted to %d", 2*increments)
	}
	return c.run(ctx, "adds 1 without the lock", nothing{}, "contextlib.nullcontext()")
}

// run has both sides count from 0, prints their progress, and the count in the end.
func (c *counter) run(ctx context.Context, what string, lock holder, theirLock string) (err error) {
	clear(c.items)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ended := make(chan error)
	go func() { ended <- c.add(ctx, lock) }()
	go func() { ended <- c.python.Exec(fmt.Sprintf("add(%s, %s)", c.theirs, theirLock)) }()

	bars := newProgress(c, what)
	defer bars.stop()
	for running := 2; running > 0; {
		var failed error
		select {
		case failed = <-ended:
			running--
		case <-bars.due:
			failed = bars.draw()
		}
		if failed != nil {
			err = cmp.Or(err, failed)
			cancel() // Python may have ended without releasing the lock
		}
	}
	if err != nil {
		return err
	}
	if err := bars.draw(); err != nil {
		return err
	}
	return c.say("Both", "have counted to", fmt.Sprint(c.items[0]))
}
