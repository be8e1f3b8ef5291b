package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"clusy.io/clusy/internal/plan/fleet"
)

// certificateFormat names the form of a certificate. It changes when what it
// says does.
const certificateFormat = "clusy plan certificate 1"

// certificate is what anyone needs beside the instance to see how near a plan
// is to the best there can be. Prices are grams of CO2 equivalent for a unit of
// a thing through a slot; the bound follows from them.
type certificate struct {
	Format   string            `json:"format"`
	Inputs   map[string]string `json:"inputs"` // SHA-256 of each file of the instance
	Bound    float64           `json:"bound"`
	Cost     float64           `json:"cost"`
	Missing  float64           `json:"missing"`
	Unplaced int               `json:"unplaced"`
	Gap      float64           `json:"gap"`
	Prices   []thingPrices     `json:"prices"`
}

// thingPrices are what a thing costs at a site, slot by slot.
type thingPrices struct {
	Thing  string    `json:"thing"`
	Site   string    `json:"site"`
	Prices []float64 `json:"prices"`
}

// follows reports whether a bound that somebody states is proven by the one
// that was derived: it is no higher, but for how sums of the same numbers in
// another order differ.
func follows(stated, derived float64) bool {
	return stated <= derived+1e-9*math.Max(1, math.Abs(derived))
}

func writeCertificate(name, dir string, in *fleet.Instance, s *fleet.Solution, bound float64) error {
	c := certificate{Format: certificateFormat, Inputs: map[string]string{}, Bound: min(s.Bound, bound), Cost: s.Cost, Missing: s.Missing, Unplaced: s.Unplaced}
	c.Gap = gapOf(c)
	for _, f := range []string{metaFile, carbonFile, sitesFile, intentsFile} {
		digest, err := readHashed(filepath.Join(dir, f), func(io.Reader) error { return nil })
		if err != nil {
			return fmt.Errorf("--certificate %s: %w", name, err)
		}
		c.Inputs[f] = digest
	}
	for r, thing := range in.Things {
		for i, site := range in.Sites {
			c.Prices = append(c.Prices, thingPrices{thing, site.ID, s.Prices[r][i*in.Slots():][:in.Slots()]})
		}
	}
	b, err := json.Marshal(c)
	if err == nil {
		err = os.WriteFile(name, append(b, '\n'), 0o644)
	}
	if err != nil {
		return fmt.Errorf("--certificate %s: %w", name, err)
	}
	return nil
}

func gapOf(c certificate) float64 {
	s := fleet.Solution{Cost: c.Cost, Missing: c.Missing, Bound: c.Bound}
	return s.Gap()
}

const mostCertificateBytes = 1 << 30

// readCertificate reads the form, and nothing of it is believed yet.
func readCertificate(name string) (c certificate, err error) {
	f, err := os.Open(name)
	if err != nil {
		return c, usage("--certificate: %w", err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, mostCertificateBytes+1))
	if err != nil {
		return c, usage("--certificate: %w", err)
	}
	if len(b) > mostCertificateBytes {
		return c, usage("--certificate %s: it has more than %d bytes", name, mostCertificateBytes)
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(&c); err != nil {
		return c, usage("--certificate %s: %w; it is what clusy bench plan --certificate writes", name, err)
	}
	if c.Format != certificateFormat {
		return c, usage("--certificate %s: its format is %s, want %q", name, shorten(c.Format), certificateFormat)
	}
	return c, nil
}

// pricesFor returns the prices of a certificate as in has its cells. There is a
// list for every thing at every site, and no price is below zero.
func (c *certificate) pricesFor(in *fleet.Instance) (fleet.Prices, error) {
	p := make(fleet.Prices, len(in.Things))
	at := map[[2]string][]float64{}
	for r, thing := range in.Things {
		p[r] = make([]float64, in.Cells())
		for i, site := range in.Sites {
			at[[2]string{thing, site.ID}] = p[r][i*in.Slots():][:in.Slots()]
		}
	}
	for _, t := range c.Prices {
		key := [2]string{t.Thing, t.Site}
		row, ok := at[key]
		if !ok {
			return nil, fmt.Errorf("it has prices of %s at %s, twice or where there is none", shorten(t.Thing), shorten(t.Site))
		}
		if len(t.Prices) != len(row) {
			return nil, fmt.Errorf("it has %d prices of %s at %s, and there are %d slots", len(t.Prices), shorten(t.Thing), shorten(t.Site), len(row))
		}
		for s, v := range t.Prices {
			if !(v >= 0) || math.IsInf(v, 0) {
				return nil, fmt.Errorf("the price of %s at %s in slot %d is %v; none is below 0", shorten(t.Thing), shorten(t.Site), s, v)
			}
		}
		copy(row, t.Prices)
		delete(at, key)
	}
	for key := range at {
		return nil, fmt.Errorf("it has no prices of %s at %s", shorten(key[0]), shorten(key[1]))
	}
	return p, nil
}

// readPlacements reads the placements of an instance's intents: id, site and
// slots, which are numbers or stretches as 5-7, with spaces between them.
func readPlacements(name string, d worldDir, in *fleet.Instance) (s fleet.Solution, err error) {
	f, err := os.Open(name)
	if err != nil {
		return s, usage("--placements: %w", err)
	}
	defer f.Close()
	fault := func(err error) error { return usage("--placements %s: %w", name, err) }
	t, err := openRows(io.LimitReader(f, mostWorldBytes))
	if err == nil {
		err = t.want("id", "site", "slots")
	}
	if err != nil {
		return s, fault(err)
	}
	jobs, sites := map[string]int{}, map[string]int32{}
	for j := range in.Jobs {
		jobs[d.ID(j)] = j
	}
	for i := range in.Sites {
		sites[in.Sites[i].ID] = int32(i)
	}
	runs := make([][]fleet.Run, len(in.Jobs))
	for {
		ok, err := t.next()
		if err != nil {
			return s, fault(err)
		}
		if !ok {
			break
		}
		j, ok := jobs[t.text("id")]
		switch {
		case !ok:
			return s, fault(t.fault("id", "%s is no intent of %s", shorten(t.text("id")), intentsFile))
		case runs[j] != nil:
			return s, fault(t.fault("id", "%s is there twice", shorten(t.text("id"))))
		}
		site, ok := sites[t.text("site")]
		if !ok {
			return s, fault(t.fault("site", "%s is no site of %s", shorten(t.text("site")), sitesFile))
		}
		way := wayAt(&in.Jobs[j], site)
		if way < 0 {
			return s, fault(t.fault("site", "%s is in none of the zones of %s", shorten(t.text("site")), shorten(t.text("id"))))
		}
		if runs[j], err = slotRuns(t.text("slots"), way, in.Slots()); err != nil {
			return s, fault(t.fault("slots", "%v", err))
		}
	}
	s.First = make([]uint32, 1, len(runs)+1)
	for _, r := range runs {
		s.Runs = append(s.Runs, r...)
		s.First = append(s.First, uint32(len(s.Runs)))
	}
	return s, nil
}

func wayAt(job *fleet.Job, site int32) int16 {
	for w := range job.Ways {
		if job.Ways[w].Site == site {
			return int16(w)
		}
	}
	return -1
}

// slotRuns reads slots as "5 6 7" or "5-7 9", rising.
func slotRuns(text string, way int16, slots int) (runs []fleet.Run, err error) {
	last := -1
	for word := range strings.FieldsSeq(text) {
		from, to, stretch := strings.Cut(word, "-")
		if !stretch {
			to = from
		}
		var a, b int
		if a, err = slotOf(from, slots); err == nil {
			b, err = slotOf(to, slots)
		}
		switch {
		case err != nil:
			return nil, err
		case a <= last || b < a:
			return nil, fmt.Errorf("%s comes after slot %d: give each slot once, rising", shorten(word), last)
		}
		if n := len(runs); n > 0 && int(runs[n-1].To) == a {
			runs[n-1].To = int32(b + 1)
		} else {
			runs = append(runs, fleet.Run{From: int32(a), To: int32(b + 1), Way: way})
		}
		last = b
	}
	if runs == nil {
		return nil, errors.New("it is empty; leave out intents that have no place")
	}
	return runs, nil
}

func slotOf(word string, slots int) (int, error) {
	v, err := strconv.Atoi(word)
	if err != nil || v < 0 || v >= slots {
		return 0, fmt.Errorf("%s is no slot of 0 to %d", shorten(word), slots-1)
	}
	return v, nil
}
