package pyshm

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"strings"
	"syscall"

	"github.com/pyshm-go/pyshm/pyshm/internal/shmfile"
)

// newFileName is [shmfile.FileName] for a segment that is about to be created.
// It also refuses this package's own hidden names, which may be swept away, and
// what Python's resource tracker cannot digest: up to CPython 3.14 the tracker
// encodes names in ASCII and reads them from lines of fields that colons separate.
func newFileName(name string) (string, error) {
	file, err := shmfile.FileName(name)
	if err != nil {
		return "", err
	}
	if strings.HasPrefix(file, shmfile.HiddenPrefix) {
		return "", invalid("names that begin with %q are for what pyshm hides and removes", shmfile.HiddenPrefix)
	}
	for i := range len(file) {
		switch c := file[i]; {
		case c == ':' || c == '\n':
			return "", invalid("the name contains %q, which Python's resource tracker cannot parse", c)
		case c >= 0x80:
			return "", invalid("the name is not ASCII, which Python's resource tracker requires")
		}
	}
	return file, nil
}

// longestSegmentName is how many bytes the name of a new segment may have. The
// file may have one more, but the resource tracker of CPython 3.15 counts the
// slash in front too, and takes 255 bytes ("shared memory name too long"). Names
// of semaphores never come near: their file begins with sem.
const longestSegmentName = 254

func checkLength(name string) error {
	if n := len(strings.TrimPrefix(name, "/")); n > longestSegmentName {
		return &reason{
			fmt.Sprintf("the name has %d bytes, and Python's resource tracker takes up to %d", n, longestSegmentName),
			syscall.ENAMETOOLONG,
		}
	}
	return nil
}

// randomName makes a name as Python does where none is given: 8 hexadecimal
// digits behind psm_.
func randomName() string {
	var b [4]byte
	rand.Read(b[:])
	return "psm_" + hex.EncodeToString(b[:])
}
