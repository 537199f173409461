package npy

import (
	"slices"
	"unicode/utf8"
)

// ParseDtype parses a dtype as numpy prints it. Nothing is evaluated. It reads
//
//   - dtype.str: "<f8", "|S5", "<M8[ns]"
//   - str(dtype): "float64", "datetime64[ns]"
//   - the list of a record's fields, as in a header: a void without a name is padding
//   - the dict that str(dtype) returns for a record with gaps
//   - a tuple of a dtype and a shape
//
// For a record within a record, str(dtype) does not show which of the two were made with
// align=True. ParseDtype does as np.dtype does with such a text: within a dict that has
// 'aligned': True, it lays out all records as align=True would on this machine, and
// otherwise none.
// Programs that put aligned records into others that are not must pass dtype.descr
// instead.
//
// The error is [ErrDtype] for objects and strings of any length, which are pointers; for
// elements or fields without bytes; for records whose fields overlap or are out of
// order; and for more than 10,000 bytes of text, 1,024 fields, or 16 records in one
// another.
func ParseDtype(s string) (Dtype, error) {
	scan := scanner{text: s}
	var d Dtype
	switch {
	case len(s) > maxText:
		scan.fail(ErrDtype, "more than %d bytes of text", maxText)
	case !utf8.ValidString(s):
		scan.fail(ErrDtype, "the text is not valid UTF-8")
	case s != "" && (s[0] == '[' || s[0] == '(' || s[0] == '{'):
		d = scan.descr(0, true)
		scan.end()
	default:
		var err error
		d, err = parsePlain(s)
		scan.failWith(err)
		scan.errPos = -1
	}
	if scan.err != nil {
		return Dtype{}, &Error{Op: "parse dtype", Offset: scan.errPos, Err: asDtype(scan.err)}
	}
	return d, nil
}

// asDtype makes an error of the scanner an ErrDtype.
func asDtype(err error) error {
	if r, ok := err.(*reason); ok {
		return &reason{r.text, ErrDtype}
	}
	return err
}

// descr reads a dtype at a depth of nesting. If dict is true, records may be dicts.
func (s *scanner) descr(depth int, dict bool) Dtype {
	if depth > maxDepth {
		s.fail(ErrDtype, "more than %d records in one another", maxDepth)
		return Dtype{}
	}
	var d Dtype
	var err error
	switch c := s.peek(); {
	case c == '[':
		return s.record(depth, dict)
	case c == '(':
		s.pos++
		elem := s.descr(depth+1, dict)
		s.expect(',')
		shape := s.shape()
		s.has(',')
		s.expect(')')
		if s.err == nil {
			d, err = subarray(elem, shape)
			s.failWith(err)
		}
		return d
	case c == '{' && dict:
		return s.recordDict(depth)
	}
	start := s.pos
	name := s.str()
	if s.err == nil {
		if d, err = parsePlain(name); err != nil {
			s.pos = start
			s.failWith(err)
		}
	}
	return d
}

// record reads the list of a record's fields.
func (s *scanner) record(depth int, dict bool) Dtype {
	s.expect('[')
	var fields []Field
	size := 0
	s.items(']', func() {
		f := s.field(depth, dict)
		if s.err != nil {
			return
		}
		if f.Dtype.size > maxSize-size {
			s.failWith(tooLarge())
			return
		}
		f.Offset = size
		size += f.Dtype.size
		if f.Name == "" {
			return // padding
		}
		fields = append(fields, f)
	})
	if s.err != nil {
		return Dtype{}
	}
	d, err := record(fields, size)
	s.failWith(err)
	return d
}

// field reads (name, dtype) or (name, dtype, shape). name may be (title, name).
func (s *scanner) field(depth int, dict bool) (f Field) {
	if s.fields++; s.fields > maxFields {
		s.fail(ErrDtype, "more than %d fields", maxFields)
	}
	s.expect('(')
	titled := s.has('(')
	f.Name = s.str()
	if titled {
		s.expect(',')
		f.Title, f.Name = f.Name, s.str()
		s.has(',')
		s.expect(')')
	}
	s.expect(',')
	f.Dtype = s.descr(depth+1, dict)
	if s.has(',') && s.peek() != ')' {
		s.fieldShape(&f)
		s.has(',')
	}
	s.expect(')')
	padding := f.Name == "" && !titled && f.Dtype.kind == KindVoid
	if s.err == nil && !padding && (f.Name == "" || titled && f.Title == "") {
		s.fail(ErrDtype, "a field or title without a name")
	}
	return f
}

// fieldShape reads the shape of a field, which may be an int. The int 1 means a single
// element to some versions of numpy, and the shape (1,) to others.
func (s *scanner) fieldShape(f *Field) {
	var shape []int
	if s.peek() == '(' {
		shape = s.shape()
	} else if shape = []int{s.number()}; shape[0] == 1 {
		s.fail(ErrDtype, "the shape 1 is ambiguous: write (1,)")
	}
	if s.err == nil {
		d, err := subarray(f.Dtype, shape)
		s.failWith(err)
		f.Dtype = d
	}
}

// recordDict reads the dict that str(dtype) returns for a record with gaps.
func (s *scanner) recordDict(depth int) Dtype {
	var fields []Field
	size, aligned := -1, false
	given := map[string]int{} // by key, how many values
	each := func(set func(f *Field)) int {
		n := 0
		s.expect('[')
		s.items(']', func() {
			if n == len(fields) {
				if s.fields++; s.fields > maxFields {
					s.fail(ErrDtype, "more than %d fields", maxFields)
					return
				}
				fields = append(fields, Field{})
			}
			set(&fields[n])
			n++
		})
		return n
	}
	s.expect('{')
	s.items('}', func() {
		key := s.str()
		s.expect(':')
		if _, twice := given[key]; twice {
			s.fail(ErrDtype, "%s is given twice", excerpt(key))
			return
		}
		given[key] = 0
		switch key {
		case "names":
			given[key] = each(func(f *Field) { f.Name = s.str() })
		case "formats":
			given[key] = each(func(f *Field) { f.Dtype = s.descr(depth+1, true) })
		case "offsets":
			given[key] = each(func(f *Field) { f.Offset = s.number() })
		case "titles":
			given[key] = each(func(f *Field) {
				if !s.word("None") {
					f.Title = s.str()
				}
			})
		case "itemsize":
			size = s.number()
		case "aligned":
			if aligned = s.word("True"); !aligned && !s.word("False") {
				s.fail(ErrDtype, "aligned is True or False")
			}
		default:
			s.fail(ErrDtype, "a record has no %s", excerpt(key))
		}
	})
	for i, f := range fields {
		if aligned && s.err == nil {
			d, err := align(f.Dtype)
			s.failWith(err)
			fields[i].Dtype = d
		}
	}
	return s.madeOf(fields, size, given)
}

// madeOf returns the record of a dict. given has the number of values in each list.
func (s *scanner) madeOf(fields []Field, size int, given map[string]int) Dtype {
	for _, key := range []string{"names", "formats", "offsets"} {
		if given[key] != len(fields) {
			s.fail(ErrDtype, "names, formats and offsets must be given for each field")
		}
	}
	if n, titled := given["titles"]; size < 0 || titled && n != len(fields) {
		s.fail(ErrDtype, "itemsize, or a title, is missing")
	}
	for _, f := range fields {
		if f.Name == "" {
			s.fail(ErrDtype, "a field without a name")
		}
	}
	if s.err != nil {
		return Dtype{}
	}
	d, err := record(fields, size)
	s.failWith(err)
	return d
}

// align returns d as it lies within a record made with align=True. A record that was
// given as a list gets the gaps that the list did not show.
func align(d Dtype) (Dtype, error) {
	switch d.kind {
	case KindSubarray:
		elem, err := align(d.parts.elem)
		if err != nil {
			return Dtype{}, err
		}
		return subarray(elem, d.parts.shape)
	case KindRecord:
		return alignRecord(d)
	}
	return d, nil
}

func alignRecord(d Dtype) (Dtype, error) {
	fields, packed, end := slices.Clone(d.parts.fields), d.packed(), 0
	for i, f := range fields {
		aligned, err := align(f.Dtype)
		if err != nil {
			return Dtype{}, err
		}
		fields[i].Dtype = aligned
		if packed {
			fields[i].Offset = roundUp(end, aligned.alignment())
		}
		if aligned.size > maxSize-maxAlignment-fields[i].Offset {
			return Dtype{}, tooLarge() // an int of 32 bits has no room for more
		}
		end = fields[i].Offset + aligned.size
	}
	if packed {
		return record(fields, roundUp(end, d.alignment()))
	}
	return record(fields, d.size)
}

func roundUp(n, multiple int) int { return (n + multiple - 1) / multiple * multiple }

// alignment returns the number of which the offset of d is a multiple, in a record made
// with align=True on this machine.
func (d Dtype) alignment() int {
	switch d.kind {
	case KindBytes, KindVoid:
		return 1
	case KindSubarray:
		return d.parts.elem.alignment()
	case KindRecord:
		most := 1
		for _, f := range d.parts.fields {
			most = max(most, f.Dtype.alignment())
		}
		return most
	}
	return min(d.word(), maxAlignment)
}
