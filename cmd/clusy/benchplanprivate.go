package main

import (
	"fmt"
	"io"
	"time"

	"clusy.io/clusy/internal/plan/fleet"
	"clusy.io/clusy/internal/plan/fleet/private"
	"clusy.io/clusy/internal/plan/fleet/world"
)

// privateTrial is by how many a row is planned that do not show their jobs.
type privateTrial struct{ enclaves, rounds int }

// privatePlan is what came of it.
type privatePlan struct {
	Enclaves int     `json:"enclaves"`
	Rounds   int     `json:"rounds"`
	Gap      float64 `json:"gap"`
	Bound    float64 `json:"bound"`
	Unplaced int     `json:"unplaced"`
	Up       int     `json:"up_bytes"`   // what one enclave says in a round, the most of all
	Down     int     `json:"down_bytes"` // and hears
	Wall     float64 `json:"wall_s"`
	CPU      float64 `json:"cpu_s,omitempty"`
}

// measurePrivate plans a row once more, by enclaves that each know their own
// jobs only.
func (b *benchPlan) measurePrivate(r *planRow, row *benchRow, w *world.World) error {
	in := w.Instance()
	var rep private.Report
	begin, cpu := time.Now(), cpuTime()
	err := b.during(r.Instance+": planning in enclaves", func() (err error) {
		rep, err = private.Simulate(in, row.private.enclaves, row.private.rounds, parallel(b.workers))
		return err
	})
	if err != nil {
		return err
	}
	p := &privatePlan{Enclaves: rep.Enclaves, Rounds: len(rep.Rounds), Gap: rep.Solution.Gap(), Bound: rep.Solution.Bound, Unplaced: rep.Solution.Unplaced,
		Wall: time.Since(begin).Seconds(), CPU: (cpuTime() - cpu).Seconds()}
	for _, round := range rep.Rounds {
		p.Up, p.Down = max(p.Up, round.Up), max(p.Down, round.Down)
	}
	r.Private = p
	if err := fleet.Verify(in, &rep.Solution); err != nil {
		return fmt.Errorf("%s: the plan of the enclaves does not hold: %w", r.Instance, err)
	}
	// Nobody can check what one enclave says of itself; of all jobs one can.
	if derived := boundOf(in, rep.Solution.Prices, parallel(b.workers)); !follows(rep.Solution.Bound, derived) {
		return fmt.Errorf("%s: the enclaves' bound is %.12g, their prices give %.12g", r.Instance, rep.Solution.Bound, derived)
	}
	return nil
}

func (p *privatePlan) show(w io.Writer) {
	fmt.Fprintf(w, "  private  gap %s by %d enclaves in %d rounds, %d without a place · at most %d bytes up and %d down a round · CPU %.1f s\n",
		percentOf(p.Gap, 3), p.Enclaves, p.Rounds, p.Unplaced, p.Up, p.Down, p.CPU)
}
