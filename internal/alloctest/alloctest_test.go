package alloctest

import "testing"

var sink []byte

// A call that allocates more than others, for any reason, does not count. A call that
// allocates little enough is the last.
func TestLeast(t *testing.T) {
	calls := 0
	first := func(n int) func() {
		calls = 0
		return func() {
			if calls++; calls <= n {
				sink = make([]byte, 1<<20)
			}
		}
	}
	for _, test := range []struct{ large, calls int }{{0, 1}, {1, 2}, {tries - 1, tries}} {
		if n := Least(1<<19, first(test.large)); n > 1<<19 || calls != test.calls {
			t.Errorf("%d of %d calls are large: %d bytes", test.large, calls, n)
		}
	}
	if n := Least(1<<19, first(tries)); n < 1<<20 || calls != tries {
		t.Errorf("all of %d calls are large: %d bytes", calls, n)
	}
}
