package forecast

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"time"

	"clusy.io/clusy/internal/grid"
)

// The constants of the blend.
const (
	daysAhead   = leads / 24
	mostSources = 4   // providers that may have a say: those with the newest forecasts
	mostIssues  = 900 // forecasts of one provider that are looked at: hourly for 35 days, and a few
	fewIssues   = 4   // of a record, from which on its strays are learnt from
	shiftIssues = 40  // issues that weigh as much as the fading without any
	judgeIssues = 8   // the same, of what jobs lost on each
	priorIssues = 3   // issues of a track record that weigh as much as the weights without any
	leastSay    = 0.1 // mean weight from which a provider counts as having a say

	// How the strays of a provider without a record last: those of the last
	// three hours fade with 6 h, those of the last day with 36 h. Factors by
	// hour, and the share of the day's.
	fadeNow, fadeDay = 0.8464817248906141, 0.9726044771163483
	shareOfDay       = 0.25

	regretScale = 0.05 // of a clairvoyant's gain: to lose so much less than the blend gives one alone half of the say
)

// trust is the weight of a provider without a track record, by day ahead.
var trust = [daysAhead]float64{0.8, 0.6, 0.5, 0.4}

// source is a provider's forecasts, on the hours of the builtin.
type source struct {
	name    string
	issues  []issue   // by the time of issue; the last is what it expects now
	inForce []float64 // of hours before now: what was expected by the newest issue before each

	// learnt is what is added, by bucket of lead times, to the weights with
	// which strays last.
	learnt [len(buckets)][signs]float64
}

type issue struct {
	issued time.Time
	grade  grid.Grade
	from   int       // the hour of the first value
	values []float64 // NaN where nothing is known
}

func (f *issue) at(i int) float64 {
	if i < f.from || i >= f.from+len(f.values) {
		return math.NaN()
	}
	return f.values[i-f.from]
}

// sources returns the providers whose newest forecast is still good, in the
// order of their names.
func (p Past) sources(at, now time.Time) []source {
	const n = pastHours
	far := at.AddDate(10, 0, 0)
	fit := make([]grid.Series, 0, len(p.Issued))
	for _, s := range p.Issued {
		if s.Zone == p.Zone && s.Basis == p.Basis && (s.Flow == "" || p.Measured.Flow == "" || s.Flow == p.Measured.Flow) &&
			!s.Issued.After(now) && now.Sub(s.Issued) < TrackRecord && s.End().After(at.Add(-TrackRecord)) && s.Start.Before(far) &&
			s.Step >= time.Minute && s.Step <= 24*time.Hour && len(s.Values) > 0 {
			fit = append(fit, s)
		}
	}
	// The order in which they come in must not matter: equal ones are told
	// apart by their content.
	slices.SortFunc(fit, func(a, b grid.Series) int {
		if c := cmp.Or(cmp.Compare(a.Provider, b.Provider), a.Issued.Compare(b.Issued), cmp.Compare(a.Revision, b.Revision), a.Start.Compare(b.Start)); c != 0 {
			return c
		}
		return cmp.Compare(a.Digest(), b.Digest())
	})
	var out []source
	for len(fit) > 0 {
		k := 1
		for k < len(fit) && fit[k].Provider == fit[0].Provider {
			k++
		}
		of := fit[:k]
		fit = fit[k:]
		if now.Sub(of[k-1].Issued) >= Good || !of[k-1].End().After(at) {
			continue
		}
		src := source{name: of[0].Provider}
		for _, s := range of[max(0, k-mostIssues):] {
			from := s.Start.UTC().Truncate(time.Hour)
			hours := int(min(s.End().Sub(from), 2*leads*time.Hour)+time.Hour-1) / int(time.Hour)
			values := resample(s, from.Add(time.Duration(hours)*time.Hour), far.AddDate(10, 0, 0), time.Hour, hours)
			src.issues = append(src.issues, issue{s.Issued, s.Grade, n + int(from.Sub(at)/time.Hour), values})
		}
		src.force(at, n)
		out = append(out, src)
	}
	if len(out) > mostSources {
		slices.SortStableFunc(out, func(a, b source) int { return b.newest().issued.Compare(a.newest().issued) })
		out = out[:mostSources]
		slices.SortFunc(out, func(a, b source) int { return cmp.Compare(a.name, b.name) })
	}
	return out
}

func (s *source) newest() *issue { return &s.issues[len(s.issues)-1] }

// force notes for each hour of the past what was expected of it when it began.
func (s *source) force(at time.Time, n int) {
	s.inForce = make([]float64, n)
	k := -1
	for i := range s.inForce {
		t := at.Add(time.Duration(i-n) * time.Hour)
		for k+1 < len(s.issues) && !s.issues[k+1].issued.After(t) {
			k++
		}
		s.inForce[i] = math.NaN()
		for j := k; j >= 0 && t.Sub(s.issues[j].issued) < Good; j-- {
			if v := s.issues[j].at(i); !math.IsNaN(v) {
				s.inForce[i] = v
				break
			}
		}
	}
}

// before returns the newest forecast that was issued by a time and good then,
// nil if there is none.
func (s *source) before(t time.Time) *issue {
	k, found := slices.BinarySearchFunc(s.issues, t, func(f issue, t time.Time) int { return f.issued.Compare(t) })
	for found && k < len(s.issues) && s.issues[k].issued.Equal(t) {
		k++ // of those of one moment, the last
	}
	if k == 0 || t.Sub(s.issues[k-1].issued) >= Good {
		return nil
	}
	return &s.issues[k-1]
}

// The signs of a provider: how far its forecasts strayed before an hour.
const (
	strayedNow  = iota // the mean of the last three hours, of the issue that is in use
	strayedDay         // the mean of the last day, of whatever issue was in use
	strayedWeek        // the same of the last week
)

// strays returns the signs before hour from of an issue; zero where nothing is
// known.
func (s *source) strays(f *issue, y []float64, begin, from int) (x [signs]float64) {
	for k := 1; k <= min(3, from-begin); k++ {
		if e := y[from-k] - f.at(from-k); !math.IsNaN(e) {
			x[strayedNow] += e / 3 // an hour that is not known strayed not at all
		}
	}
	sum, n := 0.0, 0.0
	for k := 1; k <= 168 && from-k >= 0; k++ {
		if e := y[from-k] - s.inForce[from-k]; !math.IsNaN(e) {
			sum += e
			n++
		}
		if n > 0 && k == 24 {
			x[strayedDay] = sum / n
		}
	}
	if n > 0 {
		x[strayedWeek] = sum / n
	}
	x[strayedNow] -= float64(shareOfDay * x[strayedDay])
	return x
}

// fading returns how the strays of a provider without a record last.
func fading(lead int) (w [signs]float64) {
	w[strayedNow], w[strayedDay] = fades[lead][0], shareOfDay*fades[lead][1]
	return w
}

var fades = func() (of [leads][2]float64) {
	now, day := 1.0, 1.0
	for lead := range of {
		now, day = now*fadeNow, day*fadeDay
		of[lead] = [2]float64{now, day}
	}
	return of
}()

// expect fills in what the provider expects of the hours from an hour on,
// shifted by how far it strayed before.
func (s *source) expect(f *issue, x *[signs]float64, from int, out []float64) {
	for lead := range out {
		h := leadOf(0, lead)
		w := fading(h)
		out[lead] = f.at(from+lead) + weigh(&w, x) + weigh(&s.learnt[bucketOf[h]], x)
	}
}

// begun returns the first hour that begins when an issue is out.
func (f *issue) begun(at time.Time, n int) int {
	d := f.issued.Sub(at)
	h := int(d / time.Hour)
	if d > time.Duration(h)*time.Hour {
		h++
	}
	return n + h
}

// blend is the forecasters of a zone, what they said at times of the past, and
// what follows from it. Forecaster 0 is the built-in one.
type blend struct {
	b       *builtin // nil if too little is known for it
	at, now time.Time
	y       []float64
	sources []source
	rows    []row
	records []record

	errs  [][len(buckets)]float64 // by forecaster and bucket of its own lead times: the mean square of its errors
	alike [daysAhead][][]float64  // by day ahead: how much two of them err alike, -1 to 1
	share []float64               // of each alone in the forecast; the rest is the blend's
}

// record is how good a forecaster was.
type record struct {
	off, n     [daysAhead]float64 // sum of absolute errors by the truth, and their number
	lost, gain float64            // what jobs planned on it lost, of what a clairvoyant would have gained
	issues     int
}

// row is what the forecasters say at one hour, by lead time.
type row struct {
	from   int
	said   [][]float64 // by forecaster; nil: nothing
	origin []int       // the hour from which the lead time of each counts: that of its issue
	mixed  []float64   // what they say together; of the past as far as it is known what came
}

func newBlend(b *builtin, y []float64, sources []source, at, now time.Time) *blend {
	m := &blend{b: b, at: at, now: now, y: y, sources: sources}
	m.records = make([]record, 1+len(sources))
	m.share = make([]float64, 1+len(sources))
	m.lookBack()
	m.fit()
	m.judge()
	return m
}

// lookBack gathers what was said in the time of the track record.
func (m *blend) lookBack() {
	if m.b == nil {
		return
	}
	every := []int{1, 2, 4}[min(2, len(m.sources))] // many to be weighed are weighed at fewer times
	k := len(m.sources) + 1
	for i := len(m.b.tried) % every; i < len(m.b.tried); i += every {
		t := m.b.tried[i]
		r := row{from: t.from, said: make([][]float64, k), origin: make([]int, k), mixed: t.said}
		r.said[0], r.origin[0] = t.said, t.from
		m.rows = append(m.rows, r)
	}
	m.records[0].issues = len(m.rows)
	for j := range m.sources {
		m.records[1+j].issues = m.lookBackOn(1 + j)
	}
	for _, r := range m.rows {
		for j, said := range r.said {
			for lead, v := range said {
				if y := m.y[r.from+lead]; y > 0 && !math.IsNaN(v) {
					m.records[j].off[lead/24] += math.Abs(v-y) / y
					m.records[j].n[lead/24]++
				}
			}
		}
	}
}

// lookBackOn fills in what a provider said, with its strays shifted as they
// lasted in all of that time, and returns how many issues that were.
func (m *blend) lookBackOn(j int) (issues int) {
	s := &m.sources[j-1]
	used := make([]*issue, len(m.rows))
	signsOf := make([][signs]float64, len(m.rows))
	var sums [len(buckets)]gram
	var last *issue
	for k, r := range m.rows {
		f := s.before(m.at.Add(time.Duration(r.from-len(m.y)) * time.Hour))
		if f == nil {
			continue
		}
		if used[k] = f; f != last {
			last = f
			issues++
		}
		r.origin[j] = f.begun(m.at, len(m.y))
		x := s.strays(f, m.y, r.origin[j], r.from)
		signsOf[k] = x
		for lead := range r.said[0] {
			w := fading(lead)
			if e := m.y[r.from+lead] - f.at(r.from+lead) - weigh(&w, &x); !math.IsNaN(e) {
				sums[bucketOf[lead]].add(&x, e)
			}
		}
	}
	if issues >= fewIssues {
		for k := range sums {
			s.learnt[k] = sums[k].solve(float64(shiftIssues) / float64(issues))
		}
	}
	for k, f := range used {
		if f != nil {
			m.rows[k].said[j] = make([]float64, len(m.rows[k].said[0]))
			s.expect(f, &signsOf[k], m.rows[k].from, m.rows[k].said[j])
		}
	}
	return issues
}

// fit measures how much each forecaster errs at its own lead times, and how
// much two of them err alike, drawn to what is believed without a record.
func (m *blend) fit() {
	k := 1 + len(m.sources)
	m.errs = make([][len(buckets)]float64, k)
	var sum, n [][len(buckets)]float64
	sum, n = make([][len(buckets)]float64, k), make([][len(buckets)]float64, k)
	for day := range daysAhead {
		m.alike[day] = make([][]float64, k)
		for i := range k {
			m.alike[day][i] = make([]float64, k)
		}
		for i := range k {
			for j := range i {
				var ii, jj, ij float64
				for _, r := range m.rows {
					if r.said[i] == nil || r.said[j] == nil {
						continue
					}
					for lead := 24 * day; lead < min(24*(day+1), len(r.said[0])); lead++ {
						a, b := r.said[i][lead]-m.y[r.from+lead], r.said[j][lead]-m.y[r.from+lead]
						if v := float64(a * b); !math.IsNaN(v) {
							ii, jj, ij = ii+float64(a*a), jj+float64(b*b), ij+v
						}
					}
				}
				if ii > 0 && jj > 0 {
					m.alike[day][i][j] = ij / math.Sqrt(float64(ii*jj))
					m.alike[day][j][i] = m.alike[day][i][j]
				}
			}
		}
	}
	for _, r := range m.rows {
		for i, said := range r.said {
			for lead, v := range said {
				if e := v - m.y[r.from+lead]; !math.IsNaN(e) {
					b := bucketOf[leadOf(r.origin[i], r.from+lead)]
					sum[i][b] += float64(e * e)
					n[i][b]++
				}
			}
		}
	}
	for b, end := range buckets {
		plain := 1.0
		if n[0][b] > 0 && sum[0][b] > 0 {
			plain = sum[0][b] / n[0][b]
		}
		begin := 0
		if b > 0 {
			begin = buckets[b-1] + 1
		}
		// An issue is met once in so many hours of its own lead times.
		doubt := float64(priorIssues * (end + 1 - begin))
		for i := range k {
			if i == 0 {
				m.errs[i][b] = plain
				continue
			}
			t := trust[end/24]
			m.errs[i][b] = (sum[i][b] + float64(doubt*plain*(1-t)/t)) / (n[i][b] + doubt)
		}
	}
}

// err returns the mean square error of a forecaster at one of its own lead
// times, between the middles of two buckets in a straight line.
func (m *blend) err(i, lead int) float64 {
	b := bucketOf[lead]
	x, other := middles[b], b
	switch {
	case float64(lead) > x && b+1 < len(buckets):
		other = b + 1
	case float64(lead) < x && b > 0:
		other = b - 1
	}
	if other == b {
		return m.errs[i][b]
	}
	t := (float64(lead) - x) / (middles[other] - x)
	return float64((1-t)*m.errs[i][b]) + float64(t*m.errs[i][other])
}

// middles are the middles of the buckets, in hours.
var middles = func() (of [len(buckets)]float64) {
	begin := 0
	for b, end := range buckets {
		of[b] = float64(begin+end) / 2
		begin = end + 1
	}
	return of
}()

// mix fills in what the forecasters say together, and returns the weights by
// lead time where they are wanted.
func (m *blend) mix(r *row, fade []float64, weights [][]float64) {
	k := len(r.said)
	s := make([][]float64, k)
	for i := range s {
		s[i] = make([]float64, k)
	}
	w, who := make([]float64, k), make([]int, 0, k)
	for lead := range r.mixed {
		who = who[:0]
		for i, said := range r.said {
			if lead < len(said) && !math.IsNaN(said[lead]) {
				who = append(who, i)
			}
		}
		r.mixed[lead] = math.NaN()
		if len(who) == 0 {
			continue
		}
		for a, i := range who {
			ei := m.err(i, leadOf(r.origin[i], r.from+lead))
			s[a][a] = ei
			for b := range a {
				j := who[b]
				ej := m.err(j, leadOf(r.origin[j], r.from+lead))
				s[a][b] = m.alike[min(daysAhead-1, lead/24)][i][j] * math.Sqrt(float64(ei*ej))
				s[b][a] = s[a][b]
			}
		}
		least(s, w[:len(who)])
		alone, fading := 0.0, 0.0
		for _, i := range who {
			alone += m.share[i]
		}
		for a, i := range who {
			w[a] = float64((1-alone)*w[a]) + m.share[i]
			if fade != nil {
				w[a] *= fade[i]
			}
			fading += w[a]
		}
		sum := 0.0
		for a, i := range who {
			if fading == 0 {
				w[a], fading = 1, float64(len(who)) // those that are left have faded, and are all there is
			}
			sum += float64(w[a] / fading * r.said[i][lead])
			if weights != nil {
				weights[i][lead] = w[a] / fading
			}
		}
		r.mixed[lead] = sum
	}
}

// least fills in the weights w ≥ 0 that make 1 with the least wᵀSw, by moving
// weight between pairs.
func least(s [][]float64, w []float64) {
	clear(w)
	w[0] = 1
	rounds := 1 // of two, the first move is the last
	if len(w) > 2 {
		rounds = 8
	}
	for range rounds {
		for i := range w {
			for j := range i {
				gi, gj := 0.0, 0.0
				for k := range w {
					gi += float64(s[i][k] * w[k])
					gj += float64(s[j][k] * w[k])
				}
				curve := s[i][i] + s[j][j] - 2*s[i][j]
				if curve <= 0 {
					continue
				}
				move := min(max((gj-gi)/curve, -w[i]), w[j])
				w[i] += move
				w[j] -= move
			}
		}
	}
}

// judged are the jobs that a track record is judged by, planned once.
var judged = [...]Job{{4, 24, true}, {12, 48, true}}

// judge lets jobs be planned on each forecaster alone and on the blend of
// them, and gives those alone a share on which the jobs lost less.
func (m *blend) judge() {
	if len(m.sources) == 0 {
		return
	}
	for i := range m.rows {
		m.rows[i].mixed = make([]float64, len(m.rows[i].said[0]))
		m.mix(&m.rows[i], nil, nil)
	}
	k := len(m.sources) + 1
	lost, gain := make([]float64, k+1), 0.0
	for _, r := range m.rows {
		if slices.ContainsFunc(r.said, func(said []float64) bool { return said == nil }) {
			continue // not all had spoken
		}
		for _, j := range judged {
			if len(r.mixed) < j.Window() {
				continue
			}
			y := m.y[r.from : r.from+j.Window()]
			best, ok := j.Shift(y, 0, 0, Once, func(int) []float64 { return y })
			if !ok {
				continue
			}
			for c := range lost {
				plan := r.mixed
				if c < k {
					plan = r.said[c]
				}
				sum, _ := j.Shift(y, 0, 0, Once, func(int) []float64 { return plan })
				lost[c] += sum - best
			}
			for _, v := range y[:j.Hours] {
				gain += v
			}
			gain -= best
		}
	}
	if gain <= 0 {
		return
	}
	fewest := m.records[1].issues
	for j := range m.sources {
		fewest = min(fewest, m.records[1+j].issues)
	}
	trusted := float64(fewest) / float64(fewest+judgeIssues)
	sum := 1.0
	for c := range m.share {
		m.records[c].lost, m.records[c].gain = lost[c], gain
		m.share[c] = max(0, (lost[k]-lost[c])/gain/regretScale)
		sum += m.share[c]
	}
	for c := range m.share {
		m.share[c] *= trusted / sum
	}
	for i := range m.rows {
		m.mix(&m.rows[i], nil, nil)
	}
}

// expect returns what is expected of the hours ahead.
func (m *blend) expect(ahead int) expected {
	n, k := len(m.y), len(m.sources)+1
	r := row{from: n, said: make([][]float64, k), origin: make([]int, k), mixed: make([]float64, ahead)}
	if m.b != nil {
		r.said[0], r.origin[0] = make([]float64, ahead), m.b.last
		s := m.b.strays(m.b.last)
		for i := range r.said[0] {
			r.said[0][i] = m.b.expect(&s, n+i)
		}
	}
	fade, weights := make([]float64, k), make([][]float64, k)
	fade[0] = 1
	for i := range weights {
		weights[i] = make([]float64, ahead)
	}
	for j := range m.sources {
		s := &m.sources[j]
		f := s.newest()
		r.said[1+j], r.origin[1+j] = make([]float64, ahead), min(n, f.begun(m.at, n))
		x := s.strays(f, m.y, r.origin[1+j], n)
		s.expect(f, &x, n, r.said[1+j])
		fade[1+j] = min(1, float64(Good-m.now.Sub(f.issued))/float64(Good-Live))
	}
	m.mix(&r, fade, weights)
	e := expected{mean: r.mixed, before: m.y}
	e.low, e.high = m.band(e.mean)
	e.verdict = m.verdict(weights)
	return e
}

// verdict says why.
func (m *blend) verdict(weights [][]float64) Verdict {
	v := Verdict{Grade: grid.GradeC}
	if m.b != nil {
		v.Days = m.b.known / 24
		v.Until = m.at.Add(time.Duration(m.b.last-len(m.y)) * time.Hour)
	}
	ahead := len(weights[0])
	most, live := 0.0, ""
	for i, w := range weights {
		p := Part{Forecaster: BuiltinProvider, Issued: m.now, Issues: m.records[i].issues}
		if i > 0 {
			p.Forecaster, p.Issued = m.sources[i-1].name, m.sources[i-1].newest().issued
		}
		total := 0.0
		for d := range min(daysAhead, (ahead+23)/24) {
			day := w[24*d : min(24*(d+1), ahead)]
			var part DayPart
			for _, v := range day {
				part.Weight += v / float64(len(day))
				total += v
			}
			if r := m.records[i]; r.n[d] > 0 {
				mape := 100 * r.off[d] / r.n[d]
				part.MAPE = &mape
			}
			p.Days = append(p.Days, part)
		}
		if r := m.records[i]; r.gain > 0 {
			regret := 100 * r.lost / r.gain
			p.Regret = &regret
		}
		v.Parts = append(v.Parts, p)
		share := total / float64(min(ahead, leads))
		if i > 0 && share >= leastSay && share > most && m.now.Sub(p.Issued) <= Live {
			most, v.Grade = share, m.sources[i-1].newest().grade
			live = p.Forecaster
		}
	}
	switch {
	case live != "":
		v.Why = fmt.Sprintf("%s has %.0f %% of the say, the rest is what the zone's own last weeks tell", live, 100*most)
	case len(m.sources) > 0 && m.b == nil:
		v.Why = "an old forecast of a provider, and nothing measured"
	case len(m.sources) > 0:
		v.Why = "no provider's forecast is both live and good: what the zone's own last weeks tell"
	default:
		v.Why = "no provider's forecast: what the zone's own last weeks tell"
	}
	return v
}

// Issued returns what the newest forecast of the providers of p says, as it was
// published and shifted by how far it strayed in the last hours: n hours from
// the one that holds now, Unknown where it does not reach. Ok is false if none
// is good at that time.
func Issued(p Past, now time.Time, n int) (published, shifted []grid.Intensity, ok bool) {
	at := now.UTC().Truncate(time.Hour)
	sources := p.sources(at, now)
	if len(sources) == 0 || n < 0 || n > MostSteps {
		return nil, nil, false
	}
	s := &sources[0]
	for k := range sources {
		if sources[k].newest().issued.After(s.newest().issued) {
			s = &sources[k]
		}
	}
	plain, moved := make([]float64, n), make([]float64, n)
	x := s.strays(s.newest(), p.hours(at, now), min(pastHours, s.newest().begun(at, pastHours)), pastHours)
	s.expect(s.newest(), &x, pastHours, moved)
	for i := range plain {
		plain[i] = s.newest().at(pastHours + i)
	}
	return intensities(plain), intensities(moved), true
}

func intensities(values []float64) []grid.Intensity {
	out := make([]grid.Intensity, len(values))
	for i, v := range values {
		if out[i] = grid.Unknown; !math.IsNaN(v) {
			out[i] = clamp(v)
		}
	}
	return out
}
