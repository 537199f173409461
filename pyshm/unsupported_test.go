//go:build !linux

package pyshm_test

import (
	"errors"
	"testing"

	"github.com/pyshm-go/pyshm/pyshm"
)

func TestUnsupported(t *testing.T) {
	_, create := pyshm.Create("x", 1)
	_, createAny := pyshm.Create("", 1)
	_, attach := pyshm.Attach("x")
	_, attachContext := pyshm.AttachContext(t.Context(), "x")
	var segments error
	for _, err := range pyshm.Segments() {
		segments = err
	}
	for what, err := range map[string]error{
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
