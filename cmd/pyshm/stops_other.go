//go:build !unix

package main

// unstopped calls a function that may take leases, which there are none of here.
func unstopped(f func()) { f() }
