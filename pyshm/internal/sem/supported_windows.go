package sem

import "errors"

// Supported returns an error that wraps errors.ErrUnsupported. Python's locks are handles
// without a name on Windows (CreateSemaphoreW, in Modules/_multiprocessing/semaphore.c),
// which only child processes get.
func Supported() error { return errNoName }

var errNoName error = noName{}

type noName struct{}

func (noName) Error() string {
	return "Python's locks have no names on Windows, by which other programs could open them"
}
func (noName) Unwrap() error { return errors.ErrUnsupported }
