package descriptor

import (
	"errors"
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// A Pipe is both ends of a pipe or a FIFO. Only this process uses their open files.
type Pipe struct {
	R, W *os.File
}

// Locate returns a file that stands for a descriptor of a process, or of this one if pid
// is 0. It can be given to [OpenPipe] only.
func Locate(pid, fd int) (*os.File, error) {
	process := "self"
	if pid != 0 {
		process = strconv.Itoa(pid)
	}
	path := "/proc/" + process + "/fd/" + strconv.Itoa(fd)
	found, err := unix.Open(path, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return os.NewFile(uintptr(found), path), nil
}

// ErrNotPipe is the reason when two files are not the ends of one pipe.
var ErrNotPipe = errors.New("they are not the ends of one pipe")

// OpenPipe opens the ends of a pipe anew, and returns its inode. The files come from
// [Locate], and stay open. O_NONBLOCK of the new open files concerns no other process.
func OpenPipe(reader, writer *os.File) (p *Pipe, inode uint64, err error) {
	r, err := stat(reader)
	if err != nil {
		return nil, 0, err
	}
	w, err := stat(writer)
	if err != nil {
		return nil, 0, err
	}
	if r.Mode&unix.S_IFMT != unix.S_IFIFO || r.Dev != w.Dev || r.Ino != w.Ino {
		return nil, 0, ErrNotPipe
	}
	p = new(Pipe)
	if p.R, err = openEnd(reader, unix.O_RDONLY); err != nil {
		return nil, 0, err
	}
	if p.W, err = openEnd(writer, unix.O_WRONLY); err != nil {
		p.R.Close()
		return nil, 0, err
	}
	return p, r.Ino, nil
}

func stat(f *os.File) (st unix.Stat_t, err error) {
	err = control(f, func(fd int) error { return unix.Fstat(fd, &st) })
	return st, err
}

func openEnd(f *os.File, mode int) (end *os.File, err error) {
	err = control(f, func(fd int) error {
		end, err = reopen(fd, mode)
		return err
	})
	return end, err
}

// reopen opens a pipe anew. It fails without /proc, for the pipe of another user, and for
// the write end of a pipe that has no reader any more.
func reopen(fd, mode int) (*os.File, error) {
	again, err := unix.Open("/proc/self/fd/"+strconv.Itoa(fd), mode|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(again), "pipe"), nil
}

// Pending returns how many bytes the pipe holds.
func (p *Pipe) Pending() (n int, err error) {
	err = control(p.R, func(fd int) error {
		n, err = unix.IoctlGetInt(fd, unix.TIOCINQ) // FIONREAD
		return err
	})
	return n, err
}

// HasRoom reports whether a write would not have to wait, at least with its first byte.
func (p *Pipe) HasRoom() (ready bool, err error) {
	err = control(p.W, func(fd int) error {
		ready, err = hasRoom(fd)
		return err
	})
	return ready, err
}

func hasRoom(fd int) (bool, error) {
	fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLOUT}}
	n, err := ignoringEINTR(func() (int, error) { return unix.Poll(fds, 0) })
	return n > 0, err
}

// AwaitRoom waits until HasRoom would report true, or until the deadline for writing.
func (p *Pipe) AwaitRoom() error {
	raw, err := p.W.SyscallConn()
	if err != nil {
		return err
	}
	var roomErr error
	err = raw.Write(func(fd uintptr) bool {
		ready, err := hasRoom(int(fd))
		roomErr = err
		return ready || err != nil
	})
	return errors.Join(err, roomErr)
}

// A TryWriter writes to a pipe as much as there is room for. If that is not all, the error
// is os.ErrDeadlineExceeded, as after a deadline that has passed.
type TryWriter struct{ *Pipe }

// Write implements io.Writer.
func (w TryWriter) Write(p []byte) (written int, err error) {
	err = control(w.W, func(fd int) error {
		n, err := ignoringEINTR(func() (int, error) { return unix.Write(fd, p) })
		written = max(n, 0)
		return err
	})
	if err == unix.EAGAIN || err == nil && written < len(p) {
		err = os.ErrDeadlineExceeded
	}
	return written, err
}

// Peek returns what the pipe holds, and leaves it there.
func (p *Pipe) Peek() (content []byte, err error) {
	err = control(p.R, func(fd int) error {
		content, err = peek(fd)
		return err
	})
	return content, err
}

// peek copies the content to another pipe, which has to have room for as many pages.
func peek(fd int) ([]byte, error) {
	size, err := unix.FcntlInt(uintptr(fd), unix.F_GETPIPE_SZ, 0)
	if err != nil {
		return nil, err
	}
	var ends [2]int
	if err := unix.Pipe2(ends[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
		return nil, err
	}
	defer unix.Close(ends[0])
	defer unix.Close(ends[1])
	if _, err := unix.FcntlInt(uintptr(ends[1]), unix.F_SETPIPE_SZ, size); err != nil {
		return nil, err
	}
	n, err := ignoringEINTR(func() (int, error) {
		n, err := unix.Tee(fd, ends[1], size, unix.SPLICE_F_NONBLOCK)
		return int(n), err
	})
	if err == unix.EAGAIN { // it is empty
		return nil, nil
	}
	content := make([]byte, max(n, 0))
	for got := 0; err == nil && got < len(content); {
		n, err = unix.Read(ends[0], content[got:])
		got += max(n, 0)
	}
	return content, err
}

// TryLock takes a lock that one user of the pipe, in whatever process, has at a time. The
// lock ends with Unlock, or with this process. Users of one Pipe share its lock.
func (p *Pipe) TryLock() (locked bool, err error) {
	err = p.flock(unix.LOCK_EX | unix.LOCK_NB)
	if err == unix.EWOULDBLOCK {
		return false, nil
	}
	return err == nil, err
}

// Unlock gives the lock of TryLock back.
func (p *Pipe) Unlock() { _ = p.flock(unix.LOCK_UN) } // fails only if the pipe is closed

func (p *Pipe) flock(how int) error {
	return control(p.R, func(fd int) error {
		_, err := ignoringEINTR(func() (int, error) { return 0, unix.Flock(fd, how) })
		return err
	})
}

// CloseInherited closes a descriptor of this process that no os.File has.
func CloseInherited(fd int) error { return unix.Close(fd) }
