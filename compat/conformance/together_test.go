package conformance

import (
	"errors"
	"fmt"
	"testing"

	"github.com/pyshm-go/pyshm/compat"
	"github.com/pyshm-go/pyshm/format/npy"
	"github.com/pyshm-go/pyshm/pyshm"
)

// Go and Python write to one list at the same time, each to its own items.
func testTogether(t *testing.T, p *compat.Peer) {
	const rounds = 2000
	ours := must(pyshm.CreateList(newName(t), []any{int64(0), int64(0), "x"}, pyshm.Layout(p.Interpreter().Layout())))(t)
	defer ours.Close()
	theirs := must(p.AttachList(ours.Name()))(t)
	defer theirs.Close()
	done := make(chan error, 1)
	go func() {
		done <- p.Exec(fmt.Sprintf("for i in range(1, %d): %s[1] = i", rounds+1, theirs.Var()))
	}()
	for i := range int64(rounds) {
		check(t, ours.SetInt(0, i+1))
		must(ours.Int(1))(t)
	}
	check(t, <-done)
	want := []any{int64(rounds), int64(rounds), "x"}
	wantEqual(t, "items in Go", must(ours.Values())(t), want)
	wantEqual(t, "items in Python", must(theirs.Values())(t), want)
}

// readArray has Python read an array's header and elements without numpy.
const readArray = `
import ast
def elements(shm, code):
    assert bytes(shm.buf[:8]) == b"\x93NUMPY\x01\x00"
    end = 10 + int.from_bytes(shm.buf[8:10], "little")
    header = ast.literal_eval(bytes(shm.buf[10:end]).decode())
    n = 1
    for length in header["shape"]: n *= length
    view = shm.buf[end:end + n * struct.calcsize(code)]
    values = view.cast(code).tolist()
    view.release()
    return [header["descr"], list(header["shape"]), values]

def make(shm, header, code, values):
    text = header.encode()
    text += b" " * (-(len(text) + 11) % 64) + b"\n"
    data = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + struct.pack("<%d%s" % (len(values), code), *values)
    shm.buf[:len(data)] = data
`

func testArraysByHand(t *testing.T, p *compat.Peer) {
	check(t, p.Exec(readArray))
	ours := must(pyshm.CreateArray[float64](newName(t), []int{2, 3}))(t)
	defer ours.Close()
	check(t, ours.Set(1.5, 1, 2))
	theirs := must(p.AttachBlock(ours.Name()))(t)
	defer theirs.Close()
	got := must(p.Eval(fmt.Sprintf("elements(%s, 'd')", theirs.Var())))(t)
	wantEqual(t, "Go's array in Python", got, []any{"<f8", []any{int64(2), int64(3)}, []any{0.0, 0.0, 0.0, 0.0, 0.0, 1.5}})

	made := must(p.CreateBlock(newName(t), 1000))(t)
	defer made.Close()
	check(t, p.Exec(fmt.Sprintf(`make(%s, "{'descr': '<i4', 'fortran_order': False, 'shape': (2, 2), }", 'i', [1, 2, 3, -4])`, made.Var())))
	array := must(pyshm.AttachArray[int32](made.Name()))(t)
	defer array.Close()
	elements := make([]int32, 4)
	must(array.CopyTo(elements))(t)
	wantEqual(t, "Python's array in Go", elements, []int32{1, 2, 3, -4})
	if _, err := pyshm.AttachArray[float64](made.Name()); !errors.Is(err, npy.ErrMismatch) {
		t.Errorf("as another type: %v", err)
	}
}
