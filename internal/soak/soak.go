// Package soak sets how long randomised tests run, the seed of their random values, and
// how they report their work. Two variables of the environment steer it:
//
//	PYSHM_SOAK   a factor: 1 is the full run, 0.05 a twentieth of it; without
//	             it tests take their short form, as part of every go test
//	PYSHM_SEED   the seed to draw from, to repeat a run; without it a random one
package soak

import (
	"cmp"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Length returns how often, or for how long, a test does its work: short or, where
// $PYSHM_SOAK is set, full times that factor, but never less than short.
func Length[N int | time.Duration](short, full N) N {
	return max(short, N(factor()*float64(full)))
}

// factor panics if the variable is not a factor, because a run that was to be long must
// not turn out short.
var factor = sync.OnceValue(func() float64 {
	text := os.Getenv("PYSHM_SOAK")
	if text == "" {
		return 0
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || !(f >= 0) {
		panic(fmt.Sprintf("PYSHM_SOAK=%s is not a factor", text))
	}
	return f
})

// Seed returns $PYSHM_SEED or a random seed, and logs it.
func Seed(t interface {
	Helper()
	Logf(format string, args ...any)
}) uint64 {
	t.Helper()
	seed := rand.Uint64()
	if text := os.Getenv("PYSHM_SEED"); text != "" {
		var err error
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			panic(fmt.Sprintf("PYSHM_SEED=%s is not a seed", text))
		}
	}
	t.Logf("PYSHM_SEED=%d", seed)
	return seed
}

// Rand returns one of the sequences of random numbers from a seed.
func Rand(seed uint64, sequence int) *rand.Rand {
	return rand.New(rand.NewPCG(seed, uint64(sequence)))
}

// A Tally counts the events of a test. Several goroutines may count at once. The zero
// Tally is ready for use.
type Tally struct {
	mu     sync.Mutex
	counts map[string]int
}

// Add adds n to a count.
func (t *Tally) Add(what string, n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.counts == nil {
		t.counts = map[string]int{}
	}
	t.counts[what] += n
}

// Count returns a count.
func (t *Tally) Count(what string) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.counts[what]
}

// String lists all counts, the greatest first: "reads 1200, busy 34".
func (t *Tally) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	whats := slices.SortedFunc(maps.Keys(t.counts), func(a, b string) int {
		return cmp.Or(cmp.Compare(t.counts[b], t.counts[a]), cmp.Compare(a, b))
	})
	for i, what := range whats {
		whats[i] = fmt.Sprintf("%s %d", what, t.counts[what])
	}
	return strings.Join(whats, ", ")
}
