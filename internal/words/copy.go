package words

import "unsafe"

// Go's copy writes 1 MiB and more past the caches (memmove_amd64.s, non-temporal stores).
// The next process to read the copy then waits for main memory. In pieces the copy stays in
// the caches: 1 to 8 MB take a third to a half of the time. More than cached bytes do not
// stay there anyway.
const (
	piece  = 256 << 10
	cached = 32 << 20
)

// Copy is copy, for memory that another process reads or has written.
func Copy[T any](dst, src []T) int {
	n := min(len(dst), len(src))
	step := pieceOf[T](n)
	for at := 0; at < n; at += step {
		copy(dst[at:min(at+step, n)], src[at:])
	}
	return n
}

// CopyTorn is Copy for bytes that a goroutine of this process may overwrite at the same
// time: the race detector does not see it, as it would see Copy. Because it is a call, the
// compiler keeps it between accesses to words.
//
//go:norace
//go:noinline
func CopyTorn(dst, src []byte) int {
	n := min(len(dst), len(src))
	step := pieceOf[byte](n)
	for at := 0; at < n; at += step {
		copy(dst[at:min(at+step, n)], src[at:])
	}
	return n
}

// pieceOf returns how many of n elements to copy at a time, at least 1.
func pieceOf[T any](n int) int {
	var element T
	size := max(int(unsafe.Sizeof(element)), 1)
	if n > cached/size || size > piece {
		return max(n, 1)
	}
	return piece / size
}
