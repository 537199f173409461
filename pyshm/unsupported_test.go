//go:build !linux && !windows && !darwin && !freebsd

package pyshm_test

import (
	"errors"
	"io"
	"testing"

	"github.com/pyshm-go/pyshm/pyshm"
)

func TestUnsupported(t *testing.T) {
	_, create := pyshm.Create("x", 1)
	_, createAny := pyshm.Create("", 1)
	_, attach := pyshm.Attach("x")
	_, attachContext := pyshm.AttachContext(t.Context(), "x")
	_, createArray := pyshm.CreateArray[int64]("x", nil)
	_, attachArray := pyshm.AttachArray[int64]("x")
	_, attachArrayContext := pyshm.AttachArrayContext[int64](t.Context(), "x")
	_, openArray := pyshm.OpenArray[int64]("x", nil)
	_, createFrom := pyshm.CreateFrom("x", 1, func(io.WriterAt) error { return nil })
	_, createLock := pyshm.CreateLock("x")
	_, createAnyLock := pyshm.CreateLock("")
	_, attachLock := pyshm.AttachLock("x")
	_, createSemaphore := pyshm.CreateSemaphore("x", 1)
	_, attachSemaphore := pyshm.AttachSemaphore("x")
	_, createCondition := pyshm.CreateCondition("x")
	_, attachCondition := pyshm.AttachCondition("x")
	_, createEvent := pyshm.CreateEvent("x")
	_, attachEvent := pyshm.AttachEvent("x")
	_, createValue := pyshm.CreateValue[int64]("x")
	_, attachValue := pyshm.AttachValue[int64]("x")
	_, attachValueParts := pyshm.AttachValueParts[int64](pyshm.ValueParts{Lock: "x"})
	_, createBarrier := pyshm.CreateBarrier("x", 2)
	_, attachBarrier := pyshm.AttachBarrier("x")
	_, attachBarrierParts := pyshm.AttachBarrierParts(pyshm.BarrierParts{Parties: 2})
	_, createQueue := pyshm.CreateQueue("x", 1)
	_, attachQueue := pyshm.AttachQueue("x", 1)
	_, attachQueueParts := pyshm.AttachQueueParts(pyshm.QueueParts{RLock: "x"})
	var segments error
	for _, err := range pyshm.Segments() {
		segments = err
	}
	for what, err := range map[string]error{
		"CreateLock": createLock, "CreateLock any": createAnyLock, "AttachLock": attachLock,
		"CreateSemaphore": createSemaphore, "AttachSemaphore": attachSemaphore,
		"CreateCondition": createCondition, "AttachCondition": attachCondition,
		"CreateEvent": createEvent, "AttachEvent": attachEvent,
		"CreateValue": createValue, "AttachValue": attachValue, "AttachValueParts": attachValueParts,
		"CreateBarrier": createBarrier, "AttachBarrier": attachBarrier, "AttachBarrierParts": attachBarrierParts,
		"CreateArray": createArray, "AttachArray": attachArray, "AttachArrayContext": attachArrayContext,
		"CreateQueue": createQueue, "AttachQueue": attachQueue, "AttachQueueParts": attachQueueParts,
		"UnlinkQueue": pyshm.UnlinkQueue("x"),
		"OpenArray":   openArray, "CreateFrom": createFrom,
		"Create":        create,
		"Create any":    createAny,
		"Attach":        attach,
		"AttachContext": attachContext,
		"Unlink":        pyshm.Unlink("x"),
		"Segments":      segments,
	} {
		var e *pyshm.Error
		if !errors.Is(err, errors.ErrUnsupported) || !errors.As(err, &e) {
			t.Errorf("%s: %v", what, err)
		}
	}
}
