// Command gen makes the data files of package bundled from public ones, which
// the product itself never reads:
//
//	go run ./internal/signal/bundled/gen -traces DIR [-out DIR]
//
// DIR of -traces holds carbon/ci_hourly_lca_2021_2023.csv. What is done to it is
// told in NOTICE.md beside the results. The same input gives the same bytes.
package main

import (
	"encoding/csv"
	"flag"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// The zones of the trace: ten grids whose days differ. Solar valleys
// (US-CAL-CISO, AU-NSW, ES), wind (GB, DE-LU, US-TEX-ERCO), nuclear and gas
// (CA-ON), water (NO), and two that hardly move (IN-WE, SG).
var traceZones = []string{"AU-NSW", "CA-ON", "DE-LU", "ES", "GB", "IN-WE", "NO", "SG", "US-CAL-CISO", "US-TEX-ERCO"}

// The ten weeks of the trace: Monday to Monday. The climatology is learnt from
// what lies before them, and from nothing else.
var (
	traceFrom  = time.Date(2023, 5, 1, 0, 0, 0, 0, time.UTC)
	traceUntil = time.Date(2023, 7, 10, 0, 0, 0, 0, time.UTC)
)

const stamp = "2006-01-02T15:04Z"

func main() {
	log.SetFlags(0)
	log.SetPrefix("gen: ")
	traces := flag.String("traces", "", "folder with carbon/ci_hourly_lca_2021_2023.csv")
	out := flag.String("out", filepath.Join("internal", "signal", "bundled"), "folder to write to")
	flag.Parse()
	if *traces == "" {
		log.Fatal("say where the data is: -traces DIR")
	}
	hours, err := readHours(filepath.Join(*traces, "carbon", "ci_hourly_lca_2021_2023.csv"))
	if err != nil {
		log.Fatal(err)
	}
	for name, write := range map[string]func() ([][]string, error){
		"trace.csv":       func() ([][]string, error) { return trace(hours) },
		"climatology.csv": func() ([][]string, error) { return climatology(hours) },
	} {
		rows, err := write()
		if err != nil {
			log.Fatalf("make %s: %v", name, err)
		}
		if err := writeCSV(filepath.Join(*out, name), rows); err != nil {
			log.Fatal(err)
		}
	}
}

// hours is a table of hourly values as text, as the source prints them.
type hours struct {
	zones []string
	times []time.Time
	cells [][]string // by time, then zone
}

func readHours(path string) (hours, error) {
	rows, err := readCSV(path)
	if err != nil {
		return hours{}, err
	}
	h := hours{zones: rows[0][1:]}
	for i, row := range rows[1:] {
		t, err := time.Parse(stamp, row[0])
		if err != nil {
			return hours{}, fmt.Errorf("%s:%d: %w", path, i+2, err)
		}
		if n := len(h.times); n > 0 && t.Sub(h.times[n-1]) != time.Hour {
			return hours{}, fmt.Errorf("%s:%d: %s does not follow %s by an hour", path, i+2, row[0], rows[i][0])
		}
		h.times = append(h.times, t)
		h.cells = append(h.cells, row[1:])
	}
	return h, nil
}

func trace(h hours) ([][]string, error) {
	rows := [][]string{append([]string{"time_utc"}, traceZones...)}
	for i, t := range h.times {
		if t.Before(traceFrom) || !t.Before(traceUntil) {
			continue
		}
		row := []string{t.Format(stamp)}
		for _, z := range traceZones {
			k := slices.Index(h.zones, z)
			if k < 0 {
				return nil, fmt.Errorf("the source has no zone %s", z)
			}
			row = append(row, h.cells[i][k])
		}
		rows = append(rows, row)
	}
	return rows, nil
}

func readCSV(path string) ([][]string, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	if len(rows) < 2 {
		return nil, fmt.Errorf("%s is empty", path)
	}
	return rows, nil
}

func writeCSV(path string, rows [][]string) error {
	var b strings.Builder
	w := csv.NewWriter(&b)
	if err := w.WriteAll(rows); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return os.WriteFile(path, []byte(b.String()), 0o644)
}
