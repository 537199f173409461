package format

import (
	"fmt"
	"runtime"
	"time"

	"github.com/pyshm-go/pyshm/internal/words"
)

// A header is the state of an item's header in memory at one look.
type header struct {
	span
	word uint64
	code int8
	kind Kind
	text int // how many bytes of the slot are text, if the kind is text
}

// header reads the header of item i, and waits for it to settle.
func (l *List) header(i int, pause *backoff) (header, error) {
	at, err := l.span(i)
	if err != nil {
		return header{}, err
	}
	return l.headerOf(i, at, pause)
}

// headerOf is header for a slot that has been looked up.
func (l *List) headerOf(i int, at span, pause *backoff) (header, error) {
	for {
		word, code := words.Load64(&l.formats[i]), l.codes[i]
		kind, text, v := classify(word, code, at.size)
		if v == settled {
			return header{at, word, code, kind, text}, nil
		}
		if pause.again(l.patience) {
			continue
		}
		return header{}, l.unfit(i, word, code, v)
	}
}

// unfit explains a header that has not settled.
func (l *List) unfit(i int, word uint64, code int8, v verdict) error {
	switch v {
	case badFormat:
		return &CorruptError{Field: "format", Index: i, Offset: l.areas.formats + i*wordSize,
			Reason: fmt.Sprintf("%q", formatText(word))}
	case badCode:
		return &CorruptError{Field: "code", Index: i, Offset: l.areas.codes + i,
			Reason: fmt.Sprintf("%d", code)}
	default:
		return fmt.Errorf("%w: format %q, back-transform code %d", ErrBusy, formatText(word), code)
	}
}

// unchanged reports whether the header of item i is still h. If so, a value read in
// between belongs to h, as far as a reader without a lock can know.
func (l *List) unchanged(i int, h header) bool {
	return words.Load64(&l.formats[i]) == h.word && l.codes[i] == h.code
}

// A reading reads item i until its header is the same after the look as before:
//
//	r := l.reading(i, kind)
//	for r.again() {
//		… read the slot as r.header says …
//	}
//	if r.err != nil { … }
//
// The last look counts. A function called with each header would cost as much
// as the look itself.
//
// A Set and a read without a lock go like this:
//
//	Set                         read
//	format = blank              header: format, code
//	   OrderStores                 OrderLoads
//	text                        text
//	code                           OrderLoads
//	   Store64 comes last       header again
//	format = new
//
// A read that gets a byte of the new text sees the blank, or a later format, at its
// second look: the blank was stored before that byte, and the second look comes after
// the byte was loaded. A read whose first look sees the new format gets the new code
// and text. Mixed text is taken for whole text only if a complete Set comes between
// the two looks and ends with the same header.
//
// The text is copied by plain loads and stores. On arm64 these can move past atomic
// ones, hence the barriers. A number is loaded and stored atomically, so peek needs no
// barrier.
type reading struct {
	header // at the last look
	list   *List
	i      int
	want   Kind // the only kind that is right, or 0 for any kind
	looked bool
	err    error
}

func (l *List) reading(i int, want Kind) reading {
	r := reading{list: l, i: i, want: want}
	r.span, r.err = l.span(i)
	return r
}

// again reports whether the slot has to be read, once more or for the first time.
func (r *reading) again(pause *backoff) bool {
	l := r.list
	if r.looked {
		words.OrderLoads()
		if l.unchanged(r.i, r.header) {
			if r.want != 0 && r.kind != r.want {
				r.err = kindErr(r.kind, r.want)
			}
			return false
		}
		if !pause.again(l.patience) {
			r.err = errChanging
			return false
		}
	}
	if r.err != nil { // there is no such slot
		return false
	}
	r.header, r.err = l.headerOf(r.i, r.span, pause)
	r.looked = true
	words.OrderLoads()
	return r.err == nil
}

var errChanging = fmt.Errorf("%w: its header keeps changing", ErrBusy)

// A backoff passes the time until an item has settled: it spins, then yields,
// then sleeps. One backoff serves a whole operation, so that the waits for many
// broken items do not add up. Once the backoff's time is spent it waits no more.
type backoff struct {
	tries int           // for the current item
	spent time.Duration // since the first try for an item, summed over all items
	last  time.Time     // when again returned
}

const (
	spins = 64 // enough for 99 % of CPython's changes
	nap   = 50 * time.Microsecond
)

// next prepares for another item: it may spin anew.
func (b *backoff) next() { b.tries = 0 }

// again waits a little and reports whether to look once more. The time that the caller
// spends between two calls counts as waiting: the caller may be reading megabytes.
func (b *backoff) again(patience time.Duration) bool {
	if b.spent >= patience {
		return false
	}
	now := time.Now()
	if b.tries > 0 {
		b.spent += now.Sub(b.last)
	}
	b.tries++
	if b.tries > 2*spins {
		time.Sleep(nap)
	} else if b.tries > spins {
		runtime.Gosched()
	}
	b.last = time.Now()
	b.spent += b.last.Sub(now)
	return true
}
