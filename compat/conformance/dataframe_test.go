package conformance

import (
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/pyshm-go/pyshm/compat"
	"github.com/pyshm-go/pyshm/pyshm"
)

// frames are what Python makes of the array a without a copy, by the module they need:
// how it sees element [1, 2], and how it changes element [0, 1] if it can.
var frames = []struct{ module, make, see, change string }{
	{"pandas", "f = pandas.DataFrame(a, copy=False)", "float(f.iloc[1, 2])", "f.iloc[0, 1] = 7.5"},
	{"polars", "f = polars.Series('x', a[1])", "f[2]", ""},
	{"torch", "f = torch.from_numpy(a)", "float(f[1, 2])", "f[0, 1] = 7.5"},
}

// TestDataframesShareMemory: what other libraries make of an array that Go has created
// is the same memory, which Go changes under them and they change under Go.
func TestDataframesShareMemory(t *testing.T) {
	for _, frame := range frames {
		t.Run(frame.module, func(t *testing.T) {
			var tested atomic.Bool
			forEachNumpy(t, func(t *testing.T, p *compat.Peer) {
				if p.Exec("import numpy, "+frame.module) != nil {
					return
				}
				tested.Store(true)
				name := newName(t)
				a := must(pyshm.CreateArray[float64](name, []int{2, 3}))(t)
				defer a.Close()
				check(t, p.Exec(fmt.Sprintf("a = numpy.load('/dev/shm/%s', mmap_mode='r+')\n%s", name, frame.make)))
				check(t, a.Set(2.5, 1, 2))
				wantEqual(t, "Python sees", must(p.Eval(frame.see))(t), any(2.5))
				if frame.change != "" {
					check(t, p.Exec(frame.change))
					wantEqual(t, "Go sees", must(a.At(0, 1))(t), 7.5)
				}
				check(t, p.Exec("del f, a"))
			})
			if !tested.Load() {
				t.Skip("no interpreter here has it: one that has may be given in PYSHM_PYTHONS")
			}
		})
	}
}
