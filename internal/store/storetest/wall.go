package storetest

import (
	"errors"
	"reflect"
	"slices"
	"testing"
	"time"

	"clusy.io/clusy/internal/access"
	"clusy.io/clusy/internal/audit"
	"clusy.io/clusy/internal/grid"
	"clusy.io/clusy/internal/ledger"
	"clusy.io/clusy/internal/problem"
	"clusy.io/clusy/internal/store"
	"clusy.io/clusy/internal/workload"
)

// tenantWall tries every method of a tenant's transaction on what belongs to
// another: reads find nothing, changes find no such thing.
func tenantWall(t *testing.T, d store.DB) {
	w, a, entry := metered(t, d, acme, 1)
	update(t, d, acme, func(tx store.TenantTx) error {
		if err := tx.PutPlacement(Placement(w), "plan1", Event("")); err != nil {
			return err
		}
		q, b := Queue("wall"), Budget("wall")
		_, err := tx.AppendEntry(entry)
		return errors.Join(err, tx.PutQueue(&q, Event("")), tx.PutBudget(&b, Event("")), tx.PutIdempotent(store.Key{Key: "k", Workload: w.ID, At: Noon}))
	})
	house(t, d, func(tx store.SystemTx) error { return tx.PutToken(Token("wall", acme), Event("")) })
	before := size(t, d)
	submit(t, d, umbr, 1)

	notThere := func(err error) bool { return problem.Is(err, problem.NotFound) }
	none := func(n int, err error) bool { return n == 0 && err == nil }
	// Each row breaks through the wall if it answers false. A claim to be of
	// the tenant itself must not help either.
	claimed, claim := w, a
	update(t, d, acme, func(tx store.TenantTx) error { return tx.PutHistory(History("nightly", 3)) })
	claimed.Tenant, claim.Tenant = umbr, umbr
	tries := map[string]func(store.TenantTx) bool{
		"Tenant": func(tx store.TenantTx) bool { return tx.Tenant() == umbr },
		"Workload": func(tx store.TenantTx) bool {
			_, err := tx.Workload(w.ID)
			return notThere(err)
		},
		"Workloads": func(tx store.TenantTx) bool {
			all, err := tx.Workloads(store.Filter{})
			held, err2 := tx.Workloads(store.Filter{States: []workload.State{w.State}})
			newest, err3 := tx.Workloads(store.Filter{Newest: true})
			heldNewest, err4 := tx.Workloads(store.Filter{States: []workload.State{w.State}, Newest: true})
			return errors.Join(err, err2, err3, err4) == nil && len(all) == 1 && len(newest) == 1 && len(held) == 0 && len(heldNewest) == 0
		},
		"Counts": func(tx store.TenantTx) bool {
			states, _, err := tx.Counts()
			return err == nil && len(states) == 1 && states[workload.Accepted] == 1
		},
		"EndToken": func(tx store.TenantTx) bool { return notThere(tx.EndToken("wall", Noon, Event(""))) },
		"InsertWorkload": func(tx store.TenantTx) bool {
			return notThere(tx.InsertWorkload(Workload(acme, 9), Event(""))) &&
				problem.Is(tx.InsertWorkload(func() workload.Workload { x := Workload(umbr, 9); x.ID = w.ID; return x }(), Event("")), problem.Conflict)
		},
		"MoveWorkload": func(tx store.TenantTx) bool {
			x, y := w, claimed
			return notThere(tx.MoveWorkload(&x, workload.Running, Event(""))) && notThere(tx.MoveWorkload(&y, workload.Running, Event("")))
		},
		"UpdateWorkload": func(tx store.TenantTx) bool {
			x, y := w, claimed
			return notThere(tx.UpdateWorkload(&x, Event(audit.CancelRequested))) && notThere(tx.UpdateWorkload(&y, Event(audit.CancelRequested)))
		},
		"Attempts": func(tx store.TenantTx) bool {
			as, err := tx.Attempts(w.ID)
			return none(len(as), err)
		},
		"Attempt": func(tx store.TenantTx) bool {
			_, err := tx.Attempt(w.ID, 1)
			return notThere(err)
		},
		"InsertAttempt": func(tx store.TenantTx) bool {
			return notThere(tx.InsertAttempt(Attempt(w, 2), Event(""))) && notThere(tx.InsertAttempt(Attempt(claimed, 2), Event("")))
		},
		"MoveAttempt": func(tx store.TenantTx) bool {
			x, y := a, claim
			return notThere(tx.MoveAttempt(&x, workload.AttemptLost, Event(""))) && notThere(tx.MoveAttempt(&y, workload.AttemptLost, Event("")))
		},
		"UpdateAttempt": func(tx store.TenantTx) bool {
			x, y := a, claim
			return notThere(tx.UpdateAttempt(&x)) && notThere(tx.UpdateAttempt(&y))
		},
		"PutPlacement": func(tx store.TenantTx) bool { return notThere(tx.PutPlacement(Placement(w), "plan2", Event(""))) },
		"Placement": func(tx store.TenantTx) bool {
			_, found, err := tx.Placement(w.ID)
			return !found && err == nil
		},
		"DeletePlacement": func(tx store.TenantTx) bool { return tx.DeletePlacement(w.ID) == nil }, // looked at below
		"Decisions": func(tx store.TenantTx) bool {
			ds, err := tx.Decisions(w.ID)
			return none(len(ds), err)
		},
		"History": func(tx store.TenantTx) bool {
			_, err := tx.History("nightly")
			return notThere(err)
		},
		"Histories": func(tx store.TenantTx) bool {
			hs, err := tx.Histories("", 0)
			return none(len(hs), err)
		},
		"PutHistory": func(tx store.TenantTx) bool { // a class of its own, of the same name: looked at below
			err := tx.PutHistory(History("nightly", 1))
			h, err2 := tx.History("nightly")
			return errors.Join(err, err2) == nil && len(h.Runs) == 1
		},
		"Idempotent": func(tx store.TenantTx) bool {
			_, found, err := tx.Idempotent("k")
			return !found && err == nil
		},
		"PutIdempotent": func(tx store.TenantTx) bool { return tx.PutIdempotent(store.Key{Key: "k", At: Noon}) == nil }, // a key of its own
		"Events": func(tx store.TenantTx) bool {
			all, err := tx.Events(store.EventFilter{After: -1})
			of, err2 := tx.Events(store.EventFilter{After: -1, Workload: w.ID})
			theirs := slices.ContainsFunc(all, func(e audit.Entry) bool { return e.Event.Tenant != umbr })
			return errors.Join(err, err2) == nil && len(all) > 0 && !theirs && len(of) == 0
		},
		"Append": func(tx store.TenantTx) bool {
			e := Event(audit.CancelRequested)
			e.Tenant = acme // whose it is, the handle says
			i, err := tx.Append(e)
			mine, err2 := tx.Events(store.EventFilter{After: i - 1})
			return errors.Join(err, err2) == nil && len(mine) == 1 && mine[0].Event.Tenant == umbr
		},
		"Entries": func(tx store.TenantTx) bool {
			all, err := tx.Entries("", -1, 0)
			of, err2 := tx.Entries(w.ID, -1, 0)
			return errors.Join(err, err2) == nil && len(all) == 0 && len(of) == 0
		},
		"AppendEntry": func(tx store.TenantTx) bool {
			own := entry
			own.Meter.Tenant = umbr
			_, err := tx.AppendEntry(entry)
			_, err2 := tx.AppendEntry(own)
			return notThere(err) && notThere(err2)
		},
		"PutMeter": func(tx store.TenantTx) bool {
			own := entry.Meter
			own.Tenant = umbr
			return notThere(tx.PutMeter(entry.Meter)) && notThere(tx.PutMeter(own))
		},
		"AttemptsOf": func(tx store.TenantTx) bool {
			m, err := tx.AttemptsOf([]string{w.ID})
			return none(len(m), err)
		},
		"FirstDecision": func(tx store.TenantTx) bool {
			_, found, err := tx.FirstDecision(w.ID)
			return !found && err == nil
		},
		"DecidedOf": func(tx store.TenantTx) bool {
			m, err := tx.DecidedOf([]string{w.ID})
			return none(len(m), err)
		},
		"EntriesOf": func(tx store.TenantTx) bool {
			m, err := tx.EntriesOf([]string{w.ID})
			return none(len(m), err)
		},
		"EntriesFrom": func(tx store.TenantTx) bool {
			es, err := tx.EntriesFrom(time.Unix(0, 0), -1, 0)
			return none(len(es), err)
		},
		"Queues": func(tx store.TenantTx) bool {
			qs, err := tx.Queues()
			return none(len(qs), err)
		},
		// A name of its own: the other's of that name is looked at below.
		"PutQueue": func(tx store.TenantTx) bool {
			q, theirs := Queue("wall"), Queue("wall")
			theirs.Tenant, theirs.Rev = acme, 1
			return problem.Is(tx.PutQueue(&theirs, Event("")), problem.Conflict) && tx.PutQueue(&q, Event("")) == nil && q.Tenant == umbr && q.Rev == 1 &&
				tx.RemoveQueue("wall", Event("")) == nil
		},
		"RemoveQueue": func(tx store.TenantTx) bool { return notThere(tx.RemoveQueue("wall", Event(""))) },
		"Budgets": func(tx store.TenantTx) bool {
			bs, err := tx.Budgets()
			return none(len(bs), err)
		},
		"PutBudget": func(tx store.TenantTx) bool {
			b, theirs := Budget("wall"), Budget("wall")
			theirs.Tenant, theirs.Rev = acme, 1
			return problem.Is(tx.PutBudget(&theirs, Event("")), problem.Conflict) && tx.PutBudget(&b, Event("")) == nil && b.Tenant == umbr && b.Rev == 1 &&
				tx.RemoveBudget("wall", Event("")) == nil
		},
		"RemoveBudget": func(tx store.TenantTx) bool { return notThere(tx.RemoveBudget("wall", Event(""))) },
		"MetersOf": func(tx store.TenantTx) bool {
			m, err := tx.MetersOf([]string{w.ID})
			return none(len(m), err)
		},
		"Meters": func(tx store.TenantTx) bool {
			ms, err := tx.Meters(w.ID)
			return none(len(ms), err)
		},
	}
	for m := range reflect.TypeFor[store.TenantTx]().Methods() {
		try, known := tries[m.Name]
		if !known {
			t.Errorf("nobody has tried the tenant wall on %s", m.Name)
			continue
		}
		t.Run(m.Name, func(t *testing.T) {
			err := d.For(umbr).Update(ctx, func(tx store.TenantTx) error {
				if !try(tx) {
					t.Errorf("%s of %s reaches what is %s's", m.Name, umbr, acme)
				}
				return nil
			})
			// A store that does not even see what is taken finds out by writing.
			if err != nil && !problem.Is(err, problem.Conflict) {
				t.Error(err)
			}
		})
	}
	view(t, d, acme, func(tx store.TenantTx) error {
		now, err := tx.Workload(w.ID)
		equal(t, "workload", now, w)
		h, err := tx.History("nightly")
		if err != nil || len(h.Runs) != 3 {
			t.Errorf("another tenant changed a history: %d runs, %v", len(h.Runs), err)
		}
		_, placed, err2 := tx.Placement(w.ID)
		if !placed {
			t.Error("another tenant ended the placement")
		}
		es, err3 := tx.Events(store.EventFilter{After: before - 1})
		if len(es) != 0 {
			t.Errorf("%s has %d events that it did not make", acme, len(es))
		}
		qs, err4 := tx.Queues()
		bs, err5 := tx.Budgets()
		if len(qs) != 1 || qs[0].Rev != 1 || len(bs) != 1 || bs[0].Rev != 1 {
			t.Errorf("another tenant changed queues %v or budgets %v", qs, bs)
		}
		return errors.Join(err, err2, err3, err4, err5)
	})
	sound(t, d)
}

// noTenant: the tenant with no name is nobody, and not everybody.
func noTenant(t *testing.T, d store.DB) {
	w := submit(t, d, acme, 1)
	nothing := func(store.TenantTx) error { return nil }
	if d.For("").View(ctx, nothing) == nil || d.For("").Update(ctx, nothing) == nil {
		t.Error("the tenant with no name has a handle")
	}
	if d.System().View(ctx, func(tx store.SystemTx) error { _, _ = tx.For("").Workload(w.ID); return nil }) == nil {
		t.Error("the tenant with no name has a part of a transaction")
	}
}

// changes is every method that changes something, on a world of its own, with
// how many leaves it puts into the log.
func changes(t *testing.T, d store.DB) map[string]change {
	w, a, entry := metered(t, d, acme, 1)
	fresh := submit(t, d, acme, 2)
	held := submit(t, d, acme, 3)
	move(t, d, &held, workload.Planned)
	var index int64
	update(t, d, acme, func(tx store.TenantTx) (err error) {
		q, b := Queue("old"), Budget("old")
		index, err = tx.AppendEntry(entry)
		return errors.Join(err, tx.PutQueue(&q, Event("")), tx.PutBudget(&b, Event("")))
	})
	house(t, d, func(tx store.SystemTx) error {
		return errors.Join(tx.PutSite(Site("berlin"), Event("")), tx.PutToken(Token("t0", acme), Event("")),
			tx.PutQuestion(Question("q0"), Noon), tx.PutQuestion(Question("q00"), Noon))
	})
	meter := entry.Meter
	meter.Hour = meter.Hour.Add(time.Hour)
	meter.Runs = []ledger.Run{{From: meter.Hour, To: meter.Hour.Add(time.Minute)}}
	of := func(tx store.SystemTx) store.TenantTx { return tx.For(acme) }
	return map[string]change{
		"InsertWorkload": {1, func(tx store.SystemTx) error { return of(tx).InsertWorkload(Workload(acme, 7), Event("")) }},
		"MoveWorkload":   {1, func(tx store.SystemTx) error { x := fresh; return of(tx).MoveWorkload(&x, workload.Planned, Event("")) }},
		"UpdateWorkload": {1, func(tx store.SystemTx) error {
			x := w
			x.Wanted = workload.WantCancel
			return of(tx).UpdateWorkload(&x, Event(audit.CancelRequested))
		}},
		"InsertAttempt": {1, func(tx store.SystemTx) error { return of(tx).InsertAttempt(Attempt(held, 1), Event("")) }},
		"MoveAttempt": {1, func(tx store.SystemTx) error {
			x := a
			return of(tx).MoveAttempt(&x, workload.AttemptSuspended, Event(""))
		}},
		"UpdateAttempt": {0, func(tx store.SystemTx) error {
			x, err := of(tx).Attempt(w.ID, 1)
			x.Active++
			return errors.Join(err, of(tx).UpdateAttempt(&x))
		}},
		"PutPlacement":    {1, func(tx store.SystemTx) error { return of(tx).PutPlacement(Placement(w), "plan1", Event("")) }},
		"DeletePlacement": {0, func(tx store.SystemTx) error { return of(tx).DeletePlacement(w.ID) }},
		"PutHistory":      {0, func(tx store.SystemTx) error { return of(tx).PutHistory(History("nightly", 3)) }},
		"PutIdempotent":   {0, func(tx store.SystemTx) error { return of(tx).PutIdempotent(store.Key{Key: "key", At: Noon}) }},
		"Append":          {1, func(tx store.SystemTx) error { _, err := of(tx).Append(Event(audit.PlanRefused)); return err }},
		"AppendEntry":     {1, func(tx store.SystemTx) error { _, err := of(tx).AppendEntry(entry); return err }},
		"PutMeter":        {0, func(tx store.SystemTx) error { return of(tx).PutMeter(meter) }},

		"PutQueue":     {1, func(tx store.SystemTx) error { q := Queue("night"); return of(tx).PutQueue(&q, Event("")) }},
		"RemoveQueue":  {1, func(tx store.SystemTx) error { return of(tx).RemoveQueue("old", Event("")) }},
		"PutBudget":    {1, func(tx store.SystemTx) error { b := Budget("night"); return of(tx).PutBudget(&b, Event("")) }},
		"RemoveBudget": {1, func(tx store.SystemTx) error { return of(tx).RemoveBudget("old", Event("")) }},

		"SetPlan":      {1, func(tx store.SystemTx) error { return tx.SetPlan("", "plan1", Noon, Event("")) }},
		"PutPlanProof": {0, func(tx store.SystemTx) error { return tx.PutPlanProof(Proof("plan1", Noon)) }},
		"PutSite":      {1, func(tx store.SystemTx) error { return tx.PutSite(Site("paris"), Event("")) }},
		"SeeSite":      {0, func(tx store.SystemTx) error { return tx.SeeSite("berlin", Noon, 1) }},
		"PutSignal": {1, func(tx store.SystemTx) error {
			_, _, err := tx.PutSignal(store.Measured, Series("FR", Noon, 5), Event(""))
			return err
		}},
		"PutSignals": {1, func(tx store.SystemTx) error {
			_, err := tx.PutSignals([]store.Signal{{Kind: store.Issued, Series: Series("FR", Noon, 7)}, {Kind: store.Forecast, Series: Series("FR", Noon, 8)}}, Event(""))
			return err
		}},
		"PutPrices": {1, func(tx store.SystemTx) error {
			_, err := tx.PutPrices([]grid.Prices{Prices("FR", Noon, 5), Prices("DE", Noon, 6)}, Event(""))
			return err
		}},
		"PruneSignals": {0, func(tx store.SystemTx) error {
			_, err := tx.PruneSignals(upTo(Noon.Add(-1000 * time.Hour)))
			return err
		}},
		"SettleMeter": {0, func(tx store.SystemTx) error {
			return tx.SettleMeter(w.ID, 1, entry.Meter.Hour, index)
		}},
		"PutQuestion":     {0, func(tx store.SystemTx) error { return tx.PutQuestion(Question("q1"), Noon) }},
		"ReplyTo":         {0, func(tx store.SystemTx) error { return tx.ReplyTo("q0", "{}") }},
		"DropQuestion":    {0, func(tx store.SystemTx) error { return tx.DropQuestion("q00") }},
		"PruneIdempotent": {0, func(tx store.SystemTx) error { _, err := tx.PruneIdempotent(Noon); return err }},
		"EndToken":        {1, func(tx store.SystemTx) error { return of(tx).EndToken("t0", Noon, Event("")) }},
		"PutToken":        {1, func(tx store.SystemTx) error { return tx.PutToken(Token("t1", acme), Event("")) }},
		"Lead":            {1, func(tx store.SystemTx) error { _, err := tx.Lead("control", "me", Noon); return err }},
		"Compete":         {1, func(tx store.SystemTx) error { _, _, err := tx.Compete("control", "you", 0); return err }},
		"Renew":           {1, leads(func(tx store.SystemTx, epoch int64) error { return tx.Renew("control", epoch) })},
		"Resign":          {1, leads(func(tx store.SystemTx, epoch int64) error { return tx.Resign("control", epoch) })},
		"SetMeta":         {0, func(tx store.SystemTx) error { return tx.SetMeta("color", "blue") }},
		"system Append":   {1, func(tx store.SystemTx) error { _, err := tx.Append(Event(audit.PlanRefused)); return err }},
	}
}

// leads takes the lease, and then does what only its holder may.
func leads(f func(store.SystemTx, int64) error) func(store.SystemTx) error {
	return func(tx store.SystemTx) error {
		epoch, _, err := tx.Compete("control", "them", 0)
		return errors.Join(err, f(tx, epoch))
	}
}

type change struct {
	leaves int64
	run    func(store.SystemTx) error
}

// reads is every method that changes nothing.
var reads = map[string]bool{
	"Tenant": true, "Workload": true, "Workloads": true, "Counts": true, "Attempts": true, "Attempt": true, "Placement": true, "Decisions": true,
	"Idempotent": true, "Events": true, "Entries": true, "Meters": true, "For": true, "OpenWorkloads": true, "LiveAttempts": true,
	"LostAttempts": true, "Placements": true, "PlanInForce": true, "Sites": true, "Site": true, "Signal": true, "Measured": true,
	"LatestForecasts": true, "PlanProof": true, "PlanProofs": true, "ForecastAt": true, "IssuedForecasts": true, "Prices": true, "UnsettledMeters": true, "Token": true, "Tokens": true, "CheckLead": true, "LeaderEpoch": true, "Meta": true, "LogSize": true,
	"Checkpoint": true, "Checkpoints": true, "Leaves": true, "Hashes": true, "Transitions": true, "States": true, "Decided": true,
	"History": true, "Histories": true, "FirstDecision": true, "AttemptsOf": true, "DecidedOf": true, "EntriesOf": true, "MetersOf": true, "Changes": true, "LastChange": true, "EntriesFrom": true, "Queues": true, "Budgets": true, "Questions": true,
}

// eventForEachChange: a change and its event are one, and no change has none
// but those that the store's contract names.
func eventForEachChange(t *testing.T, d store.DB) {
	all := changes(t, d)
	for _, iface := range []reflect.Type{reflect.TypeFor[store.TenantTx](), reflect.TypeFor[store.SystemTx]()} {
		for m := range iface.Methods() {
			if _, changing := all[m.Name]; !changing && !reads[m.Name] {
				t.Errorf("nobody says whether %s changes anything", m.Name)
			}
		}
	}
	for name, c := range all {
		before := size(t, d)
		if err := d.System().Update(ctx, c.run); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got := size(t, d) - before; got != c.leaves {
			t.Errorf("%s puts %d leaves into the log, want %d", name, got, c.leaves)
		}
	}
	sound(t, d)
}

// viewChangesNothing: in a View every change is refused, whatever it is.
func viewChangesNothing(t *testing.T, d store.DB) {
	all := changes(t, d)
	before := size(t, d)
	for name, c := range all {
		if d.System().View(ctx, c.run) == nil {
			t.Errorf("a View let %s change something", name)
		}
	}
	if now := size(t, d); now != before {
		t.Errorf("views put %d leaves into the log", now-before)
	}
	look(t, d, func(tx store.SystemTx) error {
		ids, err := store.VerifyReplay(tx)
		if len(ids) > 0 {
			t.Errorf("views changed %v", ids)
		}
		if _, found, _ := tx.Meta("color"); found {
			t.Error("a view wrote a meta fact")
		}
		return err
	})
}

// Token returns a token of a tenant's operator.
func Token(id string, who access.Tenant) access.Token {
	return access.Token{
		ID: id, Hash: []byte("hash of " + id), Created: Noon,
		Grant: access.Grant{Holder: access.Principal("token:" + id), Role: access.Operator, Tenant: who, From: Noon, Until: Noon.Add(time.Hour)},
	}
}
