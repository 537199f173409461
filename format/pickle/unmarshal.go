package pickle

import (
	"fmt"
	"math"
)

// Limits bound what [Unmarshal] accepts. The zero value of a field, and a nil
// *Limits, stand for the default.
type Limits struct {
	// Bytes is the length of the pickle. The default is 1 GiB.
	Bytes int
	// Opcodes is the number of opcodes that are executed. By default only Bytes limits
	// them. Memory is taken by opcodes, and by the texts in the pickle.
	Opcodes int
	// Depth is the number of values that lie in one another. The default is 10,000.
	Depth int
	// Memo is the number of values that the pickle may store for later reference. The
	// default is 16,777,216.
	Memo int
	// Total is the size of the value, counted by a walk that visits a value again each
	// time it occurs: 16 for each visit, and the bytes of texts and large integers. The
	// default is 64 MiB, and 64 for each byte of the pickle. Without this limit a few
	// bytes could make lists of lists of lists that take little memory but have more
	// items than any program can visit.
	Total int
}

const (
	defaultBytes = 1 << 30
	defaultDepth = 10_000
	defaultMemo  = 1 << 24
	defaultTotal = 64 << 20 // and this many for each byte of the pickle:
	totalPerByte = 64
)

// or returns limit, or its default if limit is not set.
func or(limit, byDefault int) int {
	if limit > 0 {
		return limit
	}
	return byDefault
}

// withDefaults returns the limits with their defaults, for a pickle of length bytes.
func (o *Limits) withDefaults(length int) Limits {
	l := Limits{}
	if o != nil {
		l = *o
	}
	total := int(min(int64(defaultTotal)+totalPerByte*int64(length), math.MaxInt))
	return Limits{
		Bytes:   or(l.Bytes, defaultBytes),
		Opcodes: or(l.Opcodes, math.MaxInt),
		Depth:   or(l.Depth, defaultDepth),
		Memo:    or(l.Memo, defaultMemo),
		Total:   or(l.Total, total),
	}
}

// Unmarshal reads a pickle of protocol 0 to 5 and returns its value, in the types
// that the package documentation lists. As in Python, bytes behind the end of the
// pickle are ignored. Nothing is imported or called. The value shares no memory
// with b.
//
// The error is an [*Error]. With an error the value is nil.
func Unmarshal(b []byte, o *Limits) (any, error) {
	limits := o.withDefaults(len(b))
	if len(b) > limits.Bytes {
		return nil, &Error{Op: "unmarshal", Offset: -1, Err: limitf("%d bytes, at most %d", len(b), limits.Bytes)}
	}
	m := &machine{data: b, limits: limits}
	top, err := m.run()
	if err != nil {
		e := &Error{Op: "unmarshal", Offset: m.at, Err: err}
		if m.at < len(b) {
			if e.Opcode = operations[b[m.at]].name; e.Opcode == "" {
				e.Opcode = fmt.Sprintf("%#02x", b[m.at])
			}
		}
		return nil, e
	}
	value, err := (&builder{limits: limits}).build(top)
	if err != nil {
		return nil, err
	}
	return value, nil
}
