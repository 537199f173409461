//go:build unix

package lifetime

import (
	"errors"
	"strings"
	"testing"

	"github.com/pyshm-go/pyshm/compat"
	"github.com/pyshm-go/pyshm/internal/testkit"
	"github.com/pyshm-go/pyshm/pyshm/manager"
)

// In FIPS 140-only mode there is no MD5, and Python before 3.12 knows no other digest. So
// that Python is refused, as a client and as a server, and the manager lives on. The mode
// holds for the whole process.
func TestManagerInFIPSOnlyMode(t *testing.T) {
	t.Parallel()
	if !testkit.InFIPSOnlyMode(t) {
		return
	}
	m, log := startManager(t, "")
	compat.ForEach(t, func(t *testing.T, py compat.Interpreter) {
		p := start(t, py)
		connectTo(t, p, m.PythonAddress(), authkey)
		client := p.Exec("manager.connect()")
		s := startPythonServer(t, py, "None")
		_, server := s.client.Segments(t.Context())
		if py.AtLeast(3, 12) {
			check(t, client)
			check(t, server)
			check(t, s.client.Shutdown(t.Context()))
			return
		}
		var raised *compat.PythonError
		if !errors.As(client, &raised) || raised.Message != "digest sent was rejected" {
			t.Errorf("Python's client: %v", client)
		}
		if !errors.Is(server, manager.ErrAuth) || !strings.Contains(server.Error(), "the peer uses HMAC-MD5, like CPython 3.11 and earlier") {
			t.Errorf("the client of Python's server: %v", server)
		}
		if !strings.Contains(log.String(), `msg="client refused" client=@ error="authentication failed: the peer uses HMAC-MD5`) {
			t.Errorf("log:\n%s", log)
		}
	})
	if _, err := m.Segments(t.Context()); err != nil {
		t.Error(err)
	}
}
