package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"clusy.io/clusy"
	"clusy.io/clusy/internal/house"
	"clusy.io/clusy/internal/workload"
)

// equip gives sites the accelerators that --gpu says: a100=8 to each of them,
// berlin:a100=8 to one.
func equip(sites []house.Site, flags []string) error {
	for _, f := range flags {
		what, n, _ := strings.Cut(f, "=")
		id, kind, one := strings.Cut(what, ":")
		if !one {
			id, kind = "", what
		}
		count, err := strconv.ParseInt(n, 10, 64)
		if err != nil || count < 1 || count > workload.MaxGPUs {
			return usage("--gpu %q: want TYPE=COUNT or SITE:TYPE=COUNT, with a count of 1 to %d", f, workload.MaxGPUs)
		}
		if !workload.IsGPUType(kind) {
			return usage("--gpu %q: %q is not a type of accelerator; want small letters, digits and -, at most 32, as a100", f, kind)
		}
		found := false
		for i := range sites {
			s := &sites[i]
			if one && s.ID != id {
				continue
			}
			found = true
			if slices.ContainsFunc(s.GPUs, func(g clusy.GPUs) bool { return g.Type == kind }) {
				return usage("--gpu %q: site %s has %s already", f, s.ID, kind)
			}
			if len(s.GPUs) == workload.MostGPUs {
				return usage("--gpu %q: site %s has %d types already, and there is room for no more", f, s.ID, workload.MostGPUs)
			}
			s.GPUs = append(s.GPUs, clusy.GPUs{Type: kind, Count: count})
		}
		if !found {
			return usage("--gpu %q: there is no site %q; name one of --site, or local", f, id)
		}
	}
	return nil
}

// cards writes accelerators for people: 8 a100, 4 h100.
func cards(gs []clusy.GPUs) string {
	var each []string
	for _, g := range gs {
		each = append(each, fmt.Sprintf("%d %s", g.Count, g.Type))
	}
	if len(each) == 0 {
		return "–"
	}
	return strings.Join(each, ", ")
}

// hardware says for people what kind of hardware a workload is planned on, and
// how many others it could go.
func hardware(w clusy.Workload) string {
	kind := func(cores float64, g *clusy.GPUs) string {
		if g != nil {
			return cards([]clusy.GPUs{*g})
		}
		return fmt.Sprintf("%g cores", cores)
	}
	own := kind(w.Shape.CPUs, w.Shape.GPUs)
	n := len(w.Shape.Alternatives)
	if n == 0 {
		return own
	}
	if w.Plan == nil {
		return fmt.Sprintf("not chosen yet, of %d ways", n+1)
	}
	if way := w.Plan.Way; way > 0 && way <= n {
		h := w.Shape.Alternatives[way-1]
		return fmt.Sprintf("way %d: %s, %g W for %s", way, kind(h.CPUs, h.GPUs), h.Watts, span(seconds(h.Duration.Expected)))
	}
	return "way 0: " + own
}
