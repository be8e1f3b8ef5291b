package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// manCommand takes the place of the one that fang brings: that one knows a
// single page, sets each line of text as a paragraph, and writes the day on
// which it runs.
func manCommand() *cobra.Command {
	var dir string
	cmd := &cobra.Command{
		Use:   "man",
		Short: "Write the man pages",
		Long: `Write the man pages: one for clusy and one for each command.

Without --dir, the page of clusy itself goes to standard output.`,
		Example: "clusy man | man -l -\nclusy man --dir ~/.local/share/man/man1",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if dir == "" {
				_, err := cmd.OutOrStdout().Write(manPage(cmd.Root()))
				return err
			}
			if err := os.MkdirAll(dir, 0o755); err != nil {
				return fmt.Errorf("make the directory of pages: %w", err)
			}
			pages := []string{}
			var errs []error
			walk(cmd.Root(), func(c *cobra.Command) {
				if c.Hidden || c.Name() == "help" || c.HasParent() && c.Parent().Name() == "completion" {
					return
				}
				path := filepath.Join(dir, strings.ReplaceAll(c.CommandPath(), " ", "-")+".1")
				pages = append(pages, path)
				errs = append(errs, replaceFile(path, manPage(c), 0o644))
			})
			if err := errors.Join(errs...); err != nil {
				return err
			}
			return print(cmd, pages, func(out io.Writer) error {
				_, err := fmt.Fprintf(out, "%d pages in %s\n", len(pages), dir)
				return err
			})
		},
	}
	cmd.Flags().StringVar(&dir, "dir", "", "write a page for each command into this directory")
	_ = cmd.MarkFlagDirname("dir")
	return cmd
}

// manPage is a command's help as a page of section 1. It is the same bytes
// each time for the same build.
func manPage(c *cobra.Command) []byte {
	var b bytes.Buffer
	name := strings.ReplaceAll(c.CommandPath(), " ", "-")
	fmt.Fprintf(&b, ".TH %s 1 \"\" %s \"Clusy\"\n.SH NAME\n%s \\- %s\n", strings.ToUpper(roff(name)), manQuote("clusy "+version()), roff(name), roff(c.Short))
	b.WriteString(".SH SYNOPSIS\n.nf\n")
	for use := range strings.SplitSeq(c.UseLine(), " | ") {
		if !strings.HasPrefix(use, "clusy") {
			use = strings.TrimSuffix(c.CommandPath(), c.Name()) + use
		}
		fmt.Fprintf(&b, "\\fB%s\\fR\n", roff(use))
	}
	b.WriteString(".fi\n.SH DESCRIPTION\n")
	text := c.Long
	if text == "" {
		text = c.Short + "."
	}
	manText(&b, text)
	if c.Example != "" {
		fmt.Fprintf(&b, ".SH EXAMPLES\n.nf\n.RS 4\n%s\n.RE\n.fi\n", roff(c.Example))
	}
	manFlags(&b, "OPTIONS", c.LocalFlags())
	manFlags(&b, "OPTIONS OF EVERY COMMAND", c.InheritedFlags())
	if c.HasAvailableSubCommands() {
		b.WriteString(".SH COMMANDS\n")
		for _, s := range c.Commands() {
			if s.IsAvailableCommand() && s.Name() != "help" {
				fmt.Fprintf(&b, ".TP\n\\fB%s\\fR(1)\n%s\n", roff(strings.ReplaceAll(s.CommandPath(), " ", "-")), roff(s.Short))
			}
		}
	}
	b.WriteString(".SH ENVIRONMENT\n.TP\n\\fBCLUSY_URL\\fR\nthe server, as " + roff(defaultURL) + "\n.TP\n\\fBCLUSY_TOKEN\\fR\nthe token, as clusy serve printed it\n.TP\n\\fBNO_COLOR\\fR\nno colour\n")
	b.WriteString(".SH EXIT STATUS\n")
	for _, e := range []struct {
		code int
		says string
	}{{exitOK, "done"}, {exitError, "something went wrong"}, {exitUsage, "the command or a file is not as it should be"}, {exitRefused, "the server refused"}, {exitInfeasible, "it cannot be done in time, place or budget"}, {exitFailed, "the workload itself failed, was cancelled or is lost"}} {
		fmt.Fprintf(&b, ".TP\n\\fB%d\\fR\n%s\n", e.code, e.says)
	}
	if c.HasParent() {
		fmt.Fprintf(&b, ".SH SEE ALSO\n\\fB%s\\fR(1)\n", roff(strings.ReplaceAll(c.Parent().CommandPath(), " ", "-")))
	}
	return b.Bytes()
}

// manText sets paragraphs, and lines that are indented as they stand.
func manText(b *bytes.Buffer, text string) {
	as := false // in a block of lines as they stand
	for line := range strings.SplitSeq(strings.TrimSpace(text), "\n") {
		if indented := strings.HasPrefix(line, "  "); indented != as && line != "" {
			if as = indented; as {
				b.WriteString(".RS 2\n.nf\n")
			} else {
				b.WriteString(".fi\n.RE\n")
			}
		}
		switch {
		case line == "" && !as:
			b.WriteString(".PP\n")
		case as:
			b.WriteString(roff(strings.TrimPrefix(line, "  ")) + "\n")
		default:
			b.WriteString(roff(line) + "\n")
		}
	}
	if as {
		b.WriteString(".fi\n.RE\n")
	}
}

func manFlags(b *bytes.Buffer, title string, flags *pflag.FlagSet) {
	first := true
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Hidden {
			return
		}
		if first {
			fmt.Fprintf(b, ".SH %s\n", title)
			first = false
		}
		name := "--" + f.Name
		if f.Shorthand != "" {
			name = "-" + f.Shorthand + ", " + name
		}
		if f.Value.Type() != "bool" {
			name += " " + strings.ToUpper(f.Name)
		}
		says := f.Usage
		if f.DefValue != "" && f.DefValue != "false" && f.DefValue != "0" && f.DefValue != "[]" && !strings.Contains(says, "default") {
			value := f.DefValue
			if home, err := os.UserHomeDir(); err == nil {
				value = strings.Replace(value, home+"/", "~/", 1)
			}
			says += " (default " + value + ")"
		}
		fmt.Fprintf(b, ".TP\n\\fB%s\\fR\n%s\n", roff(name), roff(says))
	})
}

// roff makes text of anything: no line of it is a request, and hyphens are
// those that can be pasted into a shell.
func roff(s string) string {
	s = strings.NewReplacer(`\`, `\e`, "-", `\-`).Replace(s)
	lines := strings.Split(s, "\n")
	for i, l := range lines {
		if strings.HasPrefix(l, ".") || strings.HasPrefix(l, "'") {
			lines[i] = `\&` + l
		}
	}
	return strings.Join(lines, "\n")
}

func manQuote(s string) string { return `"` + strings.ReplaceAll(roff(s), `"`, `\(dq`) + `"` }
