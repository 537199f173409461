// Package scripts holds the Python files that pyshm gives to Python programs.
package scripts

import _ "embed"

// AttachHelper is pyshm_attach.py, which Python programs import to attach to
// segments without handing them to the resource tracker, and to locks.
//
//go:embed pyshm_attach.py
var AttachHelper string

// SiteCustomize is the sitecustomize.py that makes unmodified Python programs
// do the same.
//
//go:embed site/sitecustomize.py
var SiteCustomize string
