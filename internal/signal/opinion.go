package signal

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"clusy.io/clusy/internal/grid"
)

// Where two sources have a zone, the second is asked now and then what it says
// of the last hours. Two that drift apart cannot both be right: the one that is
// farther from what was expected is put in quarantine, and not believed until
// the two agree again. What is stored stays.

const (
	// opinionEvery is how often sources are compared, and soon how often while
	// one is in quarantine.
	opinionEvery = 6 * time.Hour
	opinionSoon  = time.Hour
	// looked is how much of the past is asked for, compared how much of it is
	// compared, and leastCompared how many hours of that both must know.
	looked        = opinionEvery + 2*compared
	compared      = 4 * time.Hour
	leastCompared = 3
	// abrupt is how much more a sudden step tells of an error than a distance
	// from what was expected does: forecasts are off by a third at times, and
	// grids do not change by that within an hour.
	abrupt = 2
	// sure is how often in a row two must be apart before one is not believed,
	// and undecided how often until whoever is farther off is not, however
	// little that is.
	sure      = 2
	undecided = 8
	// apart is how far two sources may drift from their usual distance (35 %),
	// and sigmas the same in standard deviations of that distance; the larger
	// counts. RELIABILITY §4.6.
	apart  = 0.3001 // ln 1.35
	sigmas = 3
	// remembered is how many comparisons are kept, and before judged of them
	// nothing but a factor of four is held against anybody: two ways to reckon
	// may differ by half for good.
	opinionsKept = 60
	judged       = 3
	strangers    = 1.3863 // ln 4
	// reconciled is how often in a row a source must agree to be believed again.
	reconciled = 2
	// alone is how long a source stays in quarantine that cannot be compared
	// with another.
	alone = day
	// floor is added to what is compared: near zero, a little is many times
	// nothing.
	floor = 5_000 // mg/kWh
)

// compare has each further source of the zone give its opinion where it is due.
func (v *visit) compare(ctx context.Context) error {
	first := -1
	for rank, source := range v.p.Providers {
		if !v.ofBasis(source) || v.st.source[rank].absent {
			continue
		}
		if first < 0 {
			first = rank
			continue
		}
		st := &v.st.source[rank]
		v.parole(first)
		v.parole(rank)
		if !ripe(st.opinionDue, v.now) || !ripe(st.due, v.now) || v.st.until.IsZero() {
			continue
		}
		if err := v.opinion(ctx, first, rank); err != nil {
			return err
		}
	}
	return nil
}

// parole lets a source out of quarantine that has had nobody to be compared with
// for a day: its only judge is away, and the gate and the limits still hold.
func (v *visit) parole(rank int) {
	st := &v.st.source[rank]
	if st.quarantine == "" || v.now.Sub(st.met) < alone {
		return
	}
	st.quarantine, st.agreed, st.due = "", 0, time.Time{}
	v.tell(Released, v.p.Providers[rank].Name(), fmt.Sprintf("there has been no other source to compare it with for %s", alone))
}

// opinion compares what two sources say of the same hours, and judges.
func (v *visit) opinion(ctx context.Context, first, second int) error {
	b := v.p.Providers[second]
	st := &v.st.source[second]
	st.opinionDue = v.now.Add(opinionEvery + jitter(v.zone, b.Name(), opinionEvery))
	to := v.now.Truncate(time.Hour)
	from := to.Add(-looked)
	sa, err := v.recent(ctx, first, from, to)
	if err != nil {
		return err
	}
	sb, err := v.recent(ctx, second, from, to)
	if err != nil || len(sa) == 0 || len(sb) == 0 {
		return err
	}
	// The distance over the last hours that both know, and the largest step of
	// each from one hour to the next.
	var sumA, sumB, expected float64
	var jumpA, jumpB float64
	hours, foreseen := 0, 0
	var lastA, lastB grid.Reading
	for at := from; at.Before(to); at = at.Add(time.Hour) {
		x, okA := grid.Believe(v.zone, v.p.basis(), sa...).At(at)
		y, okB := grid.Believe(v.zone, v.p.basis(), sb...).At(at)
		if !okA || !okB {
			continue
		}
		x.Value, y.Value = x.Value+floor, y.Value+floor
		if lastA.Value > 0 {
			jumpA = max(jumpA, math.Abs(math.Log(float64(x.Value)/float64(lastA.Value))))
			jumpB = max(jumpB, math.Abs(math.Log(float64(y.Value)/float64(lastB.Value))))
		}
		if lastA, lastB = x, y; at.Before(to.Add(-compared)) {
			continue
		}
		hours++
		sumA, sumB = sumA+float64(x.Value), sumB+float64(y.Value)
		if e, ok := v.foreseen(at); ok {
			expected += float64(e + floor)
			foreseen++
		}
	}
	if hours < leastCompared {
		return nil
	}
	v.st.source[first].met, st.met = v.now, v.now
	d := math.Log(sumB / sumA)
	drift, bound := math.Abs(d-median(st.opinions)), max(apart, sigmas*deviation(st.opinions))
	if len(st.opinions) < judged {
		drift, bound = math.Abs(d), strangers
	}
	if drift <= bound {
		st.apart, st.jumps = 0, [2]float64{}
		st.opinions = append(st.opinions, d)
		st.opinions = st.opinions[max(0, len(st.opinions)-opinionsKept):]
		v.agree(first)
		v.agree(second)
		v.st.undisputed = v.st.expected
		return nil
	}
	// Apart. Whoever is farther from what was expected, and came there in the
	// larger step, is not believed; while both are about as odd, the next hours
	// will tell.
	st.opinionDue = v.now.Add(opinionSoon)
	st.apart++
	st.jumps = [2]float64{max(st.jumps[0], jumpA), max(st.jumps[1], jumpB)}
	oddA := abrupt*st.jumps[0] + math.Abs(math.Log(sumA/expected))
	oddB := abrupt*st.jumps[1] + math.Abs(math.Log(sumB/expected)-median(st.opinions))
	clear := math.Abs(oddA-oddB) > drift/3
	if foreseen < hours || st.apart < sure || !clear && st.apart < undecided {
		v.st.health.fail(v.now, b.Name(), fmt.Sprintf("says %s where %s says %s of the same %d hours; it is not clear yet who is wrong",
			mean(sumB, hours), v.p.Providers[first].Name(), mean(sumA, hours), hours))
		return nil
	}
	outlier, other, says, against := second, first, sumB, sumA
	if oddA > oddB {
		outlier, other, says, against = first, second, sumA, sumB
	}
	v.st.source[outlier].agreed = 0
	if v.st.source[first].quarantine == "" && v.st.source[second].quarantine == "" {
		why := fmt.Sprintf("says %s where %s says %s of the same %d hours: farther apart than they ever are, and farther from what was to be expected",
			mean(says, hours), v.p.Providers[other].Name(), mean(against, hours), hours)
		v.st.source[outlier].quarantine = why
		v.tell(Quarantined, v.p.Providers[outlier].Name(), why)
		v.notes[len(v.notes)-1].Usual = median(st.opinions)
		v.st.health.fail(v.now, v.p.Providers[outlier].Name(), why)
	}
	return nil
}

func mean(sum float64, hours int) grid.Intensity { return grid.Intensity(sum/float64(hours)) - floor }

// agree counts that a source agreed with another, and lets it out of
// quarantine when it has done so for long enough.
func (v *visit) agree(rank int) {
	st := &v.st.source[rank]
	if st.quarantine == "" {
		return
	}
	if st.agreed++; st.agreed >= reconciled {
		st.quarantine, st.agreed, st.due = "", 0, time.Time{}
		v.tell(Released, v.p.Providers[rank].Name(), "agrees with another source again")
	}
}

// recent is what a source says of some hours: what is stored of it, or else
// what it answers now.
func (v *visit) recent(ctx context.Context, rank int, from, to time.Time) ([]grid.Series, error) {
	source := v.p.Providers[rank]
	if err := v.daysFrom(ctx, from); err != nil {
		return nil, err
	}
	if v.st.source[rank].quarantine == "" && rank == 0 {
		var own []grid.Series
		for _, d := range v.st.days {
			if d.Provider == source.Name() && d.End().After(from) {
				own = append(own, d)
			}
		}
		if len(own) > 0 && !own[len(own)-1].End().Before(to.Add(-2*time.Hour)) {
			return own, nil
		}
	}
	var told []grid.Series
	q := question{provider: source.Name(), zone: v.zone, basis: v.p.basis(), from: from, to: to, now: v.now}
	for range pages {
		s, err := v.history(ctx, source, q)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if noZone(err) {
			v.st.source[rank].absent, v.st.source[rank].due = true, v.now.Add(again)
			return nil, nil
		}
		if err == nil {
			if err = q.gate(s); err != nil {
				v.refuse(&v.st.source[rank], source.Name(), err.Error())
			}
		}
		if err != nil {
			st := &v.st.source[rank]
			st.due = v.failed(&st.failures, source.Name(), err)
			return nil, nil
		}
		if len(s.Values) == 0 || !s.End().After(q.from) {
			return told, nil
		}
		told, q.from = append(told, s), s.End()
		if q.from.Add(s.Step).After(q.to) {
			return told, nil
		}
	}
	return told, nil
}

// foreseen is what was expected of a time: by the forecast that was in use when
// the sources last agreed, as a newer one rests on what is in doubt; else by
// climatology.
func (v *visit) foreseen(at time.Time) (grid.Intensity, bool) {
	if r, ok := v.st.undisputed.At(at); ok && r.Value > 0 {
		return r.Value, true
	}
	if v.p.Climatology.Basis != v.p.basis() {
		return grid.Unknown, false
	}
	m, _, ok := v.p.Climatology.At(v.zone, at)
	return m, ok && m > 0
}

func median(xs []float64) float64 {
	if len(xs) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(xs))
	return (sorted[(len(sorted)-1)/2] + sorted[len(sorted)/2]) / 2
}

// deviation returns the standard deviation of xs.
func deviation(xs []float64) float64 {
	if len(xs) < 2 {
		return 0
	}
	var sum, squares float64
	for _, x := range xs {
		sum += x
		squares += x * x
	}
	n := float64(len(xs))
	return math.Sqrt(max(0, squares/n-sum/n*(sum/n)))
}
