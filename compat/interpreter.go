package compat

import (
	"encoding/binary"
	"fmt"

	"github.com/pyshm-go/pyshm/format"
)

// An Interpreter is a Python that [Find] has run and that has the module
// multiprocessing.shared_memory.
type Interpreter struct {
	Path           string           // the command that runs it
	Executable     string           // its sys.executable, symbolic links resolved
	Prefix         string           // its sys.prefix, which tells virtual environments apart
	Implementation string           // "CPython" or "PyPy"
	Version        [3]int           // of the language, also for PyPy: {3, 13, 0}
	ByteOrder      binary.ByteOrder // of its shared memory
	PointerBits    int              // 64 or 32
	HasTrack       bool             // SharedMemory takes track=, as from CPython 3.13 on
	HasNumpy       bool
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

// String names it as people do: "CPython 3.13.0".
func (py Interpreter) String() string {
	return fmt.Sprintf("%s %d.%d.%d", py.Implementation, py.Version[0], py.Version[1], py.Version[2])
}
