// Package npy reads and writes the headers of numpy's .npy files, and the dtypes in
// them. A .npy file in shared memory is an array that Python opens with one line,
//
//	a = np.load("/dev/shm/NAME", mmap_mode="r+")
//
// and that says itself what its bytes are. Package npy knows nothing of operating
// systems; LAYOUT.md beside this file has the byte diagram and what else another
// language needs.
//
// # Reading
//
// [ParseHeader] gives a [Header]: dtype, shape and order. [DtypeOf] gives the dtype of
// a Go type, and [Header.As] or [Dtype.Check] compares the two, once, before any
// element is looked at as a Go value: names, offsets, kinds, sizes, units, byte order
// and padding.
//
// # Writing
//
// [AppendHeader] writes what every numpy from 1.17 on opens: the text that numpy
// writes, in version 1.0. The data follows it at once, at a multiple of 64, elements
// in C or Fortran order with nothing between them.
//
// # Hostile bytes
//
// Any other process may have written a header, and may change it meanwhile. ParseHeader
// copies the text once. Whatever it holds, no call panics, evaluates anything, reads
// outside of the buffer, or allocates more than 64 bytes for a byte of the text; and
// what is accepted means the same to numpy. That holds for headers that numpy never
// writes, too: they are either read as numpy reads them or refused.
//
// The elements can have any value. None is wrong for the types that [DtypeOf] accepts,
// which is why bool is not among them; [GetText] checks characters.
//
// # Concurrency
//
// All functions and methods may be called from several goroutines at once, except that
// [Dtype.Swap] and [PutText] write to what they are given.
package npy
