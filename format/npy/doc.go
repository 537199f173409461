// Package npy reads and writes the headers of numpy's .npy files, and the dtypes in
// them. A .npy file in shared memory is an array that Python opens with one line,
//
//	a = np.load("/dev/shm/NAME", mmap_mode="r+")
//
// and that describes its own bytes. Package npy knows nothing of operating systems.
// LAYOUT.md beside this file has the byte diagram, and everything else that a reader in
// another language needs.
//
// # Reading
//
// [ParseHeader] returns a [Header]: dtype, shape and order. [DtypeOf] returns the dtype
// of a Go type. [Header.As] or [Dtype.Check] compares the two once, before a program
// uses any element as a Go value: names, offsets, kinds, sizes, units, byte order and
// padding.
//
// # Writing
//
// [AppendHeader] writes a header that every numpy from 1.17 on opens: the text that
// numpy writes, in version 1.0. The data follows at once, at a multiple of 64: elements
// in C or Fortran order, with nothing between them.
//
// # Hostile bytes
//
// Any other process may have written a header, and may change it meanwhile. ParseHeader
// copies the text once. Whatever the text holds, no call panics, evaluates anything,
// reads outside of the buffer, or allocates more than 64 bytes for a byte of the text.
// An accepted header means the same to numpy. Even a header that numpy never writes is
// either read as numpy reads it, or refused.
//
// The elements can have any value. No value is wrong for the types that [DtypeOf]
// accepts; this is why it does not accept bool. [GetText] checks characters.
//
// # Concurrency
//
// All functions and methods may be called from several goroutines at once. [Dtype.Swap]
// and [PutText] write to their argument, which no other goroutine may use meanwhile.
package npy
