package plan

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"clusy.io/clusy/internal/grid"
	"clusy.io/clusy/internal/workload"
)

// benchWorld has four sites, three days and n items of the kinds that one
// finds: two rigid to one that pauses freely, unless rules says otherwise.
func benchWorld(n int, step, horizon time.Duration, rules workload.Interruptible) Snapshot {
	r := rand.New(rand.NewPCG(7, 7))
	s := Snapshot{Now: midnight, Step: step, Horizon: horizon, Margin: time.Minute}
	for i := range 4 {
		z := grid.Zone(fmt.Sprintf("Z%d", i))
		s.Sites = append(s.Sites, Site{ID: fmt.Sprintf("s%d", i), Zone: z, PUE: 1100 + int64(i)*100, Currency: "EUR", Price: 250_000,
			Capacity: workload.Resources{CPU: int64(max(n, 8)) * 400, Memory: workload.Unlimited, Power: workload.Unlimited, Slots: workload.Unlimited}})
		sr := grid.Series{Start: midnight, Step: step, Provenance: grid.Provenance{Provider: "p", Zone: z, Issued: midnight, Basis: grid.AverageLifecycle, Grade: grid.GradeA}}
		for k := range int(horizon/step) + 1 {
			day := math.Sin(2 * math.Pi * (float64(k)*step.Hours() + 6*float64(i)) / 24)
			sr.Values = append(sr.Values, grid.Intensity(300_000+150_000*day+r.Float64()*40_000))
		}
		s.Outlook = told(s.Outlook, sr)
	}
	for i := range n {
		d := time.Duration(1+r.IntN(8)) * time.Hour
		it := Item{ID: fmt.Sprintf("w%04d", i), Shape: workload.Shape{
			Duration: workload.Duration{Expected: d, P95: d + d/10, Max: 2 * d}, Power: 500 * grid.Watt,
			Demand: workload.Resources{CPU: 1000 * int64(1+r.IntN(4)), Slots: 1},
			When:   workload.When{CompleteBy: midnight.Add(2*d + time.Duration(r.IntN(48))*time.Hour)},
		}}
		if i%3 == 2 {
			it.Shape.Interruptible = workload.Interruptible{Allowed: true}
		}
		if rules.Allowed {
			it.Shape.Interruptible = rules
		}
		s.Items = append(s.Items, it)
	}
	return s
}

func BenchmarkCompute(b *testing.B) {
	for _, n := range []int{1, 100, 1000} {
		s := benchWorld(n, 15*time.Minute, 72*time.Hour, workload.Interruptible{})
		b.Run(fmt.Sprintf("new/%d", n), func(b *testing.B) {
			for b.Loop() {
				Compute(s)
			}
		})
		again := promise(s)
		b.Run(fmt.Sprintf("replan/%d", n), func(b *testing.B) {
			for b.Loop() {
				Compute(again)
			}
		})
	}
	s := promise(benchWorld(1000, 15*time.Minute, 72*time.Hour, workload.Interruptible{}))
	p := Compute(s)
	b.Run("check/1000", func(b *testing.B) {
		for b.Loop() {
			if err := Check(s, p); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// promise makes the placements of a plan promises, and forgets the refused.
func promise(s Snapshot) Snapshot {
	p := Compute(s)
	placed := map[string]*Placement{}
	for i := range p.Placements {
		placed[p.Placements[i].Workload] = &p.Placements[i]
	}
	next := s
	next.Parent, next.Items = p.ID, nil
	for _, it := range s.Items {
		if it.Placement = placed[it.ID]; it.Placement != nil {
			next.Items = append(next.Items, it)
		}
	}
	return next
}

func BenchmarkAdmit(b *testing.B) {
	for _, kind := range []struct {
		name  string
		rules workload.Interruptible
		sites int
	}{
		{"rigid", workload.Interruptible{}, 4},
		{"free", workload.Interruptible{Allowed: true}, 4},
		{"rules", workload.Interruptible{Allowed: true, Overhead: 4 * time.Minute, MinRun: 30 * time.Minute, MaxSuspensions: 4}, 4},
		{"rules", workload.Interruptible{Allowed: true, Overhead: 4 * time.Minute, MinRun: 30 * time.Minute, MaxSuspensions: 4}, 1},
		{"any-pauses", workload.Interruptible{Allowed: true, Overhead: 4 * time.Minute, MinRun: 30 * time.Minute}, 1},
	} {
		for _, n := range []int{0, 100} {
			s := promise(benchWorld(n, 5*time.Minute, 48*time.Hour, workload.Interruptible{}))
			s.Sites = s.Sites[:kind.sites]
			if kind.sites < 4 && n > 0 {
				continue
			}
			it := Item{ID: "x", Shape: workload.Shape{Duration: workload.Duration{Expected: 6 * time.Hour, P95: 7 * time.Hour, Max: 9 * time.Hour},
				Power: 500 * grid.Watt, Demand: workload.Resources{CPU: 1000, Slots: 1}, Interruptible: kind.rules,
				When: workload.When{CompleteBy: midnight.Add(40 * time.Hour)}}}
			b.Run(fmt.Sprintf("%s/%d-sites/beside-%d", kind.name, kind.sites, n), func(b *testing.B) {
				for b.Loop() {
					if _, refused := Admit(s, it); refused != nil {
						b.Fatal(refused)
					}
				}
			})
		}
	}
}

// Admission beside what a Book holds: what a submission costs.
func BenchmarkBook(b *testing.B) {
	for _, n := range []int{0, 1000, 10000} {
		s := benchWorld(4, 5*time.Minute, 72*time.Hour, workload.Interruptible{})
		for i := range s.Sites {
			s.Sites[i].Capacity.CPU = workload.Unlimited
		}
		r := rand.New(rand.NewPCG(7, 7))
		book := NewBook(World{Now: s.Now, Sites: s.Sites, Forecasts: recordOf(s).Forecasts}, Rules{Step: s.Step, Horizon: s.Horizon, Margin: s.Margin})
		one := func(i int) Item {
			d := time.Duration(1+r.IntN(8)) * 30 * time.Minute
			return Item{ID: fmt.Sprintf("b%06d", i), Shape: workload.Shape{
				Duration: workload.Duration{Expected: d, P95: d + d/10, Max: 2 * d}, Power: 500 * grid.Watt,
				Demand: workload.Resources{CPU: 1000 * int64(1+r.IntN(4)), Slots: 1},
				When:   workload.When{CompleteBy: midnight.Add(2*d + time.Duration(r.IntN(48))*time.Hour)},
			}}
		}
		for i := range n {
			if i%40 == 0 {
				book.Turn(s.Now.Add(time.Duration(i/40) * time.Second))
			}
			it := one(i)
			if p, ok := book.Admit(it); ok {
				wl, _ := recorded(it, s.Now)
				book.Put(wl, nil, &p)
			}
		}
		for _, free := range []bool{false, true} {
			b.Run(fmt.Sprintf("admit/beside-%d/pauses-%v", n, free), func(b *testing.B) {
				for i := 0; b.Loop(); i++ {
					it := one(1_000_000 + i)
					it.Shape.Interruptible.Allowed = free
					p, ok := book.Admit(it)
					if !ok {
						b.Fatal("not admitted")
					}
					if i%16 == 0 {
						if err := book.Check([]Item{it}, "", book.Addition("", []Placement{p})); err != nil {
							b.Fatal(err)
						}
					}
				}
			})
		}
		it := one(2_000_000)
		p, _ := book.Admit(it)
		b.Run(fmt.Sprintf("check/beside-%d", n), func(b *testing.B) {
			for b.Loop() {
				if err := book.Check([]Item{it}, "", book.Addition("", []Placement{p})); err != nil {
					b.Fatal(err)
				}
			}
		})
		wl, _ := recorded(it, s.Now)
		b.Run(fmt.Sprintf("put/beside-%d", n), func(b *testing.B) {
			for b.Loop() {
				book.Put(wl, nil, &p)
			}
		})
		now := book.Now()
		b.Run(fmt.Sprintf("turn/beside-%d", n), func(b *testing.B) {
			for b.Loop() {
				now = now.Add(time.Second / 1000)
				book.now = book.now.Add(-time.Second)
				book.Turn(now)
			}
		})
	}
}
