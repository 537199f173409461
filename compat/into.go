package compat

import (
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"math/big"
	"reflect"
	"strings"

	"github.com/pyshm-go/pyshm/format"
)

// EvalInto stores the value of a Python expression in the variable that dst points
// to. The expression sees the same variables and modules as in [Peer.Eval].
//
//	Python                                  Go
//	bool                                    bool
//	int, and subclasses such as IntEnum     an integer type that it fits, *big.Int,
//	                                         a float type that has it exactly
//	float                                   float64; float32 if that has it exactly
//	str                                     string
//	bytes, bytearray, memoryview of bytes   []byte, and [N]byte of the same length
//	None                                    nil: a pointer, slice, map or any
//	list, tuple, range, array.array,        a slice, and an array of the same length
//	 another memoryview, ShareableList
//	dict with str keys                      a map with string keys, or a struct
//	dataclass, named tuple                  as a dict of the fields
//	datetime, date, time                    string, as isoformat() returns it; time.Time
//	                                         if it has a date and an offset
//	numpy scalar                            as the Python value
//	numpy array                             nested slices or arrays; structured elements
//	                                         are dicts; of no dimension, a scalar
//
// Infinities and NaNs arrive as they are. An any gets nil, bool, int64, *big.Int for
// an int that int64 cannot hold, float64, string, []byte, []any or map[string]any.
//
// A struct's fields have the names that encoding/json gives them, tags included. Case
// matters only where names differ in nothing else. A key without a field is an error.
// A field without a key is zero. A [json.Unmarshaler] gets the value as JSON, with
// bytes in base64. An [encoding.TextUnmarshaler] gets a str.
//
// EvalInto changes no value silently, as JSON alone would: it fails if the Go type
// cannot hold a value exactly, and the error names the place, as in ".prices[3]". It
// also fails for Python types not listed here: complex, set, Decimal, timedelta,
// numpy's datetime64, longdouble and masked arrays, for example. After an error dst
// is as it was.
//
// An element takes some microseconds on its way. A large array is better shared.
func (p *Peer) EvalInto(dst any, expression string) error {
	request := Request{Op: "eval_data", Args: []any{expression}}
	target := reflect.ValueOf(dst)
	if target.Kind() != reflect.Pointer || target.IsNil() {
		return p.error(request.String(), fmt.Errorf("%w: %T is no pointer to a variable", fs.ErrInvalid, dst))
	}
	v, err := call[any](p, "", request.Op, request.Args...)
	if err != nil {
		return err
	}
	fresh := reflect.New(target.Type().Elem()).Elem()
	if err := assign(fresh, v); err != nil {
		return p.error(request.String(), err)
	}
	target.Elem().Set(fresh)
	return nil
}

// A misfit is the error about a part of a value that the Go type cannot hold.
type misfit struct {
	where string // ".prices[3]", or "" for the value itself
	err   error
}

func (m *misfit) Error() string { return strings.TrimPrefix(m.where+": "+m.err.Error(), ": ") }
func (m *misfit) Unwrap() error { return m.err }

// inside puts a step in front of the place of a misfit.
func inside(err error, step string, args ...any) error {
	step = fmt.Sprintf(step, args...)
	if m, ok := errors.AsType[*misfit](err); ok {
		return &misfit{step + m.where, m.err}
	}
	return &misfit{step, err}
}

// assign stores a value from a peer in dst, which has to be zero.
func assign(dst reflect.Value, v any) error {
	if done, err := unmarshal(dst, v); done || err != nil {
		return err
	}
	if v == nil {
		return assignNone(dst)
	}
	switch dst.Kind() {
	case reflect.Pointer:
		dst.Set(reflect.New(dst.Type().Elem()))
		return assign(dst.Elem(), v)
	case reflect.Interface:
		if dst.NumMethod() == 0 {
			dst.Set(reflect.ValueOf(v))
			return nil
		}
	}
	switch v := v.(type) {
	case bool:
		if dst.Kind() == reflect.Bool {
			dst.SetBool(v)
			return nil
		}
	case int64:
		return assignInt(dst, big.NewInt(v))
	case *big.Int:
		return assignInt(dst, v)
	case float64:
		return assignFloat(dst, v)
	case string:
		if dst.Kind() == reflect.String {
			dst.SetString(v)
			return nil
		}
	case []byte:
		return assignBytes(dst, v)
	case []any:
		return assignList(dst, v)
	case map[string]any:
		return assignDict(dst, v)
	}
	return cannotHold(dst, v)
}

// unmarshal stores the value by dst's own UnmarshalText or UnmarshalJSON, if dst has
// one, and reports whether it did.
func unmarshal(dst reflect.Value, v any) (done bool, err error) {
	fromText, isText := dst.Addr().Interface().(encoding.TextUnmarshaler)
	if s, ok := v.(string); ok && isText {
		return true, fromText.UnmarshalText([]byte(s))
	}
	fromJSON, isJSON := dst.Addr().Interface().(json.Unmarshaler)
	if !isJSON || v == nil && isText { // a time.Time would ignore null
		return false, nil
	}
	text, err := json.Marshal(v)
	if err == nil {
		err = fromJSON.UnmarshalJSON(text)
	}
	return true, err
}

func assignNone(dst reflect.Value) error {
	switch dst.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Map:
		return nil
	case reflect.Interface:
		if dst.NumMethod() == 0 {
			return nil
		}
	}
	return cannotHold(dst, nil)
}

func assignInt(dst reflect.Value, v *big.Int) error {
	switch {
	case dst.CanInt() && v.IsInt64() && !dst.OverflowInt(v.Int64()):
		dst.SetInt(v.Int64())
	case dst.CanUint() && v.IsUint64() && !dst.OverflowUint(v.Uint64()):
		dst.SetUint(v.Uint64())
	case dst.CanFloat():
		f, accuracy := v.Float64()
		if accuracy != big.Exact {
			return cannotHold(dst, v)
		}
		return assignFloat(dst, f)
	default:
		return cannotHold(dst, v)
	}
	return nil
}

func assignFloat(dst reflect.Value, v float64) error {
	if !dst.CanFloat() {
		return cannotHold(dst, v)
	}
	dst.SetFloat(v)
	if kept := dst.Float(); kept != v && !math.IsNaN(v) {
		return cannotHold(dst, v)
	}
	return nil
}

func assignBytes(dst reflect.Value, v []byte) error {
	isBytes := dst.Kind() == reflect.Slice || dst.Kind() == reflect.Array
	switch {
	case !isBytes || dst.Type().Elem().Kind() != reflect.Uint8:
		return cannotHold(dst, v)
	case dst.Kind() == reflect.Slice:
		dst.SetBytes(v)
	case dst.Len() != len(v):
		return cannotHold(dst, v)
	default:
		reflect.Copy(dst.Slice(0, len(v)), reflect.ValueOf(v))
	}
	return nil
}

func assignList(dst reflect.Value, v []any) error {
	switch {
	case dst.Kind() == reflect.Slice:
		dst.Set(reflect.MakeSlice(dst.Type(), len(v), len(v)))
	case dst.Kind() != reflect.Array:
		return cannotHold(dst, v)
	case dst.Len() != len(v):
		return fmt.Errorf("a list of %d items does not fit %v", len(v), dst.Type())
	}
	for i, item := range v {
		if err := assign(dst.Index(i), item); err != nil {
			return inside(err, "[%d]", i)
		}
	}
	return nil
}

func assignDict(dst reflect.Value, v map[string]any) error {
	switch {
	case dst.Kind() == reflect.Struct:
		return assignStruct(dst, v)
	case dst.Kind() != reflect.Map || dst.Type().Key().Kind() != reflect.String:
		return cannotHold(dst, v)
	}
	dst.Set(reflect.MakeMapWithSize(dst.Type(), len(v)))
	for key, item := range v {
		element := reflect.New(dst.Type().Elem()).Elem()
		if err := assign(element, item); err != nil {
			return inside(err, "[%q]", key)
		}
		dst.SetMapIndex(reflect.ValueOf(key).Convert(dst.Type().Key()), element)
	}
	return nil
}

func assignStruct(dst reflect.Value, v map[string]any) error {
	fields := fieldsOf(dst)
	keys := map[int]string{} // by field
	for key, item := range v {
		i := findField(fields, key)
		if i < 0 {
			return fmt.Errorf("%v has no field for the key %q", dst.Type(), key)
		}
		if other, taken := keys[i]; taken {
			return fmt.Errorf("the keys %q and %q are both for the field %s of %v",
				min(key, other), max(key, other), fields[i].name, dst.Type())
		}
		keys[i] = key
		if err := assign(fields[i].value, item); err != nil {
			return inside(err, ".%s", key)
		}
	}
	return nil
}

// A field is a struct field with its name in JSON.
type field struct {
	name  string
	value reflect.Value
}

// fieldsOf returns the fields of a struct. The fields of embedded structs come last.
func fieldsOf(s reflect.Value) []field {
	var fields, embedded []field
	for i := range s.NumField() {
		f := s.Type().Field(i)
		tag := f.Tag.Get("json")
		name, _, _ := strings.Cut(tag, ",")
		switch {
		case tag == "-":
		case f.Anonymous && name == "" && f.Type.Kind() == reflect.Struct:
			embedded = append(embedded, fieldsOf(s.Field(i))...)
		case f.IsExported() && name == "":
			fields = append(fields, field{f.Name, s.Field(i)})
		case f.IsExported():
			fields = append(fields, field{name, s.Field(i)})
		}
	}
	return append(fields, embedded...)
}

// findField returns the index of the field for a key, or -1.
func findField(fields []field, key string) int {
	folded := -1
	for i, f := range fields {
		if f.name == key {
			return i
		}
		if folded < 0 && strings.EqualFold(f.name, key) {
			folded = i
		}
	}
	return folded
}

// cannotHold returns the error about a value that does not fit a type.
func cannotHold(dst reflect.Value, v any) error {
	switch v := v.(type) {
	case map[string]any:
		return fmt.Errorf("%v cannot hold a dict", dst.Type())
	case *big.Int:
		return fmt.Errorf("%v cannot hold %.60s", dst.Type(), v.String())
	default:
		return fmt.Errorf("%v cannot hold %.60s", dst.Type(), format.Repr(v))
	}
}
