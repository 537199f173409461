// Package namedsem opens POSIX's named semaphores where they are objects of the kernel: on
// macOS. A process can only try to take a token from them and add one. Nothing tells how many
// tokens there are, or which semaphore a name leads to.
//
// On Linux the build tag pyshm_posix brings the same functions over semaphores of glibc,
// for tests with real Pythons.
package namedsem
