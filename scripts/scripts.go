// Package scripts holds the Python files that pyshm gives to Python programs.
package scripts

import _ "embed"

//go:embed pyshm_attach.py
var attachHelper string

//go:embed site/sitecustomize.py
var siteCustomize string

// AttachHelper returns pyshm_attach.py, which Python programs import to attach to
// segments without handing them to the resource tracker, and to locks.
func AttachHelper() string { return attachHelper }

// SiteCustomize returns the sitecustomize.py that makes unmodified Python programs
// do the same.
func SiteCustomize() string { return siteCustomize }
