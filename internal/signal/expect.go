package signal

import (
	"context"
	"fmt"
	"time"

	"clusy.io/clusy/internal/forecast"
	"clusy.io/clusy/internal/grid"
)

// expect makes the forecast in use anew where that is due: when it is an hour
// old, when a source has issued another, and when what came is another thing
// than what was expected.
func (v *visit) expect(ctx context.Context, issued []grid.Series) error {
	if v.surprised() {
		v.doubt()
	}
	age := v.now.Sub(v.st.forecasted)
	if len(issued) == 0 && age >= 0 && age < Refresh && !v.surprised() && !v.better() {
		return nil
	}
	s, ok, err := v.forecast(ctx, issued)
	if err != nil {
		return err
	}
	v.st.forecasted = v.now
	if !ok {
		v.st.expected, v.st.health.Grade = grid.Series{}, ""
		return nil
	}
	v.found = append(v.found, Found{Kind: grid.Forecast, Series: s})
	v.st.expected, v.st.health.Grade, v.st.health.ForecastIssued = s, s.Grade, s.Issued
	return nil
}

// calm is how long a forecast is not made anew because of a surprise: one value
// in ten is one.
const calm = 15 * time.Minute

// better reports whether something new was measured that was not there for the
// forecast in use: an hour's value, or any after an outage.
func (v *visit) better() bool {
	if !v.fresh {
		return false
	}
	return v.st.expected.Grade > grid.GradeC || v.st.until.Sub(v.st.forecasted.Truncate(time.Hour)) >= time.Hour || v.st.until.Truncate(time.Hour).After(v.st.forecasted.Truncate(time.Hour))
}

// surprised reports whether the newest value lies out of the band in which
// nine of ten were expected.
func (v *visit) surprised() bool {
	if !v.fresh || len(v.st.expected.Low) == 0 || v.now.Sub(v.st.forecasted) < calm {
		return false
	}
	s := v.st.expected
	i := int(v.st.until.Add(-time.Second).Sub(s.Start) / s.Step)
	if i < 0 || i >= len(s.Values) || !s.Low[i].Known() {
		return false
	}
	return v.st.last.value < s.Low[i] || v.st.last.value > s.High[i]
}

// heardOfLate reports whether a provider that has a say in a forecast has said
// what it expects within the last hours: what is a day old and may be asked for
// is live, what is a day old because nobody answers is not.
func (v *visit) heardOfLate(why forecast.Verdict) bool {
	for rank, source := range v.p.Providers {
		if v.now.Sub(v.st.source[rank].heard) > stale {
			continue
		}
		for _, part := range why.Parts {
			if part.Forecaster == source.Name() {
				return true
			}
		}
	}
	return false
}

// stepOf is the step of the forecast in use: an hour, or that of the provider's
// newest forecast if it is finer.
func stepOf(issued []grid.Series) time.Duration {
	step := time.Hour
	if n := len(issued); n > 0 && issued[n-1].Step < step && time.Hour%issued[n-1].Step == 0 {
		step = max(5*time.Minute, issued[n-1].Step)
	}
	return step
}

// doubt has the sources compared soon: a surprise may be a lie.
func (v *visit) doubt() {
	for rank := range v.st.source {
		if st := &v.st.source[rank]; st.opinionDue.After(v.now) {
			st.opinionDue = v.now
		}
	}
}

// forecast makes the best forecast that there is.
func (v *visit) forecast(ctx context.Context, fresh []grid.Series) (grid.Series, bool, error) {
	if err := v.daysFrom(ctx, v.now.Add(-Lookback)); err != nil {
		return grid.Series{}, false, err
	}
	issued, err := v.p.Sink.Issued(ctx, v.zone, v.now.Add(-forecast.TrackRecord))
	if err != nil {
		return grid.Series{}, false, fmt.Errorf("read the forecasts of providers: %w", err)
	}
	issued = append(issued, fresh...)
	have := v.have()
	v.st.limits = limitsOf(v.zone, v.p.basis(), v.p.Climatology, have)
	step := stepOf(issued)
	past := forecast.Past{Zone: v.zone, Basis: v.p.basis(), Measured: have, Issued: issued}
	s, why, ok := forecast.Make(past, v.p.Climatology, v.now, step, int(Ahead*time.Hour/step))
	if ok && s.Grade < grid.GradeC && !v.heardOfLate(why) {
		s.Grade, why.Grade = grid.GradeC, grid.GradeC
		why.Why += "; nobody has been heard of lately, so it is of grade C"
	}
	v.st.health.Verdict = why
	if ok {
		return s, s.Validate() == nil, nil
	}
	for _, a := range v.p.Annual {
		if a.Zone == v.zone && a.Basis == v.p.basis() {
			s, ok := forecast.Annual(v.zone, a.Mean, a.Basis, v.now.Truncate(time.Hour), time.Hour, Ahead, v.now)
			return s, ok, nil
		}
	}
	return grid.Series{}, false, nil
}
