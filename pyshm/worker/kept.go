package worker

import (
	"reflect"
	"slices"

	"github.com/pyshm-go/pyshm/pyshm"
)

// A keptRequest is the last request, if its arguments were arrays in the arena. A service
// often calls a function with the same arrays again and again, and to pickle where they are
// takes as long as to hand over the call.
type keptRequest struct {
	function string
	arrays   []any
	request  []byte
}

// find returns the request of a call, or nil if it is not the one that is kept.
func (k *keptRequest) find(function string, args []any, in *arena) []byte {
	if k.request == nil || function != k.function || !slices.Equal(args, k.arrays) || !in.hasAll(args) {
		return nil
	}
	return k.request
}

// keep keeps a request if it will be the same when its arguments come again.
func (k *keptRequest) keep(function string, args []any, in *arena, request []byte) {
	*k = keptRequest{}
	if len(args) > 0 && in.hasAll(args) && !slices.ContainsFunc(args, mayMove) {
		*k = keptRequest{function, slices.Clone(args), request}
	}
}

// mayMove reports whether an argument is anything but an Array of package pyshm, which has its
// place for good.
func mayMove(arg any) bool {
	t := reflect.TypeOf(arg)
	return t.Kind() != reflect.Pointer || t.Elem().PkgPath() != reflect.TypeFor[pyshm.SharedMemory]().PkgPath()
}

// hasAll reports whether all arguments are arrays in the arena.
func (a *arena) hasAll(args []any) bool {
	return !slices.ContainsFunc(args, func(arg any) bool {
		array, ok := arg.(arrayLike)
		return !ok || a.of(array.SharedMemory()) == nil
	})
}
