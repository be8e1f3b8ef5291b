package workload

import (
	"fmt"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"clusy.io/clusy/internal/grid"
)

var noon = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

func TestBooked(t *testing.T) {
	if got := (Duration{P95: 10 * time.Hour}).Booked(); got != 11*time.Hour {
		t.Errorf("booked is %s", got)
	}
	rapid.Check(t, func(t *rapid.T) {
		a := time.Duration(rapid.Int64Range(0, int64(MaxDuration)).Draw(t, "a"))
		b := time.Duration(rapid.Int64Range(0, int64(MaxDuration)).Draw(t, "b"))
		if x, y := (Duration{P95: a}).Booked(), (Duration{P95: b}).Booked(); x < a || a < b && x > y {
			t.Fatalf("%s books %s, %s books %s", a, x, b, y)
		}
	})
}

func drawResources(t *rapid.T, name string) Resources {
	n := func(what string) int64 {
		return rapid.OneOf(rapid.Int64Range(0, 100), rapid.Int64Range(0, Unlimited), rapid.Just(int64(Unlimited))).Draw(t, name+what)
	}
	return Resources{CPU: n("cpu"), Memory: n("memory"), Power: grid.Power(n("power")), Slots: n("slots")}
}

func numbers(r Resources) []int64 { return []int64{r.CPU, r.Memory, int64(r.Power), r.Slots} }

// A sum never runs over into a small number that would fit anywhere.
func TestPlusIsClamped(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := drawResources(t, "a"), drawResources(t, "b")
		sum := numbers(a.Plus(b))
		for i := range sum {
			want := new(big.Int).Add(big.NewInt(numbers(a)[i]), big.NewInt(numbers(b)[i]))
			if most := big.NewInt(Unlimited); want.Cmp(most) > 0 {
				want = most
			}
			if want.Int64() != sum[i] {
				t.Fatalf("%v + %v is %v", a, b, a.Plus(b))
			}
		}
		if a.Plus(b) != b.Plus(a) || !a.Within(a.Plus(b)) {
			t.Fatalf("%v + %v is %v", a, b, a.Plus(b))
		}
	})
}

// Within asks for every resource: one that does not fit is enough.
func TestWithin(t *testing.T) {
	room := Resources{CPU: 5, Memory: 6, Power: 7, Slots: 8}
	if !room.Within(room) || !(Resources{}).Within(room) || !(Resources{}).Within(Resources{}) {
		t.Error("what fits exactly does not fit")
	}
	for i, more := range []Resources{{CPU: 6}, {Memory: 7}, {Power: 8}, {Slots: 9}} {
		if more.Within(room) {
			t.Errorf("resource %d is not asked for", i)
		}
	}
	if !(Resources{CPU: 1 << 62, Memory: 1 << 62, Power: 1 << 62, Slots: 1 << 62}).Within(Resources{CPU: Unlimited, Memory: Unlimited, Power: Unlimited, Slots: Unlimited}) {
		t.Error("unlimited has a limit")
	}
}

func good() Shape {
	return Shape{
		Duration: Duration{Expected: time.Hour, P95: 2 * time.Hour, Max: 3 * time.Hour}, Power: 1000,
		When:  When{CompleteBy: noon.Add(8 * time.Hour)},
		Where: Where{Allow: []string{"DE*"}, Prefer: []string{"hall"}},
	}
}

// Each rule, broken alone, is named by its pointer; all are listed together.
func TestValidate(t *testing.T) {
	if vs := good().Validate(noon); len(vs) > 0 {
		t.Fatalf("a good shape: %v", vs)
	}
	longAgo := time.Time{}
	for _, c := range []struct {
		what, pointer string
		do            func(*Shape)
	}{
		{"no duration", "/duration/expectedSeconds", func(s *Shape) { s.Duration.Expected = 0 }},
		{"a negative duration", "/duration/expectedSeconds", func(s *Shape) { s.Duration.Expected = -time.Hour }},
		{"over a year", "/duration/expectedSeconds", func(s *Shape) {
			s.Duration = Duration{MaxDuration + 1, MaxDuration + 1, MaxDuration + 1}
			s.When.CompleteBy = noon.Add(MaxWindow)
		}},
		{"p95 below the expected", "/duration/p95Seconds", func(s *Shape) { s.Duration.P95 = time.Minute }},
		{"max below the expected", "/duration/maxSeconds", func(s *Shape) { s.Duration.Max = time.Minute }},
		{"negative power", "/watts", func(s *Shape) { s.Power = -1 }},
		{"no completeBy", "/when/completeBy", func(s *Shape) { s.When.CompleteBy = longAgo }},
		{"completeBy has passed", "/when/completeBy", func(s *Shape) { s.When.CompleteBy = noon }},
		{"completeBy too far away", "/when/completeBy", func(s *Shape) { s.When.CompleteBy = noon.Add(MaxWindow + 1) }},
		{"too short a window", "/when/completeBy", func(s *Shape) { s.When.NotBefore = noon.Add(7*time.Hour + 1) }},
		{"rules of pausing without pausing", "/interruptible/allowed", func(s *Shape) { s.Interruptible.MaxSuspensions = 1 }},
		{"minRun longer than the work", "/interruptible/minRunSeconds", func(s *Shape) { s.Interruptible = Interruptible{Allowed: true, MinRun: 2 * time.Hour} }},
		{"an empty pattern", "/where/allow/1", func(s *Shape) { s.Where.Allow = append(s.Where.Allow, "") }},
		{"a pattern with a space", "/where/prefer/0", func(s *Shape) { s.Where.Prefer = []string{"a b"} }},
		{"a pattern with a line feed", "/where/allow/0", func(s *Shape) { s.Where.Allow = []string{"a\nb"} }},
		{"a pattern that is too long", "/where/allow/0", func(s *Shape) { s.Where.Allow = []string{strings.Repeat("a", MaxPattern+1)} }},
		{"a denied time without length", "/when/deny/0", func(s *Shape) { s.When.Deny = []Span{{Start: noon, End: noon}} }},
		{"denied times out of order", "/when/deny/1", func(s *Shape) {
			s.When.Deny = []Span{{Start: noon.Add(2 * time.Hour), End: noon.Add(3 * time.Hour)}, {Start: noon, End: noon.Add(time.Hour)}}
		}},
		{"denied times that touch", "/when/deny/2", func(s *Shape) {
			s.When.Deny = []Span{{Start: longAgo, End: longAgo.Add(time.Hour)}, {Start: noon, End: noon.Add(time.Hour)}, {Start: noon.Add(time.Hour), End: noon.Add(2 * time.Hour)}}
		}},
		{"too many denied times", "/when/deny", func(s *Shape) {
			for i := range MaxDeny + 1 {
				s.When.Deny = append(s.When.Deny, Span{Start: noon.Add(time.Duration(2*i) * time.Hour), End: noon.Add(time.Duration(2*i+1) * time.Hour)})
			}
		}},
		{"a price of carbon below zero", "/objective/carbonPrice/amount", func(s *Shape) { s.Objective.CarbonPrice, s.Objective.Currency = -1, "EUR" }},
		{"a price of carbon beyond belief", "/objective/carbonPrice/amount", func(s *Shape) { s.Objective.CarbonPrice, s.Objective.Currency = MaxCarbonPrice+1, "EUR" }},
		{"a price of carbon without a currency", "/objective/carbonPrice/currency", func(s *Shape) { s.Objective.CarbonPrice = 1 }},
		{"a price of carbon for the soonest", "/objective/carbonPrice", func(s *Shape) {
			s.Objective = Objective{Minimize: MinimizeTime, CarbonPrice: 1, Currency: "EUR"}
		}},
		{"a cost without a currency", "/objective/costCeiling/currency", func(s *Shape) { s.Objective.CostCeiling = 1 }},
	} {
		s := good()
		c.do(&s)
		vs := s.Validate(noon)
		if len(vs) != 1 || vs[0].Pointer != c.pointer || vs[0].Message == "" {
			t.Errorf("%s: %+v", c.what, vs)
		}
	}
	bad := good()
	bad.Power, bad.Duration.Max, bad.Where.Allow = -1, 0, []string{""}
	if vs := bad.Validate(noon); len(vs) != 3 {
		t.Errorf("of three broken rules %d are told", len(vs))
	}
	// The most that is allowed is allowed.
	s := good()
	s.Where.Allow = []string{strings.Repeat("a", MaxPattern)}
	s.Duration = Duration{MaxDuration, MaxDuration, MaxDuration}
	s.When.CompleteBy = noon.Add(MaxWindow)
	for i := range MaxDeny {
		s.When.Deny = append(s.When.Deny, Span{Start: noon.Add(time.Duration(2*i) * time.Hour), End: noon.Add(time.Duration(2*i+1) * time.Hour)})
	}
	if vs := s.Validate(noon); len(vs) > 0 {
		t.Errorf("at its limits: %+v", vs)
	}
}

// What Validate proposes as nearest is itself valid.
func TestValidateNearestIsValid(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := good()
		s.Duration.Expected = time.Duration(rapid.Int64Range(1, int64(20*time.Hour)).Draw(t, "expected")).Round(time.Second) + time.Second
		s.Duration.P95, s.Duration.Max = s.Duration.Expected, s.Duration.Expected
		for _, v := range s.Validate(noon) {
			at, err := time.Parse(time.RFC3339, v.Nearest)
			if v.Pointer != "/when/completeBy" || err != nil {
				t.Fatalf("%+v", v)
			}
			s.When.CompleteBy = at.Add(time.Second) // it is written without a fraction
		}
		if vs := s.Validate(noon); len(vs) > 0 {
			t.Fatalf("the nearest is not valid: %+v", vs)
		}
	})
}

func TestScheduleID(t *testing.T) {
	a := Schedule{Spans: []Span{{Start: noon, End: noon.Add(time.Hour)}, {Start: noon.Add(2 * time.Hour), End: noon.Add(3 * time.Hour)}}, Latest: noon}
	b := a
	b.Spans = slices.Clone(a.Spans)
	b.Latest = a.Latest.In(time.FixedZone("x", 3600))
	if a.ID() != b.ID() {
		t.Error("the same schedule in another zone has another name")
	}
	b.Latest = noon.Add(time.Microsecond)
	c := Schedule{Spans: a.Spans[:1], Latest: noon}
	d := Schedule{Spans: []Span{a.Spans[1], a.Spans[0]}, Latest: noon}
	seen := map[string]bool{a.ID(): true}
	for _, s := range []Schedule{b, c, d, {}} {
		if seen[s.ID()] {
			t.Errorf("%+v has the name of another", s)
		}
		seen[s.ID()] = true
	}
}

func TestCursorOf(t *testing.T) {
	if c := CursorOf(Workload{ID: "wl_1", Created: noon}); c != (Cursor{noon, "wl_1"}) {
		t.Errorf("the place of a workload is %+v", c)
	}
}

// What a workload waits for is told by ids alone, each once, and not too many.
func TestAfter(t *testing.T) {
	many := make([]string, MaxAfter+1)
	for i := range many {
		many[i] = fmt.Sprintf("wl_%d", i)
	}
	for _, x := range []struct {
		after  []string
		broken int
	}{
		{[]string{"wl_0199b2c4-5a7e-7f31-9c0e-1f2a3b4c5d6e", "wl_1"}, 0},
		{[]string{"wl_1", "wl_1"}, 1}, {[]string{"#0"}, 1}, {[]string{"wl_"}, 1}, {[]string{"wl_two words"}, 1}, {[]string{"train"}, 1},
		{many, 1}, {many[1:], 0},
	} {
		if vs := (Shape{After: x.after}).validateAfter(); len(vs) != x.broken {
			t.Errorf("%.80q: %v", x.after, vs)
		}
	}
}
