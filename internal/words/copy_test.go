package words

import (
	"slices"
	"testing"
)

// TestCopy compares Copy and CopyTorn with copy at lengths around those at which they
// change their ways.
func TestCopy(t *testing.T) {
	for _, n := range []int{0, 1, piece - 1, piece, piece + 1, 5*piece + 7, cached, cached + 1} {
		src := make([]byte, n)
		for i := range src {
			src[i] = byte(i*7 + i>>13)
		}
		for name, copied := range map[string]func(dst, src []byte) int{"Copy": Copy[byte], "CopyTorn": CopyTorn} {
			dst := make([]byte, n+1)
			if got := copied(dst, src); got != n || !slices.Equal(dst[:n], src) || dst[n] != 0 {
				t.Errorf("%s of %d bytes to %d returned %d, or other bytes", name, n, n+1, got)
			}
			if n == 0 {
				continue
			}
			dst = make([]byte, n)
			if got := copied(dst[:n-1], src); got != n-1 || !slices.Equal(dst[:n-1], src[:n-1]) || dst[n-1] != 0 {
				t.Errorf("%s of %d bytes to %d returned %d, or other bytes", name, n, n-1, got)
			}
		}
	}
	type record struct{ a [3]uint64 }
	for _, n := range []int{0, 1, piece/24 + 1, 3*(piece/24) + 5} {
		src := make([]record, n)
		for i := range src {
			src[i].a[2] = uint64(i)
		}
		dst := make([]record, n)
		if got := Copy(dst, src); got != n || !slices.Equal(dst, src) {
			t.Errorf("Copy of %d records returned %d, or other records", n, got)
		}
	}
	if got := Copy(make([]struct{}, 3), make([]struct{}, 5)); got != 3 {
		t.Errorf("Copy of elements without bytes returned %d, want 3", got)
	}
}

func BenchmarkCopy(b *testing.B) {
	for _, size := range []struct {
		name  string
		bytes int
	}{{"1.2MB", 1_200_000}, {"8MB", 8 << 20}, {"64MB", 64 << 20}} {
		src, dst := make([]byte, size.bytes), make([]byte, size.bytes)
		for name, copied := range map[string]func(dst, src []byte) int{
			"Copy": Copy[byte],
			"copy": func(dst, src []byte) int { return copy(dst, src) },
		} {
			b.Run(size.name+"/"+name, func(b *testing.B) {
				b.SetBytes(int64(2 * size.bytes))
				for b.Loop() {
					copied(dst, src)
					copied(src, dst)
				}
			})
		}
	}
}
