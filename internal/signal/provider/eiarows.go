package provider

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// mostEIARows bounds what one question may bring: two months of all fuels.
const mostEIARows = 20_000

// eiaRow is what one fuel generated in one hour.
type eiaRow struct {
	start time.Time // of the hour: a period names its end
	fuel  string    // EIA's code
	mwh   float64   // NaN: not told
}

// decodeEIA reads one page of generation by fuel, and how many rows there are
// on all pages.
func decodeEIA(a answer, respondent string, from, to time.Time) (rows []eiaRow, total int, err error) {
	var doc struct {
		Response *struct {
			Total     looseNumber `json:"total"`
			Frequency string      `json:"frequency"`
			Data      []struct {
				Period     string      `json:"period"`
				Respondent string      `json:"respondent"`
				Fuel       string      `json:"fueltype"`
				Value      looseNumber `json:"value"`
				Units      string      `json:"value-units"`
			} `json:"data"`
		} `json:"response"`
	}
	if err := decode(a, &doc); err != nil {
		return nil, 0, err
	}
	if doc.Response == nil {
		return nil, 0, errors.New(`the answer has no "response"`)
	}
	r := doc.Response
	if total, err = strconv.Atoi(string(r.Total)); err != nil || total < 0 {
		return nil, 0, fmt.Errorf("total is %s, want the number of rows", clip(string(r.Total)))
	}
	if total > mostEIARows {
		return nil, 0, fmt.Errorf("total is %d rows, want at most %d", total, mostEIARows)
	}
	if r.Frequency != "" && r.Frequency != "hourly" {
		return nil, 0, fmt.Errorf("frequency is %s, want hourly, which is in UTC", clip(r.Frequency))
	}
	for i, d := range r.Data {
		where := func(err error) error { return fmt.Errorf("row %d of data: %w", i+1, err) }
		end, err := time.Parse("2006-01-02T15", d.Period)
		if err != nil {
			return nil, 0, where(fmt.Errorf("period is %s, want an hour as 2026-01-31T14", clip(d.Period)))
		}
		row := eiaRow{start: end.Add(-time.Hour), fuel: d.Fuel, mwh: math.NaN()}
		if row.start.Before(from.Add(-besides)) || row.start.After(to.Add(besides)) {
			return nil, 0, where(fmt.Errorf("period is %s, asked was %s to %s", d.Period, from.Format(time.RFC3339), to.Format(time.RFC3339)))
		}
		if d.Respondent != respondent {
			return nil, 0, where(fmt.Errorf("respondent is %s, want %s", clip(d.Respondent), respondent))
		}
		if d.Fuel == "" || len(d.Fuel) > 8 {
			return nil, 0, where(fmt.Errorf("fueltype is %s, want a code as NG", clip(d.Fuel)))
		}
		if d.Units != "megawatthours" {
			return nil, 0, where(fmt.Errorf("value-units is %s, want megawatthours", clip(d.Units)))
		}
		if text := string(d.Value); text != "" {
			if row.mwh, err = decimal(text); err != nil || math.Abs(row.mwh) > mostMegawatt {
				return nil, 0, where(fmt.Errorf("value is %s, want a number of MWh of at most %g", clip(text), mostMegawatt))
			}
		}
		rows = append(rows, row)
	}
	return rows, total, nil
}

// byHour makes a mix of rows. Pages may overlap when the source grows between
// them, so a row may come twice; two that disagree are an error.
func byHour(rows []eiaRow, fuel func(code string) string) (mix, error) {
	if len(rows) == 0 {
		return mix{}, errNoData
	}
	first, last := rows[0].start, rows[0].start
	for _, r := range rows {
		if r.start.Before(first) {
			first = r.start
		}
		if r.start.After(last) {
			last = r.start
		}
	}
	hours := int(last.Sub(first)/time.Hour) + 1
	m := mix{start: first, step: time.Hour}
	lines := map[string][]float64{}
	for _, r := range rows {
		line := lines[r.fuel]
		if line == nil {
			if len(lines) == 40 {
				return mix{}, errors.New("more than 40 fuels")
			}
			line = make([]float64, hours)
			for i := range line {
				line[i] = math.NaN()
			}
			lines[r.fuel] = line
		}
		h := int(r.start.Sub(first) / time.Hour)
		if math.IsNaN(r.mwh) {
			continue
		}
		if !math.IsNaN(line[h]) && line[h] != r.mwh {
			return mix{}, fmt.Errorf("fuel %s in the hour of %s is told twice, as %g and as %g MWh", clip(r.fuel), r.start.Format(time.RFC3339), line[h], r.mwh)
		}
		line[h] = r.mwh
	}
	for code, line := range lines {
		m.kinds = append(m.kinds, kind{code, fuel(code), line})
	}
	slices.SortFunc(m.kinds, func(a, b kind) int { return strings.Compare(a.code, b.code) })
	return m, nil
}
