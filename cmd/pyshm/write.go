package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/pyshm-go/pyshm/pyshm"
)

func newWrite() *cobra.Command {
	var offset byteCount
	cmd := &cobra.Command{
		Use:   "write NAME",
		Short: "Write the bytes of standard input into a segment",
		Long: `Writes the bytes of standard input into a segment, from --offset on. The other
bytes of the segment stay. If standard input has more bytes than there is room
for, write fails and changes nothing: it reads everything before it writes.

The bytes are written without a lock: another process may read half of them.`,
		Example: `  pyshm write frames <image.raw
  printf '\1\0\0\0' | pyshm write frames --offset 64`,
		Args: exactly("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			m, err := pyshm.Attach(args[0])
			if err != nil {
				return err
			}
			defer m.Close()
			return write(m, int64(offset), cmd.InOrStdin())
		},
	}
	cmd.Flags().Var(&offset, "offset", "where to begin, in bytes")
	return cmd
}

func write(m *pyshm.SharedMemory, offset int64, in io.Reader) error {
	room := int64(m.Size()) - offset
	if room < 0 {
		return fmt.Errorf("write %q: --offset %d is beyond its %d bytes", m.Name(), offset, m.Size())
	}
	b, err := io.ReadAll(io.LimitReader(in, room+1))
	if err != nil {
		return fmt.Errorf("standard input: %w", err)
	}
	if int64(len(b)) > room {
		return fmt.Errorf("write %q: standard input has more than the %d bytes that fit from offset %d on; nothing is written", m.Name(), room, offset)
	}
	_, err = m.WriteAt(b, offset)
	return err
}
