// Package testkit is what the tests of this module share: the names that they
// give to segments, the processes that they start, and the search for what they
// leave behind. A package of tests begins with
//
//	func TestMain(m *testing.M) { testkit.Main(m) }
//
// Shared memory is Linux's /dev/shm here. A test that asks for a name, for
// another process or for a private /dev/shm is skipped on other systems.
package testkit
