//go:build linux || darwin || freebsd

package connection

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"runtime"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/pyshm-go/pyshm/format/pickle"
	"github.com/pyshm-go/pyshm/internal/testkit"
	"github.com/pyshm-go/pyshm/pyshm/internal/wire"
)

// forEachKind runs a test on every kind of connection, with and without an authkey. The
// second end is made by Accept, or by FromFile.
func forEachKind(t *testing.T, f func(t *testing.T, a, b *Conn)) {
	t.Run("pipe", func(t *testing.T) {
		wantDescriptors(t)
		a, b := pipe(t)
		f(t, a, b)
	})
	addresses := map[string]string{"unix": "", "tcp": "127.0.0.1:0", "ipv6": "[::1]:0"}
	if runtime.GOOS == "linux" {
		addresses["abstract"] = "@" + testkit.Name(t)
	}
	for what, address := range addresses {
		for keyed, o := range map[string]*Options{"": nil, " with authkey": {Authkey: key}} {
			t.Run(what+keyed, func(t *testing.T) {
				wantDescriptors(t)
				l, err := Listen(address, o)
				if what == "ipv6" && errors.Is(err, syscall.EADDRNOTAVAIL) {
					t.Skip("no IPv6 on this machine")
				}
				check(t, err)
				t.Cleanup(func() { check(t, l.Close()) })
				a, b := connected(t, l, o)
				f(t, a, b)
			})
		}
	}
}

func TestValues(t *testing.T) {
	forEachKind(t, func(t *testing.T, a, b *Conn) {
		ctx := within(t, testkit.Patience)
		values := []any{
			nil, true, int64(-7), 1.5, "h\u00e9", []byte("\x00\xff"), []any{}, pickle.Tuple{int64(1), "two"},
			bytes.Repeat([]byte("x"), 1<<20),
		}
		done := make(chan error, 1)
		go func() {
			var errs []error
			for _, v := range values {
				errs = append(errs, a.Send(ctx, v))
			}
			done <- errors.Join(errs...)
		}()
		for _, want := range values {
			if got, err := b.Recv(ctx); err != nil || !pickle.Equal(got, want) {
				t.Errorf("%.40v, %v, want %.40v", got, err, want)
			}
		}
		check(t, <-done)
		check(t, b.SendBytes(ctx, nil))
		if got, err := a.RecvBytes(ctx); err != nil || got == nil || len(got) > 0 {
			t.Errorf("an empty frame: %q, %v", got, err)
		}
		check(t, b.SendBytes(ctx, nil))
		_, err := a.Recv(ctx)
		wantReason(t, "no pickle", err, pickle.ErrTruncated)
		check(t, b.Send(ctx, "after"))
		if got, err := a.Recv(ctx); got != "after" {
			t.Errorf("after it: %v, %v", got, err)
		}
		check(t, b.Send(ctx, "last"))
		check(t, b.Close())
		if got, err := a.Recv(ctx); got != "last" {
			t.Errorf("the last: %v, %v", got, err)
		}
		for range 2 {
			if _, err := a.Recv(ctx); err != io.EOF {
				t.Errorf("the end: %v", err)
			}
		}
	})
}

func TestRefusedValue(t *testing.T) {
	a, b := pipe(t)
	ctx := within(t, testkit.Patience)
	var refused *pickle.Error
	if err := a.Send(ctx, make(chan int)); !errors.As(err, &refused) {
		t.Errorf("%v", err)
	}
	check(t, a.Send(ctx, 1))
	if got, err := b.Recv(ctx); got != int64(1) || err != nil {
		t.Errorf("after it: %v, %v", got, err)
	}
}

// A context that ends while a frame comes loses nothing of it.
func TestRecvContinues(t *testing.T) {
	forEachKind(t, func(t *testing.T, a, b *Conn) {
		raw := must(a.stream.SyscallConn())(t)
		frame := append([]byte{0, 0, 0, 5}, "hello"...)
		for i := range frame {
			ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
			_, err := b.RecvBytes(ctx)
			wantReason(t, fmt.Sprint(i, " bytes"), err, context.DeadlineExceeded)
			cancel()
			check(t, raw.Control(func(fd uintptr) { syscall.Write(int(fd), frame[i:i+1]) }))
		}
		ctx := within(t, testkit.Patience)
		if got, err := b.RecvBytes(ctx); string(got) != "hello" || err != nil {
			t.Errorf("%q, %v", got, err)
		}
		check(t, a.Send(ctx, "next"))
		if got, err := b.Recv(ctx); got != "next" || err != nil {
			t.Errorf("%v, %v", got, err)
		}
	})
}

// A context that ends while a frame is half sent closes the connection. A context that
// ends earlier leaves the connection open.
func TestSendIsWholeOrClosed(t *testing.T) {
	forEachKind(t, func(t *testing.T, a, b *Conn) {
		wantReason(t, "before", a.Send(past(t), 1), context.Canceled)
		check(t, a.Send(t.Context(), "usable"))
		if got, err := b.Recv(t.Context()); got != "usable" || err != nil {
			t.Errorf("%v, %v", got, err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go func() { // once something has arrived
			b.Poll(within(t, testkit.Patience))
			cancel()
		}()
		err := a.SendBytes(ctx, make([]byte, 64<<20)) // more than any buffer holds
		wantReason(t, "in the middle", err, context.Canceled)
		wantReason(t, "afterwards", a.Send(t.Context(), 1), fs.ErrClosed)
		if _, err := b.RecvBytes(within(t, testkit.Patience)); !wire.IsGone(err) || err == io.EOF {
			t.Errorf("the peer has received %v", err)
		}
	})
}

// Of frames that wait for a full buffer, the one whose context ends is not sent at all.
func TestSendWaitsForItsTurn(t *testing.T) {
	a, b := pipe(t)
	ctx := within(t, testkit.Patience)
	sent := make(chan error, 1)
	go func() { sent <- a.SendBytes(ctx, make([]byte, 1<<20)) }()
	b.Poll(ctx)
	short, cancel := context.WithTimeout(ctx, moment)
	defer cancel()
	wantReason(t, "while another is sent", a.Send(short, "second"), context.DeadlineExceeded)
	if got, err := b.RecvBytes(ctx); len(got) != 1<<20 || err != nil {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	check(t, <-sent)
	check(t, a.Send(ctx, "third"))
	if got, err := b.Recv(ctx); got != "third" {
		t.Errorf("%v, %v", got, err)
	}
}

func TestPoll(t *testing.T) {
	forEachKind(t, func(t *testing.T, a, b *Conn) {
		wantPoll := func(what string, ctx context.Context, want bool) {
			t.Helper()
			if got, err := b.Poll(ctx); got != want || err != nil {
				t.Errorf("%s: %v, %v", what, got, err)
			}
		}
		wantPoll("nothing", past(t), false)
		short, cancel := context.WithTimeout(t.Context(), moment)
		defer cancel()
		wantPoll("nothing for a moment", short, false)
		check(t, a.Send(t.Context(), "x"))
		wantPoll("a frame", within(t, testkit.Patience), true)
		wantPoll("a frame", past(t), true)
		if got, err := b.Recv(t.Context()); got != "x" || err != nil {
			t.Errorf("%v, %v", got, err)
		}
		wantPoll("nothing again", past(t), false)
		time.AfterFunc(moment, func() { a.Close() })
		wantPoll("the end", within(t, testkit.Patience), true)
		wantPoll("the end", past(t), true)
		if _, err := b.Recv(t.Context()); err != io.EOF {
			t.Errorf("%v", err)
		}
		wantPoll("behind the end", past(t), true)
		check(t, b.Close())
		_, err := b.Poll(t.Context())
		wantReason(t, "closed", err, fs.ErrClosed)
	})
}

func TestLimit(t *testing.T) {
	a, b := pipe(t)
	ctx := within(t, testkit.Patience)
	b.Limit(100, &pickle.Limits{Opcodes: 10})
	check(t, a.SendBytes(ctx, make([]byte, 100)))
	if got, err := b.RecvBytes(ctx); len(got) != 100 || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	check(t, a.Send(ctx, make([]int, 20)))
	_, err := b.Recv(ctx)
	wantReason(t, "a large value", err, pickle.ErrLimit)
	check(t, a.SendBytes(ctx, make([]byte, 101)))
	for range 2 {
		_, err = b.RecvBytes(ctx)
		wantReason(t, "a long frame", err, ErrTooLong)
	}
	check(t, b.Send(ctx, "still heard"))
	if got, err := a.Recv(ctx); got != "still heard" {
		t.Errorf("%v, %v", got, err)
	}
}

func TestCloseEndsWhatWaits(t *testing.T) {
	forEachKind(t, func(t *testing.T, a, b *Conn) {
		var waiting sync.WaitGroup
		for range 2 {
			waiting.Go(func() {
				_, err := a.Recv(t.Context())
				wantReason(t, "recv", err, fs.ErrClosed)
			})
			waiting.Go(func() {
				wantReason(t, "send", a.SendBytes(t.Context(), make([]byte, 64<<20)), fs.ErrClosed)
			})
			waiting.Go(func() {
				_, err := a.Poll(t.Context())
				wantReason(t, "poll", err, fs.ErrClosed)
			})
		}
		time.Sleep(moment)
		for range 2 {
			check(t, a.Close())
		}
		waiting.Wait()
	})
}

// Frames of many goroutines arrive whole, in the order of each.
func TestManyGoroutines(t *testing.T) {
	const senders, frames = 8, 200
	forEachKind(t, func(t *testing.T, a, b *Conn) {
		ctx := within(t, testkit.Patience)
		var sending sync.WaitGroup
		for s := range senders {
			sending.Go(func() {
				for i := range frames {
					short, cancel := context.WithTimeout(ctx, testkit.Patience)
					if err := a.Send(short, pickle.Tuple{s, i, make([]byte, i*17)}); err != nil {
						t.Error(err)
					}
					cancel()
				}
			})
		}
		var mu sync.Mutex
		received := 0
		var receiving sync.WaitGroup
		for range 4 {
			receiving.Go(func() {
				for {
					v, err := b.Recv(ctx)
					if err == io.EOF {
						return
					}
					frame, ok := v.(pickle.Tuple)
					if !ok || len(frame) != 3 || int64(len(frame[2].([]byte))) != frame[1].(int64)*17 {
						t.Errorf("%.60v, %v", v, err)
						return
					}
					mu.Lock()
					received++
					mu.Unlock()
				}
			})
		}
		sending.Wait()
		a.Close()
		receiving.Wait()
		if received != senders*frames {
			t.Errorf("%d frames received", received)
		}
	})
}

func TestOneWay(t *testing.T) {
	r, w := must2(os.Pipe())(t)
	reader, writer := must(FromFile(r))(t), must(FromFile(w))(t)
	defer reader.Close()
	defer writer.Close()
	ctx := within(t, testkit.Patience)
	wantReason(t, "send", reader.Send(ctx, 1), fs.ErrInvalid)
	_, err := writer.Recv(ctx)
	wantReason(t, "recv", err, fs.ErrInvalid)
	_, err = writer.Poll(ctx)
	wantReason(t, "poll", err, fs.ErrInvalid)
	check(t, writer.Send(ctx, "x"))
	if got, err := reader.Recv(ctx); got != "x" {
		t.Errorf("%v, %v", got, err)
	}
	reader.Close()
	wantReason(t, "without a reader", writer.Send(ctx, "x"), syscall.EPIPE)
}

func must2[A, B any](a A, b B, err error) func(testing.TB) (A, B) {
	return func(t testing.TB) (A, B) {
		t.Helper()
		check(t, err)
		return a, b
	}
}

func TestFromFileRefuses(t *testing.T) {
	f := must(os.CreateTemp(t.TempDir(), ""))(t)
	defer f.Close()
	if _, err := FromFile(f); err == nil {
		t.Error("a regular file")
	}
	if _, err := f.Write([]byte("still open")); err != nil {
		t.Error(err)
	}
	f.Close()
	_, err := FromFile(f)
	wantReason(t, "a closed file", err, fs.ErrClosed)
}

func TestDetach(t *testing.T) {
	forEachKind(t, func(t *testing.T, a, b *Conn) {
		ctx := within(t, testkit.Patience)
		check(t, a.Send(ctx, "before"))
		b.Poll(ctx)
		if _, err := b.Detach(); err == nil {
			t.Error("detached in the middle of a frame")
		}
		if got, err := b.Recv(ctx); got != "before" {
			t.Errorf("%v, %v", got, err)
		}
		waiting := make(chan error, 1)
		go func() { _, err := b.Recv(ctx); waiting <- err }()
		testkit.Eventually(t, "busy", func() bool { return len(b.reading) > 0 })
		_, err := b.Detach()
		wantReason(t, "while another goroutine receives", err, syscall.EBUSY)
		check(t, a.Send(ctx, "x"))
		check(t, <-waiting)

		f := must(b.Detach())(t)
		wantReason(t, "afterwards", b.Send(ctx, 1), fs.ErrClosed)
		again := must(FromFile(f))(t)
		defer again.Close()
		check(t, again.Send(ctx, "moved"))
		if got, err := a.Recv(ctx); got != "moved" {
			t.Errorf("%v, %v", got, err)
		}
	})
}
