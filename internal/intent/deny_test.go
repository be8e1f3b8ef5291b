package intent

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"clusy.io/clusy/internal/workload"
)

// denied reads spans in hours from noon: "7/9" is from 19:00 to 21:00.
func denied(spans ...string) (out []workload.Span) {
	for _, s := range spans {
		var a, b float64
		if _, err := fmt.Sscanf(s, "%g/%g", &a, &b); err != nil {
			panic(err)
		}
		out = append(out, workload.Span{Start: noon.Add(time.Duration(a * float64(time.Hour))), End: noon.Add(time.Duration(b * float64(time.Hour)))})
	}
	return out
}

// What a line comes to, in the zone that it names.
func TestDenialsComeToTimes(t *testing.T) {
	day := func(y int, m time.Month, d int) time.Time { return time.Date(y, m, d, 0, 0, 0, 0, time.UTC) }
	for _, c := range []struct {
		name, line string
		from       time.Time
		days       int
		want       string // starts and ends, in UTC
	}{
		{"weekdays", "Mon-Fri 08:00-10:00 Europe/Berlin", day(2026, 11, 27), 4, "27T07:00/27T09:00 30T07:00/30T09:00"},
		{"an offset", "Sat,Sun 08:00-10:00 -05:00", day(2026, 11, 27), 4, "28T13:00/28T15:00 29T13:00/29T15:00"},
		{"over the week's end", "Fri-Mon 00:00-24:00 UTC", day(2026, 11, 26), 7, "27T00:00/28T00:00 28T00:00/29T00:00 29T00:00/30T00:00 30T00:00/01T00:00"},
		{"over midnight", "Sun 22:00-06:00 Z", day(2026, 11, 29), 3, "29T22:00/30T06:00"},
		{"begun before", "Sun 22:00-06:00 +00:00", day(2026, 11, 30), 3, "29T22:00/30T06:00"},
		{"daily", "daily 23:00-23:30 +14:00", day(2026, 11, 29), 2, "29T09:00/29T09:30 30T09:00/30T09:30"},
		{"no days", "12:00-13:00 America/New_York", day(2026, 11, 29), 1, "29T17:00/29T18:00"},
		// 29 March 2026, 02:00 to 03:00, is not on the clocks of Berlin.
		{"clocks go forward", "Sun 01:30-03:30 Europe/Berlin", day(2026, 3, 28), 2, "29T00:30/29T01:30"},
		{"in the hour left out", "Sun 02:30-02:45 Europe/Berlin", day(2026, 3, 28), 2, "29T00:30/29T01:45"},
		// 25 October 2026, 02:00 to 03:00, is there twice: both are denied.
		{"in the hour repeated", "Sun 02:15-02:45 Europe/Berlin", day(2026, 10, 24), 2, "25T00:15/25T01:45"},
		{"around the hour repeated", "Sun 01:00-04:00 Europe/Berlin", day(2026, 10, 24), 2, "24T23:00/25T03:00"},
	} {
		d, err := parseDenial(c.line, noon)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		var got []string
		for _, s := range d.in(c.from, c.from.AddDate(0, 0, c.days)) {
			got = append(got, s.Start.Format("02T15:04/")+s.End.Format("02T15:04"))
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s: %q comes to %v, want %s", c.name, c.line, got, c.want)
		}
	}
}

func TestDenialsRefused(t *testing.T) {
	for line, says := range map[string]string{
		"Mon-Fri 08:00-10:00":                         "no time zone",
		"Mon-Fri 08:00-08:00 UTC":                     "no time at all",
		"Mon-Fri 08:00-25:00 UTC":                     "is not a window",
		"Mon-Fri 24:00-25:00 UTC":                     "is not a window",
		"Mon-Fri 08:00-10:00 Local":                   "not a time zone",
		"Mon-Fri 08:00-10:00 Europe/Nowhere":          "not a time zone",
		"Mon-Fri 08:00-10:00 ../../etc/passwd":        "is not a window",
		"Mon-Fri 08:00-10:00 +15:00":                  "is not a window",
		"mon-fri 08:00-10:00 Europe/Berlin":           "is not a window",
		"2026-12-01T07:00:00Z/2026-12-01T07:00:00Z":   "ends before it begins",
		"2026-12-01T07:00:00/2026-12-01T08:00:00Z":    "no offset",
		"2026-12-01T07:00:00Z/2026-13-01T08:00:00Z":   "the calendar does not have",
		"2026-12-01T07:00:00Z/2026-12-01T08:00:00Z/3": "is not an instant",
		"lunch": "is not a window",
		"":      "is not a window",
		"/":     "is not a window",
		strings.Repeat("Mon,", 9) + "Mon 08:00-10:00 +00:00 ": "is not a window",
	} {
		if _, err := parseDenial(line, noon); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %v, want it to say %q", line, err, says)
		}
	}
	for line, near := range map[string]string{
		"mon-fri 08:00-10:00 Europe/Berlin": "Mon-Fri 08:00-10:00 Europe/Berlin",
		"Monday 08:00-10:00":                "Mon 08:00-10:00 UTC",
		"08:00-10:00":                       "08:00-10:00 UTC",
	} {
		if got := nearDenial(line); got != near {
			t.Errorf("near %q is %q, want %q", line, got, near)
		}
		if _, err := parseDenial(nearDenial(line), noon); err != nil {
			t.Errorf("near %q: %v", line, err)
		}
	}
}

// The work must fit beside what is denied, and the times must be few enough.
func TestDenialsLeaveRoom(t *testing.T) {
	with := func(shape, when string) string {
		return strings.NewReplacer("power: 300W", "power: 300W"+shape, "completeBy: +10h", when).Replace(six)
	}
	for _, c := range []struct{ name, src, says string }{
		{"no gap is long enough", with("", `completeBy: +10h, windows: {deny: ["15:00-15:30 UTC"]}`), "the longest time that is left is 6h30m"},
		{"all together is too short", with(", interruptible: true", `completeBy: +10h, windows: {deny: ["14:00-18:00 UTC"]}`), "6h are left in all"},
		{"too many times", with("", `completeBy: +300d, windows: {deny: ["03:00-03:10 UTC", "09:00-09:10 UTC"]}`), "at most 366"},
		{"too many lines", with("", `completeBy: +10h, windows: {deny: [`+strings.Repeat(`"09:00-09:10 UTC", `, maxDenials+1)+`]}`), "at most 32"},
		{"a mapping", with("", `completeBy: +10h, windows: {deny: {a: b}}`), "must be a list"},
		{"allow", with("", `completeBy: +10h, windows: {allow: []}`), "deny the other times"},
	} {
		if e := refused(t, c.src); !strings.Contains(Render(e, false), c.says) {
			t.Errorf("%s: %s", c.name, Render(e, false))
		}
	}
	for _, src := range []string{
		with(", interruptible: true", `completeBy: +10h, windows: {deny: ["15:00-15:30 UTC"]}`),
		with("", `completeBy: +10h, windows: {deny: ["12:00-13:00 UTC"]}`),
		with("", `notBefore: +1h, completeBy: +10h, windows: {deny: ["12:00-13:30 UTC"]}`),
	} {
		if _, err := Parse([]byte(src), "x", noon); err != nil {
			t.Error(Render(err, false))
		}
	}
}

// A sealed intent is no more trusted than a file.
func TestDeniedTimesAreChecked(t *testing.T) {
	for name, spans := range map[string][]workload.Span{
		"out of order": denied("4/5", "1/2"), "touching": denied("1/2", "2/3"), "empty": denied("1/1"), "fractions": denied("0.0001/1"),
		"too many": func() (out []workload.Span) {
			for i := range workload.MaxDeny + 1 {
				out = append(out, denied(fmt.Sprintf("%d/%g", i, float64(i)+0.5))...)
			}
			return out
		}(),
	} {
		in := defaults()
		in.When.Deny = spans
		if _, err := Marshal(in); err == nil {
			t.Errorf("%s: written", name)
		}
	}
	in := defaults()
	in.When.Deny = denied("1/2", "4/5")
	b, err := Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	if back, err := Unmarshal(b); err != nil || !reflect.DeepEqual(back, in) {
		t.Errorf("came back as %+v, %v", back, err)
	}
}

func FuzzDenial(f *testing.F) {
	for _, s := range []string{"Mon-Fri 08:00-10:00 Europe/Berlin", "daily 22:00-06:00 +01:00", "Sun,Mon-Wed 00:00-24:00 Z", "2026-12-24T00:00:00Z/2026-12-27T00:00:00Z", "+1h/+2h", "08:00-09:00 US/Pacific"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		d, err := parseDenial(s, noon)
		if err != nil {
			return
		}
		spans := joined(d.in(noon, noon.AddDate(0, 0, 30)))
		for i, x := range spans {
			if !x.Start.Before(x.End) || i > 0 && !spans[i-1].End.Before(x.Start) || x.Start.Nanosecond() != 0 || x.End.Nanosecond() != 0 {
				t.Errorf("%q comes to %v", s, spans)
			}
		}
	})
}
