package plan

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"clusy.io/clusy/internal/grid"
	"clusy.io/clusy/internal/workload"
)

var midnight = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func pick[T any](r *rand.Rand, xs ...T) T { return xs[r.IntN(len(xs))] }

func often(r *rand.Rand, percent int) bool { return r.IntN(100) < percent }

var zones = []grid.Zone{"DE-LU", "FR", "SE-SE3"}

// randomSnapshot is any world: small, crowded, partly dark, with sites that
// are down and work of every kind.
func randomSnapshot(r *rand.Rand) Snapshot {
	step := pick(r, 5*time.Minute, 15*time.Minute, time.Hour)
	s := Snapshot{Now: midnight.Add(time.Duration(r.IntN(3600)) * time.Second), Step: step,
		Horizon: step * time.Duration(4+r.IntN(30)), Margin: pick(r, 0, time.Minute, 7*time.Minute)}
	for i := range 1 + r.IntN(4) {
		st := Site{ID: fmt.Sprintf("s%d", i), Zone: pick(r, zones...), PUE: pick(r, int64(1000), 1120, 1500), Down: often(r, 10),
			Capacity: workload.Resources{CPU: 1000 * int64(1+r.IntN(8)), Memory: pick(r, int64(4096), workload.Unlimited), Power: workload.Unlimited, Slots: int64(1 + r.IntN(4))}}
		if often(r, 60) {
			st.Currency, st.Price = pick(r, "EUR", "EUR", "SEK"), grid.Rate(r.IntN(400_000)-20_000)
		}
		s.Sites = append(s.Sites, st)
	}
	s.Outlook = randomOutlook(r, s.Now, s.Horizon)
	if often(r, 40) {
		s.Prices = market(randomPrices(r, s.Now, s.Horizon), s.Now)
	}
	for i := range r.IntN(9) {
		s.Items = append(s.Items, randomItem(r, s, fmt.Sprintf("w%02d", i)))
	}
	return s
}

// told is what is known with one zone's series in place of what it had.
func told(all grid.Outlooks, s grid.Series) grid.Outlooks {
	series := map[grid.Zone][]grid.Series{s.Zone: {s}}
	for _, z := range all.Zones() {
		if z != s.Zone {
			series[z] = all.Of(z).Series()
		}
	}
	return grid.BelieveAll(s.Basis, series)
}

func randomOutlook(r *rand.Rand, now time.Time, horizon time.Duration) grid.Outlooks {
	out := map[grid.Zone][]grid.Series{}
	for _, z := range zones {
		if often(r, 10) {
			continue // no signal at all
		}
		for n := range 1 + r.IntN(2) {
			step := pick(r, 15*time.Minute, 30*time.Minute, time.Hour)
			sr := grid.Series{Start: now.Truncate(step).Add(-step), Step: step, Provenance: grid.Provenance{
				Provider: fmt.Sprintf("p%d", n), Zone: z, Issued: now.Add(-time.Hour), Basis: grid.AverageLifecycle, Grade: grid.Grade(rune('A' + r.IntN(5)))}}
			flat := often(r, 15)
			gaps := pick(r, 0, 0, 10, 40)
			level := 50_000 + r.IntN(400_000)
			for range int(horizon/step) + 3 {
				v := grid.Intensity(level)
				if !flat {
					v = grid.Intensity(20_000 + r.IntN(10)*50_000)
				}
				if often(r, gaps) {
					v = grid.Unknown
				}
				sr.Values = append(sr.Values, v)
			}
			sr.Ref = sr.Digest()
			out[z] = append(out[z], sr)
		}
	}
	return grid.BelieveAll(grid.AverageLifecycle, out)
}

// randomPrices is what a market tells: for some time, in one currency or
// another, now and then below zero.
func randomPrices(r *rand.Rand, now time.Time, horizon time.Duration) map[grid.Zone][]grid.Prices {
	out := map[grid.Zone][]grid.Prices{}
	for _, z := range zones {
		for range r.IntN(3) {
			step := pick(r, 15*time.Minute, time.Hour)
			p := grid.Prices{Provider: "m", Zone: z, Issued: now.Add(-time.Duration(r.IntN(600)) * time.Minute), Currency: pick(r, "EUR", "EUR", "EUR", "SEK"),
				Start: now.Truncate(step).Add(-time.Duration(r.IntN(3)) * step), Step: step}
			gaps := pick(r, 0, 0, 20)
			for range 1 + r.IntN(int(horizon/step)+3) {
				v := grid.Rate(r.IntN(12)*40_000 - 80_000)
				if often(r, gaps) {
					v = grid.UnknownRate
				}
				p.Values = append(p.Values, v)
			}
			out[z] = append(out[z], p)
		}
	}
	return out
}

func randomItem(r *rand.Rand, s Snapshot, id string) Item {
	expected := time.Duration(1+r.IntN(60*int(s.Horizon/s.Step)/4)) * s.Step / 60
	if often(r, 40) {
		expected = s.Step * time.Duration(1+r.IntN(6))
	}
	sh := workload.Shape{
		Duration: workload.Duration{Expected: expected, P95: expected + time.Duration(r.IntN(3))*s.Step/4, Max: 2 * expected},
		Power:    grid.Power(r.IntN(3000)) * grid.Watt,
		Demand:   workload.Resources{CPU: 500 * int64(r.IntN(9)), Memory: int64(r.IntN(2048)), Slots: 1},
		When:     workload.When{CompleteBy: s.Now.Add(time.Duration(1+r.IntN(60*int(s.Horizon/s.Step+4))) * s.Step / 60)},
		Objective: workload.Objective{Minimize: pick(r, workload.MinimizeCarbon, workload.MinimizeCarbon, workload.MinimizeCarbon, workload.MinimizeCost, workload.MinimizeTime),
			MinSaving: pick(r, 0, 0, 50, 200)},
		Policy: workload.Policy{OnNoSignal: pick(r, workload.RunNow, workload.RunByDeadline)},
	}
	if often(r, 60) {
		sh.When.CompleteBy = sh.When.CompleteBy.Add(2 * expected)
	}
	if often(r, 25) {
		sh.When.NotBefore = s.Now.Add(time.Duration(r.IntN(300)) * s.Step / 60)
	}
	if often(r, 50) {
		sh.Interruptible = workload.Interruptible{Allowed: true}
		if often(r, 60) {
			sh.Interruptible.Overhead = time.Duration(r.IntN(3)) * s.Step / 3
			sh.Interruptible.MinRun = time.Duration(r.IntN(4)) * s.Step / 2
			sh.Interruptible.MaxSuspensions = r.IntN(4)
		}
	}
	switch r.IntN(8) {
	case 0:
		sh.Where.Allow = []string{"s0", "s1"}
	case 1:
		sh.Where.Allow = []string{"DE*", "s*2"}
	case 2:
		sh.Where.Prefer = []string{"s1", "FR"}
	case 3:
		sh.Where.Allow = []string{"nowhere"}
	}
	if often(r, 20) {
		sh.When.Deny = randomDeny(r, s)
	}
	if often(r, 12) {
		sh.Objective.CarbonCeiling = grid.Carbon(1+r.IntN(800)) * grid.Gram
	}
	if often(r, 12) {
		sh.Objective.CostCeiling, sh.Objective.Currency = grid.Money(r.IntN(2_000_000)), "EUR"
	}
	if often(r, 12) && sh.Objective.Minimize != workload.MinimizeTime {
		sh.Objective.CarbonPrice, sh.Objective.Currency = grid.Money(1+r.IntN(2000))*1_000_000, "EUR"
	}
	if alsoElastic && often(r, 50) {
		sh.Elastic = someSizes(r)
	}
	return Item{ID: id, Tenant: "t", Shape: sh}
}

// alsoElastic makes half of all random items elastic; for tests that say so.
var alsoElastic bool

// randomDeny is some times that are denied, in order and apart.
func randomDeny(r *rand.Rand, s Snapshot) (deny []workload.Span) {
	at := s.Now.Add(time.Duration(r.IntN(600)-120) * s.Step / 60)
	for range 1 + r.IntN(4) {
		end := at.Add(time.Duration(1+r.IntN(180)) * s.Step / 60)
		deny = append(deny, workload.Span{Start: at, End: end})
		at = end.Add(time.Duration(1+r.IntN(600)) * s.Step / 60)
	}
	return deny
}

// live lets the world of a plan go on until a later moment: work runs as it
// was planned, or starts late, or takes longer; forecasts change, sites fail.
func live(r *rand.Rand, s Snapshot, p Plan, d time.Duration) Snapshot {
	next := s
	next.Now, next.Parent = s.Now.Add(d), p.ID
	next.Items = nil
	placed := map[string]Placement{}
	for _, pl := range p.Placements {
		placed[pl.Workload] = pl
	}
	for _, it := range s.Items {
		pl, ok := placed[it.ID]
		if !ok {
			continue // refused: it is gone
		}
		if it, alive := goOn(r, it, pl, s.Now, next.Now); alive {
			next.Items = append(next.Items, it)
		}
	}
	if often(r, 40) {
		next.Outlook = randomOutlook(r, next.Now, s.Horizon)
		if s.Prices != nil {
			next.Prices = randomPrices(r, next.Now, s.Horizon)
		}
	}
	next.Prices = market(next.Prices, next.Now)
	next.Sites = slices.Clone(s.Sites)
	for i := range next.Sites {
		if often(r, 15) {
			next.Sites[i].Down = !next.Sites[i].Down
		}
		if often(r, 5) {
			next.Sites[i].Capacity.CPU = 1000 * int64(r.IntN(8))
		}
	}
	if often(r, 5) && len(next.Sites) > 1 {
		next.Sites = slices.Delete(next.Sites, 0, 1)
	}
	return next
}

func goOn(r *rand.Rand, it Item, pl Placement, from, to time.Time) (Item, bool) {
	it.Placement = &pl
	if it.Pinned == "" && often(r, 30) {
		it.Pinned = pl.Site
	}
	if !it.Running && often(r, 15) {
		return it, true // its agent is slow
	}
	in := it.Shape.Interruptible
	resume := in.Allowed && !it.Running && (it.Done > 0 || it.Suspensions > 0)
	wasOn := it.Running
	it.Running = false
	if wasOn && pl.Spans[0].Start.After(from) {
		it.Suspensions++
		resume = true
	}
	var since time.Time
	for i, sp := range pl.Spans {
		if !sp.Start.Before(to) {
			break
		}
		it.Pinned = pl.Site
		begin := sp.Start
		if begin.Before(from) {
			begin = from
		}
		end := sp.End
		last := i == len(pl.Spans)-1
		over := last && often(r, 20)
		if over || end.After(to) {
			end = to
		}
		speed, _ := pace(it, sp.Size)
		useful := does(end.Sub(begin), speed)
		joins := i > 0 && pl.Spans[i-1].End.Equal(sp.Start)
		if (resume || i > 0) && !joins {
			useful = max(useful-in.Overhead, 0)
		}
		it.Done += useful
		if !joins {
			since = sp.Start
		}
		goesOn := !last && pl.Spans[i+1].Start.Equal(sp.End)
		if sp.End.After(to) || over || goesOn && sp.End.Equal(to) {
			it.Running, it.RunSince = true, since
			return it, true
		}
		if last {
			return it, false
		}
		if !goesOn {
			it.Suspensions++
		}
	}
	return it, true
}
