package format_test

import (
	"errors"
	"fmt"
	"log"

	"github.com/pyshm-go/pyshm/format"
)

func ExampleEncode() {
	buf, err := format.Encode([]any{42, "héllo", nil}, nil)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(len(buf), "bytes")

	// What Python would read back differently is refused.
	_, err = format.Encode([]any{"ends in NUL\x00"}, nil)
	fmt.Println(err)
	// Output:
	// 91 bytes
	// format: encode item 0: str value ends in NUL, which Python would strip
}

func ExampleDecode() {
	buf, err := format.Encode([]any{42, 1.5, true, nil, "text", []byte("bytes")}, nil)
	if err != nil {
		log.Fatal(err)
	}
	values, err := format.Decode(buf)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(format.Repr(values))
	// Output: [42, 1.5, True, None, 'text', b'bytes']
}

func ExampleAttach() {
	buf, err := format.Encode([]any{1, "text"}, nil)
	if err != nil {
		log.Fatal(err)
	}
	// The list is buf itself: an item set through one List is read through all others.
	here, err := format.Attach(buf)
	if err != nil {
		log.Fatal(err)
	}
	there, err := format.Attach(buf)
	if err != nil {
		log.Fatal(err)
	}
	if err := here.SetInt(0, 2); err != nil {
		log.Fatal(err)
	}
	fmt.Println(there.Int(0))
	// Output: 2 <nil>
}

func ExampleList_Set() {
	buf, err := format.Encode([]any{1, "text"}, nil)
	if err != nil {
		log.Fatal(err)
	}
	l, err := format.Attach(buf)
	if err != nil {
		log.Fatal(err)
	}
	// An item can change its kind, but its slot keeps its size.
	if err := l.Set(0, "8 bytes."); err != nil {
		log.Fatal(err)
	}
	err = l.Set(0, "more than 8 bytes")
	fmt.Println(errors.Is(err, format.ErrTooLong), err)
	fmt.Println(l.Str(0))
	// Output:
	// true format: set item 0: value exceeds the slot: 17 bytes, the slot has 8
	// 8 bytes. <nil>
}

func ExampleSized() {
	buf, err := format.Encode([]any{format.Sized{Value: "short", Capacity: 100}}, nil)
	if err != nil {
		log.Fatal(err)
	}
	l, err := format.Attach(buf)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(l.SetStr(0, "a text much longer than the first one"))
	fmt.Println(l.Str(0))
	// Output:
	// <nil>
	// a text much longer than the first one <nil>
}

func ExampleList_AddInt() {
	buf, err := format.Encode([]any{41}, nil)
	if err != nil {
		log.Fatal(err)
	}
	l, err := format.Attach(buf)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(l.AddInt(0, 1))
	// Output: 42 <nil>
}

func ExampleList_All() {
	buf, err := format.Encode([]any{1, "two", 3.0}, nil)
	if err != nil {
		log.Fatal(err)
	}
	l, err := format.Attach(buf)
	if err != nil {
		log.Fatal(err)
	}
	for v, err := range l.All() {
		if err != nil {
			log.Print(err) // and the iteration goes on
			continue
		}
		fmt.Printf("%T %v\n", v, v)
	}
	// Output:
	// int64 1
	// string two
	// float64 3
}

func ExampleParseRepr() {
	v, err := format.ParseRepr(`[1, 2.5, 'it\'s', b'\x00', None, -inf]`)
	fmt.Printf("%#v %v\n", v, err)
	_, err = format.ParseRepr("__import__('os')")
	fmt.Println(err)
	// Output:
	// []interface {}{1, 2.5, "it's", []uint8{0x0}, interface {}(nil), -Inf} <nil>
	// format: parse: invalid literal at offset 0: "__import__" is not a Python literal
}
