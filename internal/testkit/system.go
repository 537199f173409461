package testkit

import "runtime"

// System is the name of the system for messages.
const System = runtime.GOOS + variant

// These constants say how segments differ between systems. The build tag posixshm stands
// for a Linux with the shared memory of macOS:
//
//	           hasShm  HasIDs  WholePages  NamesFirst  KeepsNames
//	Linux      yes     yes     no          no          yes
//	macOS      yes     no      yes         yes         yes
//	FreeBSD    yes     yes     no          yes         yes
//	Windows    yes     no      yes         yes         no
const (
	isLinux = runtime.GOOS == "linux" && variant == ""
	isMacOS = runtime.GOOS == "darwin" || variant != ""

	hasShm = isLinux || isMacOS || runtime.GOOS == "freebsd" || runtime.GOOS == "windows"

	// HasIDs reports that a segment is told from another that has had its name.
	HasIDs = isLinux || runtime.GOOS == "freebsd"
	// HasFiles reports that segments are files, in a folder that lists them.
	HasFiles = isLinux
	// WholePages reports that attachers see the size of a segment in whole pages.
	WholePages = isMacOS || runtime.GOOS == "windows"
	// NamesFirst reports that a segment has its name before its content, and that no
	// segment can take the name of another.
	NamesFirst = !isLinux
	// KeepsNames reports that a segment stays when the last process has closed it.
	KeepsNames = runtime.GOOS != "windows"
)

// LongestName returns how many bytes a name may have by the rules of the system.
func LongestName() int {
	switch {
	case isMacOS:
		return 30
	case runtime.GOOS == "freebsd":
		return 1022
	}
	return 255
}
