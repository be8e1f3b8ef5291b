package bundled_test

import (
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"clusy.io/clusy/internal/forecast"
	"clusy.io/clusy/internal/grid"
	"clusy.io/clusy/internal/signal"
	"clusy.io/clusy/internal/signal/bundled"
	"clusy.io/clusy/internal/signal/signaltest"
	"clusy.io/clusy/internal/signal/tables"
)

func TestContract(t *testing.T) {
	from := time.Date(2023, 5, 10, 0, 0, 0, 0, time.UTC)
	signaltest.Test(t, signaltest.Window{Zone: "GB", From: from, To: from.Add(72 * time.Hour)}, func(t *testing.T) signal.Provider {
		p, err := bundled.Provider()
		if err != nil {
			t.Fatal(err)
		}
		return p
	})
}

func TestTrace(t *testing.T) {
	trace, err := bundled.Trace()
	if err != nil {
		t.Fatal(err)
	}
	if len(trace) < 8 {
		t.Errorf("%d zones, want 8 or more", len(trace))
	}
	varied := 0
	for zone, s := range trace {
		if err := s.Validate(); err != nil {
			t.Error(err)
		}
		if s.Zone != zone || s.Provider != bundled.TraceProvider || s.Basis != grid.AverageLifecycle || s.Step != time.Hour || !s.Issued.Equal(s.End()) {
			t.Errorf("%s: %+v, step %s", zone, s.Provenance, s.Step)
		}
		if s.Estimated != (zone == "IN-WE") || s.Estimated && s.Grade != grid.GradeB || !s.Estimated && s.Grade != grid.GradeA {
			t.Errorf("%s: estimated %v, grade %s", zone, s.Estimated, s.Grade)
		}
		if s.End().Sub(s.Start) < 8*7*24*time.Hour || s.Start.Weekday() != time.Monday {
			t.Errorf("%s: from %s to %s, want 8 weeks or more from a Monday", zone, s.Start, s.End())
		}
		low, high := slices.Min(s.Values), slices.Max(s.Values)
		if low < 5_000 || high > 1_000_000 {
			t.Errorf("%s: from %d to %d, which includes a gap or what no grid has", zone, low, high)
		}
		if high > 2*low {
			varied++
		}
	}
	if varied < 6 {
		t.Errorf("%d zones vary twofold, want 6 or more to try shifting on", varied)
	}
}

func TestClimatology(t *testing.T) {
	clim, err := bundled.Climatology()
	if err != nil {
		t.Fatal(err)
	}
	trace, err := bundled.Trace()
	if err != nil {
		t.Fatal(err)
	}
	if clim.Basis != grid.AverageLifecycle {
		t.Errorf("basis %s", clim.Basis)
	}
	if len(clim.Zones) != 22 {
		t.Errorf("%d zones, want all 19 of the source and the three that stand behind an alias", len(clim.Zones))
	}
	for alias, of := range map[grid.Zone]grid.Zone{"DE-LU": "DE", "BR-SP": "BR-CS", "CL-SIC": "CL-SEN"} {
		if clim.Zones[of] == nil || clim.Zones[of] != clim.Zones[alias] {
			t.Errorf("%s does not stand in for %s", alias, of)
		}
	}
	for zone, s := range trace {
		if clim.Until.IsZero() || clim.Until.After(s.Start) {
			t.Errorf("%s: learnt until %s, the trace begins at %s", zone, clim.Until, s.Start)
		}
		if clim.Zones[zone] == nil {
			t.Errorf("no climatology of %s", zone)
		}
	}
	for zone, n := range clim.Zones {
		for m := range 12 {
			for h := range forecast.HoursOfWeek {
				if mean, spread := n.Mean[m][h], n.Spread[m][h]; mean < 5_000 || mean > 1_000_000 || spread <= 0 || spread > 2*mean {
					t.Fatalf("%s, month %d, hour %d: %d ± %d", zone, m+1, h, mean, spread)
				}
			}
		}
		year := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
		for h := range 366 * 24 {
			if _, _, ok := clim.At(zone, year.Add(time.Duration(h)*time.Hour)); !ok {
				t.Fatalf("%s has no value in hour %d of the year", zone, h)
			}
		}
	}
	// Noon in California is clean in May, and 8 in the evening is not: the
	// hours are where they belong (UTC).
	noon, _, _ := clim.At("US-CAL-CISO", time.Date(2026, 5, 13, 20, 0, 0, 0, time.UTC))
	night, _, _ := clim.At("US-CAL-CISO", time.Date(2026, 5, 14, 4, 0, 0, 0, time.UTC))
	if 3*noon > 2*night {
		t.Errorf("California at noon %s, at night %s", noon, night)
	}
}

// An operator's zone that is an alias has the climatology of what it stands for.
func TestClimatologyOfAnAlias(t *testing.T) {
	all, err := tables.Load(fstest.MapFS{"zones.csv": {Data: []byte("zone,name,country,alias_of\nXX-ME,Mine,XX,GB\n")}})
	if err != nil {
		t.Fatal(err)
	}
	clim, err := bundled.ClimatologyOf(all)
	if err != nil || clim.Zones["XX-ME"] == nil || clim.Zones["XX-ME"] != clim.Zones["GB"] {
		t.Errorf("no climatology: %v", err)
	}
}

func TestAnnual(t *testing.T) {
	means, err := bundled.Annual()
	if err != nil {
		t.Fatal(err)
	}
	if len(means) != 355 {
		t.Errorf("%d zones, want 355", len(means))
	}
	if !slices.IsSortedFunc(means, func(a, b signal.AnnualMean) int { return strings.Compare(string(a.Zone), string(b.Zone)) }) {
		t.Error("the zones are not sorted")
	}
	seen := map[grid.Zone]signal.AnnualMean{}
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, m := range means {
		if _, twice := seen[m.Zone]; twice || m.Name == "" || m.Year != 2025 || m.Basis != grid.AverageLifecycle {
			t.Errorf("%+v (twice: %v)", m, twice)
		}
		seen[m.Zone] = m
		s, ok := forecast.Annual(m.Zone, m.Mean, m.Basis, now, time.Hour, 1, now)
		if !ok || s.Validate() != nil || m.Mean <= 0 {
			t.Errorf("%+v cannot be a forecast: %v", m, s.Validate())
		}
	}
	if m := seen["DE-LU"]; m.Of != "DE" || m.Mean != seen["DE"].Mean || m.Name != "Germany and Luxembourg" {
		t.Errorf("Germany with Luxembourg is %+v", m)
	}
	if m := seen["PL"]; m.Of != "PL" || m.Mean != 565_000 || m.Name != "Poland" {
		t.Errorf("Poland is %+v", m)
	}
}

func TestNotice(t *testing.T) {
	for _, want := range []string{"Electricity Maps", "Open Database License", "trace.csv", "climatology.csv", "../tables/NOTICE.md", "share"} {
		if want == "share" {
			want = "under the ODbL too" // share-alike, in words
		}
		if !strings.Contains(bundled.Notice(), want) {
			t.Errorf("the notice does not say %q", want)
		}
	}
}
