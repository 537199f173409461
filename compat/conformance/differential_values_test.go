package conformance

import (
	"crypto/sha256"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"

	"github.com/pyshm-go/pyshm/compat"
)

// A generator makes random values.
type generator struct{ *rand.Rand }

// newRandomList makes an interpreter's list with this number. For one seed it is always
// the same.
func newRandomList(seed uint64, py compat.Interpreter, number int) *randomList {
	source := rand.NewChaCha8(sha256.Sum256(fmt.Appendf(nil, "%d %v %d", seed, py, number)))
	g := generator{rand.New(source)}
	l := &randomList{seed: seed, number: number, values: []any{}}
	for range g.length() {
		l.values = append(l.values, g.value(g.size()))
	}
	if len(l.values) > 0 {
		for range g.IntN(8) {
			i := g.IntN(len(l.values))
			size := g.size()
			if text, ok := textOf(l.values[i]); ok && g.IntN(2) == 0 {
				size = max(0, len(text)&^7+8*g.IntN(2)+g.IntN(3)-1) // about as large as the slot
			}
			l.sets = append(l.sets, randomSet{i, g.value(size)})
		}
	}
	return l
}

// length returns a random number of items.
func (g generator) length() int {
	if g.IntN(20) == 0 {
		return g.IntN(300)
	}
	return g.IntN(16)
}

// size returns a random size of a text, in bytes: mostly few, often about as many as fill
// a slot, rarely more than a page, or more than the buffer of the encoder.
func (g generator) size() int {
	switch n := g.IntN(1000); {
	case n < 500:
		return g.IntN(12)
	case n < 940:
		return max(0, 8*g.IntN(8)+g.IntN(3)-1)
	case n < 999:
		return g.IntN(600)
	default:
		return g.IntN(70_000)
	}
}

// value returns a value of any kind. The size is for text.
func (g generator) value(size int) any {
	switch g.IntN(8) {
	case 0:
		return g.Int64() >> g.IntN(64) * int64(1-2*g.IntN(2))
	case 1:
		return pick(g, int64(0), math.MaxInt64, math.MinInt64, -1)
	case 2:
		return floatOf(inPython(g.Uint64())) // every exponent, and NaNs
	case 3:
		return pick(g, 0, math.Copysign(0, -1), 1, 1e16, 1e-5, math.Inf(1), g.NormFloat64(), float64(g.IntN(1e6))/100)
	case 4:
		return pick[any](g, nil, true, false)
	case 5:
		b := make([]byte, size)
		for i := range b {
			mask := g.Uint32() // makes many zeros
			b[i] = byte(g.Uint32() & mask)
		}
		return b
	default:
		return g.str(size)
	}
}

// alphabets have characters that every version of Python and Go agrees to print
// or not to print.
var alphabets = []string{
	"abcXYZ 0189'\"\\\n\t\x00\x7f~",
	"éßñżяא\u0085\u00a0",
	"€漢あ한\u200b\ue000\uffff",
	"😀𝄞🐍\U0010ffff",
}

func (g generator) str(size int) string {
	alphabet := []rune(pick(g, append(alphabets, strings.Join(alphabets, ""))...))
	var s strings.Builder
	for s.Len() < size {
		s.WriteRune(pick(g, alphabet...))
	}
	return s.String()
}

func pick[T any](g generator, from ...T) T { return from[g.IntN(len(from))] }
