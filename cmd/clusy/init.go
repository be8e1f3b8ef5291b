package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"clusy.io/clusy/internal/intent"
)

// schemaFile is the schema's name beside an intent.
const schemaFile = "clusy.schema.json"

// written is what init has written, and what to do next.
type written struct {
	Intent string `json:"intent"`
	Schema string `json:"schema"`
	Next   string `json:"next"`
}

func initCommand() *cobra.Command {
	var f intentFlags
	var force bool
	cmd := &cobra.Command{
		Use:   "init [FILE] [-- COMMAND [ARG ...]]",
		Short: "Write a first intent, with a comment on each line",
		Long: `Write a first intent, with a comment on each line, and its schema beside it.

The file (default: intent.yaml) can be run as it is. The flags, which are those
of run, fill it in. Nothing that is there already is overwritten without
--force; a schema of the same bytes stays.`,
		Example: "clusy init\nclusy init night.yaml --by +10h --for 2h --power 300W -- python train.py",
		RunE: func(cmd *cobra.Command, args []string) error {
			argv := []string(nil)
			if dash := cmd.ArgsLenAtDash(); dash >= 0 {
				args, argv = args[:dash], args[dash:]
			}
			if len(args) > 1 {
				return usage("give one file to write, and a command after --:\n  clusy init night.yaml -- python train.py")
			}
			path := "intent.yaml"
			if len(args) == 1 {
				path = args[0]
			}
			text := firstIntent(f, argv)
			// What is written is read first: flags can be as wrong as a file.
			if _, err := intent.Parse(text, "the intent that these flags make", time.Now()); err != nil {
				return err
			}
			schema, err := intent.Schema()
			if err != nil {
				return err
			}
			w := written{Intent: path, Schema: filepath.Join(filepath.Dir(path), schemaFile)}
			w.Next = "clusy plan " + quoted(w.Intent)
			if err := errors.Join(mayWrite(w.Intent, nil, force), mayWrite(w.Schema, schema, force)); err != nil {
				return err
			}
			if err := errors.Join(replaceFile(w.Schema, schema, 0o644), replaceFile(w.Intent, text, 0o644)); err != nil {
				return err
			}
			return print(cmd, w, func(out io.Writer) error {
				fmt.Fprintf(out, "%s %s, a first intent\n", paint(out, green, "✓ wrote"), w.Intent)
				fmt.Fprintf(out, "%s %s, which its first line names: an editor completes and checks by it\n", paint(out, green, "✓ wrote"), w.Schema)
				_, err := fmt.Fprintf(out, "Next:  %s   shows when it would run, and changes nothing\n", w.Next)
				return err
			})
		},
	}
	f.add(cmd)
	cmd.Flags().BoolVar(&force, "force", false, "overwrite what is there")
	return cmd
}

// mayWrite reports what stands in the way of writing b to path.
func mayWrite(path string, b []byte, force bool) error {
	st, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return usage("write %s: %w", path, err)
	case !st.Mode().IsRegular():
		return usage("%s is there already and is no file", path)
	case force:
		return nil
	}
	if have, err := os.ReadFile(path); b != nil && err == nil && bytes.Equal(have, b) {
		return nil
	}
	return usage("%s is there already: --force overwrites it, or name another file, as clusy init night.yaml", path)
}

// firstIntent is an intent that can be run as it is. Each line says what it
// means, and what else there is stands beside it as a comment.
func firstIntent(f intentFlags, argv []string) []byte {
	q := strconv.Quote
	run := `[sh, -c, "echo it runs; sleep 20; echo it is done"]`
	if len(argv) > 0 {
		words := make([]string, len(argv))
		for i, a := range argv {
			words[i] = q(a)
		}
		run = "[" + strings.Join(words, ", ") + "]"
	}
	// What a flag gave is quoted: it may be any text, and Parse judges it.
	or := func(given, plain string) string {
		if given == "" {
			return plain
		}
		return q(given)
	}
	power := "power: " + or(f.power, "300W")
	if f.energy != "" {
		power = "energy: " + q(f.energy)
		if f.power != "" {
			power += "\n  power: " + q(f.power) // Parse says which rule that breaks
		}
	}
	var b bytes.Buffer
	line := func(text, says string) {
		if says != "" {
			text = fmt.Sprintf("%-38s # %s", text, says)
		}
		b.WriteString(text + "\n")
	}
	line("# yaml-language-server: $schema=./"+schemaFile, "")
	line("apiVersion: clusy.io/v1", "")
	line("kind: Intent", "")
	line("metadata:", "sealed: the server never sees it")
	line("  name: "+or(f.name, "my-first-intent"), "only your enclave and you see it")
	line("run:", "sealed: the server never sees it")
	line("  exec: "+run, "")
	line("shape:", "how large the work is: this the server sees")
	line("  duration: "+or(f.takes, "30m"), "expected running time: 90m, 6h, 2d")
	line("  "+power, "mean power while it runs; or energy: 2.4kWh")
	if f.cpus != "" {
		line("  resources: {cpus: "+q(f.cpus)+"}", "")
	} else {
		line("  # resources: {cpus: 2, memory: 4GiB}", "default: one core, no memory set aside")
	}
	line("  interruptible: "+strconv.FormatBool(f.interruptible), "true: it may be suspended and resumed")
	line("when:", "")
	line("  completeBy: "+or(f.by, "+10h"), "from now, or 2026-12-01T07:00:00+01:00")
	if len(f.zones) > 0 {
		zones := make([]string, len(f.zones))
		for i, z := range f.zones {
			zones[i] = q(z)
		}
		line("where: {allow: ["+strings.Join(zones, ", ")+"]}", "sites or zones; * stands for any text")
	} else {
		line("# where: {allow: [local]}", "sites or zones; default: any")
	}
	if f.minSaving != "" {
		line("objective: {minSaving: "+q(f.minSaving)+"}", "do not wait for less")
	} else {
		line("# objective: {minSaving: 5%}", "do not wait for less; default: 0%")
	}
	if f.retries != 0 {
		line(fmt.Sprintf("policy: {retries: %d}", f.retries), "further attempts after a recorded failure")
	} else {
		line("# policy: {retries: 2}", "further attempts after a failure; default: 0")
	}
	return b.Bytes()
}

// quoted writes a word as a shell takes it.
func quoted(s string) string {
	if strings.IndexFunc(s, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("._/-+", r))
	}) < 0 && s != "" {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
