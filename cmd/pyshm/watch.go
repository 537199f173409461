package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

func newWatch() *cobra.Command {
	var o watchOptions
	o.interval = 100 * time.Millisecond
	cmd := &cobra.Command{
		Use:   "watch NAME [FIRST:END]",
		Short: "Watch a segment change",
		Long: `Shows a segment as a table on the terminal, and marks what changes: the items
of a list, the elements of an array, the newest frame of a ring, the bytes of a
block, the value of a semaphore. It reads only the cells on the screen, so a
list may have millions of items. It follows a name that vanishes and comes
back, or is replaced. Between two looks a value may change more than once: only
the last change is seen. FIRST:END chooses a part, as in show.

Keys: q ends; arrows, PgUp, PgDn, Home and End scroll; a number and g goes to a
row.

--image draws an array of shape (h, w), (h, w, 3) or (h, w, 4), or such frames
of a ring, as a picture: by the graphics of the terminal, if it has kitty's
graphics protocol or sixels, or of coloured half blocks. tmux and screen get
half blocks. --graphics chooses one of the ways. Without a terminal the picture
is drawn once.

--plain, or a pipe as output, prints a line for each change, of all items or of
the part. It keeps two copies of the segment.`,
		Example: `  pyshm watch prices
  pyshm watch camera --image
  pyshm watch prices 0:10 --plain | grep -F '[3]'`,
		Args: func(cmd *cobra.Command, args []string) error {
			switch {
			case o.plain && o.image:
				return errors.New("--plain and --image do not go together")
			case cmd.Flags().Changed("graphics") && !o.image:
				return errors.New("--graphics is for --image")
			case !slices.Contains(graphicsWays, o.way):
				return fmt.Errorf("--graphics %q: choose one of %s", o.way, strings.Join(graphicsWays, ", "))
			case o.interval < time.Millisecond:
				return fmt.Errorf("--interval %v is shorter than 1ms", o.interval)
			case len(args) == 2:
				return exactly("NAME", "FIRST:END")(cmd, args)
			}
			return exactly("NAME")(cmd, args)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 2 {
				part, err := parseSpan(args[1])
				if err != nil {
					return err
				}
				o.part = &part
			}
			return watch(cmd, args[0], o)
		},
	}
	cmd.Flags().BoolVar(&o.plain, "plain", false, "print a line for each change")
	cmd.Flags().BoolVar(&o.image, "image", false, "draw an array as a picture")
	cmd.Flags().StringVar(&o.way, "graphics", "auto", "the `WAY` of --image: "+strings.Join(graphicsWays, ", "))
	cmd.Flags().DurationVar(&o.interval, "interval", o.interval, "how often to look")
	cmd.Flags().UintVar(&o.count, "count", 0, "with --plain: end after so many changes (0: never)")
	return cmd
}

type watchOptions struct {
	part         *span
	plain, image bool
	way          string // of graphics
	interval     time.Duration
	count        uint
}

func watch(cmd *cobra.Command, name string, o watchOptions) error {
	f, err := follow(name, o)
	if err != nil {
		return err
	}
	defer f.close()
	ctx, stop := untilStopped(cmd.Context())
	defer stop()
	in, out := cmd.InOrStdin(), cmd.OutOrStdout()
	switch {
	case isScreen(out) && o.image:
		m := &imageModel{follower: f, screen: newScreen(in, out), graphics: newGraphics(o.way)}
		return m.screen.show(ctx, o.interval, m)
	case isScreen(out) && !o.plain:
		m := &tableModel{follower: f, screen: newScreen(in, out)}
		return m.screen.show(ctx, o.interval, m)
	case o.image:
		text, err := newGraphics(o.way).print(f.w.table)
		if err == nil {
			_, err = io.WriteString(out, text)
		}
		return err
	}
	lines := bufio.NewWriter(out)
	return errors.Join(watchPlain(ctx, lines, f), lines.Flush())
}
