package main

import (
	"errors"
	"net"
	"regexp"
	"strconv"
	"strings"

	"github.com/pyshm-go/pyshm/format"
)

// An addressFlag is the value of a flag: the address of a manager, as package manager
// writes it. The Python literal that the manager prints may be given as well.
type addressFlag string

func (a *addressFlag) String() string { return string(*a) }
func (*addressFlag) Type() string     { return "ADDRESS" }

func (a *addressFlag) Set(text string) error {
	address, err := text, error(nil)
	if literal := strings.TrimLeft(text, "b"); strings.HasPrefix(literal, "'") || strings.HasPrefix(literal, `"`) || strings.HasPrefix(literal, "(") {
		address, err = parsePythonAddress(text)
	}
	if address == "" && err == nil {
		err = errors.New("it is empty")
	}
	*a = addressFlag(address)
	return err
}

// parsePythonAddress reads '/path', b'\x00name' and ('host', port).
func parsePythonAddress(text string) (string, error) {
	if strings.HasPrefix(text, "(") && strings.HasSuffix(text, ")") { // format knows lists, and no tuples
		text = "[" + text[1:len(text)-1] + "]"
	}
	if path, ok := parsePath(text); ok {
		return path, nil
	}
	v, err := format.ParseRepr(text)
	if err != nil {
		return "", reason(err)
	}
	switch v := v.(type) {
	case string:
		return v, nil
	case []byte:
		if name, ok := strings.CutPrefix(string(v), "\x00"); ok {
			return "@" + name, nil
		}
	case []any:
		if len(v) == 2 && kindOf(v[0]) == format.Str && kindOf(v[1]) == format.Int {
			return net.JoinHostPort(v[0].(string), format.Repr(v[1])), nil
		}
	}
	return "", errors.New("Python writes an address as '/path', ('host', port) or b'\\x00name'")
}

// escapes matches the escapes of a Python literal. An escape of a lone surrogate has
// a group.
var escapes = regexp.MustCompile(`(?is)\\(?:u(dc[89a-f][0-9a-f])|.)`)

// parsePath reads the literal of a path with bytes outside of UTF-8. Python has a lone
// surrogate for each of them (PEP 383). Package format refuses lone surrogates in a
// str.
func parsePath(text string) (path string, ok bool) {
	quote, start := text[:1], 1
	part := func(end int, closing string) bool {
		v, err := format.ParseRepr(quote + text[start:end] + closing)
		s, isStr := v.(string)
		path += s
		return err == nil && isStr
	}
	for _, at := range escapes.FindAllStringSubmatchIndex(text, -1) {
		if at[2] < 0 {
			continue
		}
		char, err := strconv.ParseUint(text[at[2]+2:at[3]], 16, 8)
		if err != nil || !part(at[0], quote) {
			return "", false
		}
		path, start = path+string([]byte{byte(char)}), at[1]
	}
	return path, start > 1 && part(len(text), "")
}
