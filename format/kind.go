package format

import (
	"encoding/binary"
	"strconv"
)

// A Kind is the type of an item. The zero Kind is not a valid one.
type Kind uint8

const (
	Int   Kind = iota + 1 // int64
	Float                 // float64
	Bool                  // bool
	None                  // nil
	Str                   // string
	Bytes                 // []byte
)

// String returns the name of the Python type: "int", "float", "bool",
// "NoneType", "str" or "bytes".
func (k Kind) String() string {
	names := [...]string{"invalid", "int", "float", "bool", "NoneType", "str", "bytes"}
	if int(k) < len(names) {
		return names[k]
	}
	return "Kind(" + strconv.Itoa(int(k)) + ")"
}

// isText reports whether items of the kind fill their slot with bytes. Items of
// the other kinds are one 8-byte word.
func (k Kind) isText() bool { return k == Str || k == Bytes }

// Back-transform codes, one signed byte an item. They select what Python does with
// the unpacked value before it returns the value.
const (
	codeNumber int8 = 0 // returned as it is
	codeStr    int8 = 1 // NULs stripped at the end, decoded
	codeBytes  int8 = 2 // NULs stripped at the end
	codeNone   int8 = 3 // None, whatever the slot holds
)

func (k Kind) code() int8 { return kindCodes[k%Kind(len(kindCodes))] }

var kindCodes = [8]int8{Str: codeStr, Bytes: codeBytes, None: codeNone} // else codeNumber

// Format words: Python's struct packs an item with this format. Its text, padded with
// NULs to 8 bytes, is one word in the machine's byte order.
var (
	formatInt   = formatWord("q")
	formatFloat = formatWord("d")
	formatBool  = formatWord("xxxxxxx?") // the value is byte 7 of the slot
	formatNone  = formatWord("xxxxxx?x") // the value is byte 6, which is never read
	formatBusy  = formatWord(" ")        // no value at all: a Set is under way (see List.begin)
)

// boolTrue is a slot that holds True.
var boolTrue = binary.NativeEndian.Uint64([]byte{7: 1})

// boolByte masks the byte of a slot that holds a bool.
var boolByte = binary.NativeEndian.Uint64([]byte{7: 0xff})

func formatWord(s string) uint64 {
	var b [8]byte
	copy(b[:], s)
	return binary.NativeEndian.Uint64(b[:])
}

// formatFor returns the format word that CPython gives an item of kind k in a
// slot of capacity bytes, at most maxSlot.
func formatFor(k Kind, capacity int) uint64 {
	switch k {
	case Int:
		return formatInt
	case Float:
		return formatFloat
	case Bool:
		return formatBool
	case None:
		return formatNone
	default:
		return formatOfText(capacity)
	}
}

func formatOfText(capacity int) uint64 {
	if n := capacity / wordSize; capacity%wordSize == 0 && n < len(smallFormats) {
		return smallFormats[n]
	}
	return newFormatOfText(capacity)
}

func newFormatOfText(capacity int) uint64 {
	var b [8]byte
	copy(b[:], append(strconv.AppendInt(b[:0], int64(capacity), 10), 's'))
	return binary.NativeEndian.Uint64(b[:])
}

// smallSlot is the size in words of the largest slot whose format is kept in a table.
const smallSlot = 32

// smallFormats has the format of text in a slot of as many words as the index says.
var smallFormats = func() (formats [smallSlot + 1]uint64) {
	for n := range formats {
		formats[n] = newFormatOfText(n * wordSize)
	}
	return formats
}()

// formatText returns the format word as text, without its NULs. A byte that is not
// printable ASCII becomes '?'.
func formatText(word uint64) string {
	var b [8]byte
	binary.NativeEndian.PutUint64(b[:], word)
	n := len(b)
	for n > 0 && b[n-1] == 0 {
		n--
	}
	for i, c := range b[:n] {
		if c < ' ' || c > '~' {
			b[i] = '?'
		}
	}
	return string(b[:n])
}

// textFormat parses a format word of the form "<n>s", where n has no sign and no
// leading zero. n may be less than the slot's size: CPython reads such a format too,
// though no release writes one.
func textFormat(word uint64) (n int, ok bool) {
	var b [8]byte
	binary.NativeEndian.PutUint64(b[:], word)
	i := 0
	for i < len(b) && '0' <= b[i] && b[i] <= '9' {
		n = n*10 + int(b[i]-'0')
		i++
	}
	if i == 0 || i == len(b) || b[i] != 's' || b[0] == '0' && i > 1 {
		return 0, false
	}
	for _, c := range b[i+1:] {
		if c != 0 {
			return 0, false
		}
	}
	return n, true
}

// A verdict is the result of checking an item's format word and code.
type verdict uint8

const (
	settled   verdict = iota // they fit each other
	unsettled                // a writer is between two stores: look again
	badFormat                // not a format of a ShareableList
	badCode                  // not a back-transform code
)

// classify judges a format word and a code for a slot of capacity bytes. size
// is the number of bytes in the slot that hold the text of a str or bytes item.
func classify(word uint64, code int8, capacity int) (k Kind, size int, v verdict) {
	switch word {
	case formatInt:
		k = Int
	case formatFloat:
		k = Float
	case formatBool:
		k = Bool
	case formatNone:
		k = None
	case 0, formatBusy:
		return 0, 0, unsettled
	default:
		k, size = Str, capacity
		if word != formatOfText(capacity) {
			n, ok := textFormat(word)
			if !ok || n > capacity {
				return 0, 0, badFormat
			}
			size = n
		}
		if code == codeBytes {
			k = Bytes
		}
	}
	switch {
	case code == k.code():
		return k, size, settled
	case codeNumber <= code && code <= codeNone:
		return 0, 0, unsettled
	default:
		return 0, 0, badCode
	}
}
