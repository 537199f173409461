// Package examples holds no code of its own: each folder is a program. The tests look
// whether a signal that ends an example leaves anything behind, and run the examples
// that need numpy.
package examples
