package intent

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"

	"clusy.io/clusy/internal/workload"
)

// elastic reads the sizes at which the work can run: two lists of the same
// length, or a list of {size, speed}. Size 1 with speed 1 is the work as it is
// declared, and always there, whether it is written or not.
func (r *reader) elastic(shape *node) (levels []workload.Level) {
	p := at("shape", "elastic")
	n := r.get(shape, p)
	if n == nil {
		return nil
	}
	var sizes, speeds []int
	switch n.kind {
	case kindMapping:
		r.names(n, p)
		sizes, speeds = r.ratios(n, p.with("sizes")), r.ratios(n, p.with("speeds"))
		if !r.bad(p) && len(sizes) != len(speeds) {
			r.say(fault{path: p, place: r.where(n, p), message: fmt.Sprintf("has %d sizes and %d speeds", len(sizes), len(speeds)), limit: "one speed for each size: {sizes: [0.5, 2], speeds: [0.55, 1.8]}"})
		}
	case kindList:
		for i, item := range n.items[:min(len(n.items), maxSizesRead)] {
			ip := p.with(strconv.Itoa(i))
			if !r.mapping(item, ip) {
				return nil
			}
			r.once(item, ip)
			size, speed := item.child("size"), item.child("speed")
			if size == nil || speed == nil || len(item.fields) != 2 {
				r.say(fault{path: ip, message: "must have a size and a speed, and nothing else", limit: "{size: 2, speed: 1.8}"})
				return nil
			}
			sizes, speeds = append(sizes, r.ratio(size.value, ip)), append(speeds, r.ratio(speed.value, ip))
		}
	default:
		r.say(fault{path: p, place: r.where(n, p), message: fmt.Sprintf("is %s, and must be sizes and speeds", n.kind), value: n.shown(), limit: "{sizes: [0.5, 2], speeds: [0.55, 1.8]}"})
	}
	if r.bad(p) {
		return nil
	}
	for i := range sizes {
		if sizes[i] != workload.Declared || speeds[i] != workload.Declared {
			levels = append(levels, workload.Level{Size: sizes[i], Speed: speeds[i]})
		}
	}
	slices.SortStableFunc(levels, func(a, b workload.Level) int { return a.Size - b.Size })
	if len(levels) == 0 {
		r.say(fault{path: p, message: "names no size but the declared one", limit: "another size than 1, as {sizes: [2], speeds: [1.8]}"})
	}
	return levels
}

// ratios reads a list of sizes or of speeds; nil if there is none.
func (r *reader) ratios(parent *node, p path) (out []int) {
	n := r.get(parent, p)
	if n == nil {
		return nil
	}
	if n.kind != kindList {
		r.say(fault{path: p, place: r.where(n, p), message: fmt.Sprintf("is %s, and must be a list of numbers", n.kind), value: n.shown(), limit: "[0.5, 2]"})
		return nil
	}
	for i, item := range n.items[:min(len(n.items), maxSizesRead)] {
		out = append(out, r.ratio(item, p.with(strconv.Itoa(i))))
	}
	return out
}

// ratio reads a size or a speed, in thousandths.
func (r *reader) ratio(n *node, p path) int {
	v, _ := quantity(r, n, p, "a multiple of what is declared: 0.5 or 2", thousandths, func(string) string { return "" })
	return v
}

// maxSizesRead is how many sizes are read of a file; more than may be, so that
// the rule of how many can be named.
const maxSizesRead = workload.MaxLevels + 2

// thousandths reads a plain number, to the nearest thousandth.
func thousandths(s string) (int, error) {
	f, ok := decimal(s)
	if !ok {
		return 0, fmt.Errorf("%s is not a number; write 0.5 or 2", quote(s))
	}
	if f > 1e6 {
		return 0, fmt.Errorf("%s is more than we can count", quote(s))
	}
	return int(math.Round(f * workload.Declared)), nil
}

// elastic checks the sizes of the work.
func (c *checker) elastic(levels []workload.Level) {
	p := at("shape", "elastic")
	c.must(len(levels) < workload.MaxLevels, fault{path: p, message: fmt.Sprintf("has %d sizes beside the declared one", len(levels)), limit: fmt.Sprintf("at most %d", workload.MaxLevels-1)})
	show := func(n int) string { return strconv.FormatFloat(float64(n)/workload.Declared, 'f', -1, 64) }
	for i, l := range levels {
		f := fault{path: p, value: fmt.Sprintf("size %s, speed %s", show(l.Size), show(l.Speed))}
		switch {
		case l.Size < workload.MinSize || l.Size > workload.MaxSize || l.Speed < workload.MinSize || l.Speed > workload.MaxSize:
			f.message, f.limit = fmt.Sprintf("size %s with speed %s is out of its limits", show(l.Size), show(l.Speed)), "0.01 to 100"
		case l.Size == workload.Declared:
			f.message, f.limit = "size 1 is the work as it is declared, and has speed 1", "size 1 with speed 1, or left out"
		case (l.Size > workload.Declared) != (l.Speed > workload.Declared):
			f.message, f.limit = fmt.Sprintf("size %s has speed %s, and size 1 has speed 1: the speed must rise with the size", show(l.Size), show(l.Speed)), "faster if larger than 1, slower if smaller"
		case i > 0 && (l.Size <= levels[i-1].Size || l.Speed <= levels[i-1].Speed):
			f.message, f.limit = fmt.Sprintf("size %s is not faster than size %s: the speed must rise with the size", show(l.Size), show(levels[i-1].Size)), "each size once, and faster than the ones below it"
		default:
			continue
		}
		c.must(false, f)
		return // one is enough to find the mistake by
	}
}

// soonest returns how long the booked time of the work lasts where it is done
// soonest: at its largest size.
func (in Intent) soonest() time.Duration {
	booked := in.Shape.booked() // on the quickest hardware
	speed := workload.Shape{Elastic: in.Shape.Elastic}.Fastest()
	return workload.Takes(booked, min(speed, workload.MaxSize))
}
