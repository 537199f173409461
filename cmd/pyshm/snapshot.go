package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/pyshm-go/pyshm/pyshm"
)

func newDump() *cobra.Command {
	var replace bool
	cmd := &cobra.Command{
		Use:   "dump NAME FILE",
		Short: "Save the bytes of a segment in a file",
		Long: `Saves the bytes of a segment in a new FILE, which appears when it is complete.
Only this user can read the file. pyshm load makes a segment of it again, and
pyshm layout shows its content. A dump of an array is a .npy file, which
np.load opens.

The bytes are read in pieces, without a lock: another process may write
meanwhile. Use pyshm lock around dump if the segment has a lock.`,
		Example: `  pyshm dump prices prices.bin
  pyshm lock prices-lock -- pyshm dump prices prices.bin --replace`,
		Args: exactly("NAME", "FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			m, err := pyshm.Attach(args[0], pyshm.ReadOnly())
			if err != nil {
				return err
			}
			defer m.Close()
			return dump(cmd.Context(), m, args[1], replace)
		},
	}
	cmd.Flags().BoolVar(&replace, "replace", false, "replace FILE if it exists")
	return cmd
}

// dump writes the bytes to a file beside the path, and then gives it the path.
func dump(ctx context.Context, m *pyshm.SharedMemory, path string, replace bool) error {
	ctx, stop := untilStopped(ctx)
	defer stop()
	f, err := os.CreateTemp(filepath.Dir(path), ".pyshm-dump-")
	if err != nil {
		return fmt.Errorf("dump: no file can be made in the folder %s: %w", shown(filepath.Dir(path)), rootCause(err))
	}
	defer os.Remove(f.Name()) // unless it has moved
	defer f.Close()
	err = copySparsely(ctx, f, io.NewSectionReader(m, 0, int64(m.Size())))
	if err == nil {
		err = f.Truncate(int64(m.Size()))
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if replace {
		return os.Rename(f.Name(), path)
	}
	err = os.Link(f.Name(), path)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("dump: %s exists already: --replace takes its place", shown(path))
	}
	return err
}

// copySparsely copies the bytes to an empty file or segment, except for long runs of
// zeros, which are there already and take no memory.
func copySparsely(ctx context.Context, to io.WriterAt, from io.Reader) error {
	zeros, b := make([]byte, 64<<10), make([]byte, 64<<10)
	for at := int64(0); ; {
		if ctx.Err() != nil {
			return errors.New("interrupted")
		}
		n, err := io.ReadFull(from, b)
		if !bytes.Equal(b[:n], zeros[:n]) {
			if _, err := to.WriteAt(b[:n], at); err != nil {
				return err
			}
		}
		at += int64(n)
		switch {
		case err == io.EOF || err == io.ErrUnexpectedEOF:
			return nil
		case err != nil:
			return err
		}
	}
}

func newLoad() *cobra.Command {
	var replace bool
	cmd := &cobra.Command{
		Use:   "load FILE NAME",
		Short: "Make a segment with the bytes of a file",
		Long: `Makes a segment with the bytes of FILE, and prints its name. The name appears
when all bytes are there. Names, --replace and --hold are as in pyshm create.
FILE is a dump of any segment, a .npy file, or any other file.`,
		Example: `  pyshm load prices.bin prices
  pyshm load image.npy image`,
		Args: exactly("FILE", "NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			var opts []pyshm.CreateOption
			if replace {
				opts = append(opts, pyshm.Replace())
			}
			return load(cmd, args[0], args[1], opts)
		},
	}
	addHold(cmd)
	cmd.Flags().BoolVar(&replace, "replace", false, "replace the segment that has the name; attached processes keep it")
	return cmd
}

func load(cmd *cobra.Command, path, name string, opts []pyshm.CreateOption) error {
	f, size, err := openFile(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if size > math.MaxInt {
		return fmt.Errorf("load: %s has more bytes than a segment can have here", shown(path))
	}
	ctx, stop := untilStopped(cmd.Context())
	defer stop()
	m, err := pyshm.CreateFrom(name, int(size), func(w io.WriterAt) error {
		counted := &countedReader{r: io.LimitReader(f, size)}
		if err := copySparsely(ctx, w, counted); err != nil {
			return fmt.Errorf("load: %w", err)
		}
		if counted.n < size {
			return fmt.Errorf("load: %s became shorter meanwhile", shown(path))
		}
		return nil
	}, opts...)
	if err != nil {
		return err
	}
	defer m.Close()
	return printName(cmd, m)
}

// rootCause returns the errno of an error about a path that only this command knows.
func rootCause(err error) error {
	var ofPath *fs.PathError
	if errors.As(err, &ofPath) {
		return ofPath.Err
	}
	return err
}

// openFile opens a regular file, and returns its size. It does not wait for a FIFO.
func openFile(path string) (*os.File, int64, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, 0, err
	}
	if !info.Mode().IsRegular() {
		return nil, 0, fmt.Errorf("%s is not a regular file", shown(path))
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, 0, err
	}
	return f, info.Size(), nil
}

// A countedReader counts the bytes that are read.
type countedReader struct {
	r io.Reader
	n int64
}

func (c *countedReader) Read(b []byte) (int, error) {
	n, err := c.r.Read(b)
	c.n += int64(n)
	return n, err
}
