package pyshm_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"math/bits"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
	"unsafe"

	"github.com/pyshm-go/pyshm/format"
	"github.com/pyshm-go/pyshm/format/npy"
	"github.com/pyshm-go/pyshm/internal/soak"
	"github.com/pyshm-go/pyshm/internal/testkit"
	"github.com/pyshm-go/pyshm/pyshm"
)

// createRing makes a ring, closed and unlinked when the test ends.
func createRing[T any](t testing.TB, slots int, shape ...int) *pyshm.Ring[T] {
	t.Helper()
	return keep[*pyshm.Ring[T]](t)(pyshm.CreateRing[T](testkit.Name(t), slots, shape))
}

// attachRing attaches to a ring until the test ends.
func attachRing[T any](t testing.TB, name string, opts ...pyshm.AttachOption) *pyshm.Ring[T] {
	t.Helper()
	r, err := pyshm.AttachRing[T](name, opts...)
	noError(t, err)
	t.Cleanup(func() { r.Close() })
	return r
}

// fill returns a function for Publish that makes every element of a frame v.
func fill[T any](v T) func(frame []T) error {
	return func(frame []T) error {
		for i := range frame {
			frame[i] = v
		}
		return nil
	}
}

// wantNewest fails unless the newest frame has the number, and v in each element.
func wantNewest[T comparable](t testing.TB, r *pyshm.Ring[T], number uint64, v T) {
	t.Helper()
	dst := make([]T, r.Len())
	n, err := r.Newest(dst)
	if err != nil || n != number || slices.ContainsFunc(dst, func(w T) bool { return w != v }) {
		t.Errorf("Newest = %d, %v, %.100v; want %d of %v", n, err, dst, number, v)
	}
}

func TestRingCounts(t *testing.T) {
	testkit.NeedKeptNames(t)
	r := createRing[float64](t, 3, 2, 5)
	reader := attachRing[float64](t, r.Name(), pyshm.ReadOnly())
	if _, err := reader.Newest(make([]float64, 10)); !errors.Is(err, pyshm.ErrNoFrame) {
		t.Errorf("Newest of an empty ring: %v", err)
	}
	for i := range uint64(10) {
		if n, err := r.Publish(fill(float64(i))); n != i+1 || err != nil {
			t.Fatalf("Publish = %d, %v; want %d", n, err, i+1)
		}
		wantNewest(t, reader, i+1, float64(i))
	}
	want := fmt.Sprintf("Ring('%s', slots=3, shape=(2, 5), dtype='<f8')", r.Name())
	if r.String() != want || r.Slots() != 3 || r.Len() != 10 || !slices.Equal(r.Shape(), []int{2, 5}) || r.Dtype().String() != "<f8" {
		t.Errorf("%v, %d slots, %d elements, %v, %v; want %s", r, r.Slots(), r.Len(), r.Shape(), r.Dtype(), want)
	}
	wantCurrent(t, reader)
	// A restarted writer goes on.
	noError(t, r.Close())
	again := keep[*pyshm.Ring[float64]](t)(pyshm.OpenRing[float64](reader.Name(), 3, []int{2, 5}))
	if n, err := again.Publish(fill(-1.0)); n != 11 || err != nil {
		t.Errorf("a restarted writer: Publish = %d, %v", n, err)
	}
	wantNewest(t, reader, 11, -1.0)
	for _, other := range [][]int{{2, 4}, {10}, {}} {
		if _, err := pyshm.OpenRing[float64](reader.Name(), 3, other); !errors.Is(err, fs.ErrExist) {
			t.Errorf("OpenRing of shape %v: %v", other, err)
		}
	}
}

// A frame whose function fails or panics is never seen, and its number is used again.
func TestRingPublishFails(t *testing.T) {
	testkit.NeedKeptNames(t)
	r := createRing[uint32](t, 2, 100)
	if n, err := r.Publish(fill(uint32(1))); n != 1 || err != nil {
		t.Fatalf("Publish = %d, %v", n, err)
	}
	wrong := errors.New("wrong")
	for range 3 {
		n, err := r.Publish(func(frame []uint32) error {
			frame[7] = 99
			return wrong
		})
		if n != 0 || err != wrong { // as it is
			t.Errorf("Publish = %d, %v", n, err)
		}
		wantNewest(t, r, 1, 1)
		func() {
			defer func() {
				if recover() != wrong {
					t.Error("the panic is lost")
				}
			}()
			r.Publish(func(frame []uint32) error { panic(wrong) })
		}()
		wantNewest(t, r, 1, 1)
	}
	if n, err := r.Publish(fill(uint32(2))); n != 2 || err != nil {
		t.Errorf("Publish = %d, %v", n, err)
	}
	wantNewest(t, r, 2, 2)
}

func TestRingRefuses(t *testing.T) {
	testkit.NeedKeptNames(t)
	name := testkit.Name(t)
	create := func(slots int, shape ...int) error {
		_, err := pyshm.CreateRing[float32](name, slots, shape)
		return err
	}
	_, ofBool := pyshm.CreateRing[bool](name, 3, nil)
	_, ofStruct := pyshm.CreateRing[struct{ S string }](name, 3, nil)
	tooLarge := npy.ErrDtype // of a field of numpy's
	if bits.UintSize == 32 {
		tooLarge = npy.ErrShape // of an int
	}
	for what, test := range map[string]struct{ err, want error }{
		"no slot":          {create(0, 3), fs.ErrInvalid},
		"one slot":         {create(1, 3), fs.ErrInvalid},
		"too many slots":   {create(1<<16+1, 3), fs.ErrInvalid},
		"negative slots":   {create(math.MinInt, 3), fs.ErrInvalid},
		"negative length":  {create(3, 2, -1), npy.ErrShape},
		"empty frame":      {create(3, 2, 0), npy.ErrShape},
		"overflow":         {create(3, math.MaxInt, 8), npy.ErrShape},
		"2 GiB":            {create(3, 1<<29), tooLarge},
		"33 axes":          {create(3, slices.Repeat([]int{1}, 33)...), npy.ErrShape},
		"bool":             {ofBool, npy.ErrDtype},
		"struct of string": {ofStruct, npy.ErrDtype},
	} {
		if !errors.Is(test.err, test.want) || !strings.Contains(fmt.Sprint(test.err), `create ring "`+name+`"`) {
			t.Errorf("%s: %v; want %v", what, test.err, test.want)
		}
	}
	if _, err := os.Lstat(pathOf(name)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("something is left: %v", err)
	}
}

// ringFile makes a segment of a .npy header and zeros.
func ringFile(t *testing.T, descr string, shape ...int) string {
	t.Helper()
	d, err := npy.ParseDtype(descr)
	noError(t, err)
	h := npy.Header{Dtype: d, Shape: shape}
	text, err := npy.AppendHeader(nil, h)
	noError(t, err)
	size, err := h.Size()
	noError(t, err)
	m := create(t, len(text)+size)
	write(t, m, string(text), 0)
	return m.Name()
}

func TestAttachRingChecks(t *testing.T) {
	testkit.NeedKeptNames(t)
	const words = "[('begin', '=u8'), ('end', '=u8'), "
	unaligned := format.ErrUnaligned
	if unsafe.Alignof(float64(0)) == 4 { // as on 386
		unaligned = nil
	}
	for what, test := range map[string]struct {
		name string
		want error
	}{
		"fits":           {ringFile(t, words+"('frame', '=f8', (2, 3))]", 3), nil},
		"list":           {createList(t, everyKind).Name(), npy.ErrHeader},
		"zeros":          {create(t, 4096).Name(), format.ErrIncomplete},
		"missing":        {testkit.Name(t), fs.ErrNotExist},
		"array":          {ringFile(t, "f8", 3), pyshm.ErrNotRing},
		"one slot":       {ringFile(t, words+"('frame', '=f8', (2, 3))]", 1), pyshm.ErrNotRing},
		"two axes":       {ringFile(t, words+"('frame', '=f8', (2, 3))]", 3, 2), pyshm.ErrNotRing},
		"many slots":     {ringFile(t, words+"('frame', '=f8')]", 1<<16+1), pyshm.ErrNotRing},
		"other names":    {ringFile(t, "[('end', '=u8'), ('begin', '=u8'), ('frame', '=f8')]", 3), pyshm.ErrNotRing},
		"signed":         {ringFile(t, "[('begin', '=i8'), ('end', '=u8'), ('frame', '=f8')]", 3), pyshm.ErrNotRing},
		"packed":         {ringFile(t, words+"('frame', '=f4', (3,))]", 3), pyshm.ErrNotRing},
		"more fields":    {ringFile(t, words+"('frame', '=f8'), ('more', '=f8')]", 3), pyshm.ErrNotRing},
		"float32":        {ringFile(t, words+"('frame', '=f4', (2, 3))]", 3), npy.ErrMismatch},
		"big-endian":     {ringFile(t, words+"('frame', '>f8', (2, 3))]", 3), npy.ErrByteOrder},
		"unaligned data": {ringFile(t, "[('', 'V4'), ('begin', '=u8'), ('end', '=u8'), ('frame', '=f8'), ('', 'V4')]", 3), pyshm.ErrNotRing},
		"frame unaligned": {ringFile(t, "[('begin', '=u8'), ('end', '=u8'), ('', 'V4'), ('frame', '=f8'), ('', 'V4')]", 3),
			unaligned},
	} {
		r, err := pyshm.AttachRing[float64](test.name)
		if !errors.Is(err, test.want) {
			t.Errorf("%s: %v; want %v", what, err, test.want)
		}
		if err == nil {
			r.Close()
		}
	}
}

// Elements that are Go arrays, structs and numbers have the layout that T has.
func TestRingElements(t *testing.T) {
	testkit.NeedKeptNames(t)
	type tick struct {
		T     int64 `numpy:"t,M8[ns]"`
		Price float32
		Side  uint8
		_     [3]uint8
	}
	ticks := createRing[tick](t, 4)
	if n, err := ticks.Publish(fill(tick{T: 7, Price: 2.5, Side: 'b'})); n != 1 || err != nil {
		t.Fatalf("Publish = %d, %v", n, err)
	}
	wantNewest(t, attachRing[tick](t, ticks.Name()), 1, tick{T: 7, Price: 2.5, Side: 'b'})

	pixels := createRing[[3]uint8](t, 2, 3, 5)
	if n, err := pixels.Publish(fill([3]uint8{1, 2, 3})); n != 1 || err != nil {
		t.Fatalf("Publish = %d, %v", n, err)
	}
	wantNewest(t, attachRing[[3]uint8](t, pixels.Name()), 1, [3]uint8{1, 2, 3})
	flat := attachRing[uint8](t, pixels.Name())
	if !slices.Equal(flat.Shape(), []int{3, 5, 3}) || !strings.HasSuffix(pixels.String(), ", shape=(3, 5, 3), dtype='|u1')") {
		t.Errorf("%v, %v", flat.Shape(), pixels)
	}
}

func TestRingReadOnlyClosedTruncated(t *testing.T) {
	testkit.NeedLinux(t)
	r := createRing[int64](t, 3, 5000)
	if _, err := r.Publish(fill(int64(1))); err != nil {
		t.Fatal(err)
	}
	called := func([]int64) error { t.Error("called"); return nil }
	dst := make([]int64, 5000)
	reader := attachRing[int64](t, r.Name(), pyshm.ReadOnly())
	if n, err := reader.Publish(called); n != 0 || !errors.Is(err, fs.ErrPermission) {
		t.Errorf("ReadOnly: Publish = %d, %v", n, err)
	}
	if n, err := reader.Newest(dst[1:]); n != 0 || !errors.Is(err, fs.ErrInvalid) {
		t.Errorf("no room: Newest = %d, %v", n, err)
	}

	wantErrors := func(what string, r *pyshm.Ring[int64], want error) {
		t.Helper()
		_, newest := r.Newest(dst)
		_, next := r.Next(within(t, 10*time.Second), 1, dst)
		_, publish := r.Publish(called)
		for op, err := range map[string]error{"newest": newest, "next": next, "publish": publish} {
			var e *pyshm.Error
			if !errors.Is(err, want) || !errors.As(err, &e) || e.Op != op {
				t.Errorf("%s: %s: %v", what, op, err)
			}
		}
	}
	if testkit.HasFaultAddress(t) {
		noError(t, os.Truncate(pathOf(r.Name()), 0))
		wantErrors("truncated", r, pyshm.ErrFault)
		noError(t, os.Truncate(pathOf(r.Name()), 4096))
		if n, err := r.Publish(fill(int64(1))); n != 0 || !errors.Is(err, pyshm.ErrFault) { // in the caller's function
			t.Errorf("truncated behind the first page: %d, %v", n, err)
		}
	}
	noError(t, r.Close())
	wantErrors("closed", r, fs.ErrClosed)
	wantErrors("zero value", new(pyshm.Ring[int64]), fs.ErrClosed)
}

// Whatever numbers are in the slots, a call returns soon. It fails with ErrNotRing if no
// writer can have stored them.
func TestRingHostileNumbers(t *testing.T) {
	testkit.NeedKeptNames(t)
	r := createRing[uint64](t, 3)
	m := r.SharedMemory()
	words, err := pyshm.View[uint64](m, m.Size()-3*24, 9)
	noError(t, err)
	dst := make([]uint64, 1)
	for what, numbers := range map[string][6]uint64{ // begin and end of each slot
		"wrong slot":            {0, 0, 5, 5, 4, 4},
		"largest":               {math.MaxUint64, math.MaxUint64, 0, 0, 0, 0},
		"no number after it":    {math.MaxInt64, math.MaxInt64, math.MaxInt64, math.MaxInt64, 0, 0},
		"newest is not whole":   {0, 3, 0, 1, 0, 2},
		"newest is overwritten": {6, 3, 1, 1, 2, 2},
	} {
		for i, n := range numbers {
			words[i/2*3+i%2] = n
		}
		_, newest := r.Newest(dst)
		_, next := r.Next(within(t, 10*time.Second), 0, dst)
		for op, err := range map[string]error{"newest": newest, "next": next} {
			if !errors.Is(err, pyshm.ErrNotRing) {
				t.Errorf("%s: %s: %v", what, op, err)
			}
		}
		if strings.HasPrefix(what, "newest") {
			continue // a writer mends such a ring
		}
		if n, err := r.Publish(fill(uint64(0))); n != 0 || !errors.Is(err, pyshm.ErrNotRing) {
			t.Errorf("%s: Publish = %d, %v", what, n, err)
		}
	}
}

// TestRingEnemy uses a ring while its numbers change at random, to plausible and impossible
// ones.
func TestRingEnemy(t *testing.T) {
	testkit.NeedKeptNames(t)
	ring := createRing[uint64](t, 3)
	enemy := attachRing[uint64](t, ring.Name()).SharedMemory() // the race detector does not see that it is the same memory
	words, err := pyshm.View[uint64](enemy, ring.SharedMemory().Size()-3*24, 9)
	noError(t, err)
	r := soak.Rand(soak.Seed(t), 0)
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for running(done) {
			n := r.Uint64N(12)
			if r.IntN(10) == 0 {
				n = r.Uint64()
			}
			words[r.IntN(3)*3+r.IntN(2)] = n
		}
	}()
	defer func() { close(done); <-ended }()
	var tally soak.Tally
	dst := make([]uint64, 1)
	calls := map[string]func() (uint64, error){
		"Newest":  func() (uint64, error) { return ring.Newest(dst) },
		"Next":    func() (uint64, error) { return ring.Next(within(t, time.Minute), 0, dst) },
		"Publish": func() (uint64, error) { return ring.Publish(fill(uint64(1))) },
	}
	for end := time.Now().Add(soak.Length(300*time.Millisecond, time.Minute)); time.Now().Before(end); {
		for name, call := range calls {
			begun := time.Now()
			n, err := call()
			if took := time.Since(begun); took > tooLong {
				t.Errorf("%s took %v", name, took)
			}
			var e *pyshm.Error
			switch {
			case err == nil && n > 0:
				tally.Add(name, 1)
			case errors.As(err, &e) && (errors.Is(err, pyshm.ErrNotRing) || errors.Is(err, pyshm.ErrOutrun) ||
				errors.Is(err, pyshm.ErrNoFrame) || errors.Is(err, pyshm.ErrSecondWriter)):
				tally.Add(name+" failed", 1)
			default:
				t.Fatalf("%s = %d, %v", name, n, err)
			}
		}
	}
	t.Log(&tally)
}

func TestRingSecondWriter(t *testing.T) {
	testkit.NeedKeptNames(t)
	r := createRing[uint64](t, 3)
	other := attachRing[uint64](t, r.Name())
	for _, frames := range []int{1, 2, 3, 4} {
		_, err := r.Publish(func([]uint64) error {
			for range frames {
				if _, err := other.Publish(fill(uint64(1))); err != nil {
					t.Error(err)
				}
			}
			return nil
		})
		if !errors.Is(err, pyshm.ErrSecondWriter) {
			t.Errorf("%d frames of another writer: %v", frames, err)
		}
	}
	wantNewest(t, r, 10, 1)
}

func TestRingNext(t *testing.T) {
	testkit.NeedKeptNames(t)
	for _, signalled := range []bool{false, true} {
		t.Run(fmt.Sprint("signalled=", signalled), func(t *testing.T) {
			r := createRing[uint64](t, 3, 10)
			reader := attachRing[uint64](t, r.Name(), pyshm.ReadOnly())
			if signalled {
				testkit.NeedSemaphores(t)
				s := keep[*pyshm.Semaphore](t)(pyshm.CreateBoundedSemaphore(testkit.Name(t), 1))
				r.SignalTo(s)
				reader.WaitOn(s)
			}
			got := make(chan uint64)
			go func() {
				defer close(got)
				dst := make([]uint64, 10)
				for n := uint64(0); n < 20; {
					var err error
					if n, err = reader.Next(within(t, 20*time.Second), n, dst); err != nil || dst[9] != 100+n {
						t.Errorf("Next = %d, %v, %v", n, err, dst)
						return
					}
					got <- n
				}
			}()
			for i := range uint64(20) {
				if n, err := r.Publish(fill(101 + i)); n != i+1 || err != nil {
					t.Fatalf("Publish = %d, %v", n, err)
				}
				if n := <-got; n != i+1 {
					t.Fatalf("Next = %d, want %d", n, i+1)
				}
			}
			<-got

			dst := make([]uint64, 10)
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
			defer cancel()
			if n, err := reader.Next(ctx, 20, dst); n != 0 || !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("Next with a deadline = %d, %v", n, err)
			}
			if n, err := reader.Next(ctx, 19, dst); n != 20 || err != nil { // done already, but there is one
				t.Errorf("Next = %d, %v", n, err)
			}
			time.AfterFunc(10*time.Millisecond, func() { reader.Close() })
			if n, err := reader.Next(within(t, 10*time.Second), 20, dst); n != 0 || !errors.Is(err, fs.ErrClosed) {
				t.Errorf("Next of a ring that is closed = %d, %v", n, err)
			}
		})
	}
}

// A frame is found even if its signal is lost, and a semaphore full of tokens does
// not keep a reader from sleeping.
func TestRingLostAndSpareSignals(t *testing.T) {
	testkit.NeedKeptNames(t)
	r := createRing[uint64](t, 3, 10)
	s := createSemaphore(t, math.MaxInt32)
	r.WaitOn(s)
	dst := make([]uint64, 10)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
	defer cancel()
	if n, err := r.Next(ctx, 0, dst); n != 0 || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Next = %d, %v", n, err)
	}
	wantState(t, s, 0, 0)
	time.AfterFunc(10*time.Millisecond, func() { r.Publish(fill(uint64(1))) })
	if n, err := r.Next(within(t, 10*time.Second), 0, dst); n != 1 || err != nil {
		t.Errorf("Next = %d, %v", n, err)
	}
	// A semaphore that cannot be released loses no frame.
	noError(t, s.Close())
	r.SignalTo(s)
	if n, err := r.Publish(fill(uint64(2))); n != 2 || !errors.Is(err, fs.ErrClosed) {
		t.Errorf("Publish = %d, %v", n, err)
	}
	wantNewest(t, r, 2, 2)
	if n, err := r.Next(within(t, 10*time.Second), 2, dst); n != 0 || !errors.Is(err, fs.ErrClosed) {
		t.Errorf("Next = %d, %v", n, err)
	}
}
