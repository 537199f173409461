//go:build !unix

package pyshm

import "io/fs"

// ownedByUser cannot tell here.
func ownedByUser(fs.FileInfo) bool { return false }
