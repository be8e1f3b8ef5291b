package agent

import (
	"context"
	"time"

	"clusy.io/clusy"
)

// Hand drives an agent in place of its loops, one call after the other: for a
// simulation, in which one thread does everything and time is given. What Run
// does is made of the same calls: look, ask, obey, look again.
type Hand struct{ a *Agent }

// ByHand opens the journal and looks at everything once, as Run does before it
// speaks. The error of that look stops nothing: the next one may do better.
func (a *Agent) ByHand(ctx context.Context) (h Hand, looked, err error) {
	if err := a.open(); err != nil {
		return Hand{}, nil, err
	}
	return Hand{a}, a.Step(ctx, a.Clock.Now()), nil
}

// Look brings the engine to what the schedules say, and looks at it. It reports
// whether that was news: then there may be more to see in a moment.
func (h Hand) Look(ctx context.Context) (news bool, err error) {
	before := h.a.news()
	err = h.a.Step(ctx, h.a.Clock.Now())
	return before != h.a.news(), err
}

// Ask returns the next question, and a channel that closes when there is newer
// news than it tells.
func (h Hand) Ask() (q clusy.SyncRequest, news <-chan struct{}) {
	news = h.a.news()
	return h.a.question(h.a.Clock.Now()), news
}

// Obey carries out an answer, if it is to the newest question.
func (h Hand) Obey(answer clusy.SyncAnswer) error { return h.a.obey(answer) }

// Unsent gives back what a question carried whose answer will not come.
func (h Hand) Unsent(q clusy.SyncRequest) { h.a.unsent(q) }

// Due returns the time until the next look is due, at most Tick.
func (h Hand) Due() time.Duration { return h.a.untilDue() }

// Close lets go of the journal, as the end of the process does.
func (h Hand) Close() error { return h.a.journal.Close() }
