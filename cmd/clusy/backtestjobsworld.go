package main

import (
	"fmt"
	"hash/fnv"
	"math"
	"slices"
	"sync"
	"time"

	"clusy.io/clusy/internal/forecast"
	"clusy.io/clusy/internal/grid"
	"clusy.io/clusy/internal/plan/replay"
)

// mostWindow is how long a job may have from arrival until it must be complete:
// past it no forecast tells anything.
const mostWindow = 14 * 24 * time.Hour

// jobsWorld is the world to replay, and what must be known of it besides.
type jobsWorld struct {
	replay.World
	traced  []*pastJob // by job
	unknown int        // hours in which an intensity is not known, taken as the one before
	energy  float64    // kWh
	cpuH    float64
	use     float64 // share of the cpus in use on the average, if nothing waits
}

// place moves the trace to where the grid is known, and finds the days to replay.
func (b *jobsBacktest) place() error {
	f := b.flags
	first, last := b.zones[0].series.Start, b.zones[0].series.End()
	for _, z := range b.zones[1:] {
		first, last = later(first, z.series.Start), earlier(last, z.series.End())
	}
	ready := first.Add(leastWarmUp)
	if !ready.Before(last) {
		return usage("%s is known for %d days; forecasts rest on %d days before the first job", b.source, int(last.Sub(first).Hours()/24), int(leastWarmUp.Hours()/24))
	}
	day := func(flag, text string, at *time.Time) error {
		if text == "" {
			return nil
		}
		t, err := time.Parse(time.DateOnly, text)
		if err != nil {
			return usage("%s %q is no day, want it as 2023-06-01", flag, text)
		}
		*at = t
		return nil
	}
	begin := ready
	if whole := begin.Truncate(24 * time.Hour); !whole.Equal(begin) {
		begin = whole.Add(24 * time.Hour)
	}
	jobs := b.trace.jobs
	origin, end := jobs[0].arrive, jobs[len(jobs)-1].arrive
	var start time.Time
	if err := day("--start", f.start, &start); err != nil {
		return err
	}
	week := 7 * 24 * time.Hour
	switch {
	case !b.trace.dated: // hour 0 is the start
		if start.IsZero() {
			start = begin
		}
		b.moved = start.Sub(dateless)
	case !start.IsZero(), f.trace == "" && (origin.Before(ready) || end.After(last)):
		if start.IsZero() {
			start = begin
		}
		// The same day of the week, at or after the start.
		d := start.Sub(origin.Truncate(24 * time.Hour))
		b.moved = d - d%week
		if d%week > 0 {
			b.moved += week
		}
	case origin.Before(ready) && end.Before(ready), !origin.Before(last):
		return usage("the jobs are of %s to %s, and %s can be replayed from %s to %s: give --trace with the hours of then, or --start %s to move the jobs there by whole weeks",
			origin.Format(time.DateOnly), end.Format(time.DateOnly), b.source, ready.Format(time.DateOnly), last.Format(time.DateOnly), begin.Format(time.DateOnly))
	}
	b.from, b.to = later(ready, origin.Add(b.moved).Truncate(24*time.Hour)), last
	if err := day("--from", f.from, &b.from); err != nil {
		return err
	}
	if err := day("--to", f.to, &b.to); err != nil {
		return err
	}
	switch {
	case b.from.Before(ready):
		return usage("--from %s: forecasts rest on %d days before, and %s begins on %s: at the earliest %s", b.from.Format(time.DateOnly), int(leastWarmUp.Hours()/24), b.source, first.Format(time.DateOnly), begin.Format(time.DateOnly))
	case b.to.After(last):
		return usage("--to %s: %s ends on %s", b.to.Format(time.DateOnly), b.source, last.Format(time.DateOnly))
	case !b.from.Before(b.to):
		return usage("--from %s is not before --to %s", b.from.Format(time.DateOnly), b.to.Format(time.DateOnly))
	}
	return nil
}

// chance is a number in [0, 100) that hangs on the job alone.
func chance(id, what string) int {
	h := fnv.New64a()
	fmt.Fprintf(h, "%s\x00%s", what, id)
	x := h.Sum64()
	x ^= x >> 33 // FNV's low bits are weak
	x *= 0xff51afd7ed558ccd
	x ^= x >> 33
	return int(x % 100)
}

// build makes the world of what is replayed.
func (b *jobsBacktest) build() error {
	f, w := b.flags, &b.world
	w.Start, w.Slot, w.Basis = b.from, f.slot, b.zones[0].series.Basis
	for _, z := range f.zones {
		w.Sites = append(w.Sites, replay.Site{ID: z, Zone: grid.Zone(z), PUE: int64(math.Round(1000 * f.pue))})
	}
	seen := 0
	for i := range b.trace.jobs {
		p := &b.trace.jobs[i]
		at := p.arrive.Add(b.moved)
		if end := at.Add(p.length); !end.After(b.from) {
			w.Earlier = append(w.Earlier, replay.Earlier{Class: classIn(p), Length: int((p.length + w.Slot - 1) / w.Slot), Ended: end})
		}
		if at.Before(b.from) || !at.Before(b.to) {
			b.trace.left.add("arrives outside "+b.from.Format(time.DateOnly)+" to "+b.to.Format(time.DateOnly), p.id)
			continue
		}
		if seen++; (seen-1)%f.sample != 0 {
			continue
		}
		if err := b.addJob(p, at); err != nil {
			return err
		}
	}
	if len(w.Jobs) == 0 {
		return usage("%s: no job can be replayed from %s to %s; %v", b.file, b.from.Format(time.DateOnly), b.to.Format(time.DateOnly), b.trace.left.byCount().err())
	}
	slices.SortStableFunc(w.Earlier, func(x, y replay.Earlier) int { return x.Ended.Compare(y.Ended) })
	b.fit()
	for i := range w.Jobs {
		w.Reach = max(w.Reach, w.Jobs[i].Due-w.Jobs[i].Arrive)
	}
	w.Reach += int(24*time.Hour/w.Slot) + w.Reach/8
	b.curves()
	return w.Validate()
}

// classIn is what a job has in common with others, as far as the trace tells.
func classIn(p *pastJob) string {
	if p.class == "" {
		return fmt.Sprintf("%v cpus, %v cards", p.cpus, p.gpus)
	}
	return p.class
}

func (b *jobsBacktest) addJob(p *pastJob, at time.Time) error {
	f, w := b.flags, &b.world
	window := p.window
	if window == 0 {
		window = p.length + b.slack.of(p.length)
	}
	j := replay.Job{ID: clean(p.id), Length: int((p.length + w.Slot - 1) / w.Slot), CPU: int64(math.Ceil(1000 * p.cpus))}
	j.Arrive = int((at.Sub(b.from) + w.Slot - 1) / w.Slot)
	j.Due = max(int(at.Add(window).Sub(b.from)/w.Slot), j.Arrive+j.Length)
	switch {
	case window > mostWindow:
		b.trace.left.add(fmt.Sprintf("has more than %d days until it must be complete", int(mostWindow.Hours()/24)), p.id)
		return nil
	case w.Start.Add(time.Duration(j.Due) * w.Slot).After(b.end()):
		b.trace.left.add("may run past the end of what was measured", p.id)
		return nil
	}
	watts := p.watts
	if math.IsNaN(watts) {
		watts = p.cpus*b.wattsCPU + p.gpus*b.wattsGPU
	}
	// Slots are whole, energy is not.
	exact := p.length.Hours() / (float64(j.Length) * w.Slot.Hours())
	j.Power = grid.Power(math.Round(watts * exact * float64(grid.Watt)))
	j.Class = classIn(p)
	j.Declared = int((p.said + w.Slot - 1) / w.Slot)
	j.Pauses = chance(p.id, "pauses") < f.interruptible
	if p.pauses != nil {
		j.Pauses = *p.pauses
	}
	home := chance(p.id, "home") * len(w.Sites) / 100
	if p.zone != "" {
		if home = slices.Index(f.zones, p.zone); home < 0 {
			return usage("%s: job %s is of zone %q; --zone has %v", b.file, clean(p.id), clean(p.zone), f.zones)
		}
	}
	j.Sites = []int{home}
	if p.zone == "" && chance(p.id, "moves") < f.movable {
		for s := range w.Sites {
			if s != home {
				j.Sites = append(j.Sites, s)
			}
		}
	}
	w.Jobs = append(w.Jobs, j)
	w.traced = append(w.traced, p)
	w.cpuH += p.cpus * p.length.Hours()
	w.energy += watts * p.length.Hours() / 1000 * f.pue
	return nil
}

// end is when the measured hours of all zones have ended.
func (b *jobsBacktest) end() time.Time {
	end := b.zones[0].series.End()
	for _, z := range b.zones[1:] {
		end = earlier(end, z.series.End())
	}
	return end
}

// fit gives the sites their size. Jobs that fit nowhere are left out.
func (b *jobsBacktest) fit() {
	f, w := b.flags, &b.world
	slots := 0
	var used float64
	for i := range w.Jobs {
		slots = max(slots, w.Jobs[i].Arrive+w.Jobs[i].Length)
		used += float64(w.Jobs[i].CPU) * float64(w.Jobs[i].Length)
	}
	var all float64
	for s := range w.Sites {
		switch size := &w.Sites[s].CPU; {
		case f.cpus > 0:
			*size = int64(math.Round(1000 * f.cpus))
		case f.util > 0:
			*size = int64(math.Ceil(used / float64(slots) / f.util / float64(len(w.Sites))))
		default:
			// What runs at most if nothing waits; and room for what may come there.
			*size = replay.Peak(w.Jobs, s)
			for i := range w.Jobs {
				if j := &w.Jobs[i]; slices.Contains(j.Sites, s) {
					*size = max(*size, j.CPU)
				}
			}
		}
		all += float64(w.Sites[s].CPU)
	}
	kept := 0
	for i := range w.Jobs {
		j := w.Jobs[i]
		home := j.Sites[0]
		j.Sites = slices.DeleteFunc(j.Sites, func(s int) bool { return j.CPU > w.Sites[s].CPU })
		if len(j.Sites) == 0 || j.Sites[0] != home {
			b.trace.left.add(fmt.Sprintf("needs more cpus than %s has", w.Sites[home].ID), w.traced[i].id)
			continue
		}
		w.Jobs[kept], w.traced[kept] = j, w.traced[i]
		kept++
	}
	w.Jobs, w.traced = w.Jobs[:kept], w.traced[:kept]
	if all > 0 && slots > 0 {
		w.use = used / all / float64(slots)
	}
}

// curves makes what was measured and what was expected ready to be asked.
func (b *jobsBacktest) curves() {
	w := &b.world
	perHour := int(time.Hour / w.Slot)
	offset := func(z *backtestZone) int { return int(b.from.Sub(z.series.Start) / time.Hour) }
	for i := range b.zones {
		z := &b.zones[i]
		for u, v := range z.actual {
			if math.IsNaN(v) && u > 0 {
				if u >= offset(z) {
					w.unknown++
				}
				z.actual[u] = z.actual[u-1]
			}
		}
	}
	w.Measured = func(site, t int) float64 {
		z := &b.zones[site]
		return z.actual[min(offset(z)+t/perHour, len(z.actual)-1)]
	}
	hours := (w.Reach+perHour-1)/perHour + 1
	type hour struct{ site, hour int }
	var mu sync.Mutex
	made := map[hour][]float64{}
	w.Expected = func(site, t int) []float64 {
		key := hour{site, t / perHour}
		mu.Lock()
		e := made[key]
		mu.Unlock()
		if e == nil {
			z := &b.zones[site]
			u := min(offset(z)+key.hour, len(z.actual)) // past the end: what was said last
			values := b.expect(z, u, hours)
			e = make([]float64, hours*perHour)
			for k := range e {
				e[k] = values[k/perHour]
			}
			mu.Lock()
			made[key] = e
			mu.Unlock()
		}
		return e[t%perHour:][:w.Reach]
	}
}

// expect is what is expected of a zone from an hour of its series on.
func (b *jobsBacktest) expect(z *backtestZone, u, hours int) []float64 {
	if b.flags.perfect {
		out := make([]float64, hours)
		for k := range out {
			out[k] = z.actual[min(u+k, len(z.actual)-1)]
		}
		return out
	}
	p, now := z.past(u, true)
	s, _, _ := forecast.Make(p, forecast.Climatology{}, now, time.Hour, hours)
	if values := whole(numbers(s.Values)); len(values) == hours {
		return values
	}
	return make([]float64, hours) // nothing is expected, and no hour is better than another
}
