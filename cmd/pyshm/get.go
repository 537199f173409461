package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/pyshm-go/pyshm/format"
	"github.com/pyshm-go/pyshm/pyshm"
)

func newGet() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "get NAME INDEX",
		Short: "Print an item of a list, or an element of an array",
		Long: `Prints an item of a ShareableList as Python's repr does. A negative INDEX
counts from the end. In a numpy array, INDEX has a number for each axis, such
as 3,4. If the array has no axis, as a value of pyshm.CreateValue, INDEX is ().
An element is printed as Python's repr prints the result of its method item. A
datetime64 or timedelta64 is printed as a count in the unit of its dtype.

With --json, prints {"index":0,"kind":"int","value":-2,"repr":"-2"}. repr is
always exact; value is null for None, nan and the infinities, and base64 for
bytes. An element is {"index":[3,4],"dtype":"<f4","repr":"0.5"}.`,
		Example: `  pyshm get prices 0
  pyshm get prices -1 --json
  pyshm get image 3,4`,
		Args:        exactly("NAME", "INDEX"),
		Annotations: map[string]string{takesNumbers: "yes"},
		RunE: func(cmd *cobra.Command, args []string) error {
			return get(cmd, args[0], args[1], asJSON)
		},
	}
	addJSON(cmd, &asJSON)
	return cmd
}

func get(cmd *cobra.Command, name, indexArg string, asJSON bool) error {
	if a, err := attachArray(name, pyshm.ReadOnly()); err == nil {
		defer a.m.Close()
		return getElement(cmd, a, indexArg, asJSON)
	}
	index, err := parseIndex(indexArg)
	if err != nil {
		return err
	}
	l, i, err := index.attachItem(name, pyshm.ReadOnly())
	if err != nil {
		return err
	}
	defer l.Close()
	v, err := l.Get(i)
	if err != nil {
		return err
	}
	if asJSON {
		return printJSON(cmd.OutOrStdout(), newItem(i, v))
	}
	_, err = fmt.Fprintln(cmd.OutOrStdout(), format.Repr(v))
	return err
}
