package address

import (
	"testing"

	"github.com/pyshm-go/pyshm/internal/testkit"
)

// An address can be listened at again as soon as its listener is closed, though this
// process starts others all the while, each with copies of its descriptors at first.
func TestListenAgainWhileProcessesStart(t *testing.T) {
	testkit.KeepStarting(t)
	addr := "@" + testkit.Name(t)
	for range 500 {
		l, err := Listen(addr)
		if err != nil {
			t.Fatal(err)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
