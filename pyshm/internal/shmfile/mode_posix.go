//go:build darwin || (linux && posixshm)

package shmfile

import (
	"fmt"
	"io/fs"
)

// checkMode returns an error unless the object has the mode. The umask may have cut it.
func checkMode(fd int, mode fs.FileMode) error {
	info, err := statObject(fd)
	if err == nil && info.Mode != mode {
		text := "the umask of this process makes the mode %04o of %04o, and " + system + " cannot change the mode of a segment"
		err = unsupported(fmt.Sprintf(text, info.Mode, mode))
	}
	return err
}
