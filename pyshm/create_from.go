package pyshm

import (
	"io"
	"io/fs"
	"sync"
)

// CreateFrom makes a segment of size bytes, has fill write its content, and attaches to
// it. The name appears when fill has returned, so that processes that attach see the
// whole content. Bytes that fill does not write are zero. If fill returns an error,
// CreateFrom returns that error as it is, and leaves nothing behind.
//
// Several goroutines may use the writer that fill gets at once, until fill returns. A
// write beyond the size is [fs.ErrInvalid], and writes nothing. See [Create] for names,
// other errors and lifetimes.
func CreateFrom(name string, size int, fill func(io.WriterAt) error, opts ...CreateOption) (*SharedMemory, error) {
	var failed error
	m, err := create(segmentNames, name, content{size: size, fill: func(w io.WriterAt) error {
		b := &boundedWriter{w: w, name: name, size: int64(size)}
		defer b.end()
		failed = fill(b)
		return failed
	}}, newCreateOptions(opts))
	if failed != nil {
		return nil, failed
	}
	return m, wrap(opCreateFrom, name, err)
}

const opCreateFrom = "create from"

// A boundedWriter keeps a caller's function from making a segment longer, and from
// writing when its file is closed.
type boundedWriter struct {
	w     io.WriterAt
	name  string
	size  int64
	mu    sync.RWMutex
	ended bool
}

func (b *boundedWriter) WriteAt(p []byte, off int64) (n int, err error) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	switch {
	case b.ended:
		err = &reason{"the function that fills the segment has returned", fs.ErrClosed}
	case off < 0 || off > b.size || int64(len(p)) > b.size-off:
		err = invalid("%d bytes at offset %d exceed the size of %d", len(p), off, b.size)
	default:
		n, err = b.w.WriteAt(p, off)
	}
	return n, wrap(opCreateFrom, b.name, err)
}

func (b *boundedWriter) end() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ended = true
}
