package figure

import (
	"bytes"
	"encoding/xml"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write what is drawn to testdata")

var noon = time.Date(2023, 6, 6, 12, 0, 0, 0, time.UTC)

func hour(h float64) time.Time { return noon.Add(time.Duration(h * float64(time.Hour))) }

// day is a drawing with one of everything.
func day() Figure {
	curve := func(level float64) (steps []Step) {
		for h := -6; h < 24; h++ {
			s := Step{Start: hour(float64(h)), End: hour(float64(h + 1)), Value: level + 150*math.Sin(float64(h)/4), Low: math.NaN(), High: math.NaN(), Expected: h >= 0}
			if h >= 0 {
				s.Low, s.High = s.Value*0.8, s.Value*1.2
			}
			if h == 14 || h == 15 {
				s.Value, s.Low, s.High = math.NaN(), math.NaN(), math.NaN()
			}
			steps = append(steps, s)
		}
		return steps
	}
	return Figure{
		Title: "train-model waits for the clean hours", From: hour(-6), To: hour(24),
		Marks: []Mark{{At: noon, Label: "now Tue 12:00"}, {At: hour(23), Label: "completeBy Wed 11:00", Due: true}},
		Panels: []Panel{
			{Name: "DE-LU", Unit: "g/kWh", Curve: curve(380), Rows: []Row{
				{Label: "run at once", Bars: []Bar{{Start: noon, End: hour(6), Look: Compared, Label: "2.9 kg"}}},
				{Label: "planned", Bars: []Bar{{Start: hour(10), End: hour(13), Look: Planned}, {Start: hour(17), End: hour(20), Look: Planned, Label: "1.9 kg"}}},
				{Label: "ran", Bars: []Bar{{Start: hour(-5), End: hour(-3), Look: Done}}},
			}},
			{Name: "ES", Unit: "g/kWh", Curve: curve(180), Rows: []Row{
				{Label: "1 madrid", Bars: []Bar{{Start: hour(18), End: hour(24), Look: Rejected, Label: "too late"}}},
			}},
		},
		Notes: []Note{{"why", "It waits 10 h for 170 g/kWh instead of 410: something cleaner would end too late."}, {"signal", "grade C, our forecast"}},
	}
}

func TestGolden(t *testing.T) {
	narrow := day()
	narrow.Width, narrow.ID = 480, "narrow"
	figures := map[string]Figure{"day": day(), "narrow": narrow, "empty": {Title: "Nothing is known yet", From: noon, To: noon, Panels: []Panel{{Name: "XX", Unit: "g/kWh"}}}}
	for name, f := range figures {
		got := f.SVG()
		if !bytes.Equal(got, f.SVG()) {
			t.Errorf("%s: twice drawn, twice different", name)
		}
		file := filepath.Join("testdata", name+".svg")
		if *update {
			if err := os.WriteFile(file, got, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s is drawn differently; look at it, then go test ./internal/figure -update", file)
		}
	}
}

// element is what the tests read of a drawing.
type element struct {
	name, text string
	attr       map[string]string
}

func read(t *testing.T, svg []byte) (all []element) {
	t.Helper()
	dec := xml.NewDecoder(bytes.NewReader(svg))
	for {
		tok, err := dec.Token()
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatalf("not XML: %v\n%s", err, svg)
		}
		switch tok := tok.(type) {
		case xml.StartElement:
			e := element{name: tok.Name.Local, attr: map[string]string{}}
			for _, a := range tok.Attr {
				e.attr[a.Name.Local] = a.Value
			}
			all = append(all, e)
		case xml.CharData:
			if s := strings.TrimSpace(string(tok)); s != "" {
				all[len(all)-1].text += string(tok)
			}
		}
	}
}

// What people write into labels stays text, whatever it is.
func TestHostileLabels(t *testing.T) {
	const evil = "</text><script>alert(1)</script><a href=\"http://x.example\" onload='x'>&#0;\x00\x1b]]>\xff"
	f := day()
	f.ID, f.Title = evil, evil
	for i := range f.Marks {
		f.Marks[i].Label = evil
	}
	for i := range f.Panels {
		f.Panels[i].Name, f.Panels[i].Unit = evil, evil
		for j := range f.Panels[i].Rows {
			f.Panels[i].Rows[j].Label = evil
			for k := range f.Panels[i].Rows[j].Bars {
				f.Panels[i].Rows[j].Bars[k].Label = evil
			}
		}
	}
	f.Notes = append(f.Notes, Note{evil, evil})
	known := map[string]bool{"svg": true, "title": true, "desc": true, "style": true, "defs": true, "pattern": true, "path": true, "g": true, "rect": true, "text": true}
	found := false
	for _, e := range read(t, f.SVG()) {
		if !known[e.name] {
			t.Errorf("element %s", e.name)
		}
		for k := range e.attr {
			if strings.HasPrefix(k, "on") || k == "href" || k == "src" {
				t.Errorf("attribute %s", k)
			}
		}
		found = found || e.name == "title" && strings.Contains(e.text, "<script>")
		if e.name == "style" && strings.ContainsAny(e.text, "<>") {
			t.Error("the style holds what the id held")
		}
	}
	if !found {
		t.Error("the title has lost its text")
	}
}

// Whatever is drawn, no text leaves the drawing, and nothing is drawn outside
// the axis.
func TestNothingIsClipped(t *testing.T) {
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 0))
		f := randomFigure(r)
		width := float64(max(f.Width, 480))
		for _, e := range read(t, f.SVG()) {
			if e.name != "text" {
				continue
			}
			x, err := strconv.ParseFloat(e.attr["x"], 64)
			if err != nil {
				t.Fatal(err)
			}
			size := 12.0
			if e.attr["class"] == "title" {
				size = 16
			}
			w := wide(e.text, size)
			switch class := e.attr["class"]; {
			case strings.HasSuffix(class, "end"):
				x -= w
			case strings.HasSuffix(class, "middle"):
				x -= w / 2
			}
			if x < 0 || x+w > width+0.5 {
				t.Fatalf("seed %d: %q stands from %.0f to %.0f of %.0f", seed, e.text, x, x+w, width)
			}
		}
	}
}

func randomFigure(r *rand.Rand) Figure {
	text := func() string {
		words := []string{"now", "completeBy", strings.Repeat("W", r.IntN(200)), "風力発電", "a b c", ""}
		return words[r.IntN(len(words))]
	}
	at := func() time.Time { return hour(r.Float64()*80 - 40) }
	f := Figure{Title: text(), From: hour(-r.Float64() * 30), To: hour(r.Float64() * 700), Width: r.IntN(1400)}
	for range r.IntN(4) {
		f.Marks = append(f.Marks, Mark{At: at(), Label: text(), Due: r.IntN(2) == 0})
		p := Panel{Name: text(), Unit: "g/kWh"}
		for h := range r.IntN(60) {
			p.Curve = append(p.Curve, Step{Start: hour(float64(h)), End: hour(float64(h + 1)), Value: math.Pow(10, r.Float64()*9), Low: math.NaN(), High: math.Inf(1)})
		}
		for range r.IntN(4) {
			p.Rows = append(p.Rows, Row{text(), []Bar{{Start: at(), End: at(), Look: Look(r.IntN(4)), Label: text()}}})
		}
		f.Panels = append(f.Panels, p)
		f.Notes = append(f.Notes, Note{text(), text() + " " + text()})
	}
	return f
}

// Unknown is drawn and said as unknown, never as zero and never as the value
// before it.
func TestUnknownIsAGap(t *testing.T) {
	f := day()
	f.Panels[0].Curve = append(f.Panels[0].Curve[:10:10], f.Panels[0].Curve[13:]...) // nothing at all said of three hours
	svg := string(f.SVG())
	if want := "2023-06-06 16:00 | 2023-06-06 19:00 | unknown"; !strings.Contains(svg, want) {
		t.Errorf("the text does not say %q", want)
	}
	if n := strings.Count(svg, `<rect class="unknown"`); n != 4 { // legend, gap, and hours 14 and 15 of both panels
		t.Errorf("%d gaps drawn, want 4", n)
	}
}

func TestAxisStandsOnZero(t *testing.T) {
	for _, c := range []struct{ v, low, high, tick float64 }{{412, 0, 500, 100}, {9.7, 0, 12, 4}, {0, 0, 1, 0.5}, {-30, -30, 0, 10}} {
		low, high, tick := axis([]Step{{Value: c.v, Low: math.NaN(), High: math.NaN()}})
		if low > 0 || high < 0 || low > c.v || high < c.v || (high-low)/tick > 6 || (high-low)/tick < 1.5 {
			t.Errorf("%v: %s", c.v, fmt.Sprint(low, high, tick))
		}
	}
}

// Amounts stand on one foot, the greatest is the longest, and one that is not
// known has no bar; all of them are in the words too.
func TestScale(t *testing.T) {
	f := day()
	f.Panels = nil
	f.Scales = []Scale{{Name: "Error", Unit: "%", Amounts: []Amount{{"ours", 5, Done}, {"theirs", 10, Compared}, {"nobody's", math.NaN(), Compared}}}}
	svg := string(f.SVG())
	for _, want := range []string{"Error, %: of | amount", "ours | 5", "theirs | 10", "nobody&#39;s | unknown"} {
		if !strings.Contains(svg, want) {
			t.Errorf("nothing says %q", want)
		}
	}
	var ours, theirs float64
	for line := range strings.Lines(svg) {
		var x, y, w float64
		if n, _ := fmt.Sscanf(line, `<rect class="done" x="%g" y="%g" width="%g"`, &x, &y, &w); n == 3 {
			ours = w
		}
		if n, _ := fmt.Sscanf(line, `<rect class="compared" x="%g" y="%g" width="%g"`, &x, &y, &w); n == 3 {
			theirs = w
		}
	}
	if ours <= 0 || math.Abs(theirs-2*ours) > 0.5 {
		t.Errorf("bars of 5 and 10 are %g and %g wide", ours, theirs)
	}
	if n := strings.Count(svg, `<rect class="compared"`); n != 1 {
		t.Errorf("%d bars of others, want 1: what is not known has none", n)
	}
}
