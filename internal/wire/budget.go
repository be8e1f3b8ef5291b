package wire

import (
	"fmt"
	"math"
	"time"

	"clusy.io/clusy"
	"clusy.io/clusy/internal/budget"
	"clusy.io/clusy/internal/plan"
	"clusy.io/clusy/internal/problem"
	"clusy.io/clusy/internal/workload"
)

// QueueIn reads a queue from the wire; what is not said is as usual.
func QueueIn(name string, s clusy.QueueSettings) workload.Queue {
	q := workload.UsualQueue(name)
	if s.Priority != nil {
		q.Priority = *s.Priority
	}
	if s.Weight != nil {
		q.Weight = *s.Weight
	}
	if s.Most != nil {
		q.Most = int(math.Round(*s.Most * 1000))
	}
	q.Guaranteed = int(math.Round(s.Guaranteed * 1000))
	if s.ReserveAhead != nil {
		q.ReserveAhead = Seconds(*s.ReserveAhead)
	}
	return q
}

// QueueOut writes a queue, and what it takes.
func QueueOut(q workload.Queue, u plan.Use) clusy.Queue {
	return clusy.Queue{Name: q.Name, Priority: q.Priority, Weight: q.Weight, Guaranteed: float64(q.Guaranteed) / 1000, Most: float64(q.Most) / 1000,
		ReserveAhead: q.ReserveAhead.Seconds(), Changed: q.Changed, Booked: u.Share, Waiting: u.Waiting, Running: u.Running}
}

// BudgetIn reads a budget from the wire; what is not said is as usual.
func BudgetIn(name string, s clusy.BudgetSettings) (b budget.Budget, vs []problem.Violation) {
	b = budget.Budget{Name: name, Queue: s.Queue, Measure: budget.Measure(s.Measure), Currency: s.Currency,
		Period: budget.Period(or(s.Period, string(budget.Month))), Then: budget.Consequence(or(s.Then, string(budget.Hold)))}
	b.Limit = b.Measure.Amount(s.Limit)
	if s.UTCOffset != "" {
		t, err := time.Parse("-07:00", s.UTCOffset)
		if err != nil {
			vs = append(vs, problem.Violation{Pointer: "/utcOffset", Value: s.UTCOffset, Limit: "-14:00 to +14:00", Nearest: "+00:00", Message: "this is no offset from UTC"})
		} else {
			_, seconds := t.Zone()
			b.Offset = time.Duration(seconds) * time.Second
		}
	}
	return b, vs
}

// BudgetOut writes how a budget stands.
func BudgetOut(s budget.Statement) clusy.Budget {
	b := s.Budget
	say := func(n int64) float64 { return float64(n) / b.Measure.Unit() }
	out := clusy.Budget{Name: b.Name, Queue: b.Queue, Measure: string(b.Measure), Limit: say(b.Limit), Currency: b.Currency, Period: string(b.Period),
		UTCOffset: offset(b.Offset), Then: string(b.Then), Changed: b.Changed,
		From: s.Period.Start, To: s.Period.End, Spent: say(s.Spent), Booked: say(s.Booked), Left: say(s.Left()), Unknown: s.Unknown.Seconds(),
		Exceeded: s.Left() < 0, Exhausted: s.Exhausted, Why: s.Why}
	if s.Rate > 0 {
		day := s.Rate * 24 / b.Measure.Unit()
		out.Rate = &day
	}
	return out
}

func offset(d time.Duration) string {
	sign := '+'
	if d < 0 {
		sign, d = '-', -d
	}
	return fmt.Sprintf("%c%02d:%02d", sign, int(d.Hours()), int(d.Minutes())%60)
}
