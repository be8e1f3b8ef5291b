package plan

import (
	"math/rand/v2"
	"testing"
	"time"

	"clusy.io/clusy/internal/grid"
)

// A mean of what is summed up is what the outlook says, to the last digit, over
// any stretch: with gaps, grades that change, and series that begin in between.
func TestAirIsTheOutlook(t *testing.T) {
	known := 0
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 31))
		var o grid.Outlooks
		for range 1 + r.IntN(3) {
			step := time.Duration(1+r.IntN(5)) * 7 * time.Minute
			sr := grid.Series{Start: midnight.Add(time.Duration(r.IntN(400)-200) * time.Minute), Step: step, Provenance: grid.Provenance{Provider: "p", Zone: "Z", Issued: midnight,
				Basis: grid.AverageLifecycle, Grade: grid.Grade("ABCDE"[r.IntN(5):][:1])}}
			for range 1 + r.IntN(20) {
				v := grid.Intensity(r.IntN(900_000))
				if r.IntN(8) == 0 {
					v = grid.Unknown
				}
				sr.Values = append(sr.Values, v)
			}
			o = told(o, sr)
		}
		of := o.Of("Z")
		a := newAir(of, midnight, 12*time.Hour)
		for range 50 {
			from := time.Duration(r.Int64N(int64(11 * time.Hour)))
			to := from + 1 + time.Duration(r.Int64N(int64(12*time.Hour-from)))
			mean, grade, ok, drawn := a.mean(from, to)
			want, worst, is := of.Mean(midnight.Add(from), midnight.Add(to))
			if !drawn || ok != is || ok && (mean != want || grade != worst) {
				t.Fatalf("seed %d: %s to %s is %v %q %v %v, the outlook says %v %q %v", seed, from, to, mean, grade, ok, drawn, want, worst, is)
			}
			if ok {
				known++
			}
		}
		if _, _, _, drawn := a.mean(11*time.Hour, 13*time.Hour); drawn {
			t.Fatal("it says something of a time that it was not drawn for")
		}
	}
	if known < 500 {
		t.Fatalf("only %d stretches were known", known)
	}
}
