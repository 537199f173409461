package connection

import (
	"bytes"
	"log/slog"
	"time"

	"github.com/pyshm-go/pyshm/pyshm/internal/wire"
)

// Options are for [Dial] and [Listen]. The zero value of a field, and a nil *Options,
// stand for the default.
type Options struct {
	// Authkey is the secret that both ends have to know: Python's authkey. Nil is for a
	// peer without one. An empty one is refused: with it, Listener of CPython 3.8 to 3.12
	// makes no handshake but Client does, and the two wait for each other for ever. In
	// FIPS 140-only mode it needs 14 bytes.
	Authkey []byte

	// HandshakeTimeout is how long the peer may take for the handshake. For the clients of
	// a Listener the default is 10 seconds. For Dial there is none besides ctx: a server in
	// Python makes the handshake when it calls accept.
	HandshakeTimeout time.Duration

	// Waiting is how many clients of a Listener may be at their handshakes or wait for
	// Accept. The default is 128. If there are as many, a new client takes the place of
	// the client whose handshake has lasted longest, if it has lasted 0.1 seconds or more.
	// Otherwise the new client waits.
	Waiting int

	// Log is where a Listener logs: clients that were refused as Warn, and clients that
	// went away as Debug. The default is to log nothing. The authkey is never logged.
	Log *slog.Logger
}

const (
	defaultHandshakeTimeout = 10 * time.Second
	defaultWaiting          = 128
)

// checked returns a copy of the options, or an error if they are refused.
func (o *Options) checked() (Options, error) {
	if o == nil {
		return Options{}, nil
	}
	c := *o
	switch {
	case c.HandshakeTimeout < 0:
		return c, invalid("HandshakeTimeout %v is negative", c.HandshakeTimeout)
	case c.Waiting < 0:
		return c, invalid("Waiting %d is negative", c.Waiting)
	case c.Authkey == nil:
		return c, nil
	case len(c.Authkey) == 0:
		return c, invalid("the authkey is empty: with such a key, CPython 3.8 to 3.12 would wait for ever")
	}
	c.Authkey = bytes.Clone(c.Authkey)
	return c, wire.CheckKey(c.Authkey)
}
