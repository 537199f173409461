package main

import (
	"errors"
	"fmt"
	"io/fs"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/pyshm-go/pyshm/format"
	"github.com/pyshm-go/pyshm/pyshm"
)

func newCreate() *cobra.Command {
	var (
		layout  = layoutFlag(format.Offsets)
		block   byteSize
		dtype   string
		shape   string
		replace bool
		mode    string
		room    byteSize
	)
	cmd := &cobra.Command{
		Use: `create NAME LITERAL
  pyshm create NAME --block SIZE
  pyshm create NAME --array DTYPE --shape N,N`,
		Short: "Create a list, a block of memory or a numpy array",
		Long: `Creates a ShareableList with the items of LITERAL. LITERAL is written as
Python's repr prints a list; if it is -, it is read from standard input. With
--block, creates a SharedMemory of SIZE bytes, all zero (K, M and G are powers
of 1024). With --array, creates a numpy array of zeros of this dtype and shape,
which Python opens with np.load("/dev/shm/NAME", mmap_mode="r+").

Prints the name. If NAME is empty (''), pyshm chooses one, as Python does. In a
NAME with a star, such as 'frames-*', 8 random hexadecimal digits replace the
last star. The segment stays until it is removed with pyshm rm, or by Python.
With --hold, pyshm stays until Ctrl-C, and then removes it. On Windows that is
the default, because a segment ends there with the last process that has it
open.

The slot of a str or bytes item has the size of the item, in steps of 8 bytes
as in Python. With --room it has at least SIZE bytes, and longer items fit.
Only this user has access to the segment, unless --mode has other permissions,
as chmod takes them: 660 lets the group in.

With --replace, the new segment takes the place of a segment that has the name
already. Processes attached to the old segment keep it. When a Python ends that
made the old segment, or attached to it, it removes the name, and so the new
segment, unless it runs under pyshm run.`,
		Example: `  pyshm create prices '[1, 2.5, True, None, "abc", b"\x00\xff"]'
  pyshm create old '[1, 2]' --layout 3.8
  pyshm create state '["idle", 0]' --room 40
  python3 -c 'print([0] * 1000000)' | pyshm create zeros -
  pyshm create frames --block 64M
  pyshm create 'frames-*' --block 64M
  pyshm create image --array float32 --shape 480,640`,
		DisableFlagsInUseLine: true,
		Args: func(cmd *cobra.Command, args []string) error {
			isArray := cmd.Flags().Changed("array")
			switch {
			case isArray != cmd.Flags().Changed("shape"):
				return fmt.Errorf("--array and --shape go together")
			case cmd.Flags().Changed("room") && (isArray || cmd.Flags().Changed("block")):
				return fmt.Errorf("--room is for lists")
			case isArray && (cmd.Flags().Changed("block") || cmd.Flags().Changed("layout")):
				return fmt.Errorf("--block and --layout are not for an --array")
			case isArray:
				return exactly("NAME")(cmd, args)
			}
			if !cmd.Flags().Changed("block") {
				return exactly("NAME", "LITERAL")(cmd, args)
			}
			if cmd.Flags().Changed("layout") {
				return fmt.Errorf("--layout is for lists, not for a --block")
			}
			return exactly("NAME")(cmd, args)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			var forBlock []pyshm.CreateOption
			forList := []pyshm.ListOption{pyshm.Layout(format.Layout(layout))}
			if mode != "" {
				bits, err := strconv.ParseUint(mode, 8, 9)
				if err != nil {
					return usagef("--mode %q: write three digits, as for chmod, such as 660", mode)
				}
				forBlock = append(forBlock, pyshm.Mode(fs.FileMode(bits)))
				forList = append(forList, pyshm.Mode(fs.FileMode(bits)))
			}
			if replace {
				forBlock = append(forBlock, pyshm.Replace())
				forList = append(forList, pyshm.Replace())
			}
			if dtype != "" || shape != "" {
				return createArray(cmd, args[0], dtype, shape, forBlock)
			}
			if block > 0 {
				return createBlock(cmd, args[0], int(block), forBlock)
			}
			return createList(cmd, args[0], args[1], int(room), forList)
		},
	}
	cmd.Flags().Var(&layout, "layout", "the byte layout of the list: of CPython 3.8, or of 3.9 and later")
	cmd.Flags().Var(&block, "block", "create a block of memory of this size instead of a list")
	cmd.Flags().StringVar(&dtype, "array", "", "create a numpy array of this dtype, all zero, instead of a list")
	cmd.Flags().StringVar(&shape, "shape", "", "the array's shape, such as 480,640, or () for one element")
	cmd.Flags().Var(&room, "room", "a list's room for each str or bytes item")
	cmd.Flags().StringVar(&mode, "mode", "", "the `BITS` of the permissions, such as 660 (default 600)")
	addHold(cmd)
	cmd.Flags().BoolVar(&replace, "replace", false, "replace the segment that has the name; attached processes keep it")
	return cmd
}

func createBlock(cmd *cobra.Command, name string, size int, opts []pyshm.CreateOption) error {
	m, err := pyshm.Create(name, size, opts...)
	if err != nil {
		return err
	}
	defer m.Close()
	return printName(cmd, m)
}

func createList(cmd *cobra.Command, name, literal string, room int, opts []pyshm.ListOption) error {
	v, err := parseLiteral(cmd, literal)
	if err != nil {
		return err
	}
	values, ok := v.([]any)
	if !ok {
		return usagef("LITERAL is not a list: write [%s]", format.Repr(v))
	}
	if room > 0 {
		values = withRoom(values, room)
	}
	l, err := pyshm.CreateList(name, values, opts...)
	if err != nil {
		return err
	}
	defer l.Close()
	return printName(cmd, l.SharedMemory())
}

// withRoom gives text and bytes slots of at least a size.
func withRoom(values []any, room int) []any {
	for i, v := range values {
		switch v.(type) {
		case string, []byte:
			values[i] = format.Sized{Value: v, Capacity: room}
		}
	}
	return values
}

// printName prints the name as Python takes it. If that fails or is interrupted by a
// signal, printName removes the segment, because no process knows its name. With --hold,
// printName stays.
func printName(cmd *cobra.Command, m *pyshm.SharedMemory) error {
	ctx, stop := untilStopped(cmd.Context())
	defer stop()
	printed := make(chan error, 1)
	go func() {
		_, err := fmt.Fprintln(cmd.OutOrStdout(), visible(m.Name()))
		printed <- err
	}()
	var err error
	select {
	case err = <-printed:
	case <-ctx.Done():
		err = errors.New("create: interrupted")
	}
	if err != nil {
		m.Unlink()
		return err
	}
	return stay(cmd, m)
}
