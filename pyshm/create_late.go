package pyshm

import (
	"io"
	"sync"

	"github.com/pyshm-go/pyshm/internal/words"
)

// A lateWriter writes the content of a segment that other processes can see already, all
// but the first word, which end writes. That word is the number of items of a list, and
// the mark of a .npy file. While it is zero, a process that attaches finds an incomplete
// list or array; a Python finds a list without items.
type lateWriter struct {
	w     io.WriterAt
	mu    sync.Mutex // CreateFrom lends the writer to several goroutines
	first [wordSize]byte
	n     int // bytes of first that have been given
}

// WriteAt implements io.WriterAt for offsets from 0 on.
func (l *lateWriter) WriteAt(p []byte, off int64) (n int, err error) {
	if off < wordSize {
		l.mu.Lock()
		n = copy(l.first[off:], p)
		l.n = max(l.n, int(off)+n)
		l.mu.Unlock()
	}
	if n == len(p) {
		return n, nil
	}
	written, err := l.w.WriteAt(p[n:], off+int64(n))
	return n + written, err
}

// end writes the first word: the other writes come before it for every reader.
func (l *lateWriter) end() error {
	words.OrderStores()
	_, err := l.w.WriteAt(l.first[:l.n], 0)
	return err
}
