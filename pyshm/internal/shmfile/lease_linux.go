//go:build !posixshm

package shmfile

import "golang.org/x/sys/unix"

// Lease makes sure that no other process, and no other descriptor or mapping of this
// process, uses the segment. From then on, every process that opens the segment waits
// until Close. If the segment is in use, Lease fails with EAGAIN. Before Linux 5.3 it
// always fails so, see [HasLeases]. A process that neither owns the segment nor has
// CAP_LEASE gets EACCES.
func (f *File) Lease() error {
	// When another process waits, the kernel sends a signal to this one. The default
	// is SIGIO, which ends a process that does not expect it.
	if _, err := unix.FcntlInt(uintptr(f.fd), unix.F_SETSIG, int(unix.SIGURG)); err != nil {
		return err
	}
	err := f.setLease(unix.F_WRLCK)
	f.leased = err == nil
	return err
}

func (f *File) setLease(kind int) error {
	_, err := unix.FcntlInt(uintptr(f.fd), unix.F_SETLEASE, kind)
	return err
}

// endLease ends the lease of a file that is about to be closed. Close alone would leave it to
// the copies of the descriptor that a process in the middle of its start has.
func (f *File) endLease() {
	if f.leased {
		_ = f.setLease(unix.F_UNLCK)
	}
}

// HasLeases reports whether the EAGAIN of [File.Lease] means that a segment is in
// use. Before Linux 5.3 the kernel counted references to the segment and to its name,
// and a named segment always has more than one reference. Since then it counts open
// files and mappings. HasLeases opens a segment once, refers to it twice, and tries
// whether the kernel grants a lease on it.
func HasLeases() (bool, error) {
	f, err := New(0)
	if err != nil {
		return false, err
	}
	defer f.Close()
	path := f.procPath()
	if f.hidden != "" {
		path = pathOf(f.hidden)
	}
	reference, err := open(path, unix.O_PATH, 0)
	if err != nil {
		return false, err
	}
	defer unix.Close(reference)
	return f.Lease() == nil, nil
}
