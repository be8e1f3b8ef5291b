package plan

import (
	"container/heap"
	"time"
)

// dues are the times at which workloads become due, the earliest first. What
// was planned anew since is in it twice; counting it again once too often does
// no harm.
type dues []dueAt

type dueAt struct {
	at       time.Time
	workload string
}

func (d dues) Len() int           { return len(d) }
func (d dues) Less(i, j int) bool { return d[i].at.Before(d[j].at) }
func (d dues) Swap(i, j int)      { d[i], d[j] = d[j], d[i] }
func (d *dues) Push(x any)        { *d = append(*d, x.(dueAt)) }
func (d *dues) Pop() any {
	last := len(*d) - 1
	x := (*d)[last]
	*d = (*d)[:last]
	return x
}

func (d *dues) put(at time.Time, workload string) { heap.Push(d, dueAt{at, workload}) }

// until takes out all that is due by now.
func (d *dues) until(now time.Time) (ids []string) {
	for len(*d) > 0 && !(*d)[0].at.After(now) {
		ids = append(ids, heap.Pop(d).(dueAt).workload)
	}
	return ids
}
