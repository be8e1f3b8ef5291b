package signal_test

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"clusy.io/clusy/internal/grid"
	"clusy.io/clusy/internal/signal"
	"clusy.io/clusy/internal/signal/signaltest"
)

var monday = time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)

func open(t testing.TB, name, text string, o signal.FileOptions) (signal.Provider, error) {
	t.Helper()
	return signal.OpenFS(fstest.MapFS{name: {Data: []byte(text)}}, name, o)
}

func mustOpen(t testing.TB, name, text string, o signal.FileOptions) signal.Provider {
	t.Helper()
	p, err := open(t, name, text, o)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// everything returns all that p will ever say of a zone in 2026.
func everything(t testing.TB, p signal.Provider, zone grid.Zone) grid.Series {
	t.Helper()
	end := monday.AddDate(1, 0, 0)
	s, err := p.History(t.Context(), zone, monday.AddDate(-1, 0, 0), end, end)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// The three forms of file say the same: two zones, a day and a half, a gap,
// and (where a form can say it) some estimated hours.
func wideFile() string {
	var b strings.Builder
	b.WriteString("# a note\ntime_utc,DE-LU,FR\n")
	for h := range 36 {
		if h == 20 {
			continue // a missing row is a gap in both
		}
		de := fmt.Sprintf("%d.5", 300+h)
		if h == 10 {
			de = ""
		}
		fmt.Fprintf(&b, "%s,%s,%d\n", monday.Add(time.Duration(h)*time.Hour).Format("2006-01-02T15:04Z"), de, 20+h)
	}
	return b.String()
}

func longFile() string {
	var b strings.Builder
	b.WriteString("time_utc,zone,value,estimated\n")
	for h := range 36 {
		at := monday.Add(time.Duration(h) * time.Hour).Format(time.RFC3339)
		fmt.Fprintf(&b, "%s,DE-LU,%d.5,%v\n%s,FR,%d,\n", at, 300+h, h >= 12 && h < 15, at, 20+h)
	}
	return b.String()
}

func jsonFile() string {
	var de, fr []string
	for h := range 36 {
		de = append(de, fmt.Sprintf("%d.5", 300+h))
		fr = append(fr, fmt.Sprint(20+h))
	}
	de[10], de[20] = "null", "null"
	return `{"provider": "site/meter", "basis": "average/lifecycle", "step": "PT1H", "series": [
		{"zone": "DE-LU", "start": "2026-03-02T00:00Z", "values": [` + strings.Join(de, ", ") + `]},
		{"zone": "FR", "start": "2026-03-02T01:00:00+01:00", "estimated": true, "values": [` + strings.Join(fr, ",") + `]}]}`
}

func sdkFile() string {
	var e []string
	for h := range 36 {
		e = append(e, fmt.Sprintf(`{"Location":"eastus","Time":"%s","Rating":%d,"Duration":"01:00:00"}`, monday.Add(time.Duration(h)*time.Hour).Format("2006-01-02T15:04:05+00:00"), 300+h))
	}
	return `{"Description":"Sample","Date":"2026-09-14","License":"CC0","Emissions":[` + strings.Join(e, ",\n") + `]}`
}

func TestContract(t *testing.T) {
	de := signaltest.Window{Zone: "DE-LU", From: monday, To: monday.Add(36 * time.Hour)}
	for name, c := range map[string]struct {
		text string
		w    signaltest.Window
		o    signal.FileOptions
	}{
		"wide.csv": {wideFile(), de, signal.FileOptions{}},
		"long.csv": {longFile(), de, signal.FileOptions{}},
		"own.json": {jsonFile(), de, signal.FileOptions{}},
		"sdk.json": {sdkFile(), signaltest.Window{Zone: "US-MIDA-PJM", From: de.From, To: de.To}, signal.FileOptions{Zones: map[string]grid.Zone{"eastus": "US-MIDA-PJM"}}},
	} {
		t.Run(name, func(t *testing.T) {
			signaltest.Test(t, c.w, func(t *testing.T) signal.Provider { return mustOpen(t, name, c.text, c.o) })
		})
	}
	t.Run("fixed", func(t *testing.T) {
		signaltest.Test(t, de, func(t *testing.T) signal.Provider {
			p, err := signal.Fixed("simulated", everything(t, mustOpen(t, "own.json", jsonFile(), signal.FileOptions{}), "DE-LU"))
			if err != nil {
				t.Fatal(err)
			}
			return p
		})
	})
}

func TestWhatAFileSays(t *testing.T) {
	p := mustOpen(t, "wide.csv", wideFile(), signal.FileOptions{})
	s := everything(t, p, "DE-LU")
	if p.Name() != "file/wide.csv" || s.Basis != grid.AverageLifecycle || s.Grade != grid.GradeA || s.Estimated || s.Step != time.Hour || !s.Start.Equal(monday) || len(s.Values) != 36 {
		t.Fatalf("%s: %+v, step %s, start %s, %d values", p.Name(), s.Provenance, s.Step, s.Start, len(s.Values))
	}
	for h, v := range s.Values {
		want := grid.Intensity(300_500 + 1000*h)
		if h == 10 || h == 20 { // an empty cell and a missing row
			want = grid.Unknown
		}
		if v != want {
			t.Errorf("hour %d: %d, want %d", h, v, want)
		}
	}

	// What is not known at either end of an answer is left out.
	hour := func(h int) time.Time { return monday.Add(time.Duration(h) * time.Hour) }
	s, err := p.History(t.Context(), "DE-LU", hour(10), hour(21), hour(21))
	if err != nil || !s.Start.Equal(hour(11)) || !s.End().Equal(hour(20)) || !s.Issued.Equal(hour(20)) {
		t.Errorf("hours 10 to 21: got %s to %s, issued %s, %v", s.Start, s.End(), s.Issued, err)
	}

	// A series ends where what is estimated begins, and the next says so.
	p = mustOpen(t, "long.csv", longFile(), signal.FileOptions{Name: "acme", Basis: grid.Basis{Signal: grid.Marginal, Scope: grid.Direct}})
	a := everything(t, p, "DE-LU")
	end := monday.AddDate(1, 0, 0)
	b, err := p.History(t.Context(), "DE-LU", a.End(), end, end)
	if err != nil {
		t.Fatal(err)
	}
	if len(a.Values) != 12 || a.Estimated || a.Grade != grid.GradeA || len(b.Values) != 3 || !b.Estimated || b.Grade != grid.GradeB {
		t.Errorf("%d values %+v and %d values %+v", len(a.Values), a.Provenance, len(b.Values), b.Provenance)
	}
	if a.Provider != "acme" || a.Basis.Signal != grid.Marginal {
		t.Errorf("options do not hold: %+v", a.Provenance)
	}

	p = mustOpen(t, "own.json", jsonFile(), signal.FileOptions{})
	s = everything(t, p, "FR")
	if p.Name() != "site/meter" || !s.Estimated || s.Grade != grid.GradeB || !s.Start.Equal(monday) || s.Values[35] != 55_000 {
		t.Errorf("%s: %+v", p.Name(), s.Provenance)
	}
	if s := everything(t, p, "DE-LU"); s.Values[10] != grid.Unknown || s.Values[11] != 311_500 {
		t.Errorf("null is %d, want unknown", s.Values[10])
	}

	p = mustOpen(t, "sdk.json", sdkFile(), signal.FileOptions{})
	if s := everything(t, p, "eastus"); len(s.Values) != 36 || s.Values[3] != 303_000 {
		t.Errorf("Carbon Aware SDK: %d values", len(s.Values))
	}
	// Its bare form, with numbers in quotes as in its demo file.
	p = mustOpen(t, "bare.json", `[{"Location":"uk","Time":"2026-03-02T00:00:00Z","Rating":"70.5","Duration":"00:30"}]`, signal.FileOptions{})
	if s := everything(t, p, "uk"); len(s.Values) != 1 || s.Values[0] != 70_500 || s.Step != 30*time.Minute {
		t.Errorf("bare: %v", s)
	}
	// In any order, as the SDK takes them, with a key of somebody's own.
	p = mustOpen(t, "order.json", `{"Emissions":[{"Location":"uk","Time":"2026-03-02T01:00:00Z","Rating":71,"Duration":"01:00"},{"Location":"fr","Time":"2026-03-02T00:00:00Z","Rating":30,"Duration":"1.00:00:00","Meter":7},
		{"Location":"uk","Time":"2026-03-02T00:00:00Z","Rating":70,"Duration":"01:00"}],"Author":"us"}`, signal.FileOptions{})
	if s := everything(t, p, "uk"); len(s.Values) != 2 || s.Values[0] != 70_000 || s.Values[1] != 71_000 {
		t.Errorf("out of order: %v", s)
	}
	if s := everything(t, p, "fr"); len(s.Values) != 1 || s.Step != 24*time.Hour {
		t.Errorf("a day: %v", s)
	}

	p = mustOpen(t, "some.csv", wideFile(), signal.FileOptions{Estimated: []grid.Zone{"FR"}, Grade: grid.GradeC})
	if s := everything(t, p, "FR"); !s.Estimated || s.Grade != grid.GradeC {
		t.Errorf("FR is %+v, want estimated, grade C", s.Provenance)
	}
	if s := everything(t, p, "DE-LU"); s.Estimated {
		t.Error("DE-LU is estimated")
	}
}

// What other programs put into text files does no harm.
func TestHarmlessHabits(t *testing.T) {
	for what, text := range map[string]string{
		"a byte order mark":            "\ufeff" + wideFile(),
		"Windows line ends":            strings.ReplaceAll(wideFile(), "\n", "\r\n"),
		"quoted cells":                 strings.ReplaceAll(wideFile(), "DE-LU", `"DE-LU"`),
		"spaces":                       strings.ReplaceAll(wideFile(), ",", ", "),
		"blank lines":                  strings.ReplaceAll(wideFile(), "\n", "\n\n"),
		"no last line end":             strings.TrimSuffix(wideFile(), "\n"),
		"a zone that is empty for now": strings.ReplaceAll(strings.ReplaceAll(wideFile(), ",FR", ",FR,PL"), "\n2026", "\n2026") + "",
	} {
		if what == "a zone that is empty for now" {
			lines := strings.Split(strings.TrimSpace(text), "\n")
			for i := 2; i < len(lines); i++ {
				lines[i] += ","
			}
			text = strings.Join(lines, "\n")
		}
		p, err := open(t, "x.csv", text, signal.FileOptions{})
		if err != nil {
			t.Errorf("%s: %v", what, err)
			continue
		}
		if s := everything(t, p, "DE-LU"); len(s.Values) != 36 || s.Values[35] != 335_500 {
			t.Errorf("%s: %d values", what, len(s.Values))
		}
	}
}

func TestRefusals(t *testing.T) {
	const head = "time_utc,DE,FR\n2026-03-02T00:00Z,300,20\n2026-03-02T01:00Z,310,21\n"
	entry := func(location, at, rating, duration string) string {
		return fmt.Sprintf(`[{"Location":"a","Time":"2026-03-02T00:00:00Z","Rating":1,"Duration":"01:00"},{"Location":%q,"Time":%q,"Rating":%s,"Duration":%q}]`, location, at, rating, duration)
	}
	own := func(basis, step, series string) string {
		return fmt.Sprintf(`{"provider":"p","basis":%q,"step":%q,"series":[%s]}`, basis, step, series)
	}
	one := func(start, values string) string {
		return own("average/lifecycle", "1h", fmt.Sprintf(`{"zone":"DE","start":%q,"values":%s}`, start, values))
	}
	for what, c := range map[string]struct{ text, want string }{
		"nothing":                          {"", "empty"},
		"only notes":                       {"# hello\n", "empty"},
		"no rows":                          {"time_utc,DE\n", "no value"},
		"another header":                   {"when,DE\n", "line 1: the header"},
		"only times":                       {"time_utc\n", "line 1: the header"},
		"UTF-16":                           {"\xff\xfet\x00", "UTF-16"},
		"a zero byte":                      {head + "\x00", "zero byte"},
		"a broken quote":                   {head + "2026-03-02T02:00Z,\"300,1\n", "line 4"},
		"too few cells":                    {head + "2026-03-02T02:00Z,300\n", "line 4: 2 cells, want 3"},
		"too many cells":                   {head + "2026-03-02T02:00Z,300,1,2\n", "line 4: 4 cells, want 3"},
		"a zone twice":                     {"time_utc,DE,DE\n", "line 1: zone DE is there twice"},
		"a zone without a name":            {"time_utc,DE,\n", "without a name"},
		"a zone with a space":              {"time_utc,D E\n", "line 1: series has zone"},
		"local time":                       {head + "2026-03-02T02:00,300,20\n", "line 4: \"2026-03-02T02:00\" is not a time"},
		"not a time":                       {head + "tomorrow,300,20\n", "line 4: \"tomorrow\""},
		"half a minute":                    {head + "2026-03-02T02:00:30Z,300,20\n", "line 4: \"2026-03-02T02:00:30Z\" is not on a whole minute"},
		"the year 1":                       {head + "0001-03-02T02:00Z,300,20\n", "line 4: the year 1"},
		"the year 2200":                    {head + "2200-03-02T02:00Z,300,20\n", "line 4: the year 2200"},
		"a time twice":                     {head + "2026-03-02T01:00Z,300,20\n", "line 4: 2026-03-02T01:00:00Z is there twice, first on line 3"},
		"a time twice, other zone of time": {head + "2026-03-02T02:00+01:00,300,20\n", "line 4: 2026-03-02T01:00:00Z is there twice"},
		"time runs back":                   {head + "2026-03-01T23:00Z,300,20\n", "line 4: 2026-03-01T23:00:00Z is before"},
		"unequal steps":                    {head + "2026-03-02T03:00Z,300,20\n2026-03-02T04:30Z,300,20\n", "line 5: zone DE: 1h30m0s after"},
		"steps of 25 hours":                {"time_utc,DE\n2026-03-02T00:00Z,300\n2026-03-03T01:00Z,300\n", "step of 25h"},
		"one row":                          {"time_utc,DE\n2026-03-02T00:00Z,300\n", "one row does not tell"},
		"a gap of a century":               {"time_utc,DE\n1970-01-01T00:00Z,300\n1970-01-01T00:01Z,300\n2199-01-01T00:00Z,300\n", "split the file"},
		"a gap of months":                  {"time_utc,DE\n2026-01-01T00:00Z,300\n2026-01-01T00:01Z,300\n2026-08-01T00:00Z,300\n", "split the file"},
		"NaN":                              {head + "2026-03-02T02:00Z,NaN,20\n", "line 4: zone DE: \"NaN\""},
		"infinity":                         {head + "2026-03-02T02:00Z,300,Inf\n", "line 4: zone FR: \"Inf\""},
		"out of range":                     {head + "2026-03-02T02:00Z,1e999,20\n", "line 4: zone DE: \"1e999\""},
		"hexadecimal":                      {head + "2026-03-02T02:00Z,0x10,20\n", "line 4: zone DE"},
		"below zero":                       {head + "2026-03-02T02:00Z,-1,20\n", "line 4: zone DE: -1 g/kWh is below zero"},
		"milligrams":                       {head + "2026-03-02T02:00Z,300000,20\n", "line 4: zone DE: 300000 g/kWh is above 3000"},
		"a word":                           {head + "2026-03-02T02:00Z,high,20\n", "line 4: zone DE: \"high\""},
		"a decimal comma":                  {head + "2026-03-02T02:00Z,\"300,5\",20\n", "line 4: zone DE: \"300,5\""},
		"a very long word":                 {head + "2026-03-02T02:00Z," + strings.Repeat("x", 1000) + ",20\n", "…"},
		"kilograms":                        {"time_utc,DE\n2026-03-02T00:00Z,0.3\n2026-03-02T01:00Z,0.4\n", "kg/kWh"},
		"zeros for unknown":                {"time_utc,DE\n2026-03-02T00:00Z,0\n2026-03-02T01:00Z,0\n", "every value is 0"},
		"long: another header":             {"time_utc,zone,price\n", "line 1: the header of a long file"},
		"long: a short header":             {"time_utc,zone\n", "line 1: the header of a long file"},
		"long: a long header":              {"time_utc,zone,value,estimated,note\n", "line 1: the header of a long file"},
		"long: too few cells":              {"time_utc,zone,value\n2026-03-02T00:00Z,DE\n", "line 2: 2 cells"},
		"long: a bad time":                 {"time_utc,zone,value\nx,DE,300\n", "line 2: \"x\""},
		"long: a bad value":                {"time_utc,zone,value\n2026-03-02T00:00Z,DE,x\n", "line 2: \"x\""},
		"long: a bad zone":                 {"time_utc,zone,value\n2026-03-02T00:00Z,D E,3\n", "line 2: series has zone"},
		"long: a zone and a time twice":    {"time_utc,zone,value\n2026-03-02T00:00Z,DE,3\n2026-03-02T00:00Z,FR,3\n2026-03-02T00:00Z,DE,3\n", "line 4: 2026-03-02T00:00:00Z is there twice, first on line 2 (zone DE)"},
		"long: perhaps":                    {"time_utc,zone,value,estimated\n2026-03-02T00:00Z,DE,3,perhaps\n", "line 2: estimated is \"perhaps\""},
		"JSON: cut off":                    {`{"provider":"p",` + "\n" + `"series":[`, "line 2"},
		"JSON: two values":                 {one("2026-03-02T00:00Z", "[3,4]") + "{}", "more after the end"},
		"JSON: neither":                    {`{}`, "neither series nor Emissions"},
		"JSON: both":                       {`{"series":[{}],"Emissions":[{}]}`, "both"},
		"JSON: unknown field":              {`{"serie":[]}`, "unknown field"},
		"JSON: a number for a word":        {"{\n\"provider\": 3}", "line 2: provider is a number"},
		"JSON: a syntax error":             {"{\n\n;", "line 3: not valid JSON"},
		"JSON: no basis":                   {own("", "1h", `{"zone":"DE","start":"2026-03-02T00:00Z","values":[3]}`), "basis is \"\""},
		"JSON: another basis":              {own("market", "1h", `{"zone":"DE","start":"2026-03-02T00:00Z","values":[3]}`), "basis is \"market\""},
		"JSON: no step":                    {own("average/lifecycle", "", `{}`), "step"},
		"JSON: a step of seconds":          {own("average/lifecycle", "90s", `{}`), "step is 1m30s"},
		"JSON: no start":                   {own("average/lifecycle", "1h", `{"zone":"DE","values":[3]}`), "series 1, zone \"DE\": start"},
		"JSON: no zone":                    {own("average/lifecycle", "1h", `{"start":"2026-03-02T00:00Z","values":[3]}`), "without a name"},
		"JSON: zone twice":                 {own("average/lifecycle", "1h", strings.Repeat(`{"zone":"DE","start":"2026-03-02T00:00Z","values":[3]},`, 2)+`{}`), "series 2, zone \"DE\": zone DE is there twice"},
		"JSON: no values":                  {one("2026-03-02T00:00Z", "[]"), "no value"},
		"JSON: values is a word":           {one("2026-03-02T00:00Z", `"abc"`), "values is not a list"},
		"JSON: a word":                     {one("2026-03-02T00:00Z", `[3,"4"]`), "series 1, zone \"DE\": value 2"},
		"JSON: a list in it":               {one("2026-03-02T00:00Z", `[3,[4]]`), "value 2"},
		"JSON: below zero":                 {one("2026-03-02T00:00Z", `[3,-4]`), "value 2: -4 g/kWh is below zero"},
		"JSON: milligrams":                 {one("2026-03-02T00:00Z", `[3,4e5]`), "value 2: 400000 g/kWh is above 3000"},
		"JSON: past 2199":                  {one("2199-12-31T23:00Z", `[3,4]`), "value 2: the year 2200"},
		"JSON: a bad provider":             {`{"provider":"a b","series":[{}]}`, "provider is \"a b\""},
		"SDK: a bad time":                  {entry("a", "x", "1", "01:00"), "entry 2 of Emissions, location \"a\": \"x\""},
		"SDK: no rating":                   {entry("a", "2026-03-02T01:00:00Z", "null", "01:00"), "entry 2"},
		"SDK: an empty rating":             {entry("a", "2026-03-02T01:00:00Z", `""`, "01:00"), "no Rating"},
		"SDK: no duration":                 {entry("a", "2026-03-02T01:00:00Z", "1", ""), "Duration is \"\""},
		"SDK: a day's duration":            {entry("a", "2026-03-02T01:00:00Z", "1", "25:00"), "Duration is \"25:00\""},
		"SDK: minutes in words":            {entry("a", "2026-03-02T01:00:00Z", "1", "01:xx"), "Duration is \"01:xx\""},
		"SDK: two durations":               {entry("a", "2026-03-02T01:00:00Z", "1", "00:30"), "its Duration is 30m0s, others have 1h0m0s"},
		"SDK: a time twice":                {entry("a", "2026-03-02T00:00:00Z", "1", "01:00"), "entry 2: 2026-03-02T00:00:00Z is there twice, first on entry 1"},
		"SDK: a bad location":              {entry("a b", "2026-03-02T00:00:00Z", "1", "01:00"), "series has zone"},
		"SDK: overlapping":                 {strings.ReplaceAll(entry("a", "2026-03-02T00:30:00Z", "1", "01:00"), "Rating\":1", "Rating\":10"), "entry 2: zone a: 30m0s after"},
	} {
		_, err := open(t, "x", c.text, signal.FileOptions{})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", what, err, c.want)
		}
		if err != nil && len(err.Error()) > 400 {
			t.Errorf("%s: the error has %d characters", what, len(err.Error()))
		}
	}
	// Combustion alone may be near zero for long, and is not refused for it.
	direct := signal.FileOptions{Basis: grid.Basis{Signal: grid.Average, Scope: grid.Direct}}
	if _, err := open(t, "x.csv", "time_utc,NO\n2026-03-02T00:00Z,0\n2026-03-02T01:00Z,0.4\n", direct); err != nil {
		t.Error(err)
	}
	if _, err := open(t, "x.json", one("2026-03-02T00:00Z", "[3]"), direct); err == nil || !strings.Contains(err.Error(), "never mixed") {
		t.Errorf("a file of another basis: %v", err)
	}
	if _, err := open(t, "x.csv", head, signal.FileOptions{Basis: grid.Basis{Signal: "x"}}); err == nil {
		t.Error("a basis that there is not was taken")
	}
	if _, err := open(t, "x.csv", head, signal.FileOptions{MaxSize: int64(len(head)) - 1}); err == nil || !strings.Contains(err.Error(), "at most") {
		t.Errorf("too large: %v", err)
	}
	var many strings.Builder
	many.WriteString("time_utc")
	for i := range 2001 {
		fmt.Fprintf(&many, ",Z%d", i)
	}
	if _, err := open(t, "x.csv", many.String()+"\n", signal.FileOptions{}); err == nil || !strings.Contains(err.Error(), "more than 2000 zones") {
		t.Errorf("too many zones: %v", err)
	}
}

// grows is a file that is longer when it is read than when it is looked at.
type grows struct{ fstest.MapFS }

func (g grows) Stat(name string) (fs.FileInfo, error) {
	return fstest.MapFS{name: {Data: []byte("x")}}.Stat(name)
}

func TestAFileThatGrows(t *testing.T) {
	fsys := grows{fstest.MapFS{"x": {Data: []byte(wideFile())}}}
	if _, err := signal.OpenFS(fsys, "x", signal.FileOptions{MaxSize: 500}); err == nil || !strings.Contains(err.Error(), "more than 500 bytes") {
		t.Errorf("got %v", err)
	}
}

func TestFilesOnDisk(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "site.csv")
	write := func(text string, age time.Duration) {
		t.Helper()
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(name, time.Time{}, monday.Add(age)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := signal.OpenFile(name, signal.FileOptions{}); err == nil || strings.Contains(err.Error(), dir) {
		t.Errorf("a file that is not there: %v (want an error without the folder)", err)
	}
	if _, err := signal.OpenFile(dir, signal.FileOptions{}); err == nil || !strings.Contains(err.Error(), "not a regular file") {
		t.Errorf("a folder: %v", err)
	}
	write("time_utc,DE\n2026-03-02T00:00Z,300\n2026-03-02T01:00Z,310\n", 0)
	p, err := signal.OpenFile(name, signal.FileOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if p.Name() != "file/site.csv" || len(everything(t, p, "DE").Values) != 2 {
		t.Errorf("%s has %d values", p.Name(), len(everything(t, p, "DE").Values))
	}

	// It grows: the new value is told.
	write("time_utc,DE\n2026-03-02T00:00Z,300\n2026-03-02T01:00Z,310\n2026-03-02T02:00Z,320\n", 1)
	if n := len(everything(t, p, "DE").Values); n != 3 {
		t.Errorf("after it grew: %d values, want 3", n)
	}
	// It is spoilt: that is an error, time and again, and not the old values.
	write("time_utc,DE\n2026-03-02T00:00Z,-300\n", 2)
	for range 2 {
		if _, err := p.History(t.Context(), "DE", monday, monday.Add(time.Hour), monday.Add(time.Hour)); err == nil || !strings.Contains(err.Error(), "line 2") {
			t.Errorf("after it was spoilt: %v", err)
		}
	}
	if _, err := p.Zones(t.Context()); err == nil {
		t.Error("a spoilt file has zones")
	}
	// It is mended.
	write("time_utc,FR\n2026-03-02T00:00Z,300\n2026-03-02T01:00Z,310\n", 3)
	if zs, err := p.Zones(t.Context()); err != nil || len(zs) != 1 || zs[0] != "FR" {
		t.Errorf("after it was mended: %v, %v", zs, err)
	}
	// It is taken away.
	if err := os.Remove(name); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Zones(t.Context()); err == nil {
		t.Error("a file that is gone has zones")
	}
}

func TestFixedRefuses(t *testing.T) {
	good := everything(t, mustOpen(t, "own.json", jsonFile(), signal.FileOptions{}), "DE-LU")
	bad, other, worse := good, good, good
	bad.Step = 0
	other.Zone, other.Basis.Scope = "FR", grid.Direct
	worse.Zone, worse.Grade = "FR", grid.GradeE
	for what, f := range map[string]func() (signal.Provider, error){
		"no name":      func() (signal.Provider, error) { return signal.Fixed("", good) },
		"no series":    func() (signal.Provider, error) { return signal.Fixed("x") },
		"a bad one":    func() (signal.Provider, error) { return signal.Fixed("x", bad) },
		"a zone twice": func() (signal.Provider, error) { return signal.Fixed("x", good, good) },
		"two bases":    func() (signal.Provider, error) { return signal.Fixed("x", good, other) },
		"two grades":   func() (signal.Provider, error) { return signal.Fixed("x", good, worse) },
	} {
		if _, err := f(); err == nil {
			t.Errorf("%s: taken", what)
		}
	}
	good.Estimated = true
	p, err := signal.Fixed("x", good)
	if err != nil {
		t.Fatal(err)
	}
	if s := everything(t, p, "DE-LU"); !s.Estimated || s.Grade != grid.GradeB {
		t.Errorf("estimated: %+v", s.Provenance)
	}
}

func FuzzCSV(f *testing.F) {
	for _, s := range []string{wideFile(), longFile(), "time_utc,DE\n2026-03-02T00:00Z,300\n2026-03-02T00:05Z,\n", "time_utc,zone,value\n2026-03-02T00:00Z,DE,3\n2026-03-03T00:00Z,DE,3\n", "\ufefftime_utc,\"D\"\r\n1970-01-01T00:00Z,3e3\r\n2199-12-31T23:59Z,3\r\n", "time_utc,D\n2199-12-31T00:00Z,3\n2199-12-31T23:59Z,3\n"} {
		f.Add(s)
	}
	f.Fuzz(sound)
}

func FuzzJSON(f *testing.F) {
	for _, s := range []string{jsonFile(), sdkFile(), `{"basis":"marginal/direct","step":"24h","series":[{"zone":"A","start":"2199-12-31T23:59Z","values":[null,1e3,0]}]}`, `[{"Location":"a","Time":"1970-01-01T00:00Z","Rating":"5","Duration":"24:00:00"}]`, `{"series":[{"values":null}]}`, `{"series":[{"values":[]},{"values":[1,]}]}`} {
		f.Add(s)
	}
	f.Fuzz(sound)
}

// sound checks that a text is refused, or that all that it says passes the
// gate. It does not panic, and takes no memory to speak of.
func sound(t *testing.T, text string) {
	p, err := signal.OpenFS(fstest.MapFS{"x": {Data: []byte(text)}}, "x", signal.FileOptions{MaxSize: 1 << 20})
	if err != nil {
		return
	}
	zones, err := p.Zones(t.Context())
	if err != nil || len(zones) == 0 {
		t.Fatalf("taken, and has the zones %v, %v", zones, err)
	}
	first, last := time.Date(1960, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2300, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, z := range zones {
		for from := first; ; {
			s, err := p.History(t.Context(), z, from, last, last)
			if err != nil {
				t.Fatal(err)
			}
			if len(s.Values) == 0 {
				break
			}
			if err := s.Validate(); err != nil {
				t.Fatalf("taken, and is not sound: %v", err)
			}
			if !s.End().After(from) {
				t.Fatalf("it does not go on from %s", from)
			}
			from = s.End()
		}
	}
}
