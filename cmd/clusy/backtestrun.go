package main

import (
	"context"
	"fmt"
	"math"
	"runtime"
	"sync"
	"time"

	"clusy.io/clusy/internal/forecast"
	"clusy.io/clusy/internal/grid"
)

const (
	reach    = 96     // hours ahead that are measured
	stretch  = 8 * 24 // hours of the past in which jobs are planned
	released = 4 * 24 // of them, those in which jobs are released: the others are their slack
	apart    = 5      // hours between two releases: all hours of the day get their turn

	everyIssue = 24 // hours between two forecasts that are measured, with a provider: as it issues
	everyOther = 25 // without: all hours of the day get their turn

	// affordable is about how many forecasts take a few minutes on two cores: of a
	// year of twenty zones every fourth stretch. In every ninth, luck ranks the
	// forecasters of long jobs.
	affordable = 48_000
)

// The forecasters that are measured, as they are shown. The last two need a
// provider.
const (
	builtIn     = "built-in"
	anchored    = "anchored"
	persistence = "persistence"
	provider    = "provider"
	blended     = "blend"
)

// backtestZone is a zone to be measured: what came, and what was issued.
type backtestZone struct {
	series grid.Series
	actual []float64 // mg/kWh by hour, NaN where it is not known
	issued []grid.Series
}

func newBacktestZone(s grid.Series, issued []grid.Series) backtestZone {
	return backtestZone{series: s, actual: numbers(s.Values), issued: issued}
}

func numbers(values []grid.Intensity) []float64 {
	out := make([]float64, len(values))
	for i, v := range values {
		if out[i] = math.NaN(); v.Known() {
			out[i] = float64(v)
		}
	}
	return out
}

func (z *backtestZone) forecasters() []string {
	if z.issued == nil {
		return []string{builtIn, anchored, persistence}
	}
	return []string{blended, provider, builtIn, anchored, persistence}
}

// past returns what was known when hour u began.
func (z *backtestZone) past(u int, issues bool) (forecast.Past, time.Time) {
	now := z.series.Start.Add(time.Duration(u) * time.Hour)
	h := z.series
	begin := max(0, u-int(forecast.Lookback/time.Hour))
	h.Start, h.Values, h.Issued = h.Start.Add(time.Duration(begin)*time.Hour), h.Values[begin:u], now
	p := forecast.Past{Zone: h.Zone, Basis: h.Basis, Measured: h}
	for _, s := range z.issued {
		if issues && !s.Issued.After(now) && now.Sub(s.Issued) < forecast.TrackRecord {
			p.Issued = append(p.Issued, s)
		}
	}
	return p, now
}

// said is a forecast of the hours from an hour on. The band is empty if there
// is none.
type said struct{ mean, low, high []float64 }

// outlooks makes forecasts of a zone, each once.
type outlooks struct {
	zone *backtestZone
	made map[string]map[int]said
}

func (o *outlooks) at(name string, u int) said {
	if s, ok := o.made[name][u]; ok {
		return s
	}
	if o.made[name] == nil {
		o.made[name] = map[int]said{}
	}
	s := o.make(name, u)
	o.made[name][u] = s
	return s
}

// shifted is the provider's forecast, moved by its last errors: what is planned
// on when it is planned anew at each hour.
const shifted = "shifted"

func (o *outlooks) make(name string, u int) said {
	p, now := o.zone.past(u, name == blended || name == provider || name == shifted)
	switch name {
	case builtIn, blended:
		s, _, _ := forecast.Make(p, forecast.Climatology{}, now, time.Hour, reach)
		return known(s)
	case anchored:
		s, _ := forecast.Anchored(p.Measured, forecast.Climatology{}, now, time.Hour, reach)
		return known(s)
	case persistence:
		mean := make([]float64, reach)
		for h := range mean {
			mean[h] = o.zone.actual[u+h%24-24]
		}
		return said{mean: whole(mean)}
	}
	published, moved, ok := forecast.Issued(p, now, reach)
	mean := append([]float64(nil), o.at(builtIn, u).mean...) // where it does not reach
	if name == shifted {
		published = moved
	}
	for h, v := range published {
		if ok && v.Known() {
			mean[h] = float64(v)
		}
	}
	return said{mean: mean}
}

func known(s grid.Series) said {
	if len(s.Values) == 0 {
		return said{mean: make([]float64, reach)}
	}
	return said{whole(numbers(s.Values)), numbers(s.Low), numbers(s.High)}
}

// whole fills holes with what came before them: a job is planned on something.
func whole(mean []float64) []float64 {
	last := 0.0
	for i, v := range mean {
		if math.IsNaN(v) {
			mean[i] = last
		}
		last = mean[i]
	}
	return mean
}

// zoneMeasure is what came of one zone. Sums can be pooled.
type zoneMeasure struct {
	zone     grid.Zone
	skills   map[string]*skill
	jobs     []jobMeasure // as forecast.Jobs
	releases int
}

// skill is sums by day ahead.
type skill struct {
	off, relative [reach / 24]float64 // absolute errors by the truth, and their number
	held, banded  [reach / 24]float64 // hours in the band, and hours with one
}

// jobMeasure is sums of what hours emit, mg/kWh, over the releases of a job.
type jobMeasure struct {
	now, best float64                // run at once; planned on the truth
	real      map[string]*[3]float64 // by forecaster and replanning
}

func newZoneMeasure(zone grid.Zone) *zoneMeasure {
	return &zoneMeasure{zone: zone, skills: map[string]*skill{}, jobs: make([]jobMeasure, len(forecast.Jobs))}
}

// run measures the zones, as many at once as there are processors.
func (b *backtest) run(ctx context.Context) ([]*zoneMeasure, error) {
	if b.oneIn == 0 {
		b.oneIn = b.afford()
	}
	started := time.Now()
	out := make([]*zoneMeasure, len(b.zones))
	next := make(chan int)
	var wg sync.WaitGroup
	var mu sync.Mutex
	done := 0
	for range min(runtime.GOMAXPROCS(0), len(b.zones)) {
		wg.Go(func() {
			for i := range next {
				out[i] = b.measure(ctx, i)
				mu.Lock()
				if done++; time.Since(started) > 2*time.Second && ctx.Err() == nil {
					fmt.Fprintf(b.progress, "%d of %d zones measured, %s\n", done, len(b.zones), time.Since(started).Round(time.Second))
				}
				mu.Unlock()
			}
		})
	}
	for i := range b.zones {
		next <- i
	}
	close(next)
	wg.Wait()
	return out, ctx.Err()
}

// afford returns one in how many stretches are looked at, so that the whole
// takes a few minutes.
func (b *backtest) afford() int {
	n := 0
	for _, z := range b.zones {
		stretches := int(b.to.Sub(b.from)/time.Hour) / stretch
		n += stretches * stretch
		if z.issued != nil {
			n += 2 * stretches * stretch // the blend, and the provider's
		}
	}
	return max(1, (n+affordable-1)/affordable)
}

func (b *backtest) measure(ctx context.Context, index int) *zoneMeasure {
	z := &b.zones[index]
	m := newZoneMeasure(z.series.Zone)
	begin, end := int(b.from.Sub(z.series.Start)/time.Hour), int(b.to.Sub(z.series.Start)/time.Hour)
	every := everyOther
	if z.issued != nil {
		every = everyIssue
	}
	for u := begin; u+reach <= end && ctx.Err() == nil; u += every {
		o := &outlooks{zone: z, made: map[string]map[int]said{}}
		for _, name := range z.forecasters() {
			m.score(name, o.at(name, u), z.actual[u:])
		}
	}
	// Another stretch in each zone, so that no season is left out.
	for s, k := begin, index; s+stretch <= end && ctx.Err() == nil; s, k = s+stretch, k+1 {
		if k%b.oneIn == 0 {
			m.plan(z, s, begin)
		}
	}
	return m
}

func (m *zoneMeasure) score(name string, s said, actual []float64) {
	k := m.skills[name]
	if k == nil {
		k = &skill{}
		m.skills[name] = k
	}
	for h, v := range s.mean {
		y := actual[h]
		if math.IsNaN(y) {
			continue
		}
		if y > 0 { // of zero there is no percentage
			k.off[h/24] += math.Abs(v-y) / y
			k.relative[h/24]++
		}
		if h < len(s.low) && !math.IsNaN(s.low[h]) {
			k.banded[h/24]++
			if s.low[h] <= y && y <= s.high[h] {
				k.held[h/24]++
			}
		}
	}
}

// plan lets the jobs be planned that are released in a stretch.
func (m *zoneMeasure) plan(z *backtestZone, begin, midnight int) {
	o := &outlooks{zone: z, made: map[string]map[int]said{}}
	for u := begin; u < begin+released; u += apart {
		counted := false
		for k, j := range forecast.Jobs {
			best, ok := j.Shift(z.actual, u, midnight, forecast.Once, func(h int) []float64 { return z.actual[h : h+j.Window()] })
			if !ok {
				continue // an hour of it is not known
			}
			counted = true
			sum := &m.jobs[k]
			sum.best += best
			for _, v := range z.actual[u : u+j.Hours] {
				sum.now += v
			}
			for _, name := range z.forecasters() {
				if sum.real == nil {
					sum.real = map[string]*[3]float64{}
				}
				if sum.real[name] == nil {
					sum.real[name] = &[3]float64{}
				}
				for r := range sum.real[name] {
					on := name
					if name == provider && forecast.Replanning(r) == forecast.Hourly {
						on = shifted
					}
					real, _ := j.Shift(z.actual, u, midnight, forecast.Replanning(r), func(h int) []float64 { return o.at(on, h).mean })
					sum.real[name][r] += real
				}
			}
		}
		if counted {
			m.releases++
		}
	}
}

// plus adds another zone's sums.
func (m *zoneMeasure) plus(o *zoneMeasure) {
	m.releases += o.releases
	for name, s := range o.skills {
		if m.skills[name] == nil {
			m.skills[name] = &skill{}
		}
		t := m.skills[name]
		for d := range s.off {
			t.off[d] += s.off[d]
			t.relative[d] += s.relative[d]
			t.held[d] += s.held[d]
			t.banded[d] += s.banded[d]
		}
	}
	for k, j := range o.jobs {
		t := &m.jobs[k]
		t.now += j.now
		t.best += j.best
		for name, real := range j.real {
			if t.real == nil {
				t.real = map[string]*[3]float64{}
			}
			if t.real[name] == nil {
				t.real[name] = &[3]float64{}
			}
			for r, v := range real {
				t.real[name][r] += v
			}
		}
	}
}
