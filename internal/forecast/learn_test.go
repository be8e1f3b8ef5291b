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
	weights := learntWeights
	learntWeights = [leads][signs]float64{} // what is learnt is the whole weight
	defer func() { learntWeights = weights }()
	var sums [leads]gram
	var histories []learnt
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
			h := learnt{y[24*(end-int(days)) : 24*end], start.AddDate(0, 0, end)}
			h.learn(&sums)
			histories = append(histories, h)
		}
	}
	for h := range sums {
		for k, v := range sums[h].solve(1e-4) {
			learntWeights[h][k] = math.Round(1000*v) / 1000
		}
	}
	band := learnBand(histories)
	var out bytes.Buffer
	out.WriteString("package forecast\n\n// learntWeights are the weights of the signs by lead time, as TestLearn wrote them.\nvar learntWeights = [leads][signs]float64{\n")
	for _, w := range learntWeights {
		out.WriteString("{")
		for _, v := range w {
			fmt.Fprintf(&out, "%.3f, ", v)
		}
		out.WriteString("},\n")
	}
	out.WriteString("}\n\n// learntBand are the 5th and the 95th percentile of the errors, by their spread,\n// in each bucket of lead times, as TestLearn wrote them.\nvar learntBand = [len(buckets)][2]float64{\n")
	for _, q := range band {
		fmt.Fprintf(&out, "{%.2f, %.2f},\n", q[0], q[1])
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

// learnt is the history before a time.
type learnt struct {
	y  []float64
	at time.Time
}

// learnBand returns the percentiles of the errors that the built-in forecaster
// makes with the weights as they are.
func learnBand(histories []learnt) (band [len(buckets)][2]float64) {
	var all [len(buckets)][]float64
	for _, h := range histories {
		b, ok := newBuiltin(h.y, h.at, nil)
		if !ok {
			continue
		}
		for k, e := range newBlend(b, h.y, nil, h.at, h.at).errors() {
			all[k] = append(all[k], e.off...)
		}
	}
	for k := range all {
		slices.Sort(all[k])
		band[k] = [2]float64{quantile(all[k], 0.05), quantile(all[k], 0.95)}
	}
	return band
}

// learn adds what the last week that can be told of tells.
func (h learnt) learn(sums *[leads]gram) {
	b, ok := newBuiltin(h.y, h.at, nil)
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
