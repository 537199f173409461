package compat

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"reflect"
	"runtime"
	"strconv"
	"strings"

	"github.com/pyshm-go/pyshm/format"
	"github.com/pyshm-go/pyshm/internal/pyvalue"
)

// A Request asks a [Peer] for one operation. The table lists the operations with their
// arguments and the Python that they execute. var is the variable for the new object.
// name may be nil: then Python chooses one.
//
//	create_list(var, name, values)   var = ShareableList(values, name=name)
//	attach_list(var, name)           var = ShareableList(name=name)
//	create_block(var, name, size)    var = SharedMemory(name, True, size)
//	attach_block(var, name)          var = SharedMemory(name)
//	eval(source), exec(source)       eval, exec
//	eval_data(source)                eval, for the values of [Peer.EvalInto]
//
//	On a list                        On a block
//	get(i)          list[i]          size()                shm.size
//	set(i, v)       list[i] = v      read(offset, n)       bytes(shm.buf[offset:offset+n])
//	len()           len(list)        write(offset, data)   shm.buf[offset:...] = data
//	index(v)        list.index(v)
//	count(v)        list.count(v)    On either
//	repr()          repr(list)       name()
//	format()        list.format      bytes()               bytes(shm.buf)
//	values()        list(list)       close(), unlink()
//
// The package documentation lists the values that may be arguments.
type Request struct {
	On   string // the variable that holds the list or block, see [List.Var]
	Op   string
	Args []any
}

// A Reply is the result of a [Request]: one of the values that the package
// documentation lists, or the exception as a [*PythonError].
type Reply struct {
	Value any
	Err   error
}

// A PythonError is an exception that a peer's Python has raised.
type PythonError struct {
	Type      string // with its module, except builtins: "IndexError", "struct.error"
	Message   string // str(exception)
	Traceback string

	// The place in the caller's own Python: the last line of the traceback outside of
	// Python's library and site-packages, or the line of a syntax error. Python names
	// the file. The source of [Peer.Exec], [Peer.Eval] or an exec in [Peer.Do] is
	// named after the call in Go, "<exec at a_test.go:42>" or
	// "<exec at a_test.go:42, requests[7]>", and its lines count from 1. File is "" if
	// none of the caller's code was executing.
	File string
	Line int
}

// Error returns the type, the message, and the place in the caller's own Python.
func (e *PythonError) Error() string {
	s := e.Type + ": " + e.Message
	place := fmt.Sprintf(" (%s, line %d)", e.File, e.Line)
	if e.File == "" || strings.HasSuffix(s, place) { // the message of a SyntaxError ends with it
		return s
	}
	return s + place
}

// Do executes requests in order, in one message each way: a test that performs tens of
// thousands of operations need not wait for each of them. After an Exception, Do
// executes the following requests all the same. Any other exception (SystemExit,
// KeyboardInterrupt, asyncio.CancelledError) ends the peer. If Do fails, the error is
// about the conversation itself, and there are no replies.
func (p *Peer) Do(requests []Request) ([]Reply, error) {
	replies, err := p.do(requests)
	if err != nil {
		return nil, p.error(fmt.Sprintf("%d requests", len(requests)), err)
	}
	return replies, nil
}

func (p *Peer) do(requests []Request) ([]Reply, error) {
	message, err := p.appendMessage(nil, requests)
	if err != nil {
		return nil, err
	}
	answer, err := p.process.converse(p.process.ctx, message)
	switch {
	case err != nil:
		return nil, err
	case answer.Exited != nil:
		return nil, &ExitError{Code: *answer.Exited, Stderr: p.Stderr()}
	case len(answer.Replies) != len(requests):
		return nil, fmt.Errorf("%d replies to %d requests", len(answer.Replies), len(requests))
	}
	replies := make([]Reply, len(requests))
	for i, r := range answer.Replies {
		if r.Error != nil {
			replies[i].Err = r.Error
		} else {
			replies[i].Value, replies[i].Err = pyvalue.Decode(r.Value)
		}
	}
	return replies, nil
}

// An answer is the JSON object that peer.py sends for a message.
type answer struct {
	Replies []struct {
		Value json.RawMessage
		Error *PythonError
	}
	Exited *int // the exit code of a worker that has ended
}

// appendMessage appends the JSON object that peer.py expects, in one line.
func (p *Peer) appendMessage(dst []byte, requests []Request) (_ []byte, err error) {
	if dst, err = pyvalue.AppendString(append(p.appendAddress(dst), `"at":`...), callerOfKit()); err != nil {
		return nil, err
	}
	dst = append(dst, `,"requests":[`...)
	for i, r := range requests {
		if i > 0 {
			dst = append(dst, ',')
		}
		if dst, err = r.append(dst); err != nil {
			return nil, err
		}
	}
	return append(dst, "]}\n"...), nil
}

// callerOfKit returns the line that has called this package, "a_test.go:42". If a go
// statement made the call, the line cannot be found.
func callerOfKit() string {
	kit := reflect.TypeFor[Peer]().PkgPath() + "."
	callers := make([]uintptr, 16)
	frames := runtime.CallersFrames(callers[:runtime.Callers(2, callers)])
	for {
		frame, more := frames.Next()
		if !more || frame.Function == "runtime.goexit" {
			return "a go statement"
		}
		if !strings.HasPrefix(frame.Function, kit) {
			return fmt.Sprintf("%s:%d", filepath.Base(frame.File), frame.Line)
		}
	}
}

// appendAddress begins a message with the address of its worker.
func (p *Peer) appendAddress(dst []byte) []byte {
	dst = append(dst, `{"to":[`...)
	for i, number := range p.address {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = strconv.AppendInt(dst, int64(number), 10)
	}
	return append(dst, `],`...)
}

func (r Request) append(dst []byte) (_ []byte, err error) {
	if dst, err = pyvalue.AppendString(append(dst, `{"op":`...), r.Op); err != nil {
		return nil, err
	}
	if r.On != "" {
		if dst, err = pyvalue.AppendString(append(dst, `,"on":`...), r.On); err != nil {
			return nil, err
		}
	}
	if dst, err = pyvalue.Append(append(dst, `,"args":`...), r.Args); err != nil {
		return nil, fmt.Errorf("%v: %w", r, err)
	}
	return append(dst, '}'), nil
}

// String returns a request as Python would write it: "_pyshm_list1.get(0)".
func (r Request) String() string {
	var s strings.Builder
	if r.On != "" {
		s.WriteString(r.On + ".")
	}
	s.WriteString(r.Op + "(")
	for i, arg := range r.Args {
		if i > 0 {
			s.WriteString(", ")
		}
		fmt.Fprintf(&s, "%.60s", format.Repr(arg))
	}
	return s.String() + ")"
}

// number is call for an int of Python, which a Go int may have no room for.
func number(p *Peer, on, op string, args ...any) (int, error) {
	n, err := call[int64](p, on, op, args...)
	if err == nil && int64(int(n)) != n {
		return 0, p.error(op, fmt.Errorf("%d does not fit an int of this %d-bit program", n, strconv.IntSize))
	}
	return int(n), err
}

// call executes one request and returns its value as a T.
func call[T any](p *Peer, on, op string, args ...any) (value T, err error) {
	request := Request{On: on, Op: op, Args: args}
	replies, err := p.do([]Request{request})
	if err == nil {
		err = replies[0].Err
	}
	if err != nil {
		return value, p.error(request.String(), err)
	}
	value, ok := replies[0].Value.(T)
	if !ok && replies[0].Value != nil { // None is the zero T: nil never is a T
		return value, p.error(request.String(), fmt.Errorf("Python returned a %T", replies[0].Value))
	}
	return value, nil
}

// run executes one request whose value does not matter.
func run(p *Peer, on, op string, args ...any) error {
	_, err := call[any](p, on, op, args...)
	return err
}
