//go:build !posixshm

package shmfile

import (
	"bytes"
	"fmt"
	"math"
	"os"

	"golang.org/x/sys/unix"
)

// spareMemory returns how many bytes of memory and swap a file may take up before the
// kernel may have to kill a process. It is an estimate: 15/16 of the bytes that the
// kernel believes to be available.
func spareMemory() uint64 {
	available, err := availableMemory()
	if err != nil {
		// Without /proc, the whole memory and swap is the limit.
		var info unix.Sysinfo_t
		if unix.Sysinfo(&info) != nil {
			return math.MaxUint64
		}
		available = (uint64(info.Totalram) + uint64(info.Totalswap)) * uint64(info.Unit)
	}
	return available - available/16
}

func availableMemory() (uint64, error) {
	meminfo, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return 0, err
	}
	return parseAvailable(meminfo)
}

// parseAvailable returns the sum of available memory and free swap in /proc/meminfo, in
// bytes.
func parseAvailable(meminfo []byte) (available uint64, err error) {
	for _, field := range []string{"MemAvailable:", "SwapFree:"} {
		_, rest, found := bytes.Cut(meminfo, []byte("\n"+field))
		var kib uint64
		if _, err := fmt.Sscan(string(rest[:min(len(rest), 40)]), &kib); !found || err != nil {
			return 0, fmt.Errorf("no %s in /proc/meminfo", field)
		}
		available += kib << 10
	}
	return available, nil
}
