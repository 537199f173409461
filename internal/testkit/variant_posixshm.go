//go:build posixshm

package testkit

// variant tells a system from the one of its name.
const variant = " with the build tag posixshm"
