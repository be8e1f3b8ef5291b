package grid

import (
	"reflect"
	"strings"
	"testing"
	"time"
)

var midnight = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)

// hourly is a sound series of known values.
func hourly(values ...Intensity) Series {
	return Series{
		Provenance: Provenance{Provider: "test", Zone: "DE-LU", Issued: midnight, Basis: AverageLifecycle, Grade: GradeA},
		Start:      midnight, Step: time.Hour, Values: values,
	}
}

func TestValidate(t *testing.T) {
	for what, c := range map[string]struct {
		spoil func(*Series)
		want  string // part of the error, "" if the series is sound
	}{
		"sound":             {func(*Series) {}, ""},
		"unknown values":    {func(s *Series) { s.Values[1] = Unknown }, ""},
		"zero":              {func(s *Series) { s.Values[1] = 0 }, ""},
		"the maximum":       {func(s *Series) { s.Values[1] = MaxIntensity }, ""},
		"no values":         {func(s *Series) { s.Values = nil }, ""},
		"a band":            {func(s *Series) { s.Low, s.High = []Intensity{1, 2, 3}, []Intensity{1, 2, 4} }, ""},
		"no zone":           {func(s *Series) { s.Zone = "" }, "zone"},
		"zone with a line":  {func(s *Series) { s.Zone = "DE\nLU" }, "zone"},
		"zone with a space": {func(s *Series) { s.Zone = "DE LU" }, "zone"},
		"a long zone":       {func(s *Series) { s.Zone = Zone(strings.Repeat("A", 65)) }, "zone"},
		"no signal":         {func(s *Series) { s.Basis.Signal = "" }, "basis"},
		"no scope":          {func(s *Series) { s.Basis.Scope = "market" }, "basis"},
		"no step":           {func(s *Series) { s.Step = 0 }, "step"},
		"a step of seconds": {func(s *Series) { s.Step = 59 * time.Second }, "step"},
		"a step of days":    {func(s *Series) { s.Step = 25 * time.Hour }, "step"},
		"not issued":        {func(s *Series) { s.Issued = time.Time{} }, "issued"},
		"issued long ago":   {func(s *Series) { s.Issued = time.Date(1969, 1, 1, 0, 0, 0, 0, time.UTC) }, "1969"},
		"no start":          {func(s *Series) { s.Start = time.Time{} }, "starts"},
		"a start in 9999":   {func(s *Series) { s.Start = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC) }, "starts"},
		"runs past 2200":    {func(s *Series) { s.Start = time.Date(2200, 12, 31, 22, 0, 0, 0, time.UTC) }, "steps"},
		"too many steps":    {func(s *Series) { s.Step, s.Values = 24*time.Hour, make([]Intensity, 200_000) }, "steps"},
		"no grade":          {func(s *Series) { s.Grade = "" }, "grade"},
		"grade F":           {func(s *Series) { s.Grade = "F" }, "grade"},
		"grade AA":          {func(s *Series) { s.Grade = "AA" }, "grade"},
		"half a band":       {func(s *Series) { s.Low = []Intensity{1, 2, 3} }, "band"},
		"a short band":      {func(s *Series) { s.Low, s.High = []Intensity{1}, []Intensity{1} }, "band"},
		"band over value":   {func(s *Series) { s.Low, s.High = []Intensity{1, 3, 3}, []Intensity{1, 3, 3} }, "band"},
		"band under value":  {func(s *Series) { s.Low, s.High = []Intensity{1, 1, 3}, []Intensity{1, 1, 3} }, "band"},
		"band below zero":   {func(s *Series) { s.Low, s.High = []Intensity{1, -1, 3}, []Intensity{1, 2, 3} }, "band"},
		"band past maximum": {func(s *Series) { s.Low, s.High = []Intensity{1, 2, 3}, []Intensity{1, 2, MaxIntensity + 1} }, "band"},
		"band of nothing":   {func(s *Series) { s.Values[1] = Unknown; s.Low, s.High = []Intensity{1, 0, 3}, []Intensity{1, 2, 3} }, "band"},
		"band unknown too":  {func(s *Series) { s.Values[1] = Unknown; s.Low, s.High = []Intensity{1, -1, 3}, []Intensity{1, -1, 3} }, ""},
		"below zero":        {func(s *Series) { s.Values[1] = -2 }, "2026-03-01T01:00:00Z"},
		"past the maximum":  {func(s *Series) { s.Values[2] = MaxIntensity + 1 }, "2026-03-01T02:00:00Z"},
	} {
		s := hourly(1, 2, 3)
		c.spoil(&s)
		err := s.Validate()
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: got %v, want %q", what, err, c.want)
		}
	}
}

func TestAt(t *testing.T) {
	s := hourly(100, Unknown, 300)
	for _, c := range []struct {
		after time.Duration
		want  Intensity
		start time.Duration
	}{
		{-1, Unknown, 0},
		{0, 100, 0},
		{time.Hour - 1, 100, 0},
		{time.Hour, Unknown, 0},
		{2 * time.Hour, 300, 2 * time.Hour},
		{3*time.Hour - 1, 300, 2 * time.Hour},
		{3 * time.Hour, Unknown, 0},
	} {
		r, ok := s.At(midnight.Add(c.after))
		if ok != c.want.Known() || ok && (r.Value != c.want || !r.Start.Equal(midnight.Add(c.start)) || r.Step != time.Hour || r.Provider != "test") {
			t.Errorf("after %s: got %v %v", c.after, r, ok)
		}
	}
	if _, ok := (Series{Values: []Intensity{1}}).At(time.Time{}); ok {
		t.Error("a series without a step has values")
	}
	if !s.End().Equal(midnight.Add(3 * time.Hour)) {
		t.Errorf("ends at %s", s.End())
	}
	if Worse(GradeA, GradeC) != GradeC || Worse("", GradeA) != GradeA || Worse(GradeE, GradeB) != GradeE {
		t.Error("the worse of two grades is not the worse")
	}
}

// A digest must change with every field that there is, so that no changed
// input goes unseen. A field that is added later and forgotten fails here.
func TestDigest(t *testing.T) {
	fresh := func() Series {
		s := hourly(1, 2, 3)
		s.Low, s.High = []Intensity{1, 2, 3}, []Intensity{1, 2, 3}
		return s
	}
	want := fresh().Digest()
	if len(want) != 64 || fresh().Digest() != want {
		t.Fatalf("digest %q is not a steady SHA-256", want)
	}
	var fields func(v reflect.Value, path string)
	s := fresh()
	fields = func(v reflect.Value, path string) {
		if at, ok := v.Interface().(time.Time); ok {
			before := at
			v.Set(reflect.ValueOf(at.Add(time.Microsecond)))
			changed(t, s, want, path)
			v.Set(reflect.ValueOf(before))
			return
		}
		switch v.Kind() {
		case reflect.Struct:
			for i := range v.NumField() {
				fields(v.Field(i), path+"."+v.Type().Field(i).Name)
			}
		case reflect.String:
			before := v.String()
			v.SetString(before + "x")
			if path == ".Provenance.Ref" {
				if s.Digest() != want {
					t.Error("the digest depends on Ref, which is the digest")
				}
			} else {
				changed(t, s, want, path)
			}
			v.SetString(before)
		case reflect.Bool:
			v.SetBool(!v.Bool())
			changed(t, s, want, path)
			v.SetBool(!v.Bool())
		case reflect.Int, reflect.Int64:
			v.SetInt(v.Int() + 1)
			changed(t, s, want, path)
			v.SetInt(v.Int() - 1)
		case reflect.Slice:
			for i := range v.Len() {
				fields(v.Index(i), path+"[]")
			}
			before := v.Interface()
			v.Set(reflect.AppendSlice(reflect.ValueOf([]Intensity(nil)), v.Slice(0, v.Len()-1)))
			changed(t, s, want, path+" shorter")
			v.Set(reflect.ValueOf(before))
		default:
			t.Errorf("this test does not know how to change %s", path)
		}
	}
	fields(reflect.ValueOf(&s).Elem(), "")
	if s.Digest() != want {
		t.Error("this test did not put everything back")
	}

	// Values must not run over into the band, nor one text into the next.
	a, b := fresh(), fresh()
	a.Values, a.Low, a.High = []Intensity{1, 2}, []Intensity{3}, nil
	b.Values, b.Low, b.High = []Intensity{1}, []Intensity{2, 3}, nil
	if a.Digest() == b.Digest() {
		t.Error("a value moved into the band is not seen")
	}
	a, b = fresh(), fresh()
	a.Provider, a.Zone = "ab", "c"
	b.Provider, b.Zone = "a", "bc"
	if a.Digest() == b.Digest() {
		t.Error("a letter moved from one name to the next is not seen")
	}
}

func changed(t *testing.T, s Series, before, field string) {
	t.Helper()
	if s.Digest() == before {
		t.Errorf("a change of %s is not seen", field)
	}
}
