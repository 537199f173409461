// Package pyvalue spells the values of a ShareableList as JSON that Python and Go
// read back exactly:
//
//	Python   Go                         JSON
//	int      every integer, *big.Int    {"int": "-2"}                  decimal
//	float    float64, float32           {"float": "3ff8000000000000"}  IEEE 754 bits, most significant digit first
//	bool     bool                       {"bool": true}
//	None     nil                        {"none": null}
//	str      string                     {"str": "hé"}
//	bytes    []byte                     {"bytes": "00ff"}              hexadecimal
//	list     []any                      an array of these
//
//	dict     map[string]any             {"dict": [key, value, ...]}    read only
//
// JSON's own numbers would not do: many readers round an int beyond 2^53, and JSON has
// neither infinities nor NaNs.
package pyvalue

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"math/big"
	"reflect"
	"slices"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// Append appends the JSON form of v. It fails for a string of invalid UTF-8 and for a
// type that the package documentation does not list.
func Append(dst []byte, v any) ([]byte, error) {
	switch v := v.(type) {
	case nil:
		return append(dst, `{"none":null}`...), nil
	case bool:
		return append(strconv.AppendBool(append(dst, `{"bool":`...), v), '}'), nil
	case float64:
		return fmt.Appendf(dst, `{"float":"%016x"}`, math.Float64bits(v)), nil
	case float32:
		return Append(dst, float64(v))
	case string:
		dst, err := AppendString(append(dst, `{"str":`...), v)
		return append(dst, '}'), err
	case []byte:
		return append(hex.AppendEncode(append(dst, `{"bytes":"`...), v), `"}`...), nil
	case *big.Int:
		return append(v.Append(append(dst, `{"int":"`...), 10), `"}`...), nil
	case []any:
		return appendList(dst, v)
	}
	switch i := reflect.ValueOf(v); {
	case i.CanInt():
		return append(strconv.AppendInt(append(dst, `{"int":"`...), i.Int(), 10), `"}`...), nil
	case i.CanUint():
		return append(strconv.AppendUint(append(dst, `{"int":"`...), i.Uint(), 10), `"}`...), nil
	}
	return nil, fmt.Errorf("encode value: no Python type stands for %T", v)
}

// AppendString appends a JSON string.
func AppendString(dst []byte, s string) ([]byte, error) {
	if !utf8.ValidString(s) {
		return nil, fmt.Errorf("encode value: %q is not valid UTF-8", s)
	}
	quoted, err := json.Marshal(s)
	return append(dst, quoted...), err
}

func appendList(dst []byte, values []any) (_ []byte, err error) {
	dst = append(dst, '[')
	for i, v := range values {
		if i > 0 {
			dst = append(dst, ',')
		}
		if dst, err = Append(dst, v); err != nil {
			return nil, fmt.Errorf("item %d: %w", i, err)
		}
	}
	return append(dst, ']'), nil
}

// Decode is the inverse of [Append]. An int comes back as int64, or as *big.Int if
// int64 is too small, and a list as []any. Decode fails for a str with a lone surrogate,
// which Python's json writes and no Go string can hold.
func Decode(raw json.RawMessage) (any, error) {
	raw = bytes.TrimSpace(raw)
	if len(raw) > 0 && raw[0] == '[' {
		return decodeList(raw)
	}
	var spelled map[string]json.RawMessage
	if err := json.Unmarshal(raw, &spelled); err != nil {
		return nil, fmt.Errorf("decode value %.80s: %w", raw, err)
	}
	if len(spelled) != 1 {
		return nil, fmt.Errorf("decode value %.80s: want one key that names the type, got %d", raw, len(spelled))
	}
	for kind, content := range spelled {
		v, err := decodeKind(kind, content)
		if err != nil {
			return nil, fmt.Errorf("decode value %.80s: %w", raw, err)
		}
		return v, nil
	}
	panic("unreachable")
}

func decodeList(raw json.RawMessage) (any, error) {
	var items []json.RawMessage
	if err := json.Unmarshal(raw, &items); err != nil {
		return nil, fmt.Errorf("decode value %.80s: %w", raw, err)
	}
	values := make([]any, len(items))
	for i, item := range items {
		v, err := Decode(item)
		if err != nil {
			return nil, fmt.Errorf("item %d: %w", i, err)
		}
		values[i] = v
	}
	return values, nil
}

func decodeKind(kind string, content json.RawMessage) (any, error) {
	switch kind {
	case "none":
		if string(content) != "null" {
			return nil, fmt.Errorf("none is not null")
		}
		return nil, nil
	case "bool":
		var b *bool
		if err := json.Unmarshal(content, &b); err != nil {
			return nil, err
		}
		if b == nil {
			return nil, fmt.Errorf("bool is null")
		}
		return *b, nil
	case "dict":
		return decodeDict(content)
	case "int", "float", "bytes", "str":
		text, err := decodeString(content)
		if err != nil {
			return nil, err
		}
		return decodeText(kind, text)
	}
	return nil, fmt.Errorf("unknown type %q", kind)
}

func decodeDict(content json.RawMessage) (any, error) {
	decoded, err := decodeList(content)
	if err != nil {
		return nil, err
	}
	flat := decoded.([]any)
	if string(content) == "null" {
		return nil, fmt.Errorf("dict is null")
	}
	dict := make(map[string]any, len(flat)/2)
	for pair := range slices.Chunk(flat, 2) {
		key, ok := pair[0].(string)
		if !ok || len(pair) != 2 {
			return nil, fmt.Errorf("dict is not a list of str keys and values")
		}
		if _, twice := dict[key]; twice {
			return nil, fmt.Errorf("dict has the key %q twice", key)
		}
		dict[key] = pair[1]
	}
	return dict, nil
}

func decodeText(kind, text string) (any, error) {
	switch kind {
	case "int":
		i, ok := new(big.Int).SetString(text, 10)
		if !ok || i.String() != text {
			return nil, fmt.Errorf("%q is not a decimal number", text)
		}
		if i.IsInt64() {
			return i.Int64(), nil
		}
		return i, nil
	case "float":
		bits, err := strconv.ParseUint(text, 16, 64)
		if err != nil || len(text) != 16 {
			return nil, fmt.Errorf("%q is not 16 hexadecimal digits", text)
		}
		return math.Float64frombits(bits), nil
	case "bytes":
		return hex.DecodeString(text)
	default:
		return text, nil
	}
}

// decodeString fails where encoding/json would put U+FFFD for text that a Go string
// cannot hold.
func decodeString(content json.RawMessage) (string, error) {
	var s *string
	switch err := json.Unmarshal(content, &s); {
	case err != nil:
		return "", err
	case s == nil:
		return "", fmt.Errorf("null is not a string")
	case !utf8.Valid(content):
		return "", fmt.Errorf("not valid UTF-8")
	case hasLoneSurrogate(content):
		return "", fmt.Errorf("a lone surrogate has no UTF-8 form")
	}
	return *s, nil
}

// hasLoneSurrogate looks at the \u escapes of a JSON string, which has to be well
// formed.
func hasLoneSurrogate(content []byte) bool {
	for i := 0; i < len(content); i++ {
		if content[i] != '\\' {
			continue
		}
		r, ok := unicodeEscape(content[i:])
		if !ok {
			i++ // a two-character escape, perhaps of a backslash
			continue
		}
		i += 5
		if utf16.IsSurrogate(r) {
			low, _ := unicodeEscape(content[i+1:])
			if utf16.DecodeRune(r, low) == utf8.RuneError {
				return true
			}
			i += 6
		}
	}
	return false
}

// unicodeEscape parses the \u escape at the beginning of content, if there is one.
func unicodeEscape(content []byte) (rune, bool) {
	if len(content) < 6 || content[0] != '\\' || content[1] != 'u' {
		return 0, false
	}
	r, err := strconv.ParseUint(string(content[2:6]), 16, 16)
	return rune(r), err == nil
}
