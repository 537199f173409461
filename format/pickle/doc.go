// Package pickle reads and writes Python's pickles of plain data. Nothing is
// imported or called: a value that is not plain data becomes an inert [Object],
// which names the class or function that Python would call, and is written back as it
// came.
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
// A fixed offset is a datetime.timezone of whole seconds. A time.Time is written
// with the offset that it has at that moment, as a datetime.timezone, named if the
// location was made by time.FixedZone with a name. Maps are written in the order of
// their keys. A nil slice is an empty list, a nil []byte empty bytes, a nil map an
// empty dict. Named types (type Color int), arrays, structs and pointers are not
// accepted, except those in the table.
//
// A value that writing would change is refused: nanoseconds, years that Python
// does not have, strings that are no UTF-8 ([ErrValue], [ErrUTF8]). str and bytes
// of Python 2 are read as string if they are ASCII and as []byte otherwise. Python 2's
// names of modules and classes, in protocols 0 to 2, become Python 3's.
//
// # Identity
//
// What a pickle refers to several times is one value in Go: the same pointer, or
// slices that share their elements. Changing it in one place changes it in all,
// like in Python. Marshal in turn writes once a value that is the same in memory:
// pointers, maps, and slices with the same start and length. Values that contain themselves
// are refused in both directions ([ErrRecursive]): package fmt, for one, ends the
// process when it prints them.
//
// [Dict] and [Set] find keys as Python does; [Equal] compares as Python does.
//
// # Hostile pickles
//
// Pickles come from other processes, and Unmarshal takes them for hostile: whatever
// the bytes are, it does not panic, and takes time and memory in proportion to their
// length. Real pickles take 10 to 30 bytes of memory for each byte, one made for the
// purpose about 250. [Limits] has further bounds; the most important one is on the
// size of the value as a walk through it meets it. Every value that Unmarshal returns
// can be given to Marshal, Equal and the String methods at a cost in proportion to
// its pickle. Decimal digits of an int are limited to 4300, as in Python.
//
// These opcodes are refused with [ErrUnsupported], since they need something
// besides the bytes: PERSID and BINPERSID (a function of the reader), EXT1, EXT2 and
// EXT4 (a registry), NEXT_BUFFER and READONLY_BUFFER (buffers sent apart). So are a
// few uses of opcodes that no pickler of Python makes and that an Object cannot keep:
// a second state, items that come after the state, a call whose result is thrown
// away.
//
// The functions may be called from several goroutines at once. Several
// goroutines may read one value, as long as none changes it.
package pickle
