package main

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"strconv"
	"strings"
	"time"

	"clusy.io/clusy/internal/grid"
)

// mostIssueBytes bounds a file of forecasts: ten years of hourly ones.
const mostIssueBytes = 64 << 20

// readIssues reads a provider's forecasts of a zone: a row for each issue, with
// the time of it and then a column for each hour ahead (h00 is the hour that
// begins then). Values are g/kWh; an empty cell is unknown.
func readIssues(name string, zone grid.Zone) ([]grid.Series, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	if st, err := file.Stat(); err != nil || st.Size() > mostIssueBytes {
		return nil, errors.Join(err, fmt.Errorf("more than %d MiB", mostIssueBytes>>20))
	}
	r := csv.NewReader(io.LimitReader(file, mostIssueBytes))
	r.Comment = '#'
	header, err := r.Read()
	if err != nil {
		return nil, err
	}
	if strings.TrimSpace(header[0]) != "issue_utc" || len(header) < 2 {
		return nil, fmt.Errorf("the header begins with %q, want issue_utc and then h00, h01, …", header[0])
	}
	first, err := strconv.Atoi(strings.TrimPrefix(header[1], "h"))
	for i, h := range header[1:] {
		if err != nil || first < 0 || first > 24 || h != fmt.Sprintf("h%02d", first+i) && h != fmt.Sprintf("h%d", first+i) {
			return nil, fmt.Errorf("column %d is %q, want h%02d: hours ahead without a gap", i+2, h, first+i)
		}
	}
	var out []grid.Series
	for {
		row, err := r.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		line, _ := r.FieldPos(0)
		at, err := time.Parse("2006-01-02T15:04Z07:00", strings.TrimSpace(row[0]))
		if err != nil {
			return nil, fmt.Errorf("line %d: %q is no time, want it as 2021-07-01T00:00Z", line, row[0])
		}
		s := grid.Series{
			Provenance: grid.Provenance{Provider: "provider", Zone: zone, Issued: at.UTC(), Basis: grid.AverageLifecycle, Estimated: true, Grade: grid.GradeA},
			Start:      at.UTC().Add(time.Duration(first) * time.Hour), Step: time.Hour,
		}
		for i, cell := range row[1:] {
			v := grid.Unknown
			if cell = strings.TrimSpace(cell); cell != "" {
				g, err := strconv.ParseFloat(cell, 64)
				if err != nil || !(g >= 0 && g*1000 <= float64(grid.MaxIntensity)) {
					return nil, fmt.Errorf("line %d, %s: %q is no intensity, want 0 to %d g/kWh", line, header[i+1], cell, grid.MaxIntensity/1000)
				}
				v = grid.Intensity(math.Round(g * 1000))
			}
			s.Values = append(s.Values, v)
		}
		if len(out) > 0 && !at.After(out[len(out)-1].Issued) {
			return nil, fmt.Errorf("line %d: issued at %s, which is not after the row before it", line, row[0])
		}
		if err := s.Validate(); err != nil {
			return nil, fmt.Errorf("line %d: %w", line, err)
		}
		out = append(out, s)
	}
	if len(out) == 0 {
		return nil, errors.New("it has no issue")
	}
	return out, nil
}
