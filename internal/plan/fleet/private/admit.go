package private

import (
	"cmp"
	"math"
	"slices"
)

// admit changes the plan where less is granted than was claimed, and uses only
// room that is granted or still free. From here on any place is better than
// none: that prices are high is what somebody says, that there is room is so.
func (e *Enclave) admit(a *Announcement, prices [][]float64) {
	t := e.terms
	e.pick.any = true
	if a.Grant == nil {
		e.remember()
		return
	}
	unit := func(r int) float64 { return t.Unit[r] }
	total, most := t.times(a.Load, unit), t.times(a.Grant, unit)
	for r := range most {
		copy(e.said[r], most[r])
		for c := range most[r] {
			most[r][c] += max(0, e.in.Room[r][c]-total[r][c])
		}
	}
	e.look(prices, total, a.Rho, a.Enclaves, t.Turns)
	e.within(most)
	e.fit()
}

// fit makes the plan keep to the room that it may use. Jobs that have no place
// take one as if there were room for them, and others make way if that is
// cheaper.
func (e *Enclave) fit() {
	e.yield()
	for range 3 {
		forced := false
		for _, j := range e.order {
			if len(e.runs[j]) > 0 {
				continue
			}
			if e.place(int(j)); len(e.runs[j]) > 0 {
				continue
			}
			e.view.free, e.hard, e.pick.any = e.in.Room, false, false
			from, to := e.window(int(j))
			runs, _ := e.pick.choose(int(j), from, to, &e.view)
			e.view.free, e.hard, e.pick.any = e.left, true, true
			e.runs[j] = append(e.runs[j], runs...)
			e.add(int(j), 1)
			forced = forced || len(runs) > 0
		}
		if !forced {
			return
		}
		e.yield()
	}
}

// yield moves jobs out of the cells that hold more than they may: first those
// that lose least by it, for the room that they leave.
func (e *Enclave) yield() {
	type move struct {
		job  int
		loss float64
	}
	var moves []move
	for j := range e.in.Jobs {
		over := e.over(j)
		if over == 0 {
			continue
		}
		stay := e.pays(j)
		from, to := e.window(j)
		e.add(j, -1)
		_, leave := e.pick.choose(j, from, to, &e.view)
		if math.IsInf(leave, 1) {
			leave = e.in.Jobs[j].Missing
		}
		e.add(j, 1)
		moves = append(moves, move{j, (leave - stay) / over})
	}
	slices.SortStableFunc(moves, func(a, b move) int { return cmp.Compare(a.loss, b.loss) })
	for _, m := range moves {
		if e.over(m.job) > 0 {
			e.place(m.job)
		}
	}
}

// over returns by how many units the cells would be less overfull without job j.
func (e *Enclave) over(j int) float64 {
	sum := 0.0
	for _, run := range e.runs[j] {
		at := e.in.Cell(e.in.Jobs[j].Ways[run.Way].Site, 0)
		for r, u := range e.in.Use(j, run) {
			for c := at + int(run.From); c < at+int(run.To); c++ {
				if left := e.view.free[r][c]; left < 0 {
					sum += min(u, -left) / e.terms.Unit[r]
				}
			}
		}
	}
	return sum
}

// pays returns what job j costs and pays where it is.
func (e *Enclave) pays(j int) float64 {
	sum := e.in.Drawn(j, e.runs[j])
	for _, run := range e.runs[j] {
		at := e.in.Cell(e.in.Jobs[j].Ways[run.Way].Site, 0)
		for r, u := range e.in.Use(j, run) {
			for c := at + int(run.From); c < at+int(run.To); c++ {
				sum += u * max(0, e.view.base[r][c]-e.view.slope[r][c]*u/2)
			}
		}
	}
	return sum
}

// remember gives a place to the jobs that found all too dear, before room is
// claimed for the first time.
func (e *Enclave) remember() {
	for _, j := range e.order {
		if len(e.runs[j]) == 0 {
			e.place(int(j))
		}
	}
}
