//go:build !posixshm

package pyshm_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/pyshm-go/pyshm/format/pickle"
	"github.com/pyshm-go/pyshm/internal/testkit"
	"github.com/pyshm-go/pyshm/pyshm"
)

func createQueue(t testing.TB, maxsize int, opts ...pyshm.QueueOption) *pyshm.Queue {
	t.Helper()
	return keep[*pyshm.Queue](t)(pyshm.CreateQueue(testkit.Name(t), maxsize, opts...))
}

func attachQueue(t testing.TB, name string, maxsize int) *pyshm.Queue {
	t.Helper()
	q, err := pyshm.AttachQueue(name, maxsize)
	noError(t, err)
	t.Cleanup(func() { noError(t, q.Close()) })
	return q
}

// now is a context that has ended: a method tries once.
func now(t testing.TB) context.Context {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return ctx
}

func wantItem(t testing.TB, q *pyshm.Queue, want any) {
	t.Helper()
	if got, err := q.Get(within(t, testkit.Patience)); err != nil || !pickle.Equal(got, want) {
		t.Errorf("%s, %v; want %s", pickle.Repr(got, 40), err, pickle.Repr(want, 40))
	}
}

func wantLen(t testing.TB, q *pyshm.Queue, want int) {
	t.Helper()
	if n, err := q.Len(); n != want || err != nil {
		t.Errorf("%d items, %v; want %d", n, err, want)
	}
}

// rawPipe opens the FIFO of a queue, for bytes that no Python would write.
func rawPipe(t testing.TB, q *pyshm.Queue) *os.File {
	t.Helper()
	f, err := os.OpenFile(pathOf(q.Name()+".pipe"), os.O_RDWR|syscall.O_NONBLOCK, 0)
	noError(t, err)
	t.Cleanup(func() { f.Close() })
	return f
}

func rawSemaphore(t testing.TB, q *pyshm.Queue, part string) *pyshm.Semaphore {
	t.Helper()
	s, err := pyshm.AttachSemaphore(q.Name() + "." + part)
	noError(t, err)
	t.Cleanup(func() { s.Close() })
	return s
}

func TestQueue(t *testing.T) {
	q := createQueue(t, 3)
	other := attachQueue(t, "/"+q.Name(), 3)
	large := bytes.Repeat([]byte("x"), 300_000)
	var putting sync.WaitGroup
	putting.Go(func() {
		for _, v := range []any{int64(1), "two", large, nil} {
			if err := q.Put(t.Context(), v); err != nil {
				t.Error(err)
			}
		}
	})
	for _, want := range []any{int64(1), "two", large, nil} {
		wantItem(t, other, want)
	}
	putting.Wait()
	for i := range 3 {
		noError(t, other.Put(now(t), i))
	}
	if err := q.Put(within(t, 5*time.Millisecond), 4); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	wantLen(t, q, 3)
	for i := range 3 {
		if v, err := q.Get(now(t)); v != int64(i) || err != nil {
			t.Error(v, err)
		}
	}
	for _, ctx := range []context.Context{now(t), within(t, 5*time.Millisecond)} {
		var of *pyshm.Error
		if _, err := q.Get(ctx); !errors.Is(err, ctx.Err()) || !errors.As(err, &of) || of.Op != "get" || of.Name != q.Name() {
			t.Error(err)
		}
	}
	wantLen(t, q, 0)
	wantState(t, rawSemaphore(t, q, "rlock"), 1, 0)
	wantState(t, rawSemaphore(t, q, "wlock"), 1, 0)
	if err := q.TaskDone(t.Context()); !errors.Is(err, errors.ErrUnsupported) {
		t.Error(err)
	}
	if err := q.PutPickle(t.Context(), nil); !errors.Is(err, fs.ErrInvalid) {
		t.Error(err)
	}
	if err := q.Put(t.Context(), struct{}{}); !errors.Is(err, pickle.ErrType) {
		t.Error(err)
	}
}

// Two handles that wait for each other's items: none is lost, in order of each producer.
func TestQueueOrder(t *testing.T) {
	q := createQueue(t, 10)
	const producers, consumers, items = 4, 3, 250
	var producing, consuming sync.WaitGroup
	var got atomic.Int64
	for p := range producers {
		mine := attachQueue(t, q.Name(), 10)
		producing.Go(func() {
			for i := range items {
				if err := mine.Put(within(t, testkit.Patience), []int{p, i}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for range consumers {
		mine := attachQueue(t, q.Name(), 10)
		consuming.Go(func() {
			next := make([]int64, producers)
			for {
				v, err := mine.Get(within(t, testkit.Patience))
				pair, ok := v.([]any)
				if err != nil || !ok {
					t.Error(v, err)
					return
				}
				p, i := pair[0].(int64), pair[1].(int64)
				if i < 0 {
					return
				}
				if i < next[p] {
					t.Errorf("producer %d: %d after %d", p, i, next[p]-1)
				}
				next[p] = i + 1
				got.Add(1)
			}
		})
	}
	producing.Wait()
	for range consumers { // their items are in front of these
		noError(t, q.Put(t.Context(), []int{0, -1}))
	}
	consuming.Wait()
	wantLen(t, q, 0)
	if got.Load() != producers*items {
		t.Errorf("%d items of %d", got.Load(), producers*items)
	}
}

func TestJoinableQueue(t *testing.T) {
	q := createQueue(t, 0, pyshm.Joinable(), pyshm.Mode(0o640))
	if mode := stat(t, q.Name()+".pipe").Mode & 0o777; mode != 0o640 {
		t.Errorf("mode %o", mode)
	}
	other := attachQueue(t, q.Name(), 0)
	for i := range 3 {
		noError(t, other.Put(t.Context(), i))
	}
	wantLen(t, q, 3)
	joined := make(chan error)
	go func() { joined <- q.Join(within(t, testkit.Patience)) }()
	for i := range 3 {
		if err := q.Join(within(t, time.Millisecond)); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		wantItem(t, other, i)
		noError(t, other.TaskDone(t.Context()))
	}
	noError(t, <-joined)
	noError(t, q.Join(now(t)))
	if err := q.TaskDone(t.Context()); !errors.Is(err, pyshm.ErrNotAcquired) {
		t.Error(err)
	}
}

func TestQueueNames(t *testing.T) {
	q := createQueue(t, 2, pyshm.Joinable())
	parts := []string{
		"sem." + q.Name() + ".cond.lock", "sem." + q.Name() + ".cond.sleeping", "sem." + q.Name() + ".cond.wait",
		"sem." + q.Name() + ".cond.woken", "sem." + q.Name() + ".rlock", "sem." + q.Name() + ".sem",
		"sem." + q.Name() + ".unfinished", "sem." + q.Name() + ".wlock", q.Name() + ".pipe",
	}
	named := func() (found []string) {
		entries, err := os.ReadDir("/dev/shm")
		noError(t, err)
		for _, e := range entries {
			if bytes.Contains([]byte(e.Name()), []byte(q.Name())) {
				found = append(found, e.Name())
			}
		}
		slices.SortFunc(found, func(a, b string) int { return bytes.Compare([]byte(a), []byte(b)) })
		return found
	}
	want := slices.Clone(parts)
	slices.Sort(want)
	if got := named(); !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	if _, err := pyshm.CreateQueue(q.Name(), 2); !errors.Is(err, fs.ErrExist) {
		t.Error(err)
	}
	if current, err := q.Current(); !current || err != nil {
		t.Error(current, err)
	}
	for _, maxsize := range []int{0, 1, -1} {
		if _, err := pyshm.AttachQueue(q.Name(), maxsize); !errors.Is(err, fs.ErrInvalid) {
			t.Errorf("maxsize %d: %v", maxsize, err)
		}
	}
	noError(t, pyshm.UnlinkQueue(q.Name()))
	if got := named(); len(got) > 0 {
		t.Errorf("left: %q", got)
	}
	if current, err := q.Current(); current || err != nil {
		t.Error(current, err)
	}
	if err := pyshm.UnlinkQueue(q.Name()); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	if _, err := pyshm.AttachQueue(q.Name(), 2); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	// A refused create leaves nothing, whatever is in the way.
	noError(t, os.WriteFile(pathOf(q.Name()+".pipe"), []byte("x"), 0o600))
	defer os.Remove(pathOf(q.Name() + ".pipe"))
	if _, err := pyshm.CreateQueue(q.Name(), 2); !errors.Is(err, fs.ErrExist) {
		t.Error(err)
	}
	if _, err := pyshm.AttachQueue(q.Name(), 2); !errors.Is(err, fs.ErrInvalid) {
		t.Error(err)
	}
	if got := named(); len(got) != 1 {
		t.Errorf("left: %q", got)
	}
	again := keep[*pyshm.Queue](t)(pyshm.CreateQueue(testkit.Name(t)+"-*", 0))
	attachQueue(t, again.Name(), 0)
	noError(t, again.Unlink())
}

func TestCloseQueue(t *testing.T) {
	q := createQueue(t, 1, pyshm.Joinable())
	other := attachQueue(t, q.Name(), 1)
	noError(t, q.Put(t.Context(), 1))
	got := make(chan error)
	for _, wait := range []func(context.Context) error{
		q.Join, func(ctx context.Context) error { return q.Put(ctx, 2) },
	} {
		go func() { got <- wait(context.Background()) }()
	}
	time.Sleep(5 * time.Millisecond)
	noError(t, q.Close())
	for range 2 {
		if err := <-got; !errors.Is(err, fs.ErrClosed) {
			t.Error(err)
		}
	}
	wantItem(t, other, 1)
	go func() { _, err := other.Get(context.Background()); got <- err }()
	time.Sleep(5 * time.Millisecond)
	noError(t, other.Close())
	if err := <-got; !errors.Is(err, fs.ErrClosed) {
		t.Error(err)
	}
	for what, q := range map[string]*pyshm.Queue{"closed": q, "zero": new(pyshm.Queue)} {
		_, errGet := q.Get(t.Context())
		_, errPickle := q.GetPickle(t.Context())
		_, errLen := q.Len()
		_, errCurrent := q.Current()
		for op, err := range map[string]error{
			"put": q.Put(t.Context(), 1), "put pickle": q.PutPickle(t.Context(), []byte("N.")), "get": errGet, "get pickle": errPickle,
			"len": errLen, "current": errCurrent, "task done": q.TaskDone(t.Context()), "join": q.Join(t.Context()),
			"check": q.Check(t.Context()), "reset": q.Reset(t.Context()),
		} {
			if !errors.Is(err, fs.ErrClosed) {
				t.Errorf("%s: %s: %v", what, op, err)
			}
		}
		noError(t, q.Close())
	}
	if err := new(pyshm.Queue).Unlink(); !errors.Is(err, fs.ErrClosed) {
		t.Error(err)
	}
}

// A pickle larger than the pipe is begun, and finished in the background after its
// context has ended, and after Close.
func TestQueueFinishesWhatItBegan(t *testing.T) {
	q := createQueue(t, 0)
	large := bytes.Repeat([]byte("y"), 1<<20)
	item, err := pickle.Marshal(large)
	noError(t, err)
	noError(t, q.PutPickle(within(t, 10*time.Millisecond), item))
	clear(item) // the queue has its own
	if err := q.Put(within(t, 10*time.Millisecond), 2); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	reader := attachQueue(t, q.Name(), 0)
	noError(t, q.Close())
	wantItem(t, reader, large)
	noError(t, reader.Put(within(t, testkit.Patience), 3))
	wantItem(t, reader, 3)
	wantLen(t, reader, 0)
}

// An item comes in pieces. The context of Get ends between them.
func TestGetFinishesWhatItBegan(t *testing.T) {
	q := createQueue(t, 0)
	raw := rawPipe(t, q)
	_, err := raw.Write([]byte("\x00\x00"))
	noError(t, err)
	go func() {
		for _, piece := range []string{"\x00\x02", "N", "."} {
			time.Sleep(15 * time.Millisecond)
			raw.WriteString(piece)
		}
	}()
	if v, err := q.Get(within(t, 10*time.Millisecond)); v != nil || err != nil {
		t.Errorf("%v, %v", v, err)
	}
	wantState(t, rawSemaphore(t, q, "rlock"), 1, 0)
}

// A process is killed while it holds the condition. A Join that waits ends with its context,
// or with Close, all the same.
func TestJoinEndsWithoutLock(t *testing.T) {
	for what, wait := range map[string]func(q *pyshm.Queue) error{
		"context": func(q *pyshm.Queue) error { return q.Join(within(t, 50*time.Millisecond)) },
		"close":   func(q *pyshm.Queue) error { return q.Join(context.Background()) },
	} {
		q := createQueue(t, 0, pyshm.Joinable())
		noError(t, q.Put(t.Context(), 1))
		lock, sleeping := rawSemaphore(t, q, "cond.lock"), rawSemaphore(t, q, "cond.sleeping")
		joined := make(chan error, 1)
		go func() { joined <- wait(q) }()
		testkit.Eventually(t, "a Join that waits", func() bool { n, _ := sleeping.Value(); return n == 1 })
		noError(t, lock.Acquire(t.Context()))
		want := context.DeadlineExceeded
		if what == "close" {
			want = fs.ErrClosed
			go q.Close()
		}
		select {
		case err := <-joined:
			if !errors.Is(err, want) {
				t.Errorf("%s: %v", what, err)
			}
		case <-time.After(testkit.Patience):
			t.Fatalf("%s: Join does not end", what)
		}
		noError(t, lock.Release())
	}
}

// The writer of an item writes it so slowly that a Get would outlast its context for long.
// Get returns then, and the next one goes on with the item.
func TestGetOfSlowItem(t *testing.T) {
	t.Parallel()
	q := createQueue(t, 0)
	raw := rawPipe(t, q)
	item := frame("X\x20\x00\x00\x00" + strings.Repeat("x", 32) + ".") // 42 bytes
	_, err := raw.WriteString(item[:1])
	noError(t, err)
	slow, cancel := context.WithCancel(t.Context())
	var writing sync.WaitGroup
	writing.Go(func() {
		for _, b := range []byte(item[1:]) {
			select {
			case <-time.After(100 * time.Millisecond):
			case <-slow.Done():
			}
			raw.Write([]byte{b})
		}
	})
	if v, err := q.Get(within(t, 10*time.Millisecond)); !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, pyshm.ErrStuck) {
		t.Errorf("%v, %v", v, err)
	}
	cancel()
	wantItem(t, q, strings.Repeat("x", 32))
	writing.Wait()
}

// The writer of an item never finishes it. The handle keeps the lock, goes on if the rest
// comes after all, and Reset drops it otherwise.
func TestGetKeepsTornItem(t *testing.T) {
	t.Parallel()
	q := createQueue(t, 0)
	raw, rlock := rawPipe(t, q), rawSemaphore(t, q, "rlock")
	for _, ends := range []bool{true, false} {
		_, err := raw.WriteString("\x00\x00\x00\x02N")
		noError(t, err)
		if _, err := q.Get(within(t, 10*time.Millisecond)); !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, pyshm.ErrStuck) {
			t.Error(err)
		}
		wantState(t, rlock, 0, 0)
		if ends {
			_, err := raw.WriteString(".")
			noError(t, err)
			wantItem(t, q, nil)
			wantState(t, rlock, 1, 0)
		}
	}
	// Its writer was killed, and no other process has put an item since.
	wlock := rawSemaphore(t, q, "wlock")
	noError(t, wlock.Acquire(t.Context()))
	noError(t, q.Reset(t.Context()))
	wantState(t, rlock, 1, 0)
	wantState(t, wlock, 1, 0)
	_, err := raw.WriteString("\x00\x00\x00\x02N")
	noError(t, err)
	if _, err := q.Get(now(t)); !errors.Is(err, pyshm.ErrStuck) {
		t.Error(err)
	}
	// The rest would be here now, if a process had put another item.
	_, err = raw.WriteString("\x00\x00\x00\x04\x80\x04N.")
	noError(t, err)
	noError(t, q.Reset(t.Context()))
	wantState(t, rlock, 1, 0)
	wantItem(t, q, nil)
	if err := q.Reset(t.Context()); !errors.Is(err, fs.ErrInvalid) {
		t.Error(err)
	}
}

// Bytes in the pipe that no Python would write. Python's get would allocate what they
// announce, or lose items.
func TestHostileQueue(t *testing.T) {
	for what, tc := range map[string]struct {
		bytes string
		want  error
	}{
		"negative":  {"\xff\xff\xff\xfe", pyshm.ErrProtocol},
		"too long":  {"\x7f\xff\xff\xff", pyshm.ErrTooLong},
		"long form": {"\xff\xff\xff\xff\x40\x00\x00\x00\x00\x00\x00\x00", pyshm.ErrTooLong},
		"beyond":    {"\xff\xff\xff\xff\x80\x00\x00\x00\x00\x00\x00\x00", pyshm.ErrTooLong},
	} {
		t.Run(what, func(t *testing.T) {
			q := createQueue(t, 0)
			raw := rawPipe(t, q)
			_, err := raw.WriteString(tc.bytes)
			noError(t, err)
			for range 2 {
				if _, err := q.Get(within(t, testkit.Patience)); !errors.Is(err, tc.want) {
					t.Error(err)
				}
			}
		})
	}
	q := createQueue(t, 0)
	raw := rawPipe(t, q)
	for what, item := range map[string]string{"empty": "", "no pickle": "\x00\xff\n", "calls": "cos\nsystem\n(S'id'\ntR.", "ends early": "\x80\x04"} {
		_, err := raw.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(item))), item...))
		noError(t, err)
		v, err := q.Get(within(t, testkit.Patience))
		var broken *pickle.Error
		if o, isObject := v.(*pickle.Object); !errors.As(err, &broken) && !isObject {
			t.Errorf("%s: %v, %v", what, v, err)
		} else if isObject {
			t.Logf("%s: %v", what, o)
		}
	}
	// More than this handle wants, until it wants more.
	noError(t, q.Put(t.Context(), "a long text"))
	q.Limit(10, nil)
	if _, err := q.Get(within(t, testkit.Patience)); !errors.Is(err, pyshm.ErrTooLong) {
		t.Error(err)
	}
	q.Limit(100, nil)
	wantItem(t, q, "a long text")
	// A put without a place is no item lost, and a lock that another process releases no crash.
	_, err := raw.WriteString("\x00\x00\x00\x02N.")
	noError(t, err)
	wantItem(t, q, nil)
}

// Another process stores arbitrary words and bytes all the time. Nothing crashes, hangs, or
// outlives Close.
func TestHostileQueueParts(t *testing.T) {
	q := createQueue(t, 0, pyshm.Joinable())
	q.Limit(1000, nil)
	var files []string
	for _, part := range []string{"rlock", "wlock", "sem", "unfinished", "cond.lock", "cond.sleeping"} {
		files = append(files, "sem."+q.Name()+"."+part)
	}
	stop := corrupt(t, files...)
	raw := rawPipe(t, q)
	var all sync.WaitGroup
	for _, call := range []func(context.Context) error{
		func(ctx context.Context) error { return q.Put(ctx, 1) },
		func(ctx context.Context) error { _, err := q.Get(ctx); return err },
		q.TaskDone, q.Join, q.Check, q.Reset,
		func(context.Context) error { _, err := raw.Write([]byte("\x00\x00\x00\x05\x80")); return err },
	} {
		for range 2 {
			all.Go(func() {
				for !errors.Is(call(within(t, 2*time.Millisecond)), fs.ErrClosed) {
				}
			})
		}
	}
	time.Sleep(200 * time.Millisecond)
	noError(t, q.Close())
	raw.Close()
	all.Wait()
	stop()
}

// The parts of a queue whose pipe has no name: this process stands for Python.
func TestQueueParts(t *testing.T) {
	r, w, err := os.Pipe()
	noError(t, err)
	defer r.Close()
	defer w.Close()
	c := createQueue(t, 5)
	var st syscall.Stat_t
	noError(t, syscall.Fstat(int(r.Fd()), &st))
	parts := pyshm.QueueParts{
		PID: os.Getpid(), Reader: int(r.Fd()), Writer: int(w.Fd()), Pipe: st.Ino,
		RLock: "/" + c.Name() + ".rlock", WLock: c.Name() + ".wlock", Sem: c.Name() + ".sem", MaxSize: 5,
	}
	text, err := json.Marshal(parts)
	noError(t, err)
	if want := fmt.Sprintf(`{"pid":%d,"reader":%d,"writer":%d,"pipe":%d,"rlock":"/%[5]s.rlock","wlock":"%[5]s.wlock","sem":"%[5]s.sem","maxsize":5}`,
		parts.PID, parts.Reader, parts.Writer, parts.Pipe, c.Name()); string(text) != want {
		t.Errorf("%s, want %s", text, want)
	}
	q, err := pyshm.AttachQueueParts(parts)
	noError(t, err)
	defer q.Close()
	noError(t, q.Put(t.Context(), "x"))
	wantItem(t, q, "x")
	if err := q.Unlink(); !errors.Is(err, fs.ErrInvalid) {
		t.Error(err)
	}
	for what, tc := range map[string]struct {
		change func(p *pyshm.QueueParts)
		want   error
	}{
		"another pipe":    {func(p *pyshm.QueueParts) { p.Pipe++ }, fs.ErrNotExist},
		"no process":      {func(p *pyshm.QueueParts) { p.PID = 1 << 30 }, fs.ErrNotExist},
		"no descriptor":   {func(p *pyshm.QueueParts) { p.Reader = 1 << 20 }, fs.ErrNotExist},
		"not a pipe":      {func(p *pyshm.QueueParts) { p.Reader, p.Writer = devNull(t), devNull(t) }, pyshm.ErrNotPipe},
		"not of one pipe": {func(p *pyshm.QueueParts) { p.Writer = 1 }, pyshm.ErrNotPipe},
		"one end only":    {func(p *pyshm.QueueParts) { p.Writer = p.Reader }, pyshm.ErrNotPipe},
		"no lock":         {func(p *pyshm.QueueParts) { p.WLock += "x" }, fs.ErrNotExist},
		"no maxsize":      {func(p *pyshm.QueueParts) { p.MaxSize = -1 }, fs.ErrInvalid},
	} {
		wrong := parts
		tc.change(&wrong)
		if _, err := pyshm.AttachQueueParts(wrong); !errors.Is(err, tc.want) {
			t.Errorf("%s: %v", what, err)
		}
	}
	// Inherited descriptors are taken over.
	parts.PID = 0
	var errs [2]error
	parts.Reader, errs[0] = syscall.Dup(parts.Reader)
	parts.Writer, errs[1] = syscall.Dup(parts.Writer)
	noError(t, errors.Join(errs[:]...))
	inherited, err := pyshm.AttachQueueParts(parts)
	noError(t, err)
	defer inherited.Close()
	if err := syscall.Fstat(parts.Reader, &st); err != syscall.EBADF {
		t.Errorf("the inherited descriptor is still open: %v", err)
	}
	noError(t, inherited.Put(t.Context(), "y"))
	wantItem(t, q, "y")
}

func devNull(t testing.TB) int {
	f, err := os.Open(os.DevNull)
	noError(t, err)
	t.Cleanup(func() { f.Close() })
	return int(f.Fd())
}
