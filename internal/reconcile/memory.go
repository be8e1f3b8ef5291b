package reconcile

import (
	"time"

	"clusy.io/clusy/internal/plan"
	"clusy.io/clusy/internal/workload"
)

const (
	// remembered is how long a submission is remembered: as far back as
	// plan.Expect looks, and an hour.
	remembered = 4*7*24*time.Hour + time.Hour
	// rememberMost is how many submissions are. Where more come, the record
	// reaches back less far. A shape is some hundred bytes: 20 MB.
	rememberMost = 20_000
)

// memory is what was submitted in the last weeks, as far as this process has
// seen it. It begins empty with each start, and then expects nothing for a week:
// the record on disk is not asked, as to read weeks of it would hold up what is
// due.
type memory struct {
	past []plan.Past // by when it was seen
	ids  []string    // of past
	seen map[string]bool
}

// see remembers what is open and was not seen before.
func (m *memory) see(open []workload.Workload, now time.Time) {
	if m.seen == nil {
		m.seen = map[string]bool{}
	}
	for _, w := range open {
		if m.seen[w.ID] {
			continue
		}
		m.seen[w.ID] = true
		m.past, m.ids = append(m.past, plan.Past{Submitted: w.Created, Shape: w.Shape}), append(m.ids, w.ID)
	}
	n := max(len(m.past)-rememberMost, 0)
	for n < len(m.past) && m.past[n].Submitted.Before(now.Add(-remembered)) {
		n++
	}
	for _, id := range m.ids[:n] {
		delete(m.seen, id)
	}
	// What is forgotten must not be kept alive by what is not.
	if n > len(m.past)/2 {
		m.past, m.ids = append([]plan.Past(nil), m.past[n:]...), append([]string(nil), m.ids[n:]...)
		return
	}
	m.past, m.ids = m.past[n:], m.ids[n:]
}
