// Package scripts holds the Python files that pyshm gives to Python programs.
package scripts

import _ "embed"

//go:embed pyshm_attach.py
var attachHelper string

//go:embed site/sitecustomize.py
var siteCustomize string

// AttachHelper returns pyshm_attach.py. Python programs import it to attach to locks, and
// to attach to segments without registering them with the resource tracker.
func AttachHelper() string { return attachHelper }

// SiteCustomize returns the sitecustomize.py that keeps unmodified Python programs, too,
// from registering the segments to which they attach.
func SiteCustomize() string { return siteCustomize }
