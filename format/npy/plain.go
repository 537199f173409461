package npy

import (
	"strconv"
	"strings"
)

// units are numpy's units of time. Index 0 is for no unit, which numpy calls generic.
var units = [...]string{"generic", "Y", "M", "W", "D", "h", "m", "s", "ms", "us", "ns", "ps", "fs", "as"}

// sizes are the sizes in bytes that a kind may have. Bytes, Text and Void have any. The
// long double of 64-bit machines has 16 bytes; every machine may read it.
var sizes = map[Kind][]int{
	KindBool: {1}, KindInt: {1, 2, 4, 8}, KindUint: {1, 2, 4, 8}, KindFloat: {2, 4, 8, 16}, KindComplex: {8, 16, 32},
	KindDatetime: {8}, KindTimedelta: {8},
}

// longDouble386 is the size of the long double of 386, which no other machine has.
const longDouble386 = 12

func init() {
	if longDouble == longDouble386 {
		sizes[KindFloat] = append(sizes[KindFloat], longDouble386)
		sizes[KindComplex] = append(sizes[KindComplex], 2*longDouble386)
		names["float96"], names["complex192"] = plain(KindFloat, longDouble386), plain(KindComplex, 2*longDouble386)
	}
}

// names are what str(dtype) prints for numbers in the machine's byte order.
var names = map[string]Dtype{
	"bool": plain(KindBool, 1),
	"int8": plain(KindInt, 1), "int16": plain(KindInt, 2), "int32": plain(KindInt, 4), "int64": plain(KindInt, 8),
	"uint8": plain(KindUint, 1), "uint16": plain(KindUint, 2), "uint32": plain(KindUint, 4), "uint64": plain(KindUint, 8),
	"float16": plain(KindFloat, 2), "float32": plain(KindFloat, 4), "float64": plain(KindFloat, 8), "float128": plain(KindFloat, 16),
	"complex64": plain(KindComplex, 8), "complex128": plain(KindComplex, 16), "complex256": plain(KindComplex, 32),
}

// plain returns a dtype other than a record or sub-array, in the machine's byte order.
func plain(kind Kind, size int) Dtype {
	return Dtype{kind: kind, size: size, multiple: 1}
}

// ordered reports whether the element has a byte order.
func (d Dtype) ordered() bool {
	return d.kind != KindBytes && d.kind != KindVoid && d.size > 1
}

// parsePlain parses the spelling of a dtype other than a record or sub-array: "<f8",
// "|S5", "M8[ns]", "float64", "datetime64[ns]".
func parsePlain(s string) (Dtype, error) {
	code, unit, hasUnit := strings.Cut(s, "[")
	if hasUnit {
		if unit, hasUnit = strings.CutSuffix(unit, "]"); !hasUnit {
			return Dtype{}, unknown(s)
		}
	}
	d, err := parseCode(code)
	if err != nil || !hasUnit {
		return d, err
	}
	if d.kind != KindDatetime && d.kind != KindTimedelta || !d.setUnit(unit) {
		return Dtype{}, unknown(s)
	}
	return d, nil
}

func parseCode(s string) (Dtype, error) {
	if d, ok := names[s]; ok {
		return d, nil
	}
	switch s {
	case "datetime64":
		return plain(KindDatetime, 8), nil
	case "timedelta64":
		return plain(KindTimedelta, 8), nil
	}
	code, foreign := s, false
	if s != "" {
		switch s[0] {
		case '<', '>':
			foreign = (s[0] == '<') != littleEndian
			code = s[1:]
		case '|', '=':
			code = s[1:]
		}
	}
	d, err := parseLetter(code, s)
	d.swapped = foreign && d.ordered()
	return d, err
}

// parseLetter parses a kind and its size. Text has four bytes a character.
func parseLetter(code, whole string) (Dtype, error) {
	if code == "?" {
		return plain(KindBool, 1), nil
	}
	if code == "O" || code == "O8" || code == "O4" || code == "object" {
		return Dtype{}, reasonf(ErrDtype, "%s: objects are pointers into one Python process", excerpt(whole))
	}
	if strings.HasPrefix(code, "StringDType") || strings.HasPrefix(code, "T") {
		return Dtype{}, reasonf(ErrDtype, "%s: strings of any length are pointers into one Python process: write S<n> or U<n>", excerpt(whole))
	}
	if code == "int" || code == "uint" || code == "float" || code == "complex" {
		return Dtype{}, reasonf(ErrDtype, "%s does not have the same size everywhere: write %s64", excerpt(whole), code)
	}
	if len(code) < 2 || code[1] == '0' {
		return Dtype{}, unknown(whole)
	}
	n, ok := parseDigits(code[1:])
	if !ok {
		return Dtype{}, unknown(whole)
	}
	kind := Kind(code[0])
	switch kind {
	case KindBytes, KindVoid:
		return plain(kind, n), nil
	case KindText:
		if n > maxSize/4 {
			return Dtype{}, tooLarge()
		}
		return plain(kind, 4*n), nil
	}
	for _, size := range sizes[kind] {
		if size == n {
			return plain(kind, n), nil
		}
	}
	if kind == KindFloat && n == longDouble386 || kind == KindComplex && n == 2*longDouble386 {
		return Dtype{}, reasonf(ErrDtype, "unknown dtype %s: it is the long double of 386, which numpy reads only there", excerpt(whole))
	}
	return Dtype{}, unknown(whole)
}

func unknown(s string) error { return reasonf(ErrDtype, "unknown dtype %s", excerpt(s)) }

// parseDigits parses a decimal number that fits an int32.
func parseDigits(s string) (int, bool) {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
	}
	n, err := strconv.ParseInt(s, 10, 32)
	return int(n), err == nil
}

// setUnit parses "ns", "25s" or "generic".
func (d *Dtype) setUnit(s string) bool {
	letters := strings.TrimLeft(s, "0123456789")
	if count := s[:len(s)-len(letters)]; count != "" {
		n, ok := parseDigits(count)
		if !ok || count[0] == '0' || letters == units[0] {
			return false
		}
		d.multiple = int32(n)
	}
	for i, unit := range units {
		if unit == letters {
			d.unit = uint8(i)
			return true
		}
	}
	return false
}

func (d Dtype) unitText() string {
	if d.multiple == 1 {
		return units[d.unit]
	}
	return strconv.Itoa(int(d.multiple)) + units[d.unit]
}
