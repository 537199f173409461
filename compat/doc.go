// Package compat runs Go and real Python interpreters against each other.
//
// # Values
//
// [EncodeValue] and [DecodeValue] spell the values of a ShareableList as JSON
// without losing anything: an int keeps all its digits, a float its bits.
package compat
