// Package storetest is what every store owes: one suite of promises, run on
// each of them. It also makes the small worlds that tests of a store need.
package storetest

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"

	"clusy.io/clusy/internal/access"
	"clusy.io/clusy/internal/audit"
	"clusy.io/clusy/internal/grid"
	"clusy.io/clusy/internal/merkle"
	"clusy.io/clusy/internal/plan"
	"clusy.io/clusy/internal/problem"
	"clusy.io/clusy/internal/store"
	"clusy.io/clusy/internal/workload"
)

// Test runs the whole suite. open returns a new, empty store, opened with
// Options, and closes it when the test ends.
func Test(t *testing.T, open func(t *testing.T) store.DB) {
	for _, c := range []struct {
		name string
		test func(*testing.T, store.DB)
	}{
		{"RoundTrip", roundTrip},
		{"TenantWall", tenantWall},
		{"NoTenant", noTenant},
		{"ViewChangesNothing", viewChangesNothing},
		{"EventForEachChange", eventForEachChange},
		{"MovesAsLegal", movesAsLegal},
		{"StaleCopies", staleCopies},
		{"OneLiveAttempt", oneLiveAttempt},
		{"Births", births},
		{"RollbackLeavesNothing", rollbackLeavesNothing},
		{"SpoiledIsNotKept", spoiledIsNotKept},
		{"PanicsHurtNobodyElse", panicsHurtNobodyElse},
		{"Counter", counter},
		{"Cancelled", cancelled},
		{"Closed", closed},
		{"Idempotency", idempotency},
		{"Groups", groups},
		{"Paging", paging},
		{"PagingUnderInserts", pagingUnderInserts},
		{"Pages", pages},
		{"OwnRows", ownRows},
		{"Changes", whatChanged},
		{"Events", events},
		{"Placements", placements},
		{"PlanInForce", planInForce},
		{"Proofs", proofs},
		{"Classes", classes},
		{"Budgets", budgets},
		{"Sites", sites},
		{"Signals", signals},
		{"SignalsTogether", signalsTogether},
		{"SignalsReplaced", signalsReplaced},
		{"Forecasts", forecasts},
		{"ClockAhead", clockAhead},
		{"Prices", prices},
		{"Retention", retention},
		{"Ledger", ledgerLines},
		{"Tokens", tokens},
		{"Counts", counts},
		{"Questions", questions},
		{"Leader", leader},
		{"Lease", lease},
		{"Meta", meta},
		{"Log", theLog},
		{"Chains", chains},
		{"Model", model},
	} {
		t.Run(c.name, func(t *testing.T) { c.test(t, open(t)) })
	}
}

// Origin is the log of the stores under test.
const Origin = "demo.clusy.io/log/test"

const (
	acme = access.Tenant("acme")
	umbr = access.Tenant("umbrella")
)

var ctx = context.Background()

// Noon is when most of what happens in the suite happens.
var Noon = time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)

// keys returns the log's key pair: fixed, so that a store can be opened again.
func keys() (merkle.Signer, merkle.Verifiers) {
	private, public, err := merkle.GenerateKey(bytes.NewReader(bytes.Repeat([]byte{7}, 64)), Origin)
	if err != nil {
		panic(err)
	}
	s, err := merkle.NewSigner(private)
	if err != nil {
		panic(err)
	}
	v, err := merkle.NewVerifiers(public)
	if err != nil {
		panic(err)
	}
	return s, v
}

// Options returns what to open a store with in dir, "" for one in memory.
func Options(dir string) store.Options {
	s, _ := keys()
	return store.Options{Dir: dir, Origin: Origin, Signer: s, Now: func() time.Time { return Noon }}
}

// Trusted returns the keys that verify the log of a store opened with Options.
func Trusted() note.Verifiers {
	_, v := keys()
	return v
}

// Event returns an event at noon by a principal of the suite.
func Event(kind audit.Kind) audit.Event {
	return audit.Event{At: Noon, Actor: "token:suite", Kind: kind, Detail: map[string]string{"why": "test"}}
}

// Workload returns a workload as it is born, the n-th of a tenant.
func Workload(t access.Tenant, n int) workload.Workload {
	created := Noon.Add(time.Duration(n) * time.Second)
	return workload.Workload{
		ID: fmt.Sprintf("wl_%s_%04d", t, n), Tenant: t, State: workload.Accepted, Rev: 1,
		Shape: workload.Shape{
			Duration: workload.Duration{Expected: time.Hour, P95: 90 * time.Minute, Max: 3 * time.Hour},
			Power:    300 * grid.Watt, PowerSource: "declared",
			Demand: workload.Resources{CPU: 1000, Memory: 512, Power: 300 * grid.Watt, Slots: 1},
			When:   workload.When{CompleteBy: Noon.Add(24 * time.Hour)}, Where: workload.Where{Allow: []string{"DE*"}},
			Objective: workload.Objective{Minimize: workload.MinimizeCarbon, MinSaving: 50},
			Policy:    workload.Policy{Promise: workload.Once, OnNoSignal: workload.RunNow, Baseline: workload.BaselineRunNow},
		},
		Sealed: []byte{1, 2, 3, byte(n)}, Enclave: "key-1", Created: created, Changed: created,
		Baseline: workload.Counterfactual{Rule: workload.BaselineRunNow, Site: "berlin", Zone: "DE", PUE: 1200, Start: created},
	}
}

// Attempt returns an attempt at berlin as it is born.
func Attempt(w workload.Workload, n int) workload.Attempt {
	return workload.Attempt{
		Workload: w.ID, N: n, Tenant: w.Tenant, Site: "berlin", Grant: fmt.Sprintf("%s/%d/grant", w.ID, n), Epoch: 3,
		State: workload.AttemptOffered, Rev: 1, Expires: Noon.Add(time.Minute), Changed: Noon,
	}
}

// Placement returns a placement of w at berlin.
func Placement(w workload.Workload, refs ...string) plan.Placement {
	p := plan.Placement{
		Workload: w.ID, Site: "berlin", Spans: []plan.Span{{Start: Noon.Add(time.Hour), End: Noon.Add(2 * time.Hour)}},
		Reserved: Noon.Add(3 * time.Hour), Latest: Noon.Add(5 * time.Hour), Energy: 1_080_000, Carbon: 90_000, Grade: grid.GradeA,
		Why: plan.Reasons{Binding: plan.BindingNone, Text: "because", Considered: 3, Fell: map[plan.Cause]int{plan.CauseDirtier: 2}},
	}
	for _, r := range refs {
		p.Why.Signals = append(p.Why.Signals, plan.SignalUsed{Zone: "DE", Provider: "test", Grade: grid.GradeA, Basis: grid.AverageLifecycle, Ref: r})
	}
	return p
}

// Series returns an hourly series of a zone from a start, in g/kWh.
func Series(zone grid.Zone, start time.Time, grams ...int64) grid.Series {
	s := grid.Series{
		Provenance: grid.Provenance{Provider: "test", Zone: zone, Issued: start.Add(-time.Hour), Basis: grid.AverageLifecycle, Grade: grid.GradeA},
		Start:      start, Step: time.Hour,
	}
	for _, g := range grams {
		s.Values = append(s.Values, grid.Intensity(g*1000))
	}
	return s
}

// Prices returns hourly prices of a zone, in cents.
func Prices(zone grid.Zone, start time.Time, cents ...int64) grid.Prices {
	p := grid.Prices{Provider: "test", Zone: zone, Issued: start.Add(-time.Hour), Currency: "EUR", Start: start, Step: time.Hour}
	for _, c := range cents {
		p.Values = append(p.Values, grid.Rate(c*10_000))
	}
	return p
}

// upTo is a Retention that keeps nothing from before a time.
func upTo(at time.Time) store.Retention {
	return store.Retention{Measured: at, Forecasts: at, Issued: at, Prices: at}
}

func ok(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func want(t testing.TB, err error, k problem.Kind) {
	t.Helper()
	if !problem.Is(err, k) {
		t.Fatalf("got error %v (%s), want one that is %s", err, problem.KindOf(err), k)
	}
}

func update(t testing.TB, d store.DB, who access.Tenant, f func(store.TenantTx) error) {
	t.Helper()
	ok(t, d.For(who).Update(ctx, f))
}

func house(t testing.TB, d store.DB, f func(store.SystemTx) error) {
	t.Helper()
	ok(t, d.System().Update(ctx, f))
}

func view(t testing.TB, d store.DB, who access.Tenant, f func(store.TenantTx) error) {
	t.Helper()
	ok(t, d.For(who).View(ctx, f))
}

func look(t testing.TB, d store.DB, f func(store.SystemTx) error) {
	t.Helper()
	ok(t, d.System().View(ctx, f))
}

// submit adds the n-th workload of a tenant.
func submit(t testing.TB, d store.DB, who access.Tenant, n int) workload.Workload {
	t.Helper()
	w := Workload(who, n)
	update(t, d, who, func(tx store.TenantTx) error { return tx.InsertWorkload(w, Event(audit.WorkloadSubmitted)) })
	return w
}

func move(t testing.TB, d store.DB, w *workload.Workload, to ...workload.State) {
	t.Helper()
	update(t, d, w.Tenant, func(tx store.TenantTx) error {
		for _, s := range to {
			if err := tx.MoveWorkload(w, s, Event("")); err != nil {
				return err
			}
		}
		return nil
	})
}

func size(t testing.TB, d store.DB) (n int64) {
	t.Helper()
	look(t, d, func(tx store.SystemTx) (err error) {
		n, err = tx.LogSize()
		return err
	})
	return n
}

// sound verifies the whole log, and that replay gives the tables.
func sound(t testing.TB, d store.DB) store.Report {
	t.Helper()
	r, err := store.VerifyLog(ctx, d, Trusted(), Origin)
	ok(t, err)
	return r
}

// Sound fails t unless everything that d says of its past holds.
func Sound(t testing.TB, d store.DB) store.Report {
	t.Helper()
	return sound(t, d)
}

// Fill makes every change once that a store can keep, so that no table is empty
// that need not be.
func Fill(t *testing.T, d store.DB) {
	t.Helper()
	all := changes(t, d)
	for _, name := range slices.Sorted(maps.Keys(all)) {
		house(t, d, all[name].run)
	}
}
