package plan

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"clusy.io/clusy/internal/grid"
	"clusy.io/clusy/internal/workload"
)

// fullWorld is benchWorld with less room: about two thirds of it is wanted in
// the time that most items have.
func fullWorld(n int) Snapshot {
	s := benchWorld(n, 15*time.Minute, 72*time.Hour, workload.Interruptible{})
	for i := range s.Sites {
		s.Sites[i].Capacity.CPU = int64(n) * 120
	}
	return s
}

// shrunkWorld is fullWorld promised, after one site has lost four fifths of its
// room and another takes no work any more.
func shrunkWorld(n int) Snapshot {
	s := promise(fullWorld(n))
	s.Sites = slices.Clone(s.Sites)
	s.Sites[0].Capacity.CPU /= 5
	s.Sites[1].Down = true
	return s
}

// wantedWorld has room for about half of what is wanted.
func wantedWorld(n int) Snapshot {
	s := fullWorld(n)
	for i := range s.Sites {
		s.Sites[i].Capacity.CPU /= 3
	}
	return s
}

// mixedWorld is fullWorld with all that an item may say: a quarter is not a
// matter of carbon, some run, some keep out of working hours, some have a
// ceiling, some have rules of pausing.
func mixedWorld(n int) Snapshot {
	s := fullWorld(n)
	p := Compute(s)
	at := map[string]*Placement{}
	for i := range p.Placements {
		at[p.Placements[i].Workload] = &p.Placements[i]
	}
	for i := range s.Items {
		it := &s.Items[i]
		switch {
		case i%8 == 0:
			it.Shape.Objective.Minimize = workload.MinimizeTime
		case i%8 == 1:
			it.Shape.Objective.Minimize = workload.MinimizeCost
		case i%8 == 2:
			for day := range 5 {
				nine := midnight.Add(time.Duration(24*day+9) * time.Hour)
				it.Shape.When.Deny = append(it.Shape.When.Deny, workload.Span{Start: nine, End: nine.Add(4 * time.Hour)})
			}
		case i%8 == 3:
			it.Shape.Objective.CarbonCeiling = 2 * grid.Kilogram
		case i%40 == 4:
			it.Shape.Interruptible = workload.Interruptible{Allowed: true, Overhead: 4 * time.Minute, MinRun: 30 * time.Minute, MaxSuspensions: 4}
		case i%8 == 5:
			if pl := at[it.ID]; pl != nil {
				it.Placement = pl
				if pl.Start().Equal(s.Now) {
					it.Running, it.RunSince = true, s.Now
				}
			}
		}
	}
	s.Parent = p.ID
	return s
}

// Plans of very many items, made and doubted: how the time grows with their
// number. Capacity grows with it, so the clean hours are as scarce in all.
func BenchmarkScale(b *testing.B) {
	for _, n := range []int{1_000, 3_000, 10_000, 20_000, 30_000} {
		for _, world := range []struct {
			name string
			of   func() Snapshot
		}{
			{"roomy", func() Snapshot { return benchWorld(n, 15*time.Minute, 72*time.Hour, workload.Interruptible{}) }},
			{"full", func() Snapshot { return fullWorld(n) }},
			{"again", func() Snapshot { return promise(fullWorld(n)) }},
			{"shrunk", func() Snapshot { return shrunkWorld(n) }},
			{"wanted", func() Snapshot { return wantedWorld(n) }},
			{"mixed", func() Snapshot { return mixedWorld(n) }},
		} {
			b.Run(fmt.Sprintf("%s/%d", world.name, n), func(b *testing.B) {
				s := world.of()
				var p Plan
				b.Run("compute", func(b *testing.B) {
					for b.Loop() {
						p = Compute(s)
					}
					gap, _ := p.Certificate.Gap()
					b.ReportMetric(100*gap, "gap-%")
					b.ReportMetric(float64(len(p.Unplaced)), "unplaced")
				})
				b.Run("check", func(b *testing.B) {
					for b.Loop() {
						if err := Check(s, p); err != nil {
							b.Fatal(err)
						}
					}
				})
			})
		}
	}
}
