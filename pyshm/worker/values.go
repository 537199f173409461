package worker

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/pyshm-go/pyshm/format/npy"
	"github.com/pyshm-go/pyshm/format/pickle"
	"github.com/pyshm-go/pyshm/internal/words"
	"github.com/pyshm-go/pyshm/pyshm"
)

// An NDArray is a numpy array as an argument or a result. As an argument, Data is copied and
// the function gets a numpy array of its own, or a memoryview without numpy. As a result of
// [Pool.Call], Data is a copy. As a result of [Job.Call], an array that lies in the arena of
// the job has no Data: [ArrayOf] returns the array itself.
type NDArray struct {
	Dtype string // as in [pyshm.ArrayInfo]: "<f4"
	Shape []int
	Data  []byte // the elements in C order

	in *segment // of an array in the arena
	at int
}

// String returns, for example, NDArray(shape=(2, 3), dtype='<f4').
func (a *NDArray) String() string {
	shape := pickle.Tuple{}
	for _, n := range a.Shape {
		shape = append(shape, int64(n))
	}
	return fmt.Sprintf("NDArray(shape=%s, dtype=%s)", pickle.Repr(shape, 200), pickle.Repr(a.Dtype, 200))
}

// Elements returns a copy of the elements of an array that a function has returned, in C
// order. The error is [fs.ErrInvalid] if the value is not an *NDArray, and [npy.ErrMismatch]
// if its elements are not of type T. In another byte order it is [npy.ErrByteOrder].
func Elements[T pyshm.Element](v any) ([]T, error) {
	const op = "elements"
	a, ok := v.(*NDArray)
	if !ok {
		return nil, wrap(op, "", invalid("the value is no *NDArray but %s", pickle.Repr(v, 100)))
	}
	h, size, err := a.header()
	if err == nil {
		var own npy.Dtype
		if own, err = npy.DtypeOf[T](); err == nil {
			_, err = h.As(own)
		}
	}
	if err != nil {
		return nil, wrap(op, "", err)
	}
	data := a.Data
	if data == nil && size > 0 {
		if data, err = a.copy(size); err != nil {
			return nil, wrap(op, "", err)
		}
	}
	elements := make([]T, size/h.Dtype.Size())
	if _, err := binary.Decode(data, binary.NativeEndian, elements); err != nil {
		return nil, wrap(op, "", err)
	}
	return elements, nil
}

// header returns the dtype and the shape, and the number of bytes that the elements take.
func (a *NDArray) header() (h npy.Header, size int, err error) {
	if h.Dtype, err = npy.ParseDtype(a.Dtype); err != nil {
		return h, 0, err
	}
	h.Shape = a.Shape
	size, err = h.Size()
	if err == nil && a.in == nil && size != len(a.Data) {
		err = invalid("%v has %d bytes, not %d", a, len(a.Data), size)
	}
	return h, size, err
}

// copy returns a copy of the elements, which lie in an arena.
func (a *NDArray) copy(size int) (data []byte, err error) {
	err = a.in.m.WithBytes(func(b []byte) error {
		if a.at < 0 || a.at > len(b) || size > len(b)-a.at {
			return protocolf("%v would lie at %d of %d bytes", a, a.at, len(b))
		}
		data = make([]byte, size)
		words.Copy(data, b[a.at:])
		return nil
	})
	return data, err
}

// NewArray returns an array of zeros in the arena of the job's worker. As an argument of
// [Job.Call] it is passed by reference: the function gets a numpy array over the same
// memory, or a memoryview without numpy. What it writes is there for Go when it returns.
//
// The array may be used until the job is over. Then its memory is for the next job, in Go as
// in Python. It must not be closed. [pyshm.Array.Slice] keeps the addresses of the worker's
// memory reserved for the life of the process, for each worker anew: programs whose workers
// are restarted often use [pyshm.Array.Guard], Rows, CopyFrom or CopyTo instead.
//
// The error is [errors.ErrUnsupported] if the worker shares no memory: it does without the
// helper, or it sees another /dev/shm, or this is macOS or FreeBSD. It is the error of [pyshm.CreateArray] for a type or
// a shape, and if /dev/shm or [Options.Arena] has no room.
func NewArray[T any](j *Job, shape ...int) (*pyshm.Array[T], error) {
	a, err := newArray[T](j, shape)
	return a, wrap("new array", "", err)
}

func newArray[T any](j *Job, shape []int) (*pyshm.Array[T], error) {
	l, err := j.lane()
	if err != nil {
		return nil, err
	}
	d, err := npy.DtypeOf[T]()
	if err != nil {
		return nil, err
	}
	h := npy.Header{Dtype: d, Shape: shape}
	size, err := h.Size()
	if err != nil {
		return nil, err
	}
	s, at, err := l.arena.take(l, size)
	if err != nil {
		return nil, err
	}
	return pyshm.ViewArray[T](s.m, pyshm.ArrayInfo{Shape: append([]int{}, shape...), Dtype: d.String(), Offset: at})
}

// ArrayOf returns an array that a function of the job has returned, in place, if it is one of
// [NewArray] or a part of one whose elements are in C order without gaps. Otherwise it copies
// the elements to a new array in the arena. It has the rules and errors of [NewArray] and
// [Elements].
func ArrayOf[T any](j *Job, v any) (*pyshm.Array[T], error) {
	const op = "array of"
	l, err := j.lane()
	if err != nil {
		return nil, wrap(op, "", err)
	}
	a, ok := v.(*NDArray)
	if !ok {
		return nil, wrap(op, "", invalid("the value is no *NDArray but %s", pickle.Repr(v, 100)))
	}
	_, size, err := a.header()
	if err == nil && a.in == nil {
		err = a.move(l, size)
	}
	if err != nil {
		return nil, wrap(op, "", err)
	}
	array, err := pyshm.ViewArray[T](a.in.m, pyshm.ArrayInfo{Shape: append([]int{}, a.Shape...), Dtype: a.Dtype, Offset: a.at})
	return array, wrap(op, "", err)
}

// move moves the elements into the arena.
func (a *NDArray) move(l *lane, size int) error {
	s, at, err := l.arena.take(l, size)
	if err != nil {
		return err
	}
	if _, err := s.m.WriteAt(a.Data, int64(at)); err != nil {
		return err
	}
	a.in, a.at, a.Data = s, at, nil
	return nil
}

// lane returns the lane of the job's worker.
func (j *Job) lane() (*lane, error) {
	switch {
	case j.over:
		return nil, errOver
	case j.broken != nil:
		return nil, j.broken
	case j.worker.lane == nil:
		return nil, errNoArena
	}
	return j.worker.lane, nil
}

var errNoArena = &unsupported{"the worker shares no memory: it has no serve of pyshm_attach, sees another /dev/shm, cannot use the semaphores of glibc (musl, or another system than Linux), or Options.Arena is negative"}

// The functions of the helper that stand for values.
const (
	inArena       = "_in_arena" // (segment, offset, shape, dtype, strides): an array
	copied        = "_copied"   // (dtype, shape, data): an array
	plain         = "_plain"    // (value,): a scalar of numpy
	attachedBytes = "_attached" // (distance, length): bytes behind the request
	attachedView  = "_view_of"  // (distance, length): the same without a copy, for copied
	named         = "_named"    // (name, offset, shape, dtype, strides): an array

	attachBlock = "attach_block" // (name,)
	attachList  = "attach_list"  // (name,)
)

// sendable returns the arguments with arrays in the form in which they are sent.
func (w *worker) sendable(args []any) ([]any, error) {
	return w.sendableItems(args, false, 0)
}

// deepest is how deep arrays may lie in containers.
const deepest = 32

// sendableItems returns the items with arrays in the form in which they are sent, and with
// nested, also arrays in containers.
func (w *worker) sendableItems(items []any, nested bool, depth int) ([]any, error) {
	var changed []any
	for i, item := range items {
		sent, err := w.sendableValue(item, nested, depth)
		if err != nil {
			return nil, fmt.Errorf("[%d]: %w", i, err)
		}
		if sent == nil {
			continue
		}
		if changed == nil {
			changed = append([]any{}, items...)
		}
		changed[i] = sent
	}
	if changed == nil {
		return items, nil
	}
	return changed, nil
}

// arrayLike is a *pyshm.Array of any type.
type arrayLike interface {
	Info() pyshm.ArrayInfo
	SharedMemory() *pyshm.SharedMemory
}

// sendableValue returns the form in which a value is sent, or nil if it is sent as it is.
func (w *worker) sendableValue(v any, nested bool, depth int) (any, error) {
	if nested && depth < deepest {
		switch v := v.(type) {
		case []any:
			items, err := w.sendableItems(v, nested, depth+1)
			return items, err
		case pickle.Tuple:
			items, err := w.sendableItems(v, nested, depth+1)
			return pickle.Tuple(items), err
		case map[string]any:
			changed := map[string]any{}
			for key, item := range v {
				sent, err := w.sendableValue(item, nested, depth+1)
				if err != nil {
					return nil, fmt.Errorf("[%q]: %w", key, err)
				}
				if changed[key] = sent; sent == nil {
					changed[key] = item
				}
			}
			return changed, nil
		}
	}
	switch v := v.(type) {
	case *NDArray:
		return w.sendableNDArray(v)
	case arrayLike:
		return w.sendableArray(v)
	case *pyshm.SharedMemory:
		return w.byName(v, attachBlock)
	case *pyshm.ShareableList:
		return w.byName(v.SharedMemory(), attachList)
	}
	return nil, nil
}

// sendableArray returns where an array is: in the arena, or in a segment that has a name.
func (w *worker) sendableArray(a arrayLike) (any, error) {
	if w.lane == nil {
		return nil, errNoArena
	}
	info := a.Info()
	if s := w.lane.arena.of(a.SharedMemory()); s != nil {
		return w.object(inArena, s.number, info.Offset, tuple(info.Shape), info.Dtype, tuple(info.Strides)), nil
	}
	return w.byName(a.SharedMemory(), named, info.Offset, tuple(info.Shape), info.Dtype, tuple(info.Strides))
}

// byName returns the call of a function of the helper that attaches to a segment. The name
// has to lead to the segment: otherwise the function would get other memory, or none.
func (w *worker) byName(m *pyshm.SharedMemory, function string, more ...any) (any, error) {
	if w.lane == nil {
		return nil, errNoArena
	}
	current, err := m.Current()
	if err == nil && !current {
		err = invalid("no name leads to the memory of %q", m.Name())
	}
	if err != nil {
		return nil, fmt.Errorf("%w: copy the elements to an array of this job's NewArray, or pass an NDArray", err)
	}
	return w.object(function, append([]any{m.Name()}, more...)...), nil
}

func (w *worker) sendableNDArray(a *NDArray) (any, error) {
	switch {
	case a == nil:
		return nil, invalid("a nil *NDArray")
	case w.module == "":
		return nil, errNoArena
	}
	if _, _, err := a.header(); err != nil {
		return nil, err
	}
	if a.in != nil {
		return w.object(inArena, a.in.number, a.at, tuple(a.Shape), a.Dtype, nil), nil
	}
	return w.object(copied, a.Dtype, tuple(a.Shape), a.Data), nil
}

// object returns the call of a function of the helper.
func (w *worker) object(function string, args ...any) *pickle.Object {
	return &pickle.Object{Class: pickle.Class{Module: w.module, Name: function}, Args: args}
}

// tuple returns lengths as Python has them; nil for none.
func tuple(lengths []int) any {
	if lengths == nil {
		return nil
	}
	t := pickle.Tuple{}
	for _, n := range lengths {
		t = append(t, n)
	}
	return t
}

// received returns a value with the arrays in it that the helper has put there.
func (w *worker) received(v any) (any, error) {
	if w.module == "" {
		return v, nil
	}
	switch v := v.(type) {
	case *pickle.Object:
		if v.Class.Module == w.module && v.Form == pickle.Call {
			return w.receivedObject(v)
		}
	case pickle.Tuple:
		return v, w.receivedItems(v)
	case []any:
		return v, w.receivedItems(v)
	case *pickle.Dict:
		return v, w.receivedDict(v)
	}
	return v, nil
}

func (w *worker) receivedItems(items []any) (err error) {
	for i := range items {
		if items[i], err = w.received(items[i]); err != nil {
			return err
		}
	}
	return nil
}

func (w *worker) receivedDict(d *pickle.Dict) error {
	var objects []pickle.Pair
	for key, value := range d.All() {
		received, err := w.received(value)
		if err != nil {
			return err
		}
		if _, isObject := value.(*pickle.Object); isObject {
			objects = append(objects, pickle.Pair{Key: key, Value: received})
		}
	}
	for _, pair := range objects {
		if err := d.Set(pair.Key, pair.Value); err != nil {
			return err
		}
	}
	return nil
}

// receivedObject returns the value that an object of the helper stands for. It checks what
// it gets.
func (w *worker) receivedObject(o *pickle.Object) (any, error) {
	switch o.Class.Name {
	case plain:
		if len(o.Args) == 1 {
			return o.Args[0], nil
		}
	case copied:
		if len(o.Args) == 3 {
			data, _ := o.Args[2].([]byte)
			return w.receivedArray(o.Args[0], o.Args[1], &NDArray{Data: data})
		}
	case inArena:
		if len(o.Args) == 4 && w.lane != nil {
			number, _ := o.Args[0].(int64)
			at, ok := o.Args[1].(int64)
			a := &NDArray{in: w.lane.arena.numbered(number), at: int(at)}
			if number == 0 {
				a.in = w.lane.messages
			}
			if a.in == nil || !ok || at < 0 || at > int64(a.in.size()) {
				break
			}
			return w.receivedArray(o.Args[3], o.Args[2], a)
		}
	}
	return o, nil // an object of the helper that means nothing here
}

func (w *worker) receivedArray(dtype, shape any, a *NDArray) (any, error) {
	a.Dtype, _ = dtype.(string)
	a.Shape = []int{}
	for _, item := range items(shape) {
		n, ok := item.(int64)
		if !ok || int64(int(n)) != n {
			return nil, protocolf("an array has the shape %s", pickle.Repr(shape, 100))
		}
		a.Shape = append(a.Shape, int(n))
	}
	_, size, err := a.header()
	if err == nil && a.in != nil && size > a.in.size()-a.at {
		err = errors.New("it would reach beyond the arena")
	}
	if err == nil && a.in != nil && w.lane.messages == a.in { // the next call takes its place
		a.Data, err = a.copy(size)
		a.in = nil
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errProtocol, err)
	}
	return a, nil
}

// detach gives arrays in a result memory of their own.
func detach(v any) error {
	switch v := v.(type) {
	case *NDArray:
		if v.in == nil {
			return nil
		}
		_, size, err := v.header()
		if err == nil {
			v.Data, err = v.copy(size)
			v.in = nil
		}
		return err
	case pickle.Tuple:
		return detachItems(v)
	case []any:
		return detachItems(v)
	case *pickle.Dict:
		for _, value := range v.All() {
			if err := detach(value); err != nil {
				return err
			}
		}
	}
	return nil
}

func detachItems(items []any) error {
	for _, item := range items {
		if err := detach(item); err != nil {
			return err
		}
	}
	return nil
}

// marshal pickles a message. The items before the last are plain, the last is a Tuple of
// arguments. If pickle does not know a type, marshal looks for arrays inside of containers.
func (w *worker) marshal(message ...any) ([]byte, error) {
	b, err := pickle.Marshal(pickle.Tuple(message))
	if !errors.Is(err, pickle.ErrType) {
		return b, err
	}
	last := len(message) - 1
	args, failed := w.sendableItems(message[last].(pickle.Tuple), true, 0)
	if failed != nil {
		return nil, failed
	}
	message[last] = pickle.Tuple(args)
	return pickle.Marshal(pickle.Tuple(message))
}
