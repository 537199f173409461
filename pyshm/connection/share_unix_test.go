//go:build linux || darwin || freebsd

package connection

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"testing"

	"github.com/pyshm-go/pyshm/format/pickle"
	"github.com/pyshm-go/pyshm/internal/testkit"
)

// A connection goes through another one, inside of a value, and works at the other end.
func TestShare(t *testing.T) {
	forEachKind(t, func(t *testing.T, a, b *Conn) {
		ctx := within(t, testkit.Patience)
		through, receiver := pipe(t)
		offer := must(Share(b, key))(t)
		defer offer.Close()
		wantReason(t, "the connection is the receiver's", b.Send(ctx, 1), fs.ErrClosed)
		wantReason(t, "not taken", offer.Wait(past(t)), context.Canceled)
		check(t, through.Send(ctx, pickle.Tuple{"conn", offer.Value()}))
		got := must(receiver.Recv(ctx))(t).(pickle.Tuple)
		_, err := Rebuild(ctx, got[1], []byte("another key"))
		wantReason(t, "another key", err, ErrAuth)
		rebuilt := must(Rebuild(ctx, got[1], key))(t)
		check(t, offer.Wait(ctx))
		check(t, rebuilt.Send(ctx, "hello"))
		if got, err := a.Recv(ctx); got != "hello" {
			t.Errorf("%v, %v", got, err)
		}
		rebuilt.Close()
		if _, err := a.Recv(ctx); err != io.EOF {
			t.Errorf("the end: %v", err)
		}
		if _, err := Rebuild(ctx, got[1], key); err == nil {
			t.Error("rebuilt twice")
		}
	})
}

func TestOfferWithdrawn(t *testing.T) {
	wantDescriptors(t)
	a, b := pipe(t)
	offer := must(Share(b, key))(t)
	for range 2 {
		check(t, offer.Close())
	}
	wantReason(t, "wait", offer.Wait(t.Context()), fs.ErrClosed)
	if _, err := a.Recv(within(t, testkit.Patience)); err != io.EOF {
		t.Errorf("the other end: %v", err)
	}
}

// A client that knows the authkey, but not the connection, does not get it.
func TestOfferToAnother(t *testing.T) {
	a, b := pipe(t)
	offer := must(Share(b, key))(t)
	defer offer.Close()
	ctx := within(t, testkit.Patience)
	for _, request := range []any{nil, pickle.Tuple{offer.key + 1, 7}, pickle.Tuple{[]any{1}, 7}, pickle.Tuple{}, "x"} {
		c := must(Dial(ctx, offer.l.Address(), &Options{Authkey: key}))(t)
		check(t, c.Send(ctx, request))
		if _, err := receiveFile(ctx, c); err == nil {
			t.Errorf("%v has received a descriptor", request)
		}
		c.Close()
	}
	rebuilt := must(Rebuild(ctx, offer.Value(), key))(t)
	defer rebuilt.Close()
	check(t, a.Send(ctx, 1))
	if got, err := rebuilt.Recv(ctx); got != int64(1) {
		t.Errorf("%v, %v", got, err)
	}
}

func TestShareRefuses(t *testing.T) {
	a, b := pipe(t)
	_, err := Share(a, nil)
	wantReason(t, "no authkey", err, fs.ErrInvalid)
	check(t, b.Send(t.Context(), 1))
	a.Poll(t.Context())
	if _, err := Share(a, key); err == nil {
		t.Error("shared in the middle of a frame")
	}
	if got, err := a.Recv(t.Context()); got != int64(1) { // it is as it was
		t.Errorf("%v, %v", got, err)
	}
}

func TestRebuildRefuses(t *testing.T) {
	id := func(v any) any {
		state, err := pickle.NewDict(pickle.Pair{Key: "_id", Value: v})
		check(t, err)
		return &pickle.Object{Class: rebuildConnection, Args: pickle.Tuple{&pickle.Object{Class: dupFd, Form: pickle.New, State: state}, true, true}}
	}
	for what, v := range map[string]any{
		"nil": nil, "a str": "x", "another object": &pickle.Object{Class: dupFd},
		"no DupFd":           &pickle.Object{Class: rebuildConnection, Args: pickle.Tuple{1, true, true}},
		"no state":           &pickle.Object{Class: rebuildConnection, Args: pickle.Tuple{&pickle.Object{Class: dupFd}, true, true}},
		"no arguments":       &pickle.Object{Class: rebuildConnection},
		"no id":              id(nil),
		"no pair":            id(pickle.Tuple{"/x"}),
		"an odd address":     id(pickle.Tuple{1.5, 1}),
		"other bytes":        id(pickle.Tuple{[]byte("x"), 1}),
		"a bad address":      id(pickle.Tuple{"nonsense", 1}),
		"the TCP of Windows": id(pickle.Tuple{pickle.Tuple{"127.0.0.1", 1}, 1}),
	} {
		_, err := Rebuild(t.Context(), v, key)
		wantReason(t, what, err, fs.ErrInvalid)
	}
	_, err := Rebuild(t.Context(), id(pickle.Tuple{"/nonexistent", 1}), nil)
	wantReason(t, "no authkey", err, fs.ErrInvalid)
	_, err = Rebuild(t.Context(), id(pickle.Tuple{"/nonexistent/x", 1}), key)
	var mine *Error
	if !errors.As(err, &mine) || errors.Is(err, os.ErrInvalid) {
		t.Errorf("a sender that is gone: %v", err)
	}
}
