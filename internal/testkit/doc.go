// Package testkit has the helpers that all tests of this module share: they name
// segments, start processes, and find everything that a test leaves behind. A package
// of tests begins with
//
//	func TestMain(m *testing.M) { testkit.Main(m) }
//
// Shared memory is Linux's /dev/shm here. On other systems a test is skipped when it
// asks for a name, for another process or for a private /dev/shm.
package testkit
