package pickle

import (
	"math/big"
	"unsafe"
)

// An identity is the place of a Go value in memory. Two values with the same identity
// are one by Python's "is": the same pointer, or slices and strings of the same bytes. A
// value that holds no memory has no identity: its pointer is nil.
type identity struct {
	pointer unsafe.Pointer
	length  int
	kind    identityKind
}

type identityKind uint8

const (
	ofPointer identityKind = iota
	ofString
	ofBytes
	ofByteArray
	ofList
	ofTuple
	ofSliceType // any other slice
	ofMapType
)

func identify(v any) identity {
	switch v := v.(type) {
	case string:
		return identity{unsafe.Pointer(unsafe.StringData(v)), len(v), ofString}
	case Surrogates:
		return identify(string(v))
	case []byte:
		return ofSlice(v, ofBytes)
	case ByteArray:
		return ofSlice(v, ofByteArray)
	case []any:
		return ofSlice(v, ofList)
	case Tuple:
		return ofSlice(v, ofTuple)
	case *Dict:
		return identity{pointer: unsafe.Pointer(v)}
	case *Set:
		return identity{pointer: unsafe.Pointer(v)}
	case *FrozenSet:
		return identity{pointer: unsafe.Pointer(v)}
	case *Object:
		return identity{pointer: unsafe.Pointer(v)}
	case *big.Int:
		return identity{pointer: unsafe.Pointer(v)}
	}
	return identity{}
}

// ofSlice returns the identity of a slice. Even an empty slice has one, if it has memory
// of its own.
func ofSlice[T any](s []T, kind identityKind) identity {
	if cap(s) == 0 {
		return identity{}
	}
	return identity{unsafe.Pointer(unsafe.SliceData(s)), len(s), kind}
}
