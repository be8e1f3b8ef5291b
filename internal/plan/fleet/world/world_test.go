package world_test

import (
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"clusy.io/clusy/internal/plan/fleet"
	"clusy.io/clusy/internal/plan/fleet/world"
)

// recipe is a week of two zones, one of them clean at noon.
func recipe() world.Recipe {
	carbon := make([][]float64, 2)
	for t := range 168 {
		carbon[0] = append(carbon[0], 400)
		carbon[1] = append(carbon[1], 300-200*math.Sin(math.Pi*float64(t%24)/24))
	}
	return world.Recipe{Seed: 1, Intents: 3000, Slot: time.Hour, Zones: []string{"A", "B"}, Carbon: carbon, SitesPerZone: 1,
		PUE: []float64{1.5, 1.25}, Utilisation: 0.6, Jobs: world.Tails["azure"], Slack: world.Slack{Share: 1, Fixed: 12 * time.Hour},
		Rigid: 0.5, Movable: 0.5, Watts: 10}
}

func made(t *testing.T, r world.Recipe) *world.World {
	t.Helper()
	w, err := r.Make()
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Instance().Validate(); err != nil {
		t.Fatal(err)
	}
	return w
}

// The same seed gives the same world, another seed another one, and another
// slack leaves the jobs as they are.
func TestSeed(t *testing.T) {
	r := recipe()
	w := made(t, r)
	if !reflect.DeepEqual(w, made(t, r)) {
		t.Error("the same recipe gives two worlds")
	}
	other := r
	other.Seed = 2
	if reflect.DeepEqual(w.Intents, made(t, other).Intents) {
		t.Error("seed 2 gives the world of seed 1")
	}
	other = r
	other.Slack = world.Slack{Queue: true}
	for j, it := range made(t, other).Intents {
		mine := w.Intents[j]
		mine.Due, it.Due = 0, 0
		if mine != it {
			t.Fatalf("with another slack, intent %d is %+v, not %+v", j, it, mine)
		}
	}
}

// A made-up world is what its recipe says: as full as it should be at all
// times, jobs of a tenth of a site at most, and shares as given.
func TestMake(t *testing.T) {
	for name, change := range map[string]func(*world.Recipe){
		"as it is":   func(*world.Recipe) {},
		"pai, gaia":  func(r *world.Recipe) { r.Jobs, r.Slack = world.Tails["pai"], world.Slack{Queue: true} },
		"mustang":    func(r *world.Recipe) { r.Jobs, r.Utilisation = world.Tails["mustang"], 0.9 },
		"more sites": func(r *world.Recipe) { r.SitesPerZone = 3 },
		"quarters":   func(r *world.Recipe) { r.Slot = 15 * time.Minute },
		"as in a file": func(r *world.Recipe) {
			r.Jobs = world.Trace{{Arrival: 5000.3, Hours: 2.5, CPUs: 2}, {Hours: 90, CPUs: 4}}
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := recipe()
			r.Intents = 10_000
			change(&r)
			w := made(t, r)
			if len(w.Intents) != r.Intents || len(w.Sites) != 2*r.SitesPerZone {
				t.Fatalf("%d intents at %d sites", len(w.Intents), len(w.Sites))
			}
			asked, rigid, movable := 0.0, 0.0, 0.0
			byDay := make([]float64, 7)
			for j, it := range w.Intents {
				if it.CPUs > max(1, w.Sites[0].CPUs/10) || it.Watts != it.CPUs*r.Watts {
					t.Fatalf("intent %d has %v cpus and %v W, a site has %v", j, it.CPUs, it.Watts, w.Sites[0].CPUs)
				}
				if it.Need < 1 || it.Release < 0 || it.Release+it.Need > it.Due || int(it.Due) > w.Slots() {
					t.Fatalf("intent %d cannot be done: %+v", j, it)
				}
				asked += it.CPUs * float64(it.Need)
				for s := it.Release; s < it.Release+it.Need; s++ {
					byDay[int(s)*7/w.Slots()] += it.CPUs
				}
				if !it.Pauses {
					rigid++
				}
				switch zones := w.Regions[it.Region]; {
				case len(zones) == 0:
					movable++
				case len(zones) != 1 || zones[0] != w.Sites[it.Home].Zone:
					t.Fatalf("intent %d is at home in zone %d and may run in %v", j, w.Sites[it.Home].Zone, zones)
				}
			}
			room := w.Sites[0].CPUs * float64(len(w.Sites)) * float64(w.Slots())
			if got := asked / room; math.Abs(got-r.Utilisation) > 0.02 {
				t.Errorf("it is %v full, want %v", got, r.Utilisation)
			}
			for d, l := range byDay {
				if l *= 7 / room; name != "as in a file" && math.Abs(l-r.Utilisation) > 0.25*r.Utilisation {
					t.Errorf("day %d is %v full, want about %v", d, l, r.Utilisation)
				}
			}
			if n := float64(r.Intents); math.Abs(rigid/n-0.5) > 0.05 || math.Abs(movable/n-0.5) > 0.05 {
				t.Errorf("%v rigid, %v movable of %v", rigid, movable, n)
			}
		})
	}
}

// What would run on beyond the last slot is there when the first begins.
func TestFolded(t *testing.T) {
	r := recipe()
	r.Intents, r.Jobs, r.Slack = 2, world.Trace{{Arrival: 168 + 166, Hours: 5, CPUs: 1}}, world.Slack{Fixed: 2 * time.Hour}
	w := made(t, r)
	a, b := w.Intents[0], w.Intents[1]
	if a.Release != 0 || a.Need != 3 || a.Due != 5 || b.Release != 166 || b.Need != 2 || b.Due != 168 || a.Home != b.Home {
		t.Errorf("%+v and %+v", a, b)
	}
}

// Costs and charges are as written down.
func TestInstance(t *testing.T) {
	nan := math.NaN()
	w := &world.World{Slot: 30 * time.Minute, Zones: []string{"A", "B"}, Carbon: [][]float64{{100, 200, nan, 400}, {50, 50, 50, 50}},
		Sites:   []world.Site{{ID: "a", Zone: 0, CPUs: 4, PUE: 1.5}, {ID: "b", Zone: 1, CPUs: 8, PUE: 2}},
		Regions: [][]int32{nil, {0}},
		Intents: []world.Intent{
			{Release: 0, Due: 4, Need: 2, Region: 0, Home: 0, CPUs: 1, Watts: 500},
			{Release: 0, Due: 4, Need: 2, Region: 1, Home: 0, CPUs: 1, Watts: 500, Pauses: true},
			{Release: 0, Due: 1, Need: 2, Region: 1, Home: 0, CPUs: 1, Watts: 500},
			{Release: 0, Due: 4, Need: 2, Region: 0, Home: -1, CPUs: 1, Watts: 500},
		}}
	in := w.Instance()
	want := []float64{75, 150, nan, 300, 50, 50, 50, 50} // 100 g/kWh × PUE 1.5 × half an hour
	for c, v := range in.Cost[0] {
		if v != want[c] && !(math.IsNaN(v) && math.IsNaN(want[c])) {
			t.Errorf("cell %d costs %v g/kW, want %v", c, v, want[c])
		}
	}
	// Three times half a kilowatt: in slot 3 and the one before, of which nothing
	// is known; in slots 1 and 3 apart; and never less than a gram.
	for j, missing := range []float64{3 * 0.5 * 300, 3 * 0.5 * 450, 1} {
		if in.Jobs[j].Missing != missing {
			t.Errorf("job %d is charged %v, want %v", j, in.Jobs[j].Missing, missing)
		}
	}
	if len(in.Jobs[0].Ways) != 2 || len(in.Jobs[1].Ways) != 1 || in.Jobs[1].Kind != fleet.Interruptible || in.Room[0][7] != 8 || in.Hours[0] != 0.5 {
		t.Errorf("the instance is %+v", in)
	}
	if &in.Jobs[0].Ways[0] != &in.Jobs[3].Ways[0] {
		t.Error("intents of the same shape do not share their ways")
	}
	if w.Choices() != 3 {
		t.Errorf("%d choices, want two of the first and one of the second", w.Choices())
	}
	if w.ID(2) != "i2" {
		t.Errorf("intent 2 is called %q", w.ID(2))
	}
	if w.IDs = []string{"", "", "two", ""}; w.ID(2) != "two" {
		t.Errorf("intent 2 is called %q", w.ID(2))
	}
	if (&world.World{}).Slots() != 0 {
		t.Error("no carbon, no slots")
	}
}

// tiny is one site for one job at a time, in slots that cost 5 3 1 1 2 2 g.
func tiny(intents ...world.Intent) (*world.World, *fleet.Instance) {
	for i := range intents {
		intents[i].CPUs, intents[i].Watts = 1, 1000
	}
	w := &world.World{Slot: time.Hour, Zones: []string{"A"}, Carbon: [][]float64{{5, 3, 1, 1, 2, 2}},
		Sites: []world.Site{{ID: "a", CPUs: 1, PUE: 1}}, Regions: [][]int32{nil}, Intents: intents}
	return w, w.Instance()
}

// Who chooses first gets the best, and who has no place is counted.
func TestBaselines(t *testing.T) {
	w, in := tiny(
		world.Intent{Release: 0, Due: 6, Need: 2},               // the best: slots 2 and 3
		world.Intent{Release: 1, Due: 4, Need: 2},               // slots 2 and 3 or nothing, after that
		world.Intent{Release: 0, Due: 6, Need: 2, Pauses: true}, //
	)
	at := func(s *fleet.Solution, j int) (slots []int32) {
		for _, r := range s.Of(j) {
			for t := r.From; t < r.To; t++ {
				slots = append(slots, t)
			}
		}
		return slots
	}
	for name, c := range map[string]struct {
		s    fleet.Solution
		want [][]int32
		cost float64
	}{
		"arrival":     {world.Greedy(in, world.ByArrival), [][]int32{{2, 3}, nil, {4, 5}}, 6},
		"slack":       {world.Greedy(in, world.BySlack), [][]int32{{4, 5}, {2, 3}, {0, 1}}, 14},
		"flexibility": {world.Greedy(in, world.ByFlexibility), [][]int32{{4, 5}, {2, 3}, {0, 1}}, 14},
		"run now":     {world.RunNow(w, in), [][]int32{{0, 1}, nil, {2, 3}}, 10},
	} {
		if err := fleet.Verify(in, &c.s); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		for j := range in.Jobs {
			if got := at(&c.s, j); !slices.Equal(got, c.want[j]) {
				t.Errorf("%s: job %d runs in %v, want %v", name, j, got, c.want[j])
			}
		}
		if c.s.Cost != c.cost {
			t.Errorf("%s costs %v, want %v", name, c.s.Cost, c.cost)
		}
	}
}

// Work that may pause takes the clean slots around a taken one; run-now stays
// at home.
func TestBaselinesAround(t *testing.T) {
	w, in := tiny(world.Intent{Release: 3, Due: 4, Need: 1}, world.Intent{Release: 3, Due: 6, Need: 2, Pauses: true}, world.Intent{Release: 5, Due: 6, Need: 2, Pauses: true})
	s := world.Greedy(in, world.ByArrival)
	if err := fleet.Verify(in, &s); err != nil || s.Cost != 5 || s.Unplaced != 1 {
		t.Errorf("%v: costs %v, %d without a place", err, s.Cost, s.Unplaced)
	}
	r := recipe()
	w = made(t, r)
	in = w.Instance()
	s = world.RunNow(w, in)
	if err := fleet.Verify(in, &s); err != nil {
		t.Fatal(err)
	}
	for j := range in.Jobs {
		if runs := s.Of(j); len(runs) > 0 && in.Jobs[j].Ways[runs[0].Way].Site != w.Intents[j].Home {
			t.Fatalf("intent %d does not run at home", j)
		}
	}
}

// On made-up worlds of all kinds, the baselines keep every promise and cost no
// less than the bound of no prices.
func TestBaselinesArePlans(t *testing.T) {
	for seed := range uint64(20) {
		r := recipe()
		r.Seed, r.Intents, r.Utilisation = seed, 400, []float64{0.3, 0.9}[seed%2]
		r.Carbon[1][seed] = math.NaN()
		w := made(t, r)
		in := w.Instance()
		free := fleet.Bound(in, fleet.Prices{make([]float64, in.Cells())})
		for _, s := range []fleet.Solution{world.RunNow(w, in), world.Greedy(in, world.ByArrival), world.Greedy(in, world.BySlack), world.Greedy(in, world.ByFlexibility)} {
			if err := fleet.Verify(in, &s); err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
			if s.Cost+s.Missing < free-1e-6 {
				t.Fatalf("seed %d: a plan costs %v, the bound is %v", seed, s.Cost+s.Missing, free)
			}
		}
	}
}

// A disturbed forecast differs by about as much as it should, knows no more,
// and is the same for the same seed.
func TestDisturb(t *testing.T) {
	carbon := [][]float64{make([]float64, 5000), {math.NaN(), 100}}
	for t := range carbon[0] {
		carbon[0][t] = 200
	}
	got := world.Disturb(carbon, 3, 0.1)
	var sum, alike float64
	var last float64
	for _, v := range got[0] {
		e := math.Log(v / 200)
		sum += e * e
		alike += e * last
		last = e
	}
	if d := math.Sqrt(sum / 5000); d < 0.08 || d > 0.12 {
		t.Errorf("the error is %v, want 0.1", d)
	}
	if c := alike / sum; c < 0.85 || c > 0.95 {
		t.Errorf("an error is like the last by %v, want 0.9", c)
	}
	if !math.IsNaN(got[1][0]) || carbon[0][0] != 200 {
		t.Error("it knows what was unknown, or changed what it was given")
	}
	if !slices.Equal(got[0], world.Disturb(carbon, 3, 0.1)[0]) || slices.Equal(got[0], world.Disturb(carbon, 4, 0.1)[0]) {
		t.Error("the seed does not decide")
	}
}

// Drawn jobs are as long and as large as their trace's.
func TestTails(t *testing.T) {
	for name, c := range map[string]struct{ median, p90, cpus float64 }{
		"azure": {0.58, 11.3, 2}, "pai": {0.66, 5.5, 1}, "mustang": {1, 10, 48},
	} {
		r := rand.New(rand.NewPCG(5, 5))
		var hours, cpus []float64
		for range 20_000 {
			j := world.Tails[name].Draw(r)
			hours, cpus = append(hours, j.Hours), append(cpus, j.CPUs)
		}
		slices.Sort(hours)
		slices.Sort(cpus)
		if m, p := hours[10_000], hours[18_000]; math.Abs(m/c.median-1) > 0.1 || math.Abs(p/c.p90-1) > 0.1 || cpus[10_000] != c.cpus {
			t.Errorf("%s: median %v h, p90 %v h, %v cpus", name, m, p, cpus[10_000])
		}
	}
	if world.TailNames() != "azure, mustang, pai" {
		t.Error(world.TailNames())
	}
}

// A slack reads back as it is shown.
func TestSlack(t *testing.T) {
	for text, c := range map[string]struct {
		shown string
		of2h  time.Duration
		of3h  time.Duration
	}{
		"1x+12h":      {"1x+12h", 14 * time.Hour, 15 * time.Hour},
		"12h":         {"0x+12h", 12 * time.Hour, 12 * time.Hour},
		"0.5x":        {"0.5x+0s", time.Hour, 90 * time.Minute},
		"2x+10m":      {"2x+10m", 4*time.Hour + 10*time.Minute, 6*time.Hour + 10*time.Minute},
		"0x+1h30m20s": {"0x+1h30m20s", 5420 * time.Second, 5420 * time.Second},
		"gaia":        {"gaia", 6 * time.Hour, 24 * time.Hour},
	} {
		s, err := world.ParseSlack(text)
		if err != nil || s.String() != c.shown || s.Of(2*time.Hour) != c.of2h || s.Of(3*time.Hour) != c.of3h {
			t.Errorf("%s: %v, shown as %s, %s and %s", text, err, s, s.Of(2*time.Hour), s.Of(3*time.Hour))
		}
		if again, err := world.ParseSlack(s.String()); err != nil || again != s {
			t.Errorf("%s reads back as %+v, %v", s, again, err)
		}
	}
	for text, why := range map[string]string{
		"": "give a share", "x": "no share", "12": "no time", "1+12h": "no share", "-1x": "no share", "NaNx": "no share",
		"1x+tomorrow": "no time", "1x+-2h": "no time", "1x+9000h": "no time", "1001x": "no share", "Gaia": "no time",
	} {
		if s, err := world.ParseSlack(text); err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("%q is read as %+v, %v", text, s, err)
		}
	}
}

// A recipe that makes no world says what would.
func TestBadRecipes(t *testing.T) {
	for why, change := range map[string]func(*world.Recipe){
		"0 intents: give 1":            func(r *world.Recipe) { r.Intents = 0 },
		"slots of 1s: give 1m":         func(r *world.Recipe) { r.Slot = time.Second },
		"at least one zone":            func(r *world.Recipe) { r.Zones = nil },
		"carbon of 1":                  func(r *world.Recipe) { r.Carbon = r.Carbon[:1] },
		"has 167 slots, that of A 168": func(r *world.Recipe) { r.Carbon[1] = r.Carbon[1][1:] },
		"0 sites a zone":               func(r *world.Recipe) { r.SitesPerZone = 0 },
		"utilisation 1.5":              func(r *world.Recipe) { r.Utilisation = 1.5 },
		"utilisation NaN":              func(r *world.Recipe) { r.Utilisation = math.NaN() },
		"shares 2 rigid":               func(r *world.Recipe) { r.Rigid = 2 },
		"-1 movable":                   func(r *world.Recipe) { r.Movable = -1 },
		"-1 watts a cpu":               func(r *world.Recipe) { r.Watts = -1 },
		"slack -1x+0s: give 0x":        func(r *world.Recipe) { r.Slack = world.Slack{Share: -1} },
		"no jobs":                      func(r *world.Recipe) { r.Jobs = nil },
		"no PUE: give that":            func(r *world.Recipe) { r.PUE = nil },
		"PUE 0.9: give 1 to 10":        func(r *world.Recipe) { r.PUE = []float64{1.1, 0.9} },
	} {
		r := recipe()
		change(&r)
		if _, err := r.Make(); err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("want %q, got %v", why, err)
		}
	}
}
