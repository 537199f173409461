//go:build darwin || freebsd || pyshm_posix

package descriptor

import (
	"errors"
	"io/fs"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// pipeBuf is how many bytes a write to a ready pipe takes without blocking, if there is
// no other writer: PIPE_BUF of limits.h on macOS and FreeBSD.
const pipeBuf = 512

// A direction waits until a descriptor can be read from, or written to, in poll(2), which
// needs a thread as long as it waits. Go's poller waits for non-blocking descriptors only,
// and a queue of kqueue(2) cannot be made non-blocking: F_SETFL fails for it with ENOTTY.
type direction struct {
	events   int16
	wakeR    *os.File // ends poll(2) when it has a byte
	wakeW    *os.File
	turn     sync.Mutex // held by the goroutine that waits
	mu       sync.Mutex // guards the rest
	deadline time.Time
	waits    bool
	woken    bool // there is a byte
	closed   bool
}

func newDirection(_ int, write bool) (*direction, error) {
	d := &direction{events: unix.POLLIN}
	if write {
		d.events = unix.POLLOUT
	}
	var err error
	d.wakeR, d.wakeW, err = os.Pipe()
	return d, err
}

// when calls op with the descriptor as soon as it is ready. op must not block. If it returns
// EAGAIN, because another process was faster, when waits again.
func (d *direction) when(f *os.File, op func(fd int) error) error {
	d.turn.Lock()
	defer d.turn.Unlock()
	for {
		ready, err := d.wait(f)
		if err == nil && ready {
			err = control(f, op)
		}
		if err != nil && err != unix.EAGAIN || err == nil && ready {
			return err
		}
	}
}

// wait waits once. It may return without a reason.
func (d *direction) wait(f *os.File) (ready bool, err error) {
	timeout, err := d.begin()
	if err != nil {
		return false, err
	}
	defer d.end()
	err = control(f, func(fd int) error {
		return control(d.wakeR, func(wake int) error {
			fds := []unix.PollFd{{Fd: int32(fd), Events: d.events}, {Fd: int32(wake), Events: unix.POLLIN}}
			_, err := unix.Poll(fds, timeout)
			ready = fds[0].Revents != 0
			return err
		})
	})
	if err == unix.EINTR {
		err = nil
	}
	return ready, err
}

// longestPoll bounds the timeout of poll(2), in milliseconds.
const longestPoll = 1 << 30

// begin returns the timeout until the deadline, in milliseconds.
func (d *direction) begin() (timeout int, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	timeout = -1
	if !d.deadline.IsZero() {
		left := time.Until(d.deadline)
		if left <= 0 {
			err = os.ErrDeadlineExceeded
		}
		timeout = int(min(left/time.Millisecond+1, longestPoll))
	}
	if d.closed {
		err = fs.ErrClosed
	}
	d.waits = err == nil
	return timeout, err
}

func (d *direction) end() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.waits = false
	if d.woken {
		d.woken = false
		_, _ = d.wakeR.Read(make([]byte, 1)) // there is one
	}
}

// wake has a goroutine that waits look at the deadline again. d.mu is held.
func (d *direction) wake() {
	if d.waits && !d.woken {
		d.woken = true
		_, _ = d.wakeW.Write([]byte{0}) // the pipe is empty, and open until close has written
	}
}

// setDeadline sets when the waiting ends.
func (d *direction) setDeadline(t time.Time) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return fs.ErrClosed
	}
	d.deadline = t
	d.wake()
	return nil
}

// close ends the waiting, with fs.ErrClosed.
func (d *direction) close() {
	d.mu.Lock()
	again := d.closed
	d.closed = true
	d.wake()
	d.mu.Unlock()
	if again {
		return
	}
	d.turn.Lock() // until then a goroutine uses the pipe
	defer d.turn.Unlock()
	d.wakeR.Close()
	d.wakeW.Close()
}

// openAnew fails: it is for Linux.
func openAnew(int, int) (*os.File, error) { return nil, errors.ErrUnsupported }
