package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"clusy.io/clusy"
	"clusy.io/clusy/internal/access"
	"clusy.io/clusy/internal/grid"
	"clusy.io/clusy/internal/house"
)

// demoFrom is where the replay begins: an ordinary Tuesday afternoon. Among the
// bundled weeks its savings are near the middle, not at the top
// (docs/explanation/demo.md).
var demoFrom = time.Date(2023, 6, 6, 13, 0, 0, 0, time.UTC)

// demoIntent is one of the three that the demo submits.
type demoIntent struct {
	name string
	what string
	at   time.Duration // after the replay's beginning
	work time.Duration
	yaml string // %[1]s is the command
}

var demoIntents = []demoIntent{
	{"train-model", "interruptible: 6 h, may pause, by tomorrow 13:00", 0, 6 * time.Hour, `apiVersion: clusy.io/v1
kind: Intent
metadata: {name: train-model}
run: {exec: [sh, -c, %[1]s]}
shape:
  duration: {expected: 6h, p95: 6h40m, max: 24h}
  power: 1.2kW
  interruptible: {overhead: 5m, minRun: 1h, maxSuspensions: 3}
when: {completeBy: +24h}
where: {allow: [berlin]}
`},
	{"nightly-report", "rigid: 3 h in one piece, by tomorrow 14:00", 3 * time.Hour, 3 * time.Hour, `apiVersion: clusy.io/v1
kind: Intent
metadata: {name: nightly-report}
run: {exec: [sh, -c, %[1]s]}
shape: {duration: {expected: 3h, p95: 3h20m, max: 24h}, power: 400W}
when: {completeBy: +22h}
where: {allow: [berlin]}
`},
	{"render-film", "two zones: 4 h, at home in Berlin, may go to Madrid", 3 * time.Hour, 4 * time.Hour, `apiVersion: clusy.io/v1
kind: Intent
metadata: {name: render-film}
run: {exec: [sh, -c, %[1]s]}
shape: {duration: {expected: 4h, p95: 4h30m, max: 24h}, power: 2kW}
when: {completeBy: +20h}
where: {allow: [berlin, madrid]}
`},
}

// script is the real program that an intent of the demo runs. It works in
// steps, as what is suspended must find its step again where it was, and says
// to a file of its own, if it is given one, that it began and that it ended.
func (d demoIntent) script(rate float64, truth string) string {
	const steps = 18
	pause := d.work.Seconds() / rate / steps
	mark := func(string) string { return "" }
	if truth != "" {
		mark = func(word string) string {
			return fmt.Sprintf("echo %s %s $CLUSY_WORKLOAD $CLUSY_ATTEMPT $$ >> '%s'; ", word, d.name, truth)
		}
	}
	return fmt.Sprintf("%secho %s begins; i=0; while [ $i -lt %d ]; do sleep %.3f; i=$((i+1)); echo step $i of %d; done; echo %s is done; %strue",
		mark("start"), d.name, steps, pause, steps, d.name, mark("end"))
}

func demoCommand() *cobra.Command {
	var dir, listen, speed, truth string
	var stay bool
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "See it work, in two minutes, on real grid data",
		Long: `See it work, in two minutes, on real grid data.

A day and a half of two real grids (Germany and Spain, June 2023) is replayed
in fast time: one second is 20 minutes. Three intents are submitted. Each runs
a real program on this machine, which waits for a cleaner hour, runs, and is
accounted for. Then the ledger is verified.

No account, no key, nothing leaves this machine. Everything is stamped DEMO,
in a log of its own origin, and can never pass for real.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			second, err := grid.ParseDuration(speed)
			if err != nil || second < time.Second {
				return usage("--speed %q: say how much time passes in a second: 20m", speed)
			}
			if dir == "" {
				if dir, err = os.MkdirTemp("", "clusy-demo-"); err != nil {
					return fmt.Errorf("make a directory for the demo: %w", err)
				}
				if !stay {
					defer os.RemoveAll(dir)
				}
			}
			d := demo{out: cmd.OutOrStdout(), dir: dir, rate: second.Seconds(), truth: truth, stay: stay}
			d.json, _ = cmd.Flags().GetBool("json")
			if d.json {
				d.out = io.Discard
			}
			ctx, stop := context.WithCancel(cmd.Context())
			defer stop()
			result, err := d.run(ctx, listen, cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			if d.json {
				enc := json.NewEncoder(cmd.OutOrStdout())
				enc.SetIndent("", "  ")
				if err := enc.Encode(result); err != nil {
					return err
				}
			}
			if !result.OK {
				return exitStatus(exitFailed)
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&dir, "data", "", "directory to keep the demo in, and to go on from (default: a temporary one)")
	cmd.Flags().StringVar(&listen, "listen", "127.0.0.1:0", "address to listen on; loopback only")
	cmd.Flags().StringVar(&speed, "speed", "20m", "time that passes in one second")
	cmd.Flags().BoolVar(&stay, "stay", false, "keep serving when all is done, to look around with the other commands")
	cmd.Flags().StringVar(&truth, "truth", "", "file to which the programs write themselves when they begin and end")
	_ = cmd.Flags().MarkHidden("truth")
	return cmd
}

// demo is one run of the demo.
type demo struct {
	out   io.Writer
	dir   string
	rate  float64
	truth string
	stay  bool
	json  bool
}

// demoResult is what came of it.
type demoResult struct {
	Demo      bool             `json:"demo"`
	OK        bool             `json:"ok"`
	Seconds   float64          `json:"seconds"`
	Workloads []clusy.Workload `json:"workloads"`
	Late      int              `json:"late"`
	Ledger    verified         `json:"ledger"`

	reasons []string // by workload
}

func (d demo) run(ctx context.Context, listen string, logTo io.Writer) (demoResult, error) {
	began := time.Now()
	h, err := house.Open(ctx, house.Config{
		Dir: d.dir, Listen: listen, Version: version(), Shim: shim,
		Sites:  []house.Site{{ID: "berlin", Zone: "DE-LU", Slots: 2, PUE: 1.2}, {ID: "madrid", Zone: "ES", Slots: 2, PUE: 1.2}},
		Replay: &house.Replay{From: demoFrom, Rate: d.rate},
		Log:    slog.New(slog.NewTextHandler(logTo, &slog.HandlerOptions{Level: slog.LevelError})),
	})
	if err != nil {
		return demoResult{}, err
	}
	fmt.Fprintf(d.out, "%s  replayed grid data of %s · 1 s = %s · nothing leaves this machine\n", paint(d.out, yellow, "CLUSY DEMO"), demoFrom.Format("2 January 2006"), span(time.Duration(d.rate)*time.Second))
	link, err := h.SignIn(access.Operator)
	if err != nil {
		return demoResult{}, err
	}
	fmt.Fprintf(d.out, "Watch it in a browser  %s\nAPI                    %s/v1 · reference at /docs\nData                   %s\n\n", link.Reveal(), h.URL, d.dir)

	serving, stop := context.WithCancel(ctx)
	ran := make(chan error, 1)
	go func() { ran <- h.Run(serving) }()
	c := &clusy.Client{URL: h.URL, Token: h.Token.Reveal()}
	result := demoResult{Demo: true}
	result.Workloads, err = d.play(ctx, c)
	result.Seconds = time.Since(began).Seconds()
	for i := 0; err == nil && i < len(result.Workloads); i++ {
		var text string
		text, err = reason(ctx, c, result.Workloads[i])
		result.reasons = append(result.reasons, text)
	}
	if err == nil && d.stay {
		d.summary(&result)
		fmt.Fprintf(d.out, "\nStill serving; Ctrl-C stops it. Look around from another terminal:\n\n  export CLUSY_URL=%s\n  export CLUSY_TOKEN=%s\n\n  clusy console · clusy list · clusy explain %s · clusy ledger show · clusy zones\n",
			h.URL, h.Token.Reveal(), result.Workloads[0].ID)
		<-ctx.Done()
	}
	if err != nil {
		// Given up half way: what it started must not outlive it.
		h.StopWork(context.WithoutCancel(ctx))
	}
	stop()
	if stopped := <-ran; err == nil {
		err = stopped
	}
	if err != nil {
		return result, err
	}
	// Verified as anyone would: from the files alone, with nothing running.
	if result.Ledger, err = verify(context.WithoutCancel(ctx), d.dir); err != nil {
		return result, err
	}
	if !d.stay {
		d.summary(&result)
	}
	result.OK = result.Ledger.OK && result.Late == 0 && allSucceeded(result.Workloads)
	showVerified(d.out, result.Ledger)
	fmt.Fprintf(d.out, "%s in %.0f s. This was a demonstration on replayed data.\n", paint(d.out, yellow, "DEMO done"), time.Since(began).Seconds())
	return result, nil
}

// play submits the intents, each at its hour, and watches them to the end.
func (d demo) play(ctx context.Context, c *clusy.Client) ([]clusy.Workload, error) {
	if err := d.ready(ctx, c); err != nil {
		return nil, err
	}
	var out []clusy.Workload
	last := map[string]string{}
	for {
		st, err := c.Status(ctx)
		if err != nil {
			return nil, err
		}
		if n := len(out); n < len(demoIntents) && !st.Now.Before(demoFrom.Add(demoIntents[n].at)) {
			w, err := d.begin(ctx, c, demoIntents[n])
			if err != nil {
				return nil, fmt.Errorf("submit %s: %w", demoIntents[n].name, err)
			}
			out = append(out, w)
		}
		done := 0
		for i := range out {
			if out[i], err = c.Workload(ctx, out[i].ID); err != nil {
				return nil, err
			}
			if line := d.line(out[i]); line != last[out[i].ID] {
				last[out[i].ID] = line
				fmt.Fprintf(d.out, "%s  %-15s %s\n", local(st.Now), demoIntents[i].name, line)
			}
			if terminal(out[i].State) && out[i].Account != nil && out[i].Account.Complete {
				done++
			}
		}
		if done == len(demoIntents) {
			return out, nil
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// begin submits one intent and draws what is planned for it.
func (d demo) begin(ctx context.Context, c *clusy.Client, di demoIntent) (clusy.Workload, error) {
	w, err := d.submit(ctx, c, di)
	if err != nil {
		return w, err
	}
	fmt.Fprintf(d.out, "\n%s  %s\n", paint(d.out, bold, di.name), di.what)
	st, err := c.Status(ctx)
	if err != nil {
		return w, err
	}
	if err := showPlan(ctx, c, d.out, w, st.Now); err != nil {
		return w, err
	}
	fmt.Fprintln(d.out)
	return w, nil
}

func (d demo) line(w clusy.Workload) string {
	switch w.State {
	case "running":
		return paint(d.out, green, "running") + " at " + w.Attempts[len(w.Attempts)-1].Site
	case "suspended":
		return paint(d.out, yellow, "suspended") + " until it is cleaner"
	case "succeeded":
		if w.Account != nil && w.Account.Complete {
			return fmt.Sprintf("booked: %s emitted, %s saved", grams(w.Account.Emitted), grams(w.Account.Saved))
		}
		return paint(d.out, green, "succeeded") + ", waiting for the hour's measured intensity"
	case "accepted", "planned", "offered", "held":
		return "waits for " + local(w.Plan.Spans[0].Start) + " at " + w.Plan.Site
	}
	return describe(w)
}

// ready waits until every site has registered and its zone has a forecast.
func (d demo) ready(ctx context.Context, c *clusy.Client) error {
	for start := time.Now(); ; {
		sites, err := c.Sites(ctx)
		if err == nil && len(sites.Items) == 2 {
			return nil
		}
		if time.Since(start) > 20*time.Second {
			return errors.Join(errors.New("the demo's sites did not come up in 20 s"), err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// submit sends an intent under a key of its own. What is sent is kept first,
// so that a demo that was killed sends the very same again and nothing runs
// twice.
func (d demo) submit(ctx context.Context, c *clusy.Client, di demoIntent) (clusy.Workload, error) {
	path := filepath.Join(d.dir, "submitted-"+di.name+".json")
	var sub clusy.Submission
	b, err := os.ReadFile(path)
	switch {
	case err == nil:
		if err := json.Unmarshal(b, &sub); err != nil {
			return clusy.Workload{}, fmt.Errorf("read %s: %w", path, err)
		}
	case errors.Is(err, fs.ErrNotExist):
		src := []byte(fmt.Sprintf(di.yaml, strconv.Quote(di.script(d.rate, d.truth))))
		g, st, err := read(ctx, c, src, di.name+".yaml", io.Discard)
		if err != nil {
			return clusy.Workload{}, err
		}
		in, shape, err := prepare(g.Members[0].Intent, st, io.Discard)
		if err != nil {
			return clusy.Workload{}, err
		}
		if sub, err = seal(ctx, c, in, shape); err != nil {
			return clusy.Workload{}, err
		}
		if b, err = json.Marshal(sub); err != nil {
			return clusy.Workload{}, err
		}
		if err := errors.Join(os.WriteFile(path+".new", b, 0o600), os.Rename(path+".new", path)); err != nil {
			return clusy.Workload{}, err
		}
	default:
		return clusy.Workload{}, err
	}
	return c.Submit(ctx, "demo-"+di.name, sub)
}

func (d demo) summary(r *demoResult) {
	rows := [][]string{{"INTENT", "RAN", "AT", "RUN-NOW", "EMITTED", "SAVED", "", "IN TIME"}}
	var emitted, avoided, saved float64
	for i, w := range r.Workloads {
		intime := "yes, " + span(w.Shape.When.CompleteBy.Sub(endOf(w))) + " before"
		if !w.MissedAt.IsZero() || endOf(w).After(w.Shape.When.CompleteBy) {
			r.Late++
			intime = "LATE"
		}
		row := []string{demoIntents[i].name, ranAt(w), w.Attempts[len(w.Attempts)-1].Site}
		if a := w.Account; a != nil {
			emitted, avoided, saved = emitted+a.Emitted, avoided+a.Avoided, saved+a.Saved
			row = append(row, grams(a.Avoided), grams(a.Emitted), grams(a.Saved), percent(a.Saved, a.Avoided))
		}
		rows = append(rows, append(row, intime))
	}
	rows = append(rows, []string{"together", "", "", grams(avoided), grams(emitted), grams(saved), percent(saved, avoided), ""})
	fmt.Fprintln(d.out)
	_ = table(d.out, rows)
	for i, text := range r.reasons {
		fmt.Fprintf(d.out, "  %-15s %s\n", demoIntents[i].name, text)
	}
}

// reason is why it ran when it did, in the words of the last decision before it
// began.
func reason(ctx context.Context, c *clusy.Client, w clusy.Workload) (string, error) {
	ds, err := c.Decisions(ctx, w.ID)
	if err != nil || len(w.Attempts) == 0 {
		return "", err
	}
	for _, d := range ds.Items {
		if d.At.Before(w.Attempts[0].Started) {
			return d.Placement.Why.Text, nil
		}
	}
	return "", nil
}

func ranAt(w clusy.Workload) string {
	a := w.Attempts[len(w.Attempts)-1]
	text := a.Started.UTC().Format("Mon 15:04") + " – " + endOf(w).UTC().Format("15:04")
	if a.Suspensions > 0 {
		text += fmt.Sprintf(" (%d pauses)", a.Suspensions)
		text = strings.Replace(text, "(1 pauses)", "(1 pause)", 1)
	}
	return text
}

func endOf(w clusy.Workload) time.Time { return w.Attempts[len(w.Attempts)-1].Ended }

func allSucceeded(ws []clusy.Workload) bool {
	for _, w := range ws {
		if w.State != "succeeded" {
			return false
		}
	}
	return len(ws) > 0
}
