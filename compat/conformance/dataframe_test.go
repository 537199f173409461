package conformance

import (
	"fmt"
	"sync"
	"testing"

	"github.com/pyshm-go/pyshm/compat"
	"github.com/pyshm-go/pyshm/internal/testkit"
	"github.com/pyshm-go/pyshm/pyshm"
)

type dataframe struct{ module, make, see, change string }

// frames are what Python makes of the array a without a copy, by the module they need:
// how it sees element [1, 2], and how it changes element [0, 1] if it can.
var frames = []dataframe{
	{"pandas", "f = pandas.DataFrame(a, copy=False)", "float(f.iloc[1, 2])", "f.iloc[0, 1] = 7.5"},
	{"polars", "f = polars.Series('x', a[1])", "f[2]", ""},
	{"torch", "f = torch.from_numpy(a)", "float(f[1, 2])", "f[0, 1] = 7.5"},
}

// TestDataframesShareMemory: what other libraries make of an array that Go has created
// is the same memory, which Go changes under them and they change under Go.
func TestDataframesShareMemory(t *testing.T) {
	testkit.NeedLinux(t)
	t.Parallel()
	var tested sync.Map
	forEachNumpy(t, func(t *testing.T, p *compat.Peer) {
		check(t, p.Exec("import numpy, importlib.util"))
		for _, frame := range frames {
			if must(p.Eval(fmt.Sprintf("importlib.util.find_spec(%q) is not None", frame.module)))(t) == any(true) {
				tested.Store(frame.module, true)
				t.Run(frame.module, func(t *testing.T) {
					path := must(p.Eval("__import__('os').environ.get('PYTHONPATH', '')"))(t).(string)
					testkit.CoversPackages(t, p.Interpreter(), path, frame.module)
					frame.testSharesMemory(t, p)
				})
			}
		}
	})
	for _, frame := range frames {
		if _, ok := tested.Load(frame.module); !ok {
			t.Run(frame.module, func(t *testing.T) {
				if frame.module != "torch" { // the others are brought
					testkit.Missing(t, "no interpreter here has it: scripts/interpreters.sh brings it for one")
				}
				t.Skip("no interpreter here has it: one that has may be given in PYSHM_PYTHONS")
			})
		}
	}
}

func (f dataframe) testSharesMemory(t *testing.T, p *compat.Peer) {
	name := newName(t)
	a := must(pyshm.CreateArray[float64](name, []int{2, 3}))(t)
	defer a.Close()
	check(t, p.Exec(fmt.Sprintf("import %s\na = numpy.load('/dev/shm/%s', mmap_mode='r+')\n%s", f.module, name, f.make)))
	check(t, a.Set(2.5, 1, 2))
	wantEqual(t, "Python sees", must(p.Eval(f.see))(t), any(2.5))
	if f.change != "" {
		check(t, p.Exec(f.change))
		wantEqual(t, "Go sees", must(a.At(0, 1))(t), 7.5)
	}
	check(t, p.Exec("del f, a"))
}
