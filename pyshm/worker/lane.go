package worker

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"time"

	"github.com/pyshm-go/pyshm/format/pickle"
	"github.com/pyshm-go/pyshm/internal/words"
	"github.com/pyshm-go/pyshm/pyshm"
)

// A lane is the fast way to a worker that has the helper: messages lie in a shared segment,
// and two semaphores hand them over. The package comment has the protocol.
type lane struct {
	worker   *worker
	arena    arena
	messages *segment
	request  *pyshm.Semaphore // a token for each call
	done     *pyshm.Semaphore // a token for each reply
	spin     spin
	watcher  watcher
	kept     keptRequest
	room     int // that replies have needed, in bytes
}

// The words at the beginning of the messages, by offset in bytes.
const (
	wordNumber = 0  // of the call
	wordLength = 8  // of the request: a pickle of function and args
	wordSpin   = 16 // how long the worker may stay awake for the next call, in ns
	wordTaken  = 24 // number of the last reply that Go has taken

	wordBegun   = 64 // number of the last call that the worker has begun; the worker writes it
	wordReplied = 72 // number of the last reply, and so on
	wordKind    = 80
	wordSize    = 88 // of the reply

	messageAt = 128 // where the request is, and then the reply in its place
)

// lengthByConnection in wordLength means that the call comes as a frame.
const lengthByConnection = 0

// Values of wordKind.
const (
	kindByConnection = iota // the reply comes as a frame
	kindReturn
	kindRaise
	kindBytes // the reply is no pickle, but the bytes that are the value
)

const (
	firstMessages = 256 << 10 // size of the first segment of messages
	leastReply    = 64 << 10  // room that a reply has at least
)

// openLane makes the lane to a worker. The worker may refuse it, for example because it sees
// another /dev/shm.
func openLane(ctx context.Context, w *worker, o *Options) (l *lane, err error) {
	l = &lane{worker: w, arena: arena{limit: o.Arena}, spin: newSpin(o)}
	defer func() {
		if err != nil {
			l.wake()
			l.close()
		}
	}()
	if l.messages, err = l.arena.create(firstMessages); err != nil {
		return nil, err
	}
	defer l.messages.m.Unlink()
	for _, s := range []**pyshm.Semaphore{&l.request, &l.done} {
		if *s, err = pyshm.CreateSemaphore(namePattern(), 0); err != nil {
			return nil, err
		}
		defer (*s).Unlink()
	}
	_, err = w.call(ctx, "pyshm.attach", []any{l.messages.m.Name(), l.request.Name(), l.done.Name()})
	return l, err
}

// namePrefix begins the names of all segments and semaphores. They have names only until
// the worker has attached.
var namePrefix = "pyshm_worker_"

func namePattern() string { return namePrefix + "*" }

// wake ends the wait for a reply, when the worker has ended.
func (l *lane) wake() {
	if l.done != nil {
		l.done.Close()
	}
}

// close gives all memory back. No caller uses it any more.
func (l *lane) close() {
	if l.request != nil {
		l.request.Close()
	}
	if l.messages != nil {
		l.messages.m.Close()
	}
	l.arena.close()
}

// write puts a call where the worker finds it: the request, and behind it the bytes to which
// the request refers. It returns false if the call has to go by the connection.
func (l *lane) write(request []byte, attached [][]byte) (fits bool, err error) {
	end, fits := placed(messageAt, len(request))
	for _, data := range attached {
		if fits {
			end, fits = placed(end, len(data))
		}
	}
	if !fits {
		l.worker.id.Add(1)
		return false, l.put(lengthByConnection, nil, nil)
	}
	if need := max(end, messageAt+max(l.room, leastReply)); need > l.messages.size() {
		if err := l.grow(need); err != nil {
			return false, err
		}
	}
	l.worker.id.Add(1)
	if end > l.messages.size() {
		return false, l.put(lengthByConnection, nil, nil)
	}
	return true, l.put(uint64(len(request)), request, attached)
}

// put writes the words of a call, the request, and what is attached to it.
func (l *lane) put(length uint64, request []byte, attached [][]byte) error {
	return l.messages.m.WithBytes(func(b []byte) error {
		binary.NativeEndian.PutUint64(b[wordNumber:], uint64(l.worker.id.Load()))
		binary.NativeEndian.PutUint64(b[wordLength:], length)
		binary.NativeEndian.PutUint64(b[wordSpin:], uint64(l.spin.now()))
		copy(b[messageAt:], request)
		at := alignUp(messageAt + len(request))
		for _, data := range attached {
			words.Copy(b[at:], data)
			at = alignUp(at + len(data))
		}
		return nil
	})
}

// attachedFrom is the length from which on bytes are attached to a request instead of being
// a part of its pickle, which saves two copies.
const attachedFrom = 4 << 10

// attach takes the long bytes out of the arguments. In their place it puts calls of the
// helper, with the distance of the bytes from the end of the request.
func (l *lane) attach(args []any) (rest []any, attached [][]byte) {
	rest, distance := args, 0
	for i, arg := range args {
		data, array := longBytes(arg)
		if data == nil {
			continue
		}
		if attached == nil {
			rest = append([]any{}, args...)
		}
		if array != nil {
			view := l.worker.object(attachedView, distance, len(data))
			rest[i] = l.worker.object(copied, array.Args[0], array.Args[1], view)
		} else {
			rest[i] = l.worker.object(attachedBytes, distance, len(data))
		}
		attached = append(attached, data)
		distance += alignUp(len(data))
	}
	return rest, attached
}

// longBytes returns the long bytes that an argument is, or that the array has which it is.
func longBytes(arg any) (data []byte, array *pickle.Object) {
	switch arg := arg.(type) {
	case []byte:
		data = arg
	case *pickle.Object:
		if arg.Class.Name == copied && len(arg.Args) == 3 {
			data, _ = arg.Args[2].([]byte)
			array = arg
		}
	}
	if len(data) < attachedFrom {
		return nil, nil
	}
	return data, array
}

// grow replaces the segment of messages by one of at least so many bytes, if the arena has
// room for it.
func (l *lane) grow(need int) error {
	size := roundUp(need)
	if size > l.arena.limit-l.arena.size {
		if err := l.arena.drop(l); err != nil {
			return err
		}
	}
	grown, err := l.arena.create(size)
	if err != nil {
		return nil // messages go by the connection
	}
	defer grown.m.Unlink()
	if err := l.control("pyshm.messages", grown.m.Name()); err != nil {
		l.arena.forget(grown)
		return err
	}
	old := l.messages
	l.messages = grown
	l.arena.forget(old)
	return nil
}

// control calls a function of the helper itself, whatever happens to the caller's context: a
// worker that does not do these at once has to end.
func (l *lane) control(function string, args ...any) error {
	request, err := pickle.Marshal(pickle.Tuple{function, pickle.Tuple(args)})
	if err != nil {
		return err
	}
	w := l.worker
	w.id.Add(1)
	if err := l.put(uint64(len(request)), request, nil); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), controlTimeout)
	defer cancel()
	if err := w.post(); err != nil {
		return err
	}
	r, err := w.await(ctx, function)
	if err == nil && r.raised != nil {
		err = r.raised
	}
	if err != nil && !isDone(w.gone) {
		w.log.Error("worker does not share memory", "error", err)
		w.end()
		return w.crash(function)
	}
	return err
}

// controlTimeout is how long the helper may take to attach to a segment.
const controlTimeout = 5 * time.Second

// read waits for the token of a reply and reads the reply. If it returns false, the reply
// comes by the connection.
func (l *lane) read(ctx context.Context) (r reply, here bool, err error) {
	seen, err := l.watcher.watch(l.spin.now(), l.done.TryAcquire, l.hasBegun)
	if err == nil && !seen {
		err = l.done.Acquire(ctx)
	}
	if err != nil {
		return reply{}, false, err
	}
	var kind uint64
	var b []byte
	err = l.messages.m.WithBytes(func(memory []byte) error {
		r.id = int64(binary.NativeEndian.Uint64(memory[wordReplied:]))
		binary.NativeEndian.PutUint64(memory[wordTaken:], uint64(r.id))
		kind = binary.NativeEndian.Uint64(memory[wordKind:])
		length := binary.NativeEndian.Uint64(memory[wordSize:])
		if kind == kindByConnection {
			return nil
		}
		if size := uint64(len(memory)); length > size-messageAt {
			return protocolf("a reply of %d bytes at %d, in %d", length, messageAt, size)
		}
		// A copy: the worker could change the bytes while they are read.
		b = make([]byte, length)
		words.Copy(b, memory[messageAt:])
		return nil
	})
	if err != nil || kind == kindByConnection {
		return r, false, err
	}
	if kind == kindBytes {
		r.value = b
		return r, true, nil
	}
	v, err := pickle.Unmarshal(b, nil)
	if err == nil {
		v, err = l.worker.received(v)
	}
	switch {
	case err != nil:
		return reply{}, false, fmt.Errorf("%w: %w", errProtocol, err)
	case kind == kindReturn:
		r.value = v
	case kind == kindRaise && len(items(v)) == 4:
		r.raised = parseException(items(v))
	default:
		return reply{}, false, protocolf("a reply of kind %d is %s", kind, pickle.Repr(v, 100))
	}
	return r, true, nil
}

// hasBegun reports whether the worker had begun the last call. It errs on the side of yes.
func (l *lane) hasBegun() (begun bool) {
	err := l.messages.m.WithBytes(func(b []byte) error {
		begun = binary.NativeEndian.Uint64(b[wordBegun:]) == uint64(l.worker.id.Load())
		return nil
	})
	return begun || err != nil
}

// needs notes that a reply was too large for the segment of messages.
func (l *lane) needs(room int) { l.room = max(l.room, room) }

// alignment divides the offsets of messages and arrays.
const alignment = 64

func alignUp(n int) int { return (n + alignment - 1) &^ (alignment - 1) }

// placed returns where the next bytes go, behind n bytes at an offset. It reports whether an
// int has room for that: the same bytes may be attached many times.
func placed(at, n int) (next int, fits bool) {
	if n > math.MaxInt-(alignment-1)-at {
		return 0, false
	}
	return alignUp(at + n), true
}
