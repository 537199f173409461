package manager

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/pyshm-go/pyshm/format/pickle"
)

// An Object is what a manager's clients have proxies of. The clients are in other
// processes, in Python or Go. [NewQueue], [NewDict] and so on make objects that behave as
// Python's, and [NewObject] makes one of functions. Several clients may call methods at
// the same time.
type Object interface {
	// Methods returns the names of the methods that clients may call. It is called when
	// a client gets a proxy.
	Methods() []string

	// Call executes a method for a client. The context ends when the client goes away or
	// sends another request over the same connection, and when Call returns. Arguments are of the types that format/pickle reads, and
	// must not be changed; results are of the types that it writes, or made by
	// [WithType]. [Manager.Register] says which exception the client raises for an error.
	Call(ctx context.Context, method string, args []any, keywords *pickle.Dict) (any, error)
}

// A Function is a method of an object, or makes an object. See [Object] for its context,
// its arguments and its result.
type Function = func(ctx context.Context, args []any) (any, error)

// NewObject makes an object of functions, by the names of the methods. They take no
// keyword arguments.
func NewObject(methods map[string]Function) Object { return &functions{maps.Clone(methods)} }

// WithType makes a result for [Object.Call] of an object: the client gets a proxy of it. A
// client in Python makes the proxy of the class that it has registered under the name
// typeid.
func WithType(typeid string, o Object) any { return typed{typeid, o} }

// A typed object is a method's result of which the client gets a proxy.
type typed struct {
	typeid string
	object Object
}

type functions struct{ byName map[string]Function }

func (f *functions) Methods() []string { return slices.Sorted(maps.Keys(f.byName)) }

func (f *functions) Call(ctx context.Context, method string, args []any, keywords *pickle.Dict) (any, error) {
	call, ok := f.byName[method]
	switch {
	case !ok:
		return nil, noMethod(method)
	case keywords.Len() > 0:
		return nil, raise("TypeError", method+"() takes no keyword arguments")
	}
	return call(ctx, args)
}

// raise returns the error for a built-in exception of Python.
func raise(name string, args ...any) error {
	return &RemoteError{Class: builtin(name), Args: args}
}

func noMethod(method string) error {
	return raise("AttributeError", fmt.Sprintf("there is no method %.100q", method))
}

// An operation is a method of one of this package's objects. It gets an argument for each
// parameter.
type operation[T any] struct {
	params []param
	call   func(o T, ctx context.Context, args []any) (any, error)
}

// operations are the methods of a type.
type operations[T any] map[string]operation[T]

func (ops operations[T]) names() []string { return slices.Sorted(maps.Keys(ops)) }

func (ops operations[T]) dispatch(o T, ctx context.Context, method string, args []any, keywords *pickle.Dict) (any, error) {
	op, ok := ops[method]
	if !ok {
		return nil, noMethod(method)
	}
	bound, err := bind(method, op.params, args, keywords)
	if err != nil {
		return nil, err
	}
	return op.call(o, ctx, bound)
}

// A param is a parameter of a method.
type param struct {
	name     string
	optional bool
	byDefault
}

type byDefault struct{ value any }

// absent is the value of an optional parameter without a default.
type absent struct{}

// params parses parameters as Python writes them: "item block=True timeout=None". The
// default of "name=" is absent.
func params(list string) []param {
	var all []param
	for _, word := range strings.Fields(list) {
		name, text, optional := strings.Cut(word, "=")
		p := param{name: name, optional: optional}
		switch n, err := strconv.ParseInt(text, 10, 64); {
		case text == "True" || text == "False":
			p.value = text == "True"
		case text == "None":
		case err == nil:
			p.value = n
		default:
			p.value = absent{}
		}
		all = append(all, p)
	}
	return all
}

// bind returns an argument for each parameter.
func bind(method string, params []param, args []any, keywords *pickle.Dict) ([]any, error) {
	if len(args) > len(params) {
		return nil, raise("TypeError", fmt.Sprintf("%s() takes at most %d arguments (%d given)", method, len(params), len(args)))
	}
	bound := slices.Clone(args)
	used := 0
	for _, p := range params[len(args):] {
		v, given := keywords.Get(p.name)
		switch {
		case given:
			used++
		case !p.optional:
			return nil, raise("TypeError", fmt.Sprintf("%s() missing required argument: '%s'", method, p.name))
		default:
			v = p.value
		}
		bound = append(bound, v)
	}
	if used < keywords.Len() {
		return nil, raise("TypeError", fmt.Sprintf("%s() got an unexpected keyword argument, or one twice", method))
	}
	return bound, nil
}

// copied returns a value as a client would have sent it, which shares no memory with v.
func copied(v any) (any, error) {
	b, err := pickle.Marshal(v)
	if err != nil {
		return nil, err
	}
	return pickle.Unmarshal(b, nil)
}

// A constant is an object without methods: a plain value, of which Python's proxies
// return a copy.
type constant struct{ v any }

func (c *constant) Methods() []string { return nil }

func (c *constant) Call(_ context.Context, method string, _ []any, _ *pickle.Dict) (any, error) {
	return nil, noMethod(method)
}

func (c *constant) value() any { return c.v }

// valued is an object that Python can pickle.
type valued interface{ value() any }
