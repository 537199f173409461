package format_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"

	"github.com/pyshm-go/pyshm/format"
)

// An enemy overwrites the words of a list at full speed, header and data alike,
// while goroutines call every method. No call panics, leaves the buffer or takes
// long. The memory is mapped, because the race detector would rightly report such use
// of Go's own memory.
func TestEnemy(t *testing.T) {
	inLayouts(t, func(t *testing.T, layout format.Layout) {
		b := encode(t, layout, 1, 1.5, true, nil, "text", []byte("bytes"), format.Sized{Value: "longer", Capacity: 200})
		p := areasOf(b, layout)
		fence := newFence(t, len(b))
		buf := fence.atEnd(b, -len(b)&7)
		patient := attach(t, buf)

		var stop atomic.Bool
		var wg sync.WaitGroup
		wg.Go(func() {
			r := rand.New(rand.NewPCG(1, 2))
			evil := []int64{0, 1, 8, 16, -8, 1 << 40, 'q', 'd', 0x20, 0x7338, 0x733631, -1}
			for !stop.Load() {
				off := 8 * r.IntN(p.codes/8)
				v := evil[r.IntN(len(evil))]
				if r.IntN(3) == 0 {
					v = getWord(b, off) // so that most words are right, most of the time
				}
				atomic.StoreInt64((*int64)(unsafe.Pointer(&buf[off])), v)
			}
		})
		readers := slices.Concat(itemReaders, listReaders)
		var calls, failed atomic.Int64
		for g, l := range []*format.List{patient, patient.WithPatience(0)} {
			wg.Go(func() {
				fence.guard(func() {
					r := rand.New(rand.NewPCG(3, uint64(g)))
					for !stop.Load() {
						i := r.IntN(l.Len())
						start := time.Now()
						readers[r.IntN(len(readers))].call(l, i)
						if w := writers[r.IntN(len(writers))]; w.call(l, i) != nil {
							failed.Add(1)
						}
						calls.Add(2)
						if took := time.Since(start); took > time.Second {
							t.Errorf("a read and a write took %v", took)
						}
					}
				})
			})
		}
		time.Sleep(300 * time.Millisecond)
		stop.Store(true)
		wg.Wait()
		t.Logf("%d calls, %d writes refused", calls.Load(), failed.Load())
		if calls.Load() == 0 {
			t.Error("no calls")
		}
	})
}

// All and Values yield no more text than the list has bytes, even while an enemy
// changes where slots end.
func TestEnemyOfTable(t *testing.T) {
	b := encode(t, format.Offsets, slices.Repeat([]any{strings.Repeat("a", 992)}, 20)...)
	buf := newFence(t, len(b)).atEnd(b, -len(b)&7)
	l := attach(t, buf).WithPatience(0)
	p := areasOf(buf, format.Offsets)
	var stop atomic.Bool
	var wg sync.WaitGroup
	wg.Go(func() {
		table := unsafe.Slice((*int64)(unsafe.Pointer(&buf[8])), l.Len()+1)
		for i := 0; i < l.Len(); i += 2 { // the format for all text from the slot's start to the end of the data
			setHeader(buf, format.Offsets, i, fmt.Sprintf("%ds", table[l.Len()]-table[i]), 1)
		}
		ends := [2][]int64{slices.Clone(table), slices.Repeat(table[l.Len():], l.Len())}
		for n := 0; !stop.Load(); n = 1 - n {
			for i := 1; i < l.Len(); i += 2 { // where every other slot ends
				atomic.StoreInt64(&table[i], ends[n][i])
			}
		}
	})
	for start := time.Now(); time.Since(start) < 300*time.Millisecond; {
		text := 0
		for v := range l.All() {
			s, _ := v.(string)
			text += len(s)
		}
		if text > p.formats-p.data {
			t.Errorf("%d bytes of text from %d", text, p.formats-p.data)
		}
	}
	stop.Store(true)
	wg.Wait()
}

// A number can be read and changed however often others store to it at the same time.
func TestEnemyOfOneInt(t *testing.T) {
	buf := newFence(t, 64).atStart(encode(t, format.Offsets, 0), 0)
	l := attach(t, buf)
	word := (*int64)(unsafe.Pointer(&buf[areasOf(buf, format.Offsets).data]))
	var stop atomic.Bool
	var wg sync.WaitGroup
	wg.Go(func() {
		for v := int64(0); !stop.Load(); v = (v + 1) % 1000 {
			atomic.StoreInt64(word, v)
		}
	})
	for start := time.Now(); time.Since(start) < 100*time.Millisecond; {
		if v, err := l.AddInt(0, 1000); err != nil || v < 1000 || v > 1000+1999 {
			t.Errorf("AddInt = %d, %v", v, err)
		}
		if v, err := l.Int(0); err != nil || v < 0 || v > 1999 {
			t.Errorf("Int = %d, %v", v, err)
		}
		if _, err := l.CompareAndSwapInt(0, 5, 6); err != nil {
			t.Error(err)
		}
		if err := l.SetInt(0, 7); err != nil {
			t.Error(err)
		}
		if _, err := l.Float(0); !errors.Is(err, format.ErrKind) {
			t.Error(err)
		}
	}
	stop.Store(true)
	wg.Wait()
}
