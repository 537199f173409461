package pyshm

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"time"
)

// Wait waits until all parties have called Wait, and returns an index from 0 to the number
// of parties minus 1, which is another one for each party. If the barrier is broken, or
// breaks meanwhile, the error is [ErrBroken].
//
// When ctx is done before all parties have come, Wait breaks the barrier, as a timeout
// does in Python, and the error is both ErrBroken and ctx.Err(). If Wait could not yet
// count this party, because the lock was held or parties of the last round were still
// leaving, the barrier stays as it is, and the error is ctx.Err() alone.
//
// The last party wakes the others, and waits until they have woken up, a second beyond the
// end of ctx at most. Then it breaks the barrier: a party has died, or is stopped.
func (b *Barrier) Wait(ctx context.Context) (index int, err error) {
	err = b.visit("wait", ctx, func(v *visit) (err error) {
		index, err = v.pass()
		return err
	})
	if err != nil {
		return 0, err
	}
	return index, nil
}

// Abort breaks the barrier: parties that wait, and parties that come later, get
// [ErrBroken]. If ctx is done while Abort waits for the lock, the barrier stays as it is.
// If it is done while Abort waits until the others have woken up, the barrier is broken.
// In both cases the error is ctx.Err().
func (b *Barrier) Abort(ctx context.Context) error {
	return b.visit("abort", ctx, func(v *visit) error {
		return v.change(func(w *barrierWords) { w.state = barrierBroken })
	})
}

// Reset makes the barrier empty and whole again, also if it is broken. Parties that wait
// get [ErrBroken]. A context that is done has the same effect as in [Barrier.Abort].
//
// Reset does not help if a party has died while it was counted: see [Barrier.Repair].
func (b *Barrier) Reset(ctx context.Context) error {
	return b.visit("reset", ctx, func(v *visit) error {
		return v.change(func(w *barrierWords) {
			switch {
			case w.count == 0:
				w.state = barrierFilling
			case w.state == barrierFilling || w.state == barrierBroken:
				w.state = barrierResetting
			}
		})
	})
}

// Repair makes a barrier usable again after a process has died that held its lock or
// waited for it: no party is counted afterwards. [Event.Reset] does the same for an event.
//
// Repair cannot know which processes live: it leaves processes that wait for the barrier
// without a wake. Only call it when all other users of the barrier are known to be gone.
func (b *Barrier) Repair() error {
	return b.cond.call("repair", context.Background(), func(context.Context) error {
		if _, err := b.cond.lock.TryAcquire(); err != nil {
			return err
		}
		if err := b.words.Set(barrierWords{}); err != nil {
			return err
		}
		return b.cond.reset()
	})
}

// visitPatience is how long a visit goes on after its context is done, for steps that
// other processes should not have to wait for: acquiring the lock again, which processes
// hold for moments only, and waking others.
const visitPatience = time.Second

// A visit is a call of a method that acquires the lock.
type visit struct {
	*Barrier
	ctx   context.Context
	grace context.Context // done some time after ctx
	held  bool            // the visit has the lock
}

// visit calls f with the lock held, and releases the lock.
func (b *Barrier) visit(op string, ctx context.Context, f func(v *visit) error) error {
	return b.cond.call(op, ctx, func(ctx context.Context) (err error) {
		if err := b.cond.lock.Acquire(ctx); err != nil {
			return err
		}
		grace, cancel := context.WithCancel(context.WithoutCancel(ctx))
		defer cancel()
		defer context.AfterFunc(ctx, func() { time.AfterFunc(visitPatience, cancel) })()
		v := &visit{Barrier: b, ctx: ctx, grace: grace, held: true}
		defer func() {
			if v.held {
				if released := b.cond.lock.Release(); err == nil {
					err = released
				}
			}
		}()
		return f(v)
	})
}

// pass counts this party, waits for the others, and takes it out of the count.
func (v *visit) pass() (index int, err error) {
	last, index, err := v.enter()
	if err != nil {
		return 0, err
	}
	if last {
		err = v.release()
	} else {
		err = v.await()
	}
	if !v.held {
		return 0, err
	}
	left := v.leave()
	return index, cmp.Or(err, left)
}

// enter waits until the parties of the last round have left, and counts this one.
func (v *visit) enter() (last bool, index int, err error) {
	for slept := false; ; {
		w, err := v.load()
		switch {
		case err != nil:
			return false, 0, err
		case w.state == barrierBroken:
			return false, 0, ErrBroken
		case w.state != barrierFilling:
			if late := v.ctx.Err(); slept && late != nil {
				return false, 0, late
			}
			if err := v.sleep(); err != nil {
				return false, 0, err
			}
			slept = true
		case w.count == v.parties: // a full barrier drains
			return false, 0, v.corrupt(w)
		default:
			w.count++
			return w.count == v.parties, int(w.count - 1), v.words.Set(w)
		}
	}
}

// release lets the others pass.
func (v *visit) release() error {
	err := v.change(func(w *barrierWords) { w.state = barrierDraining })
	if err == nil || v.ctx.Err() == nil {
		return err
	}
	if w, err := v.load(); err == nil {
		w.state = barrierBroken
		_ = v.words.Set(w) // a fault meets leave, too
	}
	return v.gaveUp("a party that waits does not wake up")
}

// await waits until the last party has come.
func (v *visit) await() error {
	for over := false; ; {
		w, err := v.load()
		switch {
		case err != nil:
			return err
		case w.state == barrierDraining:
			return nil
		case w.state != barrierFilling:
			return ErrBroken
		case over:
			_ = v.change(func(w *barrierWords) { w.state = barrierBroken }) // others may be dead
			return v.gaveUp("not all parties have come")
		}
		err = v.sleep()
		switch {
		case err != nil && v.ctx.Err() == nil:
			return err
		case !v.held:
			return v.gaveUp("the lock is not released, so that this party stays counted until Repair")
		}
		over = v.ctx.Err() != nil // also after a notification: other processes may add any number
	}
}

// leave takes this party out of the count. The last one makes room for the next round.
func (v *visit) leave() error {
	w, err := v.load()
	if err == nil && w.count == 0 {
		err = v.corrupt(w)
	}
	if err != nil {
		return err
	}
	w.count--
	empty := w.count == 0 && (w.state == barrierDraining || w.state == barrierResetting)
	if empty {
		w.state = barrierFilling
	}
	if err := v.words.Set(w); err != nil || !empty {
		return err
	}
	if err := v.notifyAll(); v.ctx.Err() == nil {
		return err
	}
	return nil // this party has passed
}

// change changes the state, and wakes the parties that wait.
func (v *visit) change(f func(w *barrierWords)) error {
	w, err := v.load()
	if err != nil {
		return err
	}
	f(&w)
	if err := v.words.Set(w); err != nil {
		return err
	}
	return v.notifyAll()
}

func (v *visit) notifyAll() error {
	err := v.cond.notifyHeld(v.grace, math.MaxInt)
	if err != nil && v.grace.Err() != nil {
		return v.ctx.Err()
	}
	return err
}

// sleep releases the lock, waits to be notified, and acquires the lock again. If it could
// not, v.held is false.
func (v *visit) sleep() error {
	held, err := v.cond.sleep(v.ctx)
	if held {
		return err
	}
	lockErr := v.cond.lock.Acquire(v.grace)
	v.held = lockErr == nil
	if lockErr != nil && v.grace.Err() != nil {
		return v.ctx.Err()
	}
	return cmp.Or(lockErr, err)
}

// gaveUp returns the error of a party whose context is done.
func (v *visit) gaveUp(why string) error {
	err := v.ctx.Err()
	return &reason{fmt.Sprintf("%v: %s: %v", err, why, ErrBroken), errors.Join(err, ErrBroken)}
}
