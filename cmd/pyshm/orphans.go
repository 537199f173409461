package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/pyshm-go/pyshm/pyshm"
)

// ours matches the names that Python and pyshm choose themselves. Other programs use
// the same prefixes, too: PSM, an MPI transport, has psm_shm.UUID.
var ours = regexp.MustCompile(`^(` + strings.Join([]string{
	`psm_[0-9a-f]{8}`,                   // a SharedMemory or ShareableList without a name, or an alias
	`sem\.mp-[a-z0-9_]{8}`,              // a semaphore of multiprocessing's locks
	`(sem\.)?pyshm_worker_[0-9a-f]{8}`,  // memory of a worker, if its pool was killed as it started
	`\.pyshm-.+`,                        // a hidden name of a manager or pyshm hold
	`(sem\.)?pyshm_demo_[a-z2-7]{6}_.+`, // pyshm demo
}, "|") + `)$`)

// orphanFlags are the flags of rm --orphans.
type orphanFlags struct {
	patterns  globs
	olderThan time.Duration
	yes       bool
}

func (o *orphanFlags) add(cmd *cobra.Command) {
	cmd.Flags().Var(&o.patterns, "pattern", "with --orphans: also names that match, such as 'frames_*' (may be repeated)")
	cmd.Flags().DurationVar(&o.olderThan, "older-than", time.Minute, "with --orphans: only segments unchanged for so long")
	cmd.Flags().BoolVar(&o.yes, "yes", false, "with --orphans: do not ask")
}

// given returns the first of these flags on the command line, or "".
func (o *orphanFlags) given(cmd *cobra.Command) string {
	for _, flag := range []string{"pattern", "older-than", "yes"} {
		if cmd.Flags().Changed(flag) {
			return "--" + flag
		}
	}
	return ""
}

// A globs is the value of a flag that can be repeated: patterns of names.
type globs []string

func (g *globs) String() string { return strings.Join(*g, " ") }
func (*globs) Type() string     { return "GLOB" }

func (g *globs) Set(pattern string) error {
	if _, err := path.Match(pattern, ""); err != nil {
		return err
	}
	*g = append(*g, pattern)
	return nil
}

func (g *globs) match(name string) bool {
	return slices.ContainsFunc(*g, func(pattern string) bool {
		ok, _ := path.Match(pattern, name)
		return ok
	})
}

// concerns reports whether a name is to be removed if it is an orphan.
func (o *orphanFlags) concerns(name string) bool {
	return ours.MatchString(name) || o.patterns.match(name)
}

// isYoung reports whether a segment has changed too recently. Changed is the time of
// the last change of the inode, which every change sets, also a change of its names.
// Unlike the time of modification, no process can set it.
func (o *orphanFlags) isYoung(s pyshm.Segment, now time.Time) bool {
	return now.Sub(s.Changed) < o.olderThan
}

// rmOrphans lists orphans, asks, and removes them.
func rmOrphans(cmd *cobra.Command, flags *orphanFlags) error {
	segments, err := listSegments()
	if err != nil {
		return err
	}
	now := time.Now()
	segments = slices.DeleteFunc(segments, func(s segment) bool { return !flags.concerns(s.found.Name) })
	printUnknown(cmd.ErrOrStderr(), segments)
	segments = slices.DeleteFunc(segments, func(s segment) bool { return !s.isOrphan() })
	all := len(segments)
	segments = slices.DeleteFunc(segments, func(s segment) bool { return flags.isYoung(s.found, now) })
	if young := all - len(segments); young > 0 {
		complain(cmd.ErrOrStderr(), fmt.Sprintf("orphans made or changed less than %v ago, which stay: %d", flags.olderThan, young))
	}
	if len(segments) == 0 {
		_, err := fmt.Fprintln(cmd.OutOrStdout(), "nothing to remove")
		return err
	}
	out := bufio.NewWriter(cmd.OutOrStdout())
	ls(out, segments, now)
	if err := out.Flush(); err != nil {
		return err
	}
	if !flags.yes {
		if err := ask(cmd, fmt.Sprintf("Remove these %d?", len(segments))); err != nil {
			return err
		}
	}
	return removeOrphans(segments)
}

func removeOrphans(segments []segment) error {
	var errs []error
	for _, s := range segments {
		var err error
		unstopped(func() { err = s.found.UnlinkUnused() })
		if !errors.Is(err, fs.ErrNotExist) { // already removed
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// ask returns an error unless the answer is yes.
func ask(cmd *cobra.Command, question string) error {
	in, ok := cmd.InOrStdin().(*os.File)
	if !ok || !term.IsTerminal(int(in.Fd())) {
		return errors.New("nothing was removed: there is no terminal to ask on, --yes removes without asking")
	}
	fmt.Fprint(cmd.ErrOrStderr(), question, " [y/N] ")
	answer, err := bufio.NewReader(in).ReadString('\n')
	if err != nil && err != io.EOF {
		return err
	}
	switch strings.ToLower(strings.TrimSpace(answer)) {
	case "y", "yes":
		return nil
	}
	return errors.New("nothing was removed")
}
