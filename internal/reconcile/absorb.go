package reconcile

import (
	"context"
	"fmt"
	"time"

	"clusy.io/clusy/internal/access"
	"clusy.io/clusy/internal/audit"
	"clusy.io/clusy/internal/ledger"
	"clusy.io/clusy/internal/plan"
	"clusy.io/clusy/internal/problem"
	"clusy.io/clusy/internal/workload"
)

// Absorb puts on record how things stand at a site. Any replica may do it: each
// change is a compare-and-set on what is stored, and a report that says what
// is on record already changes nothing. It returns the meters that are on
// record now, and the epoch that the site is to obey.
func (l *Loop) Absorb(ctx context.Context, site plan.Station, reports []workload.Report, meters []ledger.Meter, now time.Time) ([]ledger.Meter, int64, error) {
	// Most calls bring nothing new: then one read does, and no write.
	var news []workload.Report
	register := false
	epoch := l.Epoch()
	err := l.Store.View(ctx, func(tx Tx) error {
		if l.TTL > 0 { // another one may lead
			newest, err := tx.LeaderEpoch(lease)
			if err != nil {
				return err
			}
			epoch = max(epoch, newest)
		}
		known, err := tx.Site(site.ID)
		switch {
		case problem.Is(err, problem.NotFound):
			register = true
		case err != nil:
			return err
		case !sameSite(known, site):
			register = true
		}
		for _, r := range reports {
			w, a, err := find(tx, site.ID, r)
			if err != nil {
				return err
			}
			if a.Workload != "" && differs(w, a, r) {
				news = append(news, r)
			}
		}
		return nil
	})
	if err != nil {
		return nil, 0, err
	}
	var kept []ledger.Meter
	err = l.Store.Update(ctx, func(tx Tx) error {
		kept = kept[:0]
		if register {
			if err := putSite(tx, site, now); err != nil {
				return err
			}
		} else if err := tx.SeeSite(site.ID, now, site.Answered); err != nil {
			return err
		}
		for _, r := range news {
			if err := absorb(tx, site.ID, r, now); err != nil {
				return fmt.Errorf("report of %s/%d: %w", r.Workload, r.N, err)
			}
		}
		for _, m := range meters {
			ok, err := putMeter(tx, site.ID, m)
			if err != nil {
				return fmt.Errorf("meter of %s/%d: %w", m.Workload, m.Attempt, err)
			}
			if ok {
				kept = append(kept, m)
			}
		}
		return nil
	})
	return kept, epoch, err
}

func sameSite(a, b plan.Station) bool {
	return a.Site == b.Site && a.Engine == b.Engine && string(a.EnclaveKey) == string(b.EnclaveKey) && a.KeyID == b.KeyID && a.Incarnation == b.Incarnation
}

func putSite(tx Tx, site plan.Station, now time.Time) error {
	kind := audit.SiteSeen
	known, err := tx.Site(site.ID)
	switch {
	case problem.Is(err, problem.NotFound):
		kind, site.Registered = audit.SiteRegistered, now
	case err != nil:
		return err
	default:
		site.Registered = known.Registered
	}
	return tx.PutSite(site, audit.Event{At: now, Actor: access.Principal("site:" + site.ID), Kind: kind, Detail: map[string]string{
		"zone": string(site.Zone), "engine": site.Engine, "enclave": site.KeyID, "incarnation": site.Incarnation,
	}})
}

// find returns the attempt that a report is about, and its workload. Both are
// empty if there is none, or not at this site, or not by this right.
func find(tx Tx, site string, r workload.Report) (workload.Workload, workload.Attempt, error) {
	w, err := tx.Workload(r.Workload)
	if problem.Is(err, problem.NotFound) {
		return w, workload.Attempt{}, nil
	}
	if err != nil {
		return w, workload.Attempt{}, err
	}
	a, err := tx.For(w.Tenant).Attempt(r.Workload, r.N)
	if problem.Is(err, problem.NotFound) || err == nil && (a.Site != site || a.Grant != r.Grant) {
		return w, workload.Attempt{}, nil
	}
	return w, a, err
}

// differs reports whether r says anything that is not on record.
func differs(w workload.Workload, a workload.Attempt, r workload.Report) bool {
	if _, _, ok := aims(w, a, r); ok {
		return true
	}
	if !a.State.Live() {
		return false
	}
	// Heartbeats of a run that goes on are not worth a write each: what it
	// has run since is known from RunSince.
	return a.Suspensions != r.Suspensions || a.Size != r.Size || a.RunSince.IsZero() != r.RunSince.IsZero() || r.RunSince.IsZero() && a.Active != r.Active
}

// aims returns the states that a report wants an attempt and its workload to
// move to; ok is false if it wants no move.
func aims(w workload.Workload, a workload.Attempt, r workload.Report) (workload.AttemptState, workload.State, bool) {
	move := func(as workload.AttemptState, ws workload.State) (workload.AttemptState, workload.State, bool) {
		// Lost is an end like the others: a site says it only when it has made
		// sure that nothing of the attempt is alive.
		return as, ws, a.State != as && a.State.Live()
	}
	switch r.State {
	case workload.ReportAccepted:
		as, ws, _ := move(workload.AttemptHeld, workload.Held)
		return as, ws, a.State == workload.AttemptOffered
	case workload.ReportRefused:
		return workload.AttemptRevoked, workload.Planned, a.State == workload.AttemptOffered
	case workload.ReportReleased:
		return workload.AttemptReleased, workload.Planned, a.State == workload.AttemptHeld
	case workload.ReportStarting:
		return workload.AttemptStarting, "", a.State == workload.AttemptHeld
	case workload.ReportRunning:
		return move(workload.AttemptRunning, workload.Running)
	case workload.ReportSuspended:
		return move(workload.AttemptSuspended, workload.Suspended)
	case workload.ReportEnded:
		if r.ExitCode == 0 && r.Cause == "" {
			return move(workload.AttemptSucceeded, workload.Succeeded)
		}
		return move(workload.AttemptFailed, workload.Failed)
	case workload.ReportStopped:
		return move(workload.AttemptStopped, workload.Cancelled)
	case workload.ReportLost:
		return move(workload.AttemptLost, workload.Failed)
	}
	return "", "", false
}

// absorb carries one report into the record.
func absorb(tx Tx, site string, r workload.Report, now time.Time) error {
	// What was read before may be old by now: read again, inside.
	w, a, err := find(tx, site, r)
	if err != nil || a.Workload == "" || !differs(w, a, r) {
		return err
	}
	t := tx.For(w.Tenant)
	as, ws, moves := aims(w, a, r)
	if a.State == workload.AttemptOffered && r.State != workload.ReportAccepted && r.State != workload.ReportRefused {
		// It never was confirmed: nothing that an unconfirmed attempt says of
		// itself beyond accept or refuse can be true.
		return nil
	}
	a.Active, a.RunSince, a.Suspensions, a.Size, a.Seen = r.Active, r.RunSince, r.Suspensions, r.Size, now
	if a.State.Live() && !moves {
		return t.UpdateAttempt(&a)
	}
	if !moves {
		return nil
	}
	if !r.Started.IsZero() {
		a.Started = r.Started
	}
	by := func(kind audit.Kind) audit.Event {
		return audit.Event{At: now, Actor: access.Principal("site:" + site), Kind: kind}
	}

	switch r.State {
	case workload.ReportAccepted:
		if now.After(a.Expires) || w.State != workload.Offered {
			return nil // too late: the loop takes it back
		}
		if err := t.MoveAttempt(&a, as, by(audit.AttemptMoved)); err != nil {
			return err
		}
		return t.MoveWorkload(&w, ws, by(audit.WorkloadMoved))
	case workload.ReportRefused:
		a.Cause = r.Cause
		return revoke(t, &w, &a, now)
	case workload.ReportReleased:
		return released(t, &w, &a, by)
	case workload.ReportStarting:
		return t.MoveAttempt(&a, as, by(audit.AttemptMoved))
	case workload.ReportRunning, workload.ReportSuspended:
		return runs(t, &w, &a, as, ws, by)
	}
	return ended(t, &w, &a, r, as, ws, by)
}

func revoke(t TenantTx, w *workload.Workload, a *workload.Attempt, now time.Time) error {
	if err := t.MoveAttempt(a, workload.AttemptRevoked, event(audit.AttemptMoved, now)); err != nil {
		return err
	}
	w.Cause = a.Cause
	return t.MoveWorkload(w, workload.Planned, event(audit.WorkloadMoved, now))
}

// released: the right is ours again, and goes where it was wanted to.
func released(t TenantTx, w *workload.Workload, a *workload.Attempt, by func(audit.Kind) audit.Event) error {
	if err := t.MoveAttempt(a, workload.AttemptReleased, by(audit.AttemptMoved)); err != nil {
		return err
	}
	to := workload.Planned
	if w.Wanted == workload.WantCancel {
		to, w.Cause = workload.Cancelled, "cancelled by its owner"
		if err := t.DeletePlacement(w.ID); err != nil {
			return err
		}
	}
	w.Wanted = workload.WantNothing
	return t.MoveWorkload(w, to, by(audit.WorkloadMoved))
}

// runs: it runs, or is suspended in the middle. Steps that nobody told us of
// in between are made up for one by one, so that the record stays legal.
func runs(t TenantTx, w *workload.Workload, a *workload.Attempt, as workload.AttemptState, ws workload.State, by func(audit.Kind) audit.Event) error {
	if as == workload.AttemptSuspended && a.State != workload.AttemptRunning {
		if err := t.MoveAttempt(a, workload.AttemptRunning, by(audit.AttemptMoved)); err != nil {
			return err
		}
	}
	if err := t.MoveAttempt(a, as, by(audit.AttemptMoved)); err != nil {
		return err
	}
	if w.Wanted == workload.WantMove {
		w.Wanted = workload.WantNothing // it has started here: too late to move
	}
	if ws == workload.Suspended && (w.State == workload.Held || w.State == workload.Releasing) {
		if err := t.MoveWorkload(w, workload.Running, by(audit.WorkloadMoved)); err != nil {
			return err
		}
	}
	if w.State == ws || w.State == workload.Releasing && ws == workload.Suspended {
		return nil
	}
	return t.MoveWorkload(w, ws, by(audit.WorkloadMoved))
}

// ended: an exit record exists, or the site has made sure that nothing of it
// is alive.
func ended(t TenantTx, w *workload.Workload, a *workload.Attempt, r workload.Report, as workload.AttemptState, ws workload.State, by func(audit.Kind) audit.Event) error {
	a.Ended, a.ExitCode, a.Cause, a.RunSince = r.Ended, r.ExitCode, r.Cause, time.Time{}
	if err := t.MoveAttempt(a, as, by(audit.AttemptMoved)); err != nil {
		return err
	}
	w.Cause = causeOf(r)
	if ws == workload.Failed {
		switch {
		case w.Wanted == workload.WantCancel:
			ws = workload.Cancelled
		case a.N <= w.Shape.Policy.Retries:
			// The first run is known to have ended, so a second one breaks no
			// promise. Its place in the plan is made anew.
			ws = workload.Planned
		}
	}
	w.Wanted = workload.WantNothing
	if err := learn(t, w, a, by(audit.ClassDrifted)); err != nil {
		return err
	}
	if err := t.DeletePlacement(w.ID); err != nil {
		return err
	}
	return t.MoveWorkload(w, ws, by(audit.WorkloadMoved))
}

func causeOf(r workload.Report) string {
	switch {
	case r.State == workload.ReportStopped:
		return "cancelled by its owner"
	case r.State == workload.ReportLost:
		return "lost: " + r.Cause
	case r.Cause != "":
		return r.Cause
	case r.ExitCode != 0:
		return fmt.Sprintf("exit code %d", r.ExitCode)
	}
	return ""
}

// putMeter keeps a meter; false if it is about nothing that we know.
func putMeter(tx Tx, site string, m ledger.Meter) (bool, error) {
	w, err := tx.Workload(m.Workload)
	if problem.Is(err, problem.NotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	a, err := tx.For(w.Tenant).Attempt(m.Workload, m.Attempt)
	if problem.Is(err, problem.NotFound) || err == nil && a.Site != site {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	m.Tenant = w.Tenant
	// A site knows its own attempt; what ran before it, the record knows.
	earlier, err := tx.For(w.Tenant).Attempts(m.Workload)
	if err != nil {
		return false, err
	}
	for _, e := range earlier {
		if e.N < m.Attempt {
			m.Before += e.Active
		}
	}
	err = tx.For(w.Tenant).PutMeter(m)
	if problem.Is(err, problem.Conflict) {
		return true, nil // settled already: what was booked first stands
	}
	return err == nil, err
}
