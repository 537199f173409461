// Package lifetime compares this module's statements about the life of segments with real
// Pythons: which process removes a name, and when, and how WorkerEnv, pyshm_attach and a
// manager keep the name.
package lifetime
