package harness

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"os"
	"runtime"
	"strings"
	"testing"

	"github.com/pyshm-go/pyshm/compat"
	"github.com/pyshm-go/pyshm/format"
	"github.com/pyshm-go/pyshm/pyshm"
)

var readings = []Reading{
	{"kitchen", 1_767_225_600_000_000_000, 21.5},
	{"", math.MinInt64, math.Inf(-1)},
	{"Küche", math.MaxInt64, math.Copysign(0, -1)},
	{"fifteen letters", 0, math.SmallestNonzeroFloat64},
}

// TestReading runs with every Python of this machine.
func TestReading(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("shared memory needs Linux")
	}
	compat.ForEach(t, func(t *testing.T, py compat.Interpreter) {
		python, err := py.Start(t.Context(), compat.Dir(".")) // so that it can import reading.py
		check(t, err)
		defer func() { check(t, python.Close()) }()
		check(t, python.Exec("from reading import Reading, decode, encode"))
		for _, reading := range readings {
			testBytes(t, python, reading)
		}
		testShared(t, python)
		testErrors(t, python)
	})
}

// testBytes compares what both languages make of a reading, and of a record.
func testBytes(t *testing.T, python *compat.Peer, reading Reading) {
	ours, err := reading.Encode()
	check(t, err)
	var got Reading
	check(t, python.EvalInto(&got, "decode("+format.Repr(ours)+")"))
	if got != reading {
		t.Errorf("Python decodes %+v as %+v", reading, got)
	}
	theirs, err := python.Eval("encode(decode(" + format.Repr(ours) + "))")
	check(t, err)
	if record, ok := theirs.([]byte); !ok || !bytes.Equal(record, ours) {
		t.Errorf("%+v is %x in Go, and in Python %x", reading, ours, theirs)
	}
}

// testShared passes readings both ways through one list in shared memory.
func testShared(t *testing.T, python *compat.Peer) {
	list, err := pyshm.CreateList("", []any{"kitchen", 0, 21.5}, pyshm.Layout(python.Interpreter().Layout()))
	check(t, err)
	defer func() { check(t, errors.Join(list.Unlink(), list.Close())) }()
	theirs, err := python.AttachList(list.Name())
	check(t, err)
	defer func() { check(t, theirs.Close()) }()

	var record []byte
	check(t, python.EvalInto(&record, fmt.Sprintf("encode(Reading(*%s))", theirs.Var())))
	reading, err := Decode(record)
	check(t, err)
	if want := (Reading{"kitchen", 0, 21.5}); reading != want {
		t.Errorf("Python has read %+v, and not %+v", reading, want)
	}
	check(t, python.Exec(fmt.Sprintf("sl = %s; sl[0], sl[1], sl[2] = Reading('cellar', 1, -0.5)", theirs.Var())))
	values, err := list.Values()
	check(t, err)
	if want := "['cellar', 1, -0.5]"; format.Repr(values) != want {
		t.Errorf("Go has read %s, and not %s", format.Repr(values), want)
	}
}

// testErrors looks at a record that both languages have to refuse.
func testErrors(t *testing.T, python *compat.Peer) {
	bad := make([]byte, recordSize)
	bad[16] = 200
	if reading, err := Decode(bad); err == nil {
		t.Errorf("Go decodes %+v", reading)
	}
	_, err := python.Eval("decode(" + format.Repr(bad) + ")")
	var raised *compat.PythonError
	if !errors.As(err, &raised) || raised.Message != "the sensor's name has 200 bytes, and not at most 15" {
		t.Fatalf("Python: %v", err)
	}
	source, err := os.ReadFile(raised.File) // the error has the line of Python that raised it
	check(t, err)
	if line := strings.Split(string(source), "\n")[raised.Line-1]; !strings.Contains(line, "raise ValueError") {
		t.Errorf("line %d of %s is %q", raised.Line, raised.File, line)
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
