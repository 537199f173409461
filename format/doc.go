// Package format reads and writes the bytes of Python's
// multiprocessing.shared_memory.ShareableList, in place or as a copy.
//
// It works on a []byte and knows nothing of operating systems: package pyshm
// brings the shared memory. The layout, with byte tables and an annotated
// hexdump, is specified in LAYOUT.md beside this file; it was taken from
// Lib/multiprocessing/shared_memory.py of CPython 3.8 to 3.15 and is checked
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
// processes at once without harm to memory. Readers and writers that share a lock
// get what was written. Without one, it depends on the write that a reader meets:
//
//   - Set, SetInt, SetFloat, SetBool or SetNone over the same kind, AddInt and
//     CompareAndSwapInt are one aligned 8-byte store. Every reader, Python's too,
//     gets the old value or the new one, while nobody changes the kind.
//   - Every other Set takes several stores: text, and a change of kind. A reader
//     that finds the item in between looks again for about 5 ms and then answers
//     [ErrBusy]; Python raises ValueError. A reader that is overtaken between two
//     looks, and Python looks only once, can get text of old and new bytes, or the
//     bytes of one kind as another, for which Python may also raise AttributeError
//     or UnicodeDecodeError.
//   - Python's writes are never atomic. CPython zeroes the bytes before it stores
//     them, so a reader can get 0, False or a shorter text although nobody wrote
//     that; and it writes format and code before the value, so that a reader can
//     get the old bytes as the new kind. int, float and bool have the same code: a
//     consistent header does not prove a consistent value. PyPy writes byte by byte,
//     numbers too; half a format is [ErrCorrupt] if it stays for 5 ms, or forever
//     because the process has died.
//   - Two that set one item at a time need a lock, unless both do so in one store:
//     without it the item can keep a mixture of both values, or a header that reads
//     as [ErrBusy], until the next Set, although both have returned nil.
//
// More than one item, and more than one step:
//
//   - [List.AddInt] and [List.CompareAndSwapInt] are atomic against each other and
//     against SetInt in all Go processes, while nobody changes the item's kind.
//     They are not atomic against Python's writes.
//   - [List.Values], [List.All], [List.CopyInts], [List.CopyFloats], [List.Index],
//     [List.Count] and [List.Check] look at one item after the other. What they
//     return need not have been in the list at any one time.
//   - A process that dies in the middle of a Set leaves the old value, the new
//     one, or an item that reads as [ErrBusy], in Python as ValueError, until the
//     next Set, by Go or Python. A Python that dies while it sets an item can leave
//     all that a reader can get in between.
package format
