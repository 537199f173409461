package compat_test

import (
	"context"
	"errors"
	"fmt"
	"log"

	"github.com/pyshm-go/pyshm/compat"
	"github.com/pyshm-go/pyshm/pyshm"
)

// Go shares a list with a real Python, and each sees the other's changes. In a test,
// [compat.ForEach] runs such lines on every interpreter of the machine.
func Example() {
	ctx := context.Background()
	pythons, err := compat.Find(ctx)
	if err != nil {
		log.Fatal(err)
	}
	python, err := pythons[0].Start(ctx)
	if err != nil {
		log.Fatal(err)
	}
	defer python.Close()

	list, err := pyshm.CreateList("", []any{"idle", 0, nil}, pyshm.Layout(pythons[0].Layout()))
	if err != nil {
		log.Fatal(err)
	}
	defer func() { list.Unlink(); list.Close() }()

	theirs, err := python.AttachList(list.Name())
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(theirs.Values())
	fmt.Println(theirs.Set(0, "busy"))
	fmt.Println(list.Get(0))
	var raised *compat.PythonError
	if errors.As(theirs.Set(1, "too long for it"), &raised) {
		fmt.Println(raised)
	}
	// Output:
	// [idle 0 <nil>] <nil>
	// <nil>
	// busy <nil>
	// ValueError: bytes/str item exceeds available storage
}
