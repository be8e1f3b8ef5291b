package intent

import (
	"errors"
	"strings"
	"testing"
	"time"

	"clusy.io/clusy/internal/workload"
)

// of is what was learned in these tests: 3 h 10 m and a bit, 4 h 2 m.
func of(asked *int) Lengths {
	return func(class string) (workload.Duration, error) {
		*asked++
		if class != "nightly" {
			return workload.Duration{}, errors.New("nothing is known of " + class)
		}
		return workload.Duration{Expected: 3*time.Hour + 10*time.Minute + time.Millisecond, P95: 4*time.Hour + 2*time.Minute}, nil
	}
}

const learnedFile = `apiVersion: clusy.io/v1
kind: Intent
run: {exec: [a]}
shape: {class: nightly, duration: learned, power: 300W}
when: {completeBy: +10h}
`

func TestLearnedDurations(t *testing.T) {
	filled := workload.Duration{Expected: 3*time.Hour + 10*time.Minute + time.Second, P95: 4*time.Hour + 2*time.Minute, Max: 8*time.Hour + 4*time.Minute}
	with := func(p95, most time.Duration) workload.Duration {
		return workload.Duration{Expected: filled.Expected, P95: p95, Max: most}
	}
	for _, c := range []struct {
		shape string
		want  workload.Duration
		asked int
	}{
		{"class: nightly, duration: learned", filled, 1},
		{"class: nightly", filled, 1},
		{"class: nightly, duration: {max: 5h}", with(filled.P95, 5*time.Hour), 1},
		{"class: nightly, duration: {p95: 6h}", with(6*time.Hour, 12*time.Hour), 1},
		// What is declared counts, and nobody is asked.
		{"class: nightly, duration: 6h", workload.Duration{Expected: 6 * time.Hour, P95: 6 * time.Hour, Max: 12 * time.Hour}, 0},
		{"class: unheard-of, duration: {expected: 2h, p95: 3h}", workload.Duration{Expected: 2 * time.Hour, P95: 3 * time.Hour, Max: 4 * time.Hour}, 0},
		{"duration: 6h", workload.Duration{Expected: 6 * time.Hour, P95: 6 * time.Hour, Max: 12 * time.Hour}, 0},
	} {
		asked := 0
		g, err := ParseLearned([]byte(strings.Replace(learnedFile, "class: nightly, duration: learned", c.shape, 1)), "x", noon, of(&asked))
		if err != nil {
			t.Errorf("%s: %s", c.shape, Render(err, false))
			continue
		}
		in := g.Members[0]
		if in.Shape.Duration != c.want || asked != c.asked {
			t.Errorf("%s: %+v after %d questions, want %+v after %d", c.shape, in.Shape.Duration, asked, c.want, c.asked)
		}
	}
}

// What was filled in is sealed with the intent, so that whoever opens it finds
// the shape that it came with, and asks nobody.
func TestLearnedDurationIsSealed(t *testing.T) {
	asked := 0
	g, err := ParseLearned([]byte(learnedFile), "x", noon, of(&asked))
	if err != nil {
		t.Fatal(err)
	}
	in := g.Members[0].Intent
	key := newKey(t)
	sealed, err := Seal(in, key.Public())
	if err != nil {
		t.Fatal(err)
	}
	shape, err := Blind(in, noon)
	if err != nil {
		t.Fatal(err)
	}
	if shape.Class != "nightly" || shape.Duration.Expected != 3*time.Hour+11*time.Minute {
		t.Errorf("the shape is of %q and takes %s", shape.Class, shape.Duration.Expected)
	}
	got, err := Open(sealed, key, shape)
	if err != nil {
		t.Fatal(err)
	}
	same(t, got, in)
	other := shape
	other.Class = "daily"
	_, err = Open(sealed, key, other)
	wantErrOpen(t, "another class", err)
	other = shape
	other.Duration.P95 += time.Minute
	_, err = Open(sealed, key, other)
	wantErrOpen(t, "another length", err)
}

// What cannot be learned is said once, where it stands, with the way out.
func TestLearnedMistakes(t *testing.T) {
	for shape, want := range map[string]string{
		"class: unheard-of":                                    "x:4:16: shape.class: nothing is known of unheard-of",
		"class: unheard-of, duration: learned":                 "shape.duration: nothing is known of unheard-of",
		"class: unheard-of, duration: {max: 5h}":               "shape.duration: nothing is known of unheard-of",
		"duration: learned":                                    "shape.duration: is to be learned of a class of work, and there is none",
		"class: Nightly Train":                                 "try: nightly-train",
		"class: Nightly Train, duration: 6h":                   "try: nightly-train",
		"class: -x-, duration: learned":                        "try: x",
		"class: [a], duration: learned":                        "is a list",
		"class: \"\"":                                          "is empty",
		"class: nightly, duration: {p95: 2h}":                  "is less than expected",
		"class: nightly, duration: learnt":                     "learnt",
		"class: nightly, duration: {expected: 0s}":             "is no time at all",
		"duration: {p95: 6h}":                                  "the intent does not say how long the work runs",
		"duration: {max: 6h}":                                  "does not say how long",
		"class: " + strings.Repeat("a", 64) + ", duration: 6h": "at most 63",
	} {
		asked := 0
		_, err := ParseLearned([]byte(strings.Replace(learnedFile, "class: nightly, duration: learned", shape, 1)), "x", noon, of(&asked))
		var e *Error
		if !errors.As(err, &e) {
			t.Errorf("%s: taken", shape)
			continue
		}
		if text := Render(err, false); len(e.Violations) != 1 || !strings.Contains(text, want) {
			t.Errorf("%s says\n%s, want one mistake with %q", shape, text, want)
		}
	}
	if _, err := Parse([]byte(learnedFile), "x", noon); err == nil || !strings.Contains(err.Error(), "nobody is asked") {
		t.Errorf("nobody is asked: %v", err)
	}
}

// The schema knows that a class does for a duration, and nothing else does.
func TestSchemaOfLearned(t *testing.T) {
	s := compiled(t)
	for shape, takes := range map[string]bool{
		"class: nightly, duration: learned": true, "class: nightly": true, "class: nightly, duration: {max: 5h}": true, "duration: {expected: 6h}": true,
		"duration: learned": false, "power: 300W": false, "duration: {max: 5h}": false, "class: Nightly": false, "class: -x, duration: 6h": false,
	} {
		src := strings.Replace(learnedFile, "class: nightly, duration: learned, power: 300W", shape, 1)
		if err := fits(t, s, src); (err == nil) != takes {
			t.Errorf("%s: %v, want it taken: %v", shape, err, takes)
		}
	}
}
