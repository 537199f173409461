package conformance

import (
	"bytes"
	_ "embed"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
	"unsafe"

	"github.com/pyshm-go/pyshm/compat"
	"github.com/pyshm-go/pyshm/format/npy"
	"github.com/pyshm-go/pyshm/internal/soak"
	"github.com/pyshm-go/pyshm/internal/testkit"
)

//go:embed npy_numpy.py
var npyNumpy string

// forEachNumpy runs f with a peer of its own for each numpy of this machine: each numpy
// that an interpreter has, and each that scripts/interpreters.sh has brought for one.
func forEachNumpy(t *testing.T, f func(t *testing.T, p *compat.Peer)) {
	t.Helper()
	forEachNumpyIn(t, func(t testing.TB, _ string, py compat.Interpreter, options ...compat.PeerOption) *compat.Peer {
		return start(t, py, options...)
	}, f)
}

// forEachSharedNumpy is forEachNumpy with a peer that several tests use, for tests that
// call functions and keep nothing in the process. An import of numpy takes longer than
// most of them.
func forEachSharedNumpy(t *testing.T, f func(t *testing.T, p *compat.Peer)) {
	t.Helper()
	forEachNumpyIn(t, testkit.SharePeer, f)
}

type peerGiver func(t testing.TB, name string, py compat.Interpreter, options ...compat.PeerOption) *compat.Peer

func forEachNumpyIn(t *testing.T, peer peerGiver, f func(t *testing.T, p *compat.Peer)) {
	t.Helper()
	tested := false
	compat.ForEach(t, func(t *testing.T, py compat.Interpreter) {
		for _, path := range testkit.Numpys(t, py) {
			tested = true
			name, options := "numpy", []compat.PeerOption{compat.Timeout(2 * time.Minute)}
			if path != "" {
				name, options = filepath.Base(filepath.SplitList(path)[0]), append(options, compat.Env("PYTHONPATH="+path))
			}
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				testkit.CoversPackages(t, py, path, "numpy")
				p := peer(t, py.String()+" with "+name, py, options...)
				check(t, p.Exec("import types\nvalues = types.ModuleType('npy_numpy')"))
				_, err := p.Do([]compat.Request{{Op: "exec", Args: []any{"exec(compile(" + pyRepr(npyNumpy) + ", 'npy_numpy.py', 'exec'), values.__dict__)"}}})
				check(t, err)
				check(t, p.Exec("values.npy"))
				f(t, p)
			})
		}
	})
	if !tested {
		testkit.Missing(t, "no interpreter here has numpy: scripts/interpreters.sh brings some")
	}
}

// A numpyHeader is an element of the result of headers in npy_numpy.py.
type numpyHeader struct {
	header                   []byte
	descr, name              string
	original, meaning        string // str(dtype) before it was written, and how numpy reads that text
	itemSize, size           int
	shape, strides           []int
	fortranOnly, nativeOrder bool
}

func numpyHeaders(t *testing.T, p *compat.Peer, seed, n int) []numpyHeader {
	t.Helper()
	var made []numpyHeader
	for _, v := range ask[[]any](t, p, "headers", seed, n) {
		v := v.([]any)
		made = append(made, numpyHeader{
			header: v[0].([]byte), descr: v[1].(string), name: v[2].(string), itemSize: int(v[3].(int64)),
			shape: ints(v[4]), fortranOnly: v[5].(bool), size: int(v[6].(int64)), strides: ints(v[7]), nativeOrder: v[8].(bool), original: v[9].(string), meaning: v[10].(string),
		})
	}
	return made
}

func ints(v any) []int {
	all := []int{}
	for _, n := range v.([]any) {
		all = append(all, int(n.(int64)))
	}
	return all
}

// numpyVersion returns the minor version of numpy 1, or 100 times the major one.
func numpyVersion(t *testing.T, p *compat.Peer) int {
	version := must(p.Eval("values.numpy.__version__"))(t).(string)
	var major, minor int
	must(fmt.Sscanf(version, "%d.%d", &major, &minor))(t)
	return 100*(major-1) + minor
}

// TestNpyHeadersOfNumpy has numpy write headers of random dtypes and shapes. Go reads
// them, prints the same as numpy, and writes the same headers.
func TestNpyHeadersOfNumpy(t *testing.T) {
	t.Parallel()
	forEachSharedNumpy(t, func(t *testing.T, p *compat.Peer) {
		seed := int(soak.Seed(t) >> 1)
		version := numpyVersion(t, p)
		for round := range soak.Length(1, 20) {
			for _, want := range numpyHeaders(t, p, seed+round, 1000) {
				checkNumpyHeader(t, want, version)
			}
		}
	})
}

func checkNumpyHeader(t *testing.T, want numpyHeader, version int) {
	t.Helper()
	h, offset, err := npy.ParseHeader(want.header)
	if err != nil {
		t.Errorf("%q: %v", want.header, err)
		return
	}
	wantEqual(t, "descr", h.Dtype.String(), unquoted(want.descr))
	wantEqual(t, "item size", h.Dtype.Size(), want.itemSize)
	wantEqual(t, "offset", offset, len(want.header))
	wantEqual(t, "Fortran", h.Fortran, want.fortranOnly)
	wantEqual(t, "Swapped", h.Dtype.Swapped(), !want.nativeOrder)
	wantEqual(t, "Size", must(h.Size())(t), want.size)
	if !slices.Equal(h.Shape, want.shape) || !sameStrides(h.Shape, h.Strides(), want.strides) {
		t.Errorf("%q: shape %v, strides %v; numpy has %v, %v", want.header, h.Shape, h.Strides(), want.shape, want.strides)
	}
	if version >= 23 { // earlier versions print fewer spaces
		wantEqual(t, "str(dtype)", h.Dtype.Name(), want.name)
	}
	for _, text := range []string{want.descr, want.name} {
		if d, err := npy.ParseDtype(unquoted(text)); err != nil || !d.Equal(h.Dtype) {
			t.Errorf("ParseDtype(%q) = %v, %v; the header has %v", text, d, err, h.Dtype)
		}
	}
	if d, err := npy.ParseDtype(want.original); want.meaning != "" && (err != nil || d.String() != unquoted(want.meaning)) {
		t.Errorf("ParseDtype(%q) = %v, %v; numpy reads %s", want.original, d, err, want.meaning)
	}
	written := must(npy.AppendHeader(nil, h))(t)
	if version < 24 && !bytes.Equal(written, want.header) || version >= 24 && withoutSpaces(written) != withoutSpaces(want.header) {
		t.Errorf("Go writes %q, numpy %q", written, want.header)
	}
}

// unquoted returns the quoted text in a header, unless it is a list.
func unquoted(descr string) string { return strings.Trim(descr, "'") }

// sameStrides compares the strides that have a meaning: of axes with more than one
// element, in arrays that are not empty.
func sameStrides(shape, a, b []int) bool {
	for i, n := range shape {
		if n > 1 && a[i] != b[i] && !slices.Contains(shape, 0) {
			return false
		}
	}
	return true
}

// withoutSpaces returns the text of a header without its spaces: numpy from 1.24 on
// writes more of them, as room for a longer shape.
func withoutSpaces(header []byte) string { return strings.TrimRight(string(header[10:]), " \n") }

// TestNpyHeadersOfGo writes arrays to files that numpy loads as its users do.
func TestNpyHeadersOfGo(t *testing.T) {
	t.Parallel()
	forEachSharedNumpy(t, func(t *testing.T, p *compat.Peer) {
		dir := t.TempDir()
		headers := numpyHeaders(t, p, int(soak.Seed(t)>>1), 100)
		for i, h := range manyHeaders(t, headers) {
			size := must(h.Size())(t)
			file := must(npy.AppendHeader(nil, h))(t)
			if size == 0 && len(file)%4096 == 0 {
				t.Errorf("the data of %v begins at %d, where numpy cannot map nothing", h, len(file))
			}
			path := filepath.Join(dir, fmt.Sprint(i))
			check(t, os.WriteFile(path, append(file, make([]byte, size)...), 0o600))
			loaded := ask[[]any](t, p, "load", pyRepr(path))
			wantEqual(t, "descr", unquoted(loaded[0].(string)), h.Dtype.String())
			wantEqual(t, "shape", fmt.Sprint(ints(loaded[1])), fmt.Sprint(h.Shape))
			wantEqual(t, "bytes", int(loaded[3].(int64)), size)
		}
	})
}

// manyHeaders returns headers made by numpy, and some headers at the limits.
func manyHeaders(t *testing.T, made []numpyHeader) []npy.Header {
	var all []npy.Header
	for _, m := range made {
		h, _, err := npy.ParseHeader(m.header)
		check(t, err)
		all = append(all, h)
	}
	small := must(npy.ParseDtype("u1"))(t)
	all = append(all,
		npy.Header{Dtype: small, Shape: slices.Repeat([]int{1}, npy.MaxDims)},
		npy.Header{Dtype: small, Shape: []int{}},
		npy.Header{Dtype: small, Shape: []int{math.MaxInt >> 8, 0}},
	)
	// Texts of each length around a page, with and without data.
	for length := 4096 - 64 - 80; length < 4096+64-70; length += 3 {
		d := must(npy.ParseDtype("[('" + strings.Repeat("n", length) + "', 'u1')]"))(t)
		all = append(all, npy.Header{Dtype: d, Shape: []int{0}}, npy.Header{Dtype: d, Shape: []int{1}})
	}
	return all
}

// TestNpyMutatedHeaders changes headers at random. A header that Go still reads must mean
// the same to numpy.
func TestNpyMutatedHeaders(t *testing.T) {
	t.Parallel()
	forEachSharedNumpy(t, func(t *testing.T, p *compat.Peer) {
		seed := int(soak.Seed(t) >> 1)
		rng := rand.New(rand.NewPCG(uint64(seed), 1))
		headers := numpyHeaders(t, p, seed, 300)
		accepted, refused := [][]byte{}, 0
		for range soak.Length(20_000, 2_000_000) {
			header := mutated(rng, headers[rng.IntN(len(headers))].header)
			if _, _, err := npy.ParseHeader(header); err == nil {
				accepted = append(accepted, header)
			} else {
				refused++
			}
		}
		t.Logf("%d of %d mutated headers are accepted", len(accepted), len(accepted)+refused)
		if len(accepted) < 50 {
			t.Error("too few headers are left to compare")
		}
		for batch := range slices.Chunk(accepted, 500) {
			compareReading(t, p, batch)
		}
	})
}

// compareReading fails if a header that Go reads means something else to numpy.
func compareReading(t *testing.T, p *compat.Peer, headers [][]byte) {
	t.Helper()
	var list strings.Builder
	for _, header := range headers {
		fmt.Fprintf(&list, "bytes.fromhex('%x'),", header)
	}
	check(t, p.Exec("batch = ["+list.String()+"]"))
	for i, v := range must(p.Eval("[values.read(header) for header in batch]"))(t).([]any) {
		h, offset, err := npy.ParseHeader(headers[i])
		check(t, err)
		read, ok := v.([]any)
		if !ok {
			t.Errorf("%q: Go reads %v, numpy %v", headers[i], h, v)
			continue
		}
		got := fmt.Sprintln(h.Dtype, h.Shape, h.Fortran, offset, h.Dtype.Size())
		if want := fmt.Sprintln(unquoted(read[0].(string)), ints(read[1]), read[2], read[3], read[4]); got != want {
			t.Errorf("%q: Go reads %s, numpy %s", headers[i], got, want)
		}
	}
}

// tokens are the texts that a mutation puts in: parts of headers, and texts like them.
var tokens = []string{
	"'", `"`, "(", ")", "[", "]", "{", "}", ",", ", ", " ", "\t", "\n", "\r", "\f", "\x00", "#", "\\", `\x41`, `\xe9`, `\u20ac`, `\U0001f600`,
	`\x00`, `\ud800`, `\n`, `\'`, "L", "0", "1", "2", "9", "10", "-1", "1_0", "2**31", "0x10", "True", "False", "None", "()", "(1,)", "(2, 3)", "(2)", "2",
	"'<f4'", "'|b1'", "'>i8'", "'M8[ns]'", "'<M8[25s]'", "'float32'", "'?'", "'?u1'", "'O'", "'S0'", "'V3'", "'|V1'", "('', '|V3'), ", "('', '<f4'), ",
	"('x', '<f4')", "('x', 'u1', (2,))", "('x', ('u1', (2,)))", "(('t', 'x'), 'u1')", "[('y', 'i2')]", "'descr': '<f8', ", "'shape': (1,), ", "é", "\xe9", "u", "b", "=", "<", "|",
	"a", "datetime64[ns]", "complex64", "generic", "9223372036854775807", "4294967296", "2147483647", "'S2147483647'", "(1000000, 1000000)", "('x', 'u1', 3)", "('x', 'u1', 1)",
}

// mutated returns a header with up to three changes of its text, and a length and
// version that mostly fit.
func mutated(rng *rand.Rand, header []byte) []byte {
	version := byte(1 + rng.IntN(3))
	text := string(header[10:])
	end := len(strings.TrimRight(text, " \n")) + 1
	for range 1 + rng.IntN(3) {
		at := rng.IntN(min(end, len(text)))
		to := at + rng.IntN(min(8, len(text)-at))
		token := tokens[rng.IntN(len(tokens))]
		switch rng.IntN(5) {
		case 0:
			text = text[:at] + token + text[at:]
		case 1:
			text = text[:at] + token + text[to:]
		case 2:
			text = text[:at] + text[to:]
		case 3: // a quoted or numeric part becomes another
			text = replaceToken(text, at, token)
		case 4:
			text = text[:at] + text[at:to] + text[at:]
		}
		if text == "" {
			text = "{"
		}
	}
	if rng.IntN(4) == 0 {
		text = strings.TrimRight(text, " \n") + tokens[rng.IntN(len(tokens))] + "\n"
	}
	b := []byte("\x93NUMPY")
	if version == 1 {
		b = binary.LittleEndian.AppendUint16(append(b, 1, 0), uint16(len(text)))
	} else {
		b = binary.LittleEndian.AppendUint32(append(b, version, 0), uint32(len(text)))
	}
	return append(b, text...)
}

// replaceToken replaces the text between two commas or brackets around at.
func replaceToken(text string, at int, token string) string {
	from := strings.LastIndexAny(text[:at], ",:([{")
	to := strings.IndexAny(text[at:], ",)]}")
	if from < 0 || to < 0 {
		return text
	}
	return text[:from+1] + " " + token + text[at+to:]
}

// TestNpySwap turns elements of other machines as numpy does.
func TestNpySwap(t *testing.T) {
	t.Parallel()
	forEachSharedNumpy(t, func(t *testing.T, p *compat.Peer) {
		seed := int(soak.Seed(t) >> 1)
		rng := rand.New(rand.NewPCG(uint64(seed), 2))
		swapped := 0
		for _, made := range numpyHeaders(t, p, seed, 300) {
			h, _, err := npy.ParseHeader(made.header)
			check(t, err)
			if !h.Dtype.Swapped() {
				continue
			}
			swapped++
			data := make([]byte, 3*h.Dtype.Size())
			for i := range data {
				data[i] = byte(rng.Uint32())
			}
			after := bytes.Clone(data)
			check(t, h.Dtype.Swap(after))
			if !ask[bool](t, p, "turned", pyRepr(made.descr), data, after) {
				t.Errorf("%s: %x becomes %x", made.descr, data, after)
			}
			wantEqual(t, "swapped after the swap", h.Dtype.Native().Swapped(), false)
		}
		if swapped < 20 {
			t.Errorf("%d dtypes were swapped only", swapped)
		}
	})
}

// TestNpyFloat16 converts every float16, and float32s of every kind, as numpy does.
func TestNpyFloat16(t *testing.T) {
	t.Parallel()
	forEachSharedNumpy(t, func(t *testing.T, p *compat.Peer) {
		var halves, singles, want, got []byte
		for i := range 1 << 16 {
			halves = binary.NativeEndian.AppendUint16(halves, uint16(i))
			want = binary.NativeEndian.AppendUint32(want, math.Float32bits(npy.Float16(i).Float32()))
		}
		if single := ask[[]byte](t, p, "single", halves); !bytes.Equal(single, want) {
			t.Error("Float32 differs from numpy's conversion of a float16")
		}
		rng := rand.New(rand.NewPCG(soak.Seed(t), 3))
		for i := range 1 << 17 {
			bits := rng.Uint32()
			if i%2 == 0 { // around the numbers that a half can be, and between two
				bits = math.Float32bits(npy.Float16(rng.Uint32()).Float32()) + uint32(rng.IntN(5)-2)<<(12*(i/2%2))
			}
			singles = binary.NativeEndian.AppendUint32(singles, bits)
			got = binary.NativeEndian.AppendUint16(got, uint16(npy.Float16Of(math.Float32frombits(bits))))
		}
		half := ask[[]byte](t, p, "half", singles)
		for i := 0; i < len(half); i += 2 {
			if !bytes.Equal(half[i:i+2], got[i:i+2]) {
				t.Fatalf("%x becomes %x, in numpy %x", singles[2*i:2*i+4], got[i:i+2], half[i:i+2])
			}
		}
	})
}

// TestNpyFixtures: every numpy writes the same files as in testdata.
func TestNpyFixtures(t *testing.T) {
	t.Parallel()
	forEachSharedNumpy(t, func(t *testing.T, p *compat.Peer) {
		check(t, p.Exec("import importlib.util, pathlib; sys.dont_write_bytecode = True\n"+
			"spec = importlib.util.spec_from_file_location('npy_fixtures', '../../scripts/npy_fixtures.py')\n"+
			"fixtures = importlib.util.module_from_spec(spec); spec.loader.exec_module(fixtures)"))
		status := must(p.Eval("fixtures.check(pathlib.Path('../../testdata/npy'))"))(t)
		if status != int64(0) {
			t.Errorf("the fixtures differ: %s", p.Stderr())
		}
	})
}

type npyPoint struct {
	X, Y float32
	N    uint8
}

// An npyTight is a record to which C adds more padding than Go on 32-bit arm.
type npyTight struct {
	Flag  uint8 `numpy:"flag,b1"`
	Price float64
}

// TestNpyAlignedRecords: numpy's aligned dtype has the layout that Go's compiler gives the
// struct. The packed dtype is refused: the error names the field and the remedy.
func TestNpyAlignedRecords(t *testing.T) {
	t.Parallel()
	const fields = "[('t', 'M8[ns]'), ('flag', '?'), ('price', 'f8'), ('qty', 'i4'), ('side', 'S3'), ('half', 'f2'), ('c', 'c8'), " +
		"('points', numpy.dtype([('x', 'f4'), ('y', 'f4'), ('n', 'u1')], align=align), (2, 3)), ('name', 'U4'), ('last', 'u1')]"
	g := must(npy.DtypeOf[npyRecord]())(t)
	forEachSharedNumpy(t, func(t *testing.T, p *compat.Peer) {
		check(t, p.Exec("numpy = values.numpy\ndef descr(align): return repr(values.npy.dtype_to_descr(numpy.dtype("+fields+", align=align)))"))
		price := unsafe.Offsetof(npyRecord{}.Price)
		texts := map[string]string{
			"True":  "",
			"False": fmt.Sprintf("npyRecord.price is at 9, not %d: make the dtype with align=True", price),
		}
		for align, want := range texts {
			d := must(npy.ParseDtype(must(p.Eval("descr(" + align + ")"))(t).(string)))(t)
			err := d.Check(g)
			if want == "" && (err != nil || !d.Equal(g)) || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
				t.Errorf("align=%s: %v; want %q", align, err, want)
			}
		}
	})
}

// TestNpyPadding: on 32-bit arm C pads more than Go. The error for an aligned dtype names the
// padding that the Go type needs.
func TestNpyPadding(t *testing.T) {
	t.Parallel()
	g := must(npy.DtypeOf[npyTight]())(t)
	forEachNumpy(t, func(t *testing.T, p *compat.Peer) {
		text := must(p.Eval("repr(values.npy.dtype_to_descr(values.numpy.dtype([('flag', '?'), ('price', 'f8')], align=True)))"))(t).(string)
		err := must(npy.ParseDtype(text))(t).Check(g)
		const remedy = "npyTight.price is at 8, not 4: on this machine align=True pads more than Go: add a field _ [4]byte in front of it in Go's type"
		if inGo := unsafe.Offsetof(npyTight{}.Price); runtime.GOARCH == "arm" {
			if inGo != 4 || err == nil || !strings.Contains(err.Error(), remedy) {
				t.Errorf("at %d in Go: %v, want %q", inGo, err, remedy)
			}
		} else if err != nil {
			t.Error(err)
		}
	})
}
