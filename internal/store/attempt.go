package store

import (
	"database/sql"
	"errors"
	"fmt"

	"clusy.io/clusy/internal/audit"
	"clusy.io/clusy/internal/problem"
	"clusy.io/clusy/internal/store/db"
	"clusy.io/clusy/internal/workload"
)

func (t *tenantTx) Attempt(id string, n int) (workload.Attempt, error) {
	row, err := t.attemptRow(id, n)
	if err != nil {
		return workload.Attempt{}, err
	}
	return attempt(row)
}

func (t *tenantTx) attemptRow(id string, n int) (db.Attempt, error) {
	row, err := t.q.Attempt(t.ctx, db.AttemptParams{Tenant: string(t.tenant), Workload: id, N: int64(n)})
	if errors.Is(err, sql.ErrNoRows) {
		return row, missing("attempt "+attemptID(id, n), nil)
	}
	return row, t.failed("reading attempt "+attemptID(id, n), err)
}

func (t *tenantTx) Attempts(id string) ([]workload.Attempt, error) {
	rows, err := t.q.Attempts(t.ctx, db.AttemptsParams{Tenant: string(t.tenant), Workload: id})
	if err != nil {
		return nil, t.failed("reading the attempts of workload "+id, err)
	}
	return each(rows, attempt)
}

func (t *systemTx) LiveAttempts(site string) ([]workload.Attempt, error) {
	rows, err := t.q.SystemLiveAttempts(t.ctx)
	if site != "" {
		rows, err = t.q.SystemLiveAttemptsAtSite(t.ctx, site)
	}
	if err != nil {
		return nil, t.failed("reading the live attempts", err)
	}
	return each(rows, attempt)
}

func (t *systemTx) LostAttempts(site string) ([]workload.Attempt, error) {
	rows, err := t.q.SystemLostAttempts(t.ctx)
	if site != "" {
		rows, err = t.q.SystemLostAttemptsAtSite(t.ctx, site)
	}
	if err != nil {
		return nil, t.failed("reading the lost attempts", err)
	}
	return each(rows, attempt)
}

func (t *tenantTx) InsertAttempt(a workload.Attempt, e audit.Event) error {
	if err := t.writable(); err != nil {
		return err
	}
	name := attemptID(a.Workload, a.N)
	switch {
	case a.State != workload.AttemptOffered:
		return problem.Errorf(problem.Conflict, "attempt %s is born %s, want %s", name, a.State, workload.AttemptOffered)
	case a.Rev != 0 && a.Rev != 1:
		return problem.Errorf(problem.Conflict, "attempt %s is born with rev %d, want 1", name, a.Rev)
	case a.Site == "":
		return problem.Errorf(problem.Invalid, "attempt %s has no site", name)
	}
	if _, err := t.workloadRow(a.Workload); err != nil {
		return err
	}
	others, err := t.Attempts(a.Workload)
	if err != nil {
		return err
	}
	for _, o := range others {
		if o.State.Live() {
			return problem.Errorf(problem.Conflict, "attempt %s of the workload is %s at %s: only one may be live", attemptID(o.Workload, o.N), o.State, o.Site)
		}
	}
	if a.N != len(others)+1 {
		return problem.Errorf(problem.Conflict, "attempt %s is not the next one, which is %d", name, len(others)+1)
	}
	if _, err := t.record(fact{Event: e, kind: audit.AttemptMoved, tenant: t.tenant, object: attemptObject(a.Workload, a.N),
		move: &db.InsertTransitionParams{Object: string(workload.ObjectAttempt), ID: name, Rev: 1, ToState: string(a.State)}}); err != nil {
		return err
	}
	changed := a.Changed
	if changed.IsZero() {
		changed = e.At
	}
	return t.failed("adding attempt "+name, t.q.InsertAttempt(t.ctx, db.InsertAttemptParams{
		Workload: a.Workload, N: int64(a.N), Tenant: string(t.tenant), Site: a.Site, GrantID: a.Grant, Epoch: a.Epoch,
		State: string(a.State), Rev: 1, Expires: maybe(a.Expires), Started: maybe(a.Started), Ended: maybe(a.Ended),
		ExitCode: int64(a.ExitCode), Cause: a.Cause, Changed: usec(changed), Active: int64(a.Active), RunSince: maybe(a.RunSince),
		Suspensions: int64(a.Suspensions), Seen: maybe(a.Seen), Size: int64(a.Size),
	}))
}

// same doubts that a is as stored.
func (t *tenantTx) same(a *workload.Attempt) error {
	stored, err := t.attemptRow(a.Workload, a.N)
	if err != nil {
		return err
	}
	if stored.Rev != a.Rev || stored.State != string(a.State) {
		return problem.Errorf(problem.Conflict, "attempt %s was changed meanwhile: it is %s at rev %d", attemptID(a.Workload, a.N), stored.State, stored.Rev)
	}
	return nil
}

func (t *tenantTx) MoveAttempt(a *workload.Attempt, to workload.AttemptState, e audit.Event) error {
	name := attemptID(a.Workload, a.N)
	if err := (workload.Move{Object: workload.ObjectAttempt, From: string(a.State), To: string(to)}).Check(); err != nil {
		return &problem.Error{Kind: problem.Conflict, Detail: fmt.Sprintf("attempt %s is %s and cannot become %s", name, a.State, to), Cause: err}
	}
	if err := t.writable(); err != nil {
		return err
	}
	if err := t.same(a); err != nil {
		return err
	}
	next := *a
	next.State, next.Rev, next.Changed = to, a.Rev+1, later(e.At, a.Changed)
	if _, err := t.record(fact{Event: e, kind: audit.AttemptMoved, tenant: t.tenant, object: attemptObject(a.Workload, a.N),
		move: &db.InsertTransitionParams{Object: string(workload.ObjectAttempt), ID: name, Rev: next.Rev,
			FromState: string(a.State), ToState: string(to)}}); err != nil {
		return err
	}
	n, err := t.q.MoveAttempt(t.ctx, db.MoveAttemptParams{
		Tenant: string(t.tenant), Workload: a.Workload, N: int64(a.N), State: string(a.State), Rev: a.Rev,
		NewState: string(to), NewRev: next.Rev, NewChanged: usec(next.Changed),
		Expires: maybe(a.Expires), Started: maybe(a.Started), Ended: maybe(a.Ended), ExitCode: int64(a.ExitCode), Cause: a.Cause,
		Active: int64(a.Active), RunSince: maybe(a.RunSince), Suspensions: int64(a.Suspensions), Seen: maybe(a.Seen), Size: int64(a.Size),
	})
	if err := t.one("moving attempt "+name, n, err); err != nil {
		return err
	}
	*a = next
	return nil
}

func (t *tenantTx) UpdateAttempt(a *workload.Attempt) error {
	if err := t.writable(); err != nil {
		return err
	}
	if err := t.same(a); err != nil {
		return err
	}
	n, err := t.q.ProgressAttempt(t.ctx, db.ProgressAttemptParams{
		Tenant: string(t.tenant), Workload: a.Workload, N: int64(a.N), Rev: a.Rev,
		Active: int64(a.Active), RunSince: maybe(a.RunSince), Suspensions: int64(a.Suspensions), Seen: maybe(a.Seen), Size: int64(a.Size),
	})
	return t.one("noting progress of attempt "+attemptID(a.Workload, a.N), n, err)
}
