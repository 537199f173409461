package testkit

import (
	"slices"
	"testing"

	"github.com/pyshm-go/pyshm/compat"
	"github.com/pyshm-go/pyshm/internal/soak"
)

// step is how many interpreters share the combinations of a test.
const step = 4

// Share returns the combinations that a test tries on an interpreter. The oldest and the
// newest interpreter try all of them. The code of the others lies between, also PyPy's,
// whose library is CPython's of the same version: each tries every fourth combination, and
// the next one in the result of compat.Find tries the combinations after these. In a soak,
// every interpreter tries all.
func Share[T any](t testing.TB, py compat.Interpreter, all []T) []T {
	t.Helper()
	if soak.Length(0, 100) > 0 {
		return all
	}
	return share(Must(compat.Find(t.Context()))(t), py, all)
}

func share[T any](found []compat.Interpreter, py compat.Interpreter, all []T) (part []T) {
	older, newer := false, false
	for _, other := range found {
		order := slices.Compare(other.Version[:], py.Version[:])
		older, newer = older || order < 0, newer || order > 0
	}
	place := slices.Index(found, py)
	if !older || !newer || place < 0 {
		return all
	}
	for i := place % min(step, len(all)); i < len(all); i += step {
		part = append(part, all[i])
	}
	return part
}
