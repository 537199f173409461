package format_test

import (
	"bytes"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"unicode/utf8"
	"unsafe"

	"github.com/pyshm-go/pyshm/format"
	"github.com/pyshm-go/pyshm/internal/soak"
)

// runLists has lists whose items are read in runs, and a rest that is not.
func runLists() map[string][]any {
	const n = 256 + 64 + 5
	uneven := make([]any, n)
	for i := range uneven {
		uneven[i] = strings.Repeat("a", i%30)
	}
	return map[string][]any{
		"ints":   slices.Repeat([]any{5}, n),
		"floats": slices.Repeat([]any{1.5}, n),
		"text":   slices.Repeat([]any{"a"}, n),
		"bytes":  slices.Repeat([]any{[]byte("a")}, n),
		"uneven": uneven,
	}
}

// A run whose slots follow each other, but not in the data area, is refused.
func TestRunsElsewhere(t *testing.T) {
	for name, values := range runLists() {
		good := encode(t, format.Offsets, values...)
		n := len(values)
		size := getWord(good, 8+8*n)
		fence := newFence(t, len(good))
		for _, begin := range []int{0, 64, 320} {
			for _, shift := range []int64{
				-8, -size, -1 << 40, math.MinInt64, 1, 4, 7, size, size + 8, 1 << 40, 1 << 60, 1 << 61, 1<<61 + 1, 1 << 62, math.MaxInt64 - 7,
			} {
				if begin > 0 && shift == -8 {
					continue // into the slots before, where they may be
				}
				buf := fence.atEnd(good, -len(good)&7)
				l := attach(t, buf).WithPatience(0)
				for i := begin; i <= n; i++ {
					putWord(buf, 8+8*i, getWord(good, 8+8*i)+shift)
				}
				bad := bytes.Clone(buf)
				fence.guard(func() {
					for what, err := range map[string]error{
						"Values":     second(l.Values()),
						"Count int":  second(l.Count(7)),
						"Count str":  second(l.Count("b")),
						"CopyInts":   second(l.CopyInts(make([]int64, n-begin), begin)),
						"CopyFloats": second(l.CopyFloats(make([]float64, n-begin), begin)),
					} {
						if !errors.Is(err, format.ErrCorrupt) && (!strings.HasPrefix(what, "Copy") || !errors.Is(err, format.ErrKind)) {
							t.Errorf("%s from %d on shifted by %d: %s: %v", name, begin, shift, what, err)
						}
					}
				})
				if !bytes.Equal(buf, bad) {
					t.Fatalf("%s from %d on shifted by %d: memory has changed", name, begin, shift)
				}
			}
		}
	}
}

// An enemy overwrites the words of lists that are read in runs. No method panics or
// leaves the buffer.
func TestEnemyOfRuns(t *testing.T) {
	inLayouts(t, func(t *testing.T, layout format.Layout) {
		for name, values := range runLists() {
			t.Run(name, func(t *testing.T) { fightRuns(t, encode(t, layout, values...), layout) })
		}
	})
}

func fightRuns(t *testing.T, good []byte, layout format.Layout) {
	p := areasOf(good, layout)
	fence := newFence(t, len(good))
	buf := fence.atEnd(good, -len(good)&7)
	l := attach(t, buf).WithPatience(0)
	var stop atomic.Bool
	var wg sync.WaitGroup
	wg.Go(func() {
		r := rand.New(rand.NewPCG(1, 2))
		evil := []int64{0, 8, 1 << 40, 1 << 61, math.MinInt64, -8, 1, 'q', 'd', ' ', 's'<<8 | '8', 's'<<16 | '6'<<8 | '1'}
		for !stop.Load() {
			off := 8 * r.IntN(p.codes/8)
			v := evil[r.IntN(len(evil))]
			if r.IntN(2) == 0 {
				v = getWord(good, 8+8*r.IntN(l.Len())) // the offset of another slot
			}
			word := (*int64)(unsafe.Pointer(&buf[off]))
			atomic.StoreInt64(word, v)
			atomic.StoreInt64(word, getWord(good, off))
		}
	})
	fence.guard(func() {
		r := rand.New(rand.NewPCG(3, 4))
		readers := slices.Concat(itemReaders, listReaders)
		for start := time.Now(); time.Since(start) < soak.Length(30*time.Millisecond, 5*time.Second); {
			i := r.IntN(l.Len())
			readers[r.IntN(len(readers))].call(l, i)
			_ = l.SetStr(i, "a")
			_ = l.SetInt(i, 5)
		}
	})
	stop.Store(true)
	wg.Wait()
}

// No method returns invalid UTF-8, however the bytes change while it reads.
func TestEnemyOfText(t *testing.T) {
	good := encode(t, format.Offsets, slices.Repeat([]any{"abcdefgh"}, 8)...)
	buf := newFence(t, len(good)).atStart(good, 0)
	p := areasOf(good, format.Offsets)
	l := attach(t, buf).WithPatience(0)
	var stop atomic.Bool
	var wg sync.WaitGroup
	wg.Go(func() {
		word := (*int64)(unsafe.Pointer(&buf[p.data]))
		for !stop.Load() {
			atomic.StoreInt64(word, -1)
			atomic.StoreInt64(word, getWord(good, p.data))
		}
	})
	for what, read := range map[string]func() string{
		"Str":       func() string { s, _ := l.Str(0); return s },
		"AppendStr": func() string { s, _ := l.AppendStr(nil, 0); return string(s) },
		"Get":       func() string { v, _ := l.Get(0); s, _ := v.(string); return s },
		"All": func() string {
			for v := range l.All() {
				s, _ := v.(string)
				return s
			}
			return ""
		},
	} {
		for start := time.Now(); time.Since(start) < soak.Length(50*time.Millisecond, 5*time.Second); {
			if s := read(); !utf8.ValidString(s) {
				t.Errorf("%s returns %q", what, s)
				break
			}
		}
	}
	stop.Store(true)
	wg.Wait()
}
