package mapping

import (
	"errors"
	"unsafe"

	"golang.org/x/sys/windows"
)

// allowed returns how much may be new before a collection is due. Unlike on Linux, an
// emptied range still has its memory, so that the limit is an eighth of the memory that
// this process may still commit.
func allowed(uint64) amount {
	const most = 1 << 13
	type memoryStatus struct { // MEMORYSTATUSEX
		length, load                                uint32
		physical, availPhysical, page, availPage    uint64
		virtual, availVirtual, availExtendedVirtual uint64
	}
	status := memoryStatus{length: uint32(unsafe.Sizeof(memoryStatus{}))}
	if ok, _, _ := globalMemoryStatusEx.Call(uintptr(unsafe.Pointer(&status))); ok == 0 {
		return amount{1 << 30, most}
	}
	return amount{status.availPage / 8, most}
}

var globalMemoryStatusEx = windows.NewLazySystemDLL("kernel32.dll").NewProc("GlobalMemoryStatusEx")

// isFull reports whether addresses or memory are missing.
func isFull(err error) bool {
	return errors.Is(err, windows.ERROR_NOT_ENOUGH_MEMORY) || errors.Is(err, windows.ERROR_COMMITMENT_LIMIT)
}
