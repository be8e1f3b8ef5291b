package plan

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"clusy.io/clusy/internal/grid"
	"clusy.io/clusy/internal/workload"
)

var rewrite = flag.Bool("rewrite", false, "write what the stories say into their files")

// TestStories runs testdata/*.txt. A story is commands, a line of ----, and
// what they print; go test -rewrite writes the latter.
//
//	grid ZONE g g g …            hourly intensities from the hour that it is
//	site ID ZONE [cpus=] [slots=] [pue=] [price=]
//	submit NAME runs= by= [from=] [booked=] [in=] [prefer=] [watts=] [cpus=]
//	       [minimize=] [minsaving=] [carbon=] [cost=] [nosignal=]
//	       [pauses] [overhead=] [minrun=] [max=]
//	hold NAME                    its site has its start right from now on
//	advance HH:MM                time goes on, and work runs as planned
//	late NAME, slow NAME         does not start when due; takes longer than expected
//	fail SITE, return SITE       takes no new work; does again
//	why NAME                     says why it is where it is
//	plan                         shows the whole plan
func TestStories(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) < 10 {
		t.Fatalf("%d stories: %v", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			told, want, _ := strings.Cut(string(text), "----\n")
			got := newStory(t).tell(told)
			if *rewrite {
				if err := os.WriteFile(file, []byte(told+"----\n"+got), 0o644); err != nil {
					t.Fatal(err)
				}
			} else if got != want {
				t.Errorf("it now says\n%s\ninstead of\n%s", got, want)
			}
		})
	}
}

type story struct {
	t    *testing.T
	s    Snapshot
	p    Plan
	late map[string]bool
	slow map[string]bool
	out  strings.Builder
}

func newStory(t *testing.T) *story {
	return &story{t: t, late: map[string]bool{}, slow: map[string]bool{}, s: Snapshot{Now: midnight, Step: 15 * time.Minute, Horizon: 48 * time.Hour}}
}

func (st *story) tell(text string) string {
	for _, line := range strings.Split(text, "\n") {
		words := strings.Fields(line)
		if len(words) == 0 || words[0] == "#" {
			continue
		}
		named := map[string]string{}
		var plain []string
		for _, w := range words[1:] {
			if k, v, ok := strings.Cut(w, "="); ok {
				named[k] = v
			} else {
				plain = append(plain, w)
			}
		}
		st.do(words[0], plain, named)
	}
	return st.out.String()
}

func (st *story) say(format string, args ...any) { fmt.Fprintf(&st.out, format+"\n", args...) }

func (st *story) do(verb string, plain []string, named map[string]string) {
	switch verb {
	case "grid":
		st.grid(grid.Zone(plain[0]), plain[1:])
	case "site":
		st.site(plain, named)
	case "submit":
		st.submit(plain, named)
	case "advance":
		st.advance(st.clock(plain[0]))
	case "fail", "return":
		for i := range st.s.Sites {
			if st.s.Sites[i].ID == plain[0] {
				st.s.Sites[i].Down = verb == "fail"
			}
		}
		st.replan(verb + " " + plain[0])
	case "hold":
		it := st.item(plain[0])
		it.Pinned = it.Placement.Site
	case "late":
		st.late[plain[0]] = true
	case "slow":
		st.slow[plain[0]] = true
	case "why":
		st.why(plain[0])
	case "plan":
		for _, pl := range st.p.Placements {
			st.say("%s", st.show(pl))
		}
	default:
		st.t.Fatalf("no one knows how to %s", verb)
	}
}

func (st *story) clock(s string) time.Time {
	h, m, ok := strings.Cut(s, ":")
	hours, err1 := strconv.Atoi(h)
	mins, err2 := strconv.Atoi(m)
	if !ok || err1 != nil || err2 != nil {
		st.t.Fatalf("%q is not a time", s)
	}
	return midnight.Add(time.Duration(hours)*time.Hour + time.Duration(mins)*time.Minute)
}

func (st *story) length(s string, otherwise time.Duration) time.Duration {
	if s == "" {
		return otherwise
	}
	d, err := time.ParseDuration(s)
	if err != nil {
		st.t.Fatal(err)
	}
	return d
}

func (st *story) number(s string, otherwise float64) float64 {
	if s == "" {
		return otherwise
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil {
		st.t.Fatal(err)
	}
	return f
}

func (st *story) grid(z grid.Zone, values []string) {
	sr := grid.Series{Start: st.s.Now.Truncate(time.Hour), Step: time.Hour, Provenance: grid.Provenance{Provider: "story", Zone: z, Issued: st.s.Now, Basis: grid.AverageLifecycle, Grade: grid.GradeA}}
	for _, v := range values {
		i := grid.Unknown
		if v != "?" {
			i = grid.Intensity(1000 * st.number(v, 0))
		}
		sr.Values = append(sr.Values, i)
	}
	st.s.Outlook = told(st.s.Outlook, sr)
	if len(st.s.Items) > 0 {
		st.replan("new forecast of " + string(z))
	}
}

func (st *story) site(plain []string, named map[string]string) {
	s := Site{ID: plain[0], Zone: grid.Zone(plain[1]), PUE: int64(1000 * st.number(named["pue"], 1)), Capacity: workload.Resources{
		CPU: int64(1000 * st.number(named["cpus"], 64)), Memory: workload.Unlimited, Power: workload.Unlimited, Slots: int64(st.number(named["slots"], 100))}}
	if p := named["price"]; p != "" {
		s.Price, s.Currency = grid.Rate(1e6*st.number(p, 0)), "EUR"
	}
	st.s.Sites = append(st.s.Sites, s)
}

func (st *story) submit(plain []string, named map[string]string) {
	d := st.length(named["runs"], time.Hour)
	sh := workload.Shape{Power: grid.Power(st.number(named["watts"], 1000)) * grid.Watt, When: workload.When{CompleteBy: st.clock(named["by"])}}
	// Booked is p95 and a tenth; a story says what is booked.
	sh.Duration = workload.Duration{Expected: d, P95: (st.length(named["booked"], d) * 10 / 11).Truncate(time.Second), Max: 4 * d}
	sh.Demand = workload.Resources{CPU: int64(1000 * st.number(named["cpus"], 1)), Slots: 1}
	if v := named["from"]; v != "" {
		sh.When.NotBefore = st.clock(v)
	}
	list := func(s string) []string {
		if s == "" {
			return nil
		}
		return strings.Split(s, ",")
	}
	sh.Where = workload.Where{Allow: list(named["in"]), Prefer: list(named["prefer"])}
	sh.Objective = workload.Objective{Minimize: workload.Minimize(named["minimize"]), MinSaving: int(10 * st.number(strings.TrimSuffix(named["minsaving"], "%"), 0)),
		CarbonCeiling: grid.Carbon(1000 * st.number(named["carbon"], 0)), CostCeiling: grid.Money(1e6 * st.number(named["cost"], 0)), Currency: "EUR"}
	sh.Policy.OnNoSignal = workload.OnNoSignal(named["nosignal"])
	sh.Interruptible = workload.Interruptible{Allowed: len(plain) > 1 && plain[1] == "pauses", Overhead: st.length(named["overhead"], 0),
		MinRun: st.length(named["minrun"], 0), MaxSuspensions: int(st.number(named["max"], 0))}
	it := Item{ID: plain[0], Shape: sh}
	p, refusal := Admit(st.s, it)
	if refusal != nil {
		for _, f := range refusal.Failed {
			st.say("%s refused: %s: %s Missing: %s.", it.ID, f.Field, f.Message, f.Missing)
		}
		if n := refusal.NearestCompleteBy; !n.IsZero() {
			st.say("%s nearest completeBy: %s", it.ID, st.hour(n))
		}
		return
	}
	st.s.Items = append(st.s.Items, it)
	st.adopt(p, "")
}

func (st *story) item(id string) *Item {
	for i := range st.s.Items {
		if st.s.Items[i].ID == id {
			return &st.s.Items[i]
		}
	}
	st.t.Fatalf("no item %q", id)
	return nil
}

// adopt doubts a plan, shows what it changes, and makes it the one in force.
func (st *story) adopt(p Plan, what string) {
	if err := Check(st.s, p); err != nil {
		st.t.Errorf("%s: %v", what, err)
	}
	for _, c := range Diff(st.p, p) {
		switch c.Kind {
		case Added:
			st.say("%s", st.show(*c.To))
		case MovedSite, MovedTime:
			by := ""
			if c.Known {
				by = fmt.Sprintf(" (%+.0f g)", float64(c.Carbon)/1000)
			}
			st.say("%s moves%s: %s", c.Workload, by, st.show(*c.To))
		}
	}
	st.p, st.s.Parent = p, p.ID
	for _, pl := range p.Placements {
		st.item(pl.Workload).Placement = &pl
	}
}

func (st *story) replan(what string) {
	st.say("%s %s", st.hour(st.s.Now), what)
	st.adopt(Compute(st.s), what)
}

func (st *story) hour(t time.Time) string {
	d := t.Sub(midnight)
	s := fmt.Sprintf("%02d:%02d", d/time.Hour, d%time.Hour/time.Minute)
	if rest := d % time.Minute; rest > 0 {
		s += fmt.Sprintf(":%02d", rest/time.Second)
	}
	return s
}

func (st *story) show(pl Placement) string {
	var spans []string
	for _, sp := range pl.Spans {
		spans = append(spans, st.hour(sp.Start)+"-"+st.hour(sp.End))
	}
	carbon := "carbon unknown"
	if pl.Grade != "" {
		carbon = pl.Carbon.String()
	}
	return fmt.Sprintf("%s %s %s %s", pl.Workload, pl.Site, strings.Join(spans, " "), carbon)
}

func (st *story) why(id string) {
	for _, pl := range st.p.Placements {
		if pl.Workload != id {
			continue
		}
		w := pl.Why
		st.say("%s: %s [%s]", id, w.Text, w.Binding)
		for _, a := range w.Rejected {
			carbon := "carbon unknown"
			if a.Known {
				carbon = fmt.Sprintf("%+.0f g", float64(a.DCarbon)/1000)
			}
			st.say("  not %s %s: %s, %s, done %+.0f min", a.Site, st.hour(a.Start), a.Cause, carbon, a.DFinish.Minutes())
		}
	}
}

// advance lets work run as it is planned until a time, and plans again then.
func (st *story) advance(to time.Time) {
	from := st.s.Now
	st.s.Now = to
	placed := map[string]Placement{}
	for _, pl := range st.p.Placements {
		placed[pl.Workload] = pl
	}
	var done []string
	for i := range st.s.Items {
		it := &st.s.Items[i]
		if st.late[it.ID] {
			continue
		}
		if !st.run(it, placed[it.ID], from, to) {
			done = append(done, it.ID)
		}
	}
	st.s.Items = slices.DeleteFunc(st.s.Items, func(it Item) bool { return slices.Contains(done, it.ID) })
	st.p.Placements = slices.DeleteFunc(slices.Clone(st.p.Placements), func(pl Placement) bool { return slices.Contains(done, pl.Workload) })
	what := "advance"
	for _, id := range done {
		what += "; " + id + " is done"
	}
	clear(st.late)
	st.replan(what)
}

func (st *story) run(it *Item, pl Placement, from, to time.Time) bool {
	in := it.Shape.Interruptible
	resume := !it.Running && (it.Done > 0 || it.Suspensions > 0)
	if it.Running && pl.Spans[0].Start.After(from) {
		it.Suspensions, resume = it.Suspensions+1, true
	}
	it.Running = false
	for i, sp := range pl.Spans {
		if !sp.Start.Before(to) {
			return true
		}
		it.Pinned = pl.Site
		last := i == len(pl.Spans)-1
		slow := last && st.slow[it.ID]
		end := sp.End
		if slow || end.After(to) {
			end = to
		}
		useful := end.Sub(later(sp.Start, from))
		if resume || i > 0 {
			useful = max(useful-in.Overhead, 0)
		}
		it.Done += useful
		if sp.End.After(to) || slow {
			it.Running, it.RunSince = true, sp.Start
			return true
		}
		if last {
			return false
		}
		it.Suspensions++
	}
	return true
}
