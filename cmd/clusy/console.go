package main

import (
	"fmt"
	"io"
	"os/exec"
	"runtime"

	"github.com/spf13/cobra"
)

func consoleCommand() *cobra.Command {
	var open bool
	cmd := &cobra.Command{
		Use:   "console",
		Short: "Print a link that opens the console in a browser",
		Long: `Print a link that opens the console in a browser, signed in as you.

The link works once, for a quarter of an hour. The session that it opens has
your role, and ends after twelve hours or with your own grant. The code stands
behind the # of the link, so that no server or proxy logs it; it is as good as
your token until it is used.`,
		Example: "clusy console\nclusy console --open",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := connect(cmd)
			if err != nil {
				return err
			}
			link, err := c.SessionLink(cmd.Context())
			if err != nil {
				return err
			}
			if open {
				if err := openBrowser(link.URL); err != nil {
					fmt.Fprintf(cmd.ErrOrStderr(), "No browser could be opened (%v); open the link yourself.\n", err)
				}
			}
			return print(cmd, link, func(out io.Writer) error {
				_, err := fmt.Fprintln(out, link.URL)
				return err
			})
		},
	}
	cmd.Flags().BoolVar(&open, "open", false, "open it in this machine's browser, too")
	return cmd
}

// openBrowser hands a link to whatever opens links on this machine. The link
// stands in the arguments of that program for a moment, where others on this
// machine could read it: so nobody does this unasked.
func openBrowser(url string) error {
	name := "xdg-open"
	if runtime.GOOS == "darwin" {
		name = "open"
	}
	return exec.Command(name, url).Start()
}
