package pickle

import (
	"encoding/binary"
	"slices"
	"time"
	"unicode/utf8"
)

// The calls by which Python pickles plain data that has no opcode of its own.
var (
	classBytearray = Class{"builtins", "bytearray"}
	classBytes     = Class{"builtins", "bytes"}
	classComplex   = Class{"builtins", "complex"}
	classSet       = Class{"builtins", "set"}
	classFrozenSet = Class{"builtins", "frozenset"}
	classGetattr   = Class{"builtins", "getattr"}
	classEncode    = Class{"_codecs", "encode"}
	classDate      = Class{"datetime", "date"}
	classTime      = Class{"datetime", "time"}
	classDateTime  = Class{"datetime", "datetime"}
	classTimeDelta = Class{"datetime", "timedelta"}
	classTimezone  = Class{"datetime", "timezone"}
	classDecimal   = Class{"decimal", "Decimal"}
	classNewObjEx  = Class{"copyreg", "__newobj_ex__"}
	classASCIIList = Class{"pypy._builtin", "_ascii_list_unpickle"}
	classBytesList = Class{"pypy._builtin", "_bytes_list_unpickle"}
)

// plain returns the plain value that a call of c results in. It returns nil, and the
// call stays a call, if c does not make plain data or if Python does not write the call
// with such arguments.
func (m *machine) plain(c Class, args []any) (any, error) {
	switch c {
	case classBytearray, classBytes, classEncode:
		return m.plainBytes(c, args)
	case classSet, classFrozenSet:
		return m.plainSet(c, args)
	case classASCIIList, classBytesList:
		return m.packedList(c, args)
	case classGetattr:
		return nestedClass(args), nil
	case classComplex:
		return plainComplex(args), nil
	case classDecimal:
		return plainDecimal(args), nil
	case classDate:
		return plainDate(args), nil
	case classTime, classDateTime:
		return m.plainTime(c, args), nil
	case classTimeDelta:
		return plainDelta(args), nil
	}
	return nil, nil
}

// plainBytes knows these calls. Protocols 0 to 2 also use the first and the last one:
//
//	bytes()  bytearray()  bytearray(b"...")
//	_codecs.encode("...", "latin1")  bytearray("...", "latin-1")
func (m *machine) plainBytes(c Class, args []any) (any, error) {
	switch {
	case len(args) == 0 && c == classBytes:
		return []byte{}, nil
	case len(args) == 0 && c == classBytearray:
		return newByteArray(""), nil
	case len(args) == 1 && c == classBytearray:
		if b, ok := args[0].([]byte); ok {
			return newByteArray(b), m.charge(len(b))
		}
	case len(args) == 2 && c != classBytes && (args[1] == any("latin1") || args[1] == any("latin-1")):
		s, ok := args[0].(string)
		if !ok {
			return nil, nil
		}
		if err := m.charge(len(s) / 2); err != nil { // protocol 0 has a byte for each character
			return nil, err
		}
		b, ok := latin1(s)
		switch {
		case ok && c == classBytearray:
			return newByteArray(b), nil
		case ok:
			return b, nil
		}
	}
	return nil, nil
}

// latin1 encodes a str. It reports whether all characters are below 256.
func latin1(s string) ([]byte, bool) {
	b := make([]byte, 0, utf8.RuneCountInString(s))
	for _, r := range s {
		if r > 0xff {
			return nil, false
		}
		b = append(b, byte(r))
	}
	return b, true
}

// plainSet knows set([...]) and frozenset([...]) of protocols 0 to 3. PyPy 8 writes
// frozenset((...)).
func (m *machine) plainSet(c Class, args []any) (any, error) {
	n := &node{kind: setNode, at: m.at}
	if c == classFrozenSet {
		n.kind = frozenSetNode
	}
	switch len(args) {
	case 0:
		return n, nil
	case 1:
		if list := kindOf(args[0], listNode); list != nil {
			n.items = slices.Clone(list.items)
			return n, m.charge(len(n.items))
		}
		if items, ok := tupleItems(args[0]); ok {
			n.items = slices.Clone(items)
			return n, m.charge(len(n.items))
		}
	}
	return nil, nil
}

// maxName bounds the length of a nested class's name, since each attribute in it may
// be the same long text.
const maxName = 1024

// nestedClass knows getattr(Outer, "Inner"): protocols 2 and 3 name a nested class so.
func nestedClass(args []any) any {
	if len(args) != 2 {
		return nil
	}
	outer, ok := args[0].(Class)
	inner, also := args[1].(string)
	if !ok || !also || inner == "" || len(outer.Name)+len(inner) > maxName {
		return nil
	}
	return Class{outer.Module, outer.Name + "." + inner}
}

func plainComplex(args []any) any {
	if len(args) != 2 {
		return nil
	}
	re, ok := args[0].(float64)
	im, also := args[1].(float64)
	if !ok || !also {
		return nil
	}
	return complex(re, im)
}

func plainDecimal(args []any) any {
	if len(args) != 1 {
		return nil
	}
	s, ok := args[0].(string)
	if !ok {
		return nil
	}
	if _, ok := parseDecimal(s); !ok {
		return nil
	}
	return Decimal(s)
}

// payload returns the bytes in the first argument of date, time and datetime. From
// Python 2 the argument may be a str.
func payload(args []any) []byte {
	if len(args) == 0 {
		return nil
	}
	switch b := args[0].(type) {
	case []byte:
		return b
	case string:
		return []byte(b[:min(len(b), 11)]) // a valid one has at most 10 bytes
	}
	return nil
}

func plainDate(args []any) any {
	if d, ok := dateOf(payload(args)); ok && len(args) == 1 {
		return d
	}
	return nil
}

func plainDelta(args []any) any {
	if len(args) != 3 {
		return nil
	}
	var fields [3]int
	for i, arg := range args {
		n, ok := arg.(int64)
		if !ok || n < -maxDays || n > maxDays {
			return nil
		}
		fields[i] = int(n)
	}
	d := TimeDelta{fields[0], fields[1], fields[2]}
	if !d.valid() {
		return nil
	}
	return deltaValue(d)
}

// plainTime returns a time or datetime, naive or with a tzinfo.
func (m *machine) plainTime(c Class, args []any) any {
	var moment any
	var ok bool
	if c == classTime {
		moment, ok = timeOf(payload(args))
	} else {
		moment, ok = dateTimeOf(payload(args))
	}
	switch {
	case !ok || len(args) > 2:
		return nil
	case len(args) == 1:
		return moment
	}
	zone := kindOf(args[1], objectNode)
	if zone == nil {
		return nil
	}
	if t, ok := moment.(DateTime); ok && t.Fold == 0 {
		if loc := m.location(zone); loc != nil {
			return t.Time(loc)
		}
	}
	return &node{kind: zonedNode, at: m.at, moment: moment, items: []any{zone}}
}

// location returns the location of a datetime.timezone of whole seconds, and nil
// for any other tzinfo.
func (m *machine) location(zone *node) *time.Location {
	if loc, ok := m.locations[zone]; ok {
		return loc
	}
	loc := fixedZone(zone)
	if m.locations == nil {
		m.locations = map[*node]*time.Location{}
	}
	m.locations[zone] = loc
	return loc
}

func fixedZone(zone *node) *time.Location {
	args, _ := tupleItems(zone.draft.args)
	d := zone.draft
	if d.callee != any(classTimezone) || d.form != Call || d.pairs != nil || zone.items != nil || len(args) < 1 || len(args) > 2 {
		return nil
	}
	offset, ok := args[0].(time.Duration)
	if !ok || offset%time.Second != 0 || offset <= -24*time.Hour || offset >= 24*time.Hour || !restates(d.state, args) {
		return nil
	}
	if len(args) == 2 {
		name, ok := args[1].(string)
		if !ok || name == "" || len(name) > maxZoneName {
			return nil
		}
		return time.FixedZone(name, int(offset/time.Second))
	}
	if offset == 0 {
		return time.UTC
	}
	return time.FixedZone("", int(offset/time.Second))
}

// maxZoneName bounds the name of a zone, which is written again for each time that
// uses the zone.
const maxZoneName = 64

// restates reports whether a timezone has no state, or the one that PyPy 8 gives it, which
// says once more what the arguments say: (None, {'_offset': offset, '_name': name}).
func restates(state any, args []any) bool {
	if state == nil {
		return true
	}
	pair, _ := tupleItems(state)
	if len(pair) != 2 || pair[0] != nil {
		return false
	}
	slots := kindOf(pair[1], dictNode)
	var name any
	if len(args) == 2 {
		name = args[1]
	}
	return slots != nil && len(slots.items) == 4 && slots.items[0] == any("_offset") && slots.items[1] == args[0] &&
		slots.items[2] == any("_name") && slots.items[3] == name
}

// packedList knows how PyPy 8's multiprocessing pickles a list of bytes, or of ASCII str,
// none longer than 255:
//
//	0  number of items    little-endian, 4 bytes
//	4  length of the first item
//	5  the first item; then the length of the second, and so on
func (m *machine) packedList(c Class, args []any) (any, error) {
	if len(args) != 1 {
		return nil, nil
	}
	packed, ok := args[0].([]byte)
	if !ok || len(packed) < 4 {
		return nil, nil
	}
	if err := m.charge(len(packed)); err != nil {
		return nil, err
	}
	count, rest := binary.LittleEndian.Uint32(packed), packed[4:]
	if uint64(count) > uint64(len(rest)) {
		return nil, nil
	}
	items := make([]any, count)
	for i := range items {
		if len(rest) == 0 || len(rest) <= int(rest[0]) {
			return nil, nil
		}
		end := 1 + int(rest[0])
		item := rest[1:end]
		rest = rest[end:]
		switch {
		case c == classBytesList:
			items[i] = slices.Clone(item)
		case slices.ContainsFunc(item, func(b byte) bool { return b >= utf8.RuneSelf }):
			return nil, nil
		default:
			items[i] = string(item)
		}
	}
	if len(rest) > 0 {
		return nil, nil
	}
	return &node{kind: listNode, at: m.at, items: items}, nil
}
