package pickle

import (
	"math/big"
	"unsafe"
)

// An identity tells whether two Go values are the same one in memory, as Python's
// "is" does: the same pointer, or slices and strings of the same bytes. Those
// that hold nothing in memory have none; their pointer is nil.
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

// ofSlice gives an identity to an empty slice, too, if it has memory to itself.
func ofSlice[T any](s []T, kind identityKind) identity {
	if cap(s) == 0 {
		return identity{}
	}
	return identity{unsafe.Pointer(unsafe.SliceData(s)), len(s), kind}
}
