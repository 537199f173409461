// Package format reads and writes the bytes of Python's
// multiprocessing.shared_memory.ShareableList, in place or as a copy.
//
// It works on a []byte and knows nothing of operating systems: package pyshm
// brings the shared memory. The layout, with byte tables and an annotated
// hexdump, is specified in LAYOUT.md beside this file; it was taken from
// Lib/multiprocessing/shared_memory.py of CPython 3.8 to 3.14 and is checked
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
// What cannot be read back as it was given is refused before a byte is
// written: a str or bytes ending in NUL ([ErrTrailingNUL], every Python strips
// them), invalid UTF-8 ([ErrUTF8]), integers beyond int64 ([ErrRange]), values
// beyond [MaxText] bytes ([ErrTooLarge]) and all other types ([ErrType]).
//
// # Hostile bytes
//
// Any other process may write anything into shared memory at any time. Every
// access is checked against the buffer: whatever it holds, no call panics,
// reads or writes outside of it, or allocates more than its size justifies.
// Errors wrap [ErrCorrupt], [ErrIncomplete] or [ErrBusy] then.
//
// # Concurrency
//
// A [List] has no lock. Its methods may be called from several goroutines and
// processes at once without harm to memory, but a value is only sure to be
// what somebody wrote under these conditions:
//
//   - Setting a number, bool or None on an item that already has that kind is
//     one aligned 8-byte store: a reader sees the old value or the new one.
//   - [List.AddInt] and [List.CompareAndSwapInt] are atomic against each other,
//     in all Go processes, while nobody changes the item's kind.
//   - Everything else needs a lock that all writers and readers share: strings
//     and changes of kind take several stores. A reader that meets a header in
//     the middle of a change retries for about 5 ms and then answers [ErrBusy].
//   - CPython's own writes are never atomic. It zeroes the bytes first, so a
//     reader without the lock can see a zero; and int, float and bool share a
//     back-transform code, so a reader can see an old value as another kind.
//     A consistent header does not prove a consistent value.
package format
