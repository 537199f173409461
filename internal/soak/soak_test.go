package soak

import (
	"fmt"
	"testing"
	"time"
)

func TestLength(t *testing.T) {
	defer func(f func() float64) { factor = f }(factor)
	for _, tt := range []struct {
		factor float64
		count  int
		time   time.Duration
	}{
		{0, 5, time.Second}, {0.01, 10, time.Second}, {1, 1000, time.Minute}, {2, 2000, 2 * time.Minute},
	} {
		factor = func() float64 { return tt.factor }
		if n, d := Length(5, 1000), Length(time.Second, time.Minute); n != tt.count || d != tt.time {
			t.Errorf("%v: %d, %v", tt.factor, n, d)
		}
	}
}

type log []string

func (l *log) Helper() {}

func (l *log) Logf(format string, args ...any) { *l = append(*l, fmt.Sprintf(format, args...)) }

func TestSeed(t *testing.T) {
	var l log
	t.Setenv("PYSHM_SEED", "12345")
	if seed := Seed(&l); seed != 12345 || l[0] != "PYSHM_SEED=12345" {
		t.Errorf("%d, %q", seed, l)
	}
	t.Setenv("PYSHM_SEED", "")
	if a, b := Seed(&l), Seed(&l); a == b {
		t.Errorf("%d twice", a)
	}
}

func TestTally(t *testing.T) {
	var tally Tally
	tally.Add("rare", 1)
	tally.Add("frequent", 20)
	tally.Add("often", 20)
	tally.Add("rare", 2)
	if got, want := tally.String(), "frequent 20, often 20, rare 3"; got != want || tally.Count("rare") != 3 {
		t.Errorf("%s, want %s", got, want)
	}
}
