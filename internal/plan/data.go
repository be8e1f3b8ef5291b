package plan

import (
	"fmt"
	"time"

	"clusy.io/clusy/internal/grid"
	"clusy.io/clusy/internal/plan/fleet"
	"clusy.io/clusy/internal/workload"
)

// Data that lies elsewhere must be where the work runs before it begins. The
// network draws energy for it, at the intensity of the destination when the run
// begins; it takes time, in which the work takes nothing of its site; and what
// the home of the data asks for letting it go is not known, so that neither is
// the cost. Once the work has begun its data is there.

// haul is what it takes to bring the data of a task to a place.
type haul struct {
	energy grid.Energy
	time   time.Duration
}

// haul returns what it takes to bring the data of t to p; ok is false if
// nothing must be brought.
func (t *task) haul(p *place) (h haul, ok bool) {
	d := t.Shape.Data
	if !t.fetches || d.Home == p.ID || d.Home == string(p.Zone) {
		return h, false
	}
	mib := min(d.MiB, workload.MaxData)
	return haul{workload.TransferEnergy(mib), d.TransferTime()}, true
}

// fetching reports whether t has data that is not everywhere, and has not begun.
func fetching(it Item) bool {
	return it.Shape.Data.Home != "" && it.Shape.Data.MiB > 0 && !it.Running && it.Done <= 0 && it.Suspensions <= 0
}

// there returns t as it is at a site: there it may begin when its data has come.
// Where it is promised a start, its data is on the way.
func (f *frame) there(t *task, site int) *task {
	h, ok := t.haul(f.places[site])
	if !ok {
		return t
	}
	first := f.slotsIn(h.time)
	if begin := f.promisedStart(t); site == t.own && begin >= 0 {
		first = min(first, f.slotsIn(begin))
	}
	if first <= t.first {
		return t
	}
	v := *t
	v.first = first
	return &v
}

// promisedStart is when the placement in force of t begins, -1 if it has none.
func (f *frame) promisedStart(t *task) time.Duration {
	if t.Placement == nil || len(t.Placement.Spans) == 0 {
		return -1
	}
	return max(f.from(t.Placement.Spans[0].Start), 0)
}

// moving says what bringing the data of t to where it is to run costs, and what
// that saves; "" if nothing is brought.
func (f *frame) moving(t *task, c candidate) string {
	p := f.places[c.site]
	v := f.on(t, c.way)
	h, ok := v.haul(p)
	if !ok {
		return ""
	}
	where := string(p.Zone)
	if where == "" {
		where = p.ID
	}
	text := fmt.Sprintf("; moving %s to %s", volume(t.Shape.Data.MiB), where)
	r, known := p.air.At(f.at(c.start()))
	if !known || !c.known {
		return text + " draws " + h.energy.String()
	}
	text += " costs " + grid.Emitted(h.energy, r.Value).String()
	var home []int
	for _, site := range t.sites {
		if _, away := t.haul(f.places[site]); !away {
			home = append(home, site)
		}
	}
	if best := f.offers(t, home, waiver{}).best; best != nil && best.known && best.carbon > c.carbon {
		text += " and saves " + (best.carbon - c.carbon).String()
	}
	return text
}

func volume(mib int64) string {
	if mib >= 1024 && mib%1024 == 0 {
		return fmt.Sprintf("%d GiB", mib/1024)
	}
	return fmt.Sprintf("%d MiB", mib)
}

// like returns for how many milliseconds a run that draws e over d would have to
// last to draw what bringing the data draws.
func (h haul) like(e grid.Energy, d time.Duration) int64 {
	if e <= 0 {
		return 1 << 30 // next to nothing, the time of the transfer is all that counts
	}
	return int64(min(float64(h.energy)/float64(e)*float64(d.Milliseconds()), 1<<36))
}

// lowest returns the lowest intensity that is known in [first, last), 0 if none is.
func (gr *ground) lowest(first, last time.Duration) float64 {
	least := int64(-1)
	for i, v := range gr.value {
		if v >= 0 && gr.at[i+1] > first && gr.at[i] < last && (least < 0 || v < least) {
			least = v
		}
	}
	return float64(max(least, 0))
}

// bring says on a way of package fleet what bringing the data there takes: at
// least what it would at the cleanest time, in milligrams.
func (m *exchange) bring(t *task, site int, w *fleet.Way) {
	p := m.places[site]
	h, ok := t.haul(p)
	if !ok {
		return
	}
	least := int64(-1)
	for i, v := range p.curve.value[:len(p.curve.value)-1] {
		if v >= 0 && p.curve.at[i] < t.limit && (least < 0 || v < least) {
			least = v
		}
	}
	w.Fixed = float64(max(least, 0)) * float64(h.energy) / 3.6e6
	w.From = int32(min((m.slot(m.there(t, site).first)+m.step-1)/m.step, time.Duration(len(m.in.Hours))))
}
