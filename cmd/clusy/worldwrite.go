package main

import (
	"bufio"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"clusy.io/clusy/internal/plan/fleet"
	"clusy.io/clusy/internal/plan/fleet/world"
)

// writeWorld writes an instance into a directory, which it makes. What is there
// of another instance is replaced.
func writeWorld(dir string, w *world.World) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("--write %s: %w", dir, err)
	}
	for name, write := range map[string]func(*bufio.Writer){
		metaFile:    func(b *bufio.Writer) { fmt.Fprintf(b, "{\"slot_seconds\": %g}\n", w.Slot.Seconds()) },
		carbonFile:  func(b *bufio.Writer) { writeCarbon(b, w) },
		sitesFile:   func(b *bufio.Writer) { writeSites(b, w) },
		intentsFile: func(b *bufio.Writer) { writeIntents(b, w) },
	} {
		if err := writeFile(filepath.Join(dir, name), write); err != nil {
			return fmt.Errorf("--write %s: %w", dir, err)
		}
	}
	return nil
}

// writeFile writes a whole file; an error of any write is one of the last.
func writeFile(name string, write func(*bufio.Writer)) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	b := bufio.NewWriterSize(f, 1<<16)
	write(b)
	if err := b.Flush(); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}

// exact is a number as text that reads back as the same number; unknown is empty.
func exact(v float64) string {
	if math.IsNaN(v) {
		return ""
	}
	return strconv.FormatFloat(v, 'g', -1, 64)
}

func csvLine(w io.Writer, cells ...string) {
	for i, c := range cells {
		if strings.ContainsAny(c, ",\"\n\r") || strings.TrimSpace(c) != c {
			cells[i] = `"` + strings.ReplaceAll(c, `"`, `""`) + `"`
		}
	}
	fmt.Fprintln(w, strings.Join(cells, ","))
}

func writeCarbon(b *bufio.Writer, w *world.World) {
	csvLine(b, append([]string{"slot"}, w.Zones...)...)
	for t := range w.Slots() {
		row := []string{strconv.Itoa(t)}
		for z := range w.Zones {
			row = append(row, exact(w.Carbon[z][t]))
		}
		csvLine(b, row...)
	}
}

func writeSites(b *bufio.Writer, w *world.World) {
	csvLine(b, "site", "zone", "cpus", "pue")
	for _, s := range w.Sites {
		csvLine(b, s.ID, w.Zones[s.Zone], exact(s.CPUs), exact(s.PUE))
	}
}

func writeIntents(b *bufio.Writer, w *world.World) {
	homes := homesOf(w)
	csvLine(b, "id", "release_slot", "complete_by_slot", "duration_slots", "cpus", "watts", "kind", "zones", "home")
	for j := range w.Intents {
		it := &w.Intents[j]
		kind, home := "rigid", ""
		if it.Pauses {
			kind = "interruptible"
		}
		if it.Home >= 0 {
			home = homes[it.Home]
		}
		var zones []string
		for _, z := range w.Regions[it.Region] {
			zones = append(zones, w.Zones[z])
		}
		csvLine(b, w.ID(j), strconv.Itoa(int(it.Release)), strconv.Itoa(int(it.Due)), strconv.Itoa(int(it.Need)),
			exact(it.CPUs), exact(it.Watts), kind, strings.Join(zones, "|"), home)
	}
}

// homesOf returns how each site is named as a home: by its zone if it is the
// only one there, and no site is called so.
func homesOf(w *world.World) []string {
	sites, ids := make([]int, len(w.Zones)), map[string]bool{}
	for _, s := range w.Sites {
		sites[s.Zone]++
		ids[s.ID] = true
	}
	homes := make([]string, len(w.Sites))
	for i, s := range w.Sites {
		if homes[i] = s.ID; sites[s.Zone] == 1 && !ids[w.Zones[s.Zone]] {
			homes[i] = w.Zones[s.Zone]
		}
	}
	return homes
}

// writePlacements writes a line for each intent that has a place: its id, the
// site, and the slots in which it runs, separated by spaces.
func writePlacements(name string, w *world.World, in *fleet.Instance, s *fleet.Solution) error {
	err := writeFile(name, func(b *bufio.Writer) {
		csvLine(b, "id", "site", "slots")
		var slots []byte
		for j := range in.Jobs {
			runs := s.Of(j)
			if len(runs) == 0 {
				continue
			}
			slots = slots[:0]
			for _, r := range runs {
				for t := r.From; t < r.To; t++ {
					if len(slots) > 0 {
						slots = append(slots, ' ')
					}
					slots = strconv.AppendInt(slots, int64(t), 10)
				}
			}
			csvLine(b, w.ID(j), in.Sites[in.Jobs[j].Ways[runs[0].Way].Site].ID, string(slots))
		}
	})
	if err != nil {
		return fmt.Errorf("--out %s: %w", name, err)
	}
	return nil
}
