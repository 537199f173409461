package compat

import (
	"fmt"

	"github.com/pyshm-go/pyshm/format"
)

// An Interpreter is a Python that [Find] has run. It has the module
// multiprocessing.shared_memory.
type Interpreter struct {
	Path           string // the command that runs it
	Implementation string // "CPython" or "PyPy"
	Version        [3]int // of the language, also for PyPy: {3, 13, 0}
	HasTrack       bool   // SharedMemory takes track=, as from CPython 3.13 on
	HasNumpy       bool

	executable string // its sys.executable, symbolic links resolved
	prefix     string // its sys.prefix, which differs between virtual environments
	number     int    // counts the interpreters of one version in the result of Find, from 0 on
}

// AtLeast reports whether the language version is major.minor or later.
func (py Interpreter) AtLeast(major, minor int) bool {
	return py.Version[0] > major || py.Version[0] == major && py.Version[1] >= minor
}

// Layout returns the byte layout of the lists that this interpreter makes.
func (py Interpreter) Layout() format.Layout {
	if py.AtLeast(3, 9) {
		return format.Offsets
	}
	return format.Sizes
}

// String returns the name of the implementation and the version, "CPython
// 3.13.0". The second interpreter of one version that [Find] returns is "CPython
// 3.13.0 #2", and so on in the order of Find. [First] and [Probe] number nothing.
func (py Interpreter) String() string {
	s := fmt.Sprintf("%s %d.%d.%d", py.Implementation, py.Version[0], py.Version[1], py.Version[2])
	if py.number > 0 {
		s += fmt.Sprintf(" #%d", py.number+1)
	}
	return s
}
