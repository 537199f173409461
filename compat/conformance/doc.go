// Package conformance compares pyshm, format, manager and format/pickle with real
// Pythons: every interpreter that package compat finds. Package lifetime tests this
// module's statements about the life of segments. go test runs it beside this one.
package conformance
