package intent

import (
	"fmt"
	"math"
	"math/bits"
	"strings"
	"time"

	"clusy.io/clusy/internal/grid"
	"clusy.io/clusy/internal/workload"
)

// intent reads the whole file. What cannot be read is recorded and left at its
// default, so that the rest is read too.
func (r *reader) intent() Intent {
	in := Intent{APIVersion: APIVersion, Kind: Kind}
	if !r.mapping(r.root, nil) {
		return in
	}
	r.names(r.root, nil)
	r.header("apiVersion", APIVersion)
	r.header("kind", Kind)
	in.Metadata = r.metadata()
	in.Run = r.run()
	in.Shape = r.shape()
	in.Data = r.data()
	in.When = r.when()
	in.Where = r.places()
	in.Objective = r.objective()
	in.Policy = r.policy()
	if n := r.get(r.root, at("queue")); n != nil {
		in.Queue, _ = r.scalar(n, at("queue"), "the name of a queue: nightly")
	}
	in.After = r.after()
	return in
}

// header checks a field that has exactly one value.
func (r *reader) header(name, want string) {
	p := at(name)
	if r.root.child(name) == nil {
		r.say(fault{path: p, place: place{1, 1, 1}, message: fmt.Sprintf("the file does not say its %s; write %s: %s", name, name, want), limit: want, nearest: want})
		return
	}
	n := r.get(r.root, p)
	if n == nil {
		return
	}
	if text, ok := r.scalar(n, p, want); ok && text != want {
		r.say(fault{path: p, place: n.at, message: fmt.Sprintf("%s is not one that this version reads", quote(text)), value: text, limit: want, nearest: want})
	}
}

func (r *reader) metadata() (m Metadata) {
	n := r.section(r.root, at("metadata"))
	if n == nil {
		return m
	}
	if v := r.get(n, at("metadata", "name")); v != nil {
		m.Name, _ = r.scalar(v, at("metadata", "name"), "a name")
	}
	if v := r.get(n, at("metadata", "idempotencyKey")); v != nil {
		m.IdempotencyKey, _ = r.scalar(v, at("metadata", "idempotencyKey"), "a text")
	}
	m.Labels = r.texts(r.get(n, at("metadata", "labels")), at("metadata", "labels"))
	return m
}

func (r *reader) run() Run {
	run := Run{Grace: DefaultGrace}
	n := r.section(r.root, at("run"))
	if n == nil {
		return run
	}
	exec := at("run", "exec")
	switch v := r.get(n, exec); {
	case v == nil:
	case v.kind == kindText && strings.TrimSpace(v.text) != "":
		run.Exec = []string{"sh", "-c", v.text}
	case v.kind == kindText:
		r.say(fault{path: exec, place: v.at, message: "is empty", limit: "a program and its arguments"})
	case v.kind != kindList:
		r.say(fault{path: exec, place: r.where(v, exec), message: fmt.Sprintf("is %s, and must be a list of arguments or a text for sh -c", v.kind), limit: "[program, argument, …] or a text"})
	default:
		run.Exec = r.list(v, exec, "a single argument", "")
	}
	run.Env = r.texts(r.get(n, at("run", "env")), at("run", "env"))
	if v := r.get(n, at("run", "dir")); v != nil {
		run.Dir, _ = r.scalar(v, at("run", "dir"), "a path")
		if run.Dir == "" && v.scalar() {
			r.say(fault{path: at("run", "dir"), place: v.at, message: "is empty", limit: "an absolute path on the site"})
		}
	}
	if v := r.get(n, at("run", "grace")); v != nil {
		if d, ok := r.duration(v, at("run", "grace")); ok {
			run.Grace = d
		}
	}
	return run
}

func (r *reader) shape() Shape {
	s := Shape{Resources: Resources{CPU: DefaultCPU}}
	n := r.section(r.root, at("shape"))
	if n == nil {
		return s
	}
	if v := r.get(n, at("shape", "class")); v != nil {
		s.Class, _ = r.scalar(v, at("shape", "class"), "the name of a class")
		if s.Class == "" && v.scalar() {
			r.say(fault{path: at("shape", "class"), place: v.at, message: "is empty", limit: "the name of a class: nightly-train"})
		}
	}
	s.Duration = r.lengths(n, at("shape", "duration"), s.Class)
	if rs := r.section(n, at("shape", "resources")); rs != nil {
		s.Resources = r.resources(rs, at("shape", "resources"))
	}
	s.Power, s.PowerSource = r.power(n, s)
	s.Gang = r.gang(n)
	s.Alternatives = r.alternatives(n)
	s.Interruptible = r.interruptible(n, s.quickest())
	s.Elastic = r.elastic(n)
	return s
}

func (r *reader) lengths(shape *node, p path, class string) (d workload.Duration) {
	n := r.get(shape, p)
	wanted := n != nil && n.scalar() && n.text == learned
	switch {
	case n == nil, wanted:
	case n.kind != kindMapping:
		d.Expected, _ = r.duration(n, p)
	default:
		r.names(n, p)
		for _, part := range []struct {
			name string
			to   *time.Duration
		}{{"expected", &d.Expected}, {"p95", &d.P95}, {"max", &d.Max}} {
			v := r.get(n, p.with(part.name))
			if v == nil {
				continue
			}
			// A written zero is a mistake, and must not pass for a default.
			if got, ok := r.duration(v, p.with(part.name)); ok && got == 0 {
				r.say(fault{path: p.with(part.name), place: v.at, message: "is no time at all", value: v.text, limit: "1s or more", nearest: "1s"})
			} else if ok {
				*part.to = got
			}
		}
	}
	if d.Expected == 0 && (wanted || class != "" || r.bad(at("shape", "class"))) && !r.bad(p) {
		return r.learn(d, class)
	}
	if d == (workload.Duration{}) {
		return d
	}
	if d.P95 == 0 {
		d.P95 = d.Expected
	}
	if d.Max == 0 {
		d.Max = min(max(defaultMaxFactor*d.Expected, d.P95), max(MaxDuration, d.P95))
	}
	return d
}

func (r *reader) resources(n *node, base path) Resources {
	rs := Resources{CPU: DefaultCPU}
	if v := r.get(n, base.with("cpus")); v != nil {
		p := base.with("cpus")
		if text, ok := r.scalar(v, p, "a number of cores"); ok {
			cpu, err := parseCPUs(text)
			switch {
			case strings.HasSuffix(text, "+"):
				r.say(fault{path: p, place: v.at, message: "a range of cores is not in this version", value: text, limit: "a number of cores", nearest: strings.TrimSuffix(text, "+")})
			case err != nil:
				r.say(fault{path: p, place: v.at, message: err.Error(), value: text, limit: "a number of cores: 2, 0.5 or 500m"})
			default:
				rs.CPU = cpu
			}
		}
	}
	rs.GPUs = r.gpus(n, base.with("gpus"))
	if v := r.get(n, base.with("memory")); v != nil {
		if m, ok := quantity(r, v, base.with("memory"), "an amount of memory: 512MiB or 2GiB", parseMemory, nearMemory); ok {
			rs.Memory = m
		}
	}
	return rs
}

// power reads what the work draws: stated, worked out of its energy, or by the
// hardware table. It is never left at an unknown that a sum takes for zero.
func (r *reader) power(shape *node, s Shape) (grid.Power, string) {
	p, e := at("shape", "power"), at("shape", "energy")
	power, energy := r.get(shape, p), r.get(shape, e)
	switch {
	case power != nil && energy != nil:
		f := shape.child("energy")
		r.say(fault{path: e, place: f.at, message: "power and energy are both given; keep one of them", limit: "power, or energy"})
	case power != nil && power.kind == kindMapping:
		r.names(power, p)
		if v := r.get(power, p.with("source")); v != nil {
			choice(r, v, p.with("source"), []string{PowerDeclared}, "profile:", "measured")
		}
		watts, value := r.get(power, p.with("watts")), r.get(power, p.with("value"))
		switch {
		case watts != nil && value != nil:
			r.say(fault{path: p.with("value"), message: "watts and value are both given; keep one of them", limit: "watts, or value"})
		case value != nil:
			w, _ := quantity(r, value, p.with("value"), "a power: 300W or 2.4kW", grid.ParsePower, nearPower)
			return w, PowerDeclared
		case watts != nil:
			w, _ := quantity(r, watts, p.with("watts"), "a number of watts", parseWatts, nearWatts)
			return w, PowerDeclared
		case !r.bad(p):
			r.say(fault{path: p, message: "has neither watts nor value", limit: "{watts: 300}, or just 300W"})
		}
	case power != nil:
		w, _ := quantity(r, power, p, "a power: 300W or 2.4kW", grid.ParsePower, nearPower)
		return w, PowerDeclared
	case energy != nil:
		r.energy = true
		j, ok := quantity(r, energy, e, "an energy: 2.4kWh or 500Wh", grid.ParseEnergy, nearEnergy)
		if !ok || s.Duration.Expected <= 0 {
			return 0, PowerDeclared
		}
		return meanPower(j, s.Duration.Expected), PowerDeclared
	}
	return grid.Power((s.Resources.CPU*PowerPerCore + 999) / 1000), PowerFromTable
}

// meanPower is e over d, rounded up; a result past an int64 is clamped.
func meanPower(e grid.Energy, d time.Duration) grid.Power {
	hi, lo := bits.Mul64(uint64(e), 1000*uint64(time.Second)) // millijoules in nanoseconds
	if hi >= uint64(d) {
		return math.MaxInt64
	}
	q, rest := bits.Div64(hi, lo, uint64(d))
	if rest > 0 {
		q++
	}
	return grid.Power(min(q, math.MaxInt64))
}

func (r *reader) interruptible(shape *node, expected time.Duration) (i workload.Interruptible) {
	p := at("shape", "interruptible")
	n := r.get(shape, p)
	if n == nil {
		return i
	}
	if n.kind == kindBool && strings.EqualFold(n.text, "false") {
		return i
	}
	i = workload.Interruptible{Allowed: true, Overhead: DefaultOverhead, MinRun: min(DefaultMinRun, expected), MaxSuspensions: DefaultMaxSuspensions}
	switch {
	case n.kind == kindBool:
		return i
	case n.kind != kindMapping:
		f := fault{path: p, place: r.where(n, p), message: fmt.Sprintf("is %s, and must be true, false or {overhead, minRun, maxSuspensions}", n.kind), value: n.shown(), limit: "true, false or a mapping"}
		if yes, ok := map[string]string{"yes": "true", "on": "true", "y": "true", "1": "true", "true": "true", "no": "false", "off": "false", "n": "false", "0": "false", "false": "false"}[strings.ToLower(n.text)]; ok && n.scalar() {
			f.nearest = yes
		}
		r.say(f)
		return i
	}
	r.names(n, p)
	if v := r.get(n, p.with("overhead")); v != nil {
		i.Overhead, _ = r.duration(v, p.with("overhead"))
	}
	if v := r.get(n, p.with("minRun")); v != nil {
		i.MinRun, _ = r.duration(v, p.with("minRun"))
	}
	i.MaxSuspensions = r.integer(r.get(n, p.with("maxSuspensions")), p.with("maxSuspensions"), i.MaxSuspensions, fmt.Sprintf("1 to %d", MaxSuspensions))
	return i
}

func (r *reader) when() (w workload.When) {
	n := r.section(r.root, at("when"))
	if n == nil {
		return r.group
	}
	if v := r.get(n, at("when", "notBefore")); v != nil {
		w.NotBefore, _ = r.instant(v, at("when", "notBefore"))
		w.NotBefore = ceilSecond(w.NotBefore)
	}
	r.windows(n)
	by, delay := r.get(n, at("when", "completeBy")), r.get(n, at("when", "maxDelay"))
	if by != nil && delay != nil {
		r.say(fault{path: at("when", "maxDelay"), place: n.child("maxDelay").at, message: "completeBy and maxDelay are both given; keep one of them", limit: "completeBy, or maxDelay"})
		return w
	}
	if by != nil {
		w.CompleteBy, r.relative = r.instant(by, at("when", "completeBy"))
		if r.relative {
			w.CompleteBy = ceilSecond(w.CompleteBy)
		} else {
			w.CompleteBy = w.CompleteBy.Truncate(time.Second)
		}
	}
	if delay != nil {
		r.maxDelay, r.delayed = r.duration(delay, at("when", "maxDelay"))
	}
	if by == nil && delay == nil {
		w.CompleteBy = r.group.CompleteBy
	}
	return w
}

// instant reads an RFC 3339 instant with its offset, or a time from now.
func (r *reader) instant(n *node, p path) (t time.Time, relative bool) {
	const want = "an instant with its offset, 2026-12-01T07:00:00Z, or a time from now, +10h"
	t, ok := quantity(r, n, p, want, func(s string) (time.Time, error) {
		var err error
		t, relative, err = parseInstant(s, r.now)
		return t, err
	}, nearInstant)
	if !ok {
		return time.Time{}, false
	}
	return t, relative
}
