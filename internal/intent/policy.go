package intent

import (
	"fmt"

	"clusy.io/clusy/internal/grid"
	"clusy.io/clusy/internal/workload"
)

func (r *reader) places() (w workload.Where) {
	n := r.section(r.root, at("where"))
	if n == nil {
		return w
	}
	const want, example = "a site or a zone", "[local, DE-*]"
	w.Allow = r.list(r.get(n, at("where", "allow")), at("where", "allow"), want, example)
	w.Prefer = r.list(r.get(n, at("where", "prefer")), at("where", "prefer"), want, example)
	if v := n.child("allow"); v != nil && v.value.kind == kindList && len(v.value.items) == 0 {
		r.say(fault{path: at("where", "allow"), place: v.at, message: "allows no place at all; leave it out to allow every one", limit: "one pattern or more"})
	}
	return w
}

func (r *reader) objective() workload.Objective {
	o := workload.Objective{Minimize: workload.MinimizeCarbon}
	n := r.section(r.root, at("objective"))
	if n == nil {
		return o
	}
	minimize := at("objective", "minimize")
	if v := r.get(n, minimize); v != nil && v.kind == kindMapping {
		r.say(fault{path: minimize, message: "weights are not in this version; a price of carbon stands in objective.carbonPrice", limit: "one of carbon, cost, time", nearest: "carbon"})
	} else {
		o.Minimize = choice(r, v, minimize, minimizes)
	}
	if v := r.get(n, at("objective", "signal")); v != nil {
		choice(r, v, at("objective", "signal"), []grid.Signal{grid.Average}, string(grid.Marginal))
	}
	if v := r.get(n, at("objective", "minSaving")); v != nil {
		o.MinSaving, _ = quantity(r, v, at("objective", "minSaving"), "a share: 5%", grid.ParsePermille, nearShare)
	}
	if v, p := r.ceiling(n, "carbonCeiling"); v != nil {
		if c, ok := quantity(r, v, p, "an amount of carbon: 5kgCO2e or 800g", grid.ParseCarbon, nearCarbon); ok {
			o.CarbonCeiling = c
			r.above0(int64(c), v, p, "leave it out for no ceiling")
		}
	}
	if v, p := r.ceiling(n, "costCeiling"); v != nil {
		if _, ok := quantity(r, v, p, "an amount of money: 40 EUR", func(s string) (m grid.Money, err error) {
			m, o.Currency, err = grid.ParseMoney(s)
			o.CostCeiling = m
			return m, err
		}, nearMoney); ok {
			r.above0(int64(o.CostCeiling), v, p, "leave it out for no ceiling")
		}
	}
	if v, p := r.get(n, at("objective", "carbonPrice")), at("objective", "carbonPrice"); v != nil {
		currency := ""
		if _, ok := quantity(r, v, p, "money for a tonne of CO2: 80 EUR/t", func(s string) (m grid.Money, err error) {
			m, currency, err = grid.ParseCarbonPrice(s)
			o.CarbonPrice = m
			return m, err
		}, nearCarbonPrice); ok {
			switch {
			case o.CarbonPrice == 0:
				r.say(fault{path: p, place: v.at, message: "is a price of nothing; leave it out for none", value: v.text, limit: "more than 0"})
			case o.CostCeiling > 0 && o.Currency != currency:
				r.say(fault{path: p, place: v.at, message: "is in another currency than costCeiling, and the two cannot be compared", value: v.text, limit: o.Currency})
			case o.Minimize == workload.MinimizeTime:
				r.say(fault{path: p, place: v.at, message: "means nothing to work that is to be done soonest", value: v.text, limit: "minimize: carbon, or cost"})
			}
			o.Currency = currency
		}
	}
	return o
}

// ceiling returns the value of a ceiling, which may stand under total.
func (r *reader) ceiling(objective *node, name string) (*node, path) {
	p := at("objective", name)
	n := r.get(objective, p)
	if n == nil || n.kind != kindMapping {
		return n, p
	}
	r.names(n, p)
	if n.child("total") == nil && !r.bad(p) {
		r.say(fault{path: p, message: "has no total", limit: "{total: …}, or just the amount"})
	}
	return r.get(n, p.with("total")), p.with("total")
}

// above0 refuses a ceiling of zero: in a Shape it would stand for none at all.
func (r *reader) above0(v int64, n *node, p path, way string) {
	if v == 0 {
		r.say(fault{path: p, place: n.at, message: "is a ceiling of nothing; " + way, value: n.text, limit: "more than 0"})
	}
}

func (r *reader) policy() workload.Policy {
	pol := workload.Policy{Promise: workload.Once, Priority: DefaultPriority, OnNoSignal: workload.RunByDeadline, Baseline: workload.BaselineRunNow}
	n := r.section(r.root, at("policy"))
	if n == nil {
		return pol
	}
	pol.Promise = choice(r, r.get(n, at("policy", "promise")), at("policy", "promise"), promises)
	pol.Priority = r.integer(r.get(n, at("policy", "priority")), at("policy", "priority"), DefaultPriority, "0 to 100")
	retries, p := r.get(n, at("policy", "retries")), at("policy", "retries")
	if retries != nil && retries.kind == kindMapping {
		r.names(retries, p)
		p = p.with("max")
		retries = r.get(retries, p)
	}
	pol.Retries = r.integer(retries, p, 0, fmt.Sprintf("0 to %d", MaxRetries))
	pol.OnNoSignal = choice(r, r.get(n, at("policy", "onNoSignal")), at("policy", "onNoSignal"), noSignals, "hold")
	pol.Baseline = choice(r, r.get(n, at("policy", "baseline")), at("policy", "baseline"), baselines, "cron:", "home-region")
	return pol
}
