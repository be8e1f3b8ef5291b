package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"clusy.io/clusy"
	"clusy.io/clusy/internal/intent"
	"clusy.io/clusy/internal/problem"
	"clusy.io/clusy/internal/wire"
)

// intentFlags are the ways to state an intent without a file.
type intentFlags struct {
	by, takes, power, energy, name, minSaving string
	cpus, class                               string
	zones                                     []string
	interruptible                             bool
	retries                                   int
	set                                       []string
}

func (f *intentFlags) add(cmd *cobra.Command) {
	fl := cmd.Flags()
	fl.StringVar(&f.by, "by", "", "complete by: +10h from now, or 2026-12-01T07:00:00+01:00 (needed without a file)")
	fl.StringVar(&f.takes, "for", "", "expected running time: 90m, 6h, 2d; killed after twice that (needed without a file or a class with history)")
	fl.StringVar(&f.class, "class", "", "what you call work of this kind: the server learns from its runs how long it takes, and is told this name")
	fl.StringVar(&f.power, "power", "", "mean power while running: 300W, 2.4kW (default: 10 W a core)")
	fl.StringVar(&f.energy, "energy", "", "energy of the whole run, instead of --power: 2.4kWh")
	fl.StringVar(&f.cpus, "cpus", "", "cores needed: 2, 0.5 (default: 1)")
	fl.StringVar(&f.name, "name", "", "a name; only your enclave and you see it")
	fl.StringSliceVar(&f.zones, "in", nil, "sites, zones or cloud regions that may run it, * stands for any text (default: any)")
	fl.BoolVar(&f.interruptible, "interruptible", false, "it may be suspended and resumed, with SIGSTOP and SIGCONT (default: it runs in one piece)")
	fl.StringVar(&f.minSaving, "min-saving", "", "do not wait for less: 5%; 100% runs at once (default: 0%)")
	fl.IntVar(&f.retries, "retries", 0, "further attempts after a recorded failure, up to 10")
}

// source makes the text of an intent: a file's own, or one from flags.
func (f *intentFlags) source(cmd *cobra.Command, args []string) (src []byte, name string, err error) {
	dash := cmd.ArgsLenAtDash()
	switch {
	case dash < 0 && len(args) == 1 && args[0] == "-":
		src, err = io.ReadAll(io.LimitReader(cmd.InOrStdin(), intent.MaxBytes+1))
		return src, "standard input", err
	case dash < 0 && len(args) == 1:
		src, err = os.ReadFile(args[0])
		if err != nil {
			return nil, "", usage("read the intent: %w", err)
		}
		return src, filepath.Base(args[0]), nil
	case dash == 0 && len(args) > 0:
		return f.fromFlags(args), "the command line", nil
	}
	return nil, "", usage("give an intent file, or a command after --:\n  clusy %s night.yaml\n  clusy %s --by +10h --for 2h -- python train.py", cmd.Name(), cmd.Name())
}

// fromFlags writes the intent that the flags mean, so that there is one reader
// with one set of rules.
func (f *intentFlags) fromFlags(argv []string) []byte {
	var b bytes.Buffer
	q := strconv.Quote
	fmt.Fprintf(&b, "apiVersion: clusy.io/v1\nkind: Intent\n")
	if f.name != "" {
		fmt.Fprintf(&b, "metadata: {name: %s}\n", q(f.name))
	}
	words := make([]string, len(argv))
	for i, a := range argv {
		words[i] = q(a)
	}
	fmt.Fprintf(&b, "run: {exec: [%s]}\nshape:\n", strings.Join(words, ", "))
	if f.class != "" {
		fmt.Fprintf(&b, "  class: %s\n", q(f.class))
	}
	if f.takes != "" {
		fmt.Fprintf(&b, "  duration: %s\n", q(f.takes))
	}
	if f.power != "" {
		fmt.Fprintf(&b, "  power: %s\n", q(f.power))
	}
	if f.energy != "" {
		fmt.Fprintf(&b, "  energy: %s\n", q(f.energy))
	}
	if f.cpus != "" {
		fmt.Fprintf(&b, "  resources: {cpus: %s}\n", f.cpus)
	}
	if f.interruptible {
		fmt.Fprintf(&b, "  interruptible: true\n")
	}
	if f.by != "" {
		fmt.Fprintf(&b, "when: {completeBy: %s}\n", q(f.by))
	}
	if len(f.zones) > 0 {
		zones := make([]string, len(f.zones))
		for i, z := range f.zones {
			zones[i] = q(z)
		}
		fmt.Fprintf(&b, "where: {allow: [%s]}\n", strings.Join(zones, ", "))
	}
	if f.minSaving != "" {
		fmt.Fprintf(&b, "objective: {minSaving: %s}\n", q(f.minSaving))
	}
	if f.retries != 0 {
		fmt.Fprintf(&b, "policy: {retries: %d}\n", f.retries)
	}
	return b.Bytes()
}

func runCommand() *cobra.Command {
	var f intentFlags
	var detach bool
	var key string
	cmd := &cobra.Command{
		Use:   "run FILE | run -- COMMAND [ARG ...]",
		Short: "Carry out an intent: now, or when it is clean",
		Long: `Carry out an intent: now, or when it is clean, and never late.

The intent is read here and sealed to your enclave's key before it leaves:
the server sees how long, how much power and by when, never the command, its
environment, its name or its output. The one name that it is told is
shape.class, if you give one: it learns from the runs of a class how long such
work takes, and the duration may then be left out.

Six lines are enough:

  apiVersion: clusy.io/v1
  kind: Intent
  run: {exec: [sh, -c, "python train.py"]}
  shape: {duration: 6h, power: 300W}
  when: {completeBy: +10h}

A file may hold several documents, with --- between them, of which one may say
after: [name] of another, and array: {count: 100} makes many of one. All are
admitted, or none. The exit code is then 0 when all succeeded.

Unless --detach is given, clusy stays and shows what happens; Ctrl-C leaves
the work to run. The exit code is 0 when it succeeded and 6 when it did not.`,
		Example: "clusy run night.yaml\nclusy run --by +10h --for 2h --power 300W -- python train.py",
		RunE: func(cmd *cobra.Command, args []string) error {
			src, name, err := f.source(cmd, args)
			if err != nil {
				return err
			}
			c, err := connect(cmd)
			if err != nil {
				return err
			}
			ctx := cmd.Context()
			g, st, err := read(ctx, c, src, name, cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			if !g.Single() {
				return runGroup(cmd, c, g, src, name, key, detach, st)
			}
			in, shape, err := prepare(g.Members[0].Intent, st, cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			sub, err := seal(ctx, c, in, shape)
			if err != nil {
				return err
			}
			if key == "" {
				key = in.Metadata.IdempotencyKey
			}
			if key == "" {
				key = rand.Text()
			}
			w, err := c.Submit(ctx, key, sub)
			if err != nil {
				return onOwnLines(cmd.ErrOrStderr(), src, name, err)
			}
			asJSON, _ := cmd.Flags().GetBool("json")
			if detach || asJSON {
				if !detach {
					if w, err = waitForEnd(ctx, c, w.ID, nil); err != nil {
						return err
					}
				}
				if err := print(cmd, w, func(out io.Writer) error { _, err := fmt.Fprintln(out, w.ID); return err }); err != nil {
					return err
				}
				if detach {
					return nil
				}
				return outcome(w)
			}
			out := cmd.OutOrStdout()
			showAccepted(out, w, in.Metadata.Name, st)
			if err := showPlan(ctx, c, out, w, st.Now); err != nil {
				return err
			}
			fmt.Fprintf(out, "\n  Ctrl-C leaves it to run.  clusy explain %s · clusy logs %s\n\n", w.ID, w.ID)
			return follow(ctx, c, out, w)
		},
	}
	f.add(cmd)
	cmd.Flags().BoolVarP(&detach, "detach", "d", false, "print the id and return at once")
	cmd.Flags().StringVar(&key, "key", "", "idempotency key: the same key never runs twice (else the intent's own, else a random one)")
	return cmd
}

// read reads an intent file at the server's time.
func read(ctx context.Context, c *clusy.Client, src []byte, name string, tell io.Writer) (intent.Group, clusy.Status, error) {
	st, err := c.Status(ctx)
	if err != nil {
		return intent.Group{}, st, err
	}
	var filled clusy.Class
	g, err := intent.ParseLearned(src, name, st.Now, lengths(ctx, c, &filled))
	if err == nil && g.Single() {
		tellClass(ctx, c, tell, g.Members[0].Intent, filled)
	}
	return g, st, err
}

// prepare blinds an intent at the server's time.
func prepare(in intent.Intent, st clusy.Status, tell io.Writer) (intent.Intent, clusy.Shape, error) {
	if err := regionZones(tell, in.Where.Allow, in.Where.Prefer); err != nil {
		return in, clusy.Shape{}, err
	}
	shape, err := intent.Blind(in, st.Now)
	if err != nil {
		return in, clusy.Shape{}, err
	}
	return in, wire.ShapeOut(shape), nil
}

// seal seals an intent to the enclave behind the sites that may run it.
func seal(ctx context.Context, c *clusy.Client, in intent.Intent, shape clusy.Shape) (clusy.Submission, error) {
	key, err := enclaveKey(ctx, c)
	if err != nil {
		return clusy.Submission{}, err
	}
	sealed, err := intent.Seal(in, key)
	if err != nil {
		return clusy.Submission{}, err
	}
	return clusy.Submission{Shape: shape, Sealed: sealed, Enclave: intent.KeyID(key)}, nil
}

func enclaveKey(ctx context.Context, c *clusy.Client) (intent.PublicKey, error) {
	sites, err := c.Sites(ctx)
	if err != nil {
		return intent.PublicKey{}, err
	}
	if len(sites.Items) == 0 {
		return intent.PublicKey{}, errors.New("the server has no site that could run anything yet; try again in a moment, and see clusy sites")
	}
	if slices.ContainsFunc(sites.Items, func(s clusy.Site) bool { return s.Enclave.ID != sites.Items[0].Enclave.ID }) {
		return intent.PublicKey{}, errors.New("the sites belong to several enclaves; this version seals to one")
	}
	return intent.ParsePublic(sites.Items[0].Enclave.Key)
}

// onOwnLines shows a refusal of the server on the lines of the owner's file.
func onOwnLines(w io.Writer, src []byte, name string, err error) error {
	var p *clusy.Problem
	if !errors.As(err, &p) || len(p.Errors) == 0 {
		return err
	}
	vs := make([]problem.Violation, len(p.Errors))
	for i, v := range p.Errors {
		vs[i] = problem.Violation{Pointer: shapePointer(v.Pointer), Message: v.Message, Limit: v.Limit, Nearest: v.Nearest}
		if text, ok := v.Value.(string); ok {
			vs[i].Value = text
		}
	}
	fmt.Fprintln(w, paint(w, red, "error: ")+p.Detail)
	fmt.Fprintln(w, intent.Annotate(src, name, vs))
	return exitStatus(exitOfStatus(p))
}

// shapePointer turns a place in the wire's shape into one in the blinded shape,
// which the intent room finds in the file.
func shapePointer(p string) string {
	p = strings.TrimPrefix(p, "/shape")
	if to, ok := map[string]string{"/watts": "/power", "/cpus": "/demand/cpu", "/memoryMiB": "/demand/memory", "/gpus": "/demand/gpus"}[p]; ok {
		return to
	}
	return strings.NewReplacer("Seconds", "", "Grams", "").Replace(p)
}

func showAccepted(w io.Writer, wl clusy.Workload, name string, st clusy.Status) {
	if st.Demo {
		fmt.Fprintln(w, paint(w, yellow, "DEMO")+" replayed grid data, clock "+fmt.Sprintf("%.0f×", st.Rate))
	}
	label := wl.ID
	if name != "" {
		label += "  " + name
	}
	line := "starts at once"
	if wl.Plan != nil {
		if wait := wl.Plan.Spans[0].Start.Sub(st.Now); wait > time.Minute {
			line = fmt.Sprintf("deferred: starts %s (in %s%s)", local(wl.Plan.Spans[0].Start), span(wait), realTime(wait, st.Rate))
		}
	}
	fmt.Fprintf(w, "%s %s  %s\n", paint(w, green, "✓ accepted"), paint(w, bold, label), line)
}

// realTime says how long a wait of a replayed clock is on ours.
func realTime(d time.Duration, rate float64) string {
	if rate <= 1 {
		return ""
	}
	return " = " + span(time.Duration(float64(d)/rate)) + " here"
}

// showPlan draws a workload's window under each zone's curve, and says why.
func showPlan(ctx context.Context, c *clusy.Client, out io.Writer, w clusy.Workload, now time.Time) error {
	if w.Plan == nil {
		return nil
	}
	sites, err := c.Sites(ctx)
	if err != nil {
		return err
	}
	by := w.Shape.When.CompleteBy
	from := w.Created.Truncate(time.Hour)
	to := by
	if end := w.Plan.Spans[len(w.Plan.Spans)-1].End; end.After(to) {
		to = end
	}
	to = to.Add(to.Sub(from) / 20)
	drawn := map[string]bool{}
	for _, s := range sites.Items {
		chosen := s.ID == w.Plan.Site
		if !chosen && !considered(w, s.ID) || drawn[s.Zone] {
			continue
		}
		drawn[s.Zone] = true
		o, err := c.Intensity(ctx, s.Zone, from, to)
		if err != nil {
			fmt.Fprintf(out, "  %-12s %v\n", s.Zone, err)
			continue
		}
		var runs []clusy.Span
		if chosen {
			runs = w.Plan.Spans
		}
		strip(out, o, from, to, now, by, runs, 60)
	}
	showWhy(out, *w.Plan)
	return nil
}

func considered(w clusy.Workload, site string) bool {
	return slices.ContainsFunc(w.Plan.Why.Rejected, func(a clusy.Alternative) bool { return a.Site == site }) ||
		w.Plan.Why.RunNow != nil && w.Plan.Why.RunNow.Site == site
}

func showWhy(out io.Writer, p clusy.Placement) {
	fmt.Fprintf(out, "  %-12s %s\n", "why", p.Why.Text)
	if s := sizes(p.Spans); s != "" {
		fmt.Fprintf(out, "  %-12s %s\n", "sizes", s)
	}
	if r := p.Why.RunNow; r != nil && r.Carbon != nil && p.Carbon != nil {
		fmt.Fprintf(out, "  %-12s %s, against %s at once: %s (%s)\n", "expected", grams(*p.Carbon), grams(*r.Carbon),
			grams(*p.Carbon-*r.Carbon), percent(*p.Carbon-*r.Carbon, *r.Carbon))
	}
	if p.Grade != "" {
		fmt.Fprintf(out, "  %-12s grade %s, %s\n", "signal", p.Grade, gradeMeans[p.Grade])
	}
}

var gradeMeans = map[string]string{
	"A": "measured, or a live provider's forecast",
	"B": "a second provider's, or estimated by the first",
	"C": "our forecast: climatology anchored on measured values",
	"D": "climatology alone",
	"E": "a yearly mean: no saving is claimed from it",
}

// follow shows each change of a workload until it ends.
func follow(ctx context.Context, c *clusy.Client, out io.Writer, accepted clusy.Workload) error {
	last, id := "", accepted.ID
	w, err := waitForEnd(ctx, c, id, func(w clusy.Workload, now time.Time) {
		line := describe(w)
		if line != last {
			fmt.Fprintf(out, "  … %s  %s\n", local(now), line)
			last = line
		}
	})
	if errors.Is(err, context.Canceled) {
		fmt.Fprintf(out, "\n  It goes on without you: clusy wait %s\n", id)
		return nil
	}
	if err != nil {
		return err
	}
	showOutcome(out, w)
	if a := w.Account; w.State == "succeeded" && (a == nil || !a.Complete) {
		// What was accepted is what was promised; later plans are of the rest.
		if e := expectedOf(accepted.Plan); e != nil {
			fmt.Fprintf(out, "  expected when it was accepted: %s, against %s at once: saves %s (%s)\n", grams(*e.carbon), grams(*e.RunNow.Carbon),
				grams(*e.RunNow.Carbon-*e.carbon), percent(*e.RunNow.Carbon-*e.carbon, *e.RunNow.Carbon))
		}
	}
	return outcome(w)
}

func describe(w clusy.Workload) string {
	switch w.State {
	case "accepted", "planned", "offered", "held":
		if w.Plan != nil {
			return fmt.Sprintf("waits; starts %s at %s", local(w.Plan.Spans[0].Start), w.Plan.Site)
		}
	case "running", "suspended":
		return w.State + " at " + w.Attempts[len(w.Attempts)-1].Site
	}
	if w.Cause != "" {
		return w.State + ": " + w.Cause
	}
	return w.State
}

func showOutcome(out io.Writer, w clusy.Workload) {
	mark := paint(out, green, "✓ "+w.State)
	if w.State != "succeeded" {
		mark = paint(out, red, "✗ "+w.State)
		if w.Cause != "" {
			mark += ": " + w.Cause
		}
	}
	fmt.Fprintln(out, "  "+mark)
	a := w.Account
	switch {
	case a != nil && a.Complete && a.Entries == 0:
		fmt.Fprintln(out, "  it has not run, and has emitted nothing")
	case a == nil || !a.Complete:
		fmt.Fprintln(out, "  its carbon is not booked yet: the hour's measured intensity is still to come (clusy ledger show)")
	default:
		fmt.Fprintf(out, "  emitted %s, run-now would have emitted %s: saved %s (%s) · grade %s · %d ledger entries\n",
			grams(a.Emitted), grams(a.Avoided), grams(a.Saved), percent(a.Saved, a.Avoided), a.Grade, a.Entries)
	}
}

// outcome is nil for work that succeeded.
func outcome(w clusy.Workload) error {
	if w.State == "succeeded" {
		return nil
	}
	return workloadError{w.State, w.Cause}
}

func terminal(state string) bool {
	return slices.Contains([]string{"succeeded", "failed", "cancelled", "expired"}, state)
}
