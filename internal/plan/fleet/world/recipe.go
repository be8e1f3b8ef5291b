package world

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

// Recipe says what world is to be made up. The same recipe gives the same
// world, everywhere.
type Recipe struct {
	Seed    uint64
	Intents int
	Slot    time.Duration
	Zones   []string
	Carbon  [][]float64 // by zone and slot, g/kWh; NaN is unknown
	// SitesPerZone sites share a zone's room.
	SitesPerZone int
	PUE          []float64 // of the sites, in turn
	// Utilisation is what the intents ask for, in cpu-slots, as a share of what
	// there is. All zones have the same room.
	Utilisation float64
	Jobs        Jobs
	Slack       Slack
	Rigid       float64 // share of the intents that may not pause
	Movable     float64 // share that may run in any zone; the others stay at home
	Watts       float64 // of a cpu
}

// Slack is how much later than at once an intent may be complete.
type Slack struct {
	Share float64 // of its own length
	Fixed time.Duration
	Queue bool // two queues instead: what takes up to 2 h waits 6 h, the rest 24 h
}

// Of returns the slack of work that takes so long.
func (s Slack) Of(length time.Duration) time.Duration {
	switch {
	case s.Queue && length <= 2*time.Hour:
		return 6 * time.Hour
	case s.Queue:
		return 24 * time.Hour
	}
	return time.Duration(s.Share*float64(length)) + s.Fixed
}

// String returns the slack as ParseSlack reads it.
func (s Slack) String() string {
	if s.Queue {
		return "gaia"
	}
	fixed := s.Fixed.String()
	for _, none := range []string{"m0s", "h0m"} { // 12h0m0s is 12h
		if strings.HasSuffix(fixed, none) {
			fixed = fixed[:len(fixed)-2]
		}
	}
	return fmt.Sprintf("%gx+%s", s.Share, fixed)
}

// Validate returns the first thing in r that no world can be made of.
func (r *Recipe) Validate() error {
	switch {
	case r.Intents < 1:
		return fmt.Errorf("%d intents: give 1 or more", r.Intents)
	case r.Slot < time.Minute || r.Slot > 24*time.Hour:
		return fmt.Errorf("slots of %s: give 1m to 24h", r.Slot)
	case len(r.Zones) == 0 || len(r.Carbon) != len(r.Zones) || len(r.Carbon[0]) < 2:
		return fmt.Errorf("%d zones, carbon of %d: give at least one zone and two slots", len(r.Zones), len(r.Carbon))
	case r.SitesPerZone < 1 || r.SitesPerZone > 1000:
		return fmt.Errorf("%d sites a zone: give 1 to 1000", r.SitesPerZone)
	case !(r.Utilisation > 0 && r.Utilisation <= 1):
		return fmt.Errorf("utilisation %v: give more than 0 and up to 1", r.Utilisation)
	case !(r.Rigid >= 0 && r.Rigid <= 1 && r.Movable >= 0 && r.Movable <= 1):
		return fmt.Errorf("shares %v rigid and %v movable: give 0 to 1", r.Rigid, r.Movable)
	case !(r.Watts >= 0 && r.Watts <= 1e6):
		return fmt.Errorf("%v watts a cpu: give 0 to 1e6", r.Watts)
	case !(r.Slack.Share >= 0 && r.Slack.Share <= 1000) || r.Slack.Fixed < 0:
		return fmt.Errorf("slack %s: give 0x to 1000x and 0h or more", r.Slack)
	case r.Jobs == nil:
		return fmt.Errorf("no jobs: give their shapes")
	case len(r.PUE) == 0:
		return fmt.Errorf("no PUE: give that of the sites, 1 or more")
	}
	for _, p := range r.PUE {
		if !(p >= 1 && p <= 10) {
			return fmt.Errorf("PUE %v: give 1 to 10", p)
		}
	}
	for z := range r.Carbon {
		if len(r.Carbon[z]) != len(r.Carbon[0]) {
			return fmt.Errorf("carbon of %s has %d slots, that of %s %d: give all the same", r.Zones[z], len(r.Carbon[z]), r.Zones[0], len(r.Carbon[0]))
		}
	}
	return nil
}

// Make makes the world of r. A job's arrival is folded onto the slots there are,
// and so is the job: what would run on beyond the last slot if it began at once
// is an intent of its own, which is there when the first slot begins. So there
// is as much to do at all times. A job takes half of the slots at most, and a
// tenth of a site. Its home is drawn among the sites.
func (r *Recipe) Make() (*World, error) {
	if err := r.Validate(); err != nil {
		return nil, err
	}
	w := &World{Slot: r.Slot, Zones: r.Zones, Carbon: r.Carbon, Intents: make([]Intent, 0, r.Intents+1), Regions: [][]int32{nil}}
	for z := range r.Zones {
		w.Regions = append(w.Regions, []int32{int32(z)})
	}
	draw := rand.New(rand.NewPCG(r.Seed, 0xf1ee7))
	slots := int32(w.Slots())
	for len(w.Intents) < r.Intents {
		w.Intents = r.draw(w.Intents, draw, slots)
	}
	w.Intents = w.Intents[:r.Intents]
	room := r.room(w.Intents, int(slots))
	for z, name := range r.Zones {
		for n := range r.SitesPerZone {
			id := strings.ToLower(name)
			if n > 0 {
				id = fmt.Sprintf("%s-%d", id, n+1)
			}
			w.Sites = append(w.Sites, Site{ID: id, Zone: int32(z), CPUs: room, PUE: r.PUE[len(w.Sites)%len(r.PUE)]})
		}
	}
	return w, nil
}

// draw appends a job: one intent, or two if it is folded. All draws of one are
// made whatever the recipe says, so that another slack leaves the jobs as they
// are.
func (r *Recipe) draw(to []Intent, draw *rand.Rand, slots int32) []Intent {
	job := r.Jobs.Draw(draw)
	home := int32(draw.IntN(len(r.Zones) * r.SitesPerZone))
	it := Intent{Home: home, Region: 1 + home/int32(r.SitesPerZone), CPUs: job.CPUs, Watts: job.CPUs * r.Watts, Pauses: draw.Float64() >= r.Rigid}
	if draw.Float64() < r.Movable {
		it.Region = 0
	}
	hours := r.Slot.Hours()
	it.Need = int32(min(max(1, math.Ceil(job.Hours/hours-1e-9)), float64(max(1, slots/2))))
	it.Release = int32(math.Mod(math.Floor(job.Arrival/hours), float64(slots)))
	slack := math.Floor(float64(r.Slack.Of(time.Duration(it.Need)*r.Slot)) / float64(r.Slot))
	due := func(it Intent) int32 { return int32(min(float64(slots), float64(it.Release+it.Need)+slack)) }
	if beyond := it.Release + it.Need - slots; beyond > 0 {
		rest := it
		it.Need -= beyond
		rest.Release, rest.Need = 0, beyond
		rest.Due = due(rest)
		to = append(to, rest)
	}
	it.Due = due(it)
	return append(to, it)
}

// room returns how many cpus a site has, and makes what is larger than a tenth
// of that smaller, as often as it takes.
func (r *Recipe) room(intents []Intent, slots int) float64 {
	sites := float64(len(r.Zones) * r.SitesPerZone)
	for {
		asked, largest := 0.0, 0.0
		for i := range intents {
			asked += intents[i].CPUs * float64(intents[i].Need)
			largest = max(largest, intents[i].CPUs)
		}
		room := max(largest, math.Ceil(asked/(r.Utilisation*float64(slots)*sites)))
		most := max(1, math.Floor(room/10))
		if largest <= most {
			return room
		}
		for i := range intents {
			if it := &intents[i]; it.CPUs > most {
				it.CPUs, it.Watts = most, most*r.Watts
			}
		}
	}
}

// Disturb returns carbon as another forecast might have it: each value is
// multiplied by e to an error of so much standard deviation, which is like that
// of the slot before by 0.9. What is unknown stays so.
func Disturb(carbon [][]float64, seed uint64, deviation float64) [][]float64 {
	const like = 0.9
	draw := rand.New(rand.NewPCG(seed, 0xa4))
	out := make([][]float64, len(carbon))
	for z, row := range carbon {
		out[z] = slices.Clone(row)
		e := deviation * draw.NormFloat64()
		for t := range row {
			out[z][t] *= math.Exp(e)
			e = like*e + math.Sqrt(1-like*like)*deviation*draw.NormFloat64()
		}
	}
	return out
}
