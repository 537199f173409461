package testkit

import (
	"fmt"
	"testing"

	"github.com/pyshm-go/pyshm/compat"
)

// TestSharePeer: tests that run at the same time use one process, one after the other.
func TestSharePeer(t *testing.T) {
	py := Python(t)
	first := -1
	for i := range 5 {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			t.Parallel()
			p := SharePeer(t, t.Name()[:len("TestSharePeer")], py, compat.Env("SHARED=yes"))
			if first < 0 {
				first = p.Pid()
				Check(t, p.Exec("uses = 0; inside = False"))
			}
			WantEqual(t, "the process", p.Pid(), first)
			Check(t, p.Exec("assert not inside and os.environ['SHARED'] == 'yes'; inside = True; uses += 1"))
			t.Cleanup(func() { Check(t, p.Exec("inside = False")) })
		})
	}
	t.Cleanup(func() {
		p := SharePeer(t, t.Name(), py)
		WantEqual(t, "uses", Must(p.Eval("uses"))(t), any(int64(5)))
		Check(t, closeSharedPeers())
		if _, err := p.Eval("uses"); err == nil {
			t.Error("the peer runs on after the tests")
		}
	})
}
