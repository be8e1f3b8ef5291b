package provider

import (
	"hash/fnv"
	"strconv"
	"time"

	"clusy.io/clusy/internal/signal"
)

// meter counts the requests of the last window.
type meter struct {
	rate rate
	sent []time.Time // rising; at most as many as the limit allows
}

// uncounted is how many requests are remembered of a source without a limit.
const uncounted = 1000

// forget drops what is no longer in the window, and what a clock that was set
// back has left in the future.
func (m *meter) forget(now time.Time) {
	window := m.rate.window
	if window == 0 {
		window = time.Hour
	}
	keep := m.sent[:0]
	for _, at := range m.sent {
		if at.After(now.Add(-window)) && !at.After(now) {
			keep = append(keep, at)
		}
	}
	m.sent = keep
}

// take notes one request, or returns when the next one may be made.
func (m *meter) take(now time.Time) (until time.Time, ok bool) {
	m.forget(now)
	if m.rate.requests > 0 && len(m.sent) >= m.rate.requests {
		return m.sent[0].Add(m.rate.window), false
	}
	if m.rate.requests == 0 && len(m.sent) >= uncounted {
		m.sent = append(m.sent[:0], m.sent[1:]...)
	}
	m.sent = append(m.sent, now)
	return time.Time{}, true
}

// budget says how far the limit is used up, and when it will be if things go
// on as they have since the first request of the window.
func (m *meter) budget(now time.Time) signal.Budget {
	m.forget(now)
	b := signal.Budget{Limit: m.rate.requests, Window: m.rate.window, Used: len(m.sent)}
	if b.Limit == 0 {
		return b
	}
	left := b.Limit - b.Used
	if left <= 0 {
		b.Exhausts = now
		return b
	}
	if b.Used < 2 {
		return b // one request is no pace
	}
	each := max(now.Sub(m.sent[0]), time.Minute) / time.Duration(b.Used-1)
	// At this pace the window holds so many; if that is within the limit, the
	// old ones leave it as fast as new ones come.
	if b.Window/each <= time.Duration(b.Limit) {
		return b
	}
	if in := time.Duration(left) * each; in <= 24*time.Hour {
		b.Exhausts = now.Add(in)
	}
	return b
}

const (
	firstWait = 30 * time.Second
	mostWait  = 30 * time.Minute
	mostAsked = 24 * time.Hour // that a Retry-After is followed
)

// backoff is the pause after the nth failure in a row: it doubles, up to half
// an hour, and differs by up to a fifth from source to source, so that they do
// not all come back at once. The same failure has the same pause.
func backoff(name string, n int) time.Duration {
	d := mostWait
	if n = max(n, 1); n < 7 {
		d = firstWait << (n - 1)
	}
	h := fnv.New32a()
	_, _ = h.Write([]byte(name + "#" + strconv.Itoa(n)))
	return d - d/5 + time.Duration(int64(2*d/5)*int64(h.Sum32()%1000)/1000)
}
