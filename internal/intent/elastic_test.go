package intent

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"clusy.io/clusy/internal/workload"
)

func TestElastic(t *testing.T) {
	file := func(elastic string) string {
		return strings.Replace(six, "power: 300W", "power: 300W, elastic: "+elastic, 1)
	}
	want := []workload.Level{{Size: 500, Speed: 550}, {Size: 2000, Speed: 1800}, {Size: 4000, Speed: 3100}}
	for _, src := range []string{
		"{sizes: [0.5, 1, 2, 4], speeds: [0.55, 1, 1.8, 3.1]}",
		"{sizes: [4, 2, 0.5], speeds: [3.1, 1.8, 0.55]}",
		"[{size: 0.5, speed: 0.55}, {size: 2, speed: 1.8}, {size: 4, speed: 3.1}]",
	} {
		in, err := Parse([]byte(file(src)), "e.yaml", noon)
		if err != nil {
			t.Errorf("%s: %v", src, err)
			continue
		}
		if !reflect.DeepEqual(in.Shape.Elastic, want) {
			t.Errorf("%s is %+v", src, in.Shape.Elastic)
		}
		shape, err := Blind(in, noon)
		if err != nil || !reflect.DeepEqual(shape.Elastic, want) || len(shape.Validate(noon)) > 0 {
			t.Errorf("%s leaves as %+v: %v, %v", src, shape.Elastic, err, shape.Validate(noon))
		}
		// The enclave opens the same sizes, and no others.
		key, err := GenerateKey()
		if err != nil {
			t.Fatal(err)
		}
		sealed, err := Seal(in, key.Public())
		if err != nil {
			t.Fatal(err)
		}
		if got, err := Open(sealed, key, shape); err != nil || !reflect.DeepEqual(got.Shape.Elastic, want) {
			t.Errorf("opened as %+v: %v", got.Shape.Elastic, err)
		}
		other := shape
		other.Elastic = []workload.Level{{Size: 500, Speed: 550}, {Size: 2000, Speed: 1900}, {Size: 4000, Speed: 3100}}
		if _, err := Open(sealed, key, other); err == nil {
			t.Error("it opens with other speeds")
		}
	}
	for src, says := range map[string]string{
		"{sizes: [2, 4], speeds: [1.8]}":      "2 sizes and 1 speeds",
		"{sizes: [2]}":                        "1 sizes and 0 speeds",
		"{sizes: [2], speeds: [0.9]}":         "the speed must rise with the size",
		"{sizes: [2, 4], speeds: [1.8, 1.8]}": "size 4 is not faster than size 2",
		"{sizes: [2, 2], speeds: [1.8, 1.9]}": "size 2 is not faster than size 2",
		"{sizes: [1], speeds: [1.1]}":         "has speed 1",
		"{sizes: [1], speeds: [1]}":           "names no size but the declared one",
		"{sizes: [200], speeds: [150]}":       "out of its limits",
		"{sizes: [-2], speeds: [1.5]}":        "is not a number",
		"{sizes: 2, speeds: 1.8}":             "must be a list of numbers",
		"{sizes: [2], speeds: [1.8], up: 3}":  "unknown field",
		"[{size: 2}]":                         "a size and a speed",
		"[2, 4]":                              "must be a mapping",
		"true":                                "must be sizes and speeds",
		"{sizes: [2, 3, 4, 5, 6, 7, 8, 9], speeds: [2, 3, 4, 5, 6, 7, 8, 9]}": "8 sizes beside the declared one",
	} {
		if e := refused(t, file(src)); !strings.Contains(Render(e, false), says) {
			t.Errorf("%s is refused with:\n%s", src, Render(e, false))
		}
	}
}

// Work that fits into its window only at a larger size is not refused.
func TestElasticFitsAtItsLargest(t *testing.T) {
	src := strings.Replace(strings.Replace(six, "power: 300W", "power: 300W, elastic: {sizes: [4], speeds: [3]}", 1), "+10h", "+150m", 1)
	in, err := Parse([]byte(src), "e.yaml", noon) // 6 h and a tenth, at three times the speed: 132 min
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Blind(in, noon); err != nil {
		t.Error(err)
	}
	if _, err := Blind(in, noon.Add(30*time.Minute)); err == nil {
		t.Error("it is too late even at its largest")
	}
	refused(t, strings.Replace(src, "+150m", "+2h", 1))
}
