//go:build !posixshm

package shmfile

import (
	"crypto/rand"
	"errors"
	"io"
	"io/fs"
	"os"
	"strconv"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// Dir is the folder where glibc and musl keep segments.
const Dir = "/dev/shm"

const (
	// NamesFirst reports that a segment has its name before its content.
	NamesFirst = false
	// KeepsNames reports that a name stays until it is unlinked.
	KeepsNames = true
	// RandomPrefix begins the names that Python chooses.
	RandomPrefix = "psm_"
	// LongestName is how many bytes a name may have.
	LongestName = 255
)

// reserveStep is how many bytes Reserve asks for, and Fill writes, at a time.
const reserveStep = 16 << 20

// A File is an open segment.
type File struct {
	fd     int
	hidden string // temporary name that Close removes, or ""
	leased bool   // Close ends the lease
	opened Info   // what Open has seen, until Stat returns it
}

// New makes an empty segment that no other process can see yet, with exactly the
// permissions of mode. Publish gives the segment its name. If it is not called, nothing
// is left of the segment after Close.
func New(mode fs.FileMode) (*File, error) {
	f, err := newUnnamed()
	if err != nil {
		// If the same reason makes newHidden fail too, newHidden reports it.
		f, err = newHidden()
	}
	if err != nil {
		return nil, blame(err, unix.W_OK|unix.X_OK)
	}
	// The umask would cut a mode given to open(2).
	if err := unix.Fchmod(f.fd, uint32(mode.Perm())); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// newUnnamed makes a segment without any name, so that a crash leaves nothing behind. It
// needs O_TMPFILE to make the segment, and the kernel's help or /proc to name it later.
func newUnnamed() (*File, error) {
	fd, err := open(Dir, unix.O_TMPFILE|unix.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	f := &File{fd: fd}
	if linksDescriptors.Load() {
		return f, nil
	}
	if err := unix.Access(f.procPath(), unix.F_OK); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// linksDescriptors reports whether the kernel has named a file by its descriptor before:
// Linux 6.10 and later do, and older ones for root. /proc is a slower way to do it.
var linksDescriptors atomic.Bool

// newHidden makes a segment under a temporary name.
func newHidden() (*File, error) {
	for {
		name := hiddenName()
		fd, err := open(pathOf(name), unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW|unix.O_RDWR, 0o600)
		if err == nil {
			return &File{fd: fd, hidden: name}, nil
		}
		if !errors.Is(err, fs.ErrExist) {
			return nil, err
		}
	}
}

// Open opens the segment called name and changes nothing. If the file is not regular,
// the error is [ErrSpecial] or the error of open(2). While another process has a lease
// on the segment, the error is EAGAIN.
func Open(name string, readOnly bool) (*File, error) {
	f, err := openRegular(name, readOnly)
	return f, blame(err, unix.X_OK)
}

// OpenPatiently is Open for a name that a caller has asked for: it waits up to a
// second for the end of a lease. It is not for loops over the names of all users,
// because any user could then delay this process for as long as they like.
func OpenPatiently(name string, readOnly bool) (*File, error) {
	for end := time.Now().Add(leasePatience); ; time.Sleep(time.Millisecond) {
		f, err := Open(name, readOnly)
		if err != unix.EAGAIN || time.Now().After(end) {
			return f, err
		}
	}
}

// leasePatience is how long OpenPatiently waits.
const leasePatience = time.Second

func openRegular(name string, readOnly bool) (*File, error) {
	// Opening a FIFO would let its writer go on, and the data would be lost. open(2)
	// itself refuses symbolic links and, for writing, directories.
	var st unix.Stat_t
	path := pathOf(name)
	if err := unix.Lstat(path, &st); err != nil {
		return nil, err
	}
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFREG, unix.S_IFLNK, unix.S_IFDIR:
	default:
		return nil, ErrSpecial
	}
	access := unix.O_RDWR
	if readOnly {
		access = unix.O_RDONLY
	}
	fd, err := open(path, access|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	f := &File{fd: fd}
	if err := f.checkRegular(); err != nil { // another file may have the name since Lstat
		f.Close()
		return nil, err
	}
	return f, nil
}

func (f *File) checkRegular() error {
	info, err := f.Stat()
	if err == nil && !info.Mode.IsRegular() {
		err = ErrSpecial
	}
	f.opened = info
	return err
}

// Fd returns the descriptor, which is valid until Close.
func (f *File) Fd() int { return f.fd }

// Stat describes the open segment, the first time after Open as Open has found it.
func (f *File) Stat() (Info, error) {
	if info := f.opened; info != (Info{}) {
		f.opened = Info{}
		return info, nil
	}
	var st unix.Stat_t
	if err := unix.Fstat(f.fd, &st); err != nil {
		return Info{}, err
	}
	return infoOf(&st), nil
}

// Truncate gives the segment its size without reserving memory for it.
func (f *File) Truncate(size int64) error {
	return ignoringEINTR(func() error { return unix.Ftruncate(f.fd, size) })
}

// Reserve gives the segment its size together with all the memory that it
// takes, so that a full /dev/shm is an error here and not a SIGBUS later.
func (f *File) Reserve(size int64) error {
	return f.reserve(size, unix.Fallocate)
}

func (f *File) reserve(size int64, fallocate func(fd int, mode uint32, off, n int64) error) error {
	room, err := f.room(size)
	if err != nil {
		return err
	}
	step := int64(reserveStep)
	for off := int64(0); off < size; {
		if err := room.check(size - off); err != nil {
			return err
		}
		n := min(step, size-off)
		err := fallocate(f.fd, 0, off, n)
		switch {
		case err == nil:
			off += n
		case err == unix.EINTR:
			// A signal undoes the whole step, and the Go runtime sends itself
			// signals all the time. A smaller step fits between two signals.
			step = max(step/2, int64(os.Getpagesize()))
		case errors.Is(err, errors.ErrUnsupported):
			// This is not a tmpfs. Do what posix_fallocate(3) does here: a byte that
			// was written has its memory.
			return f.writeZeros(off, size)
		default:
			return err
		}
	}
	return nil
}

// room is where a new segment takes its memory from.
type room struct {
	unlimited bool
}

// room refuses a size that cannot fit before it has filled the memory of all processes.
func (f *File) room(size int64) (room, error) {
	var st unix.Statfs_t
	if err := unix.Fstatfs(f.fd, &st); err != nil {
		return room{}, err
	}
	r := room{unlimited: st.Blocks == 0}
	if !r.unlimited && uint64(size-1)/uint64(st.Bsize) >= st.Bavail {
		return r, unix.ENOSPC
	}
	return r, nil
}

// check refuses to take that many more bytes if /dev/shm has no limit: without one the
// kernel would go on until it kills processes. Other processes take memory too, so this
// is checked again before each step.
func (r room) check(left int64) error {
	if r.unlimited && uint64(left) > spareMemory() {
		return unix.ENOSPC
	}
	return nil
}

// Filler returns a writer for the content of an empty segment of size bytes. The caller
// has to write all of them, in order. Bytes that were written have their memory, so this
// takes the place of Reserve, and a full /dev/shm is an error of a write. Reserve would
// have the kernel clear all the memory first.
func (f *File) Filler(size int64) (io.WriterAt, error) {
	r, err := f.room(size)
	return &filler{f: f, room: r, size: size}, err
}

type filler struct {
	f       *File
	room    room
	size    int64
	checked int64 // the room has been checked for the bytes up to here
}

func (w *filler) WriteAt(p []byte, off int64) (done int, err error) {
	for done < len(p) && err == nil {
		at := off + int64(done)
		if at >= w.checked {
			if err := w.room.check(w.size - at); err != nil {
				return done, err
			}
			w.checked = at + reserveStep
		}
		var n int
		n, err = w.f.WriteAt(p[done:min(len(p), done+int(w.checked-at))], at)
		done += n
	}
	return done, err
}

func (f *File) writeZeros(off, end int64) error {
	zeros := make([]byte, 256<<10)
	for off < end {
		n, err := f.WriteAt(zeros[:min(int64(len(zeros)), end-off)], off)
		if err != nil {
			return err
		}
		off += int64(n)
	}
	return nil
}

// ReadAt implements io.ReaderAt. Unlike a mapping, it gives no memory to the holes of a
// sparse segment.
func (f *File) ReadAt(p []byte, off int64) (int, error) {
	done := 0
	for done < len(p) {
		n, err := unix.Pread(f.fd, p[done:], off+int64(done))
		switch {
		case err == unix.EINTR:
			continue
		case err != nil:
			return done, err
		case n == 0:
			return done, io.EOF
		}
		done += n
	}
	return done, nil
}

// WriteAt implements io.WriterAt.
func (f *File) WriteAt(p []byte, off int64) (int, error) {
	done := 0
	for done < len(p) {
		n, err := unix.Pwrite(f.fd, p[done:], off+int64(done))
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return done, err
		}
		done += n
	}
	return done, nil
}

// Publish gives a segment made by New its name, in one step. If the name is taken,
// Publish fails with EEXIST, or, with replace, takes the name from the segment that
// has it.
func (f *File) Publish(name string, replace bool) error {
	publish := f.link
	if replace {
		publish = f.replace
	}
	return blame(publish(name), unix.W_OK|unix.X_OK)
}

func (f *File) link(name string) error {
	if f.hidden != "" {
		return link(f.hidden, name)
	}
	switch err := unix.Linkat(f.fd, "", unix.AT_FDCWD, pathOf(name), unix.AT_EMPTY_PATH); err {
	case nil:
		linksDescriptors.Store(true)
		return nil
	case unix.EEXIST:
		return err
	}
	return unix.Linkat(unix.AT_FDCWD, f.procPath(), unix.AT_FDCWD, pathOf(name), unix.AT_SYMLINK_FOLLOW)
}

// Close closes the descriptor and removes a temporary name. A published segment
// stays.
func (f *File) Close() error {
	var unlinkErr error
	if f.hidden != "" {
		unlinkErr = Unlink(f.hidden)
		f.hidden = ""
	}
	f.endLease()
	// Linux closes the descriptor whatever close(2) returns.
	return errors.Join(unlinkErr, unix.Close(f.fd))
}

// Lookup describes the segment called name.
func Lookup(name string) (Info, error) {
	var st unix.Stat_t
	if err := unix.Lstat(pathOf(name), &st); err != nil {
		return Info{}, blame(err, unix.X_OK)
	}
	return infoOf(&st), nil
}

// Link gives the segment called name a second name. It refuses to make a name that
// this process could not remove.
func Link(name, alias string) error {
	info, err := Lookup(name)
	if err == nil {
		err = info.checkRemovable()
	}
	if err == nil {
		err = blame(link(name, alias), unix.W_OK|unix.X_OK)
	}
	return err
}

func link(name, alias string) error {
	return unix.Linkat(unix.AT_FDCWD, pathOf(name), unix.AT_FDCWD, pathOf(alias), 0)
}

// LinkHidden gives the segment called name a second name that begins with
// HiddenPrefix, and returns it.
func LinkHidden(name string) (string, error) {
	for {
		hidden := hiddenName()
		if err := Link(name, hidden); !errors.Is(err, fs.ErrExist) {
			return hidden, err
		}
	}
}

// Unlink removes a name.
func Unlink(name string) error {
	return blame(unix.Unlink(pathOf(name)), unix.W_OK|unix.X_OK)
}

// Names lists the names of all segments, in no particular order.
func Names() ([]string, error) {
	d, err := os.OpenFile(Dir, unix.O_DIRECTORY, 0)
	if err != nil {
		return nil, blame(errors.Unwrap(err), unix.R_OK)
	}
	defer d.Close()
	return d.Readdirnames(-1)
}

func (f *File) procPath() string { return "/proc/self/fd/" + strconv.Itoa(f.fd) }

func pathOf(name string) string { return Dir + "/" + name }

func hiddenName() string { return HiddenPrefix + rand.Text() }

func infoOf(st *unix.Stat_t) Info {
	mode := fs.FileMode(st.Mode & 0o777)
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFREG:
	case unix.S_IFIFO:
		mode |= fs.ModeNamedPipe
	default:
		mode |= fs.ModeIrregular
	}
	return Info{
		ID:        ID{Dev: uint64(st.Dev), Ino: st.Ino},
		Size:      st.Size,
		Allocated: st.Blocks * 512,
		Mode:      mode,
		UID:       st.Uid,
		GID:       st.Gid,
		Links:     uint64(st.Nlink),
		Modified:  time.Unix(st.Mtim.Unix()),
		Changed:   time.Unix(st.Ctim.Unix()),
	}
}

func open(path string, flags int, perm uint32) (fd int, err error) {
	err = ignoringEINTR(func() error {
		fd, err = unix.Open(path, flags|unix.O_CLOEXEC, perm)
		return err
	})
	return fd, err
}

func ignoringEINTR(f func() error) error {
	for {
		if err := f(); err != unix.EINTR {
			return err
		}
	}
}
