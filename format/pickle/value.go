package pickle

import (
	"math"
	"unicode/utf8"
)

// A Tuple is a Python tuple.
type Tuple []any

// A ByteArray is a Python bytearray.
type ByteArray []byte

// Surrogates is a str with lone surrogates, which UTF-8 does not have. For example,
// Python's os.fsdecode returns one for a file name of invalid UTF-8. Surrogates holds
// the text as Python pickles it, with three bytes for each surrogate ("\xed\xb3\xbf"
// for '\udcff').
type Surrogates string

// valid reports whether s is UTF-8, except that it may contain surrogates.
func (s Surrogates) valid() bool {
	for len(s) > 0 {
		r, n := utf8.DecodeRuneInString(string(s))
		if r == utf8.RuneError && n <= 1 {
			if !startsWithSurrogate(string(s)) {
				return false
			}
			n = 3
		}
		s = s[n:]
	}
	return true
}

func startsWithSurrogate(s string) bool {
	return len(s) >= 3 && s[0] == 0xed && 0xa0 <= s[1] && s[1] <= 0xbf && 0x80 <= s[2] && s[2] <= 0xbf
}

// text returns a str as the Go value that holds it.
func text(s string) (any, error) {
	switch {
	case utf8.ValidString(s):
		return s, nil
	case Surrogates(s).valid():
		return Surrogates(s), nil
	}
	return nil, ErrUTF8
}

// A Class names a class, function or constant of a Python module. As a value it
// is a reference to that class, function or constant. Nothing is imported.
type Class struct {
	Module string
	Name   string // qualified: "Outer.Inner"
}

// String returns "module.name", with Python's escapes for what cannot be printed.
func (c Class) String() string {
	p := printer{left: math.MaxInt}
	p.characters(c.Module+"."+c.Name, "")
	return p.String()
}

// A Form is the way in which Python makes an [Object] when it reads the pickle.
type Form uint8

const (
	Call     Form = iota // Class(*Args); opcode REDUCE
	New                  // Class.__new__(Class, *Args, **Keywords); NEWOBJ or NEWOBJ_EX
	Instance             // the way Python 2 makes instances of old-style classes; OBJ or INST
)

// An Object stands for any value that is not plain data: an instance of some class, or
// the result of a function. It describes how Python would make the value, and it is
// written back unchanged. The fields are in the order in which Python uses them.
type Object struct {
	Class    Class   // the class or function to call
	Callee   *Object // called instead of Class, if Class is zero
	Form     Form
	Args     Tuple
	Keywords *Dict // with Form New only; nil if there are none
	Items    []any // appended, as to a list
	Pairs    *Dict // set, as in a dict
	State    any   // passed to __setstate__ or put into __dict__; nil if there is none
	// Setter is a Class or an *Object. If it is not nil, Python calls it with the
	// object and State, instead of __setstate__.
	Setter any
}
