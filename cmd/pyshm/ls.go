package main

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os/user"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/pyshm-go/pyshm/pyshm"
)

func newLs() *cobra.Command {
	var asJSON, orphans bool
	cmd := &cobra.Command{
		Use:   "ls",
		Short: "List the segments of shared memory",
		Long: `Lists the segments of shared memory of all programs on this machine: name, kind
(list, array, ring, block, semaphore, pipe; incomplete while it has no size,
unreadable without the right to look into it), size in bytes, age, owner, mode,
content, and the processes that map it.

Processes of other users, and processes outside a container, may be hidden from
pyshm. If such a process may map a segment, or the kernel counts a user that
pyshm has not found, PIDS has the word unknown. A dash is certain: no process
maps the segment. A program may still mean to attach to it later.

A block with the bytes of a list is listed as a list, because a list has no
mark. An array is a numpy array with its header, a .npy file. A ring is an
array of slots for frames; newest is the number of frames that have been
published.

sem.NAME is the semaphore of the lock NAME, or part of another object of
Python's multiprocessing called NAME. A lock has the value 0 while it is held,
and 1 otherwise; waiters are the threads that wait for it. A semaphore is
foreign if this machine's glibc cannot use it: one of musl, or of another word
size.

NAME.pipe is the pipe of the queue NAME, and has its items. sem.NAME.rlock is 0
while a process reads or waits for items, sem.NAME.wlock is 0 while one writes,
and sem.NAME.sem is how many more items there may be. Which processes have a
pipe open is unknown.`,
		Example: `  pyshm ls
  pyshm ls --orphans
  pyshm ls --json | jq -r '.[] | select(.kind == "list").name'`,
		Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			segments, err := listSegments()
			if err != nil {
				return err
			}
			if orphans {
				printUnknown(cmd.ErrOrStderr(), segments)
				segments = slices.DeleteFunc(segments, func(s segment) bool { return !s.isOrphan() })
			}
			out := bufio.NewWriter(cmd.OutOrStdout())
			if asJSON {
				err = lsJSON(out, segments)
			} else {
				ls(out, segments, time.Now())
			}
			return errors.Join(err, out.Flush())
		},
	}
	addJSON(cmd, &asJSON)
	cmd.Flags().BoolVar(&orphans, "orphans", false, "only segments that no process maps")
	return cmd
}

// A segment is a line of ls, as JSON.
type segment struct {
	Name     fileName  `json:"name"`
	Kind     string    `json:"kind"`
	Size     int64     `json:"size"`
	Layout   string    `json:"layout,omitempty"`
	Length   *int      `json:"length,omitempty"`
	Value    *int      `json:"value,omitempty"`
	Waiters  *int      `json:"waiters,omitempty"`
	Owner    string    `json:"owner"` // the number of a user without a name
	UID      uint32    `json:"uid"`
	Mode     string    `json:"mode"`     // octal
	Modified time.Time `json:"modified"` // usually when it was made
	arrayHead
	ringHead
	mapped

	found pyshm.Segment
}

func listSegments() ([]segment, error) {
	segments := []segment{}
	owners := map[uint32]string{}
	for found, err := range pyshm.Segments() {
		if err != nil {
			return nil, err
		}
		content, err := found.Inspect()
		if errors.Is(err, fs.ErrNotExist) { // removed since
			continue
		}
		owner, known := owners[found.UID]
		if !known {
			owner = userName(found.UID)
			owners[found.UID] = owner
		}
		s := segment{
			Name:     fileName(found.Name),
			Kind:     string(content.Kind),
			Size:     found.Size,
			Owner:    owner,
			UID:      found.UID,
			Mode:     fmt.Sprintf("%04o", found.Mode.Perm()),
			Modified: spellable(found.Modified),
			mapped:   mappersOf(found),
			found:    found,
		}
		switch content.Kind {
		case pyshm.KindList:
			s.Layout, s.Length = layoutName(content.Layout), &content.Len
		case pyshm.KindArray:
			s.arrayHead = newArrayHead(content.Array)
		case pyshm.KindRing:
			s.arrayHead, s.ringHead = newRingHead(content.Ring)
		case pyshm.KindSemaphore:
			s.Value, s.Waiters = &content.Value, &content.Waiters
		}
		segments = append(segments, s)
	}
	return segments, nil
}

// content describes in a few words what is in the segment.
func (s segment) content() string {
	switch {
	case s.Slots != nil:
		return fmt.Sprintf("newest %d, slots %d, shape %s, dtype %s", *s.Newest, *s.Slots, shapeText(*s.Shape), excerpt(s.Dtype))
	case s.Shape != nil:
		return fmt.Sprintf("shape %s, dtype %s", shapeText(*s.Shape), excerpt(s.Dtype))
	case s.Length != nil:
		return fmt.Sprintf("length %d", *s.Length)
	case s.Value != nil:
		return fmt.Sprintf("value %d, waiters %d", *s.Value, *s.Waiters)
	case s.Kind == string(pyshm.KindForeign):
		return "semaphore of another libc"
	}
	return ""
}

// excerpt returns the beginning of a text that may be long.
func excerpt(text string) string {
	const limit = 40
	runes := []rune(visible(text))
	if len(runes) <= limit {
		return string(runes)
	}
	return string(runes[:limit]) + "..."
}

// spellable rounds a time to the second, and into the years 1 to 9999, which JSON and
// Python can spell. The owner of a file can give it any time.
func spellable(t time.Time) time.Time {
	switch year := t.UTC().Year(); {
	case year < 1:
		return time.Time{}
	case year > 9999:
		return time.Date(9999, time.December, 31, 23, 59, 59, 0, time.UTC)
	}
	return t.UTC().Truncate(time.Second)
}

func userName(uid uint32) string {
	id := strconv.FormatUint(uint64(uid), 10)
	if u, err := user.LookupId(id); err == nil {
		return u.Username
	}
	return id
}

func ls(out *bufio.Writer, segments []segment, now time.Time) {
	rows := [][]string{{"NAME", "KIND", "SIZE", "AGE", "OWNER", "MODE", "CONTENT", "PIDS"}}
	for _, s := range segments {
		rows = append(rows, []string{
			shown(s.found.Name), s.Kind, strconv.FormatInt(s.Size, 10), age(now.Sub(s.Modified)),
			shown(s.Owner), s.Mode, s.content(), s.mappers(),
		})
	}
	for _, line := range aligned(rows, 2, 3) { // SIZE and AGE
		fmt.Fprintln(out, line)
	}
}

// aligned returns the rows of a table as lines, with the columns of numbers to the right.
func aligned(rows [][]string, numbers ...int) []string {
	widths := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, cell := range row {
			widths[i] = max(widths[i], textWidth(cell))
		}
	}
	lines := make([]string, len(rows))
	for i, row := range rows {
		cells := make([]string, len(row))
		for j, cell := range row {
			cells[j] = pad(cell, widths[j], slices.Contains(numbers, j))
		}
		lines[i] = strings.TrimRight(strings.Join(cells, "  "), " ")
	}
	return lines
}

// age returns a duration in its largest unit.
func age(d time.Duration) string {
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%ds", max(0, d/time.Second))
	case d < time.Hour:
		return fmt.Sprintf("%dm", d/time.Minute)
	case d < 24*time.Hour:
		return fmt.Sprintf("%dh", d/time.Hour)
	default:
		return fmt.Sprintf("%dd", d/(24*time.Hour))
	}
}

func lsJSON(out *bufio.Writer, segments []segment) error {
	array := beginArray(out)
	var errs []error
	for _, s := range segments {
		errs = append(errs, array.add(s)) // one segment's error must not hide the others
	}
	array.end()
	out.WriteByte('\n')
	return errors.Join(errs...)
}
