package manager

import (
	"math"
	"testing"
	"time"

	"github.com/pyshm-go/pyshm/format/pickle"
	"github.com/pyshm-go/pyshm/internal/testkit"
)

func TestCompare(t *testing.T) {
	nan := math.NaN()
	for _, tc := range []struct {
		a, b any
		want int // 2 stands for a TypeError
	}{
		{[]any{int64(1), int64(2)}, []any{int64(1), 2.5}, -1},
		{[]any{int64(1)}, []any{int64(1), nil}, -1},
		{[]any{[]any{"a"}, nil}, []any{[]any{"a"}, nil}, 0},
		{[]any{&pickle.Dict{}, int64(2)}, []any{&pickle.Dict{}, int64(1)}, 1},
		{[]any{[]any{nan}, int64(1)}, []any{[]any{nan}, int64(2)}, 0}, // Python's < is false both ways
		{pickle.Tuple{int64(1)}, pickle.Tuple{true}, 0},
		{pickle.Tuple{int64(1)}, []any{int64(2)}, 2},
		{[]any{pickle.Tuple{}}, []any{[]any{}}, 2},
		{&pickle.Dict{}, &pickle.Dict{}, 2},
		{[]any{nil, "a"}, []any{nil, []byte("a")}, 2},
		{[]any{}, []any{}, 0},
	} {
		order, err := compare(tc.a, tc.b)
		if (err != nil) != (tc.want == 2) || err == nil && order != tc.want {
			t.Errorf("%s, %s: %d, %v", pickle.Repr(tc.a, 80), pickle.Repr(tc.b, 80), order, err)
		}
	}
}

// What a client may send is compared in a moment: deep lists, and lists that are in a list
// many times.
func TestCompareIsBounded(t *testing.T) {
	var items []any
	for i := range 10 {
		deep, wide := any(int64(i)), []any{int64(i % 2)}
		for range 5000 {
			deep = []any{deep}
		}
		for range 18 {
			wide = []any{wide, wide}
		}
		items = append(items, []any{wide, deep})
	}
	l := &List{items: items}
	done := make(chan error, 1)
	go func() { done <- l.sort(nil, false) }()
	select {
	case err := <-done:
		testkit.Check(t, err)
	case <-time.After(testkit.Patience):
		t.Fatal("the lists are still compared")
	}
	for i := range 9 {
		if order, err := compare(l.items[i], l.items[i+1]); order >= 0 || err != nil {
			t.Errorf("item %d: %d, %v", i, order, err)
		}
	}
}
