package compat_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/pyshm-go/pyshm/compat"
	"github.com/pyshm-go/pyshm/pyshm"
)

// These tests are about those who do not wake up when they are notified.

func conditionParts(name string) pyshm.ConditionParts {
	return pyshm.ConditionParts{Lock: name + ".lock", Sleeping: name + ".sleeping", Woken: name + ".woken", Wait: name + ".wait"}
}

// A notifier that stops waiting leaves counts with which Python can go on: of two
// whom it has notified, one gave up, and one does so later.
func TestPythonAfterNotifyTimeout(t *testing.T) {
	compat.ForEach(t, func(t *testing.T, py compat.Interpreter) {
		t.Parallel()
		p := start(t, py, helper(t))
		name := segmentName()
		c := must(pyshm.CreateCondition(name))(t)
		defer c.Unlink()
		defer c.Close()
		now := countsOf(t, conditionParts(name))

		check(t, c.Acquire(soon(t)))
		check(t, now.sleeping.Release())
		check(t, now.sleeping.Release())
		got := make(chan error)
		go func() { got <- c.NotifyContext(within(t, 100*time.Millisecond), 2) }()
		wantState(t, now.wait, 2, 0)
		check(t, now.woken.Release())
		wantTimeout(t, <-got)
		wantState(t, now.sleeping, 1, 0)
		check(t, now.woken.Release())
		check(t, c.Release())

		check(t, p.Exec(fmt.Sprintf("from pyshm_attach import *\nshared = attach_condition(%q)\nwith shared: shared.notify()", name)))
		now.wantRest(t)
	})
}
