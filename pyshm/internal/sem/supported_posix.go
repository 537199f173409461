//go:build darwin || freebsd || (linux && posixshm)

package sem

import "errors"

// Supported returns an error that wraps errors.ErrUnsupported. glibc and musl keep a
// semaphore in shared memory, with its name in /dev/shm. The semaphores of macOS are objects
// of the kernel (bsd/kern/posix_sem.c of xnu). FreeBSD's are files in /tmp, which
// begin with a number of their own (SEM_MAGIC in lib/libc/gen/sem_new.c).
func Supported() error { return errFormat }

var errFormat error = otherFormat{}

type otherFormat struct{}

func (otherFormat) Error() string {
	return "the semaphores of this system are no shared memory in the format of glibc or musl"
}
func (otherFormat) Unwrap() error { return errors.ErrUnsupported }
