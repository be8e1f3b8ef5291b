package forecast

import (
	"cmp"
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
	priorIssues = 8   // issues of a track record that weigh as much as the weights without any
	leastSay    = 0.1 // mean weight from which a provider counts as having a say

	// How a provider's strays last: those of the last three hours fade with
	// 6 h, those of the last day with 36 h. Factors by hour.
	fadeNow, fadeDay = 0.8464817248906141, 0.9726044771163483
	shareOfDay       = 0.55

	regretScale = 0.05 // of a clairvoyant's gain: to lose so much more than the best halves the say
)

// trust is the weight of a provider without a track record, by day ahead.
var trust = [daysAhead]float64{0.8, 0.6, 0.5, 0.4}

// source is a provider's forecasts, on the hours of the builtin.
type source struct {
	name    string
	issues  []issue   // by the time of issue; the last is what it expects now
	inForce []float64 // of hours before now: what was expected by the newest issue before each
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

// strays returns how far what was expected strayed in the last three hours and
// in the last day before an hour; zero if that is not known.
func (s *source) strays(y []float64, from int) (now, day float64) {
	sum, n := 0.0, 0.0
	for k := 1; k <= 24 && from-k >= 0; k++ {
		if e := y[from-k] - s.inForce[from-k]; !math.IsNaN(e) {
			sum += e
			n++
		}
		if k == 3 && n > 0 {
			now = sum / n
		}
	}
	if n == 0 {
		return 0, 0
	}
	if day = sum / n; now == 0 {
		now = day
	}
	return now, day
}

// expect fills in what the provider expects of the hours after from, shifted
// by its last strays.
func (s *source) expect(f *issue, y []float64, from int, out []float64) {
	now, day := s.strays(y, from)
	a, b := now-day, shareOfDay*day
	for lead := range out {
		a, b = float64(a*fadeNow), float64(b*fadeDay)
		out[lead] = f.at(from+lead) + a + b
	}
}

// blend is the forecasters of a zone, what they said at times of the past, and
// the weights that follow from it. Forecaster 0 is the built-in one.
type blend struct {
	b       *builtin // nil if too little is known for it
	at, now time.Time
	y       []float64
	sources []source
	rows    []row
	records []record
	weights []say // by forecaster
}

// say is a forecaster's weight by day ahead.
type say [daysAhead]float64

// record is how good a forecaster was.
type record struct {
	off, n     [daysAhead]float64 // sum of absolute errors by the truth, and their number
	lost, gain float64            // what jobs planned on it lost, of what a clairvoyant would have gained
	issues     int
}

// row is what the forecasters said at one hour of the past, by lead time, as
// far as it is known what came.
type row struct {
	from int
	said [][]float64 // by forecaster; nil: nothing
}

func newBlend(b *builtin, y []float64, sources []source, at, now time.Time) *blend {
	m := &blend{b: b, at: at, now: now, y: y, sources: sources}
	m.records = make([]record, 1+len(sources))
	m.lookBack()
	m.weights = m.fit()
	m.judge()
	return m
}

// lookBack gathers what was said in the time of the track record.
func (m *blend) lookBack() {
	if m.b == nil {
		return
	}
	every := 1
	if len(m.sources) > 0 {
		every = 2
	}
	seen := make([]*issue, len(m.sources))
	for k := len(m.b.tried) % every; k < len(m.b.tried); k += every {
		t := m.b.tried[k]
		r := row{t.from, make([][]float64, 1+len(m.sources))}
		r.said[0] = t.said
		m.records[0].issues++
		for j := range m.sources {
			s := &m.sources[j]
			f := s.before(m.at.Add(time.Duration(t.from-len(m.y)) * time.Hour))
			if f == nil {
				continue
			}
			r.said[1+j] = make([]float64, len(t.said))
			s.expect(f, m.y, t.from, r.said[1+j])
			if f != seen[j] {
				m.records[1+j].issues++
				seen[j] = f
			}
		}
		m.rows = append(m.rows, r)
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

// fit returns the weights with which the forecasters together would have
// erred least, in squares.
func (m *blend) fit() []say {
	k := 1 + len(m.sources)
	weights := make([]say, k)
	for day := range daysAhead {
		// The moments of their errors.
		s, n := make([][]float64, k), make([][]float64, k)
		for i := range s {
			s[i], n[i] = make([]float64, k), make([]float64, k)
		}
		for _, r := range m.rows {
			for lead := 24 * day; lead < min(24*(day+1), len(r.said[0])); lead++ {
				y := m.y[r.from+lead]
				for i := range k {
					for j := 0; j <= i && r.said[i] != nil; j++ {
						if r.said[j] == nil {
							continue
						}
						if v := float64((r.said[i][lead] - y) * (r.said[j][lead] - y)); !math.IsNaN(v) {
							s[i][j] += v
							n[i][j]++
						}
					}
				}
			}
		}
		// What is believed without a record.
		scale := 1.0
		if n[0][0] > 0 && s[0][0] > 0 {
			scale = s[0][0] / n[0][0]
		}
		rows := 8.0 // an issue is met so often, and each time with the hours of a day
		if len(m.sources) > 0 {
			rows = 4
		}
		for i := range k {
			for j := range i + 1 {
				prior := 0.0
				switch {
				case i == j && i == 0:
					prior = scale
				case i == j:
					prior = scale * (1 - trust[day]) / trust[day]
				}
				doubt := priorIssues * rows * 24
				s[i][j] = (s[i][j] + float64(doubt*prior)) / (n[i][j] + doubt)
				s[j][i] = s[i][j]
			}
		}
		for i, w := range least(s) {
			weights[i][day] = w
		}
	}
	return weights
}

// least returns the weights w ≥ 0 that make 1 with the least wᵀSw, by moving
// weight between pairs.
func least(s [][]float64) []float64 {
	w := make([]float64, len(s))
	w[0] = 1
	for range 50 {
		for i := range s {
			for j := range i {
				gi, gj := 0.0, 0.0
				for k := range s {
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
	return w
}

// judged are the jobs that a track record is judged by, planned once.
var judged = [...]Job{{4, 24, true}, {12, 48, true}}

// judge lets jobs be planned on each forecaster alone and on the blend of
// them, and moves the weights towards those on which the jobs lost least.
func (m *blend) judge() {
	if len(m.sources) == 0 {
		return
	}
	k := 1 + len(m.sources)
	candidates := make([][]say, 0, k+1)
	for i := range k {
		alone := make([]say, k)
		alone[i] = say{1, 1, 1, 1}
		candidates = append(candidates, alone)
	}
	candidates = append(candidates, m.weights)
	lost, gain := make([]float64, k+1), 0.0
	said := make([]float64, leads)
	for _, r := range m.rows {
		for _, j := range judged {
			if len(r.said[0]) < j.Window() {
				continue
			}
			y := m.y[r.from : r.from+j.Window()]
			best, ok := j.Shift(y, 0, 0, Once, func(int) []float64 { return y })
			if !ok {
				continue
			}
			for c := range candidates {
				m.mix(candidates[c], r.said, said)
				sum, _ := j.Shift(y, 0, 0, Once, func(int) []float64 { return said })
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
	least := lost[0]
	for _, v := range lost {
		least = min(least, v)
	}
	fewest := m.records[1].issues
	for j := range m.sources {
		fewest = min(fewest, m.records[1+j].issues)
	}
	final, sum := make([]say, k), 0.0
	for c := range candidates {
		x := (lost[c] - least) / gain / regretScale
		p := 1 / (1 + float64(x*x))
		if c < k {
			m.records[c].lost, m.records[c].gain = lost[c], gain
			p *= float64(fewest) / float64(fewest+priorIssues)
		}
		for i := range final {
			for d := range final[i] {
				final[i][d] += float64(p * candidates[c][i][d])
			}
		}
		sum += p
	}
	for i := range final {
		for d := range final[i] {
			final[i][d] /= sum
		}
	}
	m.weights = final
}

// weightAt returns a forecaster's weight at a lead time: between the middles of
// two days it goes over in a straight line, so that no forecast jumps at the
// end of a day.
func (w *say) at(lead int) float64 {
	x := float64(lead-12) / 24
	d := int(math.Floor(x))
	switch {
	case d < 0:
		return w[0]
	case d >= daysAhead-1:
		return w[daysAhead-1]
	}
	x -= float64(d)
	return float64((1-x)*w[d]) + float64(x*w[d+1])
}

// mix fills in the weighted mean of what is said. Where one says nothing, the
// others take its weight.
func (m *blend) mix(weights []say, said [][]float64, out []float64) {
	for lead := range out {
		sum, weight, plain, n := 0.0, 0.0, 0.0, 0.0
		for i := range said {
			if lead >= len(said[i]) || math.IsNaN(said[i][lead]) {
				continue
			}
			w := weights[i].at(lead)
			sum += float64(w * said[i][lead])
			weight += w
			plain += said[i][lead]
			n++
		}
		switch {
		case weight > 0:
			out[lead] = sum / weight
		default:
			out[lead] = plain / n // NaN if n is 0
		}
	}
}

// expect returns what is expected of the hours ahead.
func (m *blend) expect(ahead int) expected {
	n := len(m.y)
	e := expected{before: m.y}
	said := make([][]float64, 1+len(m.sources))
	if m.b != nil {
		said[0] = make([]float64, ahead)
		s := m.b.strays(m.b.last)
		for i := range said[0] {
			said[0][i] = m.b.expect(&s, n+i)
		}
	}
	weights := slices.Clone(m.weights)
	for j := range m.sources {
		s := &m.sources[j]
		said[1+j] = make([]float64, ahead)
		s.expect(s.newest(), m.y, n, said[1+j])
		if age := m.now.Sub(s.newest().issued); age > Live {
			fade := float64(Good-age) / float64(Good-Live)
			for d := range weights[1+j] {
				weights[1+j][d] *= fade
			}
		}
	}
	e.mean = make([]float64, ahead)
	m.mix(weights, said, e.mean)
	e.low, e.high = m.band(e.mean)
	e.verdict = m.verdict(weights, said, ahead)
	return e
}

// verdict says why.
func (m *blend) verdict(weights []say, said [][]float64, ahead int) Verdict {
	v := Verdict{Grade: grid.GradeC}
	if m.b != nil {
		v.Days = m.b.known / 24
		v.Until = m.at.Add(time.Duration(m.b.last-len(m.y)) * time.Hour)
	}
	shown := min(daysAhead, (ahead+23)/24)
	names := []string{BuiltinProvider}
	grade, most := grid.GradeC, 0.0
	for j := range m.sources {
		names = append(names, m.sources[j].name)
	}
	for i, name := range names {
		p := Part{Forecaster: name, Issued: m.now, Issues: m.records[i].issues}
		if i > 0 {
			p.Issued = m.sources[i-1].newest().issued
		}
		total := 0.0
		p.Days = make([]DayPart, shown)
		for lead := range min(ahead, leads) {
			sum := 0.0
			for k := range said {
				if lead < len(said[k]) && !math.IsNaN(said[k][lead]) {
					sum += weights[k].at(lead)
				}
			}
			if lead < len(said[i]) && !math.IsNaN(said[i][lead]) && sum > 0 {
				w := weights[i].at(lead) / sum
				p.Days[lead/24].Weight += w / float64(min(24, ahead-lead/24*24))
				total += w
			}
		}
		for d := range shown {
			if r := m.records[i]; r.n[d] > 0 {
				mape := 100 * r.off[d] / r.n[d]
				p.Days[d].MAPE = &mape
			}
		}
		if r := m.records[i]; r.gain > 0 {
			regret := 100 * r.lost / r.gain
			p.Regret = &regret
		}
		v.Parts = append(v.Parts, p)
		share := total / float64(min(ahead, leads))
		if i > 0 && share >= leastSay && share > most {
			most = share
			if m.now.Sub(p.Issued) <= Live {
				grade = m.sources[i-1].newest().grade
			}
		}
	}
	v.Grade = grade
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
	s.expect(s.newest(), p.hours(at, now), pastHours, moved)
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
