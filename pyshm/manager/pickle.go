package manager

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"

	ogórek "github.com/kisielk/og-rek"
)

// What travels after the handshake are pickles. A request is
//
//	(None, method, (argument, ...), {})
//
// and its reply
//
//	(kind, value)
//
// They are written here byte for byte as CPython's pickler writes them in
// protocol 4, which every version reads. og-rek's encoder would leave out the
// frames and memo entries.
const (
	kindReturn    = "#RETURN"
	kindTraceback = "#TRACEBACK"
)

// The opcodes of protocol 4 that are written.
const (
	opProto      = '\x80' // and the version
	opFrame      = '\x95' // and the length of what follows, 8 bytes
	opMark       = '('
	opNone       = 'N'
	opBinInt1    = 'K'    // and the int, 1 byte
	opShortStr   = '\x8c' // and the length, 1 byte, and UTF-8
	opStr        = 'X'    // and the length, 4 bytes, and UTF-8
	opMemoize    = '\x94'
	opEmptyTuple = ')'
	opTuple1     = '\x85'
	opTuple2     = '\x86'
	opTuple      = 't' // of all since the mark
	opEmptyDict  = '}'
	opEmptyList  = ']'
	opAppend     = 'a'
	opAppends    = 'e' // all since the mark
	opStop       = '.'
)

// batch is how many items a pickler appends to a list at a time.
const batch = 1000

// encodeRequest pickles a call of a method with at most one argument.
func encodeRequest(method string, args ...string) []byte {
	body := appendStr([]byte{opMark, opNone}, method)
	if len(args) == 0 {
		body = append(body, opEmptyTuple)
	} else {
		body = append(appendStr(body, args[0]), opTuple1, opMemoize)
	}
	return framed(append(body, opEmptyDict, opMemoize, opTuple, opMemoize))
}

// encodeReply pickles the reply to a request. The value is nil, an int below
// 256, a string or a []string.
func encodeReply(kind string, value any) []byte {
	body := appendStr(nil, kind)
	switch v := value.(type) {
	case nil:
		body = append(body, opNone)
	case int:
		body = append(body, opBinInt1, byte(v))
	case string:
		body = appendStr(body, v)
	case []string:
		body = appendList(body, v)
	}
	return framed(append(body, opTuple2, opMemoize))
}

func appendStr(b []byte, s string) []byte {
	if len(s) < 256 {
		b = append(b, opShortStr, byte(len(s)))
	} else {
		b = binary.LittleEndian.AppendUint32(append(b, opStr), uint32(len(s)))
	}
	return append(append(b, s...), opMemoize)
}

func appendList(b []byte, items []string) []byte {
	b = append(b, opEmptyList, opMemoize)
	if len(items) == 1 {
		return append(appendStr(b, items[0]), opAppend)
	}
	for len(items) > 0 {
		n := min(batch, len(items))
		b = append(b, opMark)
		for _, item := range items[:n] {
			b = appendStr(b, item)
		}
		b = append(b, opAppends)
		items = items[n:]
	}
	return b
}

func framed(body []byte) []byte {
	b := binary.LittleEndian.AppendUint64([]byte{opProto, 4, opFrame}, uint64(len(body)+1))
	return append(append(b, body...), opStop)
}

// A request is what a client asks for.
type request struct {
	method string
	args   []any // of kinds that og-rek makes; they may be huge, or contain themselves
}

// segment returns the segment that the request is about, or "".
func (r request) segment() string {
	if len(r.args) == 0 {
		return ""
	}
	name, _ := r.args[0].(string)
	return name
}

// decodeRequest reads a request of any client. The error is an exception, the
// one that CPython's server would raise.
func decodeRequest(pickle []byte) (request, error) {
	value, err := decode(pickle, requestOpcodes)
	if err != nil {
		return request{}, exceptionf("_pickle.UnpicklingError", "%v", err)
	}
	fields, ok := sequence(value)
	switch {
	case !ok:
		return request{}, exceptionf("TypeError", "cannot unpack non-iterable %s object", pythonType(value))
	case len(fields) < 4:
		return request{}, exceptionf("ValueError", "not enough values to unpack (expected 4, got %d)", len(fields))
	case len(fields) > 4:
		return request{}, exceptionf("ValueError", "too many values to unpack (expected 4)")
	}
	method, isStr := fields[1].(string)
	args, isSequence := sequence(fields[2])
	keywords, isDict := fields[3].(map[any]any)
	switch {
	case !isStr:
		return request{}, exceptionf("TypeError", "the method is %s, not str", pythonType(fields[1]))
	case !isSequence:
		return request{}, exceptionf("TypeError", "Value after * must be an iterable, not %s", pythonType(fields[2]))
	case !isDict:
		return request{}, exceptionf("TypeError", "argument after ** must be a mapping, not %s", pythonType(fields[3]))
	case len(keywords) > 0:
		return request{}, exceptionf("TypeError", "keyword arguments are not supported")
	}
	return request{method, args}, nil
}

// decodeReply reads a reply and returns its value. One that tells of an
// exception in the server is a *RemoteError.
func decodeReply(pickle []byte) (any, error) {
	value, err := decode(pickle, replyOpcodes)
	if err != nil {
		return nil, fmt.Errorf("unreadable reply: %w", err)
	}
	fields, ok := value.(ogórek.Tuple)
	if !ok || len(fields) != 2 {
		return nil, fmt.Errorf("unreadable reply: not a pair")
	}
	switch fields[0] {
	case kindReturn:
		return fields[1], nil
	case kindTraceback:
		if text, ok := fields[1].(string); ok {
			return nil, &RemoteError{Traceback: text}
		}
	}
	return nil, fmt.Errorf("unreadable reply: unknown kind")
}

// strs returns the items of a Python list of str.
func strs(value any) ([]string, error) {
	items, ok := value.([]any)
	if !ok {
		return nil, fmt.Errorf("unreadable reply: %s, not list", pythonType(value))
	}
	all := make([]string, len(items))
	for i, item := range items {
		if all[i], ok = item.(string); !ok {
			return nil, fmt.Errorf("unreadable reply: item %d is %s, not str", i, pythonType(item))
		}
	}
	return all, nil
}

func sequence(value any) (items []any, ok bool) {
	switch v := value.(type) {
	case ogórek.Tuple:
		return v, true
	case []any:
		return v, true
	}
	return nil, false
}

func pythonType(value any) string {
	switch value.(type) {
	case ogórek.None:
		return "NoneType"
	case string:
		return "str"
	case bool:
		return "bool"
	case ogórek.Tuple:
		return "tuple"
	case []any:
		return "list"
	case map[any]any:
		return "dict"
	}
	return "int"
}

// decode reads a pickle that [inspect] lets pass. What it returns are None,
// strings, ints, bools, tuples, lists and dicts; nothing is ever called.
func decode(pickle []byte, maxOpcodes int) (value any, err error) {
	if err := inspect(pickle, maxOpcodes); err != nil {
		return nil, err
	}
	defer func() {
		if r := recover(); r != nil {
			err = errors.New("the decoder failed")
		}
	}()
	decoder := ogórek.NewDecoderWithConfig(bytes.NewReader(pickle), &ogórek.DecoderConfig{StrictUnicode: true})
	return decoder.Decode()
}
