package ledger

import (
	"bytes"
	"fmt"
	"time"

	"clusy.io/clusy/internal/grid"
)

// Difference is a figure of an entry that is not what its inputs give.
type Difference struct {
	Field string // as in the JSON: "uses[2].carbon"
	Have  string // what the entry says
	Want  string // what it should say
}

func (d *Difference) Error() string {
	return fmt.Sprintf("%s is %s, but the entry's own inputs give %s", d.Field, d.Have, d.Want)
}

// Recompute makes e again from its own inputs (the meter, the PUEs, the
// baseline, and the intensity that it says held at each time) and compares
// every figure. The error is a *Difference where a figure is wrong, and says
// what cannot be where an input is. That the intensities are true is for Check.
func Recompute(e Entry) error {
	if e.Method != Method {
		return fmt.Errorf("recompute: %w", &Difference{"method", fmt.Sprintf("%q", e.Method), fmt.Sprintf("%q", Method)})
	}
	again, err := account(e.Meter, e.Zone, e.PUE, said(e.Uses), e.Baseline, said(e.Instead), e.Booked)
	if err != nil {
		return fmt.Errorf("recompute: %w", err)
	}
	if again.Restates = e.Restates; e.Restates != nil {
		if err := e.Restates.check(); err != nil {
			return fmt.Errorf("recompute %s/%d, hour of %s: %w", e.Meter.Workload, e.Meter.Attempt, e.Meter.Hour.Format(time.RFC3339), err)
		}
	}
	if d := differ(e, again); d != nil {
		return fmt.Errorf("recompute %s/%d, hour of %s: %w", e.Meter.Workload, e.Meter.Attempt, e.Meter.Hour.Format(time.RFC3339), d)
	}
	return nil
}

// said reads the intensities that an entry says held.
func said(uses []Use) values {
	i := 0
	return func(t, limit time.Time) (grid.Intensity, grid.Provenance, time.Time, bool) {
		for i < len(uses) && !t.Before(uses[i].To) {
			i++
		}
		if i == len(uses) || t.Before(uses[i].From) {
			return grid.Unknown, grid.Provenance{}, limit, false
		}
		until := utc(uses[i].To)
		if limit.Before(until) {
			until = limit
		}
		return uses[i].Intensity, uses[i].Signal, until, true
	}
}

func differ(e, again Entry) *Difference {
	if d := differUses("uses", e.Uses, again.Uses); d != nil {
		return d
	}
	if d := differUses("instead", e.Instead, again.Instead); d != nil {
		return d
	}
	for _, f := range []struct {
		name       string
		have, want any
	}{
		{"emitted", int64(e.Emitted), int64(again.Emitted)},
		{"grade", e.Grade, again.Grade},
		{"avoided", int64(e.Avoided), int64(again.Avoided)},
		{"saved", int64(e.Saved), int64(again.Saved)},
		{"claimed", e.Claimed, again.Claimed},
	} {
		if f.have != f.want {
			return &Difference{f.name, fmt.Sprint(f.have), fmt.Sprint(f.want)}
		}
	}
	// What is left are times that are equal but written otherwise.
	have, err := Marshal(e)
	if want, _ := Marshal(again); err != nil || !bytes.Equal(have, want) {
		return &Difference{"a time", "written in another zone", "UTC"}
	}
	return nil
}

// differUses compares what was computed. Intensity and signal were taken as
// they are said, and are the same if the times are.
func differUses(name string, have, want []Use) *Difference {
	for i := range min(len(have), len(want)) {
		h, w := have[i], want[i]
		field := func(f string) string { return fmt.Sprintf("%s[%d].%s", name, i, f) }
		switch {
		case !h.From.Equal(w.From):
			return &Difference{field("from"), h.From.String(), w.From.String()}
		case !h.To.Equal(w.To):
			return &Difference{field("to"), h.To.String(), w.To.String()}
		case h.Energy != w.Energy:
			return &Difference{field("energy"), fmt.Sprintf("%d J", int64(h.Energy)), fmt.Sprintf("%d J", int64(w.Energy))}
		case h.Carbon != w.Carbon:
			return &Difference{field("carbon"), fmt.Sprintf("%d mg", int64(h.Carbon)), fmt.Sprintf("%d mg", int64(w.Carbon))}
		}
	}
	if len(have) != len(want) {
		return &Difference{name, fmt.Sprintf("%d pieces", len(have)), fmt.Sprintf("%d", len(want))}
	}
	return nil
}

// Check compares each intensity in e with the stored series that it says it is
// from; series returns the one of that digest. With Recompute before it, an
// entry is proved from what is stored: every figure and every input of it.
// It cannot say that no better series was known when the entry was booked.
func Check(e Entry, series func(ref string) (grid.Series, bool)) error {
	seen := map[string]grid.Series{}
	for _, side := range []struct {
		name string
		uses []Use
	}{{"uses", e.Uses}, {"instead", e.Instead}} {
		for i, u := range side.uses {
			s, ok := seen[u.Signal.Ref]
			if !ok {
				var err error
				if s, err = fetch(u.Signal.Ref, series); err != nil {
					return fmt.Errorf("check %s[%d]: %w", side.name, i, err)
				}
				seen[u.Signal.Ref] = s
			}
			if err := u.from(s); err != nil {
				return fmt.Errorf("check %s[%d]: %w", side.name, i, err)
			}
		}
	}
	return nil
}

func fetch(ref string, series func(ref string) (grid.Series, bool)) (grid.Series, error) {
	s, ok := series(ref)
	if !ok {
		return s, fmt.Errorf("there is no stored series %q", ref)
	}
	if d := s.Digest(); d != ref {
		return s, fmt.Errorf("the stored series %q was changed: its digest is %s", ref, d)
	}
	if err := s.Validate(); err != nil {
		return s, fmt.Errorf("the stored series %q: %w", ref, err)
	}
	s.Ref, s.Issued = ref, issued(s.Issued)
	return s, nil
}

// from returns nil if s says what u does all the time from u.From to u.To.
func (u Use) from(s grid.Series) error {
	have := u.Signal
	have.Issued = utc(have.Issued)
	if have != s.Provenance {
		return fmt.Errorf("signal is %+v, but the series %s says %+v", have, s.Ref, s.Provenance)
	}
	if !u.From.Before(u.To) {
		return fmt.Errorf("it ends at %s, before it begins at %s", u.To, u.From)
	}
	for t := u.From; t.Before(u.To); {
		r, ok := s.At(t)
		if !ok {
			return fmt.Errorf("the series %s has no value at %s", s.Ref, t.Format(time.RFC3339))
		}
		if r.Value != u.Intensity {
			return fmt.Errorf("intensity is %d mg/kWh, but the series %s says %d at %s", int64(u.Intensity), s.Ref, int64(r.Value), t.Format(time.RFC3339))
		}
		t = r.Start.Add(r.Step)
	}
	return nil
}
