//go:build !posixshm

package shmfile

import (
	"errors"
	"hash/fnv"

	"golang.org/x/sys/unix"
)

// A keeper of a name claims it by a lock on the segment, which other keepers see.
// It is an open file description lock (fcntl(2), F_OFD_SETLK): it lasts as long
// as a descriptor or a mapping made through it, and ends with the process. The locked
// byte stands for the name, because a segment can have several names, with a keeper
// each. The segment has no data at such an offset.

// ErrClaimed is the reason when another keeper has claimed a name.
var ErrClaimed = errors.New("another keeper has claimed the name")

func claimOf(name string) unix.Flock_t {
	hash := fnv.New64a()
	hash.Write([]byte(name))
	return unix.Flock_t{Type: unix.F_WRLCK, Whence: unix.SEEK_SET, Start: int64(hash.Sum64() >> 2), Len: 1}
}

// Claim opens the segment called path, which this process must be allowed to write to,
// and claims name for it. It does not wait for the end of a lease.
func Claim(path, name string) (*File, error) {
	fd, err := open(pathOf(path), unix.O_RDWR|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	lock := claimOf(name)
	switch err := unix.FcntlFlock(uintptr(fd), unix.F_OFD_SETLK, &lock); err {
	case nil:
		return &File{fd: fd}, nil
	case unix.EAGAIN, unix.EACCES:
		unix.Close(fd)
		return nil, ErrClaimed
	default:
		unix.Close(fd)
		return nil, err
	}
}

// IsClaimed reports whether a keeper has claimed the name for the segment that has it
// now. It returns false if that cannot be found out.
func IsClaimed(name string) bool {
	if info, err := Lookup(name); err != nil || !info.Mode.IsRegular() {
		return false
	}
	fd, err := open(pathOf(name), unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return false
	}
	defer unix.Close(fd)
	lock := claimOf(name)
	return unix.FcntlFlock(uintptr(fd), unix.F_OFD_GETLK, &lock) == nil && lock.Type != unix.F_UNLCK
}
