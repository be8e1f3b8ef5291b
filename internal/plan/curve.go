package plan

import (
	"sort"
	"time"

	"clusy.io/clusy/internal/grid"
)

// curve is a zone's intensity, or a place's price, summed up over time, so that
// the sum over any stretch is one subtraction. Sums are milligrams per
// kilowatt-hour, or millionths of a currency, times milliseconds: whole numbers,
// hence exact, and far from overflow.
type curve struct {
	at    []time.Duration // piece i begins here
	value []int64         // and has this intensity, -1 if it is not known
	sum   []int64         // all before it
	gap   []time.Duration // unknown time before it
	// lift is added to all values, so that none is below 0 where prices are:
	// sums of equal lengths compare as they are.
	lift int64

	// The sums over whole slots, and which are known: kept for the curves that
	// each item asks for. Nobody changes them.
	whole []int64
	sure  []bool
}

func newCurve(o grid.Outlook, now time.Time, length time.Duration) *curve {
	return drawCurve(0, now, length, o.Until, func(t time.Time) (int64, bool) {
		r, ok := o.At(t)
		return int64(r.Value), ok
	})
}

// drawCurve draws a curve of what holds at each time, from now on. It lifts
// values by lift.
func drawCurve(lift int64, now time.Time, length time.Duration, until func(t, limit time.Time) time.Time, at func(time.Time) (int64, bool)) *curve {
	c := &curve{lift: lift}
	var sum int64
	var gap time.Duration
	end := now.Add(length)
	for t := now; t.Before(end); {
		v, ok := at(t)
		next := until(t, end)
		if v += lift; !ok {
			v = -1
		}
		if n := len(c.at); n == 0 || c.value[n-1] != v {
			c.at, c.value = append(c.at, t.Sub(now)), append(c.value, v)
			c.sum, c.gap = append(c.sum, sum), append(c.gap, gap)
		}
		if ok {
			sum += v * next.Sub(t).Milliseconds()
		} else {
			gap += next.Sub(t)
		}
		t = next
	}
	// Past the end nothing is known.
	c.at, c.value = append(c.at, length), append(c.value, -1)
	c.sum, c.gap = append(c.sum, sum), append(c.gap, gap)
	return c
}

// priceCurve draws what electricity costs at a place; nil if one price holds
// all the time, or none is known.
func priceCurve(t grid.Tariff, now time.Time, length time.Duration) *curve {
	if _, flat := t.Flat(); flat || t.Currency() == "" {
		return nil
	}
	// Sums must stay far from overflow, whatever the prices are.
	most := min(int64(grid.MaxRate), none/8/max(length.Milliseconds(), 1))
	at := func(x time.Time) (int64, bool) {
		r, ok := t.At(x)
		return min(max(int64(r), -most), most), ok
	}
	return drawCurve(lowest(now, length, t.Until, at), now, length, t.Until, at)
}

// lowest returns how far below 0 a curve goes.
func lowest(now time.Time, length time.Duration, until func(t, limit time.Time) time.Time, at func(time.Time) (int64, bool)) (lift int64) {
	for t, end := now, now.Add(length); t.Before(end); t = until(t, end) {
		if v, ok := at(t); ok {
			lift = max(lift, -v)
		}
	}
	return lift
}

// cursor reads a curve at times that never fall.
type cursor struct {
	*curve
	i int
}

// upTo returns the sum and the unknown time from now to t.
func (c *cursor) upTo(t time.Duration) (sum int64, gap time.Duration) {
	for c.i+1 < len(c.at) && c.at[c.i+1] <= t {
		c.i++
	}
	return c.read(c.i, t)
}

func (c *curve) read(i int, t time.Duration) (sum int64, gap time.Duration) {
	if c.value[i] < 0 {
		return c.sum[i], c.gap[i] + t - c.at[i]
	}
	return c.sum[i] + c.value[i]*(t-c.at[i]).Milliseconds(), c.gap[i]
}

// over returns the sum over what is known of [a, b).
func (c *curve) over(a, b time.Duration) int64 {
	i := sort.Search(len(c.at), func(i int) bool { return c.at[i] > a }) - 1
	from := cursor{c, max(i, 0)}
	before, _ := from.upTo(a)
	after, _ := from.upTo(b)
	return after - before
}

// each returns the sums over the first d of each slot, and which are known.
func (c *curve) each(slots int, step, d time.Duration) (sums []int64, known []bool) {
	sums, known = make([]int64, slots), make([]bool, slots)
	from, to := cursor{c, 0}, cursor{c, 0}
	for i := range sums {
		s0, g0 := from.upTo(time.Duration(i) * step)
		s1, g1 := to.upTo(time.Duration(i)*step + d)
		sums[i], known[i] = s1-s0, g1 == g0
	}
	return sums, known
}
