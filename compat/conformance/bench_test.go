package conformance

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/pyshm-go/pyshm/compat"
	"github.com/pyshm-go/pyshm/format"
	"github.com/pyshm-go/pyshm/internal/testkit"
	"github.com/pyshm-go/pyshm/pyshm"
)

// BenchmarkBesidePython does the same to the same list in Go and in Python, one after
// the other in one run. It reports how long an operation takes in Python (py-ns/op, the
// median of 9 rounds), and how many times longer than in Go (x). Machines are noisy: the
// ratio is more reliable than the times.
//
//	go test ./compat -run '^$' -bench BesidePython
func BenchmarkBesidePython(b *testing.B) {
	peer := start(b, testkit.Python(b))
	values := make([]any, 1000)
	for i := range values {
		values[i] = int64(i)
	}
	values[1] = "some text"
	theirs, err := peer.CreateList(testkit.Name(b), values)
	if err != nil {
		b.Fatal(err)
	}
	defer theirs.Unlink()
	if err := peer.Exec("import timeit"); err != nil {
		b.Fatal(err)
	}
	list, err := pyshm.AttachList(theirs.Name())
	if err != nil {
		b.Fatal(err)
	}
	defer list.Close()

	var buf []byte
	sl := theirs.Var()
	for _, bench := range []struct {
		name   string
		python string // one operation
		op     func() error
	}{
		{"get int", sl + "[0]", func() error { _, err := list.Int(0); return err }},
		{"set int", sl + "[0] = 5", func() error { return list.SetInt(0, 5) }},
		{"get str", sl + "[1]", func() (err error) { buf, err = list.AppendStr(buf[:0], 1); return err }},
		{"set str", sl + "[1] = 'other'", func() error { return list.SetStr(1, "other") }},
		{"count", sl + ".count(7)", func() error { _, err := list.Count(7); return err }},
		{"all items", "list(" + sl + ")", func() error { _, err := list.Values(); return err }},
		{"attach", "_a = ShareableList(name=" + format.Repr(theirs.Name()) + "); _a.shm.close()", func() error {
			l, err := pyshm.AttachList(theirs.Name())
			if err != nil {
				return err
			}
			return l.Close()
		}},
	} {
		b.Run(bench.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := bench.op(); err != nil {
					b.Fatal(err)
				}
			}
			goNs := float64(b.Elapsed().Nanoseconds()) / float64(b.N)
			pyNs := timePython(b, peer, bench.python)
			b.ReportMetric(pyNs, "py-ns/op")
			b.ReportMetric(pyNs/goNs, "x")
		})
	}
}

// timePython returns the median time of a statement, in nanoseconds.
func timePython(b *testing.B, peer *compat.Peer, statement string) float64 {
	b.Helper()
	timer := fmt.Sprintf("timeit.Timer(%s, globals=globals())", format.Repr(statement))
	result, err := peer.Eval(fmt.Sprintf("[t / n for t in %s.repeat(9, n)] if (n := %s.autorange()[0] // 4 or 1) else []", timer, timer))
	if err != nil {
		b.Fatal(err)
	}
	var rounds []float64
	for _, seconds := range result.([]any) {
		rounds = append(rounds, seconds.(float64)*float64(time.Second))
	}
	slices.Sort(rounds)
	return rounds[len(rounds)/2]
}
