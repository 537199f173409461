package manager

import (
	"context"
	"testing"
	"time"

	"github.com/pyshm-go/pyshm/internal/testkit"
	"github.com/pyshm-go/pyshm/pyshm/internal/wire"
)

// A client that sends more during a call, and so hides its end behind these bytes, keeps
// neither its place nor the manager from shutting down.
func TestNextRequestEndsCall(t *testing.T) {
	m, c, q := startObjects(t)
	p := newProxy(t, c, "get_queue")
	conn := calling(t, m)
	testkit.Check(t, wire.WriteFrame(conn, callOf(t, p.ID(), "get")))
	testkit.Must(conn.Write([]byte{0}))(t)
	testkit.Must(conn.Read(make([]byte, 1)))(t) // the reply
	testkit.Check(t, conn.Close())
	testkit.Check(t, q.Put(t.Context(), "kept"))
	wantResult(t, p, "kept", "get")
}

// A function that only looks at ctx.Err now and then learns of its client's end, too.
func TestErrOfCall(t *testing.T) {
	m, c, _ := startObjects(t)
	called, ended := make(chan struct{}), make(chan struct{})
	m.Register("poll", func(ctx context.Context, _ []any) (any, error) {
		close(called)
		for ctx.Err() == nil {
			time.Sleep(time.Millisecond)
		}
		close(ended)
		return nil, ctx.Err()
	})
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		call, err := c.open(ctx)
		if err != nil {
			return
		}
		defer call.close()
		_, _ = call.ask("create", []any{"poll"}, nil)
	}()
	<-called
	cancel()
	select {
	case <-ended:
	case <-time.After(testkit.Patience):
		t.Error("the context of a call whose client has gone has not ended")
	}
}
