package figure

import (
	"bytes"
	"cmp"
	"encoding/xml"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Sizes in pixels.
const (
	plotHeight = 150
	rowHeight  = 20
	barHeight  = 12
	markHeight = 18
	edge       = 24 // kept free at the left and at the right
	textSize   = 12
	lineHeight = 18
	titleSize  = 16
)

// drawing is one Figure on its way into bytes.
type drawing struct {
	Figure
	back, body  bytes.Buffer // what stands behind, and in front of it
	left, right float64      // where the axis of time begins and ends
	y           float64      // how far down we are
}

// SVG returns the drawing as a file of its own.
func (f Figure) SVG() []byte {
	f.ID = name(f.ID)
	f.Width = max(cmp.Or(f.Width, 960), 480)
	if !f.From.Before(f.To) {
		f.To = f.From.Add(time.Hour)
	}
	f.Marks = slices.DeleteFunc(slices.Clone(f.Marks), func(m Mark) bool { return m.At.Before(f.From) || m.At.After(f.To) })
	d := &drawing{Figure: f, right: float64(f.Width - edge)}
	for _, p := range f.Panels {
		for _, r := range p.Rows {
			d.left = max(d.left, min(wide(r.Label, textSize), float64(f.Width)/5))
		}
		low, high, tick := axis(p.Curve)
		for v := range levels(low, high, tick) {
			d.left = max(d.left, wide(number(v), textSize))
		}
	}
	for _, c := range f.Scales {
		for _, a := range c.Amounts {
			d.left = max(d.left, min(wide(a.Label, textSize), float64(f.Width)/5))
		}
	}
	d.left += edge + 10
	d.draw()

	var out bytes.Buffer
	height := int(math.Ceil(d.y)) + 12
	fmt.Fprintf(&out, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d" role="img" aria-labelledby="%s-title %s-desc">`+"\n",
		f.Width, height, f.Width, height, f.ID, f.ID)
	fmt.Fprintf(&out, "<title id=\"%s-title\">%s</title>\n<desc id=\"%s-desc\">%s</desc>\n", f.ID, escape(f.Title), f.ID, escape(f.words()))
	out.WriteString(style(f.ID))
	fmt.Fprintf(&out, "<g class=\"%s\">\n<rect class=\"ground\" width=\"%d\" height=\"%d\"/>\n", f.ID, f.Width, height)
	out.Write(d.back.Bytes())
	out.Write(d.body.Bytes())
	out.WriteString("</g>\n</svg>\n")
	return out.Bytes()
}

func (d *drawing) draw() {
	d.y = 30
	for _, line := range wrap(d.Title, float64(d.Width-2*edge), titleSize) {
		d.text("title", edge, d.y, "start", line)
		d.y += 22
	}
	d.legend()

	// The marks' names stand above the panels, a line each, and so never in
	// one another's way; their lines stand behind everything, so that texts
	// can be read across them.
	names := d.y
	d.y += markHeight * float64(len(d.Marks))
	top := d.y + 4
	d.y = top
	for _, p := range d.Panels {
		d.panel(p)
	}
	d.hours(top)
	for i, m := range d.Marks {
		d.mark(m, names+markHeight*float64(i)+13, top)
	}
	d.y += 60
	for _, c := range d.Scales {
		d.scale(c)
	}
	d.notes()
}

// scale draws bars from a common foot, each with its amount in words.
func (d *drawing) scale(c Scale) {
	d.text("name", d.left, d.y, "start", c.Name)
	d.text("soft", d.left+wide(c.Name, textSize+1)+8, d.y, "start", c.Unit)
	d.y += 8
	most := 0.0
	for _, a := range c.Amounts {
		if known(a.Value) {
			most = max(most, a.Value)
		}
	}
	for _, a := range c.Amounts {
		d.text("soft", d.left-8, d.y+12, "end", d.fit(a.Label, d.left-edge-6, textSize))
		says, width := "unknown", 0.0
		if known(a.Value) {
			says = number(a.Value)
			if most > 0 {
				width = max(0, a.Value) / most * (d.right - d.left - 60)
			}
			d.rect(looks[a.Look].class, d.left, d.y+2, max(width, 1), barHeight)
		}
		d.text("label", d.left+width+6, d.y+12, "start", says)
		d.y += rowHeight
	}
	d.y += 22
}

// legend shows what is drawn how, and only what is drawn here.
func (d *drawing) legend() {
	type entry struct{ class, says string }
	var all []entry
	seen := map[string]bool{}
	add := func(class, says string) {
		if !seen[class] {
			seen[class] = true
			all = append(all, entry{class, says})
		}
	}
	for _, p := range d.Panels {
		for _, s := range within(p.Curve, d.From, d.To) {
			switch {
			case !known(s.Value):
				add("unknown", "unknown")
			case s.Expected:
				add("expected", "expected")
			default:
				add("measured", "measured")
			}
			if known(s.Low) && known(s.High) {
				add("band", "expected spread")
			}
		}
		for _, r := range p.Rows {
			for _, b := range r.Bars {
				add(looks[b.Look].class, looks[b.Look].says)
			}
		}
	}
	order := []string{"measured", "expected", "band", "unknown", "done", "planned", "compared", "rejected"}
	slices.SortFunc(all, func(a, b entry) int {
		return cmp.Compare(slices.Index(order, a.class), slices.Index(order, b.class))
	})
	x := float64(edge)
	for _, e := range all {
		if x > edge && x+34+wide(e.says, textSize) > d.right {
			x, d.y = edge, d.y+lineHeight
		}
		switch e.class {
		case "measured", "expected":
			d.line(e.class, x, d.y-4, x+26, d.y-4)
		default:
			d.rect(e.class, x, d.y-10, 26, barHeight)
		}
		d.text("soft", x+32, d.y, "start", e.says)
		x += 32 + wide(e.says, textSize) + 18
	}
	if len(all) > 0 {
		d.y += 10
	}
}

func (d *drawing) panel(p Panel) {
	d.y += 20
	name := d.fit(p.Name, d.right-d.left-wide(p.Unit, textSize)-20, textSize+1)
	d.text("name", d.left, d.y, "start", name)
	d.text("soft", d.left+wide(name, textSize+1)+8, d.y, "start", p.Unit)
	top := d.y + 8
	bottom := top + plotHeight
	low, high, tick := axis(p.Curve)
	level := func(v float64) float64 { return bottom - (v-low)/(high-low)*plotHeight }
	for v := range levels(low, high, tick) {
		d.line("grid", d.left, level(v), d.right, level(v))
		d.text("soft", d.left-8, level(v)+4, "end", number(v))
	}

	// Beneath the curve, the times in which the work runs.
	for _, r := range p.Rows {
		for _, b := range r.Bars {
			if b.Look == Planned || b.Look == Done {
				for _, area := range areas(p.Curve, b.Start, b.End) {
					d.area(looks[b.Look].class+" under", area, level, low)
				}
			}
		}
	}
	d.curve(p.Curve, level, top)
	d.y = bottom + 8
	for _, r := range p.Rows {
		label := d.fit(r.Label, d.left-edge-6, textSize)
		d.text("soft", d.left-8, d.y+12, "end", label)
		for _, b := range r.Bars {
			d.bar(b)
		}
		d.y += rowHeight
	}
}

// curve draws runs of steps that are of one kind and touch.
func (d *drawing) curve(steps []Step, level func(float64) float64, top float64) {
	steps = within(steps, d.From, d.To)
	for i := 0; i < len(steps); {
		j := i + 1
		for j < len(steps) && steps[j].Start.Equal(steps[j-1].End) && steps[j].Expected == steps[i].Expected && known(steps[j].Value) == known(steps[i].Value) {
			j++
		}
		run := steps[i:j]
		if !known(run[0].Value) {
			x := d.x(run[0].Start)
			w := d.x(run[len(run)-1].End) - x
			d.rect("unknown", x, top, w, plotHeight)
			if wide("unknown", textSize) < w-8 {
				d.text("soft", x+w/2, top+plotHeight/2, "middle", "unknown")
			}
			i = j
			continue
		}
		class := "measured"
		if run[0].Expected {
			class = "expected"
		}
		d.band(run, level)
		var path strings.Builder
		for k, s := range run {
			if k == 0 {
				fmt.Fprintf(&path, "M%s %s", num(d.x(s.Start)), num(level(s.Value)))
				// A curve goes on from one kind to the next without a gap.
				if i > 0 && steps[i-1].End.Equal(s.Start) && known(steps[i-1].Value) {
					path.Reset()
					fmt.Fprintf(&path, "M%s %sV%s", num(d.x(s.Start)), num(level(steps[i-1].Value)), num(level(s.Value)))
				}
			} else {
				fmt.Fprintf(&path, "V%s", num(level(s.Value)))
			}
			fmt.Fprintf(&path, "H%s", num(d.x(s.End)))
		}
		fmt.Fprintf(&d.body, "<path class=\"%s\" d=\"%s\"/>\n", class, path.String())
		i = j
	}
}

// band fills between the low and the high of each stretch that has both.
func (d *drawing) band(run []Step, level func(float64) float64) {
	for i := 0; i < len(run); {
		j := i
		for j < len(run) && known(run[j].Low) && known(run[j].High) {
			j++
		}
		if j == i {
			i++
			continue
		}
		var path strings.Builder
		fmt.Fprintf(&path, "M%s %s", num(d.x(run[i].Start)), num(level(run[i].High)))
		for _, s := range run[i:j] {
			fmt.Fprintf(&path, "V%sH%s", num(level(s.High)), num(d.x(s.End)))
		}
		for _, s := range slices.Backward(run[i:j]) {
			fmt.Fprintf(&path, "V%sH%s", num(level(s.Low)), num(d.x(s.Start)))
		}
		fmt.Fprintf(&d.body, "<path class=\"band\" d=\"%sZ\"/>\n", path.String())
		i = j
	}
}

// area fills between a stretch of a curve and the axis.
func (d *drawing) area(class string, run []Step, level func(float64) float64, low float64) {
	var path strings.Builder
	foot := level(max(0, low))
	fmt.Fprintf(&path, "M%s %s", num(d.x(run[0].Start)), num(foot))
	for _, s := range run {
		fmt.Fprintf(&path, "V%sH%s", num(level(s.Value)), num(d.x(s.End)))
	}
	fmt.Fprintf(&d.body, "<path class=\"%s\" d=\"%sV%sZ\"/>\n", class, path.String(), num(foot))
}

func (d *drawing) bar(b Bar) {
	switch {
	case !b.Start.Before(b.End):
		return
	// What is outside is not left out in silence: it is said where it lies.
	case !b.Start.Before(d.To):
		d.text("soft", d.right, d.y+12, "end", d.fit(b.Label, d.right-d.left-24, textSize)+" →")
		return
	case !b.End.After(d.From):
		d.text("soft", d.left, d.y+12, "start", "← "+d.fit(b.Label, d.right-d.left-24, textSize))
		return
	}
	x := d.x(b.Start)
	w := max(2, d.x(b.End)-x)
	x = min(x, d.right-w)
	d.rect(looks[b.Look].class, x, d.y+2, w, barHeight)
	if b.Label == "" {
		return
	}
	// Beside the bar: to the right of it, or where the edge is near, to the
	// left; on the ground, so that it can be read on any pattern.
	if right := d.fit(b.Label, d.right-x-w-6, textSize); right == b.Label {
		d.text("label", x+w+6, d.y+12, "start", right)
	} else {
		d.text("label", x-6, d.y+12, "end", d.fit(b.Label, x-d.left-6, textSize))
	}
}

// hours draws the axis of time under everything, and its lines behind it.
func (d *drawing) hours(top float64) {
	marks, step := ticks(d.From, d.To, int((d.right-d.left)/58))
	dated := math.Inf(-1) // where the last date ends
	for _, t := range marks {
		x := d.x(t)
		midnight := t.Equal(t.Truncate(24 * time.Hour))
		class := "grid"
		if midnight {
			class = "day"
		}
		fmt.Fprintf(&d.back, "<path class=\"%s\" d=\"M%s %sV%s\"/>\n", class, num(x), num(top+24), num(d.y))
		day := t.Format("Mon 2 Jan")
		if step < 24*time.Hour {
			d.label("soft", x, d.y+15, t.Format("15:04"))
		}
		if at := d.from(x, wide(day, textSize)); (midnight || math.IsInf(dated, -1)) && at > dated+8 {
			d.text("name", at, d.y+31, "start", day)
			dated = at + wide(day, textSize)
		}
	}
	d.text("soft", d.left-8, d.y+15, "end", "UTC")
}

func (d *drawing) mark(m Mark, y, top float64) {
	x := d.x(m.At)
	class := "now"
	if m.Due {
		class = "due"
	}
	fmt.Fprintf(&d.back, "<path class=\"%s\" d=\"M%s %sV%s\"/>\n", class, num(x), num(y+4), num(d.y))
	// The name stands to the right of its line, or to the left near the edge.
	if text := d.fit(m.Label, d.right-x-12, textSize); text == m.Label {
		d.text(class, x+9, y, "start", text)
	} else {
		d.text(class, x-9, y, "end", d.fit(m.Label, x-edge-12, textSize))
	}
	fmt.Fprintf(&d.body, "<path class=\"%s tip\" d=\"M%s %sh10l-5 7z\"/>\n", class, num(x-5), num(y-6))
}

func (d *drawing) notes() {
	head := 0.0
	for _, n := range d.Notes {
		head = max(head, wide(n.Head, textSize))
	}
	head = min(head, float64(d.Width)/5) + 14
	for _, n := range d.Notes {
		d.text("name", edge, d.y, "start", d.fit(n.Head, head-8, textSize))
		for _, line := range wrap(n.Text, d.right-edge-head, textSize) {
			d.text("label", edge+head, d.y, "start", line)
			d.y += lineHeight
		}
	}
}

// label writes a text in the middle over x, moved inward where it would leave
// the axis.
func (d *drawing) label(class string, x, y float64, text string) {
	d.text(class, d.from(x, wide(text, textSize)), y, "start", text)
}

// from returns where a text of that width begins that is to stand around x.
func (d *drawing) from(x, width float64) float64 {
	return max(d.left, min(x-width/2, d.right-width))
}

// x returns where an instant stands. What is outside stands at the edge.
func (d *drawing) x(t time.Time) float64 {
	share := float64(t.Sub(d.From)) / float64(d.To.Sub(d.From))
	return d.left + max(0, min(1, share))*(d.right-d.left)
}

func (d *drawing) text(class string, x, y float64, anchor, text string) {
	if text == "" {
		return
	}
	if anchor != "start" {
		class += " " + anchor
	}
	fmt.Fprintf(&d.body, "<text class=\"%s\" x=\"%s\" y=\"%s\">%s</text>\n", class, num(x), num(y), escape(text))
}

func (d *drawing) line(class string, x1, y1, x2, y2 float64) {
	fmt.Fprintf(&d.body, "<path class=\"%s\" d=\"M%s %sL%s %s\"/>\n", class, num(x1), num(y1), num(x2), num(y2))
}

func (d *drawing) rect(class string, x, y, w, h float64) {
	fmt.Fprintf(&d.body, "<rect class=\"%s\" x=\"%s\" y=\"%s\" width=\"%s\" height=\"%s\"/>\n", class, num(x), num(y), num(w), num(h))
}

// fit shortens a text to a width.
func (d *drawing) fit(text string, width, size float64) string {
	if wide(text, size) <= width {
		return text
	}
	runes := []rune(text)
	for len(runes) > 0 && wide(string(runes)+"…", size) > width {
		runes = runes[:len(runes)-1]
	}
	if len(runes) == 0 {
		return ""
	}
	return strings.TrimSpace(string(runes)) + "…"
}

// wide returns the width that a text has at the most, in pixels: we do not know
// the reader's fonts. What is wide in East Asia is as wide as high.
func wide(text string, size float64) float64 {
	w := 0.0
	for _, r := range text {
		switch {
		case r >= 0x1100:
			w += 1.05
		case strings.ContainsRune("mwMW%@", r):
			w += 0.95
		case strings.ContainsRune("ijltfrI.,:;'|!()[] -/", r):
			w += 0.42
		default:
			w += 0.66
		}
	}
	return w * size
}

// wrap breaks a text into lines of a width; a word that is too long is cut.
func wrap(text string, width, size float64) []string {
	var lines []string
	line := ""
	for _, word := range strings.Fields(text) {
		for wide(word, size) > width {
			runes := []rune(word)
			n := 1
			for n < len(runes)-1 && wide(string(runes[:n+1]), size) <= width {
				n++
			}
			if line != "" {
				lines, line = append(lines, line), ""
			}
			lines, word = append(lines, string(runes[:n])), string(runes[n:])
		}
		switch {
		case line == "":
			line = word
		case wide(line+" "+word, size) <= width:
			line += " " + word
		default:
			lines, line = append(lines, line), word
		}
	}
	return append(lines, line)
}

// num writes a length with a tenth of a pixel.
func num(f float64) string {
	return strconv.FormatFloat(math.Round(f*10)/10, 'f', -1, 64)
}

// number writes a value of an axis.
func number(f float64) string {
	return strconv.FormatFloat(math.Round(f*1e6)/1e6, 'f', -1, 64)
}

// escape makes text of anything: what XML cannot hold becomes U+FFFD.
func escape(s string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(s))
	return b.String()
}
