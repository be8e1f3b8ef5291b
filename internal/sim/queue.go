package sim

import (
	"container/heap"
	"time"
)

// kind is what happens in an event.
type kind uint8

const (
	arrive kind = iota // a job is submitted: ref is its index
	turn               // the control loop goes around
	poll               // the signals are looked at
	look               // an agent looks at its engine and its schedules
	ask                // an agent asks its next question
	heard              // a question arrives at the server: ref is the message
	found              // the server looks for something to answer a call that waits
	answer             // an answer arrives at the agent: ref is the message
	lapse              // an agent gives up waiting for an answer: gen is its question's
	strike             // a fault begins: ref is its index
	heal               // and is over
)

// event is one thing that happens at a time. Events are values and no closures:
// a heap of them costs little, and each can be told of in words.
type event struct {
	at   time.Time
	tie  uint64 // orders what happens at the same time, by the seed alone
	what kind
	site int
	ref  int
	gen  int // of the site's look or ask that it was scheduled as: a newer one voids it
}

// queue holds what is to come.
type queue struct {
	seed   uint64
	n      uint64
	events []event
}

func (q *queue) Len() int { return len(q.events) }
func (q *queue) Less(i, j int) bool {
	a, b := &q.events[i], &q.events[j]
	if !a.at.Equal(b.at) {
		return a.at.Before(b.at)
	}
	return a.tie < b.tie
}
func (q *queue) Swap(i, j int) { q.events[i], q.events[j] = q.events[j], q.events[i] }
func (q *queue) Push(x any)    { q.events = append(q.events, x.(event)) }
func (q *queue) Pop() any {
	e := q.events[len(q.events)-1]
	q.events = q.events[:len(q.events)-1]
	return e
}

// put schedules an event. What is put at the same time comes in an order that
// the seed gives, and not in that of the code.
func (q *queue) put(e event) {
	q.n++
	e.tie = mix(q.seed ^ q.n)
	heap.Push(q, e)
}

func (q *queue) next() event { return heap.Pop(q).(event) }

// mix spreads a number over all 64 bits, one to one (SplitMix64): no two ties
// are alike.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
