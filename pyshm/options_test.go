package pyshm_test

import (
	"reflect"
	"slices"
	"testing"

	"github.com/pyshm-go/pyshm/pyshm"
)

// An option only compiles for functions to which it applies.
func TestWhereOptionsApply(t *testing.T) {
	options := map[string]any{
		"Mode": pyshm.Mode, "Replace": pyshm.Replace, "Sparse": pyshm.Sparse, "Layout": pyshm.Layout,
		"ReadOnly": pyshm.ReadOnly,
	}
	for _, tc := range []struct {
		function string
		f        any
		apply    []string
	}{
		{"Create", pyshm.Create, []string{"Mode", "Replace", "Sparse"}},
		{"CreateList", pyshm.CreateList, []string{"Layout", "Mode", "Replace", "Sparse"}},
		{"CreateListOf", pyshm.CreateListOf[int64], []string{"Layout", "Mode", "Replace", "Sparse"}},
		{"CreateArray", pyshm.CreateArray[int64], []string{"Mode", "Replace", "Sparse"}},
		{"CreateFrom", pyshm.CreateFrom, []string{"Mode", "Replace", "Sparse"}},
		{"OpenArray", pyshm.OpenArray[int64], []string{"Mode", "Sparse"}},
		{"CreateLock", pyshm.CreateLock, []string{"Mode", "Replace"}},
		{"CreateSemaphore", pyshm.CreateSemaphore, []string{"Mode", "Replace"}},
		{"CreateBoundedSemaphore", pyshm.CreateBoundedSemaphore, []string{"Mode", "Replace"}},
		{"CreateCondition", pyshm.CreateCondition, []string{"Mode"}},
		{"CreateEvent", pyshm.CreateEvent, []string{"Mode"}},
		{"Attach", pyshm.Attach, []string{"ReadOnly"}},
		{"AttachContext", pyshm.AttachContext, []string{"ReadOnly"}},
		{"AttachList", pyshm.AttachList, []string{"ReadOnly"}},
		{"AttachArray", pyshm.AttachArray[int64], []string{"ReadOnly"}},
		{"AttachArrayContext", pyshm.AttachArrayContext[int64], []string{"ReadOnly"}},
		{"AttachListContext", pyshm.AttachListContext, []string{"ReadOnly"}},
	} {
		f := reflect.TypeOf(tc.f)
		accepted := f.In(f.NumIn() - 1).Elem()
		var apply []string
		for name, option := range options {
			if reflect.TypeOf(option).Out(0).AssignableTo(accepted) {
				apply = append(apply, name)
			}
		}
		slices.Sort(apply)
		if !slices.Equal(apply, tc.apply) {
			t.Errorf("%s takes %q, not %q", tc.function, apply, tc.apply)
		}
	}
}
