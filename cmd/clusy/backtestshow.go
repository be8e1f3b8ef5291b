package main

import (
	"fmt"
	"io"
	"math"
	"strings"
	"time"

	"clusy.io/clusy/internal/figure"
	"clusy.io/clusy/internal/forecast"
)

// backtestResult is every figure of a backtest. Percentages that are not known
// are null.
type backtestResult struct {
	From     time.Time    `json:"from"`
	To       time.Time    `json:"to"`
	Every    int          `json:"forecastEveryHours"` // of errors and bands
	OneIn    int          `json:"oneStretchIn"`
	Releases int          `json:"releases"` // of each job, over all zones
	Pooled   zoneFigures  `json:"pooled"`
	Zones    []zoneFigure `json:"zones"`
}

type zoneFigure struct {
	Zone string `json:"zone"`
	zoneFigures
}

type zoneFigures struct {
	Forecasters []forecasterFigures `json:"forecasters"`
	Jobs        []jobFigures        `json:"jobs"`
}

type forecasterFigures struct {
	Forecaster string       `json:"forecaster"`
	Days       []dayFigures `json:"days"`
}

type dayFigures struct {
	Day  int      `json:"dayAhead"`
	MAPE *float64 `json:"mapePercent"`
	Held *float64 `json:"bandHeldPercent"` // of hours that have a band
}

type jobFigures struct {
	Job           string        `json:"job"`
	Hours         int           `json:"hours"`
	Slack         int           `json:"slackHours"`
	Interruptible bool          `json:"interruptible"`
	Clairvoyant   *float64      `json:"clairvoyantSavingPercent"`
	Realised      []jobRealised `json:"realised"`
}

// jobRealised is shares of what a clairvoyant saves.
type jobRealised struct {
	Forecaster string   `json:"forecaster"`
	Once       *float64 `json:"oncePercent"`
	Daily      *float64 `json:"dailyPercent"`
	Hourly     *float64 `json:"hourlyPercent"`
}

func (b *backtest) result(zones []*zoneMeasure) *backtestResult {
	r := &backtestResult{From: b.from, To: b.to, Every: everyOther, OneIn: b.oneIn}
	if b.zones[0].issued != nil {
		r.Every = everyIssue
	}
	pooled := newZoneMeasure("")
	for i, m := range zones {
		pooled.plus(m)
		r.Zones = append(r.Zones, zoneFigure{string(m.zone), m.figures(b.zones[i].forecasters())})
	}
	r.Releases = pooled.releases
	r.Pooled = pooled.figures(b.zones[0].forecasters())
	return r
}

// shareOf is a share in percent, to a tenth; nil of nothing.
func shareOf(part, whole float64) *float64 {
	if whole <= 0 {
		return nil
	}
	p := math.Round(1000*part/whole) / 10
	return &p
}

func (m *zoneMeasure) figures(names []string) (f zoneFigures) {
	for _, name := range names {
		s := m.skills[name]
		if s == nil {
			s = &skill{}
		}
		ff := forecasterFigures{Forecaster: name}
		for d := range s.off {
			ff.Days = append(ff.Days, dayFigures{d + 1, shareOf(s.off[d], s.relative[d]), shareOf(s.held[d], s.banded[d])})
		}
		f.Forecasters = append(f.Forecasters, ff)
	}
	for k, j := range forecast.Jobs {
		sum := m.jobs[k]
		jf := jobFigures{Job: j.String(), Hours: j.Hours, Slack: j.Slack, Interruptible: j.Interruptible, Clairvoyant: shareOf(sum.now-sum.best, sum.now)}
		for _, name := range names {
			if real := sum.real[name]; real != nil {
				share := func(r forecast.Replanning) *float64 { return shareOf(sum.now-real[r], sum.now-sum.best) }
				jf.Realised = append(jf.Realised, jobRealised{name, share(forecast.Once), share(forecast.Daily), share(forecast.Hourly)})
			}
		}
		f.Jobs = append(f.Jobs, jf)
	}
	return f
}

func (r *backtestResult) show(w io.Writer) error {
	fmt.Fprintf(w, "%d zones, %s to %s, a forecast every %d h\n\n", len(r.Zones), r.From.Format(time.DateOnly), r.To.Format(time.DateOnly), r.Every)
	one := func(p *float64) string { return orDash(p, "%.1f") }
	rows := [][]string{{"ERROR, % BY DAY AHEAD", "1", "2", "3", "4"}}
	bands := [][]string{{"90 % BAND HELD, %", "1", "2", "3", "4"}}
	for _, f := range r.Pooled.Forecasters {
		row, band := []string{f.Forecaster}, []string{f.Forecaster}
		for _, d := range f.Days {
			row, band = append(row, one(d.MAPE)), append(band, one(d.Held))
		}
		rows = append(rows, row)
		if f.Days[0].Held != nil {
			bands = append(bands, band)
		}
	}
	if err := table(w, append(append(rows, []string{""}), bands...)); err != nil {
		return err
	}
	fmt.Fprintf(w, "\nSaving, %% of the clairvoyant's: planned once / again at 00 UTC / again each hour\n(%d releases of each job in one stretch of 8 days in %d)\n\n", r.Releases, r.OneIn)
	head := []string{"JOB", "CLAIRVOYANT"}
	for _, f := range r.Pooled.Forecasters {
		head = append(head, f.Forecaster)
	}
	rows = [][]string{head}
	for _, j := range r.Pooled.Jobs {
		row := []string{j.Job, one(j.Clairvoyant)}
		for _, x := range j.Realised {
			row = append(row, strings.Join([]string{orDash(x.Once, "%.0f"), orDash(x.Daily, "%.0f"), orDash(x.Hourly, "%.0f")}, "/"))
		}
		rows = append(rows, row)
	}
	return table(w, rows)
}

// figureDays are the days that a picture shows of a zone.
const figureDays = 7

// figure draws a week of the first zones, the band as it was a day ahead and
// what came, and how good the forecasters were.
func (b *backtest) figure(zones []*zoneMeasure, r *backtestResult) figure.Figure {
	to := b.to.Truncate(24 * time.Hour)
	from := to.AddDate(0, 0, -figureDays)
	f := figure.Figure{ID: "forecast", Title: "What was expected a day ahead, and what came", From: from, To: to}
	for i := range min(3, len(b.zones)) {
		z := &b.zones[i]
		name := builtIn
		if z.issued != nil {
			name = blended
		}
		p := figure.Panel{Name: string(z.series.Zone) + ", " + name, Unit: "g/kWh"}
		o := &outlooks{zone: z, made: map[string]map[int]said{}}
		for day := range figureDays {
			u := int(from.AddDate(0, 0, day).Sub(z.series.Start) / time.Hour)
			s := o.at(name, u)
			for h := range 24 {
				start := from.AddDate(0, 0, day).Add(time.Duration(h) * time.Hour)
				step := figure.Step{Start: start, End: start.Add(time.Hour), Value: z.actual[u+h] / 1000, Low: math.NaN(), High: math.NaN()}
				if h < len(s.low) {
					step.Low, step.High = s.low[h]/1000, s.high[h]/1000
				}
				p.Curve = append(p.Curve, step)
			}
		}
		f.Panels = append(f.Panels, p)
	}
	look := func(name string) figure.Look {
		if name == builtIn || name == blended {
			return figure.Done
		}
		return figure.Compared
	}
	number := func(p *float64) float64 {
		if p == nil {
			return math.NaN()
		}
		return *p
	}
	errors := figure.Scale{Name: "Error a day ahead", Unit: "% of what came"}
	for _, x := range r.Pooled.Forecasters {
		errors.Amounts = append(errors.Amounts, figure.Amount{Label: x.Forecaster, Value: number(x.Days[0].MAPE), Look: look(x.Forecaster)})
	}
	f.Scales = append(f.Scales, errors)
	for _, j := range r.Pooled.Jobs {
		if j.Hours == 12 && j.Slack == 48 {
			s := figure.Scale{Name: "Saving, " + j.Job + ", planned anew each hour", Unit: "% of a clairvoyant's"}
			for _, x := range j.Realised {
				s.Amounts = append(s.Amounts, figure.Amount{Label: x.Forecaster, Value: number(x.Hourly), Look: look(x.Forecaster)})
			}
			f.Scales = append(f.Scales, s)
		}
	}
	f.Notes = []figure.Note{{Head: "band", Text: fmt.Sprintf("the central 90 %%, as expected at 00 UTC of each day; over all of %s to %s it held %s %% of what came a day ahead", r.From.Format(time.DateOnly), r.To.Format(time.DateOnly), orDash(r.Pooled.Forecasters[0].Days[0].Held, "%.1f"))}}
	return f
}
