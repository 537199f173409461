// Package conformance holds pyshm, format, manager and format/pickle against
// real Pythons: every interpreter that package compat finds. What this module
// says of the life of segments is held in package lifetime, which go test runs beside this one.
package conformance
