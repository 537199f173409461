package connection

import (
	"bytes"
	"errors"
	"io"
	"syscall"
	"testing"
	"time"

	"github.com/pyshm-go/pyshm/format/pickle"
	"github.com/pyshm-go/pyshm/internal/testkit"
)

// A script is a stream on which a peer has sent something and then ended.
type script struct{ io.Reader }

func (script) Write(p []byte) (int, error)           { return len(p), nil }
func (script) Close() error                          { return nil }
func (script) SetReadDeadline(time.Time) error       { return nil }
func (script) SetWriteDeadline(time.Time) error      { return nil }
func (script) SyscallConn() (syscall.RawConn, error) { return nil, errors.ErrUnsupported }

// FuzzRecv receives what a hostile peer sends: it must end, within the limits, and what
// was received can be sent on.
func FuzzRecv(f *testing.F) {
	for _, seed := range []string{
		"\x00\x00\x00\x04\x80\x04N.", "\x00\x00\x00\x00\x00\x00\x00\x04\x80\x05N.",
		"\xff\xff\xff\xff\x00\x00\x00\x00\x00\x00\x00\x02N.", "\x7f\xff\xff\xff", "\xff\xff\xff\xfe",
		"\xff\xff\xff\xff\x7f\xff\xff\xff\xff\xff\xff\xff", "\x00\x00\x00\x0b#CHALLENGE#", "\x00\x00\x00\x05\x8c\x01\x1b.", "",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, stream []byte) {
		const limit = 1 << 16
		ctx := t.Context()
		c := newConn(script{bytes.NewReader(stream)}, "", true, true)
		defer c.Close()
		c.Limit(limit, nil)
		for range len(stream)/4 + 1 {
			ready, err := c.Poll(ctx)
			if !ready || err != nil {
				t.Fatalf("poll: %v, %v", ready, err)
			}
			v, err := c.Recv(ctx)
			if err != nil {
				testkit.CheckPrintable(t, err)
			}
			var unreadable *pickle.Error
			switch {
			case err == nil:
				if err := c.Send(ctx, v); err != nil {
					t.Fatalf("%v cannot be sent on: %v", v, err)
				}
				// A value from a peer may be a connection, and must be refused if it is not.
				if _, _, err := parseShared(v); err != nil {
					testkit.CheckPrintable(t, err)
				}
			case !errors.As(err, &unreadable) && !errors.Is(err, ErrAuth):
				return
			}
		}
		t.Fatal("does not end")
	})
}
