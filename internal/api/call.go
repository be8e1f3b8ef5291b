package api

import (
	"context"
	"fmt"
	"time"

	"clusy.io/clusy"
	"clusy.io/clusy/internal/ledger"
	"clusy.io/clusy/internal/plan"
	"clusy.io/clusy/internal/wire"
	"clusy.io/clusy/internal/workload"
)

// Call is an agent's call that has been heard and waits for its answer. The
// door waits on it by the clock; a simulation looks when its time has come.
type Call struct {
	s       *Server
	site    string
	reports []workload.Report
	out     clusy.SyncAnswer
}

// Hear puts on record how things stand at a site. Who may call for it, the door
// has seen to.
func (s *Server) Hear(ctx context.Context, id string, q clusy.SyncRequest) (*Call, error) {
	site := plan.Station{
		Site: wire.SiteIn(id, q.Site), Engine: q.Site.Engine, EnclaveKey: []byte(q.Site.Enclave.Key), KeyID: q.Site.Enclave.ID,
		Seen: s.Now(), Incarnation: q.Incarnation, Answered: q.Seq,
	}
	c := &Call{s: s, site: id, reports: make([]workload.Report, len(q.Reports))}
	for i, r := range q.Reports {
		c.reports[i] = wire.ReportIn(r)
	}
	meters := make([]ledger.Meter, len(q.Meters))
	for i, m := range q.Meters {
		meters[i] = wire.MeterIn(id, m)
	}
	for _, r := range q.Replies {
		s.relay.answer(id, r)
	}
	metered, epoch, err := s.Syncer.Absorb(ctx, site, c.reports, meters, site.Seen)
	if err != nil {
		return nil, err
	}
	c.out = clusy.SyncAnswer{AnswerTo: q.Seq, Epoch: epoch, Orders: []clusy.Order{}}
	for _, m := range metered {
		c.out.Metered = append(c.out.Metered, fmt.Sprintf("%s/%d/%s", m.Workload, m.Attempt, m.Hour.Format(time.RFC3339)))
	}
	return c, nil
}

// Look reports whether there is something to answer by now.
func (c *Call) Look(ctx context.Context) (something bool, err error) {
	orders, err := c.s.Syncer.Orders(ctx, c.site, c.reports, c.s.Now())
	if err != nil {
		return false, err
	}
	for _, o := range orders {
		c.out.Orders = append(c.out.Orders, wire.OrderOut(o))
	}
	c.out.Asks = c.s.relay.take(c.site, time.Now())
	return len(c.out.Orders)+len(c.out.Asks)+len(c.out.Metered) > 0, nil
}

// Answer returns what was found, with the newest checkpoint.
func (c *Call) Answer(ctx context.Context) (clusy.SyncAnswer, error) {
	c.out.Now = c.s.Now()
	err := c.s.Store.ViewAll(ctx, func(tx SystemTx) (err error) {
		c.out.Checkpoint, err = tx.Checkpoint()
		return err
	})
	return c.out, err
}

// Submit is the door of submissions without the door: for a caller in this
// process, whose principal and tenant are in ctx and who has seen to it that
// they may.
func (s *Server) Submit(ctx context.Context, key string, body clusy.Submission) (clusy.Workload, error) {
	out, err := s.submit(ctx, &submission{Key: key, Body: body})
	if err != nil {
		return clusy.Workload{}, err
	}
	return out.Body, nil
}
