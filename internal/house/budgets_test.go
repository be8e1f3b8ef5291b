package house

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"sync"
	"testing"
	"time"

	"clusy.io/clusy"
	"clusy.io/clusy/internal/access"
	"clusy.io/clusy/internal/store"
)

const kilowattHour = `apiVersion: clusy.io/v1
kind: Intent
metadata: {name: %s}
run: {exec: ["true"]}
shape: {duration: 1h, power: 1kW, resources: {cpus: 0.1}}
when: {completeBy: +20h}
`

// TestLastOfABudgetIsTakenOnce: of many that come at once, only as many are
// admitted as the budget has room for, on a real store.
func TestLastOfABudgetIsTakenOnce(t *testing.T) {
	cfg := berlin()
	cfg.Sites[0].Slots, cfg.Replay.Rate = 50, 1
	h, _ := run(t, cfg)
	c := client(h, token(t, h, tenant, access.Admin, "", 0, 24*time.Hour))
	// Each takes 1.2 kWh of the facility: there is room for three.
	if _, err := c.SetBudget(t.Context(), "team", clusy.BudgetSettings{Measure: "kWh", Limit: 4, Period: "quarter"}); err != nil {
		t.Fatal(err)
	}
	const many = 16
	errs := make([]error, many)
	var all sync.WaitGroup
	for i := range many {
		all.Go(func() { _, errs[i] = submit(t, h, fmt.Sprint("k", i), fmt.Sprintf(kilowattHour, fmt.Sprint("w", i))) })
	}
	all.Wait()
	admitted := 0
	for _, err := range errs {
		var p *clusy.Problem
		switch {
		case err == nil:
			admitted++
		case !errors.As(err, &p) || p.Status != 422 || !strings.Contains(err.Error(), "Budget team has"):
			t.Errorf("refused with %v", err)
		}
	}
	// What is booked, summed here from the placements.
	ws, err := c.Workloads(t.Context(), nil, "", 100)
	if err != nil {
		t.Fatal(err)
	}
	sum := 0.0
	for _, w := range ws.Items {
		sum += w.Plan.Energy
	}
	b, err := c.Budget(t.Context(), "team")
	if err != nil || admitted != 3 || math.Abs(sum-3.6) > 1e-3 || math.Abs(b.Booked-sum) > 1e-2 || b.Left < 0 {
		t.Errorf("%d were admitted and take %g kWh: %+v, %v", admitted, sum, b, err)
	}
	// A day that could not bear all of them is closed to those that are not in it.
	if _, err := c.SetBudget(t.Context(), "team", clusy.BudgetSettings{Measure: "kWh", Limit: 3, Period: "day"}); err != nil {
		t.Fatal(err)
	}
	err = h.db.System().View(t.Context(), func(sys store.SystemTx) error {
		world, err := tx{sys}.World(h.Clock.Now())
		for _, w := range world.Open {
			if len(world.Closed[w.ID]) != 1 {
				t.Errorf("closed to %s is %v", w.ID, world.Closed[w.ID])
			}
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
	// Budgets are each tenant's own.
	other := client(h, token(t, h, "other", access.Admin, "", 0, 24*time.Hour))
	if p, err := other.Budgets(t.Context(), time.Time{}); err != nil || len(p.Items) != 0 {
		t.Errorf("another tenant sees %+v, %v", p.Items, err)
	}
}

// TestSpentIsWhatTheLedgerSays: what was spent of a budget is the sum of the
// ledger's entries, which is made here once more.
func TestSpentIsWhatTheLedgerSays(t *testing.T) {
	cfg := berlin()
	h, _ := run(t, cfg)
	c := client(h, token(t, h, tenant, access.Admin, "", 0, 24*time.Hour))
	for name, s := range map[string]clusy.BudgetSettings{
		"carbon": {Measure: "gCO2e", Limit: 1e6, Period: "quarter", Then: "run"},
		"power":  {Measure: "kWh", Limit: 1e6, Period: "quarter", Then: "run"},
		"cores":  {Measure: "cpu-hours", Limit: 1e6, Period: "quarter", Then: "run"},
		"money":  {Measure: "money", Currency: "EUR", Limit: 1e6, Period: "quarter", Then: "run"},
		"night":  {Measure: "kWh", Limit: 1e6, Period: "quarter", Then: "run", Queue: "default"},
	} {
		if _, err := c.SetBudget(t.Context(), name, s); err != nil {
			t.Fatal(err)
		}
	}
	text := strings.Replace(strings.Replace(fmt.Sprintf(kilowattHour, "x"), `["true"]`, `[sh, -c, "sleep 0.5"]`, 1), "+20h", "+4h", 1)
	w, err := submit(t, h, "k", text)
	if err != nil {
		t.Fatal(err)
	}
	var es []clusy.LedgerEntry
	eventually(t, 60*time.Second, "it is booked", func() bool {
		got, err := c.Workload(t.Context(), w.ID)
		p, err2 := c.Entries(t.Context(), w.ID, "", 100)
		es = p.Items
		return err == nil && err2 == nil && got.State == "succeeded" && got.Account != nil && got.Account.Complete && len(es) > 0
	})
	var carbon, energy float64
	for _, e := range es {
		carbon, energy = carbon+e.Emitted, energy+e.EnergyKWh
	}
	p, err := c.Budgets(t.Context(), es[0].Hour)
	if err != nil {
		t.Fatal(err)
	}
	of := map[string]clusy.Budget{}
	for _, b := range p.Items {
		of[b.Name] = b
	}
	if b := of["carbon"]; math.Abs(b.Spent-carbon) > 1e-3 || carbon == 0 || b.Booked != 0 {
		t.Errorf("%g g are in the ledger, and %+v", carbon, b)
	}
	if b := of["power"]; math.Abs(b.Spent-energy) > 1e-5 || energy == 0 {
		t.Errorf("%g kWh are in the ledger, and %+v", energy, b)
	}
	if b := of["night"]; math.Abs(b.Spent-energy) > 1e-5 {
		t.Errorf("%g kWh are in the ledger, and of the queue %+v", energy, b)
	}
	if b := of["cores"]; b.Spent <= 0 || b.Spent > 0.1 {
		t.Errorf("a tenth of a core for less than an hour is %+v", b)
	}
	if b := of["money"]; b.Spent != 0 || b.Unknown <= 0 {
		t.Errorf("a site without a price spends %+v", b)
	}
}
