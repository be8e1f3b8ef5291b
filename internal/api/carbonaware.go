package api

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"clusy.io/clusy/internal/grid"
	"clusy.io/clusy/internal/problem"
)

// The doors in this file and the next answer as the WebAPI of the Green
// Software Foundation's Carbon Aware SDK does, from what is stored here, so
// that its clients need another address and nothing else. How they differ, and
// why, is in docs/reference/carbon-aware-sdk.md.

// Places tells where on the grid the places are that other software names:
// zones by their key, cloud regions by "provider/region", and by the region
// alone where only one provider has it. Letter case does not matter.
type Places interface {
	Place(name string) (Place, bool)
	// Near returns names that look like it, the likeliest first, for a hint.
	Near(name string) []string
	// All returns every place once, zones too.
	All() []Place
}

// Place is where software may run, and which grid it draws from there.
type Place struct {
	Name                string
	Zone                grid.Zone
	Latitude, Longitude *float64 // nil if not known
}

// source says where numbers come from, beside each of them: the SDK does not.
type source struct {
	Zone      grid.Zone   `json:"zone"`
	Signal    grid.Signal `json:"signal"`
	Scope     grid.Scope  `json:"scope"`
	Provider  string      `json:"provider"`
	IssuedAt  stamp       `json:"issuedAt"`
	Estimated bool        `json:"estimated"`
	Grade     grid.Grade  `json:"grade"`
}

func sourceOf(p grid.Provenance) source {
	return source{p.Zone, p.Basis.Signal, p.Basis.Scope, p.Provider, stamp(p.Issued.UTC()), p.Estimated, p.Grade}
}

// emission is what the SDK calls EmissionsData.
type emission struct {
	Location string  `json:"location"`
	Time     stamp   `json:"time"`
	Rating   float64 `json:"rating"`
	Duration span    `json:"duration"`
	source
	value grid.Intensity
}

// How far one answer reaches.
const (
	longestRange = 366 * 24 * time.Hour
	mostPoints   = 50_000
	// recent is how old the newest value may be that answers for now.
	recent = 24 * time.Hour
)

// sdkEmissions lists what was measured at one or several places.
func (s *Server) sdkEmissions(a *ask) (any, error) {
	return list(s.emissions(a, a.locations()))
}

// list answers with emissions; with none, it is 204.
func list(out []emission, err error) (any, error) {
	if err != nil || len(out) == 0 {
		return nil, err
	}
	return out, nil
}

// sdkEmissionsOfOne is sdkEmissions for those that ask for one place.
func (s *Server) sdkEmissionsOfOne(a *ask) (any, error) {
	return list(s.emissions(a, []string{a.location()}))
}

// sdkBest lists the least of what was measured: all of it, if it is so more
// than once.
func (s *Server) sdkBest(a *ask) (any, error) {
	out, err := s.emissions(a, a.locations())
	if err != nil || len(out) == 0 {
		return nil, err
	}
	least := slices.MinFunc(out, func(a, b emission) int { return int(a.value - b.value) }).value
	return slices.DeleteFunc(out, func(e emission) bool { return e.value != least }), nil
}

func (s *Server) emissions(a *ask, names []string) (out []emission, err error) {
	now := s.Now()
	from, to := a.time("time"), a.time("toTime")
	if from.IsZero() && !to.IsZero() {
		a.blame("time", "time must be defined if toTime is defined")
	}
	a.order("time", "toTime", from, to)
	a.bounded("toTime", from, to)
	if len(a.wrong) > 0 {
		return nil, a.refusal()
	}
	err = s.Store.ViewAll(a.r.Context(), func(tx SystemTx) error {
		for _, name := range names {
			p, err := s.place(tx, a, "location", name)
			if err != nil {
				return err
			}
			if p.Zone == "" {
				continue
			}
			some, err := s.measuredAt(tx, p, from, to, now)
			if err != nil {
				return err
			}
			if out = append(out, some...); len(out) > mostPoints {
				return refused(400, "This is more than %d values: ask for a shorter time or for fewer locations.", mostPoints)
			}
		}
		return nil
	})
	return out, err
}

// bounded keeps a range from being longer than we answer for.
func (a *ask) bounded(field string, from, to time.Time) {
	if !from.IsZero() && to.Sub(from) > longestRange {
		a.blame(field, "%s is %s after the beginning; ask for at most %d days at once", field, to.Sub(from), int(longestRange.Hours()/24))
	}
}

// measuredAt returns what was measured at a place: all steps that reach into
// the time from from to to; without to, the one that holds at from; without
// either, the newest.
func (s *Server) measuredAt(tx SystemTx, p Place, from, to, now time.Time) (out []emission, err error) {
	newest := from.IsZero()
	switch {
	case newest:
		from, to = now.Add(-recent), now
	case to.IsZero():
		to = from.Add(time.Nanosecond)
	}
	past, err := s.past(tx, p.Zone, from, now)
	if err != nil {
		return nil, err
	}
	add := func(r grid.Reading, begin, end time.Time) bool {
		out = append(out, emission{p.Name, stamp(begin.UTC()), perKWh(r.Value), span(end.Sub(begin)), sourceOf(r.Provenance), r.Value})
		return len(out) <= mostPoints
	}
	past.each(from, to, add, func(time.Time, time.Time) bool { return true })
	if newest && len(out) > 1 {
		out = out[len(out)-1:]
	}
	return out, nil
}

// history is what was measured of a zone, the best word first.
type history struct {
	zone   grid.Zone
	basis  grid.Basis
	series []grid.Series
}

// past returns what had been said by now of a zone's time from since on.
func (s *Server) past(tx SystemTx, zone grid.Zone, since, now time.Time) (history, error) {
	o, err := measured(tx, zone, s.Rules.PlansOn(), since, now)
	return history{zone, o.Basis(), o.Series()}, err
}

// each calls known for each value from from to to, with when it begins and
// ends, and unknown for each gap between them; both until one says no. The
// first value begins with its step, which may be before from, and the last ends
// with its own.
func (h history) each(from, to time.Time, known func(r grid.Reading, begin, end time.Time) bool, unknown func(begin, end time.Time) bool) {
	first := true
	for t := from; t.Before(to); {
		// A day at a time: a year has too many series to look through all of
		// them for each hour.
		day := earliest(to, t.Truncate(24*time.Hour).Add(24*time.Hour))
		o := grid.Believe(h.zone, h.basis, overlapping(h.series, t, day)...)
		for t.Before(day) {
			r, ok := o.At(t)
			end := o.Until(t, day)
			if !ok {
				if !unknown(t, end) {
					return
				}
				t = end
				continue
			}
			begin := t
			if first && r.Start.Before(t) {
				begin = r.Start
			}
			first = false
			// A step that goes on past the day or to is told whole, unless
			// another series begins to know within it.
			end = o.Until(t, r.Start.Add(r.Step))
			if !known(r, begin, end) {
				return
			}
			t = end
		}
	}
}

func overlapping(all []grid.Series, from, to time.Time) (out []grid.Series) {
	for _, s := range all {
		if s.Start.Before(to) && s.End().After(from) {
			out = append(out, s)
		}
	}
	return out
}

// place finds the zone of a place. If there is none of that name, it says so in
// a and returns no zone.
func (s *Server) place(tx SystemTx, a *ask, field, name string) (Place, error) {
	if s.Places != nil {
		if p, ok := s.Places.Place(name); ok {
			p.Name = name // as the caller has it: answers are told apart by it
			return p, nil
		}
	}
	// A zone of the operator's own, of which only the store knows.
	zone := grid.Zone(name)
	if len(name) <= 64 {
		if _, ok, err := s.issuedBy(tx, zone, s.Now()); err != nil || ok {
			return Place{Name: name, Zone: zone}, err
		}
	}
	hint := "GET /locations lists those with a signal here"
	if s.Places != nil {
		if near := s.Places.Near(name); len(near) > 0 {
			hint = "did you mean " + strings.Join(near, ", ") + "?"
		}
	}
	a.blame(field, "unknown location %q: %s", clipped(name), hint)
	return Place{}, nil
}

// issuedBy returns the forecast that was in use at a time; ok is false if there
// was none.
func (s *Server) issuedBy(tx SystemTx, zone grid.Zone, at time.Time) (f grid.Series, ok bool, err error) {
	f, err = tx.ForecastAt(zone, s.Rules.PlansOn(), at)
	if problem.Is(err, problem.NotFound) {
		return f, false, nil
	}
	return f, err == nil && len(f.Values) > 0, err
}

// averaged is what the SDK calls a CarbonIntensity.
type averaged struct {
	Location  string    `json:"location"`
	StartTime stamp     `json:"startTime"`
	EndTime   stamp     `json:"endTime"`
	Intensity float64   `json:"carbonIntensity"`
	Zone      grid.Zone `json:"zone"`
	Signal    string    `json:"signal"`
	Scope     string    `json:"scope"`
	Provider  string    `json:"provider"`
	Estimated bool      `json:"estimated"`
	Grade     string    `json:"grade"`
}

// sdkAverage returns the mean of what was measured over a time.
func (s *Server) sdkAverage(a *ask) (any, error) {
	name, from, to := a.location(), a.span("startTime", a.query.Get("startTime")), a.span("endTime", a.query.Get("endTime"))
	var out averaged
	err := s.average(a, &out, name, from, to)
	return out, err
}

type averageItem struct {
	Location  string `json:"location"`
	StartTime string `json:"startTime"`
	EndTime   string `json:"endTime"`
}

func (s *Server) sdkAverages(a *ask) (any, error) {
	all, err := items[averageItem](a)
	if err != nil {
		return nil, err
	}
	out := make([]averaged, len(all))
	for i, in := range all {
		a.item = fmt.Sprintf("item %d: ", i)
		if in.Location == "" {
			a.blame("location", "location is not set")
		}
		if err := s.average(a, &out[i], in.Location, a.span("startTime", in.StartTime), a.span("endTime", in.EndTime)); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// span returns an end of a time that must be given.
func (a *ask) span(field, text string) time.Time {
	if text == "" {
		a.blame(field, "%s is not set", field)
	}
	return a.instant(field, text)
}

func (s *Server) average(a *ask, out *averaged, name string, from, to time.Time) error {
	a.order("startTime", "endTime", from, to)
	a.bounded("endTime", from, to)
	if len(a.wrong) > 0 {
		return a.refusal()
	}
	now := s.Now()
	return s.Store.ViewAll(a.r.Context(), func(tx SystemTx) error {
		p, err := s.place(tx, a, "location", name)
		if err != nil || p.Zone == "" {
			return err
		}
		past, err := s.past(tx, p.Zone, from, now)
		if err != nil {
			return err
		}
		var sum, whole float64 // mg/kWh × h; a year of the most there is has 52 bits to spare
		var grade grid.Grade
		var providers []string
		estimated, complete := false, true
		past.each(from, to, func(r grid.Reading, begin, end time.Time) bool {
			if begin.Before(from) {
				begin = from
			}
			hours := earliest(to, end).Sub(begin).Hours()
			sum, whole = sum+float64(r.Value)*hours, whole+hours
			grade, estimated = grid.Worse(grade, r.Grade), estimated || r.Estimated
			if !slices.Contains(providers, r.Provider) {
				providers = append(providers, r.Provider)
			}
			return true
		}, func(begin, end time.Time) bool {
			complete = false
			a.blame("startTime", "the period is out of range: of %s, nothing is measured from %s to %s", p.Zone, begin.UTC().Format(time.RFC3339), end.UTC().Format(time.RFC3339))
			return false
		})
		if complete {
			*out = averaged{name, stamp(from), stamp(to), sum / whole / 1000, p.Zone, string(past.basis.Signal), string(past.basis.Scope),
				strings.Join(providers, ", "), estimated, string(grade)}
		}
		return nil
	})
}

// geo is what the SDK calls a Location.
type geo struct {
	Latitude  *float64  `json:"latitude"`
	Longitude *float64  `json:"longitude"`
	Name      string    `json:"name"`
	Zone      grid.Zone `json:"zone"`
}

// sdkLocations lists the places that there is a signal of.
func (s *Server) sdkLocations(a *ask) (any, error) {
	out := map[string]geo{}
	err := s.Store.ViewAll(a.r.Context(), func(tx SystemTx) error {
		forecasts, err := tx.LatestForecasts()
		if err != nil {
			return err
		}
		for zone := range forecasts {
			out[string(zone)] = geo{Name: string(zone), Zone: zone}
		}
		if s.Places == nil {
			return nil
		}
		for _, p := range s.Places.All() {
			if _, ok := forecasts[p.Zone]; ok {
				out[p.Name] = geo{p.Latitude, p.Longitude, p.Name, p.Zone}
			}
		}
		return nil
	})
	if err != nil || len(out) == 0 {
		return nil, err
	}
	return out, nil
}

// sdkHealth is true when readyz is, in the words of ASP.NET.
func (s *Server) sdkHealth(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/plain")
	if _, err := s.readyz(r.Context(), nil); err != nil {
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = io.WriteString(w, "Unhealthy")
		return
	}
	_, _ = io.WriteString(w, "Healthy")
}

func perKWh(i grid.Intensity) float64 { return float64(i) / 1000 }
