package main

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"runtime"
	"slices"
	"sync"
	"time"

	"clusy.io/clusy/internal/plan/fleet"
	"clusy.io/clusy/internal/plan/replay"
)

// jobsResult is every figure of a backtest of jobs. What is not known is null.
type jobsResult struct {
	File       string          `json:"file"`
	Format     string          `json:"format"`
	From       time.Time       `json:"from"`
	To         time.Time       `json:"to"`
	Begins     time.Time       `json:"traceBegins"`
	MovedDays  *float64        `json:"movedDays"` // null: the trace has no dates
	Jobs       int             `json:"jobs"`
	SampleOne  int             `json:"oneJobIn"`
	CPUHours   float64         `json:"cpuHours"`
	EnergyKWh  float64         `json:"energyKWh"`
	Sites      []jobsSite      `json:"sites"`
	Use        float64         `json:"meanUse"`
	Assumed    jobsAssumed     `json:"assumed"`
	Signal     jobsSignal      `json:"signal"`
	LeftOut    leftOut         `json:"leftOut"`
	Notes      []string        `json:"notes,omitempty"`
	Policies   []policyFigures `json:"policies"`
	Bound      *boundFigures   `json:"clairvoyantBound"`
	Worse      jobsWorse       `json:"worseThanRunNow"`
	Plans      int             `json:"plansComputedAndChecked"`
	Told       *toldFigures    `json:"told"`       // null: the truth
	EqualDelay bool            `json:"equalDelay"` // whether it was planned with less slack too
	clusy, now *replay.Outcome
}

type jobsSite struct {
	Site string  `json:"site"`
	CPUs float64 `json:"cpus"`
}

type jobsAssumed struct {
	Slot          string  `json:"slot"`
	Slack         string  `json:"slack"`
	Interruptible int     `json:"interruptibleJobs"`
	Movable       int     `json:"movableJobs"`
	WattsPerCPU   float64 `json:"wattsPerCPU"`
	PowerFrom     string  `json:"powerFrom"`
	PUE           float64 `json:"pue"`
	Lengths       string  `json:"lengths"`
}

type jobsSignal struct {
	Source   string `json:"source"`
	Basis    string `json:"basis"`
	Forecast string `json:"forecast"`
	Marginal string `json:"marginal,omitempty"`
	Unknown  int    `json:"unknownHours"`
}

// policyFigures is one way to plan. Savings are against run-now, in percent.
type policyFigures struct {
	Policy   string   `json:"policy"`
	Grams    float64  `json:"grams"`
	Saving   *float64 `json:"savingPercent"`
	Marginal *float64 `json:"marginalSavingPercent"`
	Late     int      `json:"late"`
	Missed   int      `json:"pastWhatWasAskedFor"`
	Refused  int      `json:"refused"`
	DelayH   float64  `json:"meanDelayHours"`
	Moved    int      `json:"moved"`
	Paused   int      `json:"suspensions"`
	// AtDelay is what our planner saves with a mean delay that is no longer.
	AtDelay *float64 `json:"clusySavingAtEqualDelayPercent"`
}

// toldFigures is what clusy was told of lengths that was not the truth.
type toldFigures struct {
	Durations string `json:"durations"`
	Class     int    `json:"learnedOfClass"`
	All       int    `json:"learnedOfAll"`
	Declared  int    `json:"declared"`
	Truth     int    `json:"truth"`  // as nothing else was known
	Over      int    `json:"over"`   // ran longer than the p95 that was told
	Killed    int    `json:"killed"` // ran longer than twice that
}

// knowing is the name of our policy where it is told the truth, beside what it
// does when it is not.
const knowing = replay.Planner + ", lengths known"

// boundFigures is what a clairvoyant could do at best.
type boundFigures struct {
	Grams    float64  `json:"grams"`
	Saving   *float64 `json:"savingPercent"`
	Gap      *float64 `json:"gapPercent"`           // of our carbon above it
	Realised *float64 `json:"realisedPercent"`      // our saving, of the bound's
	Plan     *float64 `json:"planGapPercent"`       // of a plan that knows all, above it
	Offline  *float64 `json:"offlineSavingPercent"` // of that plan
	Unplaced int      `json:"offlineUnplaced"`
}

// jobsWorse is what emitted more than it would have at once.
type jobsWorse struct {
	Jobs   int         `json:"jobs"`
	Grams  float64     `json:"grams"`
	Causes leftOut     `json:"causes"`
	Most   []worseJob  `json:"most"`
	Days   []worseDay  `json:"days"`
	AllDay int         `json:"daysInAll"`
	daily  []dayCarbon // every day, for the picture
}

type worseJob struct {
	Job   string  `json:"job"`
	Grams float64 `json:"grams"` // more than at once
	Share float64 `json:"percent"`
	Cause string  `json:"cause"`
}

type worseDay struct {
	Day   string  `json:"day"`
	Grams float64 `json:"grams"`
	Share float64 `json:"percent"`
}

type dayCarbon struct {
	at       time.Time
	now, our float64
}

// shares of their slack with which jobs are planned, to compare at equal delay.
var slackShares = []float64{1, 0.6, 0.3, 0.1}

// run replays the jobs in every way, as many at once as there are processors.
func (b *jobsBacktest) run(ctx context.Context) (*jobsResult, error) {
	w := &b.world.World
	var (
		mu       sync.Mutex
		policies = replay.Policies(w)
		others   = make([]replay.Outcome, len(policies))
		ours     []replay.Outcome
		failed   error
		offline  fleet.Solution
	)
	shares := slackShares[:1]
	if b.flags.equal {
		shares = slackShares
	}
	ours = make([]replay.Outcome, len(shares))
	report := b.ticker(ctx, len(shares))
	work := []func() error{}
	for i, share := range shares {
		work = append(work, func() error {
			o, err := w.Plan(replay.Planning{Share: share, Spare: b.flags.spare, Lengths: replay.Lengths(b.flags.durations), Expect: b.flags.expect, Passed: func(slot int) error { return report(i, slot) }})
			if err == nil {
				err = w.Verify(&o)
			}
			ours[i] = o
			return err
		})
	}
	if b.flags.durations != string(replay.LengthsTrue) {
		at := len(others)
		others = append(others, replay.Outcome{})
		work = append(work, func() (err error) {
			if others[at], err = w.Plan(replay.Planning{Passed: func(int) error { return ctx.Err() }}); err != nil {
				return err
			}
			others[at].Policy = knowing
			return w.Verify(&others[at])
		})
	}
	last := len(others)
	others = append(others, replay.Outcome{})
	work = append(work, func() (err error) {
		if others[last], err = w.PlanExpecting(func(int) error { return ctx.Err() }); err != nil {
			return err
		}
		return w.Verify(&others[last])
	})
	for i, p := range policies {
		work = append(work, func() error {
			if err := ctx.Err(); err != nil {
				return err
			}
			others[i] = w.Replay(p)
			return w.Verify(&others[i])
		})
	}
	next := make(chan func() error)
	var wg sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), len(work)) {
		wg.Go(func() {
			for f := range next {
				if err := f(); err != nil {
					mu.Lock()
					failed = cmp.Or(failed, err)
					mu.Unlock()
				}
			}
		})
	}
	for _, f := range work {
		next <- f
	}
	close(next)
	wg.Wait()
	if err := cmp.Or(ctx.Err(), failed); err != nil {
		return nil, err
	}
	in := w.Offline(ours[0].Due)
	offline = clairvoyant(in)
	if len(offline.First) > 0 {
		if err := fleet.Verify(in, &offline); err != nil {
			return nil, fmt.Errorf("the clairvoyant's plan: %w", err)
		}
	}
	return b.result(others, ours, &offline), nil
}

// ticker tells how far it is, now and then.
func (b *jobsBacktest) ticker(ctx context.Context, plans int) func(plan, slot int) error {
	var mu sync.Mutex
	began := time.Now()
	said := began
	at := make([]int, plans)
	w := &b.world
	last := w.Jobs[len(w.Jobs)-1].Arrive + 1
	return func(plan, slot int) error {
		mu.Lock()
		defer mu.Unlock()
		at[plan] = min(slot, last)
		if time.Since(said) > 5*time.Second {
			said = time.Now()
			sum := 0
			for _, n := range at {
				sum += n
			}
			fmt.Fprintf(b.progress, "%d %% planned, %s\n", 100*sum/(last*plans), time.Since(began).Round(time.Second))
		}
		return ctx.Err()
	}
}

func (b *jobsBacktest) result(others, ours []replay.Outcome, offline *fleet.Solution) *jobsResult {
	w := &b.world
	f := b.flags
	lengths := "known beforehand"
	if f.spare {
		lengths = "known beforehand; clusy books a tenth more"
	}
	r := &jobsResult{File: b.file, Format: b.trace.format, From: b.from, To: b.to, Begins: b.begins(), Jobs: len(w.Jobs), SampleOne: f.sample,
		CPUHours: round1(w.cpuH), EnergyKWh: round1(w.energy), Use: math.Round(1000*w.use) / 1000, LeftOut: b.trace.left.byCount(), Notes: b.trace.notes,
		Assumed:    jobsAssumed{Slot: f.slot.String(), Slack: b.slack.String(), WattsPerCPU: math.Round(1000*b.wattsCPU) / 1000, PowerFrom: b.powerFrom, PUE: f.pue, Lengths: lengths},
		Signal:     jobsSignal{Source: b.source, Basis: w.Basis.String(), Forecast: "built-in, made each hour of what was known then", Marginal: f.marginal, Unknown: w.unknown},
		EqualDelay: f.equal, clusy: &ours[0],
	}
	if t := ours[0].Told; f.durations != string(replay.LengthsTrue) {
		r.Told = &toldFigures{f.durations, t.Class, t.All, t.Declared, t.Truth, t.Over, t.Killed}
		r.Assumed.Lengths = f.durations + " for clusy, with a tenth more booked; known to all others"
	}
	if f.perfect {
		r.Signal.Forecast = "none: what came was known beforehand (--perfect-forecast)"
	}
	if len(f.providers) > 0 {
		r.Signal.Forecast = "as issued by the provider, blended with the built-in one each hour"
	}
	if b.trace.dated {
		days := b.moved.Hours() / 24
		r.MovedDays = &days
	}
	for _, s := range w.Sites {
		r.Sites = append(r.Sites, jobsSite{s.ID, float64(s.CPU) / 1000})
	}
	for i := range w.Jobs {
		if w.Jobs[i].Pauses {
			r.Assumed.Interruptible++
		}
		if len(w.Jobs[i].Sites) > 1 {
			r.Assumed.Movable++
		}
	}
	for i := range others {
		if others[i].Policy == replay.RunNow {
			r.now = &others[i]
		}
	}
	for i := range ours {
		r.Plans += ours[i].Plans
	}
	r.Policies = b.policies(others, ours)
	now, our := w.Sum(r.now, w.Measured), w.Sum(&ours[0], w.Measured)
	if bound := offline.Bound; bound > 0 && !math.IsInf(bound, 0) {
		r.Bound = &boundFigures{Grams: math.Round(bound), Saving: shareOf(now.Grams-bound, now.Grams), Gap: shareOf(our.Grams-bound, bound), Realised: shareOf(now.Grams-our.Grams, now.Grams-bound)}
		if len(offline.First) > 0 {
			r.Bound.Plan = shareOf(offline.Cost+offline.Missing-bound, bound)
			r.Bound.Unplaced = offline.Unplaced
			if offline.Unplaced == 0 {
				r.Bound.Offline = shareOf(now.Grams-offline.Cost, now.Grams)
			}
		}
	}
	b.worse(r)
	return r
}

// begins is when the trace begins, once it is moved.
func (b *jobsBacktest) begins() time.Time {
	if b.trace.dated {
		return b.trace.jobs[0].arrive.Add(b.moved)
	}
	return dateless.Add(b.moved)
}

func round1(v float64) float64 { return math.Round(10*v) / 10 }

func (b *jobsBacktest) policies(others, ours []replay.Outcome) (out []policyFigures) {
	w := &b.world
	marginal := b.marginalAt()
	all := slices.Insert(slices.Clone(others), len(others)-1, ours[0]) // and what it may become last
	var now, nowMarginal float64
	for i := range all {
		if all[i].Policy == replay.RunNow {
			now = w.Sum(&all[i], w.Measured).Grams
			if marginal != nil {
				nowMarginal = w.Sum(&all[i], marginal).Grams
			}
		}
	}
	var less []replay.Sums // ours, with less slack too
	for i := range ours {
		less = append(less, w.Sum(&ours[i], w.Measured))
	}
	for i := range all {
		s := w.Sum(&all[i], w.Measured)
		p := policyFigures{Policy: s.Policy, Grams: math.Round(s.Grams), Saving: shareOf(now-s.Grams, now), Late: s.Late, Missed: s.Missed, Refused: s.Refused,
			DelayH: math.Round(100*s.Delay*w.Slot.Hours()) / 100, Moved: s.Moved, Paused: s.Paused}
		if marginal != nil {
			if m := w.Sum(&all[i], marginal).Grams; !math.IsNaN(m) {
				p.Marginal = shareOf(nowMarginal-m, nowMarginal)
			}
		}
		if s.Policy != replay.Planner && s.Policy != knowing && s.Policy != replay.Expecting && s.Policy != replay.RunNow && b.flags.equal {
			for _, l := range less {
				if saved := shareOf(now-l.Grams, now); l.Delay <= s.Delay+1e-9 && saved != nil && (p.AtDelay == nil || *saved > *p.AtDelay) {
					p.AtDelay = saved
				}
			}
		}
		out = append(out, p)
	}
	return out
}

// marginalAt is the marginal intensity by site and slot, nil if none was given.
func (b *jobsBacktest) marginalAt() func(site, t int) float64 {
	if b.marginal == nil {
		return nil
	}
	perHour := int(time.Hour / b.world.Slot)
	return func(site, t int) float64 {
		u := int(b.from.Sub(b.zones[site].series.Start)/time.Hour) + t/perHour
		if u >= len(b.marginal[site]) {
			return math.NaN()
		}
		return b.marginal[site][u]
	}
}

// mostWorse is how many jobs and days are named that emitted more than at once.
const mostWorse = 5

// worse finds what we did worse than run-now, and why.
func (b *jobsBacktest) worse(r *jobsResult) {
	w, x := &b.world, &r.Worse
	x.Most, x.Days, x.Causes = []worseJob{}, []worseDay{}, leftOut{}
	daily := map[int]*dayCarbon{}
	for i := range w.Jobs {
		now, our := w.Grams(r.now, i, w.Measured), w.Grams(r.clusy, i, w.Measured)
		d := w.Jobs[i].Arrive * int(w.Slot/time.Minute) / (24 * 60)
		if daily[d] == nil {
			daily[d] = &dayCarbon{at: b.from.AddDate(0, 0, d)}
		}
		daily[d].now += now
		daily[d].our += our
		if our <= now+1e-9 {
			continue
		}
		cause := worseCause(w, r, i)
		x.Jobs++
		x.Grams += our - now
		x.Causes.add(cause, w.Jobs[i].ID)
		x.Most = append(x.Most, worseJob{w.Jobs[i].ID, math.Round(10*(our-now)) / 10, round1(100 * (our - now) / now), cause})
	}
	x.Grams = math.Round(x.Grams)
	x.Causes = x.Causes.byCount()
	slices.SortStableFunc(x.Most, func(a, c worseJob) int { return cmp.Compare(c.Grams, a.Grams) })
	x.Most = x.Most[:min(len(x.Most), mostWorse)]
	for _, d := range daily {
		x.daily = append(x.daily, *d)
		if d.our > d.now+1e-9 {
			x.Days = append(x.Days, worseDay{d.at.Format(time.DateOnly), math.Round(d.our - d.now), round1(100 * (d.our - d.now) / d.now)})
		}
	}
	x.AllDay = len(daily)
	slices.SortFunc(x.daily, func(a, c dayCarbon) int { return a.at.Compare(c.at) })
	slices.SortFunc(x.Days, func(a, c worseDay) int { return cmp.Or(cmp.Compare(c.Grams, a.Grams), cmp.Compare(a.Day, c.Day)) })
}

// worseCause says why a job emitted more than at once, as far as the first plan
// of it tells.
func worseCause(w *jobsWorld, r *jobsResult, i int) string {
	first, p := r.clusy.First[i], &r.clusy.Placed[i]
	switch {
	case first.Known && first.Carbon < first.Now:
		return "the forecast erred: it was expected to save"
	case p.Site == r.now.Placed[i].Site && p.End() == r.now.Placed[i].End():
		return "it was suspended for hours that were expected to be dirty, and were not"
	case first.Binding == "capacity":
		return "the clean hours, and those at once, were taken by others"
	}
	return "nothing cleaner was expected, and at once there was no room, or a later plan moved it"
}

// clairvoyant plans all jobs at once, knowing all.
func clairvoyant(in *fleet.Instance) fleet.Solution { return fleet.Solve(in, fleet.Options{}) }
