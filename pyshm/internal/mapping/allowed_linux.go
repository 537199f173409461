package mapping

import (
	"errors"
	"math/bits"
	"os"
	"runtime"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// noReserve keeps inaccessible pages out of the limit on memory.
const noReserve = unix.MAP_NORESERVE

// allowed returns how much may be new before a collection is due, while ranges of held
// bytes are held. It is an eighth of all addresses, and of the entries in the map, which
// may be 65530 by default. If addresses are limited, those that the rest of the process
// has taken are left out.
func allowed(held uint64) amount {
	space := uint64(1) << 38 // RISC-V's, the least of 64-bit systems
	switch {
	case bits.UintSize == 32:
		space = 1 << 31
	case runtime.GOARCH == "amd64":
		space = 1 << 47
	}
	var limit unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_AS, &limit) == nil && limit.Cur < space {
		others := max(usedAddresses(), held) - held
		space = max(limit.Cur, others) - others
	}
	return amount{space / 8, min(maxEntries()/8, 1<<13)}
}

// usedAddresses returns how many bytes of addresses the process uses, or 0 if it cannot
// find out.
func usedAddresses() uint64 {
	text, err := os.ReadFile("/proc/thread-self/statm")
	if err != nil {
		return 0
	}
	pages, _, _ := strings.Cut(string(text), " ")
	n, err := strconv.ParseUint(pages, 10, 64)
	if err != nil {
		return 0
	}
	return n * uint64(os.Getpagesize())
}

// isFull reports whether addresses or entries are missing.
func isFull(err error) bool { return errors.Is(err, unix.ENOMEM) }
