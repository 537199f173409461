package pickle_test

import (
	"fmt"

	"github.com/pyshm-go/pyshm/format/pickle"
)

// A dict with a tuple as a key, written as Python would write it.
func ExampleMarshal() {
	d, err := pickle.NewDict(
		pickle.Pair{Key: "name", Value: "Ada"},
		pickle.Pair{Key: pickle.Tuple{1, 2}, Value: []float64{0.5, 1.5}},
	)
	if err != nil {
		panic(err)
	}
	b, err := pickle.Marshal(d)
	if err != nil {
		panic(err)
	}
	value, err := pickle.Unmarshal(b, nil)
	if err != nil {
		panic(err)
	}
	fmt.Println(value)
	point, ok := value.(*pickle.Dict).Get(pickle.Tuple{1.0, 2.0}) // equal in Python
	fmt.Println(point, ok)
	// Output:
	// {'name': 'Ada', (1, 2): [0.5, 1.5]}
	// [0.5 1.5] true
}

// An instance of a Python class is an Object: the call that makes it, and its state.
func ExampleUnmarshal() {
	b := []byte("\x80\x04\x8c\x06shapes\x8c\x06Circle\x93)\x81}\x8c\x01rK\x05sb.")
	value, err := pickle.Unmarshal(b, nil)
	if err != nil {
		panic(err)
	}
	o := value.(*pickle.Object)
	radius, _ := o.State.(*pickle.Dict).Get("r")
	fmt.Println(o.Class, radius)
	fmt.Println(o)
	// Output:
	// shapes.Circle 5
	// <shapes.Circle() state={'r': 5}>
}

// Limits for a pickle from strangers. Nothing is called in any case.
func ExampleLimits() {
	_, err := pickle.Unmarshal([]byte("]]]]]]a a a a a ."), &pickle.Limits{Bytes: 10})
	fmt.Println(err)
	_, err = pickle.Unmarshal([]byte("cos\nsystem\n(S'rm'\ntR."), nil)
	fmt.Println(err)
	// Output:
	// pickle: unmarshal: limit exceeded: 17 bytes, at most 10
	// <nil>
}
