package sim

import (
	"context"
	"fmt"
	"strings"
	"time"

	"clusy.io/clusy/internal/audit"
	"clusy.io/clusy/internal/grid"
	"clusy.io/clusy/internal/workload"
)

// Stats counts what happened.
type Stats struct {
	Steps     int `json:"steps"` // of the simulation itself
	Submitted int `json:"submitted"`
	Refused   int `json:"refused"`
	Moved     int `json:"promisedLater"` // accepted for the nearest completeBy that could be kept
	Turns     int `json:"turns"`         // of the control loop
	Calls     int `json:"calls"`         // of agents, those that say nothing new only where it matters
	Faults    int `json:"faults"`
	Lost      int `json:"messagesLost"`
	Twice     int `json:"messagesTwice"`
	Late      int `json:"messagesLate"`

	checked int64
}

// Result is what came of a simulation.
type Result struct {
	Seed     uint64                 `json:"seed"`
	Begin    time.Time              `json:"begin"`
	End      time.Time              `json:"end"`
	Days     float64                `json:"clusterDays"` // days times sites
	Hash     string                 `json:"traceHash"`
	Events   int                    `json:"events"`
	Plans    int                    `json:"plans"`
	Stats    Stats                  `json:"stats"`
	States   map[workload.State]int `json:"states"`
	Late     int                    `json:"late"`
	Excused  int                    `json:"lateAsTheWorldBroke"`
	Emitted  grid.Carbon            `json:"emittedMg"`
	Avoided  grid.Carbon            `json:"runNowMg"` // what the same work would have emitted at once, at home
	Checked  []string               `json:"invariants"`
	Breaches []Breach               `json:"breaches"`
	Facts    *Facts                 `json:"-"`
	Ran      []Ran                  `json:"-"`
}

// Run runs a simulation and holds what came of it against every promise. The
// error is of the simulation itself; broken promises are in the Result.
func Run(ctx context.Context, cfg Config) (*Result, error) {
	if cfg.Step == 0 {
		cfg.Step = slot
	}
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	w, err := newWorld(ctx, cfg)
	if err != nil {
		return nil, err
	}
	if err := w.run(ctx); err != nil {
		return nil, err
	}
	return w.result(ctx)
}

// midway checks what must hold at any time.
func (w *world) midway() error {
	f, err := w.facts(w.ctx, false)
	if err != nil {
		return err
	}
	if broken := CheckAll(f); len(broken) > 0 {
		return &Broken{Seed: w.cfg.Seed, At: w.clock.now, Breaches: broken, Facts: f}
	}
	return nil
}

// Broken is a promise that did not hold on the way.
type Broken struct {
	Seed     uint64
	At       time.Time
	Breaches []Breach
	Facts    *Facts
}

func (b *Broken) Error() string {
	return fmt.Sprintf("seed %d, at %s: %d promises are broken, the first: %s", b.Seed, b.At.Format(time.RFC3339Nano), len(b.Breaches), b.Breaches[0])
}

func (w *world) result(ctx context.Context) (*Result, error) {
	f, err := w.facts(ctx, true)
	if err != nil {
		return nil, err
	}
	r := &Result{Seed: w.cfg.Seed, Begin: w.cfg.Start, End: w.clock.now, Stats: w.stats, States: map[workload.State]int{}, Facts: f, Ran: f.Ran,
		Events: len(f.Events) + len(f.Entries), Breaches: CheckAll(f)}
	r.Days = r.End.Sub(r.Begin).Hours() / 24 * float64(len(w.sites))
	if r.Hash, err = w.hash(ctx); err != nil {
		return nil, err
	}
	for _, i := range Invariants {
		r.Checked = append(r.Checked, i.Name)
	}
	for _, wl := range f.Workloads {
		r.States[wl.State]++
	}
	for _, e := range f.Events {
		if e.Kind == audit.PlanCommitted || e.Kind == audit.PlanCertified {
			r.Plans++
		}
	}
	bare := *f
	bare.Excused = nil
	r.Late = len(noneLate(&bare))
	r.Excused = r.Late - len(noneLate(f))
	for _, e := range f.Entries {
		if e.Restates == nil {
			r.Emitted, r.Avoided = r.Emitted+e.Emitted, r.Avoided+e.Avoided
		}
	}
	return r, nil
}

// Story tells the last events about a workload, the newest last.
func (f *Facts) Story(id string, most int) []string {
	var out []string
	for _, e := range f.Events {
		if id == "" || !strings.Contains(e.Object, id) {
			continue
		}
		line := fmt.Sprintf("%s %s %s %s", e.At.Format("2006-01-02 15:04:05.000"), e.Actor, e.Kind, e.Object)
		if e.To != "" {
			line += fmt.Sprintf(" %s to %s", e.From, e.To)
		}
		out = append(out, line)
	}
	out = out[max(0, len(out)-most):]
	for _, r := range f.Ran {
		if r.Workload == id {
			out = append(out, fmt.Sprintf("ran at %s: attempt %d, %s, %d starts, from %s, runs %v", r.Site, r.Attempt, r.Seen.Phase, r.Starts, r.Started.Format(time.RFC3339Nano), r.Seen.Runs))
		}
	}
	return out
}
