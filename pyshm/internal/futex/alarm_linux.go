package futex

import (
	"sync/atomic"
	"time"
)

// An Alarm ends the Waits that it is given to, for another reason than a new value of
// their word. The zero value is ready for use. One Wait at a time may have it.
type Alarm struct {
	rung  atomic.Bool
	alone atomic.Pointer[uint32] // the word, from just before to just after a thread's sleep
	crowd *crowd                 // the latest crowd that the Wait came into; crowds protects it
}

// Ring ends the Wait that has the alarm. Later Waits with it return at once. Ring may
// wake other waiters of the word too.
func (a *Alarm) Ring() {
	if a.rung.Swap(true) {
		return
	}
	a.ringCrowd()
	// A single wake would get lost if the thread was about to sleep and not yet asleep.
	for pause := time.Microsecond; ; pause = min(2*pause, time.Millisecond) {
		word := a.alone.Load()
		if word == nil {
			return
		}
		_, _ = wake(word, opWake, All) // fails if the memory is gone: then the thread sees that, too
		time.Sleep(pause)
	}
}

// ringCrowd rings the bell of the crowd, which the thread of the crowd cannot miss.
func (a *Alarm) ringCrowd() {
	crowds.Lock()
	c := a.crowd
	crowds.Unlock()
	if c != nil {
		c.ring()
	}
}
