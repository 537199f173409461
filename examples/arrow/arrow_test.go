package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"unsafe"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/pyshm-go/pyshm/compat"
	"github.com/pyshm-go/pyshm/internal/testkit"
	"github.com/pyshm-go/pyshm/pyshm"
)

func TestMain(m *testing.M) { testkit.Main(m) }

func shared(t *testing.T, table arrow.RecordBatch) *pyshm.SharedMemory {
	t.Helper()
	testkit.NeedLinux(t)
	defer table.Release()
	m := testkit.Must(share(testkit.Name(t), table))(t)
	t.Cleanup(func() { m.Unlink(); m.Close() })
	return m
}

// The columns are the memory of the segment, which another handle changes.
func TestReadCopiesNothing(t *testing.T) {
	made := shared(t, makeTrades(100))
	m := testkit.Must(pyshm.Attach(made.Name()))(t)
	defer m.Close()
	batches := 0
	testkit.Check(t, read(m, func(batch arrow.RecordBatch) error {
		batches++
		symbols, prices := batch.Column(0).(*array.String), batch.Column(1).(*array.Float64)
		if symbols.Value(99) != "PY" || prices.Value(99) != 24.75 {
			t.Errorf("row 99 is %s, %v", symbols.Value(99), prices.Value(99))
		}
		return m.WithBytes(func(b []byte) error {
			column := prices.Float64Values()
			at := uintptr(unsafe.Pointer(&column[99])) - uintptr(unsafe.Pointer(&b[0]))
			_, err := made.WriteAt(binary.LittleEndian.AppendUint64(nil, math.Float64bits(-1)), int64(at))
			if prices.Value(99) != -1 {
				t.Errorf("the column has %v after a write to the segment", prices.Value(99))
			}
			return err
		})
	}))
	if batches != 1 {
		t.Errorf("%d batches", batches)
	}
}

// What can be caught is an error that names the segment.
func TestReadFails(t *testing.T) {
	truncated := shared(t, makeTrades(10_000))
	err := read(truncated, func(batch arrow.RecordBatch) error {
		testkit.Check(t, os.Truncate(testkit.Path(truncated.Name()), 4096))
		return fmt.Errorf("the volume is %d", batch.Column(2).(*array.Int64).Value(9_999))
	})
	if !errors.Is(err, pyshm.ErrFault) {
		t.Errorf("truncated while it is read: %v", err)
	}
	if err := read(truncated, nil); !errors.Is(err, pyshm.ErrFault) {
		t.Errorf("truncated: %v", err)
	}

	b := array.NewDictionaryBuilder(memory.DefaultAllocator, &arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Int8, ValueType: arrow.BinaryTypes.String})
	defer b.Release()
	testkit.Check(t, b.(*array.BinaryDictionaryBuilder).AppendString("GO"))
	column := b.NewDictionaryArray()
	defer column.Release()
	schema := arrow.NewSchema([]arrow.Field{{Name: "symbol", Type: column.DataType()}}, nil)
	categories := shared(t, array.NewRecordBatch(schema, []arrow.Array{column}, 1))
	err = read(categories, func(arrow.RecordBatch) error { return nil })
	if err == nil || !strings.Contains(err.Error(), categories.Name()) {
		t.Errorf("a dictionary: %v", err)
	}
}

// A file of which the end is missing is an error, wherever it is cut.
func TestReadCut(t *testing.T) {
	whole := shared(t, makeTrades(10))
	data := make([]byte, whole.Size())
	testkit.Must(whole.ReadAt(data, 0))(t)
	for n := 1; n < len(data); n += 31 {
		m := testkit.Must(pyshm.CreateFrom(testkit.Name(t), n, func(w io.WriterAt) error {
			_, err := w.WriteAt(data[:n], 0)
			return err
		}))(t)
		if err := read(m, func(arrow.RecordBatch) error { return nil }); err == nil {
			t.Errorf("cut after %d bytes: no error", n)
		}
		testkit.Check(t, errors.Join(m.Unlink(), m.Close()))
	}
}

// TestPython runs the program with a Python that has pyarrow.
func TestPython(t *testing.T) {
	program := buildWithPython(t)
	out, err := program().CombinedOutput()
	const want = "Python: 1000000 rows, 0 bytes allocated\nGo: GO 500000\nGo: PY 1000000\n"
	if err != nil || string(out) != want {
		t.Errorf("%v, %q; want %q", err, out, want)
	}
}

// TestFlight runs the program with a server, as on another machine.
func TestFlight(t *testing.T) {
	program := buildWithPython(t)
	server := exec.CommandContext(t.Context(), "python3", "worker.py", "--flight", "127.0.0.1:0")
	server.Path, server.Env = filepath.Join(filepath.Dir(program().Path), "python3"), program().Env
	lines := testkit.Must(server.StdoutPipe())(t)
	testkit.Check(t, server.Start())
	defer func() { server.Process.Kill(); server.Wait() }()
	var port int
	if _, err := fmt.Fscanf(lines, "Python: listening on port %d\n", &port); err != nil {
		t.Fatal(err)
	}
	address := fmt.Sprintf("127.0.0.1:%d", port)
	if out, err := program("-flight", address).CombinedOutput(); err != nil || string(out) != "Go: GO 500000\nGo: PY 1000000\n" {
		t.Errorf("%v, %q", err, out)
	}

	schema := arrow.NewSchema([]arrow.Field{{Name: "symbol", Type: arrow.PrimitiveTypes.Int8}}, nil)
	bad := array.NewRecordBatch(schema, []arrow.Array{array.MakeArrayOfNull(memory.DefaultAllocator, arrow.PrimitiveTypes.Int8, 1)}, 1)
	if err := exchange(t.Context(), address, bad, printSums); err == nil || !strings.Contains(err.Error(), "volume") {
		t.Errorf("a table without volumes: %v", err)
	}
	server.Process.Kill()
	server.Wait()
	if err := exchange(t.Context(), address, makeTrades(1), printSums); err == nil || !strings.Contains(err.Error(), address) {
		t.Errorf("without a server: %v", err)
	}
}

// buildWithPython returns commands of the program, for which python3 has pyarrow.
func buildWithPython(t *testing.T) func(args ...string) *exec.Cmd {
	t.Helper()
	testkit.NeedLinux(t)
	dir := t.TempDir()
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", dir+"/arrow", ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, py := range testkit.Must(compat.Find(t.Context()))(t) {
		for _, path := range testkit.Numpys(t, py) {
			env := append(os.Environ(), "PATH="+dir+":"+os.Getenv("PATH"), "PYTHONPATH="+path)
			find := exec.CommandContext(t.Context(), py.Path, "-c", "import importlib.util, sys; sys.exit(importlib.util.find_spec('pyarrow') is None)")
			find.Env = env
			if find.Run() != nil {
				continue
			}
			testkit.CoversPackages(t, py, path, "pyarrow")
			testkit.CoversModule(t, py, "arrow-go", "github.com/apache/arrow-go/v18")
			testkit.Check(t, os.WriteFile(filepath.Join(dir, "python3"), []byte("#!/bin/sh\nexec '"+py.Path+"' \"$@\"\n"), 0o755))
			return func(args ...string) *exec.Cmd {
				command := exec.CommandContext(t.Context(), filepath.Join(dir, "arrow"), args...)
				command.Env = env
				return command
			}
		}
	}
	testkit.Missing(t, "no interpreter here has pyarrow: scripts/interpreters.sh brings it for one")
	return nil
}
