package main

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

const hoursOfWeek = 168

// enough samples make a cell of the climatology stand alone. A cell of fewer
// takes in its neighbours, ring by ring, until it has so many: first the same
// hour of the days of the same kind (Monday to Friday, or Saturday and Sunday)
// in its own month, then the same hour of the week in the months beside it,
// then both.
const enough = 6

// cell is the samples of one zone, month and hour of the week.
type cell struct {
	n       float64
	sum, sq float64
}

func (c cell) plus(d cell) cell { return cell{c.n + d.n, c.sum + d.sum, c.sq + d.sq} }

type zoneCells [12][hoursOfWeek]cell

// climatology learns the mean and the standard deviation by month and hour of
// the week from every hour before the trace, and writes two rows for each zone
// and month: the means and the spreads.
func climatology(h hours) ([][]string, error) {
	header := []string{"zone", "month", "stat", "until"}
	for i := range hoursOfWeek {
		header = append(header, "h"+strconv.Itoa(i))
	}
	rows := [][]string{header}
	for k, zone := range h.zones {
		var cells zoneCells
		for i, t := range h.times {
			if !t.Before(traceFrom) {
				break
			}
			if h.cells[i][k] == "" {
				continue
			}
			v, err := strconv.ParseFloat(h.cells[i][k], 64)
			if err != nil {
				return nil, fmt.Errorf("%s at %s: %w", zone, t.Format(stamp), err)
			}
			c := &cells[t.Month()-1][hourOfWeek(t)]
			*c = c.plus(cell{1, v, v * v})
		}
		for month := range 12 {
			prefix := []string{zone, strconv.Itoa(month + 1)}
			until := traceFrom.Format(stamp)
			mean := append(append([]string{}, prefix...), "mean", until)
			spread := append(append([]string{}, prefix...), "spread", until)
			for hour := range hoursOfWeek {
				c := cells.filled(month, hour)
				if c.n < 2 {
					return nil, fmt.Errorf("%s has no data for month %d, hour %d", zone, month+1, hour)
				}
				m := c.sum / c.n
				mean = append(mean, figures(m, 3))
				spread = append(spread, figures(math.Sqrt(math.Max(0, (c.sq-c.n*m*m)/(c.n-1))), 2))
			}
			rows = append(rows, mean, spread)
		}
	}
	return rows, nil
}

// filled returns the cell, with its neighbours where it is thin.
func (z *zoneCells) filled(month, hour int) cell {
	c := z[month][hour]
	if c.n >= enough {
		return c
	}
	if c = z.sameKind(month, hour); c.n >= enough {
		return c
	}
	before, after := (month+11)%12, (month+1)%12
	c = z[month][hour].plus(z[before][hour]).plus(z[after][hour])
	if c.n >= enough {
		return c
	}
	return z.sameKind(month, hour).plus(z.sameKind(before, hour)).plus(z.sameKind(after, hour))
}

// sameKind returns the same hour of the month's weekdays, or of its weekends.
func (z *zoneCells) sameKind(month, hour int) (c cell) {
	from, to := 0, 5
	if hour/24 >= 5 {
		from, to = 5, 7
	}
	for day := from; day < to; day++ {
		c = c.plus(z[month][day*24+hour%24])
	}
	return c
}

// hourOfWeek counts from Monday 00:00 UTC.
func hourOfWeek(t time.Time) int { return (int(t.Weekday())+6)%7*24 + t.Hour() }

// figures writes f to so many significant figures: the year-to-year difference
// of a cell is far wider than what that leaves out, and the file is a third
// smaller.
func figures(f float64, n int) string {
	whole := len(strconv.FormatFloat(math.Floor(f), 'f', 0, 64))
	if f < 1 {
		whole = 0
	}
	text := strconv.FormatFloat(f, 'f', max(0, n-whole), 64)
	if strings.Contains(text, ".") {
		text = strings.TrimRight(strings.TrimRight(text, "0"), ".")
	}
	return text
}
