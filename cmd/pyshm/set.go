package main

import "github.com/spf13/cobra"

func newSet() *cobra.Command {
	return &cobra.Command{
		Use:   "set NAME INDEX LITERAL",
		Short: "Change an item of a list, or an element of an array",
		Long: `Sets an item of a ShareableList to LITERAL. LITERAL is written as Python's repr
prints a value; if it is -, it is read from standard input. The item's kind may
change. A str or bytes has to fit the slot, whose size is fixed when the list
is made (pyshm show prints it as CAPACITY). A negative INDEX counts from the
end.

In a numpy array, INDEX has a number for each axis, such as 3,4, and LITERAL is
a value of the array's dtype: a number, True or False, or a str or bytes that
fits. For a datetime64 or timedelta64 it is the count in the unit of the dtype.
A record cannot be set. A value of pyshm.CreateValue is an array without axes,
whose INDEX is (). To hold its lock, run the command under pyshm lock
NAME.lock.

A refused value leaves the item as it was. While set writes a str or bytes, or
a value of another kind, other processes see parts of it, unless all hold a
lock.`,
		Example: `  pyshm set prices 0 -7
  pyshm set prices -1 "'text'"
  pyshm set prices 2 None
  pyshm set image 3,4 0.5`,
		Args:        exactly("NAME", "INDEX", "LITERAL"),
		Annotations: map[string]string{takesNumbers: "yes"},
		RunE: func(cmd *cobra.Command, args []string) error {
			return set(cmd, args[0], args[1], args[2])
		},
	}
}

func set(cmd *cobra.Command, name, indexArg, literal string) error {
	if a, err := attachArray(name); err == nil {
		defer a.m.Close()
		return setElement(cmd, a, indexArg, literal)
	}
	index, err := parseIndex(indexArg)
	if err != nil {
		return err
	}
	v, err := parseLiteral(cmd, literal)
	if err != nil {
		return err
	}
	if _, ok := v.([]any); ok {
		return usagef("LITERAL is a list, which cannot be an item")
	}
	l, i, err := index.attachItem(name)
	if err != nil {
		return err
	}
	defer l.Close()
	return l.Set(i, v)
}
