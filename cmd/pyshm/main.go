// Pyshm looks into, makes and changes the shared memory of Python's
// multiprocessing.shared_memory, without Python.
//
// Exit status: 0; 1 if the command failed; 2 if the command line is wrong. An error
// is one line on standard error. The commands run and lock have the exit status of
// the program that they run, 126 if the program cannot be started, and 127 if it
// cannot be found.
//
// # JSON
//
// With --json, get, show, ls and doctor print JSON that scripts can rely on: members
// may be added, but keep their names and meanings. An item of a list is
//
//	{"index":0,"kind":"float","value":1.5,"repr":"1.5"}
//
// repr is the value exactly as Python's repr prints it. The commands set and create
// take it in this form. value is the same value as JSON, by the item's kind:
//
//	int        a number with all its digits; readers that keep numbers in
//	           doubles round it beyond 2^53 and should use repr
//	float      a number, or null for inf, -inf and nan
//	bool       true or false
//	NoneType   null
//	str        a string
//	bytes      a string, in base64
//
// Bytes of a name outside of UTF-8 are \udc80 to \udcff, as in Python's os.fsdecode.
//
// In the output of show, an item also has its format, offset and capacity. An item
// that cannot be read has an error and no value. An array of numbers has min and max, which
// are texts as repr, their mean, and the number of nans, which these leave out. If show was
// asked for a part, an array has the elements, and a block has its bytes, in base64. A
// semaphore has its value and waiters.
//
// doctor prints an array of findings: {"level":"look","about":"/dev/shm","text":"...",
// "do":"..."}. level is ok, look or wrong; do is missing if level is ok.
//
// In the output of ls, a segment has its name, kind, size in bytes, owner, uid, mode
// in octal, and the time of its last modification, which is usually when it was made.
// A time outside of the years 1 to 9999 is printed as the nearest time inside. A list
// also has its layout and length, a semaphore its value and waiters. An array has, here
// and in the output of show, its dtype, shape and fortran_order. A ring has its number of
// slots, the dtype and shape of a frame, and newest, which is how many frames have been
// published. The kinds are
//
//	list
//	array       a numpy array with its header
//	ring        slots for frames, of which readers copy the newest one
//	block       any other memory
//	semaphore   a lock, whose value is 0 while it is held, or another semaphore
//	foreign     a semaphore of another libc
//	incomplete  of size 0
//	unreadable  could not be looked at
package main

import "os"

func main() {
	os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}
