package futex

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// A crowd is a thread that waits in one futex_waitv for the words of up to 127
// goroutines. Each goroutine waits for a channel.
//
//	goroutine: come into a crowd, ring its bell, wait
//	thread:    admit the waiters that have come, sleep, dismiss the waiters that are done; again
//
// No wake is lost. A process changes the word before it wakes. While the thread
// sleeps, the wake is counted for the crowd. The kernel names only one of the
// words that were woken, so the thread looks at all of them afterwards. While the
// thread is awake, the wake goes to another process or to none; then the thread
// sees the new value when it loads the word, or the kernel does when the thread goes to
// sleep again. If a word has its old value again, its goroutine need not wake up: it
// would only go back to sleep.
//
// No alarm is missed. It changes the bell after its own state. If the thread loads the
// bell before the change, the bell ends its sleep. Otherwise the thread sees the alarm's
// state before it goes to sleep.
//
// A goroutine leaves only while the thread is awake. So no wake is counted for a
// goroutine that has left, and the kernel never looks at a word after its waiter
// has left and its memory may be gone.
type crowd struct {
	bell uint32 // a private futex, in front of the words; each ring changes its value

	size   int       // waiters that are present or coming; crowds protects it
	coming []*waiter // waiters that the thread does not know yet; crowds protects them

	present  []*waiter // only the thread uses present and the fields after it
	vector   [maxWaitv]waitv
	restless int // how many times in a row the thread was denied its sleep
}

const maxCrowd = maxWaitv - 1 // without the bell

// A waiter is one Wait.
type waiter struct {
	word  *uint32
	old   uint32
	end   time.Time
	alarm *Alarm
	slept bool       // to be read after done
	done  chan error // gets one element
}

// crowds has all the crowds.
var crowds struct {
	sync.Mutex
	all []*crowd
}

// waitInCrowd blocks the goroutine, and shares its thread with others.
func waitInCrowd(word *uint32, old uint32, timeout time.Duration, alarm *Alarm) (slept bool, err error) {
	w := &waiter{word: word, old: old, end: time.Now().Add(timeout), alarm: alarm, done: make(chan error, 1)}
	if c, first := w.come(); first {
		c.ring()
	}
	err = <-w.done
	return w.slept, err
}

// come brings w into a crowd that has room for it, and reports whether w is the
// first to come since the thread last admitted waiters.
func (w *waiter) come() (c *crowd, first bool) {
	crowds.Lock()
	defer crowds.Unlock()
	i := slices.IndexFunc(crowds.all, func(c *crowd) bool { return c.size < maxCrowd })
	if i < 0 {
		i = len(crowds.all)
		crowds.all = append(crowds.all, new(crowd))
		go crowds.all[i].run()
	}
	c = crowds.all[i]
	c.size++
	c.coming = append(c.coming, w)
	w.alarm.crowd = c
	return c, len(c.coming) == 1
}

// ring wakes the thread, or keeps it from going to sleep.
func (c *crowd) ring() {
	atomic.AddUint32(&c.bell, 1)
	_, _ = wake(&c.bell, opWake|private, 1) // cannot fail: the bell is always mapped
}

// run is the crowd's goroutine. It ends when the last waiter has left.
func (c *crowd) run() {
	for {
		bell := atomic.LoadUint32(&c.bell) // before admit: a waiter that comes after it changes the bell
		if !c.admit() {
			return
		}
		woken, errno := c.sleep(bell)
		slept := errno == 0 || errno == unix.ETIMEDOUT
		dismissed := c.dismiss(woken, slept)
		switch {
		case slept:
			c.restless = 0
		case !dismissed && atomic.LoadUint32(&c.bell) == bell:
			time.Sleep(vainPause)
			fallthrough
		default:
			c.calm()
		}
	}
}

// admit takes in the waiters that have come. It returns false if there are none: then
// the crowd has ended and no more waiters will come.
func (c *crowd) admit() bool {
	crowds.Lock()
	defer crowds.Unlock()
	c.present = append(c.present, c.coming...)
	clear(c.coming)
	c.coming = c.coming[:0]
	c.size = len(c.present)
	if c.size == 0 {
		i := slices.Index(crowds.all, c)
		crowds.all = slices.Delete(crowds.all, i, i+1)
	}
	return c.size > 0
}

// sleep waits for the bell and all the words, until the first timeout. woken is
// an index in present, or negative.
func (c *crowd) sleep(bell uint32) (woken int, errno unix.Errno) {
	c.vector[0] = waitvFor(&c.bell, bell, private)
	end := c.present[0].end
	for i, w := range c.present {
		if w.alarm.rung.Load() { // perhaps before the bell was loaded
			return -1, unix.EAGAIN
		}
		c.vector[1+i] = waitvFor(w.word, w.old, 0)
		if w.end.Before(end) {
			end = w.end
		}
	}
	woken, errno = waitAny(c.vector[:1+len(c.present)], time.Until(end))
	return woken - 1, errno
}

// dismiss sends away the waiters that are done: the waiter that was woken, and waiters
// whose word has changed, whose word is gone, whose alarm has rung or whose time is over.
// It reports whether there were any.
func (c *crowd) dismiss(woken int, slept bool) (dismissed bool) {
	now := time.Now()
	staying := c.present[:0]
	for i, w := range c.present {
		w.slept = w.slept || slept
		v, err := load(w.word)
		if err == nil && v == w.old && i != woken && !w.alarm.rung.Load() && now.Before(w.end) {
			staying = append(staying, w)
		} else {
			w.done <- err
		}
	}
	dismissed = len(staying) < len(c.present)
	clear(c.present[len(staying):])
	c.present = staying
	return dismissed
}

// A process that changes a word to and fro can keep a thread from sleeping, although
// the thread always loads the old value. So the thread pauses after a round in vain.
// After some rounds without sleep it dismisses all waiters: a wake that comes without a
// new value cannot reach them while the thread does not sleep.
// Both measures also help if the system call fails for a reason that no word shows.
const (
	vainPause   = 50 * time.Microsecond
	maxRestless = 128
)

// calm counts a round without sleep, and dismisses all waiters after too many.
func (c *crowd) calm() {
	if c.restless++; c.restless < maxRestless {
		return
	}
	c.restless = 0
	for _, w := range c.present {
		w.done <- nil
	}
	clear(c.present)
	c.present = c.present[:0]
}
