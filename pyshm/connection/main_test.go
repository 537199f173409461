package connection

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/pyshm-go/pyshm/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// Short names of the test kit.
var (
	check  = testkit.Check
	within = testkit.Within
)

func must[T any](v T, err error) func(testing.TB) T { return testkit.Must(v, err) }

var key = []byte("the key of the tests")

// past returns a context that has ended.
func past(t testing.TB) context.Context {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return ctx
}

func wantReason(t testing.TB, what string, err, reason error) {
	t.Helper()
	if !errors.Is(err, reason) {
		t.Errorf("%s: %v, want %v", what, err, reason)
	}
	var mine *Error
	if err != nil && !errors.As(err, &mine) {
		t.Errorf("%s: %v is no *Error", what, err)
	}
	if err != nil && strings.Contains(err.Error(), string(key)) {
		t.Errorf("%s: the authkey is in the error %v", what, err)
	}
}

// wantDescriptors fails unless the test, with all its cleanups, closes what it opens.
func wantDescriptors(t testing.TB) {
	t.Helper()
	count := func() int { return len(must(os.ReadDir("/dev/fd"))(t)) }
	before := count()
	t.Cleanup(func() {
		testkit.Eventually(t, "descriptors closed", func() bool { return count() <= before })
	})
}

// listenAt listens until the test ends.
func listenAt(t testing.TB, address string, o *Options) *Listener {
	t.Helper()
	l := must(Listen(address, o))(t)
	t.Cleanup(func() { check(t, l.Close()) })
	return l
}

// connected returns the two ends of a connection.
func connected(t testing.TB, l *Listener, o *Options) (client, server *Conn) {
	t.Helper()
	ctx := within(t, testkit.Patience)
	dialed := make(chan *Conn, 1)
	go func() {
		c, err := Dial(ctx, l.Address(), o)
		if err != nil {
			t.Error(err)
		}
		dialed <- c
	}()
	server = must(l.Accept(ctx))(t)
	t.Cleanup(func() { server.Close() })
	if client = <-dialed; client == nil {
		t.FailNow()
	}
	t.Cleanup(func() { client.Close() })
	return client, server
}

// pipe returns the ends of a pipe, both as connections.
func pipe(t testing.TB) (a, b *Conn) {
	t.Helper()
	testkit.NeedPosix(t)
	a, f, err := Pipe()
	check(t, err)
	t.Cleanup(func() { a.Close() })
	b = must(FromFile(f))(t)
	t.Cleanup(func() { b.Close() })
	return a, b
}

const moment = 20 * time.Millisecond
