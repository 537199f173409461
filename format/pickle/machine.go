package pickle

import (
	"encoding/binary"
	"errors"
	"time"
)

// A machine executes a pickle: opcodes that push values on a stack and put them
// together. A value that can still change is a *node on the stack. Every other value is
// already the one that Unmarshal returns. The cost of an opcode is in proportion to the
// bytes it reads and the values it pops.
type machine struct {
	data      []byte
	next      int // the byte to read next
	at        int // the current opcode
	limits    Limits
	protocol  int
	stack     []any
	marks     []int // the heights of the stack at which a MARK was pushed
	memo      memo
	copied    int64                    // bytes and items that calls have copied, see charge
	locations map[*node]*time.Location // the results of location
}

var (
	errStack = syntaxf("the stack has too few values")
	errMark  = syntaxf("there is no mark on the stack")
)

// errStop ends run.
var errStop = errors.New("stop")

// run executes the pickle and returns the value on top of the stack at its end.
func (m *machine) run() (any, error) {
	for opcodes := 1; ; opcodes++ {
		m.at = m.next
		if m.next >= len(m.data) {
			return nil, ErrTruncated
		}
		if opcodes > m.limits.Opcodes {
			return nil, limitf("more than %d opcodes", m.limits.Opcodes)
		}
		op := operations[m.data[m.next]].run
		m.next++
		if op == nil {
			return nil, ErrOpcode
		}
		switch err := op(m); {
		case err == errStop:
			return m.result()
		case err != nil:
			return nil, err
		}
	}
}

// result returns the only value of the stack. It fails if there are more: Python would
// ignore the others, but it would have made the calls among them for their effect.
func (m *machine) result() (any, error) {
	if len(m.marks) > 0 || len(m.stack) > 1 {
		return nil, syntaxf("%d values at the end", len(m.stack))
	}
	return m.pop()
}

// ---- reading ----

// take returns the next n bytes, which belong to the pickle.
func (m *machine) take(n uint64) ([]byte, error) {
	if n > uint64(len(m.data)-m.next) {
		return nil, ErrTruncated
	}
	b := m.data[m.next : m.next+int(n)]
	m.next += int(n)
	return b, nil
}

// uint reads an unsigned number of size bytes.
func (m *machine) uint(size int) (uint64, error) {
	b, err := m.take(uint64(size))
	if err != nil {
		return 0, err
	}
	var word [8]byte
	copy(word[:], b)
	return binary.LittleEndian.Uint64(word[:]), nil
}

// counted reads a length of size bytes, and then as many bytes as the length.
func (m *machine) counted(size int) ([]byte, error) {
	n, err := m.uint(size)
	if err != nil {
		return nil, err
	}
	return m.take(n)
}

// ---- stack ----

func (m *machine) push(v any) error {
	m.stack = append(m.stack, v)
	return nil
}

// floor returns the height up to which the last mark protects the stack.
func (m *machine) floor() int {
	if len(m.marks) == 0 {
		return 0
	}
	return m.marks[len(m.marks)-1]
}

func (m *machine) pop() (any, error) {
	v, err := m.top()
	if err == nil {
		m.stack = m.stack[:len(m.stack)-1]
	}
	return v, err
}

// popN pops n values, which are valid until the next push.
func (m *machine) popN(n int) ([]any, error) {
	from := len(m.stack) - n
	if from < m.floor() {
		return nil, errStack
	}
	values := m.stack[from:]
	m.stack = m.stack[:from]
	return values, nil
}

// popMark pops all values down to the last mark. They are valid until the next push.
func (m *machine) popMark() ([]any, error) {
	if len(m.marks) == 0 {
		return nil, errMark
	}
	from := m.floor()
	m.marks = m.marks[:len(m.marks)-1]
	values := m.stack[from:]
	m.stack = m.stack[:from]
	return values, nil
}

func (m *machine) top() (any, error) {
	if len(m.stack) <= m.floor() {
		return nil, errStack
	}
	return m.stack[len(m.stack)-1], nil
}

// charge bounds the bytes and items that calls copy, when they turn a list into a set,
// or a text into bytes and then a bytearray. Python writes each list or text for one
// use. So all of them together are no longer than the pickle, and are copied at most
// twice. A hostile pickle could refer to one text a million times.
func (m *machine) charge(n int) error {
	if m.copied += int64(n); m.copied > 2*int64(len(m.data)) {
		return limitf("calls copy more values than the pickle has bytes")
	}
	return nil
}

// ---- memo ----

// A memo holds values for later reference. Python numbers the values from 0, other
// picklers may use any numbers.
type memo struct {
	low  []any          // values numbered from 0 on
	high map[uint64]any // the other values
}

func (m *machine) store(index uint64) error {
	v, err := m.top()
	if err != nil {
		return err
	}
	if n, ok := v.(*node); ok {
		n.stored = true
	}
	switch low := uint64(len(m.memo.low)); {
	case index < low:
		m.memo.low[index] = v
		return nil
	case index == low:
		m.memo.low = append(m.memo.low, v)
		delete(m.memo.high, index)
	case m.memo.high == nil:
		m.memo.high = map[uint64]any{index: v}
	default:
		m.memo.high[index] = v
	}
	if m.memo.len() > m.limits.Memo {
		return limitf("more than %d values in the memo", m.limits.Memo)
	}
	return nil
}

func (m *machine) recall(index uint64) error {
	if index < uint64(len(m.memo.low)) {
		return m.push(m.memo.low[index])
	}
	v, ok := m.memo.high[index]
	if !ok {
		return syntaxf("there is no memo value %d", index)
	}
	return m.push(v)
}

func (m *memo) len() int { return len(m.low) + len(m.high) }
