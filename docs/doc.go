// Package docs holds no code. Its tests keep the documents true: they run the commands
// and snippets of README.md and of the pages here, look whether architecture.md names
// what there is and whether packages import what it allows, and compare the exported
// API with the golden files in docs/api.
package docs
