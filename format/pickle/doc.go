// Package pickle reads and writes Python's pickles of plain data. Nothing is
// imported or called. Any other value becomes an inert [Object], which names the class
// or function that Python would call. An Object is written back unchanged.
//
// [Unmarshal] reads protocols 0 to 5. [Marshal] writes protocol 4, which every
// Python from 3.4 on reads; [Append] also writes protocol 2.
//
// # Values
//
//	Python                     Go, read                   Go, accepted on write besides
//	None                       nil
//	bool                       bool
//	int                        int64, *big.Int beyond it  every built-in integer type
//	float                      float64                    float32
//	complex                    complex128                 complex64
//	str                        string                     string of valid UTF-8
//	str with lone surrogates   Surrogates
//	bytes                      []byte
//	bytearray                  ByteArray
//	list                       []any                      slices of accepted types
//	tuple                      Tuple
//	dict                       *Dict                      maps with string or integer keys
//	set, frozenset             *Set, *FrozenSet
//	date                       Date
//	time                       TimeOfDay
//	datetime, naive            DateTime
//	datetime, fixed offset     time.Time                  time.Time of any location
//	datetime, other tzinfo     DateTime with Zone
//	timedelta                  time.Duration
//	timedelta over 292 years   TimeDelta                  TimeDelta of any length
//	Decimal                    Decimal
//	class, function, ...       Class
//	everything else            *Object
//
// A fixed offset is a datetime.timezone of whole seconds. A time.Time is written as a
// datetime.timezone with the offset that the location has at that moment. The timezone
// has a name if the location was made by time.FixedZone with a name. Maps are written
// in the order of their keys. A nil slice is written as an empty list, a nil []byte as
// empty bytes, and a nil map as an empty dict. Except for the types in the table, named
// types (type Color int), arrays, structs and pointers are not accepted.
//
// A value that writing would change is refused: nanoseconds, years that Python
// does not have, strings of invalid UTF-8 ([ErrValue], [ErrUTF8]). str and bytes
// of Python 2 are read as string if they are ASCII and as []byte otherwise. In
// protocols 0 to 2, Python 2's names of modules and classes become Python 3's names.
//
// # Identity
//
// A value to which a pickle refers several times is one value in Go: the same pointer,
// or slices that share their elements. A change in one place changes it in all places,
// as in Python. Marshal likewise writes a value once if it is the same in memory: a
// pointer, a map, or slices with the same start and length. Values that contain
// themselves are refused in both directions ([ErrRecursive]): package fmt, for example,
// ends the process when it prints such a value.
//
// [Dict] and [Set] find keys as Python does; [Equal] compares as Python does.
//
// # Hostile pickles
//
// Pickles come from other processes, and Unmarshal treats them as hostile. Whatever
// the bytes are, it does not panic, and takes time and memory in proportion to their
// length. Real pickles take 10 to 30 bytes of memory for each byte, a pickle made to
// take much memory about 250. [Limits] has further bounds. The most important bound is
// on the size of the value, counted by a walk that visits a value each time it occurs.
// Every value that Unmarshal returns can be given to Marshal, Equal and the String
// methods at a cost in proportion to its pickle. An int has at most 4300 decimal digits,
// as in Python.
//
// These opcodes are refused with [ErrUnsupported], since they need something
// besides the bytes: PERSID and BINPERSID (a function of the reader), EXT1, EXT2 and
// EXT4 (a registry), NEXT_BUFFER and READONLY_BUFFER (buffers sent apart). A few uses of
// opcodes are also refused, which no pickler of Python makes and which an Object cannot
// keep: a second state, items that come after the state, a call whose result is thrown
// away.
//
// Several goroutines may call the functions at once. Several goroutines may read one
// value, as long as no goroutine changes it.
package pickle
