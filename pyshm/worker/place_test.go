package worker

import (
	"math"
	"testing"
)

// The same bytes may be arguments any number of times, and an arena of a 32-bit program may
// have up to 2 GiB: no sum of lengths becomes negative.
func TestPlaces(t *testing.T) {
	const gib = 1 << 30
	for _, row := range []struct {
		at, n, next int
		fits        bool
	}{
		{0, 0, 0, true},
		{messageAt, 1, messageAt + 64, true},
		{gib, 64, gib + 64, true},
		{math.MaxInt - 127, 64, math.MaxInt - 63, true},
		{math.MaxInt - 127, 65, 0, false},
		{64, math.MaxInt, 0, false},
		{math.MaxInt - 63, math.MaxInt, 0, false},
	} {
		if next, fits := placed(row.at, row.n); next != row.next || fits != row.fits {
			t.Errorf("%d bytes at %d: %d, %t; want %d, %t", row.n, row.at, next, fits, row.next, row.fits)
		}
	}
	const most = (math.MaxInt + 1) / 2
	for _, row := range [][2]int{
		{0, 1}, {1, 1}, {2, 2}, {3, 4}, {5000, 8192}, {gib - 1, gib}, {gib, gib},
		{most - 1, most}, {most, most}, {most + 1, most + 1}, {math.MaxInt, math.MaxInt},
	} {
		if got := roundUp(row[0]); got != row[1] {
			t.Errorf("%d becomes %d, want %d", row[0], got, row[1])
		}
	}
}
