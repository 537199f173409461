package pickle

import (
	"math"
	"math/big"
	"slices"
)

// An operation is an opcode: its name in pickletools, and the function that executes it.
type operation struct {
	name string
	run  func(*machine) error
}

var operations = [256]operation{
	opProto: {"PROTO", (*machine).proto},
	opFrame: {"FRAME", (*machine).frame},
	opStop:  {"STOP", func(*machine) error { return errStop }},

	opMark:    {"MARK", (*machine).mark},
	opPop:     {"POP", (*machine).discard},
	opPopMark: {"POP_MARK", (*machine).discardMark},
	opDup:     {"DUP", (*machine).duplicate},

	opPut:        {"PUT", (*machine).putLine},
	opBinPut:     {"BINPUT", func(m *machine) error { return m.put(1) }},
	opLongBinPut: {"LONG_BINPUT", func(m *machine) error { return m.put(4) }},
	opMemoize:    {"MEMOIZE", func(m *machine) error { return m.store(uint64(m.memo.len())) }},
	opGet:        {"GET", (*machine).getLine},
	opBinGet:     {"BINGET", func(m *machine) error { return m.get(1) }},
	opLongBinGet: {"LONG_BINGET", func(m *machine) error { return m.get(4) }},

	opNone:     {"NONE", func(m *machine) error { return m.push(nil) }},
	opNewTrue:  {"NEWTRUE", func(m *machine) error { return m.push(true) }},
	opNewFalse: {"NEWFALSE", func(m *machine) error { return m.push(false) }},
	opBinInt:   {"BININT", (*machine).binInt},
	opBinInt1:  {"BININT1", func(m *machine) error { return m.smallInt(1) }},
	opBinInt2:  {"BININT2", func(m *machine) error { return m.smallInt(2) }},
	opLong1:    {"LONG1", func(m *machine) error { return m.binLong(1) }},
	opLong4:    {"LONG4", func(m *machine) error { return m.binLong(4) }},
	opInt:      {"INT", (*machine).intLine},
	opLong:     {"LONG", (*machine).longLine},
	opBinFloat: {"BINFLOAT", (*machine).binFloat},
	opFloat:    {"FLOAT", (*machine).floatLine},

	opShortBinUnicode: {"SHORT_BINUNICODE", func(m *machine) error { return m.unicode(1) }},
	opBinUnicode:      {"BINUNICODE", func(m *machine) error { return m.unicode(4) }},
	opBinUnicode8:     {"BINUNICODE8", func(m *machine) error { return m.unicode(8) }},
	opUnicode:         {"UNICODE", (*machine).unicodeLine},
	opShortBinBytes:   {"SHORT_BINBYTES", func(m *machine) error { return m.bytes(1) }},
	opBinBytes:        {"BINBYTES", func(m *machine) error { return m.bytes(4) }},
	opBinBytes8:       {"BINBYTES8", func(m *machine) error { return m.bytes(8) }},
	opByteArray8:      {"BYTEARRAY8", (*machine).byteArray},
	opShortBinString:  {"SHORT_BINSTRING", func(m *machine) error { return m.oldString(1) }},
	opBinString:       {"BINSTRING", func(m *machine) error { return m.oldString(4) }},
	opString:          {"STRING", (*machine).stringLine},

	opEmptyTuple: {"EMPTY_TUPLE", func(m *machine) error { return m.push(Tuple{}) }},
	opTuple1:     {"TUPLE1", func(m *machine) error { return m.tupleOf(1) }},
	opTuple2:     {"TUPLE2", func(m *machine) error { return m.tupleOf(2) }},
	opTuple3:     {"TUPLE3", func(m *machine) error { return m.tupleOf(3) }},
	opTuple:      {"TUPLE", (*machine).tuple},
	opEmptyList:  {"EMPTY_LIST", func(m *machine) error { return m.pushNode(listNode, nil) }},
	opList:       {"LIST", func(m *machine) error { return m.marked(listNode) }},
	opAppend:     {"APPEND", (*machine).append},
	opAppends:    {"APPENDS", (*machine).appends},
	opEmptyDict:  {"EMPTY_DICT", func(m *machine) error { return m.pushNode(dictNode, nil) }},
	opDict:       {"DICT", (*machine).dict},
	opSetItem:    {"SETITEM", (*machine).setItem},
	opSetItems:   {"SETITEMS", (*machine).setItems},
	opEmptySet:   {"EMPTY_SET", func(m *machine) error { return m.pushNode(setNode, nil) }},
	opAddItems:   {"ADDITEMS", (*machine).addItems},
	opFrozenSet:  {"FROZENSET", func(m *machine) error { return m.marked(frozenSetNode) }},

	opGlobal:      {"GLOBAL", (*machine).globalLines},
	opStackGlobal: {"STACK_GLOBAL", (*machine).stackGlobal},
	opReduce:      {"REDUCE", (*machine).reduce},
	opNewObj:      {"NEWOBJ", (*machine).newObj},
	opNewObjEx:    {"NEWOBJ_EX", (*machine).newObjEx},
	opObj:         {"OBJ", (*machine).obj},
	opInst:        {"INST", (*machine).inst},
	opBuild:       {"BUILD", (*machine).build},

	opPersID:         {"PERSID", needs("persistent_load, a function of the reader")},
	opBinPersID:      {"BINPERSID", needs("persistent_load, a function of the reader")},
	opExt1:           {"EXT1", needs("the reader's registry of extension codes")},
	opExt2:           {"EXT2", needs("the reader's registry of extension codes")},
	opExt4:           {"EXT4", needs("the reader's registry of extension codes")},
	opNextBuffer:     {"NEXT_BUFFER", needs("buffers that were sent apart from the pickle")},
	opReadonlyBuffer: {"READONLY_BUFFER", needs("buffers that were sent apart from the pickle")},
}

// needs returns the function of an opcode that needs more than the pickle's bytes.
func needs(what string) func(*machine) error {
	return func(*machine) error { return unsupportedf("it needs %s", what) }
}

func (m *machine) proto() error {
	version, err := m.uint(1)
	if err == nil && version > maxProtocol {
		return syntaxf("protocol %d, at most %d", version, maxProtocol)
	}
	m.protocol = int(version)
	return err
}

// frame reads the length of a frame and checks that as many bytes follow.
func (m *machine) frame() error {
	n, err := m.uint(8)
	if err == nil && n > uint64(len(m.data)-m.next) {
		return ErrTruncated
	}
	return err
}

func (m *machine) mark() error {
	m.marks = append(m.marks, len(m.stack))
	return nil
}

func (m *machine) duplicate() error {
	v, err := m.top()
	if err != nil {
		return err
	}
	return m.push(v)
}

func (m *machine) put(size int) error {
	index, err := m.uint(size)
	if err != nil {
		return err
	}
	return m.store(index)
}

func (m *machine) get(size int) error {
	index, err := m.uint(size)
	if err != nil {
		return err
	}
	return m.recall(index)
}

// ---- numbers ----

func (m *machine) smallInt(size int) error {
	n, err := m.uint(size)
	if err != nil {
		return err
	}
	return m.push(int64(n))
}

func (m *machine) binInt() error {
	n, err := m.uint(4)
	if err != nil {
		return err
	}
	return m.push(int64(int32(n)))
}

// binLong reads an int in two's complement.
func (m *machine) binLong(size int) error {
	b, err := m.counted(size)
	if err != nil {
		return err
	}
	if size == 4 && len(b) > math.MaxInt32 {
		return syntaxf("an int of negative length")
	}
	return m.push(intOf(b))
}

// intOf returns a little-endian two's complement number of any length.
func intOf(b []byte) any {
	if len(b) == 0 {
		return int64(0)
	}
	negative := b[len(b)-1]&0x80 != 0
	if len(b) <= 8 {
		var n uint64
		if negative {
			n = math.MaxUint64
		}
		for _, digit := range slices.Backward(b) {
			n = n<<8 | uint64(digit)
		}
		return int64(n)
	}
	big := new(big.Int)
	reversed := slices.Clone(b)
	slices.Reverse(reversed)
	if negative { // -n is the complement of n, plus one
		for i := range reversed {
			reversed[i] = ^reversed[i]
		}
		big.Not(big.SetBytes(reversed))
	} else {
		big.SetBytes(reversed)
	}
	if big.IsInt64() { // written longer than necessary
		return big.Int64()
	}
	return big
}

func (m *machine) binFloat() error {
	bits, err := m.take(8)
	if err != nil {
		return err
	}
	return m.push(floatOf(bits))
}

// ---- str and bytes ----

func (m *machine) unicode(size int) error {
	b, err := m.counted(size)
	if err != nil {
		return err
	}
	return m.pushText(string(b))
}

func (m *machine) pushText(s string) error {
	v, err := text(s)
	if err != nil {
		return err
	}
	return m.push(v)
}

func (m *machine) bytes(size int) error {
	b, err := m.counted(size)
	if err != nil {
		return err
	}
	return m.push(append([]byte{}, b...))
}

func (m *machine) byteArray() error {
	b, err := m.counted(8)
	if err != nil {
		return err
	}
	return m.push(newByteArray(b))
}

// newByteArray copies b. Even an empty ByteArray has memory of its own, so that all
// references to it lead to the same bytearray.
func newByteArray[T string | []byte](b T) ByteArray {
	return append(make(ByteArray, 0, max(len(b), 1)), b...)
}

// oldString reads a str of Python 2.
func (m *machine) oldString(size int) error {
	b, err := m.counted(size)
	if err != nil {
		return err
	}
	if size == 4 && len(b) > math.MaxInt32 {
		return syntaxf("a str of negative length")
	}
	return m.pushOldString(b)
}

// pushOldString pushes a str of Python 2. It pushes ASCII as a str, as Python 3 does,
// and other text as bytes. Python 3 fails on other text unless it is given an encoding.
func (m *machine) pushOldString(b []byte) error {
	for _, c := range b {
		if c >= 0x80 {
			return m.push(append([]byte{}, b...))
		}
	}
	return m.push(string(b))
}
