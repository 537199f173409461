package format_test

import (
	"errors"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/pyshm-go/pyshm/format"
)

// A read during one Set that changes the kind gets all of the old value or all of the
// new one. On amd64 only the order of the program can break this. On arm64 missing
// barriers can, too. The list is mapped, because the race detector would rightly report
// such use of Go's own memory.
func TestOneSetAndOneRead(t *testing.T) {
	const rounds, size = 3_000, 8_000
	values := [2]any{strings.Repeat("s", size), []byte(strings.Repeat("b", size))}
	inLayouts(t, func(t *testing.T, layout format.Layout) {
		b := encode(t, layout, values[0])
		buf := newFence(t, len(b)).atStart(b, 0)
		writer, reader := attach(t, buf), attach(t, buf).WithPatience(0)
		var begun, done atomic.Int64 // rounds
		var writing sync.WaitGroup
		writing.Go(func() {
			for round := int64(1); round <= rounds; round++ {
				waitFor(&begun, round)
				if err := writer.Set(0, values[round%2]); err != nil {
					t.Error(err)
				}
				done.Store(round)
			}
		})
		var got [3]int // str, bytes, neither
		for round := int64(1); round <= rounds && !t.Failed(); round++ {
			begun.Store(round)
			for range round % 50 * 20 { // or the read would always come first
				begun.Load()
			}
			switch v, err := reader.Get(0); {
			case format.Equal(v, values[0]):
				got[0]++
			case format.Equal(v, values[1]):
				got[1]++
			case errors.Is(err, format.ErrBusy):
				got[2]++
			default:
				t.Errorf("round %d: %.50q, %v", round, v, err)
			}
			waitFor(&done, round)
		}
		begun.Store(rounds)
		writing.Wait()
		t.Logf("%d str, %d bytes, %d in between", got[0], got[1], got[2])
	})
}

// waitFor waits until another goroutine has reached a round.
func waitFor(n *atomic.Int64, round int64) {
	for tries := 0; n.Load() < round; tries++ {
		if tries > 1000 { // there may be one processor alone
			runtime.Gosched()
		}
	}
}
