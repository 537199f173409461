// Package compat runs Go and real Python interpreters against each other.
//
// # Interpreters
//
// [Find] returns the interpreters of this machine, and [ForEach] runs a subtest
// on each of them.
//
// # Values
//
// [EncodeValue] and [DecodeValue] spell the values of a ShareableList as JSON
// without losing anything: an int keeps all its digits, a float its bits.
package compat
