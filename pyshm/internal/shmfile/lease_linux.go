package shmfile

import "golang.org/x/sys/unix"

// Lease makes sure that no other process, and nothing else in this one, has the
// object open or mapped. Every process that opens the object then waits until
// Close. If the object is in use the error is EAGAIN; before Linux 5.3 it always
// is, see [HasLeases]. A process that neither owns the object nor has CAP_LEASE
// gets EACCES.
func (f *File) Lease() error {
	// The kernel sends a signal when a process waits, by default a SIGIO, which
	// ends a process that does not expect it.
	if _, err := unix.FcntlInt(uintptr(f.fd), unix.F_SETSIG, int(unix.SIGURG)); err != nil {
		return err
	}
	_, err := unix.FcntlInt(uintptr(f.fd), unix.F_SETLEASE, unix.F_WRLCK)
	return err
}

// HasLeases reports whether the EAGAIN of [File.Lease] means that an object is in
// use. Before Linux 5.3 the kernel counted references to the object and to its
// name, of which a named object always has more than one; since then it counts
// who has it open or mapped. An object that is referred to once more, and opened
// once, tells the two apart.
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
