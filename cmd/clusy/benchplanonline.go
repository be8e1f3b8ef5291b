package main

import (
	"context"
	"fmt"
	"time"

	"clusy.io/clusy/internal/plan/fleet"
	"clusy.io/clusy/internal/plan/fleet/online"
	"clusy.io/clusy/internal/plan/fleet/world"
)

// onlineTrial is how hard it is made for a plan whose jobs are not known before.
type onlineTrial struct {
	wrong float64 // how far forecasts err, anew in each slot
	dies  bool    // whether a site is dead for a day in the middle
}

// onlinePlan is what came of it.
type onlinePlan struct {
	Cost     float64  `json:"cost"`
	Saved    *float64 `json:"saved,omitempty"`            // against run-now, of cost + missing
	Share    *float64 `json:"share_of_offline,omitempty"` // of what the plan that knows all saves
	Late     int      `json:"late"`                       // of those admitted, with no site dead under them
	Refused  int      `json:"refused"`                    // not admitted as they were; they took the nearest time
	Unplaced int      `json:"unplaced"`                   // of them, those for whom no time was left
	Hit      int      `json:"site_died_under"`            // had their place at a site that died
	Broken   int      `json:"late_as_site_died"`          // of them
	Plans    int      `json:"plans"`
	Wall     float64  `json:"wall_s"` // of all plans
	CPU      float64  `json:"cpu_s,omitempty"`
}

// measureOnline plans a row once more, as if nobody knew of a job before it
// arrives. What is expected are the jobs of a world of the next seed.
func (b *benchPlan) measureOnline(ctx context.Context, r *planRow, row *benchRow, w *world.World) error {
	other := *row
	other.seed++
	before, err := other.make(ctx, &planRow{})
	if err != nil {
		return err
	}
	in := w.Instance()
	byRelease := map[int32][]fleet.Job{}
	for _, j := range before.Instance().Jobs {
		byRelease[j.Release] = append(byRelease[j.Release], j)
	}
	o := online.Options{Passes: 4, Par: parallel(b.workers), Virtual: func(slot, until int) (jobs []fleet.Job) {
		for t := slot + 1; t < until; t++ {
			jobs = append(jobs, byRelease[int32(t)]...)
		}
		return jobs
	}, Passed: func(int) error { return ctx.Err() }}
	if row.online.wrong > 0 {
		o.Expected = func(slot int) [][]float64 {
			said := *w
			said.Carbon = world.Disturb(w.Carbon, row.seed+uint64(slot), row.online.wrong)
			return [][]float64{said.Cost()}
		}
	}
	if day := int(24 * time.Hour / w.Slot); row.online.dies {
		o.Down = func(site, slot int) bool { return site == 0 && slot >= in.Slots()/3 && slot < in.Slots()/3+day }
	}
	var out online.Outcome
	begin, cpu := time.Now(), cpuTime()
	if err := b.during(r.Instance+": planning slot by slot", func() (err error) { out, err = online.Run(in, o); return err }); err != nil {
		return err
	}
	p := &onlinePlan{Cost: out.Cost, Late: out.Late, Refused: out.Refused, Unplaced: out.Unplaced, Hit: out.Hit, Broken: out.Broken, Plans: out.Plans,
		Wall: time.Since(begin).Seconds(), CPU: (cpuTime() - cpu).Seconds()}
	r.Online = p
	missing := 0.0
	for j, runs := range out.Runs {
		if len(runs) == 0 || runs[len(runs)-1].To > in.Jobs[j].Due {
			missing += in.Jobs[j].Missing
		}
	}
	if r.Now != nil {
		base := r.Now.Cost + r.Now.Missing
		saved := (base - out.Cost - missing) / base
		p.Saved = &saved
		if offline := base - r.Cost - r.Missing; offline > 0 {
			share := (base - out.Cost - missing) / offline
			p.Share = &share
		}
	}
	if row.online.dies {
		return nil // what was done twice is no plan of the instance
	}
	if err := fleet.Verify(agreed(in, &out)); err != nil {
		return fmt.Errorf("%s: what was carried out does not hold: %w", r.Instance, err)
	}
	return nil
}

// agreed is the instance with the times that were promised, and what was done as
// a plan of it.
func agreed(in *fleet.Instance, o *online.Outcome) (*fleet.Instance, *fleet.Solution) {
	copied := *in
	copied.Jobs = append([]fleet.Job(nil), in.Jobs...)
	s := &fleet.Solution{First: []uint32{0}, Cost: o.Cost}
	for j := range in.Jobs {
		if len(o.Runs[j]) == 0 {
			s.Unplaced++
			s.Missing += in.Jobs[j].Missing
		}
		s.Runs = append(s.Runs, o.Runs[j]...)
		s.First = append(s.First, uint32(len(s.Runs)))
		copied.Jobs[j].Due = o.Due[j]
	}
	return &copied, s
}
