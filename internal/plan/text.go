package plan

import (
	"fmt"
	"strings"
	"time"

	"clusy.io/clusy/internal/grid"
	"clusy.io/clusy/internal/workload"
)

// text says in one sentence what was decided and what it rests on.
func (f *frame) text(t *task, c candidate, now *candidate, by Binding) string {
	p := f.places[c.site]
	here := string(p.Zone)
	if here == "" {
		here = p.ID
	}
	mean := f.mean(c)
	switch {
	case by == BindingStarted && t.at.reserved > t.limit:
		return fmt.Sprintf("Runs at %s and cannot be stopped; it will be complete too late.", here)
	case by == BindingStarted && t.flaw == barred:
		return fmt.Sprintf("Runs at %s and cannot be stopped, though the time is denied to it.", here)
	case by == BindingStarted:
		return fmt.Sprintf("Runs at %s and cannot be stopped.", here)
	case t.flaw == late:
		return fmt.Sprintf("Cannot be complete in time any more: runs as soon as there is room at %s.", here)
	case t.flaw == stuck:
		return fmt.Sprintf("Stays at %s, which takes no work now: no other site that it may use has room.", p.ID)
	case t.flaw == barred:
		return fmt.Sprintf("Is at %s in a time that is denied to it: no other way is left.", p.ID)
	case t.flaw == crowded:
		return fmt.Sprintf("Is due at %s, which has too little room for it.", p.ID)
	case by == BindingNoSignal && c.start() <= 0:
		return fmt.Sprintf("Runs now at %s: its carbon intensity is not known.", here)
	case by == BindingNoSignal:
		return fmt.Sprintf("Runs in %s at %s, in time by its booked length: its carbon intensity is not known.", span(c.start()), here)
	case c.start() > 0:
		return f.waits(t, c, now, by, mean, here)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "Runs now at %s%s", amount(mean), in(mean, here))
	if n := len(c.joined()); n > 1 {
		fmt.Fprintf(&b, " with %s", count(n-1, "pause"))
	}
	b.WriteString(t.atSizes(c))
	switch by {
	case BindingMinSaving:
		fmt.Fprintf(&b, ": waiting would save less than %s", share(t.Shape.Objective.MinSaving))
	case BindingObjective:
		fmt.Fprintf(&b, ": it is to %s", goal(t))
	default:
		b.WriteString(because(t, by))
	}
	return b.String() + f.hardware(t, c) + f.moving(t, c) + "."
}

func (f *frame) waits(t *task, c candidate, now *candidate, by Binding, mean grid.Intensity, here string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "Waits %s for %s%s", span(c.start()), amount(mean), in(mean, here))
	if n := len(c.joined()); n > 1 {
		fmt.Fprintf(&b, ", with %s", count(n-1, "pause"))
	}
	b.WriteString(t.atSizes(c))
	reason := because(t, by)
	if by == BindingObjective {
		reason = "; it is to " + goal(t)
	}
	reason += f.price(t, c, now) + f.hardware(t, c) + f.moving(t, c)
	if now == nil || !now.known || same(*now, c) {
		return b.String() + reason + "."
	}
	zone := ""
	if z := f.places[now.site].Zone; z != f.places[c.site].Zone {
		zone = " at " + string(z)
	}
	when := "now it"
	if now.start() > 0 {
		when = "at the earliest, in " + span(now.start()) + ", it"
	}
	n := strings.TrimSuffix(f.mean(*now).String(), " g/kWh")
	fmt.Fprintf(&b, "; %s is %s%s", when, n, zone)
	return b.String() + reason + "."
}

// price says what waiting saves of the cost, for work that is to cost little.
func (f *frame) price(t *task, c candidate, now *candidate) string {
	if !t.adds() && t.Shape.Objective.Minimize != workload.MinimizeCost || now == nil || same(*now, c) || !c.priced || !f.costs(*now, f.places[c.site].currency) || c.cost == now.cost {
		return ""
	}
	cur := f.places[c.site].currency
	if t.adds() && c.known && now.known {
		return fmt.Sprintf("; it costs %s and emits %s instead of %s and %s", money(c.cost, cur), c.carbon, money(now.cost, cur), now.carbon)
	}
	return fmt.Sprintf("; it costs %s instead of %s", money(c.cost, cur), money(now.cost, cur))
}

func because(t *task, by Binding) string {
	switch by {
	case BindingCapacity:
		return "; what is cleaner is taken"
	case BindingCompleteBy:
		return "; what is cleaner ends too late"
	case BindingDenied:
		if len(t.Closed) > 0 && len(t.Shape.When.Deny) == 0 {
			return "; what is cleaner is in a time in which no budget has room"
		}
		return "; what is cleaner is denied by when.windows.deny"
	case BindingExpected:
		return "; what is cleaner is left to work that is expected"
	case BindingHysteresis:
		return "; what is better now is too little to move for"
	}
	return ""
}

func in(mean grid.Intensity, here string) string {
	if !mean.Known() {
		return " in " + here
	}
	return " at " + here
}

func amount(i grid.Intensity) string {
	if !i.Known() {
		return "an unknown intensity"
	}
	return i.String()
}

func goal(t *task) string {
	if o := t.Shape.Objective; t.adds() {
		return fmt.Sprintf("make cost and carbon small together, at %s a tonne", money(o.CarbonPrice, o.Currency))
	}
	if t.Shape.Objective.Minimize == "cost" {
		return "cost least"
	}
	return "be done soonest"
}

func share(thousandths int) string {
	s := fmt.Sprintf("%.1f", float64(thousandths)/10)
	return strings.TrimSuffix(s, ".0") + " %"
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// span prints a length of time for people: 45 s, 4 h 40 m, 2 d 3 h.
func span(d time.Duration) string {
	if d < time.Minute {
		return fmt.Sprintf("%d s", int64((d+time.Second-1)/time.Second))
	}
	d = d.Round(time.Minute)
	days, h, m := d/(24*time.Hour), d%(24*time.Hour)/time.Hour, d%time.Hour/time.Minute
	var ps []string
	add := func(n time.Duration, unit string) {
		if n > 0 {
			ps = append(ps, fmt.Sprintf("%d %s", n, unit))
		}
	}
	add(days, "d")
	add(h, "h")
	add(m, "m")
	return strings.Join(ps, " ")
}
