//go:build amd64 || arm64

package npy_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/pyshm-go/pyshm/format/npy"
)

// Types that do not exist on 32-bit machines.
func TestDtypeOfLarge(t *testing.T) {
	for _, of := range []func() (npy.Dtype, error){
		npy.DtypeOf[struct{ A, B [1 << 30]byte }],
		npy.DtypeOf[struct{ A [1 << 16][1 << 15]byte }],
		npy.DtypeOf[[1 << 40]int8],
		npy.DtypeOf[[1 << 16]struct{ A [1 << 30]byte }],
	} {
		if _, err := of(); !errors.Is(err, npy.ErrDtype) || !strings.Contains(err.Error(), "an element of more than 2147483647 bytes") {
			t.Error(err)
		}
	}
}
