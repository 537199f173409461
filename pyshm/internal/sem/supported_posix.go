//go:build freebsd || (linux && posixshm)

package sem

import "errors"

// Supported returns an error that wraps errors.ErrUnsupported. The semaphores of FreeBSD's libc
// are files in /tmp with a format of their own, and the kernel's umtx(2) lets threads wait:
// lib/libc/gen/sem_new.c.
func Supported() error { return errFormat }

var errFormat error = otherFormat{}

type otherFormat struct{}

func (otherFormat) Error() string {
	return "Python's locks are semaphores of FreeBSD's libc, whose format is another than glibc's"
}
func (otherFormat) Unwrap() error { return errors.ErrUnsupported }
