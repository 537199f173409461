package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/pyshm-go/pyshm/format/npy"
	"github.com/pyshm-go/pyshm/pyshm"
)

func newRead() *cobra.Command {
	var (
		offset, count byteCount
		dtype         string
	)
	cmd := &cobra.Command{
		Use:   "read NAME",
		Short: "Print the bytes of a segment, or numbers in them",
		Long: `Prints the bytes of a segment as they are, for a pipe or a file. With --dtype,
prints elements of this numpy dtype as text, one on a line, as get prints them.

The bytes are read in pieces, without a lock: another process may write
meanwhile.`,
		Example: `  pyshm read frames | sha256sum
  pyshm read frames --offset 4K --count 100 >part
  pyshm read frames --dtype '<f4' --count 10`,
		Args: exactly("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			m, err := pyshm.Attach(args[0], pyshm.ReadOnly())
			if err != nil {
				return err
			}
			defer m.Close()
			r := readRange{m: m, offset: int64(offset), count: -1}
			if cmd.Flags().Changed("count") {
				r.count = int64(count)
			}
			if dtype == "" {
				return r.copyBytes(cmd.OutOrStdout())
			}
			d, err := npy.ParseDtype(dtype)
			if err != nil {
				return usagef("--dtype: %w", err)
			}
			out := bufio.NewWriterSize(cmd.OutOrStdout(), 64<<10)
			return errors.Join(r.printElements(out, d), out.Flush())
		},
	}
	cmd.Flags().Var(&offset, "offset", "where to begin, in bytes")
	cmd.Flags().Var(&count, "count", "how many bytes, or elements with --dtype (default: all)")
	cmd.Flags().StringVar(&dtype, "dtype", "", "print elements of this numpy dtype, such as float64 or '<i4'")
	return cmd
}

// A readRange is the part of a segment that read prints. A count of -1 is everything
// behind offset.
type readRange struct {
	m             *pyshm.SharedMemory
	offset, count int64
}

// elements returns how many elements of this size the range has. It fails if the segment
// has fewer, or if no count was given and the last element is not whole.
func (r readRange) elements(size int64) (int64, error) {
	there := int64(r.m.Size()) - r.offset
	switch {
	case there < 0:
		return 0, fmt.Errorf("read %q: --offset %d is beyond its %d bytes", r.m.Name(), r.offset, r.m.Size())
	case r.count < 0 && there%size != 0:
		return 0, fmt.Errorf("read %q: from offset %d on there are %d bytes, not a whole number of elements of %d bytes: --count %d reads the whole ones",
			r.m.Name(), r.offset, there, size, there/size)
	case r.count < 0:
		return there / size, nil
	case r.count > there/size:
		return 0, fmt.Errorf("read %q: --count %d is too many: from offset %d on there are %d", r.m.Name(), r.count, r.offset, there/size)
	}
	return r.count, nil
}

func (r readRange) copyBytes(out io.Writer) error {
	if f, ok := out.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		return fmt.Errorf("read %q: a terminal obeys some bytes: send the output to a pipe or a file, or use pyshm layout or --dtype", r.m.Name())
	}
	n, err := r.elements(1)
	if err != nil {
		return err
	}
	_, err = io.CopyBuffer(onlyWriter{out}, io.NewSectionReader(r.m, r.offset, n), make([]byte, min(n+1, 256<<10)))
	return err
}

// onlyWriter hides the other methods of a writer, with which io.CopyBuffer would use a
// smaller buffer.
type onlyWriter struct{ io.Writer }

func (r readRange) printElements(out *bufio.Writer, d npy.Dtype) error {
	size := int64(d.Size())
	n, err := r.elements(size)
	if err != nil {
		return err
	}
	unreadable := int64(0)
	b := make([]byte, size)
	for i := range n {
		at := r.offset + i*size
		if _, err := r.m.ReadAt(b, at); err != nil && err != io.EOF {
			return err
		}
		if err := d.Swap(b); err != nil {
			return err
		}
		text, err := elementText(d.Native(), b)
		if err != nil {
			unreadable++
			text = "<" + visible(err.Error()) + ">"
		}
		out.WriteString(text)
		if err := out.WriteByte('\n'); err != nil {
			return err
		}
	}
	if unreadable > 0 {
		return fmt.Errorf("read %q: elements that cannot be read: %d of %d", r.m.Name(), unreadable, n)
	}
	return nil
}
