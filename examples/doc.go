// Package examples holds no code of its own: each folder is a program, or a package to copy.
// The tests run the programs that need numpy, and check that neither signals nor killed
// processes leave anything behind.
package examples
