package main

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/pyshm-go/pyshm/format"
	"github.com/pyshm-go/pyshm/pyshm"
)

// addCompletion lets shells complete the names of segments of the kind that each command
// takes, and the values of flags.
func addCompletion(root *cobra.Command) {
	for name, kinds := range map[string][]pyshm.ContentKind{
		"get":    {pyshm.KindList, pyshm.KindArray, pyshm.KindRing},
		"set":    {pyshm.KindList, pyshm.KindArray, pyshm.KindRing},
		"layout": memoryKinds,
		"check":  memoryKinds,
		"read":   memoryKinds,
		"write":  memoryKinds,
		"dump":   memoryKinds,
		"hold":   memoryKinds,
		"show":   nil,
		"watch":  nil,
		"rm":     nil,
	} {
		cmd, _, _ := root.Find([]string{name})
		cmd.ValidArgsFunction = completeNames(strings.Contains(cmd.Use, "NAME..."), nameOf(kinds))
	}
	for name, of := range map[string]func(pyshm.Segment) string{"lock": lockName, "doctor": queueName} {
		cmd, _, _ := root.Find([]string{name})
		cmd.ValidArgsFunction = completeNames(false, of)
	}
	completeFlags(root)
}

// memoryKinds are the kinds of segments that have bytes of their own.
var memoryKinds = []pyshm.ContentKind{pyshm.KindList, pyshm.KindArray, pyshm.KindRing, pyshm.KindBlock}

// nameOf returns the name of a segment of some kinds, or of any if there are none.
func nameOf(kinds []pyshm.ContentKind) func(pyshm.Segment) string {
	return func(s pyshm.Segment) string {
		if c, err := s.Inspect(); len(kinds) > 0 && (err != nil || !slices.Contains(kinds, c.Kind)) {
			return ""
		}
		return s.Name
	}
}

// completeNames completes the first argument, or each one, with the names of segments, as
// a function gives them. Where none fits, the shell completes files.
func completeNames(each bool, name func(pyshm.Segment) string) cobra.CompletionFunc {
	return func(_ *cobra.Command, args []string, begin string) ([]string, cobra.ShellCompDirective) {
		var names []string
		if len(args) > 0 && !each {
			return nil, cobra.ShellCompDirectiveDefault
		}
		for s, err := range pyshm.Segments() {
			if err == nil && shown(s.Name) == s.Name {
				names = append(names, name(s))
			}
		}
		return unused(names, args, begin), cobra.ShellCompDirectiveDefault
	}
}

// unused returns the names that begin with a text, and are no argument yet. A shell would
// take a name of other characters for something else.
func unused(names, args []string, begin string) []string {
	return slices.DeleteFunc(names, func(n string) bool {
		return n == "" || shown(n) != n || !strings.HasPrefix(n, begin) || slices.Contains(args, n)
	})
}

// lockName returns the name of a lock, or "" if the segment is none.
func lockName(s pyshm.Segment) string {
	name, ok := strings.CutPrefix(s.Name, "sem.")
	if c, err := s.Inspect(); !ok || err != nil || c.Kind != pyshm.KindSemaphore || c.Value > 1 {
		return ""
	}
	return name
}

// queueName returns the name of a queue if the segment is its pipe, or "".
func queueName(s pyshm.Segment) string {
	name, ok := strings.CutSuffix(s.Name, ".pipe")
	if c, err := s.Inspect(); !ok || err != nil || c.Kind != pyshm.KindPipe {
		return ""
	}
	return name
}

// dtypes are the dtypes that completion offers.
var dtypes = []string{
	"float64", "float32", "float16", "int64", "int32", "int16", "int8", "uint64", "uint32", "uint16", "uint8",
	"bool", "complex128", "complex64", "datetime64[ns]", "timedelta64[ns]",
}

// completeFlags completes the values of flags, of every command that has a flag of the
// name.
func completeFlags(root *cobra.Command) {
	values := map[string]func() []string{
		"layout":   func() []string { return []string{layoutName(format.Sizes), layoutName(format.Offsets)} },
		"array":    func() []string { return dtypes },
		"dtype":    func() []string { return dtypes },
		"as":       func() []string { return []string{"list", "array", "block"} },
		"python":   pythonsOnPath,
		"graphics": func() []string { return graphicsWays },
	}
	for _, cmd := range root.Commands() {
		for name, of := range values {
			if flag := cmd.Flags().Lookup(name); flag == nil || flag.Value.Type() == "bool" {
				continue
			}
			// It fails only for a missing flag.
			_ = cmd.RegisterFlagCompletionFunc(name, func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
				return of(), cobra.ShellCompDirectiveDefault
			})
		}
	}
}

var pythonCommand = regexp.MustCompile(`^(python3(\.[0-9]+)?|pypy3)$`)

// pythonsOnPath returns the commands that are named as Python is. It runs none of them: a
// shell waits for a completion.
func pythonsOnPath() []string {
	var found []string
	for _, dir := range filepath.SplitList(os.Getenv("PATH")) {
		entries, _ := os.ReadDir(dir) // an unreadable folder has no commands
		for _, entry := range entries {
			if name := entry.Name(); pythonCommand.MatchString(name) && !slices.Contains(found, name) {
				found = append(found, name)
			}
		}
	}
	slices.Sort(found)
	return found
}
