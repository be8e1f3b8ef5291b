package budget

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"clusy.io/clusy/internal/access"
	"clusy.io/clusy/internal/grid"
	"clusy.io/clusy/internal/ledger"
	"clusy.io/clusy/internal/plan"
	"clusy.io/clusy/internal/workload"
)

// Look is how far back the run rate looks.
const Look = 28 * 24 * time.Hour

// Records is what is on record of one tenant.
type Records struct {
	Now     time.Time
	Tenant  access.Tenant
	Budgets []Budget
	// Entries are of the ledger, the oldest first, from Since on. Pending are
	// meters that are not in it yet.
	Entries []ledger.Line
	Pending []ledger.Meter
	Shapes  map[string]workload.Shape // of all workloads that are named here
	// Decided are the placements in force or, of what has ended, the last ones;
	// Open says which are in force.
	Decided map[string]plan.Placement
	Open    map[string]bool
	Sites   []plan.Site
	Prices  map[grid.Zone][]grid.Prices
}

// Since returns from which time on the ledger must be read for budgets: the
// earliest of their periods at now, and as far as the run rate looks back.
func Since(bs []Budget, now time.Time) time.Time {
	since := now.Add(-Look)
	for _, b := range bs {
		since = earlier(since, b.PeriodOf(now).Start)
	}
	return since.UTC().Truncate(time.Hour)
}

// Book is what a tenant's budgets are held against. It is not safe for use by
// several at once.
type Book struct {
	now     time.Time
	budgets []Budget
	spent   []Piece
	booked  []Piece
	sites   map[string]plan.Site
	base    int // how much of booked is on record
}

// NewBook adds up what is on record. Of an hour that was restated, the newest
// entry counts.
func NewBook(r Records) *Book {
	b := &Book{now: r.Now, budgets: slices.Clone(r.Budgets), sites: map[string]plan.Site{}}
	slices.SortFunc(b.budgets, func(x, y Budget) int { return cmp.Compare(x.Name, y.Name) })
	tariffs := map[string]grid.Tariff{}
	for _, s := range r.Sites {
		b.sites[s.ID] = s
		tariffs[s.ID] = grid.NewTariff(s.Price, s.Currency, r.Prices[s.Zone]...)
	}
	type hour struct {
		workload string
		attempt  int
		at       int64
	}
	at := map[hour]int{}
	for _, l := range r.Entries {
		m := l.Entry.Meter
		p := Spent(l.Entry, r.Shapes[m.Workload], r.Decided[m.Workload].Way, tariffs[m.Site])
		h := hour{m.Workload, m.Attempt, m.Hour.Unix()}
		if i, restated := at[h]; restated {
			b.spent[i] = p
			continue
		}
		at[h] = len(b.spent)
		b.spent = append(b.spent, p)
	}
	for _, m := range r.Pending {
		if _, settled := at[hour{m.Workload, m.Attempt, m.Hour.Unix()}]; !settled {
			b.booked = append(b.booked, Pending(m, r.Shapes[m.Workload], r.Decided[m.Workload], b.sites[m.Site].PUE))
		}
	}
	for id, open := range r.Open {
		if pl, placed := r.Decided[id]; open && placed {
			b.booked = append(b.booked, Booked(id, r.Shapes[id], pl, b.sites[pl.Site].PUE, r.Now)...)
		}
	}
	slices.SortStableFunc(b.booked, func(x, y Piece) int { return cmp.Or(cmp.Compare(x.Workload, y.Workload), x.From.Compare(y.From)) })
	b.base = len(b.booked)
	return b
}

// Reset forgets what was Put.
func (k *Book) Reset() { k.booked = k.booked[:k.base] }

// Budgets returns the budgets, by name.
func (k *Book) Budgets() []Budget { return k.budgets }

// Put books a placement that was just admitted.
func (k *Book) Put(id string, shape workload.Shape, pl plan.Placement) {
	k.booked = append(k.booked, k.pieces(id, shape, pl)...)
}

func (k *Book) pieces(id string, shape workload.Shape, pl plan.Placement) []Piece {
	return Booked(id, shape, pl, k.sites[pl.Site].PUE, k.now)
}

// Statement is how a budget stands in one period.
type Statement struct {
	Budget Budget
	Period Window
	Spent  int64 // by the ledger
	Booked int64 // by the plan in force, and metered but not in the ledger yet
	// Unknown is how much time of work is in neither, as its figure is not known.
	Unknown time.Duration
	// Rate is what was spent in an hour on the mean of the time History back.
	Rate    float64
	History time.Duration
	// Exhausted is when it will be used up, zero if not within the period or if
	// that cannot be told; Why says in a sentence how that was reckoned.
	Exhausted time.Time
	Why       string
}

// Left returns how much is left; below 0 it is exceeded.
func (s Statement) Left() int64 { return s.Budget.Limit - s.Spent - s.Booked }

// sum adds up what pieces come to within a window.
func sum(b Budget, pieces []Piece, w Window) (n int64, unknown time.Duration) {
	for _, p := range pieces {
		if !b.Covers(p.Queue) {
			continue
		}
		x, known, in := p.within(b, w)
		if !known {
			unknown += in
			continue
		}
		n = min(n+x, int64(mostAmount))
	}
	return n, unknown
}

// Statement returns how a budget stands in the period of a time.
func (k *Book) Statement(b Budget, at time.Time) Statement {
	s := Statement{Budget: b, Period: b.PeriodOf(at)}
	var dark time.Duration
	s.Spent, s.Unknown = sum(b, k.spent, s.Period)
	s.Booked, dark = sum(b, k.booked, s.Period)
	s.Unknown += dark
	k.foretell(&s)
	return s
}

// foretell reckons when the budget of s will be used up.
func (k *Book) foretell(s *Statement) {
	b := s.Budget
	var first time.Time
	for _, p := range k.spent {
		if b.Covers(p.Queue) && p.To.After(k.now.Add(-Look)) && (first.IsZero() || p.From.Before(first)) {
			first = p.From
		}
	}
	if s.Left() <= 0 {
		s.Exhausted, s.Why = k.now, "What is spent and booked takes all of it."
		return
	}
	if first.IsZero() {
		s.Why = "Nothing of it was spent in the last 4 weeks: there is no rate to reckon with."
		return
	}
	back := Window{later(first, k.now.Add(-Look)), k.now}
	s.History = back.End.Sub(back.Start)
	if s.History < LeastHistory {
		s.Why = fmt.Sprintf("The ledger has less than %s of it: too little for a rate.", say(LeastHistory))
		return
	}
	used, _ := sum(b, k.spent, back)
	if s.Rate = float64(used) / s.History.Hours(); s.Rate <= 0 {
		s.Why = "Nothing of it was used in the last 4 weeks."
		return
	}
	how := fmt.Sprintf("%s is spent and %s booked; more comes at %s a day, as on the mean of the last %s", b.Say(s.Spent), b.Say(s.Booked), b.Say(int64(s.Rate*24)), say(s.History))
	hours := float64(s.Left()) / s.Rate
	if from := later(k.now, s.Period.Start); hours < s.Period.End.Sub(from).Hours() {
		s.Exhausted = from.Add(time.Duration(hours * float64(time.Hour))).Truncate(time.Minute)
		s.Why = how + "."
		return
	}
	s.Why = how + ": it lasts to the end of the period."
}

// LeastHistory is how much of the ledger a rate needs.
const LeastHistory = time.Hour

func say(d time.Duration) string {
	if d >= 48*time.Hour {
		return fmt.Sprintf("%d days", int((d+12*time.Hour)/(24*time.Hour)))
	}
	if h := int((d + 30*time.Minute) / time.Hour); h != 1 {
		return fmt.Sprintf("%d hours", h)
	}
	return "hour"
}

// Excess is a budget that some work would exceed.
type Excess struct {
	Statement       // of the period, without the work
	Needs     int64 // what the work takes in that period
	Known     bool  // false: that is not known, and cannot be shown to fit
}

// Over returns the budgets with a consequence that a placement would exceed if
// it were admitted, by budget and period.
func (k *Book) Over(id string, shape workload.Shape, pl plan.Placement, then Consequence) (out []Excess) {
	fresh := k.pieces(id, shape, pl)
	for _, b := range k.budgets {
		if b.Then != then || !b.Covers(shape.QueueOf()) {
			continue
		}
		seen := map[time.Time]bool{}
		for _, f := range fresh {
			for w := b.PeriodOf(f.From); w.Start.Before(f.To); w = b.PeriodOf(w.End) {
				if seen[w.Start] {
					continue
				}
				seen[w.Start] = true
				needs, unknown := sum(b, fresh, w)
				s := k.Statement(b, w.Start)
				if needs > 0 && needs > s.Left() || unknown > 0 {
					out = append(out, Excess{s, needs, unknown == 0})
				}
			}
		}
	}
	return out
}

// Room returns the beginning of the first period from a time on that has so much
// left of a budget.
func (k *Book) Room(b Budget, from time.Time, needs int64) (time.Time, bool) {
	if needs > b.Limit {
		return time.Time{}, false
	}
	w := b.PeriodOf(from)
	for range mostPeriods {
		spent, _ := sum(b, k.spent, w)
		booked, _ := sum(b, k.booked, w)
		if needs <= b.Limit-spent-booked {
			return w.Start, true
		}
		w = b.PeriodOf(w.End)
	}
	return time.Time{}, false
}
