package pyshm

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"

	"github.com/pyshm-go/pyshm/format"
	"github.com/pyshm-go/pyshm/format/npy"
	"github.com/pyshm-go/pyshm/pyshm/internal/sem"
	"github.com/pyshm-go/pyshm/pyshm/internal/shmfile"
)

// ErrBroken is the reason when a barrier is broken: a party has given up waiting, or has
// called [Barrier.Abort], or has called [Barrier.Reset] while others waited. Python raises
// BrokenBarrierError. A broken barrier stays broken until Reset.
var ErrBroken = errors.New("the barrier is broken")

// A Barrier is a handle to a barrier that several processes share, the counterpart of
// Python's multiprocessing.Barrier: each of a fixed number of parties calls Wait, and Wait
// returns when all have called it. Then the barrier can be used again. It consists of a
// [Condition] and of memory with a state and a count, and works by CPython's rules.
//
// A barrier that Go makes is a .npy file in a segment, NAME, with the fields state, count
// and parties, and the condition NAME. attach_barrier of pyshm_attach.py returns the object
// that multiprocessing.Barrier returns. A barrier that Python makes has no name; parts
// returns where it is, for [AttachBarrierParts].
//
// All methods acquire the condition's lock, which others hold for moments only. A party
// that is killed while it waits stays counted. The next party, or Abort, or Reset, then
// waits for it to wake up: in Python without an end, in Go until the context is done. The
// barrier never fills again. [Barrier.Repair] is the remedy.
//
// The methods may be called by several goroutines at once, Close included.
type Barrier struct {
	cond    Condition
	words   Array[barrierWords]
	parties int32
}

// barrierWords are the memory of Python's barrier.
type barrierWords struct{ state, count int32 }

// barrierRecord is the memory of a barrier that Go makes.
type barrierRecord struct{ state, count, parties int32 }

// The states of a barrier, as in CPython.
const (
	barrierFilling   = 0
	barrierDraining  = 1  // the last party has come, and parties leave
	barrierResetting = -1 // parties leave with ErrBroken
	barrierBroken    = -2
)

// BarrierParts are where a [Barrier] of Python is, with the number of its parties. Their
// JSON is the dict that pyshm_attach.parts returns in Python.
type BarrierParts struct {
	ConditionParts
	MemoryParts
	Parties int `json:"parties"`
}

// CreateBarrier makes a barrier for a number of parties, from 1 on, which no party waits
// for. It has the semaphores that [CreateCondition] describes, and the segment NAME, which
// appears last. NAME may be a pattern, as for [Create], but not empty.
//
// A process that dies half-way leaves some of the names, which Unlink("sem.NAME.wait") and
// so on remove.
func CreateBarrier(name string, parties int, opts ...ModeOption) (*Barrier, error) {
	b, err := createBarrier(name, parties, newCreateOptions(opts))
	return b, wrap("create barrier", name, err)
}

func createBarrier(pattern string, parties int, o createOptions) (b *Barrier, err error) {
	n, err := parsePattern(memberNames, pattern)
	if err != nil {
		return nil, err
	}
	_, err = n.give(func(name string) error {
		b, err = newBarrier(name, parties, o)
		return err
	})
	return opened(b, err)
}

// newBarrier is createBarrier for a name in which a star is an ordinary character.
func newBarrier(name string, parties int, o createOptions) (*Barrier, error) {
	if err := checkParties(parties); err != nil {
		return nil, err
	}
	header, err := barrierHeader()
	if err != nil {
		return nil, err
	}
	b := new(Barrier)
	err = makeWithMemory(b.cond.begin(name), o, func() error {
		_, err := createNamed(name, content{
			size: len(header) + 3*4,
			fill: func(w io.WriterAt) error {
				_, err := w.WriteAt(header, 0)
				if err == nil {
					_, err = w.WriteAt(bytesOf(&barrierRecord{state: barrierFilling, count: 0, parties: int32(parties)}), int64(len(header)))
				}
				return err
			},
			open: b.openNamed,
		}, o)
		return err
	})
	return opened(b, err)
}

func barrierHeader() ([]byte, error) {
	d, err := npy.DtypeOf[barrierRecord]()
	if err != nil {
		return nil, ofNpy(err)
	}
	header, err := npy.AppendHeader(nil, npy.Header{Dtype: d})
	return header, ofNpy(err)
}

func checkParties(parties int) error {
	if parties < 1 || parties > math.MaxInt32 {
		return invalid("a barrier has 1 to %d parties, not %d", math.MaxInt32, parties)
	}
	return nil
}

// AttachBarrier attaches to a barrier that [CreateBarrier] has made. The error is
// [npy.ErrHeader] or [npy.ErrMismatch] if the segment holds something else.
func AttachBarrier(name string) (*Barrier, error) {
	b, err := attachBarrier(name)
	return b, wrap("attach barrier", name, err)
}

func attachBarrier(name string) (*Barrier, error) {
	if err := sem.Supported(); err != nil {
		return nil, err
	}
	b := new(Barrier)
	_, err := attachTo(segmentNames, name, attachOptions{}, func(m *SharedMemory, f *shmfile.File) error {
		if err := b.openNamed(m, f); err != nil {
			return err
		}
		return openMembersOf(m.owner, b.cond.begin(m.name))
	})
	return opened(b, err)
}

// AttachBarrierContext is [AttachBarrier] for a barrier that may not exist yet: it waits
// until the barrier exists, as [AttachContext] does.
func AttachBarrierContext(ctx context.Context, name string) (*Barrier, error) {
	return await(ctx, func() (*Barrier, error) { return AttachBarrier(name) })
}

// OpenBarrier attaches to the barrier that has the name, or creates it as [CreateBarrier]
// does if there is none. A barrier for another number of parties is [fs.ErrExist].
// [OpenCondition] has the details.
func OpenBarrier(name string, parties int, opts ...ModeOption) (*Barrier, error) {
	var b *Barrier
	err := openOrCreate(func() (err error) {
		b, err = attachBarrier(name)
		if err != nil || b.Parties() == parties {
			return err
		}
		other := &reason{fmt.Sprintf("the barrier has %d parties, not %d", b.Parties(), parties), fs.ErrExist}
		return cmp.Or(b.Close(), error(other))
	}, func() error {
		n, err := checkNewName(memberNames, name)
		if err == nil {
			b, err = newBarrier(n.name, parties, newCreateOptions(opts))
		}
		return err
	})
	return opened(b, wrap("open barrier", name, err))
}

// AttachBarrierParts attaches to a barrier of Python's multiprocessing, by its memory and
// by the names of its semaphores. It fails as [AttachArrayParts] and
// [AttachConditionParts] do.
//
// In Python the semaphores have names if the barrier was made in the context spawn or
// forkserver. parts refuses a barrier with an action, which only Python can call: it would
// not be called if the last party is in Go.
func AttachBarrierParts(parts BarrierParts) (*Barrier, error) {
	b := new(Barrier)
	b.cond.init(parts.Lock)
	err := checkParties(parts.Parties)
	if err == nil {
		err = parts.attachTo(attachOptions{}, func(m *SharedMemory) error {
			if err := b.open(m, parts.Offset, int32(parts.Parties)); err != nil {
				return err
			}
			return openMembers(b.cond.members(parts.ConditionParts))
		})
	}
	return opened(b, wrap("attach barrier", parts.Lock, err))
}

// openNamed opens b on the memory of a barrier that Go has made.
func (b *Barrier) openNamed(m *SharedMemory, f *shmfile.File) error {
	var record Array[barrierRecord]
	if err := record.open(m, f); err != nil {
		return err
	}
	if len(record.shape) > 0 {
		return &reason{fmt.Sprintf("it is an array of shape %s, not a barrier", tuple(record.shape)), npy.ErrMismatch}
	}
	r, err := record.At()
	if err != nil {
		return err
	}
	if r.parties < 1 {
		return &reason{fmt.Sprintf("it has %d parties", r.parties), format.ErrCorrupt}
	}
	return b.open(m, record.offset, r.parties)
}

// open opens b on the state and the count, which are at the offset.
func (b *Barrier) open(m *SharedMemory, offset int, parties int32) error {
	d, err := npy.DtypeOf[barrierWords]()
	if err != nil {
		return ofNpy(err)
	}
	b.parties = parties
	return b.words.viewInfo(m, ArrayInfo{Dtype: d.String(), Offset: offset})
}

// Name returns the name by which the barrier was created or attached, or the name of its
// condition's lock after [AttachBarrierParts].
func (b *Barrier) Name() string { return b.cond.Name() }

// String returns, for example, Barrier('start', parties=4).
func (b *Barrier) String() string {
	return fmt.Sprintf("Barrier(%s, parties=%d)", format.Repr(b.Name()), b.parties)
}

// Parties returns the number of parties.
func (b *Barrier) Parties() int { return int(b.parties) }

// Waiting returns the number of parties that wait for others, as n_waiting does in Python.
// It may be out of date when Waiting returns.
func (b *Barrier) Waiting() (int, error) {
	w, err := b.look("waiting")
	if w.state != barrierFilling {
		return 0, err
	}
	return int(w.count), err
}

// Broken reports whether the barrier is broken. It may be out of date when Broken returns.
func (b *Barrier) Broken() (bool, error) {
	w, err := b.look("broken")
	return w.state == barrierBroken, err
}

// look is load without the lock.
func (b *Barrier) look(op string) (w barrierWords, err error) {
	if b.cond.isClosed() { // with the lock, a party goes on for a moment
		return w, wrap(op, b.Name(), errClosed)
	}
	if w, err = b.load(); err != nil {
		return barrierWords{}, rewrap(op, b.Name(), err)
	}
	return w, nil
}

// load returns the state and the count. What no party stores is [format.ErrCorrupt].
func (b *Barrier) load() (barrierWords, error) {
	w, err := b.words.At()
	if err == nil && (w.state < barrierBroken || w.state > barrierDraining || w.count < 0 || w.count > b.parties) {
		err = b.corrupt(w)
	}
	return w, err
}

func (b *Barrier) corrupt(w barrierWords) error {
	return &reason{fmt.Sprintf("its state is %d, and %d of %d parties are counted", w.state, w.count, b.parties), format.ErrCorrupt}
}

// Current reports whether the names still lead to this barrier. [SharedMemory.Current] has
// the details. A barrier of Python has only the names of its semaphores, which go when
// Python's object ends.
func (b *Barrier) Current() (bool, error) {
	current, err := b.cond.Current()
	if current && err == nil && !b.words.m.isNameless() {
		current, err = b.words.Current()
	}
	return current, rewrap("current", b.Name(), err)
}

// Unlink removes the names, before or after Close. If it cannot remove one of them, it
// removes the others and returns the error of [SharedMemory.Unlink]. A barrier that Python
// has made has nothing to unlink, and the error is [fs.ErrNotExist].
func (b *Barrier) Unlink() error { return unlinkWithMemory(b.words.m, b.cond.semaphores()) }

// Close detaches from the barrier. A call of [Barrier.Wait] that waits breaks the barrier,
// as if its context were done, and gets [fs.ErrClosed], as does every later call. Calling
// Close again does nothing.
func (b *Barrier) Close() error {
	return b.cond.gate.close(func() error { return closeWithMemory(b.words.m, b.cond.semaphores()) })
}
