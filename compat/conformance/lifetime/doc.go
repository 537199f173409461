// Package lifetime holds what this module says of the life of segments against
// real Pythons: which process removes a name, when, and how WorkerEnv,
// pyshm_attach and a manager keep it.
package lifetime
