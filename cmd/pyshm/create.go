package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/pyshm-go/pyshm/format"
	"github.com/pyshm-go/pyshm/pyshm"
)

func newCreate() *cobra.Command {
	var (
		layout  = layoutFlag(format.Offsets)
		block   byteSize
		replace bool
	)
	cmd := &cobra.Command{
		Use:   "create NAME LITERAL | create NAME --block SIZE",
		Short: "Create a list or a block of memory",
		Long: `Creates a ShareableList of the items in LITERAL, which is written as Python's
repr prints a list, or is - to read it from standard input; with --block, a
SharedMemory of SIZE bytes, all zero (K, M and G are powers of 1024).

Prints the name. An empty NAME ('') chooses one, as Python does. In a NAME with a
star, such as 'frames-*', 8 random hexadecimal digits take the place of the last star.
The memory is there until it is removed with pyshm rm, or by Python.

With --replace, it takes the place of what has the name; processes attached to that
keep it. A Python that has made the old memory, or attached to it, removes the name
when it ends, and so the new memory, unless it runs under pyshm run.`,
		Example: `  pyshm create prices '[1, 2.5, True, None, "abc", b"\x00\xff"]'
  pyshm create old '[1, 2]' --layout 3.8
  python3 -c 'print([0] * 1000000)' | pyshm create zeros -
  pyshm create frames --block 64M
  pyshm create 'frames-*' --block 64M`,
		DisableFlagsInUseLine: true,
		Args: func(cmd *cobra.Command, args []string) error {
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
			if replace {
				forBlock = append(forBlock, pyshm.Replace())
				forList = append(forList, pyshm.Replace())
			}
			if block > 0 {
				return createBlock(cmd, args[0], int(block), forBlock)
			}
			return createList(cmd, args[0], args[1], forList)
		},
	}
	cmd.Flags().Var(&layout, "layout", "the list's byte layout: that of CPython 3.8, or of 3.9 and later")
	cmd.Flags().Var(&block, "block", "create a block of memory of this size instead of a list")
	cmd.Flags().BoolVar(&replace, "replace", false, "take the place of what has the name; those attached to it keep it")
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

func createList(cmd *cobra.Command, name, literal string, opts []pyshm.ListOption) error {
	v, err := parseLiteral(cmd, literal)
	if err != nil {
		return err
	}
	values, ok := v.([]any)
	if !ok {
		return usagef("LITERAL is not a list: write [%s]", format.Repr(v))
	}
	l, err := pyshm.CreateList(name, values, opts...)
	if err != nil {
		return err
	}
	defer l.Close()
	return printName(cmd, l.SharedMemory())
}

// printName prints what Python takes as name. No process knows of the segment if
// that fails or a signal ends it, so it is removed then.
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
	}
	return err
}
