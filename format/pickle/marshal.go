package pickle

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Options set how [Append] writes a value. The zero value of a field, and a nil
// *Options, stand for the default.
type Options struct {
	// Protocol is 4 or 2. The default is 4, which every Python from 3.4 on reads. Python
	// 2 can read protocol 2, as far as it has the classes.
	Protocol int
	// Depth is the number of values that may lie in one another. The default is 10,000.
	Depth int
	// Bytes is the length that the pickle may have. The default is 1 GiB.
	Bytes int
}

// Marshal returns a value as a pickle of protocol 4, without frames, which every Python
// from 3.4 on reads. The package documentation lists the types that it accepts. A value
// that occurs more than once, by Go's identity, is written once. Each further time the
// pickle refers to it.
//
// The error is an [*Error] with the place of the value that could not be written, for
// example of a value that contains itself. With an error there is no pickle.
func Marshal(v any) ([]byte, error) { return Append(nil, v, nil) }

// Append is [Marshal] with options, and appends the pickle to dst. With an error it
// returns dst unchanged.
func Append(dst []byte, v any, o *Options) ([]byte, error) {
	e := &encoder{protocol: 4, depth: defaultDepth, limit: defaultBytes}
	if o != nil {
		e.protocol, e.depth, e.limit = or(o.Protocol, 4), or(o.Depth, defaultDepth), or(o.Bytes, defaultBytes)
	}
	if e.protocol != 4 && e.protocol != 2 {
		return dst, &Error{Op: "marshal", Offset: -1, Err: unsupportedf("protocol %d is not written, only 2 and 4", e.protocol)}
	}
	e.put(opProto, byte(e.protocol))
	err := e.value(v)
	if err == nil {
		e.put(opStop)
		err = e.checkLength()
	}
	if err != nil {
		return dst, marshalError(err)
	}
	return e.appendTo(dst), nil
}

// An encoder writes a pickle into buf. A value with an identity has no number in the
// memo until it occurs again. Then the opcode that stores the value is inserted where
// the value first occurred.
type encoder struct {
	buf      []byte
	protocol int
	depth    int // how much deeper values may lie
	limit    int
	seen     map[identity]*place
	classes  map[Class]*place
	stored   []*place // of the values that occurred again, by number in the memo
}

// A place is where a value was written.
type place struct {
	end    int // behind the opcode that pushed it
	number int // in the memo, -1 without one
	open   bool
}

func (e *encoder) put(b ...byte) { e.buf = append(e.buf, b...) }

func (e *encoder) checkLength() error {
	if len(e.buf) > e.limit {
		return limitf("the pickle is longer than %d bytes", e.limit)
	}
	return nil
}

// room fails if n more bytes exceed the limit, so that a long text is not even copied.
func (e *encoder) room(n int) error {
	if n > e.limit-len(e.buf) {
		return limitf("the pickle is longer than %d bytes", e.limit)
	}
	return nil
}

// again writes a reference to the value that was written at a place.
func (e *encoder) again(p *place) {
	if p.number < 0 {
		p.number = len(e.stored)
		e.stored = append(e.stored, p)
	}
	if p.number < 256 {
		e.put(opBinGet, byte(p.number))
		return
	}
	e.put(opLongBinGet)
	e.buf = binary.LittleEndian.AppendUint32(e.buf, uint32(p.number))
}

// written records that the opcode which pushes the value has just been written.
func (e *encoder) written(p *place) {
	if p != nil {
		p.end = len(e.buf)
	}
}

// appendTo returns dst with the pickle and the opcodes that store values.
func (e *encoder) appendTo(dst []byte) []byte {
	if len(e.stored) == 0 {
		return append(dst, e.buf...)
	}
	byEnd := slices.Clone(e.stored)
	slices.SortFunc(byEnd, func(a, b *place) int { return a.end - b.end })
	dst = slices.Grow(dst, len(e.buf)+5*len(byEnd))
	from := 0
	for _, p := range byEnd {
		dst = append(dst, e.buf[from:p.end]...)
		from = p.end
		if p.number < 256 {
			dst = append(dst, opBinPut, byte(p.number))
		} else {
			dst = binary.LittleEndian.AppendUint32(append(dst, opLongBinPut), uint32(p.number))
		}
	}
	return append(dst, e.buf[from:]...)
}

// ---- where an error is ----

// A located error has the steps to the value that could not be written, the last
// one first.
type located struct {
	steps []string
	err   error
}

func (l *located) Error() string { return l.err.Error() }

// inside adds a step to an error, which may be nil.
func inside(err error, format string, args ...any) error {
	if err == nil {
		return nil
	}
	var l *located
	if !errors.As(err, &l) {
		l = &located{err: err}
	}
	l.steps = append(l.steps, fmt.Sprintf(format, args...))
	return l
}

// maxSteps is the number of steps of a path that are shown at either end.
const maxSteps = 8

func marshalError(err error) error {
	e := &Error{Op: "marshal", Offset: -1, Err: err}
	var l *located
	if errors.As(err, &l) {
		slices.Reverse(l.steps)
		if n := len(l.steps); n > 2*maxSteps {
			l.steps = slices.Concat(l.steps[:maxSteps], []string{"…"}, l.steps[n-maxSteps:])
		}
		e.Path, e.Err = strings.Join(l.steps, ""), l.err
	}
	return e
}
