package sim

import (
	"math/rand/v2"
	"slices"
	"time"
)

// FaultKind is a way in which the world breaks (RELIABILITY §8).
type FaultKind string

const (
	NoSignal   FaultKind = "no-signal"   // the provider answers nothing
	Cut        FaultKind = "cut"         // no message of the site arrives, either way
	OneWay     FaultKind = "one-way"     // its questions arrive, and no answer does
	AgentDown  FaultKind = "agent-down"  // the agent's process is killed; what runs runs on
	SiteDown   FaultKind = "site-down"   // the machine is: nothing that ran lives on
	ServerDown FaultKind = "server-down" // the server's process is killed
	Skew       FaultKind = "skew"        // the agent's clock is wrong by Off
)

// Trial is one fault and its time.
type Trial struct {
	Kind     FaultKind `json:"kind"`
	Site     int       `json:"site"` // -1: it is of no site
	From, To time.Time
	Off      time.Duration `json:"off,omitempty"`
}

// Faults is all that goes wrong in a simulation. The zero Faults is nothing.
type Faults struct {
	Trials []Trial
	// Lost, Twice and Late are how many of 1,000 messages are lost, come twice,
	// and come up to LateBy too late.
	Lost, Twice, Late int
}

// lateBy is how much later than it should a late message comes at most.
const lateBy = 40 * time.Second

// Light draws what goes wrong in a bad week: each kind of fault, and everything
// well in between. The longer it is, the more there is of it.
func Light(seed uint64, start time.Time, length time.Duration, sites int) Faults {
	draw := rand.New(rand.NewPCG(seed, 0xbad))
	f := Faults{Lost: 10, Twice: 10, Late: 20}
	span := func(low, high time.Duration) time.Duration { return low + time.Duration(draw.Int64N(int64(high-low))) }
	add := func(k FaultKind, site int, low, high, off time.Duration) {
		from := start.Add(span(0, length))
		f.Trials = append(f.Trials, Trial{k, site, from, from.Add(span(low, high)), off})
	}
	weeks := max(1, int(length/(7*24*time.Hour)))
	for range weeks {
		add(NoSignal, -1, time.Hour, 12*time.Hour, 0)
		add(ServerDown, -1, time.Minute, 3*time.Hour, 0)
		add(ServerDown, -1, time.Second, time.Minute, 0)
		for s := range sites {
			add(Cut, s, 5*time.Minute, 6*time.Hour, 0)
			add(Cut, s, 7*time.Second, 5*time.Minute, 0)
			add(OneWay, s, time.Minute, 2*time.Hour, 0)
			add(AgentDown, s, time.Second, 20*time.Minute, 0)
			if draw.IntN(2) == 0 {
				add(SiteDown, s, 5*time.Minute, time.Hour, 0)
			}
			add(Skew, s, time.Hour, 48*time.Hour, span(-30*time.Second, 30*time.Second))
		}
	}
	slices.SortStableFunc(f.Trials, func(a, b Trial) int { return a.From.Compare(b.From) })
	return f
}

// fault is a kind of fault at a site.
type fault struct {
	kind FaultKind
	site int
}

// on reports whether such a fault is on now.
func (w *world) on(k FaultKind, site int) bool { return w.active[fault{k, site}] > 0 }

// cut reports whether nothing of a site arrives now.
func (w *world) cut(s *site) bool { return w.on(Cut, s.i) || w.on(OneWay, s.i) }

// strike begins a fault. Faults of one kind may overlap: the first begins it and
// the last ends it.
func (w *world) strike(t *Trial) error {
	f := fault{t.Kind, t.Site}
	w.active[f]++
	if t.Kind == Skew {
		w.sites[t.Site].watch.off += t.Off
		w.lookSoonIfUp(w.sites[t.Site])
		return nil
	}
	if w.active[f] > 1 {
		return nil
	}
	w.stats.Faults++
	switch t.Kind {
	case ServerDown:
		w.down = true
		w.upGen++
		w.turnGen++
		w.nextgo = time.Time{}
		for _, s := range w.sites {
			s.call, s.looking = nil, false
			w.failed(s, s.askGen)
		}
	case SiteDown:
		w.sites[t.Site].engine.crash()
		w.halt(w.sites[t.Site])
	case AgentDown:
		w.halt(w.sites[t.Site])
	case Cut, OneWay:
		// A question that waits at the server is never answered now.
		if s := w.sites[t.Site]; s.call != nil {
			s.call = nil
			w.put(max(0, s.at.Add(beat+30*time.Second).Sub(w.clock.now)), event{what: lapse, site: s.i, gen: s.askGen})
		}
	}
	return nil
}

// halt kills an agent's process.
func (w *world) halt(s *site) {
	if !s.up {
		return
	}
	_ = s.hand.Close()
	s.up, s.open, s.call = false, false, nil
	s.askGen++
	s.lookGen++
}

// heal ends a fault.
func (w *world) heal(t *Trial) error {
	f := fault{t.Kind, t.Site}
	w.active[f]--
	if t.Kind == Skew {
		w.sites[t.Site].watch.off -= t.Off
		w.lookSoonIfUp(w.sites[t.Site])
		return nil
	}
	if w.active[f] > 0 {
		return nil
	}
	switch t.Kind {
	case ServerDown:
		if err := w.serve(); err != nil {
			return err
		}
		w.goSoon(0)
		return w.look()
	case SiteDown, AgentDown:
		if !w.on(SiteDown, t.Site) && !w.on(AgentDown, t.Site) {
			return w.boot(w.sites[t.Site])
		}
	}
	return nil
}

// lookSoonIfUp has an agent look whose clock has jumped: its timers are of the
// time that passes, and it finds out at its next tick.
func (w *world) lookSoonIfUp(s *site) {
	if s.up {
		s.lookGen++
		w.put(glance, event{what: look, site: s.i, gen: s.lookGen})
	}
}

// fates says when each copy of a message arrives: one, as a rule.
func (w *world) fates(s *site, what kind) []time.Duration {
	if w.on(Cut, s.i) || what == answer && w.on(OneWay, s.i) {
		w.stats.Lost++
		return nil
	}
	f := &w.cfg.Faults
	if f.Lost+f.Twice+f.Late == 0 {
		return []time.Duration{wireTime}
	}
	switch n := w.draw.IntN(1000); {
	case n < f.Lost:
		w.stats.Lost++
		return nil
	case n < f.Lost+f.Twice:
		w.stats.Twice++
		return []time.Duration{wireTime, time.Duration(w.draw.Int64N(int64(lateBy)))}
	case n < f.Lost+f.Twice+f.Late:
		w.stats.Late++
		return []time.Duration{time.Duration(w.draw.Int64N(int64(lateBy)))}
	}
	return []time.Duration{wireTime}
}
