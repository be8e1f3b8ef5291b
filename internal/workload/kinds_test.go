package workload

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"clusy.io/clusy/internal/problem"
)

// What takes a time at a speed does at least the work in it, and not a
// microsecond's worth more.
func TestTakesIsEnough(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		work := time.Duration(rapid.Int64Range(0, int64(MaxDuration)).Draw(t, "work"))
		speed := rapid.IntRange(MinSize, MaxSize).Draw(t, "speed")
		d := Takes(work, speed)
		if got := Useful(d, speed); got < work || speed != Declared && got > work+Useful(2*time.Microsecond, speed)+2*time.Microsecond {
			t.Fatalf("%s at %d takes %s, and does %s", work, speed, d, got)
		}
	})
}

func TestSizes(t *testing.T) {
	s := Shape{Power: 1001, Elastic: []Level{{Size: 500, Speed: 550}, {Size: 4000, Speed: 3100}}}
	if got := s.Levels(); !slices.Equal(got, []Level{{500, 550}, {1000, 1000}, {4000, 3100}}) || s.Slowest() != 550 || s.Fastest() != 3100 {
		t.Errorf("levels %v, %d to %d", got, s.Slowest(), s.Fastest())
	}
	for size, want := range map[int]int{0: 1000, 1000: 1000, 500: 550, 4000: 3100} {
		if got, ok := s.SpeedAt(size); !ok || got != want {
			t.Errorf("at %d it is %d fast, %v", size, got, ok)
		}
	}
	if _, ok := s.SpeedAt(2000); ok {
		t.Error("it runs at a size that it does not have")
	}
	if s.PowerAt(0) != 1001 || s.PowerAt(500) != 501 || s.PowerAt(4000) != 4004 {
		t.Errorf("it draws %d, %d, %d", s.PowerAt(0), s.PowerAt(500), s.PowerAt(4000))
	}
	r := Resources{CPU: 3, Memory: 100, Power: 10, Slots: 1, GPUs: Cards(GPU{"a100", 3})}
	if got := r.At(500); got != (Resources{CPU: 2, Memory: 50, Power: 5, Slots: 1, GPUs: Cards(GPU{"a100", 2})}) {
		t.Errorf("half of it is %+v", got)
	}
	if r.At(0) != r || r.At(Declared) != r || (Resources{CPU: Unlimited}).At(4000).CPU != Unlimited {
		t.Error("as declared it is another, or what has no end has one")
	}
	if r.GPU() != (GPU{"a100", 3}) || (Resources{}).GPU() != (GPU{}) {
		t.Error("the accelerators of a demand are others")
	}
}

// Each rule of sizes, broken alone, is named.
func TestSizesAreValidated(t *testing.T) {
	for what, change := range map[string]func(*Shape){
		"too many sizes":       func(s *Shape) { s.Elastic = make([]Level, MaxLevels) },
		"no size":              func(s *Shape) { s.Elastic = []Level{{0, 500}} },
		"the declared size":    func(s *Shape) { s.Elastic = []Level{{1000, 1000}} },
		"slower though larger": func(s *Shape) { s.Elastic = []Level{{2000, 900}} },
		"out of order":         func(s *Shape) { s.Elastic = []Level{{4000, 3000}, {2000, 1500}} },
		"after others":         func(s *Shape) { s.After = []string{"wl_0188ad69-6c5d-7007-8000-435eb23196e4"} },
		"data elsewhere":       func(s *Shape) { s.Data = Data{Home: "FR", MiB: 1024, Mbit: 1000} },
		"accelerators":         func(s *Shape) { s.Demand.GPUs = Cards(GPU{"a100", 1}) },
	} {
		s := good()
		s.Elastic = []Level{{Size: 2000, Speed: 1800}}
		change(&s)
		if vs := s.Validate(noon); len(vs) == 0 || !slices.ContainsFunc(vs, func(v problem.Violation) bool { return v.Pointer[:8] == "/elastic" }) {
			t.Errorf("%s: %+v", what, vs)
		}
	}
	s := good()
	s.Elastic = []Level{{Size: 500, Speed: 600}, {Size: 2000, Speed: 1800}}
	if vs := s.Validate(noon); len(vs) > 0 {
		t.Errorf("good sizes: %+v", vs)
	}
}

// Each rule of a queue, broken alone, is named; and so is each of accelerators.
func TestQueueIsValidated(t *testing.T) {
	if vs := UsualQueue("nightly").Validate(); len(vs) > 0 {
		t.Errorf("the usual queue: %+v", vs)
	}
	for pointer, change := range map[string]func(*Queue){
		"/name":                func(q *Queue) { q.Name = "Nightly" },
		"/priority":            func(q *Queue) { q.Priority = 101 },
		"/weight":              func(q *Queue) { q.Weight = 0 },
		"/guaranteed":          func(q *Queue) { q.Guaranteed, q.Most = 500, 400 },
		"/most":                func(q *Queue) { q.Most = 1001 },
		"/reserveAheadSeconds": func(q *Queue) { q.ReserveAhead = -1 },
	} {
		q := UsualQueue("nightly")
		change(&q)
		if vs := q.Validate(); len(vs) != 1 || vs[0].Pointer != pointer {
			t.Errorf("%s: %+v", pointer, vs)
		}
	}
	if (Shape{}).QueueOf() != DefaultQueue || (Shape{Queue: "x"}).QueueOf() != "x" || IsLabel("-a") || !IsLabel("a-1") {
		t.Error("the name of a queue is another")
	}
	for _, gs := range [][MostGPUs]GPU{{{"A100", 1}}, {{"a100", -1}}, {{"a100", 1}, {"h100", 1}}, {{"no spaces", 1}}} {
		s := good()
		s.Demand.GPUs = gs
		if len(s.Validate(noon)) == 0 {
			t.Errorf("accelerators %v are taken", gs)
		}
	}
	if IsHome("") || IsHome("two words") || !IsHome("DE-LU/x_1.y") {
		t.Error("what may be a home is another")
	}
	a, b := Schedule{Latest: noon}, Schedule{Latest: noon, Way: 1}
	if a.ID() == b.ID() || TransferEnergy(1024) <= 0 {
		t.Error("a schedule on other hardware has the same name")
	}
}
