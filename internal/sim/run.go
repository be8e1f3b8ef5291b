package sim

import (
	"context"
	"fmt"
	"time"

	"clusy.io/clusy/internal/store"
	"clusy.io/clusy/internal/workload"
)

// run takes one event after the other until all is done, or the time is over.
func (w *world) run(ctx context.Context) error {
	end := w.cfg.Start
	for i, j := range w.cfg.Jobs {
		w.queue.put(event{at: j.Arrive, what: arrive, ref: i})
		if due := j.Arrive.Add(j.Window); due.After(end) {
			end = due
		}
	}
	for i := range w.cfg.Faults.Trials {
		w.queue.put(event{at: w.cfg.Faults.Trials[i].From, what: strike, ref: i})
		w.queue.put(event{at: w.cfg.Faults.Trials[i].To, what: heal, ref: i})
		if w.cfg.Faults.Trials[i].To.After(end) {
			end = w.cfg.Faults.Trials[i].To
		}
	}
	end = end.Add(over)
	// Signals come first: a plan without them would be made twice.
	if err := w.look(); err != nil {
		return err
	}
	for _, s := range w.sites {
		if err := w.boot(s); err != nil {
			return err
		}
	}
	w.goSoon(settle)
	for w.queue.Len() > 0 && !w.done {
		if w.stats.Steps&255 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		e := w.queue.next()
		if e.at.After(end) {
			break
		}
		w.clock.now = e.at
		w.stats.Steps++
		if err := w.handle(e); err != nil {
			return fmt.Errorf("at %s: %w", w.clock.now.Format(time.RFC3339Nano), err)
		}
		if err := w.noticed(); err != nil {
			return err
		}
	}
	return nil
}

func (w *world) handle(e event) error {
	switch e.what {
	case arrive:
		return w.submit(e.ref)
	case turn:
		if e.gen != w.turnGen || w.down {
			return nil
		}
		return w.around()
	case poll:
		if e.gen != w.upGen || w.down {
			return nil
		}
		return w.look()
	case strike:
		return w.strike(&w.cfg.Faults.Trials[e.ref])
	case heal:
		return w.heal(&w.cfg.Faults.Trials[e.ref])
	case heard:
		return w.hear(w.sites[e.site], e.ref)
	}
	s := w.sites[e.site]
	switch e.what {
	case look:
		if e.gen == s.lookGen && s.up {
			return w.act(s)
		}
	case ask:
		if e.gen == s.askGen && s.up {
			w.ask(s)
		}
	case found:
		s.looking = false
		if s.call != nil {
			return w.reply(s, false)
		}
	case answer:
		return w.obey(s, e.ref)
	case lapse:
		w.failed(s, e.gen)
	}
	return nil
}

// noticed wakes those who wait for a change, if there was one.
func (w *world) noticed() error {
	var size int64
	err := w.db.System().View(w.ctx, func(tx store.SystemTx) (err error) {
		size, err = tx.LogSize()
		return err
	})
	if err != nil || size == w.size {
		return err
	}
	w.size = size
	if w.down {
		return nil
	}
	w.goSoon(settle)
	for _, s := range w.sites {
		if s.call != nil && !s.looking {
			s.looking = true
			w.put(rest, event{what: found, site: s.i})
		}
	}
	if w.cfg.Check > 0 && size >= w.stats.checked+int64(w.cfg.Check) {
		w.stats.checked = size
		return w.midway()
	}
	return nil
}

// goSoon has the control loop go around in at most d.
func (w *world) goSoon(d time.Duration) {
	at := w.clock.now.Add(d)
	if w.nextgo.After(w.clock.now) && !at.Before(w.nextgo) {
		return
	}
	w.nextgo = at
	w.turnGen++
	w.queue.put(event{at: at, what: turn, gen: w.turnGen})
}

// around has the control loop go around once.
func (w *world) around() error {
	w.nextgo = time.Time{}
	w.turnGen++ // whatever was scheduled for now is this one
	w.beats()
	w.stats.Turns++
	if err := w.loop.Step(w.ctx, w.clock.now); err != nil {
		return fmt.Errorf("the control loop: %w", err)
	}
	w.goSoon(w.cfg.Step)
	return w.settled()
}

// settled looks whether there is anything left to do: an open workload, an hour
// to be booked, an offer that may run out before the loop would look again.
func (w *world) settled() error {
	return w.db.System().View(w.ctx, func(tx store.SystemTx) error {
		live, err := tx.LiveAttempts("")
		if err != nil {
			return err
		}
		for _, a := range live {
			if a.State == workload.AttemptOffered {
				w.goSoon(max(0, a.Expires.Sub(w.clock.now)) + time.Second)
			}
		}
		if w.stats.Submitted+w.stats.Refused < len(w.cfg.Jobs) {
			return nil
		}
		open, err := tx.OpenWorkloads()
		if err != nil || len(open) > 0 {
			return err
		}
		meters, err := tx.UnsettledMeters()
		w.done = len(meters) == 0 && err == nil && !w.telling()
		return err
	})
}

// telling reports whether an agent still has something to tell.
func (w *world) telling() bool {
	for _, s := range w.sites {
		if len(s.engine.live) > 0 || !s.up || s.call == nil || len(s.asked.Meters) > 0 {
			return true
		}
		for _, r := range s.asked.Reports {
			if r.State != string(workload.ReportReleased) {
				return true
			}
		}
	}
	return false
}

// look has the poller look at the signals.
func (w *world) look() error {
	w.put(polls, event{what: poll, gen: w.upGen})
	if err := w.poller.Step(w.ctx, w.clock.now); err != nil {
		return fmt.Errorf("the poller: %w", err)
	}
	return nil
}

// act has an agent look at its engine and carry out what is due.
func (w *world) act(s *site) error {
	news, err := s.hand.Look(w.ctx)
	if err != nil {
		return fmt.Errorf("the agent of %s: %w", s.ID, err)
	}
	if s.open && s.news != nil {
		select {
		case <-s.news:
			// It hangs up and asks anew: the answer to its question would not be
			// to the newest one.
			s.hand.Unsent(s.asked)
			s.open, s.call = false, nil
			w.askIn(s, wireTime)
		default:
		}
	}
	most := s.hand.Due()
	if news {
		most = min(most, glance)
	}
	w.lookIn(s, most)
	return nil
}

// lookIn schedules the next look of an agent: at the next planned instant, or
// when it will see that something has ended.
func (w *world) lookIn(s *site, in time.Duration) {
	if at, any := s.engine.due(); any {
		in = min(in, max(0, at.Sub(w.clock.now))+time.Duration(w.draw.Int64N(int64(glance))))
	}
	s.lookGen++
	w.put(in, event{what: look, site: s.i, gen: s.lookGen})
}

func (w *world) askIn(s *site, d time.Duration) {
	s.askGen++
	w.put(d, event{what: ask, site: s.i, gen: s.askGen})
}

// ask has an agent ask its next question.
func (w *world) ask(s *site) {
	s.asked, s.news = s.hand.Ask()
	s.at, s.open, s.call = w.clock.now, true, nil
	w.send(s, heard, message{q: s.asked, asking: s.askGen})
}

// hear is a question that arrives at the server.
func (w *world) hear(s *site, ref int) error {
	m := w.mail[ref]
	delete(w.mail, ref)
	if w.down {
		w.failed(s, m.asking)
		return nil
	}
	w.stats.Calls++
	call, err := w.server.Hear(w.ctx, s.ID, m.q)
	if err != nil {
		return fmt.Errorf("the question of %s: %w", s.ID, err)
	}
	if m.asking != s.askGen || !s.open {
		return nil // the agent has hung up: what it told is on record all the same
	}
	s.call = call
	return w.reply(s, false)
}

// reply answers a call if there is something to answer, or if it must.
func (w *world) reply(s *site, must bool) error {
	something, err := s.call.Look(w.ctx)
	if err != nil {
		return fmt.Errorf("orders for %s: %w", s.ID, err)
	}
	if !something && !must {
		return nil
	}
	a, err := s.call.Answer(w.ctx)
	if err != nil {
		return err
	}
	s.call = nil
	w.send(s, answer, message{a: a, asking: s.askGen})
	return nil
}

// obey is an answer that arrives at its agent.
func (w *world) obey(s *site, ref int) error {
	m := w.mail[ref]
	delete(w.mail, ref)
	if !s.up || !s.open {
		return nil // nobody waits: it has hung up, or died
	}
	// One that is to an older question the agent must know itself.
	if err := s.hand.Obey(m.a); err != nil {
		return fmt.Errorf("the agent of %s obeys: %w", s.ID, err)
	}
	if m.asking == s.askGen {
		s.open, s.fails = false, 0
		w.askIn(s, wireTime)
	}
	return w.act(s)
}

// failed has an agent try again after a question that had no answer, as far
// apart as its own loop does.
func (w *world) failed(s *site, asking int) {
	if asking != s.askGen || !s.open || !s.up {
		return
	}
	s.hand.Unsent(s.asked)
	s.open, s.call = false, nil
	s.fails++
	wait := min(time.Duration(1<<min(s.fails, 6))*250*time.Millisecond, 15*time.Second)
	w.askIn(s, wait/2+time.Duration(w.draw.Int64N(int64(wait))))
}

// beats makes the idle questions that have come in since: see beat.
func (w *world) beats() {
	for _, s := range w.sites {
		if s.call == nil || w.cut(s) || w.clock.now.Sub(s.at) < beat {
			continue
		}
		s.askGen++ // whatever is under way is of the question before
		s.asked, s.news = s.hand.Ask()
		s.at, s.open = w.clock.now, true
		call, err := w.server.Hear(w.ctx, s.ID, s.asked)
		if err != nil {
			w.failed(s, s.askGen)
			continue
		}
		w.stats.Calls++
		s.call = call
		if !s.looking {
			s.looking = true
			w.put(rest, event{what: found, site: s.i})
		}
	}
}

// send puts a message on its way. One that is lost leaves its agent waiting for
// as long as a call may take.
func (w *world) send(s *site, what kind, m message) {
	fates := w.fates(s, what)
	for _, d := range fates {
		w.mails++
		w.mail[w.mails] = m
		w.put(d, event{what: what, site: s.i, ref: w.mails})
	}
	if len(fates) == 0 {
		w.put(max(0, s.at.Add(beat+30*time.Second).Sub(w.clock.now)), event{what: lapse, site: s.i, gen: m.asking})
	}
}
