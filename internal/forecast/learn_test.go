package forecast

import (
	"bytes"
	"encoding/csv"
	"flag"
	"fmt"
	"go/format"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

var (
	learnFrom = flag.String("learn", "", "a wide CSV of hourly intensities to learn weights.go from")
	learnOnly = flag.String("learn-without", "ES,US-TEX-ERCO,AU-VIC,KR", "zones that are not learnt from")
)

// TestLearn writes weights.go anew if it is given a trace:
//
//	go test ./internal/forecast -run TestLearn -args -learn FILE
//
// It learns from 2021 and 2022 without the second half of 2021, of which the
// forecasts of CarbonCast are measured, and without four zones, so that there
// is something left to measure on.
func TestLearn(t *testing.T) {
	if *learnFrom == "" {
		t.Skip("no trace to learn from")
	}
	file, err := os.Open(*learnFrom)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	rows, err := csv.NewReader(file).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	without := strings.Split(*learnOnly, ",")
	zero := learntWeights
	learntWeights = [leads][signs]float64{} // what is learnt is the whole weight
	defer func() { learntWeights = zero }()
	var sums [leads]gram
	for column := 1; column < len(rows[0]); column++ {
		if slices.Contains(without, rows[0][column]) {
			continue
		}
		var y []float64
		start := time.Date(2021, 1, 1, 0, 0, 0, 0, time.UTC)
		for _, row := range rows[1:] {
			v, err := strconv.ParseFloat(row[column], 64)
			if err != nil {
				v = math.NaN()
			}
			y = append(y, 1000*v)
		}
		const days = Lookback / (24 * time.Hour)
		for end := int(days); end < 2*365; end += 7 {
			if end > 181 && end < 365+int(days) {
				continue
			}
			learnWindow(&sums, y[24*(end-int(days)):24*end], start.AddDate(0, 0, end))
		}
	}
	var out bytes.Buffer
	out.WriteString("package forecast\n\n// learntWeights are the weights of the signs by lead time, as TestLearn wrote them.\nvar learntWeights = [leads][signs]float64{\n")
	for h := range sums {
		w := sums[h].solve(1e-4)
		out.WriteString("{")
		for _, v := range w {
			fmt.Fprintf(&out, "%.3f, ", v)
		}
		out.WriteString("},\n")
	}
	out.WriteString("}\n")
	text, err := format.Source(out.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile("weights.go", text, 0o644); err != nil {
		t.Fatal(err)
	}
}

// learnWindow adds what the last week that can be told of tells.
func learnWindow(sums *[leads]gram, y []float64, at time.Time) {
	b, ok := newBuiltin(y, at, nil)
	if !ok {
		return
	}
	for from := b.last - leads - 7*24; from < b.last-leads; from += 2 {
		s := b.strays(from)
		scale := 1000 / b.all[from] // a zone that strays far counts no more than another
		for lead := range leads {
			var x [signs]float64
			base := b.signs(&s, from, from+lead, &x)
			if r := b.y[from+lead] - base; !math.IsNaN(r) && !math.IsInf(scale, 0) {
				for k := range x {
					x[k] *= scale
				}
				sums[lead].add(&x, r*scale)
			}
		}
	}
}
