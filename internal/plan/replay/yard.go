package replay

import (
	"cmp"
	"slices"
)

// Policy is a way to decide when jobs run. Those of this file's yard ask for a
// place and get it if there is room: else they queue.
type Policy struct {
	Name string
	// choose is asked once, when a job arrives: where, and in which slots.
	choose func(w *World, j *Job) wish
	// wants is asked in each slot until a job runs, if it is not nil: whether it
	// would run now.
	wants func(w *World, j *Job, site, slot int) bool
	// most is how much of a site may be in use in a slot, as far as it can still
	// be said: what runs and cannot be stopped runs on. Nil: all.
	most func(w *World, site, slot int) int64
	// whole replays all jobs in a way of its own.
	whole func(w *World) []Placed
}

// wish is what a job would do if it were alone.
type wish struct {
	site  int
	start int
	slots []int // of work that may pause, in order; nil: from start on
}

// Replay lets the jobs of w arrive under a policy. The rule of a full site is
// the same for all: who cannot wait any longer goes first, by when it is due,
// then who wants to run now, in the order of arrival; who does not fit waits,
// and smaller work may pass. Nobody stops what cannot pause.
func (w *World) Replay(p Policy) Outcome {
	o := Outcome{Policy: p.Name, Due: make([]int, len(w.Jobs))}
	for i := range w.Jobs {
		o.Due[i] = w.Jobs[i].Due
	}
	if p.whole != nil {
		o.Placed = p.whole(w)
		return o
	}
	o.Placed = make([]Placed, len(w.Jobs))
	y := yard{w: w, p: p, placed: o.Placed}
	next := 0
	for t := 0; next < len(w.Jobs) || len(y.open) > 0; t++ {
		if len(y.open) == 0 {
			t = max(t, w.Jobs[next].Arrive)
		}
		for ; next < len(w.Jobs) && w.Jobs[next].Arrive == t; next++ {
			j := &w.Jobs[next]
			v := visitor{Job: j, index: next, left: j.Length}
			v.wish = p.choose(w, j)
			y.open = append(y.open, v)
		}
		y.turn(t)
	}
	return o
}

// visitor is a job that has arrived and is not complete.
type visitor struct {
	*Job
	index int
	left  int
	begun bool
	wish  wish
}

type yard struct {
	w      *World
	p      Policy
	open   []visitor // by arrival
	placed []Placed
}

// turn lets one slot pass.
func (y *yard) turn(t int) {
	free := make([]int64, len(y.w.Sites))
	allowed := make([]int64, len(y.w.Sites))
	for s, site := range y.w.Sites {
		free[s], allowed[s] = site.CPU, site.CPU
		if y.p.most != nil {
			allowed[s] = y.p.most(y.w, s, t)
		}
	}
	// 1. What runs and cannot pause runs on.
	for i := range y.open {
		if v := &y.open[i]; v.begun && !v.Pauses {
			free[v.wish.site] -= v.CPU
			allowed[v.wish.site] -= v.CPU
			y.run(v, t)
		}
	}
	// 2. Who cannot wait any longer, and 3. who wants to.
	var must, want []*visitor
	for i := range y.open {
		v := &y.open[i]
		switch {
		case v.begun && !v.Pauses:
		case t+v.left >= v.Due:
			must = append(must, v)
		case y.wants(v, t):
			want = append(want, v)
		}
	}
	slices.SortStableFunc(must, func(a, b *visitor) int { return cmp.Compare(a.Due, b.Due) })
	for _, v := range must {
		if s := v.wish.site; v.CPU <= free[s] {
			free[s] -= v.CPU
			allowed[s] -= v.CPU
			y.run(v, t)
		}
	}
	for _, v := range want {
		if s := v.wish.site; v.CPU <= free[s] && v.CPU <= allowed[s] {
			free[s] -= v.CPU
			allowed[s] -= v.CPU
			y.run(v, t)
		}
	}
	y.open = slices.DeleteFunc(y.open, func(v visitor) bool { return v.left == 0 })
}

func (y *yard) run(v *visitor, t int) {
	p := &y.placed[v.index]
	p.Site = v.wish.site
	p.add(t)
	v.begun = true
	v.left--
}

// wants reports whether v would run in slot t: its time has come, or it has
// passed and the work is not done, as there was no room.
func (y *yard) wants(v *visitor, t int) bool {
	if y.p.wants != nil {
		return y.p.wants(y.w, v.Job, v.wish.site, t)
	}
	if v.wish.slots == nil {
		return t >= v.wish.start
	}
	n, now := slices.BinarySearch(v.wish.slots, t)
	return now || len(v.wish.slots)-n < v.left
}
