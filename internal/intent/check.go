package intent

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"clusy.io/clusy/internal/grid"
	"clusy.io/clusy/internal/workload"
)

// check returns every rule that in breaks by itself, whatever the time is.
// Parse asks it of a file that was read, Unmarshal of an intent that was
// opened: a sealed intent is no more trusted than a file.
func check(in Intent) []fault {
	c := &checker{}
	c.must(in.APIVersion == APIVersion, fault{path: at("apiVersion"), message: "is not one that this version reads", value: in.APIVersion, limit: APIVersion, nearest: APIVersion})
	c.must(in.Kind == Kind, fault{path: at("kind"), message: "is not one that this version reads", value: in.Kind, limit: Kind, nearest: Kind})
	c.metadata(in.Metadata)
	c.run(in.Run)
	c.shape(in.Shape)
	c.data(in.Data)
	c.when(in.When)
	c.places(at("where", "allow"), in.Where.Allow)
	c.places(at("where", "prefer"), in.Where.Prefer)
	c.objective(in.Objective)
	c.policy(in.Policy)
	c.queue(in.Queue)
	c.after(in.After)
	return c.faults
}

type checker struct{ faults []fault }

func (c *checker) must(ok bool, f fault) {
	if !ok {
		c.faults = append(c.faults, f)
	}
}

func (c *checker) queue(name string) {
	c.must(name == "" || workload.IsLabel(name), fault{path: at("queue"), message: "is not a name that a queue can have", value: name, limit: "1 to 63 of a-z, 0-9 and -", nearest: workload.DefaultQueue})
}

// text checks a sealed text. Its value is not repeated.
func (c *checker) text(p path, s string, most int) {
	c.must(utf8.ValidString(s) && strings.IndexFunc(s, unicode.IsControl) < 0,
		fault{path: p, message: "holds a control character", limit: "printable characters"})
	c.must(utf8.RuneCountInString(s) <= most, fault{path: p, message: "is too long", limit: fmt.Sprintf("at most %d characters", most)})
}

func (c *checker) metadata(m Metadata) {
	c.text(at("metadata", "name"), m.Name, maxText)
	c.text(at("metadata", "idempotencyKey"), m.IdempotencyKey, maxText)
	p := at("metadata", "labels")
	c.must(len(m.Labels) <= maxLabels, fault{path: p, message: fmt.Sprintf("are %d", len(m.Labels)), limit: fmt.Sprintf("at most %d labels", maxLabels)})
	for _, k := range slices.Sorted(maps.Keys(m.Labels)) {
		c.must(k != "", fault{path: p, message: "a label has no name", limit: "a name for each label"})
		c.text(p.with(k), k, maxText)
		c.text(p.with(k), m.Labels[k], maxText)
	}
}

var envName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,127}$`)

func (c *checker) run(r Run) {
	exec := at("run", "exec")
	c.must(len(r.Exec) > 0, fault{path: exec, message: "the intent does not say what to run", limit: "a program and its arguments", nearest: `[sh, -c, "…"]`})
	c.must(len(r.Exec) <= maxArgs, fault{path: exec, message: fmt.Sprintf("has %d arguments", len(r.Exec)), limit: fmt.Sprintf("at most %d", maxArgs)})
	for i, a := range r.Exec {
		c.must(utf8.ValidString(a) && !strings.ContainsRune(a, 0), fault{path: exec.with(strconv.Itoa(i)), message: "holds a zero character, which no program can be given", limit: "text"})
		c.must(i > 0 || strings.TrimSpace(a) != "", fault{path: exec.with("0"), message: "the program's name is empty", limit: "a program"})
	}
	env := at("run", "env")
	c.must(len(r.Env) <= maxEnv, fault{path: env, message: fmt.Sprintf("are %d", len(r.Env)), limit: fmt.Sprintf("at most %d variables", maxEnv)})
	for _, k := range slices.Sorted(maps.Keys(r.Env)) {
		c.must(envName.MatchString(k), fault{path: env.with(k), message: fmt.Sprintf("%s is not a name of a variable", quote(k)), limit: "letters, digits and _, not beginning with a digit"})
		c.must(utf8.ValidString(r.Env[k]) && !strings.ContainsRune(r.Env[k], 0), fault{path: env.with(k), message: "holds a zero character, which no program can be given", limit: "text"})
	}
	if r.Dir != "" {
		c.text(at("run", "dir"), r.Dir, maxDir)
		c.must(strings.HasPrefix(r.Dir, "/"), fault{path: at("run", "dir"), message: "is not an absolute path, and the site does not know from where it counts", value: r.Dir, limit: "an absolute path on the site"})
	}
	c.span(at("run", "grace"), r.Grace, 0, MaxGrace)
}

// span checks a length of time against its limits.
func (c *checker) span(p path, d, least, most time.Duration) {
	f := fault{path: p, value: length(d), limit: fmt.Sprintf("%s to %s", length(least), length(most))}
	if d < least {
		f.message, f.nearest = "is too short", length(least)
		c.must(false, f)
	}
	if d > most {
		f.message, f.nearest = "is too long", length(most)
		c.must(false, f)
	}
}

func (c *checker) shape(s Shape) {
	c.must(s.Class == "" || workload.ValidClass(s.Class), classFault(s.Class))
	c.lengths(at("shape", "duration"), s.Duration)
	c.power(at("shape", "power"), s.Power)
	c.must(s.PowerSource == PowerDeclared || s.PowerSource == PowerFromTable, fault{path: at("shape", "power", "source"), message: "is not a source of a power", limit: PowerDeclared})
	c.hardware(at("shape", "resources"), s.Resources)
	c.alternatives(s)
	c.together(s)
	c.elastic(s.Elastic)

	i, ip := s.Interruptible, at("shape", "interruptible")
	if !i.Allowed {
		c.must(i == workload.Interruptible{}, fault{path: ip, message: "is false and says more", limit: "true, false or a mapping"})
		return
	}
	c.span(ip.with("overhead"), i.Overhead, 0, MaxDuration)
	c.span(ip.with("minRun"), i.MinRun, 0, max(s.quickest(), 0))
	c.whole(ip.with("maxSuspensions"), int64(i.MaxSuspensions), 1, MaxSuspensions, fmt.Sprintf("1 to %d", MaxSuspensions))
}

// lengths checks how long work runs.
func (c *checker) lengths(p path, d workload.Duration) {
	if d.Expected == 0 {
		c.must(false, fault{path: p.with("expected"), message: "the intent does not say how long the work runs", limit: "a length of time", nearest: "6h"})
	} else {
		c.span(p.with("expected"), d.Expected, time.Second, MaxDuration)
		c.span(p.with("p95"), d.P95, time.Second, MaxDuration)
		c.span(p.with("max"), d.Max, time.Second, MaxDuration)
		c.must(d.P95 >= d.Expected, fault{path: p.with("p95"), message: "is less than expected; 19 of 20 runs cannot be shorter than the usual one", value: length(d.P95), limit: "at least expected", nearest: length(d.Expected)})
		c.must(d.Max >= d.P95, fault{path: p.with("max"), message: "is less than p95, so that more than 1 of 20 runs would be killed", value: length(d.Max), limit: "at least p95", nearest: length(d.P95)})
	}
}

// power checks a mean power.
func (c *checker) power(p path, w grid.Power) {
	limit := fmt.Sprintf("more than 0 W, at most %d MW", MaxPower/grid.Watt/1_000_000)
	c.must(w > 0, fault{path: p, message: "the work would draw nothing", value: w.String(), limit: limit, nearest: "1W"})
	c.must(w <= MaxPower, fault{path: p, message: "the work would draw more than we believe", value: w.String(), limit: limit, nearest: fmt.Sprintf("%dkW", MaxPower/grid.Watt/1000)})
}

// whole checks a whole number against its limits.
func (c *checker) whole(p path, v, least, most int64, limit string) {
	f := fault{path: p, value: strconv.FormatInt(v, 10), limit: limit, message: "is out of its limits"}
	if p[len(p)-1] == "cpus" {
		f.value, f.nearest = cores(v), cores(min(max(v, least), most))
	} else if p[len(p)-1] == "memory" {
		f.value, f.nearest = fmt.Sprintf("%dMiB", v), fmt.Sprintf("%dMiB", min(max(v, least), most))
	} else {
		f.nearest = strconv.FormatInt(min(max(v, least), most), 10)
	}
	c.must(v >= least && v <= most, f)
}

func cores(milli int64) string { return strconv.FormatFloat(float64(milli)/1000, 'f', -1, 64) }

func (c *checker) when(w workload.When) {
	for _, x := range []struct {
		name string
		t    time.Time
	}{{"notBefore", w.NotBefore}, {"completeBy", w.CompleteBy}} {
		c.must(x.t.IsZero() || x.t.Year() >= 1970 && x.t.UTC().Year() <= 9999 && x.t.Nanosecond() == 0,
			fault{path: at("when", x.name), message: "is not a whole second of a year from 1970 to 9999", limit: "a whole second"})
	}
	deny := at("when", "windows", "deny")
	c.must(len(w.Deny) <= workload.MaxDeny, fault{path: deny, message: fmt.Sprintf("are %d times", len(w.Deny)), limit: fmt.Sprintf("at most %d", workload.MaxDeny)})
	for i, s := range w.Deny {
		c.must(s.Start.Year() >= 1970 && s.End.UTC().Year() <= 9999 && s.Start.Nanosecond() == 0 && s.End.Nanosecond() == 0 && s.Start.Before(s.End) &&
			(i == 0 || w.Deny[i-1].End.Before(s.Start)), fault{path: deny, message: "are not whole seconds, in order and apart", limit: "whole seconds, in order and apart"})
	}
}

var patternForm = regexp.MustCompile(`^[A-Za-z0-9._/*-]{1,128}$`)

// places checks patterns of sites and zones. They leave the enclave, so they
// are held to the letters that a site or a zone can have: no room for prose.
func (c *checker) places(p path, patterns []string) {
	c.must(len(patterns) <= MaxPatterns, fault{path: p, message: fmt.Sprintf("has %d patterns", len(patterns)), limit: fmt.Sprintf("at most %d", MaxPatterns)})
	for i, s := range patterns {
		c.must(patternForm.MatchString(s), fault{path: p.with(strconv.Itoa(i)), message: fmt.Sprintf("%s is not a pattern of a site or a zone", quote(s)), value: s,
			limit: fmt.Sprintf("letters, digits and . _ / - *, at most %d", maxPattern)})
	}
}

var currencyForm = regexp.MustCompile(`^[A-Z]{3}$`)

func (c *checker) objective(o workload.Objective) {
	c.must(slices.Contains(minimizes, o.Minimize), fault{path: at("objective", "minimize"), message: "is not known", limit: "one of carbon, cost, time"})
	c.whole(at("objective", "minSaving"), int64(o.MinSaving), 0, 1000, "0% to 100%")
	c.must(o.CarbonCeiling >= 0, fault{path: at("objective", "carbonCeiling"), message: "is below zero", limit: "more than 0"})
	c.must(o.CostCeiling >= 0, fault{path: at("objective", "costCeiling"), message: "is below zero", limit: "more than 0"})
	c.must(o.CarbonPrice >= 0 && o.CarbonPrice <= workload.MaxCarbonPrice, fault{path: at("objective", "carbonPrice"), message: "is not a price of a tonne of CO2 that we believe", limit: "more than 0, at most 100000 per tonne"})
	c.must(o.CarbonPrice == 0 || o.Minimize != workload.MinimizeTime, fault{path: at("objective", "carbonPrice"), message: "means nothing to work that is to be done soonest", limit: "minimize: carbon, or cost"})
	c.must((o.CostCeiling == 0 && o.CarbonPrice == 0) == (o.Currency == "") && (o.Currency == "" || currencyForm.MatchString(o.Currency)),
		fault{path: at("objective", "costCeiling"), message: "must have a currency, and only then", limit: "40 EUR"})
}

func (c *checker) policy(p workload.Policy) {
	c.must(p.Promise == workload.Once || p.Promise == workload.RerunOK, fault{path: at("policy", "promise"), message: "is not known", limit: "one of once, rerun_ok"})
	c.whole(at("policy", "priority"), int64(p.Priority), 0, 100, "0 to 100")
	c.whole(at("policy", "retries"), int64(p.Retries), 0, MaxRetries, fmt.Sprintf("0 to %d", MaxRetries))
	c.must(p.OnNoSignal == workload.RunNow || p.OnNoSignal == workload.RunByDeadline, fault{path: at("policy", "onNoSignal"), message: "is not known", limit: "one of run-by-deadline, run-now"})
	c.must(p.Baseline == workload.BaselineRunNow, fault{path: at("policy", "baseline"), message: "is not known", limit: "run-now"})
}
