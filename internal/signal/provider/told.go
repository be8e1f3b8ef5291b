package provider

import (
	"errors"
	"fmt"
	"math"
	"time"

	"clusy.io/clusy/internal/grid"
)

// taking ends the reading of an answer: what a source has nothing of is an
// answer too, and anything else that is wrong is wrong with the answer.
func taking(err error) error {
	if err == nil || errors.Is(err, errNoData) {
		return nil
	}
	if _, ok := errors.AsType[*fault](err); ok {
		return err
	}
	return &unfit{err.Error()}
}

// pointsOf turns samples on a line into points. One value that no grid can have
// makes the whole answer one that is not believed.
func pointsOf(line []told, u unit) ([]point, error) {
	ps := make([]point, len(line))
	for i, s := range line {
		v, err := u.intensity(s.value)
		if err != nil {
			return nil, fmt.Errorf("at %s: %w", stamp(s.at), err)
		}
		ps[i] = point{at: s.at, value: v, estimated: s.estimated}
	}
	return ps, nil
}

// ahead returns the points whose step is not over: what is left of a forecast.
func ahead(ps []point, step time.Duration, now time.Time) []point {
	for len(ps) > 0 && !ps[0].at.Add(step).After(now) {
		ps = ps[1:]
	}
	return ps
}

// priceOf makes prices of the part of a line that overlaps [from, to), as they
// were known at now. They begin and end with what is known.
func priceOf(b board, perUnit []float64, u unit, who string, zone grid.Zone, from, to, now time.Time) (grid.Prices, error) {
	p := noPrices(who, zone)
	at := func(i int) time.Time { return b.start.Add(time.Duration(i) * b.step) }
	i, j := 0, len(perUnit)
	for i < j && (!at(i+1).After(from) || math.IsNaN(perUnit[i])) {
		i++
	}
	for j > i && (!at(j-1).Before(to) || math.IsNaN(perUnit[j-1])) {
		j--
	}
	if i == j {
		return p, nil
	}
	p.Currency, p.Step, p.Start, p.Issued = u.currency, b.step, at(i), now
	for k := i; k < j; k++ {
		r, err := u.rate(perUnit[k])
		if err != nil {
			return noPrices(who, zone), fmt.Errorf("at %s: %w", stamp(at(k)), err)
		}
		p.Values = append(p.Values, r)
	}
	if err := p.Validate(); err != nil {
		return noPrices(who, zone), err
	}
	return p, nil
}

// noPrices are prices without values: none are published.
func noPrices(who string, zone grid.Zone) grid.Prices { return grid.Prices{Provider: who, Zone: zone} }

// valuesOf returns the numbers of a line.
func valuesOf(line []told) []float64 {
	v := make([]float64, len(line))
	for i, s := range line {
		v[i] = s.value
	}
	return v
}

// chunk is the time of one request.
type chunk struct{ from, to time.Time }

// mostRequests bounds the requests of one question, while nothing is found: to
// end there says that there is nothing, so it is well beyond what is asked.
const mostRequests = 8

// chunks parts [from, to) into pieces of at most so long.
func chunks(from, to time.Time, most time.Duration) (list []chunk) {
	for from.Before(to) && len(list) < mostRequests {
		end := earlier(to, from.Add(most))
		list = append(list, chunk{from, end})
		from = end
	}
	return list
}

// roundUp returns the first whole step at or after t.
func roundUp(t time.Time, step time.Duration) time.Time {
	if r := t.Truncate(step); !r.Equal(t) {
		return r.Add(step)
	}
	return t
}
