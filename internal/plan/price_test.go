package plan

import (
	"strings"
	"testing"
	"time"

	"clusy.io/clusy/internal/grid"
	"clusy.io/clusy/internal/workload"
)

// priced is the doubtful world without its items, with a market in DE that
// tells prices of the day in cents.
func priced(t *testing.T, currency string, cents ...int64) (Snapshot, Item) {
	t.Helper()
	s, _ := doubtful(t)
	it := *itemOfID(&s, "fresh")
	it.Shape.When.NotBefore = time.Time{}
	it.Shape.Objective.Minimize = workload.MinimizeCost
	s.Items = nil
	p := grid.Prices{Provider: "m", Zone: "DE", Issued: midnight, Currency: currency, Start: midnight, Step: time.Hour}
	for _, c := range cents {
		p.Values = append(p.Values, grid.Rate(c)*10_000)
	}
	s.Prices = map[grid.Zone][]grid.Prices{"DE": {p}}
	return s, it
}

func placedAt(t *testing.T, s Snapshot, it Item) Placement {
	t.Helper()
	p, refused := Admit(s, it)
	if refused != nil {
		t.Fatalf("refused: %+v", refused)
	}
	if err := Check(with(s, it), p); err != nil {
		t.Fatal(err)
	}
	return p.Placements[0]
}

// Work that is to cost least follows the market, below zero too, and the
// place's own price where the market has told none.
func TestWorkFollowsPrices(t *testing.T) {
	// 1.2 kWh of the facility in an hour; the flat price is 30 cents.
	for _, c := range []struct {
		what  string
		cents []int64
		start float64
		cost  grid.Money
	}{
		{"the cheapest hour", []int64{20, 20, 19, 18, 5, 18, 19, 20, 20}, 4, 60_000},
		{"below zero", []int64{20, 20, -1, -7, 5, 18, 19, 20, 20}, 3, -84_000},
		{"all dearer than flat", []int64{50, 50, 40}, 3, 360_000},
	} {
		s, it := priced(t, "EUR", c.cents...)
		pl := placedAt(t, s, it)
		if !pl.Start().Equal(hour(c.start)) || pl.Cost != c.cost || pl.Currency != "EUR" {
			t.Errorf("%s: at %s for %d %s, want %g for %d", c.what, pl.Start().Format("15:04"), pl.Cost, pl.Currency, c.start, c.cost)
		}
		if c.start > 1 && !strings.Contains(pl.Why.Text, "costs") {
			t.Errorf("%s: %s", c.what, pl.Why.Text)
		}
	}
	// Prices in another currency, and those of a later issue, are not known.
	s, it := priced(t, "SEK", 20, 20, 19, 18, 5)
	if pl := placedAt(t, s, it); pl.Currency != "EUR" || pl.Cost != 360_000 || !pl.Start().Equal(s.Now) {
		t.Errorf("another currency: %+v", pl)
	}
	s, it = priced(t, "EUR", 20, 20, 19, 18, 5)
	later := s.Prices["DE"][0]
	later.Issued = hour(9)
	w := World{Now: s.Now, Sites: s.Sites, Prices: map[grid.Zone][]grid.Prices{"DE": {later}}}
	if got := Observe(w, Rules{}); len(got.Prices["DE"]) != 0 {
		t.Error("a plan knows the future")
	}
	if zones := Zones(s.Sites); len(zones) != 2 || zones[0] != "DE" {
		t.Errorf("zones %v", zones)
	}
	// Without a price of its own, the place costs what the market says, and an
	// unknown amount where it says nothing.
	s.Sites[0].Currency = ""
	if pl := placedAt(t, s, it); !pl.Start().Equal(hour(4)) || pl.Cost != 60_000 {
		t.Errorf("market only: %+v", pl)
	}
	it.Shape.When.NotBefore = hour(5)
	if pl := placedAt(t, s, it); pl.Currency != "" || pl.Cost != 0 {
		t.Errorf("unknown: %d %q", pl.Cost, pl.Currency)
	}
}

// A ceiling of cost holds by the hour, and the refusal says what is the least.
func TestCostCeilingByTheHour(t *testing.T) {
	s, it := priced(t, "EUR", 20, 20, 19, 5, 18, 18, 19, 20, 20)
	it.Shape.Objective.Minimize = workload.MinimizeCarbon
	it.Shape.When.CompleteBy = hour(9)
	free := placedAt(t, s, it)
	it.Shape.Objective.CostCeiling = free.Cost - 1
	if pl := placedAt(t, s, it); pl.Cost >= free.Cost {
		t.Errorf("costs %d, its ceiling is %d", pl.Cost, free.Cost-1)
	}
	it.Shape.Objective.CostCeiling = 59_999
	_, refused := Admit(s, it)
	if refused == nil || refused.Failed[0].Field != "objective.costCeiling" || refused.Failed[0].Nearest != "0.06 EUR" {
		t.Errorf("refused with %+v", refused)
	}
	it.Shape.Objective.CostCeiling = 60_000
	if pl := placedAt(t, s, it); !pl.Start().Equal(hour(3)) {
		t.Errorf("placed at %s", pl.Start())
	}
}

// Work in force moves for a gain of price, and the Book hears of new prices.
func TestNewPricesMoveWork(t *testing.T) {
	s, it := priced(t, "EUR", 20, 20, 19, 18, 17, 18, 19, 20, 20)
	pl := placedAt(t, s, it)
	it.Placement = &pl
	b := NewBook(recordOf(with(s, it)), Rules{Step: s.Step, Horizon: s.Horizon, Margin: s.Margin})
	next, _ := priced(t, "EUR", 20, 20, 19, 18, 17, 4, 19, 20, 20)
	moved := Compute(with(next, it))
	if err := Check(with(next, it), moved); err != nil || !moved.Placements[0].Start().Equal(hour(5)) {
		t.Errorf("%v: %+v", err, moved.Placements)
	}
	b.SetPrices(next.Prices)
	fresh := it
	fresh.ID, fresh.Placement = "another", nil
	if got, ok := b.Admit(fresh); !ok || !got.Start().Equal(hour(5)) {
		t.Errorf("the Book places it at %s, %v", got.Start(), ok)
	}
}

// A price of carbon weighs cost against carbon: the higher it is, the cleaner
// and dearer the hour that is taken. The reasons say both.
func TestCarbonPriceWeighsBoth(t *testing.T) {
	for _, c := range []struct {
		perTonne grid.Money
		start    float64
	}{{1, 3}, {100, 3}, {1000, 4}} { // at 3 h 5 cents and 500 g/kWh, at 4 h 18 cents and 120 g/kWh: equal at 342 EUR/t
		for _, m := range []workload.Minimize{workload.MinimizeCarbon, workload.MinimizeCost} {
			s, it := priced(t, "EUR", 20, 20, 19, 5, 18, 18, 19, 20, 20)
			it.Shape.Objective = workload.Objective{Minimize: m, CarbonPrice: c.perTonne * 1_000_000, Currency: "EUR"}
			pl := placedAt(t, s, it)
			if !pl.Start().Equal(hour(c.start)) {
				t.Errorf("%s, at %d EUR/t it starts at %s", m, c.perTonne, pl.Start())
			}
			if !strings.Contains(pl.Why.Text, "it costs") || !strings.Contains(pl.Why.Text, "and emits") {
				t.Errorf("its reason is %q", pl.Why.Text)
			}
			it.Shape.Objective.MinSaving = 999
			if pl := placedAt(t, s, it); !pl.Start().Equal(s.Now) || pl.Why.Binding != BindingMinSaving {
				t.Errorf("for nearly all of the sum it waits until %s", pl.Start())
			}
		}
	}
	// In another currency nothing is known of the cost, and the carbon decides.
	s, it := priced(t, "EUR", 20, 20, 19, 5, 18, 18, 19, 20, 20)
	it.Shape.Objective = workload.Objective{Minimize: workload.MinimizeCost, CarbonPrice: 1_000_000, Currency: "SEK"}
	if pl := placedAt(t, s, it); !pl.Start().Equal(hour(4)) {
		t.Errorf("in another currency it starts at %s", pl.Start())
	}
}
