package main

import (
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// Help teaches: every command that does something says what it does, shows how it is called, and
// says what each flag takes.
func TestHelpTeaches(t *testing.T) {
	walk(root(), func(c *cobra.Command) {
		// A command that only holds others is read for their list, and demo is
		// called by its bare name.
		if !c.Runnable() || c.Hidden || c.Name() == "demo" {
			return
		}
		if len(c.Long) < 60 {
			t.Errorf("%s: Long says %q", c.CommandPath(), c.Long)
		}
		if c.Example == "" {
			t.Errorf("%s has no example", c.CommandPath())
		}
		for line := range strings.SplitSeq(c.Example, "\n") {
			if !strings.HasPrefix(line, "clusy ") {
				t.Errorf("%s: example %q cannot be pasted", c.CommandPath(), line)
			}
			if words := strings.Fields(line); len(words) > 1 {
				if called, _, err := root().Find(words[1:]); err != nil || called.Name() == "clusy" {
					t.Errorf("%s: example %q calls no command of ours", c.CommandPath(), line)
				}
			}
		}
		for line := range strings.SplitSeq(c.Long, "\n") {
			if len([]rune(line)) > 84 {
				t.Errorf("%s: a line of help is %d wide: %s", c.CommandPath(), len([]rune(line)), line)
			}
		}
		c.LocalNonPersistentFlags().VisitAll(func(f *pflag.Flag) {
			if len(f.Usage) < 8 {
				t.Errorf("%s --%s: usage %q", c.CommandPath(), f.Name, f.Usage)
			}
		})
	})
}
