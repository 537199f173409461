// Package soak sets how long randomised tests run, and what they draw. Two
// variables of the environment steer it:
//
//	PYSHM_SOAK   a factor: 1 is the full run, 0.05 a twentieth of it; without
//	             it tests take their short form, as part of every go test
//	PYSHM_SEED   the seed to draw from, to repeat a run; without it a random one
package soak

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"time"
)

// Length returns how often, or for how long, a test does what it does: short or,
// where $PYSHM_SOAK is set, so many times full, but never less than short.
func Length[N int | time.Duration](short, full N) N {
	return max(short, N(factor()*float64(full)))
}

// factor panics on a value that is none: a run that was to be long must not
// turn out short.
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
