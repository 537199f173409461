package npy

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// String returns numpy's dtype.str: "<f8", "|S5", "<M8[ns]". For a record it returns the
// list of the fields, as in a header: padding is a void without a name. For a sub-array
// it returns a tuple. It is empty for the zero Dtype.
//
// [ParseDtype] reads the text back. In Python np.lib.format.descr_to_dtype does, after
// ast.literal_eval if the text is a list or a tuple.
func (d Dtype) String() string {
	switch d.kind {
	case 0:
		return ""
	case KindRecord, KindSubarray:
		return d.descr()
	}
	return d.code()
}

// descr returns the text for d in a header: a plain dtype is quoted.
func (d Dtype) descr() string { return string(d.appendDescr(nil)) }

// appendDescr appends the text that numpy's .npy headers have for d.
func (d Dtype) appendDescr(b []byte) []byte {
	switch d.kind {
	case 0:
		return b
	case KindRecord:
		return d.appendFields(b)
	case KindSubarray:
		b = d.parts.elem.appendDescr(append(b, '('))
		b = appendShape(append(b, ", "...), d.parts.shape)
		return append(b, ')')
	}
	return append(append(append(b, '\''), d.code()...), '\'')
}

// appendFields appends the list of a record's fields and of the gaps between them.
func (d Dtype) appendFields(b []byte) []byte {
	b = append(b, '[')
	end := 0
	gap := func(to int) {
		if to > end {
			b = fmt.Appendf(b, "('', '|V%d'), ", to-end)
		}
	}
	for _, f := range d.parts.fields {
		gap(f.Offset)
		end = f.Offset + f.Dtype.size
		b = append(appendName(append(b, '('), f), ", "...)
		b = f.Dtype.Elem().appendDescr(b)
		if f.Dtype.kind == KindSubarray {
			b = appendShape(append(b, ", "...), f.Dtype.parts.shape)
		}
		b = append(b, "), "...)
	}
	gap(d.size)
	return append(b[:len(b)-len(", ")], ']')
}

func appendName(b []byte, f Field) []byte {
	if f.Title == "" {
		return append(b, quote(f.Name)...)
	}
	return fmt.Appendf(b, "(%s, %s)", quote(f.Title), quote(f.Name))
}

// appendShape appends a tuple of ints.
func appendShape(b []byte, shape []int) []byte {
	b = append(b, '(')
	for i, n := range shape {
		if i > 0 {
			b = append(b, ", "...)
		}
		b = strconv.AppendInt(b, int64(n), 10)
	}
	if len(shape) == 1 {
		b = append(b, ',')
	}
	return append(b, ')')
}

// code returns the spelling of a dtype other than a record or sub-array.
func (d Dtype) code() string {
	order := "|"
	if d.ordered() {
		order = ">"
		if d.swapped != littleEndian {
			order = "<"
		}
	}
	return order + d.letter()
}

// letter returns the kind, the size and the unit.
func (d Dtype) letter() string {
	n := d.size
	if d.kind == KindText {
		n /= 4
	}
	s := string(rune(d.kind)) + strconv.Itoa(n)
	if d.unit != 0 {
		s += "[" + d.unitText() + "]"
	}
	return s
}

// Name returns the text of Python's str(dtype): "float32", "datetime64[ns]", ">i4", a
// list of fields, or a dict for a record with gaps. numpy before 1.23 prints that dict
// with fewer spaces. Every numpy adds 'aligned': True to a dtype that was made with
// align=True; Name does not, because no header keeps this.
func (d Dtype) Name() string {
	switch d.kind {
	case 0:
		return ""
	case KindRecord:
		return d.recordName()
	case KindSubarray:
		return fmt.Sprintf("(%s, %s)", d.parts.elem.shortName(), appendShape(nil, d.parts.shape))
	case KindBytes, KindText, KindVoid:
		return d.code()
	}
	if d.swapped {
		return d.code()
	}
	stem := map[Kind]string{
		KindBool: "bool", KindInt: "int", KindUint: "uint", KindFloat: "float", KindComplex: "complex", KindDatetime: "datetime", KindTimedelta: "timedelta",
	}[d.kind]
	if d.kind != KindBool {
		stem += strconv.Itoa(8 * d.size)
	}
	if d.unit != 0 {
		stem += "[" + d.unitText() + "]"
	}
	return stem
}

// shortName returns how numpy spells the dtype of a field within Name.
func (d Dtype) shortName() string {
	switch d.kind {
	case KindRecord:
		return d.recordName()
	case KindSubarray:
		return d.Name()
	case KindBool:
		return "'?'"
	}
	return "'" + strings.TrimPrefix(d.code(), "|") + "'"
}

func (d Dtype) recordName() string {
	fields := d.parts.fields
	join := func(spell func(f Field) string) string {
		all := make([]string, len(fields))
		for i, f := range fields {
			all[i] = spell(f)
		}
		return "[" + strings.Join(all, ", ") + "]"
	}
	if d.packed() {
		return join(func(f Field) string {
			if f.Dtype.kind == KindSubarray {
				return fmt.Sprintf("(%s, %s, %s)", appendName(nil, f), f.Dtype.parts.elem.shortName(), appendShape(nil, f.Dtype.parts.shape))
			}
			return fmt.Sprintf("(%s, %s)", appendName(nil, f), f.Dtype.shortName())
		})
	}
	titles := ""
	if slices.ContainsFunc(fields, func(f Field) bool { return f.Title != "" }) {
		titles = ", 'titles': " + join(func(f Field) string {
			if f.Title == "" {
				return "None"
			}
			return quote(f.Title)
		})
	}
	return fmt.Sprintf("{'names': %s, 'formats': %s, 'offsets': %s%s, 'itemsize': %d}",
		join(func(f Field) string { return quote(f.Name) }),
		join(func(f Field) string { return f.Dtype.shortName() }),
		join(func(f Field) string { return strconv.Itoa(f.Offset) }), titles, d.size)
}

// quote returns Python's repr of a str.
func quote(s string) string {
	mark := '\''
	if strings.Contains(s, "'") && !strings.Contains(s, `"`) {
		mark = '"'
	}
	var b strings.Builder
	b.WriteRune(mark)
	for _, r := range s {
		switch {
		case r == mark || r == '\\':
			b.WriteRune('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\r':
			b.WriteString(`\r`)
		case r == '\t':
			b.WriteString(`\t`)
		case unicode.IsPrint(r):
			b.WriteRune(r)
		case r < 0x100:
			fmt.Fprintf(&b, `\x%02x`, r)
		case r < 0x10000:
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			fmt.Fprintf(&b, `\U%08x`, r)
		}
	}
	b.WriteRune(mark)
	return b.String()
}
