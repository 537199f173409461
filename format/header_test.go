package format

import (
	"testing"
	"time"

	"github.com/pyshm-go/pyshm/internal/words"
)

// The waits for many items add up to one patience. With a patience of 0 there is no wait.
func TestWaiter(t *testing.T) {
	const patience = 2 * time.Millisecond
	var pause backoff
	for pause.again(patience) {
	}
	if pause.tries == 0 || pause.spent < patience {
		t.Errorf("%d looks in %v", pause.tries, pause.spent)
	}
	if pause.next(); pause.again(patience) {
		t.Error("more patience than there was")
	}
	if pause = (backoff{}); pause.again(0) {
		t.Error("patience where there is none")
	}
}

// Time spent between two looks counts too: a text of megabytes whose header keeps
// changing is not read a hundred times.
func TestWaiterCountsReading(t *testing.T) {
	const patience = 2 * time.Millisecond
	var pause backoff
	reads := 0
	for pause.next(); pause.again(patience); reads++ {
		time.Sleep(patience / 2)
	}
	if reads > 3 {
		t.Errorf("%d reads that took half of the patience each", reads)
	}
}

// A header that settles within the patience is read. A header that changes at every
// look is an error. Neither read waits forever.
func TestReread(t *testing.T) {
	buf, err := Encode([]any{"abc"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	l, err := Attach(buf)
	if err != nil {
		t.Fatal(err)
	}
	settled := l.formats[0]
	changeCode := func() { l.codes[0] = codeStr + codeBytes - l.codes[0] }
	changeFormat := func() { l.formats[0] ^= formatWord("8s") ^ formatWord("7s") }
	patient := l.WithPatience(time.Minute)
	for changes := range 100 {
		for _, change := range []func(){changeCode, changeFormat} {
			reads := 0
			r, pause := patient.reading(0, 0), backoff{}
			for r.again(&pause) {
				if reads++; reads <= changes {
					change()
				}
			}
			if r.err != nil || reads != changes+1 {
				t.Errorf("%d changes: %d reads, %v", changes, reads, r.err)
			}
		}
	}
	start := time.Now()
	r, pause := l.reading(0, 0), backoff{}
	for r.again(&pause) {
		changeCode()
	}
	if took := time.Since(start); r.err != errChanging || took > time.Second {
		t.Errorf("a header that keeps changing: %v after %v", r.err, took)
	}

	go func() {
		words.Store64(&l.formats[0], formatBusy)
		time.Sleep(time.Millisecond)
		words.Store64(&l.formats[0], settled)
	}()
	for range 20 {
		if _, err := patient.Get(0); err != nil {
			t.Error(err)
		}
	}
}
