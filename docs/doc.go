// Package docs holds no code. Its tests keep the documentation true: they run
// the commands and snippets of the README, pin which package may import which,
// and compare the exported API with the golden files in docs/api.
package docs
