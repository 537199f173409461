// Package wire speaks the protocol of Python's multiprocessing.connection over a byte
// stream: frames, and the handshake by which both ends prove that they know the same
// key. The caller defines the content of the frames after the handshake.
package wire
