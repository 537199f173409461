// Package conformance holds pyshm, format, manager and format/pickle against
// real Pythons: every interpreter that package compat finds.
package conformance
