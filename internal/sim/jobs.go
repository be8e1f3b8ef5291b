package sim

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"clusy.io/clusy/internal/grid"
	worlds "clusy.io/clusy/internal/plan/fleet/world"
	"clusy.io/clusy/internal/signal/bundled"
)

// Week says what work is to be made up.
type Week struct {
	Seed    uint64
	Start   time.Time
	Days    int
	Jobs    int
	Zones   []grid.Zone // a site in each
	Kind    string      // of worlds.Tails
	Use     float64     // share of the cpus that is asked for
	Slack   worlds.Slack
	Movable float64 // share of the jobs that may run at any site
	Pauses  float64 // share that may be suspended
	Failing float64 // share that ends with an exit code
	Watts   float64 // of a busy cpu
	PUE     float64
	// Shorter is by how much a job may be shorter than its owner says, as a share.
	Shorter float64
}

// DefaultWeek is a week of batch jobs in three zones.
func DefaultWeek(seed uint64) Week {
	return Week{Seed: seed, Start: time.Date(2023, 6, 12, 0, 0, 0, 0, time.UTC), Days: 7, Jobs: 300, Zones: []grid.Zone{"DE-LU", "ES", "GB"}, Kind: "azure",
		Use: .6, Slack: worlds.Slack{Queue: true}, Movable: .5, Pauses: .5, Failing: .02, Watts: 4, PUE: 1.2, Shorter: .3}
}

// Config makes a world of a week, with the jobs of its seed and what came to
// pass in its zones.
func (w Week) Config(came map[grid.Zone]grid.Series) (Config, error) {
	kind, ok := worlds.Tails[w.Kind]
	if !ok {
		return Config{}, fmt.Errorf("work of kind %q: give one of %s", w.Kind, worlds.TailNames())
	}
	const slot = 5 * time.Minute
	recipe := &worlds.Recipe{Seed: w.Seed, Intents: w.Jobs, Slot: slot, SitesPerZone: 1, PUE: []float64{w.PUE}, Utilisation: w.Use, Jobs: kind, Slack: w.Slack,
		Rigid: 1 - w.Pauses, Movable: w.Movable, Watts: w.Watts}
	for _, z := range w.Zones {
		recipe.Zones = append(recipe.Zones, string(z))
		recipe.Carbon = append(recipe.Carbon, make([]float64, w.Days*int(24*time.Hour/slot)))
	}
	made, err := recipe.Make()
	if err != nil {
		return Config{}, err
	}
	cfg := Config{Seed: w.Seed, Start: w.Start, Grid: came}
	for _, s := range made.Sites {
		cfg.Sites = append(cfg.Sites, Site{ID: s.ID, Zone: w.Zones[s.Zone], CPUs: s.CPUs, PUE: s.PUE})
	}
	draw := rand.New(rand.NewPCG(w.Seed, 0x10b5))
	for i, it := range made.Intents {
		// It arrives within its slot, and takes no longer than it says.
		late := time.Duration(draw.Int64N(int64(slot))).Truncate(time.Millisecond)
		said := time.Duration(it.Need) * slot
		j := Job{ID: fmt.Sprintf("job-%d", i), Arrive: w.Start.Add(time.Duration(it.Release)*slot + late), Declared: said,
			Length: max(time.Second, (said - time.Duration(w.Shorter*draw.Float64()*float64(said)))).Truncate(time.Millisecond),
			CPUs:   it.CPUs, Watts: it.Watts, Pauses: it.Pauses, Home: int(it.Home), Movable: it.Region == 0}
		// A tenth is kept free beyond what is said, and a moment to begin in.
		j.Window = said + said/10 + 5*time.Minute + w.Slack.Of(said)
		if draw.Float64() < w.Failing {
			j.Exit = 1 + draw.IntN(3)
		}
		cfg.Jobs = append(cfg.Jobs, j)
	}
	slices.SortStableFunc(cfg.Jobs, func(a, b Job) int { return a.Arrive.Compare(b.Arrive) })
	return cfg, nil
}

// Came returns what came to pass in the bundled weeks.
func Came() (map[grid.Zone]grid.Series, error) { return bundled.Trace() }

// validate returns the first thing that no simulation can be made of.
func (c *Config) validate() error {
	if len(c.Sites) == 0 || len(c.Jobs) == 0 {
		return errors.New("a simulation needs a site and a job")
	}
	ids := map[string]bool{}
	for _, s := range c.Sites {
		if _, ok := c.Grid[s.Zone]; !ok {
			return fmt.Errorf("site %s is in zone %s, of which nothing is known", s.ID, s.Zone)
		}
		if ids[s.ID] || s.ID == "" {
			return fmt.Errorf("site %q is there twice, or has no name", s.ID)
		}
		ids[s.ID] = true
	}
	for _, j := range c.Jobs {
		switch {
		case j.Home < 0 || j.Home >= len(c.Sites):
			return fmt.Errorf("job %s is at home at site %d, and there are %d", j.ID, j.Home, len(c.Sites))
		case j.Arrive.Before(c.Start):
			return fmt.Errorf("job %s arrives at %s, before the beginning", j.ID, j.Arrive.Format(time.RFC3339))
		case j.Length <= 0 || j.Declared <= 0 || j.Window < j.Declared:
			return fmt.Errorf("job %s takes %s, is said to take %s, and must be complete within %s", j.ID, j.Length, j.Declared, j.Window)
		}
	}
	for _, t := range c.Faults.Trials {
		if t.Site >= len(c.Sites) || t.To.Before(t.From) {
			return fmt.Errorf("a fault %s at site %d from %s to %s cannot be", t.Kind, t.Site, t.From.Format(time.RFC3339), t.To.Format(time.RFC3339))
		}
	}
	return nil
}
