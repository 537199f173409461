//go:build !arm

package conformance

import "github.com/pyshm-go/pyshm/format/npy"

// An npyRecord is records(True) of array_numpy.py.
type npyRecord struct {
	T      int64 `numpy:"t,M8[ns]"`
	Flag   uint8 `numpy:"flag,b1"`
	Price  float64
	Qty    int32
	Side   [3]byte `numpy:"side,S3"`
	Half   npy.Float16
	C      complex64
	Points [2][3]npyPoint
	Name   [4]rune `numpy:"name,U4"`
	Last   uint8
}

// A cPoint is Point of value_python.py.
type cPoint struct {
	X     float64
	N     int16
	Name  [5]byte
	Tail  [2]int32
	OK    uint8 `numpy:"ok,b1"`
	Inner struct {
		A uint8
		B int64
	}
}
