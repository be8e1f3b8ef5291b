package provider

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// What a document of the Transparency Platform may hold at most: a year of
// quarter hours, of each kind of plant, in and out.
const (
	mostQuarters = 366 * 96
	mostTimeline = 2_000
	mostCells    = 60 * mostQuarters // 16 MiB: a short Period may stand for many values
	mostMegawatt = 1e6
	mostPrice    = 1e5 // in currency per MWh
	besides      = 48 * time.Hour
)

// errNoData says that a source has nothing for the time asked, in its own form.
var errNoData = errors.New("no data for the time asked")

// entsoePeriod is what one Period of a TimeSeries says, gaps filled as its
// curve type wants.
type entsoePeriod struct {
	kind     string // PSR type
	consumed bool
	sequence int // of prices: the lowest counts
	currency string
	start    time.Time
	step     time.Duration
	values   []float64
}

func (p entsoePeriod) end() time.Time { return p.start.Add(time.Duration(len(p.values)) * p.step) }

type xmlInterval struct {
	Start string `xml:"start"`
	End   string `xml:"end"`
}

type xmlSeries struct {
	In       string `xml:"inBiddingZone_Domain.mRID"`
	Out      string `xml:"outBiddingZone_Domain.mRID"`
	PriceIn  string `xml:"in_Domain.mRID"`
	PriceOut string `xml:"out_Domain.mRID"`
	Unit     string `xml:"quantity_Measure_Unit.name"`
	Currency string `xml:"currency_Unit.name"`
	Per      string `xml:"price_Measure_Unit.name"`
	Sequence string `xml:"classificationSequence_AttributeInstanceComponent.position"`
	Curve    string `xml:"curveType"`
	Type     string `xml:"MktPSRType>psrType"`
	Periods  []struct {
		Interval   xmlInterval `xml:"timeInterval"`
		Resolution string      `xml:"resolution"`
		Points     []struct {
			Position string `xml:"position"`
			Quantity string `xml:"quantity"`
			Price    string `xml:"price.amount"`
		} `xml:"Point"`
	} `xml:"Period"`
}

// entsoeQuestion is what a document must be about to be read.
type entsoeQuestion struct {
	document string // A75, A44
	eic      string
	from, to time.Time
}

func (q entsoeQuestion) root() string {
	if q.document == "A44" {
		return "Publication_MarketDocument"
	}
	return "GL_MarketDocument"
}

// decodeEntsoe reads a document, TimeSeries by TimeSeries, and returns its
// periods. An acknowledgement is errNoData or the error that it tells,
// whatever the HTTP status was.
func decodeEntsoe(body []byte, q entsoeQuestion) ([]entsoePeriod, error) {
	if bytes.HasPrefix(body, []byte("PK\x03\x04")) {
		return nil, errors.New("the answer is a ZIP archive, want one XML document; ask for less time")
	}
	dec := xml.NewDecoder(bytes.NewReader(body))
	dec.Strict = true // no entity but XML's own five is ever expanded
	root, err := rootOf(dec)
	if err != nil {
		return nil, err
	}
	if root.Name.Local == "Acknowledgement_MarketDocument" {
		return nil, acknowledged(dec, root)
	}
	if root.Name.Local != q.root() {
		return nil, fmt.Errorf("the document is a %s, want %s", clip(root.Name.Local), q.root())
	}
	var periods []entsoePeriod
	series, left := 0, mostCells
	for {
		t, err := dec.Token()
		if err != nil {
			return nil, xmlError(dec, err)
		}
		switch t := t.(type) {
		case xml.Directive:
			return nil, errors.New("the document declares types or entities of its own; that is not read")
		case xml.EndElement:
			if err := ended(dec); err != nil {
				return nil, err
			}
			return periods, nil
		case xml.StartElement:
			switch t.Name.Local {
			case "type":
				var kind string
				if err := dec.DecodeElement(&kind, &t); err != nil {
					return nil, xmlError(dec, err)
				}
				if kind != q.document {
					return nil, fmt.Errorf("the document is of type %s, want %s", clip(kind), q.document)
				}
			case "TimeSeries":
				if series++; series > mostTimeline {
					return nil, fmt.Errorf("more than %d TimeSeries", mostTimeline)
				}
				var s xmlSeries
				if err := dec.DecodeElement(&s, &t); err != nil {
					return nil, xmlError(dec, err)
				}
				ps, err := s.periods(q, &left)
				if err != nil {
					return nil, fmt.Errorf("TimeSeries %d: %w", series, err)
				}
				periods = append(periods, ps...)
			default:
				if err := dec.Skip(); err != nil {
					return nil, xmlError(dec, err)
				}
			}
		}
	}
}

// rootOf returns the first element. Versions of the names move, their family
// does not.
func rootOf(dec *xml.Decoder) (xml.StartElement, error) {
	for {
		t, err := dec.Token()
		if err != nil {
			return xml.StartElement{}, xmlError(dec, err)
		}
		switch t := t.(type) {
		case xml.Directive:
			return xml.StartElement{}, errors.New("the document declares types or entities of its own; that is not read")
		case xml.StartElement:
			if !strings.HasPrefix(t.Name.Space, "urn:iec62325.351:") && !strings.HasPrefix(t.Name.Space, "urn:entsoe.eu:") {
				return xml.StartElement{}, fmt.Errorf("the document is in namespace %s, want urn:iec62325.351", clip(t.Name.Space))
			}
			return t, nil
		}
	}
}

// ended makes sure that nothing follows the root: two documents in one body are
// two answers.
func ended(dec *xml.Decoder) error {
	for {
		t, err := dec.Token()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return xmlError(dec, err)
		}
		if _, more := t.(xml.StartElement); more {
			return errors.New("there is more after the end of the document")
		}
	}
}

func xmlError(dec *xml.Decoder, err error) error {
	line, _ := dec.InputPos()
	if se, ok := errors.AsType[*xml.SyntaxError](err); ok && se.Msg == "unexpected EOF" {
		err = io.ErrUnexpectedEOF
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("line %d: the document ends too early", line)
	}
	return fmt.Errorf("line %d: not valid XML: %s", line, clip(err.Error()))
}

// acknowledged returns what a document that is no answer says.
func acknowledged(dec *xml.Decoder, root xml.StartElement) error {
	var doc struct {
		Reasons []struct {
			Code string `xml:"code"`
			Text string `xml:"text"`
		} `xml:"Reason"`
	}
	if err := dec.DecodeElement(&doc, &root); err != nil {
		return xmlError(dec, err)
	}
	if len(doc.Reasons) == 0 {
		return errors.New("the source refused and gave no reason")
	}
	r := doc.Reasons[0]
	if strings.Contains(strings.ToLower(r.Text), "no matching data found") {
		return errNoData
	}
	return fmt.Errorf("the source refused with reason %s: %s", clip(r.Code), clip(r.Text))
}

// periods checks what a TimeSeries is about and reads its values, of which
// there may be left more.
func (s xmlSeries) periods(q entsoeQuestion, left *int) ([]entsoePeriod, error) {
	p := entsoePeriod{kind: s.Type, sequence: 1}
	if q.document == "A44" {
		if err := s.isPrice(q); err != nil {
			return nil, err
		}
		if p.currency = s.Currency; s.Sequence != "" {
			n, err := strconv.ParseUint(s.Sequence, 10, 8)
			if err != nil {
				return nil, fmt.Errorf("its sequence is %s, want a small number", clip(s.Sequence))
			}
			p.sequence = int(n)
		}
	} else {
		switch {
		case s.In == q.eic && s.Out == "":
		case s.Out == q.eic && s.In == "":
			p.consumed = true // pumping, and what plants that stand still draw
		default:
			return nil, fmt.Errorf("it is of zone %s, want %s", clip(s.In+s.Out), q.eic)
		}
		if s.Unit != "MAW" {
			return nil, fmt.Errorf("its unit is %s, want MAW", clip(s.Unit))
		}
		if len(s.Type) != 3 {
			return nil, fmt.Errorf("its kind of plant is %s, want a code as B04", clip(s.Type))
		}
	}
	var all []entsoePeriod
	for i := range s.Periods {
		one := p
		if err := s.fill(i, &one, q); err != nil {
			return nil, err
		}
		if *left -= len(one.values); *left < 0 {
			return nil, fmt.Errorf("more than %d values with gaps filled", mostCells)
		}
		all = append(all, one)
	}
	return all, nil
}

func (s xmlSeries) isPrice(q entsoeQuestion) error {
	switch {
	case s.PriceIn != q.eic || s.PriceOut != q.eic:
		return fmt.Errorf("it is of zones %s and %s, want %s", clip(s.PriceIn), clip(s.PriceOut), q.eic)
	case s.Per != "MWH":
		return fmt.Errorf("its prices are per %s, want MWH", clip(s.Per))
	}
	return nil
}

// fill reads the points of one Period. In curve type A03 a position that is
// left out repeats the value before it; in A01 it is not known.
func (s xmlSeries) fill(i int, p *entsoePeriod, q entsoeQuestion) error {
	x := s.Periods[i]
	start, err1 := time.Parse("2006-01-02T15:04Z", x.Interval.Start)
	end, err2 := time.Parse("2006-01-02T15:04Z", x.Interval.End)
	if err1 != nil || err2 != nil || !end.After(start) {
		return fmt.Errorf("its interval is %s to %s, want times as 2026-01-31T14:00Z", clip(x.Interval.Start), clip(x.Interval.End))
	}
	// Whole market days come, so an answer may reach beyond the question.
	if start.Before(q.from.Add(-besides)) || end.After(q.to.Add(besides)) {
		return fmt.Errorf("its interval is %s to %s, asked was %s to %s", x.Interval.Start, x.Interval.End, q.from.Format(time.RFC3339), q.to.Format(time.RFC3339))
	}
	switch x.Resolution {
	case "PT15M":
		p.step = 15 * time.Minute
	case "PT30M":
		p.step = 30 * time.Minute
	case "PT60M", "PT1H":
		p.step = time.Hour
	default:
		return fmt.Errorf("its resolution is %s, want PT15M, PT30M or PT60M", clip(x.Resolution))
	}
	if end.Sub(start)%p.step != 0 || end.Sub(start)/p.step > mostQuarters {
		return fmt.Errorf("its interval %s to %s is not a number of steps of %s", x.Interval.Start, x.Interval.End, p.step)
	}
	if s.Curve != "" && s.Curve != "A01" && s.Curve != "A03" {
		return fmt.Errorf("its curve type is %s, want A01 or A03", clip(s.Curve))
	}
	p.start = start
	p.values = make([]float64, end.Sub(start)/p.step)
	next, last := 0, math.NaN()
	for _, point := range x.Points {
		n, err := strconv.ParseUint(point.Position, 10, 31)
		if err != nil || n < 1 || n > uint64(len(p.values)) {
			return fmt.Errorf("position %s, want 1 to %d", clip(point.Position), len(p.values))
		}
		k := int(n) - 1
		if k < next {
			return fmt.Errorf("position %d is there twice or out of order", n)
		}
		text, most := point.Quantity, float64(mostMegawatt)
		if q.document == "A44" {
			text, most = point.Price, mostPrice
		}
		v, err := decimal(text)
		if err != nil || math.Abs(v) > most {
			return fmt.Errorf("position %d says %s, want a number of at most %g", n, clip(text), most)
		}
		for ; next < k; next++ {
			p.values[next] = last
		}
		p.values[k], next = v, k+1
		if s.Curve == "A03" {
			last = v
		}
	}
	for ; next < len(p.values); next++ {
		p.values[next] = last
	}
	return nil
}

// decimal reads a finite decimal number and nothing else that ParseFloat knows.
func decimal(s string) (float64, error) {
	s = strings.TrimSpace(s)
	if s == "" || strings.Trim(s, "0123456789.eE+-") != "" {
		return 0, fmt.Errorf("%s is not a decimal number", clip(s))
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || math.IsNaN(f) || math.IsInf(f, 0) {
		return 0, fmt.Errorf("%s is not a number", clip(s))
	}
	return f, nil
}

// clip quotes what a source says for an error message, cut to a line's length.
func clip(s string) string { return strconv.Quote(printable(s, 80)) }

// board is values of several periods on one line of equal steps.
type board struct {
	start time.Time
	step  time.Duration
	steps int
}

// lay returns the line that all periods fit on: the shortest of their steps,
// from the first start to the last end.
func lay(periods []entsoePeriod) (board, error) {
	if len(periods) == 0 {
		return board{}, errNoData
	}
	b := board{start: periods[0].start, step: periods[0].step}
	end := periods[0].end()
	for _, p := range periods {
		b.step = min(b.step, p.step)
		if p.start.Before(b.start) {
			b.start = p.start
		}
		if p.end().After(end) {
			end = p.end()
		}
	}
	for _, p := range periods {
		if p.start.Sub(b.start)%b.step != 0 {
			return board{}, fmt.Errorf("an interval starts at %s, which is on no step of %s", p.start.Format(time.RFC3339), b.step)
		}
	}
	b.steps = int((end.Sub(b.start) + b.step - 1) / b.step)
	if b.steps > mostQuarters+2*96 {
		return board{}, fmt.Errorf("%d steps of %s, want at most a year of quarter hours", b.steps, b.step)
	}
	return b, nil
}

func (b board) empty() []float64 {
	v := make([]float64, b.steps)
	for i := range v {
		v[i] = math.NaN()
	}
	return v
}

// put writes a period onto the line; two that disagree about a step are an
// error, as nobody knows which is right.
func (b board) put(line []float64, p entsoePeriod) error {
	at, times := int(p.start.Sub(b.start)/b.step), int(p.step/b.step)
	for i, v := range p.values {
		if math.IsNaN(v) {
			continue
		}
		for k := at + i*times; k < at+(i+1)*times; k++ {
			if !math.IsNaN(line[k]) && line[k] != v {
				return fmt.Errorf("%s is told twice, as %g and as %g", b.start.Add(time.Duration(k)*b.step).Format(time.RFC3339), line[k], v)
			}
			line[k] = v
		}
	}
	return nil
}

// generation makes a mix of a document of generation per type. What a kind of
// plant draws in a step is taken from what it generates, down to zero: a pumped
// store that pumps feeds nothing in.
func generation(periods []entsoePeriod, fuel func(code string) string) (mix, error) {
	b, err := lay(periods)
	if err != nil {
		return mix{}, err
	}
	made, drawn := map[string][]float64{}, map[string][]float64{}
	for _, p := range periods {
		lines := made
		if p.consumed {
			lines = drawn
		}
		if lines[p.kind] == nil {
			if len(lines) == 40 {
				return mix{}, errors.New("more than 40 kinds of plant")
			}
			lines[p.kind] = b.empty()
		}
		if err := b.put(lines[p.kind], p); err != nil {
			return mix{}, fmt.Errorf("kind %s: %w", p.kind, err)
		}
	}
	m := mix{start: b.start, step: b.step}
	for code, line := range drawn {
		if made[code] == nil {
			made[code] = b.empty()
		}
		for i, out := range line {
			switch in := made[code][i]; {
			case out < 0:
				return mix{}, fmt.Errorf("kind %s draws %g MW at %s, want 0 or more", code, out, b.start.Add(time.Duration(i)*b.step).Format(time.RFC3339))
			case math.IsNaN(out), math.IsNaN(in) && out == 0:
			case math.IsNaN(in):
				made[code][i] = 0
			case in > 0:
				made[code][i] = max(0, in-out)
			}
		}
	}
	for code, line := range made {
		m.kinds = append(m.kinds, kind{code, fuel(code), line})
	}
	slices.SortFunc(m.kinds, func(a, b kind) int { return strings.Compare(a.code, b.code) })
	return m, nil
}

// auction makes one line of prices of a document of day-ahead prices, per MWh.
// Where several series tell of one interval, the one of the lowest sequence
// counts, and the others are as if they were not there.
func auction(periods []entsoePeriod) (b board, perMWh []float64, currency string, err error) {
	if len(periods) == 0 {
		return board{}, nil, "", errNoData
	}
	slices.SortStableFunc(periods, func(a, b entsoePeriod) int { return a.sequence - b.sequence })
	var kept []entsoePeriod
	for _, p := range periods {
		if p.currency != periods[0].currency {
			return board{}, nil, "", fmt.Errorf("prices in %s and in %s, want one currency", clip(periods[0].currency), clip(p.currency))
		}
		if !slices.ContainsFunc(kept, func(k entsoePeriod) bool {
			return k.sequence < p.sequence && k.start.Before(p.end()) && p.start.Before(k.end())
		}) {
			kept = append(kept, p)
		}
	}
	if b, err = lay(kept); err != nil {
		return board{}, nil, "", err
	}
	perMWh = b.empty()
	for _, p := range kept {
		if err := b.put(perMWh, p); err != nil {
			return board{}, nil, "", err
		}
	}
	return b, perMWh, periods[0].currency, nil
}
