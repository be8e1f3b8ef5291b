package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"clusy.io/clusy"
	"clusy.io/clusy/internal/intent"
	"clusy.io/clusy/internal/problem"
	"clusy.io/clusy/internal/wire"
)

// prepareGroup blinds all members of a file at the server's time.
func prepareGroup(g intent.Group, st clusy.Status, tell io.Writer) ([]clusy.Shape, error) {
	out := make([]clusy.Shape, len(g.Members))
	told := map[string]bool{}
	for i, m := range g.Members {
		if where := strings.Join(append(slices.Clone(m.Where.Allow), m.Where.Prefer...), " "); !told[where] {
			told[where] = true
			if err := regionZones(tell, m.Where.Allow, m.Where.Prefer); err != nil {
				return nil, err
			}
		}
		shape, err := intent.Blind(m.Intent, st.Now)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", called(g, i), err)
		}
		out[i] = wire.ShapeOut(shape)
	}
	return out, nil
}

// called is what its owner calls a member: here nothing leaves.
func called(g intent.Group, i int) string {
	m := g.Members[i]
	if m.Metadata.Name != "" {
		return m.Metadata.Name
	}
	return fmt.Sprintf("the document at line %d", m.Line)
}

// runGroup submits a file that holds several intents, and stays until all have
// ended.
func runGroup(cmd *cobra.Command, c *clusy.Client, g intent.Group, src []byte, name, key string, detach bool, st clusy.Status) error {
	ctx := cmd.Context()
	shapes, err := prepareGroup(g, st, cmd.ErrOrStderr())
	if err != nil {
		return err
	}
	to, err := enclaveKey(ctx, c)
	if err != nil {
		return err
	}
	var sub clusy.GroupSubmission
	for i, m := range g.Members {
		sealed, err := intent.Seal(m.Intent, to)
		if err != nil {
			return fmt.Errorf("%s: %w", called(g, i), err)
		}
		sub.Members = append(sub.Members, clusy.Submission{Shape: shapes[i], Sealed: sealed, Enclave: intent.KeyID(to)})
	}
	if key == "" {
		key = g.Key
	}
	if key == "" {
		key = rand.Text()
	}
	made, err := c.SubmitGroup(ctx, key, sub)
	if err != nil {
		return onMemberLines(cmd.ErrOrStderr(), g, src, name, err)
	}
	asJSON, _ := cmd.Flags().GetBool("json")
	if detach || asJSON {
		if !detach {
			if made, err = waitForGroup(ctx, c, made.ID, nil); err != nil {
				return err
			}
		}
		if err := print(cmd, made, func(out io.Writer) error { _, err := fmt.Fprintln(out, made.ID); return err }); err != nil || detach {
			return err
		}
		return groupOutcome(made)
	}
	out := cmd.OutOrStdout()
	if st.Demo {
		fmt.Fprintln(out, paint(out, yellow, "DEMO")+" replayed grid data, clock "+fmt.Sprintf("%.0f×", st.Rate))
	}
	fmt.Fprintf(out, "%s %s  %d workloads, to be complete %s\n", paint(out, green, "✓ accepted"), paint(out, bold, made.ID), len(made.Members), local(made.Finish))
	names := map[string]string{}
	for i, m := range made.Members {
		names[m.ID] = g.Members[i].Metadata.Name
	}
	if err := showGroup(out, made, names, 20); err != nil {
		return err
	}
	fmt.Fprintf(out, "\n  Ctrl-C leaves it to run.  clusy list --group %s · clusy cancel %s\n\n", made.ID, made.ID)
	last := ""
	made, err = waitForGroup(ctx, c, made.ID, func(g clusy.Group, now time.Time) {
		if line := statesOf(g); line != last {
			fmt.Fprintf(out, "  … %s  %s\n", local(now), line)
			last = line
		}
	})
	if errors.Is(err, context.Canceled) {
		fmt.Fprintf(out, "\n  It goes on without you: clusy wait %s\n", made.ID)
		return nil
	}
	if err != nil {
		return err
	}
	showGroupOutcome(out, made, names)
	return groupOutcome(made)
}

// planGroup shows what would become of a file that holds several intents.
func planGroup(cmd *cobra.Command, c *clusy.Client, g intent.Group, src []byte, name string, st clusy.Status) error {
	shapes, err := prepareGroup(g, st, cmd.ErrOrStderr())
	if err != nil {
		return err
	}
	p, err := c.PlanGroup(cmd.Context(), clusy.GroupShapes{Members: shapes})
	if err != nil {
		return onMemberLines(cmd.ErrOrStderr(), g, src, name, err)
	}
	err = print(cmd, p, func(out io.Writer) error {
		if !p.Feasible {
			where := "the group"
			if p.Refused != nil && *p.Refused < len(g.Members) {
				where = fmt.Sprintf("%s (line %d)", called(g, *p.Refused), g.Members[*p.Refused].Line)
			}
			fmt.Fprintf(out, "%s: %s\n", paint(out, red, "✗ cannot be done"), where)
			for _, f := range p.Failed {
				fmt.Fprintf(out, "  %-22s %s", f.Field, f.Message)
				if f.Missing != "" {
					fmt.Fprintf(out, " (missing: %s)", f.Missing)
				}
				fmt.Fprintln(out)
			}
			if !p.Nearest.IsZero() {
				fmt.Fprintf(out, "  with completeBy %s (in %s) for the group it can be done\n", p.Nearest.UTC().Format(time.RFC3339), span(p.Nearest.Sub(st.Now)))
			}
			return nil
		}
		fmt.Fprintf(out, "%s: %d workloads\n", paint(out, green, "✓ would run"), len(p.Members))
		rows := [][]string{{"  MEMBER", "AT", "RUNS", "CARBON", "AFTER"}}
		for i, pl := range p.Members {
			if i == 20 && len(p.Members) > 25 {
				rows = append(rows, []string{fmt.Sprintf("  and %d more", len(p.Members)-i)})
				break
			}
			carbon := "unknown"
			if pl.Carbon != nil {
				carbon = grams(*pl.Carbon)
			}
			rows = append(rows, []string{"  " + called(g, i), pl.Site, local(pl.Spans[0].Start) + " – " + local(pl.Spans[len(pl.Spans)-1].End), carbon, afterIn(g, i)})
		}
		return table(out, rows)
	})
	if err == nil && !p.Feasible {
		return exitStatus(exitInfeasible)
	}
	return err
}

// afterIn lists what member i waits for as its owner calls it.
func afterIn(g intent.Group, i int) string {
	var names []string
	for _, ref := range g.Members[i].After {
		var n int
		if _, err := fmt.Sscanf(ref, "#%d", &n); err == nil && n < len(g.Members) {
			names = append(names, called(g, n))
		} else {
			names = append(names, ref)
		}
	}
	return few(names)
}

// few lists what has room on a line.
func few(names []string) string {
	if len(names) > 3 {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:2], ", "), len(names)-2)
	}
	return strings.Join(names, ", ")
}

// onMemberLines shows a refusal of one member on the lines of its document.
func onMemberLines(w io.Writer, g intent.Group, src []byte, name string, err error) error {
	var p *clusy.Problem
	if !errors.As(err, &p) || len(p.Errors) == 0 {
		return err
	}
	byDocument := map[int][]problem.Violation{}
	for _, v := range p.Errors {
		var i int
		rest := ""
		if n, _ := fmt.Sscanf(v.Pointer, "/members/%d", &i); n != 1 || i >= len(g.Members) {
			return err
		}
		if parts := strings.SplitN(strings.TrimPrefix(v.Pointer, "/members/"), "/", 2); len(parts) == 2 {
			rest = "/" + parts[1]
		}
		pv := problem.Violation{Pointer: shapePointer(rest), Message: called(g, i) + ": " + v.Message, Limit: v.Limit, Nearest: v.Nearest}
		if text, ok := v.Value.(string); ok {
			pv.Value = text
		}
		byDocument[g.Members[i].Line] = append(byDocument[g.Members[i].Line], pv)
	}
	fmt.Fprintln(w, paint(w, red, "error: ")+p.Detail)
	for _, line := range slices.Sorted(maps.Keys(byDocument)) {
		fmt.Fprintln(w, intent.AnnotateDocument(src, name, line, byDocument[line]))
	}
	return exitStatus(exitOfStatus(p))
}

// waitForGroup looks at a group whenever something happens, until all of it has
// ended.
func waitForGroup(ctx context.Context, c *clusy.Client, id string, tell func(clusy.Group, time.Time)) (clusy.Group, error) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	newest, err := c.Workloads(ctx, nil, "", 1)
	if err != nil {
		return clusy.Group{ID: id}, err
	}
	after := int64(-1)
	if newest.AsOf != nil {
		after = *newest.AsOf
	}
	news := make(chan struct{}, 1)
	go func() {
		// If the stream is refused, looking from time to time must do.
		_ = c.Watch(ctx, "", after, func(clusy.Change) error {
			select {
			case news <- struct{}{}:
			default: // a look is due already
			}
			return nil
		})
	}()
	for {
		g, err := c.Group(ctx, id)
		if err != nil {
			g.ID = id
			return g, err
		}
		if tell != nil {
			st, err := c.Status(ctx)
			if err != nil {
				return g, err
			}
			tell(g, st.Now)
		}
		if g.Complete {
			return g, nil
		}
		// Much may happen to a large group at once: one look is enough for all.
		for _, until := range []<-chan struct{}{nil, news} {
			pause := lookAgain
			if until == nil {
				pause = 200 * time.Millisecond
			}
			select {
			case <-ctx.Done():
				return g, ctx.Err()
			case <-until: // never, the first time
			case <-time.After(pause):
			}
		}
	}
}

// statesOf says how many members are in each state.
func statesOf(g clusy.Group) string {
	var parts []string
	for _, s := range slices.Sorted(maps.Keys(g.States)) {
		parts = append(parts, fmt.Sprintf("%d %s", g.States[s], s))
	}
	return strings.Join(parts, ", ")
}

// showGroup lists the members of a group, at most so many.
func showGroup(out io.Writer, g clusy.Group, names map[string]string, most int) error {
	rows := [][]string{{"  ID", "NAME", "STATE", "RUNS", "AT", "AFTER"}}
	name := func(id string) string {
		if n := names[id]; n != "" {
			return n
		}
		return id
	}
	for i, m := range g.Members {
		if i == most && len(g.Members) > most+5 {
			rows = append(rows, []string{fmt.Sprintf("  and %d more", len(g.Members)-i)})
			break
		}
		runs := ""
		if !m.Start.IsZero() {
			runs = local(m.Start) + " – " + m.Finish.UTC().Format("15:04")
		}
		var after []string
		for _, id := range m.After {
			after = append(after, name(id))
		}
		rows = append(rows, []string{"  " + m.ID, names[m.ID], m.State, runs, m.Site, few(after)})
	}
	return table(out, rows)
}

func showGroupOutcome(out io.Writer, g clusy.Group, names map[string]string) {
	failed := 0
	for _, m := range g.Members {
		if m.State == "succeeded" {
			continue
		}
		if failed++; failed <= 20 {
			fmt.Fprintf(out, "  %s %s %s\n", paint(out, red, "✗ "+m.State+": "+m.Cause), m.ID, names[m.ID])
		}
	}
	if failed == 0 {
		fmt.Fprintf(out, "  %s all %d\n", paint(out, green, "✓ succeeded"), len(g.Members))
	}
}

// groupOutcome is nil for a group of which all have succeeded.
func groupOutcome(g clusy.Group) error {
	for _, m := range g.Members {
		if m.State != "succeeded" {
			return workloadError{m.State, m.Cause}
		}
	}
	return nil
}

func isGroup(id string) bool { return strings.HasPrefix(id, "grp_") }

// namesOfGroup asks the enclave for the names of a group's members.
func namesOfGroup(ctx context.Context, c *clusy.Client, g clusy.Group) map[string]string {
	ws := make([]clusy.Workload, len(g.Members))
	for i, m := range g.Members {
		ws[i].ID = m.ID
	}
	return namesOf(ctx, c, ws)
}

// lineOf returns what a workload waits for, and what waits for it in its group.
func lineOf(ctx context.Context, c *clusy.Client, w clusy.Workload) (before, behind []clusy.GroupMember, err error) {
	known := map[string]clusy.GroupMember{}
	if w.Shape.Group != "" {
		g, err := c.Group(ctx, w.Shape.Group)
		if err != nil {
			return nil, nil, err
		}
		for _, m := range g.Members {
			known[m.ID] = m
			if slices.Contains(m.After, w.ID) {
				behind = append(behind, m)
			}
		}
	}
	for i, id := range w.Shape.After {
		m, there := known[id]
		if !there && i < 32 { // of others each is a question of its own
			p, err := c.Workload(ctx, id)
			if err != nil {
				return nil, nil, err
			}
			m = clusy.GroupMember{ID: p.ID, State: p.State, Cause: p.Cause, CompleteBy: p.Shape.When.CompleteBy}
			if p.Plan != nil {
				m.Site, m.Start, m.Finish, m.Reserved = p.Plan.Site, p.Plan.Spans[0].Start, p.Plan.Spans[len(p.Plan.Spans)-1].End, p.Plan.Reserved
			}
		}
		if m.ID == "" {
			m.ID = id
		}
		before = append(before, m)
	}
	return before, behind, nil
}

// showLine says what a workload waits for, and what waits for it.
func showLine(out io.Writer, x explanation) {
	for _, side := range []struct {
		word string
		ms   []clusy.GroupMember
	}{{"after", x.Before}, {"before", x.Behind}} {
		for i, m := range side.ms {
			word := side.word
			if i > 0 {
				word = ""
			}
			if i == 8 && len(side.ms) > 10 {
				fmt.Fprintf(out, "  %-12s and %d more\n", word, len(side.ms)-i)
				break
			}
			line := m.ID + "  " + m.State
			if !terminal(m.State) && !m.Reserved.IsZero() {
				line += fmt.Sprintf(", from %s, booked until %s", local(m.Start), local(m.Reserved))
			}
			fmt.Fprintf(out, "  %-12s %s\n", word, line)
		}
	}
}
