package plan

import (
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"slices"
	"strings"
	"testing"
	"time"

	"clusy.io/clusy/internal/grid"
	"clusy.io/clusy/internal/workload"
)

// hour returns a time of the first day.
func hour(h float64) time.Time { return midnight.Add(time.Duration(h * float64(time.Hour))) }

// doubtful is a world with one item of each kind, at 01:00, and a good plan for
// it: new work, work that pauses, runs, is held, is suspended, and is refused.
func doubtful(t *testing.T) (Snapshot, Plan) {
	t.Helper()
	series := func(z grid.Zone, gs ...int) []grid.Series {
		sr := grid.Series{Start: midnight, Step: time.Hour, Provenance: grid.Provenance{Provider: "p", Zone: z, Issued: midnight, Basis: grid.AverageLifecycle, Grade: grid.GradeB}}
		for _, g := range gs {
			sr.Values = append(sr.Values, grid.Intensity(g)*1000)
		}
		return []grid.Series{sr}
	}
	room := workload.Resources{CPU: 8000, Memory: 8192, Power: 10_000 * grid.Watt, Slots: 4}
	s := Snapshot{Now: hour(1), Parent: "before", Step: 30 * time.Minute, Horizon: 12 * time.Hour, Margin: time.Minute,
		Sites: []Site{
			{ID: "a", Zone: "DE", Capacity: room, PUE: 1200, Price: 300_000, Currency: "EUR"},
			{ID: "b", Zone: "FR", Capacity: room, PUE: 1100},
			{ID: "down", Zone: "DE", Capacity: room, PUE: 1000, Down: true},
		},
		Outlook: grid.BelieveAll(grid.AverageLifecycle, map[grid.Zone][]grid.Series{
			"DE": series("DE", 400, 390, 200, 500, 120, 510, 130, 400, 390, 380, 370, 360, 350, 340),
			"FR": series("FR", 60, 61, 62, 63, 64, 65, 66, 67, 68, 69, 70, 71, 72, 73),
		})}
	item := func(id string, runs, by float64, in string) Item {
		d := time.Duration(runs * float64(time.Hour))
		return Item{ID: id, Tenant: "t", Shape: workload.Shape{Power: 1000 * grid.Watt, Demand: workload.Resources{CPU: 3000, Memory: 100, Power: 100, Slots: 1},
			Duration: workload.Duration{Expected: d, P95: d, Max: 2 * d}, When: workload.When{CompleteBy: hour(by)}, Where: workload.Where{Allow: []string{in}},
			Objective: workload.Objective{Currency: "EUR"}}}
	}
	fresh := item("fresh", 1, 8, "DE")
	fresh.Shape.When.NotBefore = hour(1.5)
	pausing := item("pausing", 2, 9, "a")
	pausing.Shape.Interruptible = workload.Interruptible{Allowed: true, Overhead: 6 * time.Minute, MinRun: 30 * time.Minute, MaxSuspensions: 2}
	running := item("running", 2, 6, "b")
	running.Pinned, running.Running, running.RunSince, running.Done = "b", true, hour(0.5), 30*time.Minute
	held := item("held", 1, 9, "b")
	held.Pinned = "b"
	held.Placement = &Placement{Workload: "held", Site: "b", Spans: []Span{{Start: hour(3), End: hour(4)}}}
	suspended := item("suspended", 3, 11, "b")
	suspended.Shape.Interruptible = workload.Interruptible{Allowed: true, Overhead: 6 * time.Minute, MinRun: time.Hour, MaxSuspensions: 3}
	suspended.Pinned, suspended.Done, suspended.Suspensions = "b", time.Hour, 1
	suspended.Placement = &Placement{Workload: "suspended", Site: "b", Spans: []Span{{Start: hour(2), End: hour(4)}}}
	ticking := item("ticking", 2, 11, "b")
	ticking.Shape.Interruptible = workload.Interruptible{Allowed: true, MinRun: 2 * time.Hour}
	ticking.Shape.Demand.CPU = 500
	ticking.Pinned, ticking.Running, ticking.RunSince, ticking.Done = "b", true, hour(0.5), 30*time.Minute
	refused := item("refused", 1, 8, "mars")
	s.Items = []Item{fresh, pausing, running, held, suspended, ticking, refused}
	p := Compute(s)
	if err := Check(s, p); err != nil {
		t.Fatalf("the good plan: %v", err)
	}
	if len(p.Placements) != 6 || len(find(&p, "pausing").Spans) < 2 {
		t.Fatalf("the good plan is not what it should be: %+v", p)
	}
	return s, p
}

func find(p *Plan, id string) *Placement {
	for i := range p.Placements {
		if p.Placements[i].Workload == id {
			return &p.Placements[i]
		}
	}
	return nil
}

func itemOfID(s *Snapshot, id string) *Item {
	i := slices.IndexFunc(s.Items, func(it Item) bool { return it.ID == id })
	return &s.Items[i]
}

// retime gives a placement other spans and all that honestly follows from them.
func retime(s Snapshot, pl *Placement, site string, spans ...Span) {
	it := *itemOfID(&s, pl.Workload)
	d := &doubt{s: s, now: s.Now, sites: map[string]Site{}}
	for _, st := range s.Sites {
		d.sites[st.ID] = st
	}
	pl.Site, pl.Spans = site, spans
	_, beyond := d.owed(it)
	pl.Reserved = pl.Finish().Add(beyond)
	pl.Latest = later(pl.Latest, pl.Start())
	pl.Energy, pl.Carbon, pl.Grade, pl.Cost, pl.Currency = d.reckon(it, site, spans)
	pl.Why = Reasons{Text: "Because.", Binding: BindingNone, Considered: 1}
	if pl.Grade != "" {
		pl.Why.Signals = []SignalUsed{{Zone: d.sites[site].Zone, Grade: pl.Grade}}
	}
}

func hours(from, to float64) Span { return Span{Start: hour(from), End: hour(to)} }

// Check objects to each promise that is broken, alone, in a plan that is good
// in everything else.
func TestCheckObjects(t *testing.T) {
	for _, m := range []struct {
		promise Kept
		what    string
		do      func(*Snapshot, *Plan)
	}{
		{KeptName, "another name", func(_ *Snapshot, p *Plan) { p.ID = "x" }},
		{KeptParent, "another parent", func(_ *Snapshot, p *Plan) { p.Parent = "older" }},
		{KeptParent, "another time", func(_ *Snapshot, p *Plan) { p.At = p.At.Add(time.Second) }},

		{KeptOnce, "one left out", func(_ *Snapshot, p *Plan) { p.Placements = p.Placements[1:] }},
		{KeptOnce, "one refusal left out", func(_ *Snapshot, p *Plan) { p.Unplaced = nil }},
		{KeptOnce, "one twice", func(_ *Snapshot, p *Plan) { p.Placements = append(p.Placements[:1:1], p.Placements...) }},
		{KeptOnce, "one refused and placed", func(_ *Snapshot, p *Plan) {
			p.Unplaced = append([]Refusal{{Workload: "fresh", Failed: []Failed{{Field: "x", Message: "x"}}}}, p.Unplaced...)
		}},
		{KeptOnce, "one that nobody knows", func(s *Snapshot, _ *Plan) { s.Items = s.Items[1:] }},
		{KeptOnce, "one refused that nobody knows", func(s *Snapshot, _ *Plan) { s.Items = s.Items[:len(s.Items)-1] }},
		{KeptOnce, "out of order", func(_ *Snapshot, p *Plan) { slices.Reverse(p.Placements) }},
		{KeptOnce, "two of one name", func(s *Snapshot, _ *Plan) { s.Items = append(s.Items, s.Items[0]) }},

		{KeptPlace, "a promise refused", func(_ *Snapshot, p *Plan) {
			p.Placements = slices.DeleteFunc(p.Placements, func(pl Placement) bool { return pl.Workload == "held" })
			p.Unplaced = append([]Refusal{{Workload: "held", Failed: []Failed{{Field: "x", Message: "x"}}}}, p.Unplaced...)
		}},
		{KeptPlace, "a start right refused", func(s *Snapshot, p *Plan) {
			itemOfID(s, "held").Placement = nil
			p.Placements = slices.DeleteFunc(p.Placements, func(pl Placement) bool { return pl.Workload == "held" })
			p.Unplaced = append([]Refusal{{Workload: "held", Failed: []Failed{{Field: "x", Message: "x"}}}}, p.Unplaced...)
		}},

		{KeptSite, "a site that is down", func(s *Snapshot, p *Plan) { retime(*s, find(p, "fresh"), "down", hours(4, 5)) }},
		{KeptSite, "a site that is not allowed", func(s *Snapshot, p *Plan) { retime(*s, find(p, "fresh"), "b", hours(4, 5)) }},
		{KeptSite, "a site that is gone", func(s *Snapshot, p *Plan) { retime(*s, find(p, "fresh"), "gone", hours(4, 5)) }},
		{KeptSite, "a promise left at a site that is down", func(s *Snapshot, p *Plan) {
			itemOfID(s, "fresh").Placement = &Placement{Workload: "fresh", Site: "down", Spans: []Span{hours(4, 5)}}
			retime(*s, find(p, "fresh"), "down", hours(4, 5))
		}},

		{KeptStart, "a start right elsewhere", func(s *Snapshot, p *Plan) {
			itemOfID(s, "held").Shape.Where = workload.Where{}
			retime(*s, find(p, "held"), "a", hours(4, 5))
		}},
		{KeptStart, "a run elsewhere", func(s *Snapshot, p *Plan) { retime(*s, find(p, "running"), "a", hours(0.5, 2.5)) }},
		{KeptStart, "a run that begins anew", func(s *Snapshot, p *Plan) { retime(*s, find(p, "running"), "b", hours(1, 2.5)) }},
		{KeptStart, "a run nobody knows where", func(s *Snapshot, _ *Plan) { itemOfID(s, "fresh").Running = true }},

		{KeptNotBefore, "in the past", func(s *Snapshot, p *Plan) { retime(*s, find(p, "held"), "b", hours(0.5, 1.5)) }},
		{KeptNotBefore, "too early", func(s *Snapshot, p *Plan) { retime(*s, find(p, "fresh"), "a", hours(1, 2)) }},

		{KeptSpans, "no span", func(_ *Snapshot, p *Plan) { find(p, "fresh").Spans = nil }},
		{KeptSpans, "a span backwards", func(_ *Snapshot, p *Plan) { find(p, "fresh").Spans = []Span{hours(5, 4)} }},
		{KeptSpans, "spans that touch", func(s *Snapshot, p *Plan) {
			retime(*s, find(p, "pausing"), "a", hours(4, 5), hours(5, 6.1))
		}},
		{KeptSpans, "spans in disorder", func(s *Snapshot, p *Plan) {
			retime(*s, find(p, "pausing"), "a", hours(6, 7), hours(4, 5.1))
		}},

		{KeptWork, "too little", func(s *Snapshot, p *Plan) { retime(*s, find(p, "fresh"), "a", hours(4, 4.9)) }},
		{KeptWork, "too much", func(s *Snapshot, p *Plan) { retime(*s, find(p, "fresh"), "a", hours(4, 5.1)) }},
		{KeptWork, "no overhead", func(s *Snapshot, p *Plan) { retime(*s, find(p, "pausing"), "a", hours(4, 5), hours(6, 7)) }},
		{KeptWork, "no overhead of the first resume", func(s *Snapshot, p *Plan) { retime(*s, find(p, "suspended"), "b", hours(2, 4)) }},
		{KeptWork, "done twice", func(s *Snapshot, p *Plan) { retime(*s, find(p, "running"), "b", hours(0.5, 3)) }},

		{KeptPauses, "what may not pause", func(s *Snapshot, p *Plan) { retime(*s, find(p, "held"), "b", hours(3, 3.5), hours(4, 4.5)) }},
		{KeptPauses, "too often", func(s *Snapshot, p *Plan) {
			retime(*s, find(p, "pausing"), "a", hours(2, 2.5), hours(3, 3.6), hours(4, 4.6), hours(5, 5.6))
		}},
		{KeptPauses, "too often with those before", func(s *Snapshot, p *Plan) {
			itemOfID(s, "pausing").Shape.Interruptible.MaxSuspensions = 2
			itemOfID(s, "suspended").Shape.Interruptible.MaxSuspensions = 1
			retime(*s, find(p, "suspended"), "b", hours(2, 3.1), hours(4, 5.1))
		}},
		{KeptPauses, "too soon", func(s *Snapshot, p *Plan) { retime(*s, find(p, "pausing"), "a", hours(4, 4.4), hours(6, 7.7)) }},
		{KeptPauses, "a resumed run too soon", func(s *Snapshot, p *Plan) {
			retime(*s, find(p, "suspended"), "b", hours(2, 2.9), hours(4, 5.3))
		}},
		{KeptPauses, "a run under way too soon", func(s *Snapshot, p *Plan) { retime(*s, find(p, "ticking"), "b", hours(2, 3.5)) }},
		{KeptPauses, "resumed for nothing", func(s *Snapshot, p *Plan) { retime(*s, find(p, "pausing"), "a", hours(4, 6), hours(7, 7.1)) }},
		{KeptPauses, "shorter than its overhead", func(s *Snapshot, p *Plan) {
			itemOfID(s, "pausing").Shape.Interruptible = workload.Interruptible{Allowed: true, Overhead: 45 * time.Minute}
			retime(*s, find(p, "pausing"), "a", hours(2, 3), hours(4, 4.5), hours(5, 7))
		}},

		{KeptReserve, "no room for the booked time", func(_ *Snapshot, p *Plan) { pl := find(p, "fresh"); pl.Reserved = pl.Finish() }},
		{KeptReserve, "another latest start", func(_ *Snapshot, p *Plan) { pl := find(p, "fresh"); pl.Latest = pl.Latest.Add(time.Second) }},
		{KeptReserve, "a latest start without its resume", func(_ *Snapshot, p *Plan) {
			pl := find(p, "suspended")
			pl.Latest = pl.Latest.Add(6 * time.Minute)
		}},

		{KeptTime, "new work too late", func(s *Snapshot, p *Plan) { retime(*s, find(p, "fresh"), "a", hours(7, 8)) }},
		{KeptTime, "too late by its booked time", func(s *Snapshot, p *Plan) { retime(*s, find(p, "fresh"), "a", hours(6.9, 7.9)) }},
		{KeptTime, "a promise late without need", func(s *Snapshot, p *Plan) { retime(*s, find(p, "held"), "b", hours(9, 10)) }},
		{KeptTime, "late and paused", func(s *Snapshot, p *Plan) { retime(*s, find(p, "suspended"), "b", hours(2, 3.1), hours(10, 11.1)) }},
		{KeptTime, "late, and later than need be", func(s *Snapshot, p *Plan) {
			itemOfID(s, "held").Shape.When.CompleteBy = hour(1.5)
			pl := find(p, "held")
			pl.Latest = Latest(*itemOfID(s, "held"), s.Margin, s.Step)
			retime(*s, pl, "b", hours(7, 8))
		}},

		{KeptDenied, "new work", func(s *Snapshot, p *Plan) {
			denyAt(s, p, "fresh", find(p, "fresh").Spans[0].Start.Add(-time.Hour), find(p, "fresh").Spans[0].Start.Add(time.Second))
		}},
		{KeptDenied, "only in the booked tail", func(s *Snapshot, p *Plan) {
			at := find(p, "fresh").Finish()
			denyAt(s, p, "fresh", at, at.Add(time.Hour))
		}},
		{KeptDenied, "a span of several", func(s *Snapshot, p *Plan) {
			at := find(p, "pausing").Spans[1].Start
			denyAt(s, p, "pausing", at, at.Add(time.Minute))
		}},
		{KeptDenied, "a promise without need", func(s *Snapshot, p *Plan) {
			at := find(p, "held").Start()
			denyAt(s, p, "held", at, at.Add(time.Minute))
		}},
		{KeptReserve, "a latest start that forgets what is denied", func(s *Snapshot, p *Plan) {
			at := itemOfID(s, "fresh").Shape.When.CompleteBy
			itemOfID(s, "fresh").Shape.When.Deny = []workload.Span{{Start: at.Add(-time.Hour), End: at}}
		}},

		{KeptCapacity, "new work on top", func(s *Snapshot, p *Plan) { s.Sites[0].Capacity.CPU = 2999 }},
		{KeptCapacity, "memory", func(s *Snapshot, p *Plan) { s.Sites[0].Capacity.Memory = 99 }},
		{KeptCapacity, "power", func(s *Snapshot, p *Plan) { s.Sites[0].Capacity.Power = 99 }},
		{KeptCapacity, "slots", func(s *Snapshot, p *Plan) { s.Sites[0].Capacity.Slots = 0 }},
		{KeptCapacity, "only in the booked tail", func(s *Snapshot, p *Plan) {
			s.Sites[0].Capacity.Slots = 1
			retime(*s, find(p, "fresh"), "a", hours(4, 5))
			retime(*s, find(p, "pausing"), "a", hours(5.05, 7.05))
		}},
		{KeptCapacity, "a promise that could move", func(s *Snapshot, p *Plan) {
			s.Sites[1].Capacity.Slots = 3
			retime(*s, find(p, "held"), "b", hours(1, 2))
			retime(*s, find(p, "suspended"), "b", hours(1, 3.1))
		}},

		{KeptCeiling, "of carbon", func(s *Snapshot, p *Plan) { itemOfID(s, "fresh").Shape.Objective.CarbonCeiling = 1 }},
		{KeptCeiling, "of cost", func(s *Snapshot, p *Plan) { itemOfID(s, "fresh").Shape.Objective.CostCeiling = 1 }},
		{KeptCeiling, "in another currency", func(s *Snapshot, p *Plan) {
			itemOfID(s, "fresh").Shape.Objective.CostCeiling, itemOfID(s, "fresh").Shape.Objective.Currency = 1<<40, "SEK"
		}},
		{KeptCeiling, "of carbon that is not known", func(s *Snapshot, p *Plan) {
			itemOfID(s, "fresh").Shape.Objective.CarbonCeiling = 1 << 40
			s.Outlook.Of("DE").Series()[0].Values[7] = grid.Unknown
			retime(*s, find(p, "fresh"), "a", hours(6.5, 7.5))
			retime(*s, find(p, "pausing"), "a", hours(2, 4))
		}},
		{KeptCeiling, "a promise above it without need", func(s *Snapshot, p *Plan) {
			it := itemOfID(s, "held")
			it.Shape.Objective.CarbonCeiling = 70 * grid.Gram
			retime(*s, find(p, "held"), "b", hours(7, 8))
		}},

		{KeptFigures, "energy", func(_ *Snapshot, p *Plan) { find(p, "fresh").Energy-- }},
		{KeptFigures, "carbon", func(_ *Snapshot, p *Plan) { find(p, "fresh").Carbon-- }},
		{KeptFigures, "grade", func(_ *Snapshot, p *Plan) { find(p, "fresh").Grade = grid.GradeA }},
		{KeptFigures, "cost", func(_ *Snapshot, p *Plan) { find(p, "fresh").Cost-- }},
		{KeptFigures, "currency", func(_ *Snapshot, p *Plan) { find(p, "fresh").Currency = "SEK" }},
		{KeptFigures, "a forecast that changed", func(s *Snapshot, _ *Plan) { s.Outlook.Of("DE").Series()[0].Values[4] = 121_000 }},

		{KeptReasons, "no text", func(_ *Snapshot, p *Plan) { find(p, "fresh").Why.Text = "" }},
		{KeptReasons, "no binding", func(_ *Snapshot, p *Plan) { find(p, "fresh").Why.Binding = "" }},
		{KeptReasons, "too many alternatives", func(_ *Snapshot, p *Plan) {
			w := &find(p, "fresh").Why
			w.Rejected = append(w.Rejected, w.Rejected...)
		}},
		{KeptReasons, "an uncounted candidate", func(_ *Snapshot, p *Plan) { find(p, "fresh").Why.Considered++ }},
		{KeptReasons, "a negative count", func(_ *Snapshot, p *Plan) {
			w := &find(p, "fresh").Why
			w.Fell[CauseDearer] = -1
			w.Considered--
		}},
		{KeptReasons, "a wrong delta of carbon", func(_ *Snapshot, p *Plan) { find(p, "fresh").Why.Rejected[0].DCarbon++ }},
		{KeptReasons, "a wrong delta of time", func(_ *Snapshot, p *Plan) { find(p, "fresh").Why.RunNow.DFinish++ }},
		{KeptReasons, "a signal of another zone", func(_ *Snapshot, p *Plan) { find(p, "fresh").Why.Signals[0].Zone = "FR" }},
		{KeptReasons, "a better grade than its signals", func(_ *Snapshot, p *Plan) { find(p, "fresh").Why.Signals[0].Grade = grid.GradeA }},
		{KeptReasons, "refused without a reason", func(_ *Snapshot, p *Plan) { p.Unplaced[0].Failed = nil }},
		// All sites have 16 cores; pausing takes 3 of them at the times of its own.
		{KeptShare, "more than its queue may", func(s *Snapshot, _ *Plan) { s.Queues = []workload.Queue{queueOf("default", 0, 187, 0)} }},
		{KeptShare, "more than its queue may, beside what is promised to it", func(s *Snapshot, p *Plan) {
			itemOfID(s, "held").Shape.Queue, itemOfID(s, "fresh").Shape.Queue = "night", "night"
			itemOfID(s, "held").Placement.Reserved = hour(4.1)
			retime(*s, find(p, "fresh"), "a", hours(3, 4))
			s.Queues = []workload.Queue{queueOf("night", 0, 370, 0)}
		}},
		{KeptShare, "what is kept for another queue", func(s *Snapshot, _ *Plan) {
			s.Queues = []workload.Queue{queueOf("night", 850, 1000, 24*time.Hour)}
		}},
		{KeptDenied, "a time that no budget has room in", func(s *Snapshot, p *Plan) {
			itemOfID(s, "fresh").Closed = []workload.Span{{Start: find(p, "fresh").Start(), End: find(p, "fresh").Start().Add(time.Minute)}}
		}},
		{KeptReasons, "refused without a sentence", func(_ *Snapshot, p *Plan) { p.Unplaced[0].Failed[0].Message = "" }},
	} {
		t.Run(string(m.promise)+"/"+m.what, func(t *testing.T) {
			s, p := doubtful(t)
			p = clone(t, p)
			name := p.ID
			m.do(&s, &p)
			if p.ID == name {
				p.ID = NewID(p)
			}
			err := Check(s, p)
			var broken *Broken
			if !errors.As(err, &broken) || broken.Promise != m.promise {
				t.Fatalf("Check says %v, want a broken promise of %s", err, m.promise)
			}
			if whole := broken.Workload == ""; whole != (m.promise == KeptName || m.promise == KeptParent) {
				t.Errorf("the workload is %q: %v", broken.Workload, err)
			}
			if !strings.Contains(err.Error(), string(m.promise)) {
				t.Errorf("%v does not name the promise", err)
			}
		})
	}
}

// denyAt denies a time to an item, with a latest safe start that takes it into
// account.
func denyAt(s *Snapshot, p *Plan, id string, from, to time.Time) {
	it := itemOfID(s, id)
	it.Shape.When.Deny = []workload.Span{{Start: from, End: to}}
	find(p, id).Latest = Latest(*it, s.Margin, s.Step)
}

// clone copies a plan as a store would: by its JSON.
func clone(t *testing.T, p Plan) Plan {
	t.Helper()
	b, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	var out Plan
	if err := json.Unmarshal(b, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

// Every field of a plan is part of its name: none can be changed unseen.
func TestNameCoversContent(t *testing.T) {
	_, p := doubtful(t)
	for what, change := range map[string]func(*Plan){
		"parent": func(p *Plan) { p.Parent = "x" }, "time": func(p *Plan) { p.At = hour(9) },
		"span": func(p *Plan) { p.Placements[0].Spans[0].End = hour(9) }, "latest": func(p *Plan) { p.Placements[0].Latest = hour(9) },
		"reason": func(p *Plan) { p.Placements[0].Why.Text = "x" }, "run now": func(p *Plan) { p.Placements[0].Why.RunNow = nil },
		"refusal": func(p *Plan) { p.Unplaced[0].Failed[0].Missing = "x" }, "nearest": func(p *Plan) { p.Unplaced[0].NearestCompleteBy = hour(9) },
	} {
		q := clone(t, p)
		if NewID(q) != p.ID {
			t.Fatal("a stored plan has another name")
		}
		change(&q)
		if NewID(q) == p.ID {
			t.Errorf("%s can be changed without changing the name", what)
		}
	}
	// The same instants in another zone are the same plan.
	q := clone(t, p)
	q.At = q.At.In(time.FixedZone("x", 3600))
	q.Placements[0].Spans[0].Start = q.Placements[0].Spans[0].Start.In(time.FixedZone("x", 3600))
	if NewID(q) != p.ID {
		t.Error("the name depends on the zone that times are written in")
	}
	q.At = time.Date(99999, 1, 1, 0, 0, 0, 0, time.UTC)
	if NewID(q) != "" {
		t.Error("a plan that cannot be written has a name")
	}
}

// The checker must not lean on what it doubts: nothing in its files but types,
// constants and NewID comes from the rest of the room.
func TestCheckSharesNoCode(t *testing.T) {
	fset := token.NewFileSet()
	pkg := map[string]*ast.File{}
	for _, pattern := range []string{"plan", "frame", "task", "load", "curve", "candidate", "pauses", "dynamic", "choose", "compute", "room", "outcome", "reasons", "text", "refuse", "admit", "diff", "where", "deny", "share", "after", "thread", "admitall", "elastic", "sizes", "check", "checkafter", "checkelastic", "checkdenied", "checkroll", "checkcapacity", "checkroom", "checkshare", "checkfigures"} {
		f, err := parser.ParseFile(fset, pattern+".go", nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		pkg[pattern] = f
	}
	mine := func(name string) bool { return strings.HasPrefix(name, "check") }
	theirs := map[string]bool{}
	for name, f := range pkg {
		for _, d := range f.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && !mine(name) && name != "plan" {
				theirs[fn.Name.Name] = true
			}
		}
	}
	for name, f := range pkg {
		for _, d := range f.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && mine(name) {
				delete(theirs, fn.Name.Name) // a method of its own of the same name
			}
		}
	}
	for name, f := range pkg {
		if !mine(name) {
			continue
		}
		ast.Inspect(f, func(n ast.Node) bool {
			if call, ok := n.(*ast.CallExpr); ok {
				if id, ok := call.Fun.(*ast.Ident); ok && theirs[id.Name] {
					t.Errorf("%s.go calls %s, which Compute uses too", name, id.Name)
				}
			}
			return true
		})
	}
}
