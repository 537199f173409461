package testkit

import (
	"testing"

	"github.com/pyshm-go/pyshm/compat"
)

func TestShare(t *testing.T) {
	python := func(implementation string, minor int) compat.Interpreter {
		return compat.Interpreter{Implementation: implementation, Version: [3]int{3, minor, 1}}
	}
	found := []compat.Interpreter{
		python("CPython", 9), python("CPython", 12), python("CPython", 10), python("CPython", 8),
		python("CPython", 11), python("PyPy", 10), python("CPython", 15), python("PyPy", 15),
	}
	for i, want := range [][]int{
		{0, 4}, {1, 5}, {2}, {0, 1, 2, 3, 4, 5}, {0, 4}, {1, 5}, {0, 1, 2, 3, 4, 5}, {0, 1, 2, 3, 4, 5},
	} {
		WantEqual(t, found[i].String(), share(found, found[i], []int{0, 1, 2, 3, 4, 5}), want)
	}
	WantEqual(t, "one of two", share(found, found[2], []int{0, 1}), []int{0})
	WantEqual(t, "the only one", share(found, found[1], []int{7}), []int{7})
	WantEqual(t, "an interpreter that was not found", share(found, python("CPython", 13), []int{0, 1}), []int{0, 1})
	only := []compat.Interpreter{python("PyPy", 10)}
	WantEqual(t, "the only interpreter", share(only, only[0], []int{0, 1}), []int{0, 1})
}
