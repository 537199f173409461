package address

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net"
	"syscall"
	"time"
)

// The pauses between attempts to connect to a server whose queue is full.
const (
	firstPause   = time.Millisecond
	longestPause = 50 * time.Millisecond
)

// Dial connects to a server. It waits while the server's queue of clients is full. A
// blocking connect(2) waits by itself, which is what Python's clients do. The sockets of
// package net do not block: connect fails with EAGAIN, and poll does not report when
// there is room. On macOS and FreeBSD a server whose queue is full refuses clients, Python's
// too, so that Dial does not wait.
//
// The error is ECONNREFUSED if no server listens there.
func Dial(ctx context.Context, a Address) (net.Conn, error) {
	var dialer net.Dialer
	wasFull := false
	for pause := firstPause; ; pause = min(2*pause, longestPause) {
		conn, err := dialer.DialContext(ctx, a.Network, a.Name)
		isFull := a.Network == "unix" && errors.Is(err, syscall.EAGAIN)
		switch {
		case err == nil:
			return conn, nil
		case !isFull && wasFull && hasEnded(ctx, err):
			return nil, errFull(explain(ctx, err))
		case !isFull:
			return nil, explain(ctx, err)
		}
		wasFull = true
		// Random, so that clients do not try again all at once.
		wait := time.NewTimer(pause/2 + rand.N(pause))
		select {
		case <-wait.C:
		case <-ctx.Done():
			wait.Stop()
			return nil, errFull(ctx.Err())
		}
	}
}

// errFull returns the error when ctx has ended while the queue was full.
func errFull(ended error) error {
	return fmt.Errorf("%w: the server's queue of clients is full", ended)
}

// hasEnded reports whether a connect has failed because ctx has ended. Package net also
// looks at the deadline itself, and may be a little ahead of ctx.
func hasEnded(ctx context.Context, err error) bool {
	return ctx.Err() != nil || errors.Is(err, context.DeadlineExceeded)
}

// errNoServer is the reason when no server listens at the address.
var errNoServer = fmt.Errorf("%w: no server listens there", syscall.ECONNREFUSED)

// explain returns the meaning of a failed connect.
func explain(ctx context.Context, err error) error {
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case hasEnded(ctx, err):
		return context.DeadlineExceeded
	}
	// The errno of a missing socket is the errno of a missing segment, too.
	if errors.Is(err, fs.ErrNotExist) || isRefused(err) {
		return errNoServer
	}
	return err
}
