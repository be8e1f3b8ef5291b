package api

import (
	"fmt"
	"net/http"
	"time"

	"clusy.io/clusy/internal/grid"
)

// sdkForecast is what the SDK calls an EmissionsForecast. Its location is the
// name that was asked for, that of its points the zone.
type sdkForecast struct {
	RequestedAt stamp   `json:"requestedAt"`
	GeneratedAt stamp   `json:"generatedAt"`
	Location    string  `json:"location"`
	DataStartAt stamp   `json:"dataStartAt"`
	DataEndAt   stamp   `json:"dataEndAt"`
	WindowSize  int     `json:"windowSize"`
	Optimal     []point `json:"optimalDataPoints"`
	First       **point `json:"optimalDataPoint,omitempty"` // as the documents have it; null if there is none
	Data        []point `json:"forecastData"`
	source
}

type point struct {
	Location  grid.Zone `json:"location"`
	Timestamp stamp     `json:"timestamp"`
	Duration  int       `json:"duration"` // minutes
	Value     float64   `json:"value"`
}

// wish is what is wanted of one forecast.
type wish struct {
	name       string
	at         time.Time // as issued by then
	start, end time.Time // zero: as far as it reaches
	window     int       // minutes; 0: its own steps
}

// sdkCurrent answers with the forecast in use of each place.
func (s *Server) sdkCurrent(a *ask) (any, error) {
	docs, now := a.docs(), s.Now()
	w := wish{at: now, start: a.time("dataStartAt"), end: a.time("dataEndAt"), window: a.minutes("windowSize", a.query.Get("windowSize"))}
	a.order("dataStartAt", "dataEndAt", w.start, w.end)
	var all []wish
	for _, w.name = range a.locations() {
		all = append(all, w)
	}
	return s.forecasts(a, all, docs, now)
}

type forecastItem struct {
	RequestedAt string `json:"requestedAt"`
	Location    string `json:"location"`
	DataStartAt string `json:"dataStartAt"`
	DataEndAt   string `json:"dataEndAt"`
	WindowSize  number `json:"windowSize"`
}

// grace is how far ahead of ours a caller's clock may be.
const grace = 5 * time.Minute

// sdkForecasts answers with forecasts as they were in use in the past.
func (s *Server) sdkForecasts(a *ask) (any, error) {
	docs, now := a.docs(), s.Now()
	in, err := items[forecastItem](a)
	if err != nil {
		return nil, err
	}
	all := make([]wish, len(in))
	for i, f := range in {
		a.item = fmt.Sprintf("item %d: ", i)
		w := wish{name: f.Location, at: a.span("requestedAt", f.RequestedAt), start: a.instant("dataStartAt", f.DataStartAt),
			end: a.instant("dataEndAt", f.DataEndAt), window: a.minutes("windowSize", string(f.WindowSize))}
		if w.name == "" {
			a.blame("location", "location is not set")
		}
		if w.at.After(now.Add(grace)) {
			a.blame("requestedAt", "requestedAt is %s, and now is %s: what will be forecast then is not known", w.at.Format(time.RFC3339), now.UTC().Format(time.RFC3339))
		}
		a.order("dataStartAt", "dataEndAt", w.start, w.end)
		all[i] = w
	}
	return s.forecasts(a, all, docs, now)
}

func (s *Server) forecasts(a *ask, wishes []wish, docs bool, now time.Time) (any, error) {
	if len(a.wrong) > 0 {
		return nil, a.refusal()
	}
	batch := a.item != ""
	out := make([]sdkForecast, 0, len(wishes))
	points := 0
	err := s.Store.ViewAll(a.r.Context(), func(tx SystemTx) error {
		for i, w := range wishes {
			if batch {
				a.item = fmt.Sprintf("item %d: ", i)
			}
			p, err := s.place(tx, a, "location", w.name)
			if err != nil {
				return err
			}
			if p.Zone == "" {
				continue
			}
			f, ok, err := s.issuedBy(tx, p.Zone, w.at)
			if err != nil {
				return err
			}
			if ok && !batch && !f.End().After(now) {
				ok = false // it is over
			}
			if !ok {
				if _, any, err := s.issuedBy(tx, p.Zone, now); err != nil {
					return err
				} else if any && batch {
					a.blame("requestedAt", "no forecast of %s had been issued by %s", p.Zone, w.at.UTC().Format(time.RFC3339))
					continue
				}
				return refused(http.StatusNotImplemented, "There is no forecast of %s (%s): this server follows the zones of its sites.", clipped(w.name), p.Zone)
			}
			one, ok := w.read(a, f)
			if !ok {
				continue
			}
			if docs {
				first := (*point)(nil)
				if len(one.Optimal) > 0 {
					first = &one.Optimal[0]
				}
				one.First = &first
			}
			if points += len(one.Data) + len(one.Optimal); points > mostPoints {
				return refused(http.StatusBadRequest, "This is more than %d values: ask for a shorter time or for fewer locations.", mostPoints)
			}
			out = append(out, one)
		}
		return nil
	})
	return out, err
}

// read makes an answer of a forecast. If what is wished lies outside of it, it
// says so in a and ok is false.
func (w wish) read(a *ask, f grid.Series) (out sdkForecast, ok bool) {
	// What was over when it was asked for is no forecast.
	first := f.Start
	if n := w.at.Sub(f.Start) / f.Step; n > 0 && w.at.Before(f.End()) {
		first = f.Start.Add(n * f.Step)
	}
	start, end := w.start, w.end
	if start.IsZero() {
		start = first
	}
	if end.IsZero() {
		end = f.End()
	}
	ok = true
	for _, side := range []struct {
		field string
		t     time.Time
	}{{"dataStartAt", start}, {"dataEndAt", end}} {
		if side.t.Before(f.Start) || side.t.After(f.End()) {
			ok = false
			a.blame(side.field, "%s is %s; the forecast of %s reaches from %s to %s", side.field, side.t.Format(time.RFC3339), f.Zone, f.Start.UTC().Format(time.RFC3339), f.End().UTC().Format(time.RFC3339))
		}
	}
	if ok && !start.Before(end) {
		ok = false
		a.blame("dataStartAt", "dataStartAt must be earlier than dataEndAt: %s is not before %s", start.Format(time.RFC3339), end.Format(time.RFC3339))
	}
	if !ok {
		return out, false
	}
	out = sdkForecast{
		RequestedAt: stamp(w.at), GeneratedAt: stamp(f.Issued.UTC()), Location: w.name, DataStartAt: stamp(start), DataEndAt: stamp(end),
		WindowSize: w.window, Optimal: []point{}, Data: []point{}, source: sourceOf(f.Provenance),
	}
	var all []means
	if w.window == 0 {
		out.WindowSize = int(f.Step / time.Minute)
		all = steps(f, start, end)
	} else {
		all = windows(f, start, end, int64(w.window)*60_000)
	}
	least := int64(-1)
	for _, m := range all {
		if least < 0 || m.sum < least {
			least = m.sum
		}
	}
	for _, m := range all {
		p := point{f.Zone, stamp(m.start.UTC()), out.WindowSize, float64(m.sum) / float64(m.length) / 1000}
		out.Data = append(out.Data, p)
		if m.sum == least {
			out.Optimal = append(out.Optimal, p)
		}
	}
	return out, true
}

// means is one window: its start, its length in milliseconds, and the sum of
// the intensity over it, in mg/kWh × ms. Of equal lengths, sums compare exactly.
type means struct {
	start       time.Time
	length, sum int64
}

// steps returns the known steps of f that reach into the time from start to end.
func steps(f grid.Series, start, end time.Time) (out []means) {
	for i, v := range f.Values {
		begin := f.Start.Add(time.Duration(i) * f.Step)
		if v.Known() && begin.Before(end) && begin.Add(f.Step).After(start) {
			out = append(out, means{begin, f.Step.Milliseconds(), int64(v) * f.Step.Milliseconds()})
		}
	}
	return out
}

// longestForecast bounds what is looked at of a forecast, so that no sum
// overflows: 3,000,000 mg/kWh for ten years is 2^60 mg·ms.
const longestForecast = 3650 * 24 * time.Hour

// windows returns the windows of a length in milliseconds that begin at start,
// a step of f later, and so on, and end by end. One that reaches into time of
// which nothing is known is left out: its mean is not known.
func windows(f grid.Series, start, end time.Time, length int64) (out []means) {
	n := min(len(f.Values), int(longestForecast/f.Step))
	step := f.Step.Milliseconds()
	sums, gaps := make([]int64, n+1), make([]int, n+1) // before each step
	for i, v := range f.Values[:n] {
		sums[i+1], gaps[i+1] = sums[i], gaps[i]
		if v.Known() {
			sums[i+1] += int64(v) * step
		} else {
			gaps[i+1]++
		}
	}
	upTo := func(t int64) int64 {
		i := t / step
		if sum := sums[i]; t%step == 0 {
			return sum
		} else {
			return sum + int64(max(f.Values[i], 0))*(t%step)
		}
	}
	last := min(end.Sub(f.Start).Milliseconds(), int64(n)*step)
	for t := start.Sub(f.Start).Milliseconds(); t <= last-length; t += step {
		if gaps[(t+length+step-1)/step] == gaps[t/step] {
			out = append(out, means{f.Start.Add(time.Duration(t) * time.Millisecond), length, upTo(t+length) - upTo(t)})
		}
	}
	return out
}
