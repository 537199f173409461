package format

import (
	"encoding/binary"
	"io"
	"sync"
)

// AttachMapped is [Attach], or with readOnly [AttachReadOnly], for a buf that is the
// mapping of a file from its first byte on. If it can, it reads the words that it needs
// from the file. That takes less time, because it is the first use of a mapped page that
// takes most, and it leaves all pages of the mapping untouched.
func AttachMapped(buf []byte, file io.ReaderAt, readOnly bool) (*List, error) {
	l, ok := attachFile(buf, file)
	if !ok {
		var err error
		if l, err = Attach(buf); err != nil {
			return nil, err
		}
	}
	l.readOnly = readOnly
	return l, nil
}

// attachFile attaches to a list that has items, the usual layout, and a format of its
// first item. It leaves any other list, and all errors, to Attach, which reads memory.
func attachFile(buf []byte, file io.ReaderAt) (*List, bool) {
	if !isAligned(buf) || len(buf) < wordSize+minItem {
		return nil, false
	}
	w := fileReaders.Get().(*fileWords)
	w.file, w.n, w.err = file, 0, nil
	defer func() {
		w.file = nil
		fileReaders.Put(w)
	}()
	count, first := w.at(0), w.at(tableStart)
	if w.err != nil || count == 0 || count > maxItems(buf) || first != 0 {
		return nil, false
	}
	l := &List{buf: buf, n: int(count), patience: patience}
	entry := tableStart + l.n*wordSize
	if entry+wordSize > len(buf) || l.placeOffsets(entry, w.at(entry)) != nil {
		return nil, false
	}
	started := w.at(l.areas.formats) != 0
	return l, started && w.err == nil
}

// fileReaders has fileWords to use again: they are larger than all else that an attach
// needs.
var fileReaders = sync.Pool{New: func() any { return new(fileWords) }}

// fileWords reads words of a file.
type fileWords struct {
	file io.ReaderAt
	head [512]byte // of the file; a small list is read whole by the first read
	n    int       // bytes of head that have been read
	word [wordSize]byte
	err  error
}

// at returns the word at off. It sets err if the file has none there.
func (w *fileWords) at(off int) uint64 {
	if w.n == 0 && w.err == nil {
		if w.n, w.err = w.file.ReadAt(w.head[:], 0); w.err == io.EOF && w.n > 0 {
			w.err = nil
		}
	}
	if off+wordSize <= w.n {
		return binary.NativeEndian.Uint64(w.head[off:])
	}
	if w.err == nil {
		_, w.err = w.file.ReadAt(w.word[:], int64(off))
	}
	return binary.NativeEndian.Uint64(w.word[:])
}
