//go:build unix

package manager

import "syscall"

// ownerOnly sets the mode of a socket before it is bound, which is the mode
// that Linux gives to its file. A chmod afterwards would leave the file open to
// others for a moment, and the umask belongs to the whole process.
func ownerOnly(_, _ string, socket syscall.RawConn) error {
	var err error
	if controlErr := socket.Control(func(fd uintptr) { err = syscall.Fchmod(int(fd), 0o600) }); controlErr != nil {
		return controlErr
	}
	return err
}
