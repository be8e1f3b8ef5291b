package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"clusy.io/clusy"
	"clusy.io/clusy/internal/intent"
	"clusy.io/clusy/internal/workload"
)

func classesCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "classes [CLASS]",
		Short: "Show how long work takes, as learned class by class",
		Long: `Show how long work takes, as learned class by class.

A class is what you call work of one kind: shape.class in the intent, the one
name that the server is told. The newest 200 runs of each class are kept, and
say how long the next will take: expected is the middle one, p95 a cautious
bound on 19 of 20, known from five runs on. An intent of the class may then
leave its duration out.

Runs that failed tell nothing. One that was killed at its maximum would have
taken longer. A class has DRIFTED when, with 99 % confidence, more than 1 in 20
of its newest runs take longer than was declared for them.

With a class, its figures and how its runs are spread.`,
		Example: "clusy classes\nclusy classes nightly-train\nclusy classes --json | jq '.[] | select(.drifted) | .class'",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := connect(cmd)
			if err != nil {
				return err
			}
			if len(args) == 1 {
				k, err := c.Class(cmd.Context(), args[0])
				if err != nil {
					return err
				}
				return print(cmd, k, func(out io.Writer) error { return showClass(out, k) })
			}
			items := []clusy.Class{}
			for cursor := ""; ; {
				p, err := c.Classes(cmd.Context(), cursor, 100)
				if err != nil {
					return err
				}
				items = append(items, p.Items...)
				if cursor = p.Next; cursor == "" {
					break
				}
			}
			st, err := c.Status(cmd.Context())
			if err != nil {
				return err
			}
			return print(cmd, items, func(out io.Writer) error { return classesTable(out, items, st.Now) })
		},
	}
}

func classesTable(out io.Writer, items []clusy.Class, now time.Time) error {
	if len(items) == 0 {
		_, err := fmt.Fprintln(out, "No work of a class has ended yet: write shape.class in the intent, or clusy run --class.")
		return err
	}
	rows := [][]string{{"CLASS", "RUNS", "EXPECTED", "P95", "LONGEST", "LAST", ""}}
	for _, k := range items {
		mark := ""
		if k.Drifted {
			mark = paint(out, yellow, fmt.Sprintf("DRIFTED: %d of %d over", k.Over, k.Judged))
		}
		rows = append(rows, []string{k.Class, fmt.Sprint(k.Runs), lengthOf(k.Median), lengthOf(k.P95), lengthOf(k.Longest), ago(k.Last, now), mark})
	}
	return table(out, rows)
}

func showClass(out io.Writer, k clusy.Class) error {
	fmt.Fprintf(out, "%s  %s\n", paint(out, bold, k.Class), countOf(k.Runs, "run"))
	fmt.Fprintf(out, "  %-12s %s\n", "expected", lengthOf(k.Median))
	fmt.Fprintf(out, "  %-12s %s%s\n", "p95", lengthOf(k.P95), map[string]string{
		string(workload.RuleOrder):   ", with 95 % confidence",
		string(workload.RuleLongest): ", the longest and half as much again: 59 runs that ended of themselves would say more",
	}[k.Rule])
	fmt.Fprintf(out, "  %-12s %s\n", "longest", lengthOf(k.Longest))
	if k.Killed > 0 {
		fmt.Fprintf(out, "  %-12s %s at the maximum: they would have taken longer\n", "killed", countOf(k.Killed, "run"))
	}
	if k.Judged > 0 {
		mark := ""
		if k.Drifted {
			mark = paint(out, yellow, "  DRIFTED") + ": declare more, or leave shape.duration out"
		}
		fmt.Fprintf(out, "  %-12s %d of the last %d took longer than the declared p95%s\n", "declared", k.Over, k.Judged, mark)
	}
	return spread(out, k.Newest)
}

// spread draws how many runs took how long, in bars of equal width.
func spread(out io.Writer, runs []clusy.ClassRun) error {
	const bars, wide = 8, 40
	longest, n := 0.0, 0
	for _, r := range runs {
		if r.Way == 0 {
			longest = max(longest, r.Length)
			n++
		}
	}
	if n < 2 || longest <= 0 {
		return nil
	}
	var counts [bars]int
	most := 0
	for _, r := range runs {
		if r.Way == 0 {
			b := min(int(r.Length/longest*bars), bars-1)
			counts[b]++
			most = max(most, counts[b])
		}
	}
	fmt.Fprintln(out)
	for b, c := range counts {
		upTo := time.Duration(longest * float64(b+1) / bars * float64(time.Second))
		if _, err := fmt.Fprintf(out, "  ≤ %-10s %s %d\n", span(upTo), strings.Repeat("█", int(math.Ceil(float64(c)*wide/float64(most)))), c); err != nil {
			return err
		}
	}
	return nil
}

// lengthOf shows a length in seconds, which may be unknown.
func lengthOf(seconds *float64) string {
	if seconds == nil {
		return "unknown"
	}
	return span(inSeconds(*seconds))
}

func inSeconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

// lengths asks the server how long the work of a class takes. What it says is
// kept in said, so that the owner can be told.
func lengths(ctx context.Context, c *clusy.Client, said *clusy.Class) intent.Lengths {
	return func(class string) (d workload.Duration, err error) {
		k, err := c.Class(ctx, class)
		switch {
		case clusy.StatusOf(err) == http.StatusNotFound:
			return d, fmt.Errorf("no work of class %s has ended yet, so that nothing is known of how long it takes: declare shape.duration until 5 runs have ended", class)
		case err != nil:
			return d, fmt.Errorf("the server does not say how long work of class %s takes: %w", class, err)
		case k.Median == nil || k.P95 == nil:
			return d, fmt.Errorf("%s of class %s (%d killed) do not say yet how long it takes: declare shape.duration until 5 runs have ended, most of them of themselves", countOf(k.Runs, "run"), class, k.Killed)
		}
		*said = k
		return workload.Duration{Expected: inSeconds(*k.Median), P95: inSeconds(*k.P95)}, nil
	}
}

// tellClass says what was filled in, or how what was declared compares with
// what such work took.
func tellClass(ctx context.Context, c *clusy.Client, tell io.Writer, in intent.Intent, filled clusy.Class) {
	class, d := in.Shape.Class, in.Shape.Duration
	if class == "" {
		return
	}
	if filled.Class != "" {
		fmt.Fprintf(tell, "  %-12s expected %s, p95 %s, killed after %s: learned from the last %s of %s\n", "duration", span(d.Expected), span(d.P95), span(d.Max), countOf(filled.Runs, "run"), class)
		return
	}
	k, err := c.Class(ctx, class)
	if err != nil {
		return // it only would have been told
	}
	if text := compared(k, d); text != "" {
		fmt.Fprintf(tell, "  %-12s %s\n", "duration", text)
	}
}

// compared says how a declared duration compares with what such work took; ""
// if that is not known.
func compared(k clusy.Class, d workload.Duration) string {
	if k.Median == nil || k.P95 == nil {
		return ""
	}
	text := fmt.Sprintf("the last %s of %s took %s (p95 %s); you declared %s", countOf(k.Runs, "run"), k.Class, lengthOf(k.Median), lengthOf(k.P95), span(d.Expected))
	if d.P95 != d.Expected {
		text += fmt.Sprintf(" (p95 %s)", span(d.P95))
	}
	known := inSeconds(*k.P95)
	switch {
	case k.Drifted:
		return text + fmt.Sprintf(": %d of the last %d took longer than was declared; declare more, or leave shape.duration out", k.Over, k.Judged)
	case d.P95 > known+known/4:
		return text + fmt.Sprintf(": %s are kept free that such work does not need, and it could be placed better without; leave shape.duration out", span(d.P95-known))
	case d.P95 < inSeconds(*k.Median):
		return text + ": most runs took longer; declare more, or leave shape.duration out"
	}
	return text
}

// classOf returns what is known of a workload's class; nil if it has none, or
// nothing is known.
func classOf(ctx context.Context, c *clusy.Client, w clusy.Workload) (*clusy.Class, error) {
	if w.Shape.Class == "" {
		return nil, nil
	}
	k, err := c.Class(ctx, w.Shape.Class)
	var p *clusy.Problem
	if errors.As(err, &p) { // nothing has ended yet, or this token may not ask
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	k.Newest = nil
	return &k, nil
}
