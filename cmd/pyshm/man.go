package main

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// newMan writes manual pages from the help texts. cobra's own generator takes the texts for
// Markdown, and would lose characters such as the asterisk of a pattern.
func newMan() *cobra.Command {
	return &cobra.Command{
		Use:   "man FOLDER",
		Short: "Write the manual pages",
		Long: `Writes a manual page for each command into a folder: pyshm.1, pyshm-create.1
and so on.`,
		Hidden: true, // for packagers
		Args:   exactly("FOLDER"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := os.MkdirAll(args[0], 0o755); err != nil {
				return err
			}
			return writePages(cmd.Root(), args[0])
		},
	}
}

// writePages writes the page of a command and the pages of its subcommands.
func writePages(cmd *cobra.Command, folder string) (err error) {
	cmd.InitDefaultHelpFlag()
	name := strings.ReplaceAll(cmd.CommandPath(), " ", "-")
	f, err := os.Create(filepath.Join(folder, name+".1"))
	if err != nil {
		return err
	}
	page := manPage{bufio.NewWriter(f)}
	page.write(cmd, name)
	if err := errors.Join(page.Flush(), f.Close()); err != nil {
		return err
	}
	for _, sub := range cmd.Commands() {
		if sub.IsAvailableCommand() {
			if err := writePages(sub, folder); err != nil {
				return err
			}
		}
	}
	return nil
}

// A manPage is text for troff, with the macros of man(7). Errors stay until Flush.
type manPage struct{ *bufio.Writer }

func (p manPage) write(cmd *cobra.Command, name string) {
	fmt.Fprintf(p, ".TH %s 1 \"\" \"pyshm %s\" \"pyshm\"\n", strings.ToUpper(escaped(name)), escaped(version()))
	p.section("NAME", escaped(name)+" \\- "+escaped(cmd.Short))
	p.section("SYNOPSIS")
	p.verbatim(strings.ReplaceAll(cmd.UseLine(), "\n  ", "\n"))
	p.section("DESCRIPTION")
	for paragraph := range strings.SplitSeq(cmd.Long, "\n\n") {
		p.paragraph(paragraph)
	}
	p.section("OPTIONS")
	cmd.Flags().VisitAll(p.flag)
	if cmd.HasAvailableSubCommands() {
		p.section("COMMANDS")
		for _, sub := range cmd.Commands() {
			if sub.IsAvailableCommand() {
				fmt.Fprintf(p, ".TP\n.BR %s (1)\n%s\n", strings.ReplaceAll(escaped(sub.CommandPath()), " ", "\\-"), line(sub.Short))
			}
		}
	}
	if cmd.Example != "" {
		p.section("EXAMPLES")
		p.verbatim(cmd.Example)
	}
	if cmd.HasParent() {
		p.section("SEE ALSO", ".BR "+strings.ReplaceAll(escaped(cmd.Parent().CommandPath()), " ", "\\-")+" (1)")
	}
}

// section begins a section. Its lines are written as they are.
func (p manPage) section(title string, lines ...string) {
	fmt.Fprintf(p, ".SH %s\n", title)
	for _, line := range lines {
		fmt.Fprintln(p, line)
	}
}

// paragraph writes prose, or lines that are indented as they are.
func (p manPage) paragraph(text string) {
	if strings.HasPrefix(text, " ") {
		p.verbatim(text)
		return
	}
	fmt.Fprintln(p, ".PP")
	p.lines(text)
}

func (p manPage) verbatim(text string) {
	fmt.Fprintln(p, ".PP\n.nf")
	p.lines(text)
	fmt.Fprintln(p, ".fi")
}

func (p manPage) lines(text string) {
	for each := range strings.SplitSeq(text, "\n") {
		fmt.Fprintln(p, line(each))
	}
}

func (p manPage) flag(f *pflag.Flag) {
	argument, usage := pflag.UnquoteUsage(f)
	names := "\\-\\-" + escaped(f.Name)
	if f.Shorthand != "" {
		names = "\\-" + f.Shorthand + ", " + names
	}
	if argument != "" {
		names += " \\fI" + escaped(argument)
	}
	if !slices.Contains([]string{"", "0", "false", "[]"}, f.DefValue) {
		usage += " (default " + f.DefValue + ")"
	}
	fmt.Fprintf(p, ".TP\n\\fB%s\\fR\n%s\n", names, line(usage))
}

// line returns a line of text as it has to be in a page, where a line that begins with a
// point is a request.
func line(text string) string {
	text = escaped(text)
	if strings.HasPrefix(text, ".") {
		return "\\&" + text
	}
	return text
}

// escaped keeps troff from changing characters, such as the hyphens of options, which a
// reader has to find and copy as they are.
func escaped(text string) string {
	return strings.NewReplacer(`\`, `\e`, "-", `\-`, "'", `\(aq`, "`", "\\(ga", "^", `\(ha`, "~", `\(ti`).Replace(text)
}
