package forecast

import (
	"math"
	"slices"
)

// The constants of the band.
const (
	sureDays  = 14   // days of strays from which the spread is the zone's own
	looseness = 0.2  // of the mean: the spread of a zone of which nothing is known
	narrowest = 0.01 // of the mean: half the width that a band has at least
	thin      = 3    // of the lead times, one in so many is looked at
	ownDays   = 15   // days of errors of its own that weigh as much as learntBand
)

// band returns the central 90 % band around what is expected: the errors that
// the same forecaster made at the same lead time in the last weeks, measured
// by how much each time of day strays, drawn to the errors of many zones.
func (m *blend) band(mean []float64) (low, high []float64) {
	low, high = make([]float64, len(mean)), make([]float64, len(mean))
	var quantiles [len(buckets)][2]float64
	errors := m.errors()
	for k := range quantiles {
		quantiles[k] = learntBand[k]
		if q := errors[k]; len(q.off) > 0 {
			for side := range quantiles[k] {
				quantiles[k][side] *= q.better // a provider that errs less narrows it
			}
			own := [2]float64{quantile(q.off, 0.05), quantile(q.off, 0.95)}
			for side := range own {
				quantiles[k][side] = (float64(q.days*own[side]) + float64(ownDays*quantiles[k][side])) / (q.days + ownDays)
			}
		}
	}
	from, age := len(m.y), 0
	if m.b != nil {
		from = m.b.last
		age = len(m.y) - m.b.last
	}
	for i, v := range mean {
		if math.IsNaN(v) {
			low[i], high[i] = v, v
			continue
		}
		lead := leadOf(0, i+age)
		q := quantiles[bucketOf[lead]]
		scale := looseness * v
		if m.b != nil {
			scale = m.b.scale(from, len(m.y)+i, v)
		}
		low[i] = v + min(float64(q[0]*scale), -narrowest*v)
		high[i] = v + max(float64(q[1]*scale), narrowest*v)
	}
	return low, high
}

// scale returns the spread of hour i as known before hour from.
func (b *builtin) scale(from, i int, mean float64) float64 {
	q := i - 24*(1+(i-from)/24)
	var own float64
	days := 0
	if q >= 0 {
		own, days = max(b.sd[q], 0.5*b.all[q]), b.mid.days[q]
	}
	if days >= sureDays {
		return own
	}
	loose := looseness * mean
	if b.usual != nil {
		if _, spread := b.usual(i); !math.IsNaN(spread) {
			loose = drift * spread
		}
	}
	share := float64(days) / sureDays
	return float64(share*own) + float64((1-share)*loose)
}

// errorsOf are the errors of the past at the lead times of a bucket, by their
// spread, and the days in which they were made.
type errorsOf struct {
	off    []float64
	days   float64
	better float64 // root mean square of the errors, by that of the built-in forecaster
}

// errors returns what the blend, as it is weighed now, would have erred.
func (m *blend) errors() (out [len(buckets)]errorsOf) {
	if m.b == nil {
		return out
	}
	var squares, plain [len(buckets)]float64
	day := -1
	for k, r := range m.rows {
		if r.from < sureDays*24 {
			continue
		}
		for lead, v := range r.mixed {
			if lead > thin && (lead+k)%thin != 0 {
				continue // errors an hour apart are much the same
			}
			if e := m.y[r.from+lead] - v; !math.IsNaN(e) {
				if s := m.b.scale(r.from, r.from+lead, v); s > 0 {
					bucket := bucketOf[lead]
					out[bucket].off = append(out[bucket].off, e/s)
					own := (m.y[r.from+lead] - r.said[0][lead]) / s
					squares[bucket] += float64(e / s * e / s)
					if !math.IsNaN(own) {
						plain[bucket] += float64(own * own)
					}
				}
			}
		}
		if d := r.from / 24; d != day {
			day = d
			for k := range out {
				if len(r.said[0]) > buckets[k] {
					out[k].days++
				}
			}
		}
	}
	for k := range out {
		slices.Sort(out[k].off)
		if out[k].better = 1; squares[k] > 0 && plain[k] > squares[k] {
			out[k].better = math.Sqrt(squares[k] / plain[k])
		}
	}
	return out
}

// quantile returns a quantile of sorted values, between two of them in a
// straight line.
func quantile(sorted []float64, q float64) float64 {
	x := q*float64(len(sorted)+1) - 1
	i := int(math.Floor(x))
	switch {
	case i < 0:
		return sorted[0]
	case i+1 >= len(sorted):
		return sorted[len(sorted)-1]
	}
	x -= float64(i)
	return float64((1-x)*sorted[i]) + float64(x*sorted[i+1])
}
