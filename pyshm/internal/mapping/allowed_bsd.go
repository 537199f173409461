//go:build darwin || freebsd

package mapping

import (
	"errors"
	"math/bits"
	"runtime"

	"golang.org/x/sys/unix"
)

// noReserve is no flag: an inaccessible page is not counted as memory. macOS ignores
// MAP_NORESERVE, and FreeBSD has none (mmap(2)).
const noReserve = 0

// allowed returns how much may be new before a collection is due, while ranges of held
// bytes are held. It is an eighth of all addresses or, if these are limited, of the
// addresses that the held ranges leave. Only FreeBSD enforces a limit. Neither system
// limits the entries in the map, so their number is to bound their cost alone.
func allowed(held uint64) amount {
	space := uint64(1) << 38 // RISC-V's, the least of 64-bit systems
	switch {
	case bits.UintSize == 32:
		space = 1 << 31
	case runtime.GOARCH == "amd64" || runtime.GOARCH == "arm64":
		space = 1 << 47
	}
	var limit unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_AS, &limit) == nil && uint64(limit.Cur) < space {
		space = max(uint64(limit.Cur), held) - held
	}
	return amount{space / 8, 1 << 13}
}

// isFull reports whether addresses are missing.
func isFull(err error) bool { return errors.Is(err, unix.ENOMEM) }

// entries is the number of entries that Map may add: any.
var entries unlimited

type unlimited struct{}

func (unlimited) take() error { return nil }
func (unlimited) part()       {}
