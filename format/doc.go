// Package format reads and writes the bytes of Python's
// multiprocessing.shared_memory.ShareableList, in place or as a copy.
//
// It works on a []byte and knows nothing of operating systems: package pyshm
// provides the shared memory. LAYOUT.md beside this file specifies the layout, with
// byte tables and an annotated hexdump. The layout was taken from
// Lib/multiprocessing/shared_memory.py of CPython 3.8 to 3.15. It is checked
// against bytes that those interpreters wrote (testdata at the module's top).
//
// # Values
//
// A list holds these kinds of item:
//
//	Python   Go, read   Go, accepted on write
//	int      int64      every built-in integer type, if the value fits int64
//	float    float64    float32, float64 (all bits kept, NaN payloads too)
//	bool     bool       bool
//	None     nil        nil
//	str      string     string of valid UTF-8
//	bytes    []byte     []byte (reading gives a copy)
//
// A value that would not be read back unchanged is refused before a byte is
// written: a str or bytes ending in NUL ([ErrTrailingNUL], every Python strips
// the NULs), invalid UTF-8 ([ErrUTF8]), an integer beyond int64 ([ErrRange]), a value
// beyond [MaxText] bytes ([ErrTooLarge]), and every other type ([ErrType]).
//
// # Hostile bytes
//
// Any other process may write anything into shared memory at any time. Every
// access is checked against the buffer. Whatever the buffer holds, no call panics,
// reads or writes outside of it, or allocates more than its size justifies. The
// call returns an error that wraps [ErrCorrupt], [ErrIncomplete] or [ErrBusy].
//
// # Concurrency
//
// A [List] has no lock. Several goroutines and processes may call its methods at
// once without harm to memory. Readers and writers that share a lock read exactly the
// values that were written. Without a lock, the result depends on the write that a
// read coincides with:
//
//   - Set, SetInt, SetFloat, SetBool or SetNone over the same kind, AddInt and
//     CompareAndSwapInt are one aligned 8-byte store. Every reader, in Go or Python,
//     gets the old value or the new one, as long as no process changes the kind.
//   - Every other Set, of text or to another kind, takes several stores. A reader in
//     Go that finds the item in between looks again for about 5 ms and then returns
//     [ErrBusy]. A reader in Python looks only once and raises ValueError.
//   - A reader without a lock can also miss that Set: in Go if the whole Set happens
//     between two looks, in Python more easily. It can then get text of old and new
//     bytes, or the bytes of one kind as another. Python may also raise
//     AttributeError or UnicodeDecodeError.
//   - Python's writes are never atomic. CPython zeroes the bytes before it stores
//     them, so a reader can get 0, False or a shorter text that no process wrote.
//     CPython writes format and code before the value, so a reader can get the old
//     bytes as the new kind. int, float and bool have the same code: a consistent
//     header does not prove a consistent value. PyPy writes byte by byte, numbers
//     too. Half a format is [ErrCorrupt] if it stays for 5 ms, and it stays forever
//     if the process has died.
//   - Two writers of the same item need a lock, unless both write it in one store.
//     Without a lock the item can keep a mixture of both values, or a header that
//     reads as [ErrBusy], until the next Set, although both calls returned nil.
//
// More than one item, and more than one step:
//
//   - [List.AddInt] and [List.CompareAndSwapInt] are atomic against each other and
//     against SetInt in all Go processes, as long as no process changes the item's
//     kind. They are not atomic against Python's writes.
//   - [List.Values], [List.All], [List.CopyInts], [List.CopyFloats], [List.Index],
//     [List.Count] and [List.Check] look at one item after the other. The values
//     that they return need not have been in the list at any one time.
//   - The stores of a process become visible to others in their order. A later load may
//     come before a Set's store: a process that sets an item and then looks at another
//     word needs AddInt, CompareAndSwapInt or a lock in between, to be sure that a
//     process that does the reverse sees one or the other.
//   - A process that dies in the middle of a Set leaves the old value, the new
//     one, or an item that reads as [ErrBusy], in Python as ValueError, until the
//     next Set by Go or Python. A Python that dies while it sets an item can leave
//     every state that a reader can get in between.
package format
