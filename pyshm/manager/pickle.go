package manager

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/big"
	"strings"

	"github.com/pyshm-go/pyshm/format"
	"github.com/pyshm-go/pyshm/format/pickle"
)

// After the handshake, client and server exchange pickles. A request is
//
//	(None, method, (argument, ...), {})
//
// and its reply
//
//	(kind, value)
//
// This file writes them byte for byte as CPython's pickler writes them in protocol 4,
// which every version reads. Package pickle does not: it leaves out frames and memo
// entries, which readers can do without. Package pickle reads the pickles that come.
const (
	kindReturn    = "#RETURN"
	kindTraceback = "#TRACEBACK"

	// Only an object's methods reply by these.
	kindError          = "#ERROR"          // an exception
	kindProxy          = "#PROXY"          // (methods, Token)
	kindUnserializable = "#UNSERIALIZABLE" // a traceback: the value could not be pickled
)

// The opcodes of protocol 4 that are written.
const (
	opProto      = '\x80' // and the version
	opFrame      = '\x95' // and the length of the rest, 8 bytes
	opMark       = '('
	opNone       = 'N'
	opBinInt1    = 'K'    // and the int, 1 byte
	opShortStr   = '\x8c' // and the length, 1 byte, and UTF-8
	opStr        = 'X'    // and the length, 4 bytes, and UTF-8
	opMemoize    = '\x94'
	opEmptyTuple = ')'
	opTuple1     = '\x85'
	opTuple2     = '\x86'
	opTuple      = 't' // of all values since the mark
	opEmptyDict  = '}'
	opEmptyList  = ']'
	opAppend     = 'a'
	opAppends    = 'e' // all values since the mark
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

// encodeReply pickles the reply to a request. A value that is nil, an int below 256, a
// string or a []string is written as CPython writes it.
func encodeReply(kind string, value any) []byte {
	body := appendStr(nil, kind)
	switch v := value.(type) {
	case nil:
		body = append(body, opNone)
	case int:
		if v > math.MaxUint8 {
			return encodeReply(kind, int64(v))
		}
		body = append(body, opBinInt1, byte(v))
	case string:
		body = appendStr(body, v)
	case []string:
		body = appendList(body, v)
	default:
		b, err := pickle.Marshal(pickle.Tuple{kind, value})
		if err != nil {
			return encodeReply(kindTraceback, traceback(exceptionf("TypeError", "%v", err), ""))
		}
		return b
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

// A request is a call of a method by a client.
type request struct {
	object   any // the id of an object, or nil
	method   string
	args     []any // of the types that package pickle reads
	keywords *pickle.Dict
}

// segment returns the segment that the request is about, or "".
func (r request) segment() string {
	if len(r.args) == 0 {
		return ""
	}
	name, _ := r.args[0].(string)
	return name
}

// decodeRequest reads a client's request, which may be hostile. The error is the exception
// that CPython's server would raise.
func decodeRequest(payload []byte, maxOpcodes int) (request, error) {
	value, err := decode(payload, maxOpcodes)
	if err != nil {
		return request{}, unpicklingError(err, payload)
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
	keywords, isDict := fields[3].(*pickle.Dict)
	switch {
	case !isStr:
		return request{}, exceptionf("TypeError", "the method is %s, not str", pythonType(fields[1]))
	case !isSequence:
		return request{}, exceptionf("TypeError", "Value after * must be an iterable, not %s", pythonType(fields[2]))
	case !isDict:
		return request{}, exceptionf("TypeError", "argument after ** must be a mapping, not %s", pythonType(fields[3]))
	}
	return request{fields[0], method, args, keywords}, nil
}

// unpicklingError returns the exception for a pickle that cannot be read. It has
// CPython's words if CPython could not read the pickle either.
func unpicklingError(err error, payload []byte) error {
	const exception = "_pickle.UnpicklingError"
	var at *pickle.Error
	switch {
	case errors.Is(err, pickle.ErrTruncated):
		return exceptionf(exception, "pickle data was truncated")
	case errors.Is(err, pickle.ErrOpcode) && errors.As(err, &at):
		return exceptionf(exception, "invalid load key, %s.", format.Repr(payload[at.Offset : at.Offset+1])[1:])
	}
	return exceptionf(exception, "%v", err)
}

// decodeReply reads a reply and returns its value. If the reply carries an exception
// of the server, the error is a *RemoteError.
func decodeReply(payload []byte) (any, error) {
	value, err := decode(payload, replyOpcodes)
	return parseReply(value, err)
}

// decodeObjectReply is decodeReply for replies that may carry any value.
func decodeObjectReply(payload []byte) (any, error) {
	value, err := pickle.Unmarshal(payload, nil)
	return parseReply(value, err)
}

func parseReply(value any, err error) (any, error) {
	if err != nil {
		return nil, fmt.Errorf("unreadable reply: %w", err)
	}
	fields, ok := value.(pickle.Tuple)
	if !ok || len(fields) != 2 {
		return nil, fmt.Errorf("unreadable reply: not a pair")
	}
	switch text, isStr := fields[1].(string); fields[0] {
	case kindReturn:
		return fields[1], nil
	case kindTraceback, kindUnserializable:
		if isStr {
			return nil, &RemoteError{Traceback: text}
		}
	case kindError:
		if raised, ok := fields[1].(*pickle.Object); ok {
			return nil, &RemoteError{Class: raised.Class, Args: raised.Args, Exception: raised}
		}
	case kindProxy:
		return parseMadeProxy(fields[1])
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
	case pickle.Tuple:
		return v, true
	case []any:
		return v, true
	}
	return nil, false
}

// pythonType names the type of a value in a message.
func pythonType(value any) string {
	switch v := value.(type) {
	case nil:
		return "NoneType"
	case string, pickle.Surrogates:
		return "str"
	case bool:
		return "bool"
	case int64, *big.Int:
		return "int"
	case float64:
		return "float"
	case []byte:
		return "bytes"
	case pickle.Tuple:
		return "tuple"
	case []any:
		return "list"
	case *pickle.Dict:
		return "dict"
	case *pickle.Object:
		return strings.Trim(pickle.Repr(v.Class, 100), "<>")
	}
	return "an object"
}

// The limits on pickles from other processes. An opcode can take some 300 bytes of
// memory.
const (
	requestOpcodes = 255     // a request about a segment takes some 20
	anyOpcodes     = 0       // a request about objects: its length is the limit
	replyOpcodes   = 1 << 18 // a reply lists the tracked names, with 2 opcodes a name: 130,000 names
)

func decode(payload []byte, maxOpcodes int) (any, error) {
	return pickle.Unmarshal(payload, &pickle.Limits{Opcodes: maxOpcodes})
}
