package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"time"

	"charm.land/fang/v2"
	"github.com/spf13/cobra"

	"clusy.io/clusy"
	"clusy.io/clusy/internal/intent"
)

const (
	defaultAddress = "127.0.0.1:8400"
	defaultURL     = "http://" + defaultAddress
)

// errNoToken says that nobody told us who we are to the server.
var errNoToken = errors.New("no token")

// connect makes the client that a command's flags and environment describe.
func connect(cmd *cobra.Command) (*clusy.Client, error) {
	url, _ := cmd.Flags().GetString("url")
	if url == "" {
		url = os.Getenv("CLUSY_URL")
	}
	if url == "" {
		url = defaultURL
	}
	token := os.Getenv("CLUSY_TOKEN")
	if file, _ := cmd.Flags().GetString("token-file"); file != "" {
		b, err := os.ReadFile(file)
		if err != nil {
			return nil, usage("read the token: %w", err)
		}
		token = strings.TrimSpace(string(b))
	}
	if token == "" {
		return nil, usage("%w: set CLUSY_TOKEN to the one that `clusy serve` or `clusy demo --stay` printed, or name its file with --token-file", errNoToken)
	}
	return &clusy.Client{URL: url, Token: token}, nil
}

// print writes v as JSON if that is wanted, else as text has it.
func print(cmd *cobra.Command, v any, text func(w io.Writer) error) error {
	if asked, _ := cmd.Flags().GetBool("json"); asked {
		enc := json.NewEncoder(cmd.OutOrStdout())
		enc.SetIndent("", "  ")
		return enc.Encode(v)
	}
	return text(cmd.OutOrStdout())
}

// showError writes an error for people: an intent's on its own lines, an
// answer's with every violation, and always the way out.
func showError(w io.Writer, _ fang.Styles, err error) {
	if _, quiet := err.(exitStatus); quiet {
		return
	}
	fmt.Fprintln(w, paint(w, red, "error: ")+errorText(err, colour(w)))
	if p, ok := err.(*clusy.Problem); ok && p.Status == 401 {
		fmt.Fprintln(w, "  The server wants a token: set CLUSY_TOKEN to the one it printed when it first started.")
	}
	var down *net.OpError
	if errors.As(err, &down) && down.Op == "dial" {
		fmt.Fprintln(w, "  Nothing answers there. Is the server running (clusy serve), and is CLUSY_URL what it printed?")
	}
	if isUsage(err) {
		fmt.Fprintln(w, "  Try --help.")
	}
}

// errorText is an intent's mistakes on its own lines, or else the error's text
// with its lines kept apart: each is made safe for a terminal by itself.
func errorText(err error, colour bool) string {
	var file *intent.Error
	if errors.As(err, &file) {
		return intent.Render(err, colour)
	}
	lines := strings.Split(strings.TrimSpace(err.Error()), "\n")
	for i, line := range lines {
		lines[i] = strings.TrimSuffix(intent.Render(errors.New(line), colour), "\n")
	}
	return strings.Join(lines, "\n")
}

// clockOf returns the server's now: a demo's is not ours.
func clockOf(ctx context.Context, c *clusy.Client) (clusy.Status, error) {
	return c.Status(ctx)
}

// local prints a time of the server's for people, in UTC as grids go by it.
func local(t time.Time) string {
	if t.IsZero() {
		return "–"
	}
	return t.UTC().Format("Mon 02 Jan 15:04")
}

// span prints a length of time for people: "4 h 40 m".
func span(d time.Duration) string {
	neg := ""
	if d < 0 {
		neg, d = "−", -d
	}
	switch {
	case d < time.Minute:
		return neg + fmt.Sprintf("%d s", int(d.Round(time.Second)/time.Second))
	case d < time.Hour:
		return neg + fmt.Sprintf("%d m", int(d.Round(time.Minute)/time.Minute))
	}
	d = d.Round(time.Minute)
	if d >= 48*time.Hour {
		return neg + fmt.Sprintf("%d d %d h", int(d/(24*time.Hour)), int(d%(24*time.Hour)/time.Hour))
	}
	h, m := int(d/time.Hour), int(d%time.Hour/time.Minute)
	if m == 0 {
		return neg + fmt.Sprintf("%d h", h)
	}
	return neg + fmt.Sprintf("%d h %d m", h, m)
}

// grams prints an amount of carbon for people.
func grams(g float64) string {
	switch abs := max(g, -g); {
	case abs >= 1e6:
		return fmt.Sprintf("%.2f t", g/1e6)
	case abs >= 10_000:
		return fmt.Sprintf("%.1f kg", g/1e3)
	case abs >= 1_000:
		return fmt.Sprintf("%.2f kg", g/1e3)
	case abs >= 10:
		return fmt.Sprintf("%.0f g", g)
	}
	return fmt.Sprintf("%.1f g", g)
}

// orDash prints a number that may not be known.
func orDash(f *float64, format string) string {
	if f == nil {
		return "unknown"
	}
	return fmt.Sprintf(format, *f)
}

func percent(part, whole float64) string {
	if whole == 0 {
		return "n/a"
	}
	return fmt.Sprintf("%+.0f %%", 100*part/whole)
}
