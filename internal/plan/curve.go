package plan

import (
	"sort"
	"time"

	"clusy.io/clusy/internal/grid"
)

// curve is a zone's intensity summed up over time, so that the sum over any
// stretch is one subtraction. Sums are milligrams per kilowatt-hour times
// milliseconds: whole numbers, hence exact, and far from overflow.
type curve struct {
	at    []time.Duration // piece i begins here
	value []int64         // and has this intensity, -1 if it is not known
	sum   []int64         // all before it
	gap   []time.Duration // unknown time before it
}

func newCurve(o grid.Outlook, now time.Time, length time.Duration) *curve {
	c := &curve{}
	var sum int64
	var gap time.Duration
	end := now.Add(length)
	for t := now; t.Before(end); {
		r, ok := o.At(t)
		next := o.Until(t, end)
		v := int64(-1)
		if ok {
			v = int64(r.Value)
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
