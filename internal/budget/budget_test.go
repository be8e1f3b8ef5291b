package budget

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"clusy.io/clusy/internal/grid"
	"clusy.io/clusy/internal/ledger"
	"clusy.io/clusy/internal/plan"
	"clusy.io/clusy/internal/workload"
)

var noon = time.Date(2026, 3, 18, 12, 0, 0, 0, time.UTC) // a Wednesday

func TestPeriods(t *testing.T) {
	for _, c := range []struct {
		period   Period
		offset   time.Duration
		at       string
		from, to string
	}{
		{Day, 0, "2026-03-18T12:00:00Z", "2026-03-18T00:00:00Z", "2026-03-19T00:00:00Z"},
		{Day, 2 * time.Hour, "2026-03-18T23:00:00Z", "2026-03-18T22:00:00Z", "2026-03-19T22:00:00Z"},
		{Day, -3 * time.Hour, "2026-03-18T02:59:59Z", "2026-03-17T03:00:00Z", "2026-03-18T03:00:00Z"},
		{Week, 0, "2026-03-16T00:00:00Z", "2026-03-16T00:00:00Z", "2026-03-23T00:00:00Z"},
		{Week, 0, "2026-03-22T23:59:59Z", "2026-03-16T00:00:00Z", "2026-03-23T00:00:00Z"},
		{Week, time.Hour, "2026-03-22T23:30:00Z", "2026-03-22T23:00:00Z", "2026-03-29T23:00:00Z"},
		{Month, 0, "2024-02-29T12:00:00Z", "2024-02-01T00:00:00Z", "2024-03-01T00:00:00Z"},
		{Month, 0, "2026-12-31T23:59:59Z", "2026-12-01T00:00:00Z", "2027-01-01T00:00:00Z"},
		{Quarter, 0, "2026-03-31T23:59:59Z", "2026-01-01T00:00:00Z", "2026-04-01T00:00:00Z"},
		{Quarter, 0, "2026-11-05T00:00:00Z", "2026-10-01T00:00:00Z", "2027-01-01T00:00:00Z"},
	} {
		at, err := time.Parse(time.RFC3339, c.at)
		if err != nil {
			t.Fatal(err)
		}
		w := Budget{Period: c.period, Offset: c.offset}.PeriodOf(at)
		if got := w.Start.Format(time.RFC3339) + " " + w.End.Format(time.RFC3339); got != c.from+" "+c.to {
			t.Errorf("the %s of %s at %s is %s, want %s %s", c.period, c.at, c.offset, got, c.from, c.to)
		}
	}
}

// Periods follow each other without a gap, and each time lies in its own.
func TestPeriodsTile(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		b := Budget{Period: []Period{Day, Week, Month, Quarter}[r.IntN(4)], Offset: time.Duration(r.IntN(28*60+1)-14*60) * time.Minute}
		at := noon.Add(time.Duration(r.Int64N(int64(20 * 366 * 24 * time.Hour)))).Truncate(time.Second)
		w := b.PeriodOf(at)
		if at.Before(w.Start) || !at.Before(w.End) {
			t.Fatalf("%+v: %s is not in its period %v", b, at, w)
		}
		if next := b.PeriodOf(w.End); !next.Start.Equal(w.End) || b.PeriodOf(w.End.Add(-1)) != w {
			t.Fatalf("%+v: after %v comes %v", b, w, next)
		}
	}
}

func TestValidate(t *testing.T) {
	good := Budget{Name: "team", Measure: Money, Currency: "EUR", Limit: 5, Period: Month, Then: Hold}
	if vs := good.Validate(); len(vs) > 0 {
		t.Errorf("a good budget: %v", vs)
	}
	for pointer, spoil := range map[string]func(*Budget){
		"/name":      func(b *Budget) { b.Name = "Team NLP" },
		"/queue":     func(b *Budget) { b.Queue = "-" },
		"/measure":   func(b *Budget) { b.Measure, b.Currency = "trees", "" },
		"/period":    func(b *Budget) { b.Period = "fortnight" },
		"/then":      func(b *Budget) { b.Then = "" },
		"/limit":     func(b *Budget) { b.Limit = -1 },
		"/currency":  func(b *Budget) { b.Currency = "euro" },
		"/utcOffset": func(b *Budget) { b.Offset = 15 * time.Hour },
	} {
		b := good
		spoil(&b)
		vs := b.Validate()
		if len(vs) != 1 || vs[0].Pointer != pointer || vs[0].Message == "" || vs[0].Limit == "" {
			t.Errorf("%s: %+v", pointer, vs)
		}
	}
	free := good
	free.Measure = Energy
	if vs := free.Validate(); len(vs) != 1 || vs[0].Pointer != "/currency" {
		t.Errorf("energy in EUR: %+v", vs)
	}
	for m, want := range map[Measure]string{Carbon: "1.5 kg CO2e", Energy: "1.5e+03 kWh", Money: "1500.00 EUR", GPUHours: "1500 GPU-hours", CPUHours: "1500 CPU-hours"} {
		b := Budget{Measure: m, Currency: "EUR"}
		if got := b.Say(m.Amount(1500)); got != want {
			t.Errorf("1500 of %s is said as %q, want %q", m, got, want)
		}
	}
	if Carbon.Amount(1e300) != 1<<60 {
		t.Error("more than can be counted is not cut")
	}
}

// place returns a placement of a kilowatt for some hours, a gram for each
// kilowatt-hour and a cent too.
func place(id string, from time.Time, d time.Duration) (workload.Shape, plan.Placement) {
	shape := workload.Shape{Duration: workload.Duration{Expected: d, P95: d, Max: 2 * d}, Power: 1000 * grid.Watt, Demand: workload.Resources{CPU: 2000, Slots: 1},
		When: workload.When{CompleteBy: from.Add(72 * time.Hour)}}
	shape.Demand.GPUs[0] = workload.GPU{Type: "a100", Count: 3}
	kwh := grid.Drawn(shape.Power, d)
	return shape, plan.Placement{Workload: id, Site: "here", Spans: []plan.Span{{Start: from, End: from.Add(d)}}, Reserved: from.Add(d), Energy: kwh,
		Carbon: grid.Emitted(kwh, 1000), Grade: "A", Cost: grid.Charged(kwh, 10_000), Currency: "EUR"}
}

// entry is an hour of the ledger in which a kilowatt ran for some time.
func entry(id string, hour time.Time, d time.Duration, carbon grid.Carbon) ledger.Line {
	kwh := grid.Drawn(1000*grid.Watt, d)
	return ledger.Line{Entry: ledger.Entry{Meter: ledger.Meter{Workload: id, Attempt: 1, Hour: hour, Site: "here", Runs: []ledger.Run{{From: hour, To: hour.Add(d)}}, Energy: kwh},
		Uses: []ledger.Use{{From: hour, To: hour.Add(d), Energy: kwh}}, Emitted: carbon}}
}

func records(bs ...Budget) Records {
	return Records{Now: noon, Budgets: bs, Shapes: map[string]workload.Shape{}, Decided: map[string]plan.Placement{}, Open: map[string]bool{},
		Sites: []plan.Site{{ID: "here", Zone: "Z", PUE: 1500, Price: 10_000, Currency: "EUR"}}}
}

func (r *Records) add(id, queue string, from time.Time, d time.Duration) {
	shape, pl := place(id, from, d)
	shape.Queue = queue
	r.Shapes[id], r.Decided[id], r.Open[id] = shape, pl, true
}

// TestStatementAddsUp: what is spent and booked, by each measure, against a sum
// that is made here by hand.
func TestStatementAddsUp(t *testing.T) {
	day := func(m Measure) Budget {
		return Budget{Name: string(m), Measure: m, Currency: map[Measure]string{Money: "EUR"}[m], Limit: m.Amount(100), Period: Day, Then: Hold}
	}
	r := records(day(Carbon), day(Energy), day(Money), day(GPUHours), day(CPUHours))
	r.add("run", "", noon.Add(10*time.Hour), 4*time.Hour) // two hours of it today
	r.Shapes["old"], r.Decided["old"] = r.Shapes["run"], r.Decided["run"]
	r.Entries = []ledger.Line{
		entry("old", noon.Add(-3*time.Hour), time.Hour, 500_000),
		entry("old", noon.Add(-2*time.Hour), 30*time.Minute, 200_000),
		entry("old", noon.Add(-20*time.Hour), time.Hour, 900_000), // yesterday
		entry("old", noon.Add(-3*time.Hour), time.Hour, 400_000),  // restates the first
	}
	// Metered, and not in the ledger: a kilowatt-hour of the machine.
	r.Pending = []ledger.Meter{
		{Workload: "old", Attempt: 1, Hour: noon.Add(-time.Hour), Site: "here", Runs: []ledger.Run{{From: noon.Add(-time.Hour), To: noon}}, Energy: grid.KilowattHour},
		{Workload: "old", Attempt: 1, Hour: noon.Add(-2 * time.Hour), Site: "here", Runs: []ledger.Run{{From: noon.Add(-2 * time.Hour), To: noon.Add(-90 * time.Minute)}}, Energy: grid.KilowattHour},
	}
	k := NewBook(r)
	// Booked: two hours of a kilowatt and the metered one, both at a PUE of 1.5.
	want := map[string][2]float64{
		"gCO2e": {600, 4.5}, "kWh": {1.5, 4.5}, "money": {0.015, 0.045}, "gpu-hours": {4.5, 9}, "cpu-hours": {3, 6},
	}
	for _, b := range k.Budgets() {
		s := k.Statement(b, noon)
		spent, booked := float64(s.Spent)/b.Measure.Unit(), float64(s.Booked)/b.Measure.Unit()
		if near := func(a, b float64) bool { return a > b*0.999-1e-9 && a < b*1.001+1e-9 }; !near(spent, want[b.Name][0]) || !near(booked, want[b.Name][1]) {
			t.Errorf("%s: spent %g and booked %g, want %v", b.Name, spent, booked, want[b.Name])
		}
		if s.Unknown != 0 {
			t.Errorf("%s: %s are unknown", b.Name, s.Unknown)
		}
	}
}

// TestUnknownIsNeverZero: time whose figure is not known is counted apart, and
// work of which it is not known does not fit into a budget that holds.
func TestUnknownIsNeverZero(t *testing.T) {
	carbon := Budget{Name: "c", Measure: Carbon, Limit: Carbon.Amount(100), Period: Day, Then: Hold}
	money := Budget{Name: "m", Measure: Money, Currency: "SEK", Limit: Money.Amount(100), Period: Day, Then: Hold}
	r := records(carbon, money)
	r.add("dark", "", noon.Add(time.Hour), 2*time.Hour)
	pl := r.Decided["dark"]
	pl.Grade, pl.Carbon = "", 0
	r.Decided["dark"] = pl
	r.Entries = []ledger.Line{entry("dark", noon.Add(-time.Hour), time.Hour, 5000)}
	k := NewBook(r)
	if s := k.Statement(carbon, noon); s.Booked != 0 || s.Unknown != 2*time.Hour || s.Spent != 5000 {
		t.Errorf("carbon: %+v", s)
	}
	if s := k.Statement(money, noon); s.Spent != 0 || s.Unknown != 3*time.Hour {
		t.Errorf("money in another currency: %+v", s)
	}
	over := k.Over("new", r.Shapes["dark"], pl, Hold)
	if len(over) != 2 || over[0].Known || over[1].Known {
		t.Errorf("what is not known fits: %+v", over)
	}
}

func TestForecast(t *testing.T) {
	b := Budget{Name: "b", Measure: Energy, Limit: Energy.Amount(100), Period: Month, Then: Hold}
	r := records(b)
	r.Shapes["old"] = workload.Shape{}
	if s := NewBook(r).Statement(b, noon); !s.Exhausted.IsZero() || !strings.Contains(s.Why, "no rate") {
		t.Errorf("without history: %+v", s)
	}
	// A kilowatt-hour every hour for four weeks and more: 12 + 17 days × 24 = 420
	// are far beyond; of a limit of 500 it is 420 spent, and 80 hours left.
	for h := range 40 * 24 {
		r.Entries = append(r.Entries, entry("old", noon.Add(-time.Duration(h+1)*time.Hour), time.Hour, 0))
	}
	b.Limit = Energy.Amount(500)
	s := NewBook(r).Statement(b, noon)
	if s.Spent != Energy.Amount(420) || s.History != Look || !s.Exhausted.Equal(noon.Add(80*time.Hour)) || !strings.Contains(s.Why, "24 kWh a day") {
		t.Errorf("a steady rate: %+v", s)
	}
	// What is booked comes first.
	r.add("run", "", noon.Add(time.Hour), 20*time.Hour) // 30 kWh at a PUE of 1.5
	if s := NewBook(r).Statement(b, noon); !s.Exhausted.Equal(noon.Add(50 * time.Hour)) {
		t.Errorf("with what is booked: %+v", s)
	}
	b.Limit = Energy.Amount(900)
	if s := NewBook(r).Statement(b, noon); !s.Exhausted.IsZero() || !strings.Contains(s.Why, "lasts to the end") {
		t.Errorf("enough: %+v", s)
	}
	b.Limit = Energy.Amount(400)
	if s := NewBook(r).Statement(b, noon); !s.Exhausted.Equal(noon) || s.Left() >= 0 {
		t.Errorf("exceeded: %+v", s)
	}
	r = records(b)
	r.Entries = []ledger.Line{entry("old", noon.Add(-30*time.Minute).Truncate(time.Hour), 10*time.Minute, 0)}
	r.Now = noon.Add(-10 * time.Minute)
	if s := NewBook(r).Statement(b, noon); !s.Exhausted.IsZero() || !strings.Contains(s.Why, "too little") {
		t.Errorf("ten minutes of history: %+v", s)
	}
}

// TestSeekClosesPeriods: a place is looked for until one is within every budget
// that holds; what would exceed one is told with what is left.
func TestSeekClosesPeriods(t *testing.T) {
	b := Budget{Name: "b", Measure: Energy, Limit: Energy.Amount(4), Period: Day, Then: Hold}
	r := records(b, Budget{Name: "other", Queue: "elsewhere", Measure: Energy, Limit: 0, Period: Day, Then: Hold},
		Budget{Name: "warn", Measure: Energy, Limit: 0, Period: Day, Then: Alert})
	r.add("run", "", noon.Add(time.Hour), 2*time.Hour) // 3 kWh today
	k := NewBook(r)
	shape, _ := place("new", noon, 2*time.Hour)
	at := func(closed []workload.Span) (plan.Placement, bool) {
		from := noon.Add(4 * time.Hour)
		for _, c := range closed {
			if from.Before(c.End) {
				from = c.End
			}
		}
		_, pl := place("new", from, 2*time.Hour)
		return pl, !pl.Reserved.After(shape.When.CompleteBy)
	}
	pl, closed, over, ok := k.Seek("new", shape, at)
	if !ok || !pl.Start().Equal(noon.Add(12*time.Hour)) || len(closed) != 1 || len(over) != 1 || over[0].Left() != Energy.Amount(1) || over[0].Needs != Energy.Amount(3) {
		t.Fatalf("%v %v %v %+v", ok, pl.Spans, closed, over)
	}
	if x := k.Over("new", shape, pl, Alert); len(x) != 1 || x[0].Budget.Name != "warn" {
		t.Errorf("the budget that alerts: %+v", x)
	}
	k.Put("new", shape, pl)
	shape.When.CompleteBy = noon.Add(30 * time.Hour) // today and tomorrow are taken
	if _, _, over, ok := k.Seek("next", shape, at); ok || len(over) != 2 {
		t.Errorf("there is room for a third: %v %+v", ok, over)
	}
	if from, ok := k.Room(b, noon, Energy.Amount(3)); !ok || !from.Equal(noon.Add(36*time.Hour)) {
		t.Errorf("room from %s", from)
	}
	if _, ok := k.Room(b, noon, Energy.Amount(5)); ok {
		t.Error("more than a whole period has fits")
	}
	k.Reset()
	if _, _, _, ok := k.Seek("next", shape, at); !ok {
		t.Error("what was forgotten is still booked")
	}
	// One that does not listen ends too.
	if _, _, _, ok := k.Seek("deaf", shape, func([]workload.Span) (plan.Placement, bool) {
		_, pl := place("deaf", noon.Add(time.Hour), 2*time.Hour)
		return pl, true
	}); ok {
		t.Error("a place in a closed period is taken")
	}
}

// TestClosedHoldsAllAtOnce: whatever a new plan moves into periods that are open
// to each, no budget that holds is exceeded by it.
func TestClosedHoldsAllAtOnce(t *testing.T) {
	moved := 0
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 5))
		b := Budget{Name: "b", Measure: []Measure{Energy, CPUHours}[r.IntN(2)], Limit: 0, Period: Day, Then: Hold}
		b.Limit = b.Measure.Amount(float64(5 + r.IntN(20)))
		rec := records(b)
		for i := range 1 + r.IntN(4) {
			rec.add(string(rune('a'+i)), "", noon.Add(time.Duration(1+r.IntN(60))*time.Hour), time.Duration(1+r.IntN(4))*time.Hour)
		}
		before := NewBook(rec)
		closed := map[string][]workload.Span{}
		for id := range rec.Open {
			closed[id] = before.Closed(id, rec.Shapes[id], rec.Decided[id])
			for _, c := range closed[id] {
				for _, s := range rec.Decided[id].Spans {
					if s.Start.Before(c.End) && s.End.After(c.Start) {
						t.Fatalf("seed %d: %s is closed out of where it is", seed, id)
					}
				}
			}
		}
		for id := range rec.Open { // everything moves anywhere that is open to it
			for range 20 {
				from := noon.Add(time.Duration(1+r.IntN(60)) * time.Hour)
				d := rec.Shapes[id].Duration.Expected
				if slices.ContainsFunc(closed[id], func(c workload.Span) bool { return from.Before(c.End) && from.Add(d).After(c.Start) }) {
					continue
				}
				_, rec.Decided[id] = place(id, from, d)
				moved++
				break
			}
		}
		after := NewBook(rec)
		for day := range 4 {
			at := noon.Add(time.Duration(day) * 24 * time.Hour)
			was, is := before.Statement(b, at), after.Statement(b, at)
			if is.Left() < 0 && is.Booked > was.Booked {
				// Work that is partly in a period may come into it as a whole: it is there already.
				spread := false
				for id := range rec.Open {
					for _, s := range before.booked {
						spread = spread || s.Workload == id && before.touches(id, is.Period) && (s.From.Before(is.Period.Start) || s.To.After(is.Period.End))
					}
				}
				if !spread {
					t.Fatalf("seed %d: day %d: left %s, it was %s", seed, day, b.Say(is.Left()), b.Say(was.Left()))
				}
			}
		}
	}
	if moved < 300 {
		t.Errorf("only %d moves were tried", moved)
	}
}

func TestWays(t *testing.T) {
	shape, pl := place("w", noon, time.Hour)
	shape.Ways = []workload.Way{{Power: 200 * grid.Watt, Demand: workload.Resources{CPU: 500}}}
	pl.Way = 1
	ps := Booked("w", shape, pl, 1000, noon)
	if len(ps) != 1 || ps[0].Energy != grid.Drawn(200*grid.Watt, time.Hour) || ps[0].CPU != 500*3600 || ps[0].GPU != 0 {
		t.Errorf("by its second way it takes %+v", ps)
	}
	if ps := Booked("w", shape, pl, 1000, noon.Add(2*time.Hour)); len(ps) != 0 {
		t.Errorf("what is past is booked: %+v", ps)
	}
	if n := ratio(1<<62, 1<<40, 1); n != 1<<60 {
		t.Errorf("more than can be counted is %d", n)
	}
	if n := ratio(-7, 1, 2); n != -4 {
		t.Errorf("half of -7 is %d", n)
	}
}
