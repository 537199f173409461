// Package testkit has the helpers that all tests of this module share: they name
// segments, start processes, and find everything that a test leaves behind. A package
// of tests begins with
//
//	func TestMain(m *testing.M) { testkit.Main(m) }
//
// Where pyshm has no shared memory, a test is skipped when it asks for a name. A test of
// what only Linux has begins with [NeedLinux] or the like.
package testkit
