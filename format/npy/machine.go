package npy

import (
	"runtime"
	"unsafe"
)

// The rules of this machine's C compiler, which numpy follows. Most texts do not depend on
// them: a header has the size of every element, and the offset of every field.

var (
	// maxAlignment is the greatest alignment in a record made with align=True.
	maxAlignment = maxAlignmentOf(runtime.GOOS, runtime.GOARCH)

	// longDouble is the size in bytes of C's long double, 0 if it is a double.
	longDouble = longDoubleOf(runtime.GOOS, runtime.GOARCH)
)

// goMaxAlignment is the greatest alignment of Go's compiler.
const goMaxAlignment = int(unsafe.Alignof(struct{ int64 }{}))

func maxAlignmentOf(goos, goarch string) int {
	switch goarch {
	case "386":
		if goos != "windows" {
			return 4
		}
		return 8
	case "arm", "mips", "mipsle", "s390x":
		return 8
	}
	return 16
}

func longDoubleOf(goos, goarch string) int {
	switch {
	case goos == "windows", goos == "darwin" && goarch == "arm64":
		return 0
	case goarch == "arm", goarch == "mips", goarch == "mipsle":
		return 0
	case goarch == "386":
		return 12
	}
	return 16
}
