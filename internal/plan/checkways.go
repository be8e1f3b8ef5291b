package plan

import "iter"

// going returns an item as it is on one of its kinds of hardware: its duration,
// its power and its demand are those of the way. It returns false if there is no
// such way, or if the item goes another one and may not change it any more.
func going(it Item, way int) (Item, bool) {
	if way < 0 || way > len(it.Shape.Ways) {
		return it, false
	}
	lawful := holder(it) == "" && !it.Running || way == started(it)
	if way > 0 {
		w := it.Shape.Ways[way-1]
		it.Shape.Duration, it.Shape.Power, it.Shape.Demand = w.Duration, w.Power, w.Demand
	}
	return it, lawful
}

// started is the way that an item's placement in force goes.
func started(it Item) int {
	if it.Placement == nil || it.Placement.Way < 0 || it.Placement.Way > len(it.Shape.Ways) {
		return 0
	}
	return it.Placement.Way
}

// standing is an item as its placement in force has it.
func standing(it Item) Item {
	it, _ = going(it, started(it))
	return it
}

// kinds lists an item on each way that is open to it.
func kinds(it Item) iter.Seq[Item] {
	return func(yield func(Item) bool) {
		for way := 0; way <= len(it.Shape.Ways); way++ {
			if kind, ok := going(it, way); ok && !yield(kind) {
				return
			}
		}
	}
}

// item returns an item on the way that the plan has it go.
func (d *doubt) item(id string) Item {
	it := d.items[id]
	if d.ways == nil {
		d.ways = map[string]int{}
		for _, pl := range d.p.Placements {
			d.ways[pl.Workload] = pl.Way
		}
	}
	it, _ = going(it, d.ways[id])
	return it
}

// hasCards reports whether a site has any accelerators of the type that an item
// is for. Where it is promised a place, it may be all the same.
func (d *doubt) hasCards(it Item, id string) bool {
	if it.Placement != nil && it.Placement.Site == id || holder(it) == id {
		return true
	}
	return needs(it, d.where(id))[lacking] == 0
}
