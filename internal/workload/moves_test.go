package workload

import (
	"slices"
	"testing"
)

var attemptStates = []AttemptState{AttemptOffered, AttemptRevoked, AttemptHeld, AttemptReleased, AttemptStarting, AttemptRunning,
	AttemptSuspended, AttemptSucceeded, AttemptFailed, AttemptStopped, AttemptLost}

// names returns the states of an object, and which of them are the end.
func names(o Object) (all, ends []string) {
	if o == ObjectWorkload {
		for _, s := range States() {
			all = append(all, string(s))
			if s.Terminal() {
				ends = append(ends, string(s))
			}
		}
		return all, ends
	}
	for _, s := range attemptStates {
		all = append(all, string(s))
		switch s {
		case AttemptRevoked, AttemptReleased, AttemptSucceeded, AttemptFailed, AttemptStopped:
			ends = append(ends, string(s))
		}
	}
	return all, ends
}

// next returns where a state may go.
func next(o Object, from string) (to []string) {
	for _, m := range Legal() {
		if m.Object == o && m.From == from {
			to = append(to, m.To)
		}
	}
	return to
}

// reach returns every state that can follow from.
func reach(o Object, from string) []string {
	seen := next(o, from)
	for i := 0; i < len(seen); i++ {
		for _, n := range next(o, seen[i]) {
			if !slices.Contains(seen, n) {
				seen = append(seen, n)
			}
		}
	}
	return seen
}

// The table as a graph: one birth, no way out of an end, a way to an end from
// everywhere, nothing that cannot be reached.
func TestLegalIsALife(t *testing.T) {
	births := map[Object]string{ObjectWorkload: string(Accepted), ObjectAttempt: string(AttemptOffered)}
	seen := map[Move]bool{}
	for _, m := range Legal() {
		all, ends := names(m.Object)
		if seen[m] {
			t.Errorf("%v is in the table twice", m)
		}
		seen[m] = true
		if slices.Contains(ends, m.From) {
			t.Errorf("%v leads out of an end", m)
		}
		if m.From == "" && m.To != births[m.Object] {
			t.Errorf("%v is a birth into the middle of a life", m)
		}
		if !slices.Contains(all, m.To) || m.From != "" && !slices.Contains(all, m.From) {
			t.Errorf("%v names a state that there is not", m)
		}
	}
	for o := range births {
		all, ends := names(o)
		born := reach(o, "")
		for _, s := range all {
			if !slices.Contains(born, s) {
				t.Errorf("no life reaches %s %q", o, s)
			}
			if slices.Contains(ends, s) {
				continue
			}
			if !slices.ContainsFunc(reach(o, s), func(n string) bool { return slices.Contains(ends, n) }) {
				t.Errorf("%s %q never ends", o, s)
			}
		}
	}
}

// The start right is moved, never copied: only by way of an offer does work
// come to a site, and only what is at a site can run.
func TestLegalKeepsTheStartRight(t *testing.T) {
	for _, m := range Legal() {
		if m.Object == ObjectAttempt {
			switch to := AttemptState(m.To); {
			case to == AttemptHeld && AttemptState(m.From) != AttemptOffered:
				t.Errorf("%v: held without an offer", m)
			case to == AttemptStarting && AttemptState(m.From) != AttemptHeld:
				t.Errorf("%v: started without a right", m)
			case AttemptState(m.From) == AttemptOffered && (to == AttemptRunning || to == AttemptStarting):
				t.Errorf("%v: started before it was confirmed", m)
			case to == AttemptReleased && AttemptState(m.From) != AttemptHeld:
				t.Errorf("%v: given back after its start", m)
			}
			continue
		}
		from, to := State(m.From), State(m.To)
		switch {
		case to == Running && !from.AtSite():
			t.Errorf("%v: runs without a start right", m)
		case (to == Succeeded || to == Failed) && !from.AtSite():
			t.Errorf("%v: an end without a run", m)
		case to == Suspended && from != Running && from != SiteSilent:
			t.Errorf("%v: suspended without running", m)
		case to == Expired && from.AtSite():
			t.Errorf("%v: expires though a site may start it", m)
		case to == Accepted && from != "":
			t.Errorf("%v: accepted again", m)
		case to.AtSite() && !from.AtSite() && from != Offered:
			t.Errorf("%v: comes to a site without an offer", m)
		}
	}
}

// Check lets pass what is in the table and nothing else.
func TestMoveCheck(t *testing.T) {
	table := Legal()
	n := 0
	for _, o := range []Object{ObjectWorkload, ObjectAttempt, "grant"} {
		all, _ := names(o)
		for _, from := range append(all, "", "unheard-of") {
			for _, to := range append(all, "", "unheard-of") {
				m := Move{o, from, to}
				if in, err := slices.Contains(table, m), m.Check(); in != (err == nil) {
					t.Errorf("%v: in the table %v, Check says %v", m, in, err)
				} else if in {
					n++
				}
			}
		}
	}
	if n != len(table) {
		t.Errorf("%d of %d moves were tried", n, len(table))
	}
}

func TestStatesByKind(t *testing.T) {
	if got := len(States()); got != 12 {
		t.Errorf("%d states", got)
	}
	for _, s := range States() {
		if s.Terminal() && s.AtSite() {
			t.Errorf("%s is over and yet at a site", s)
		}
		if over := len(next(ObjectWorkload, string(s))) == 0; over != s.Terminal() {
			t.Errorf("%s is terminal %v, and has moves %v", s, s.Terminal(), !over)
		}
	}
	live := []AttemptState{AttemptOffered, AttemptHeld, AttemptStarting, AttemptRunning, AttemptSuspended}
	for _, s := range attemptStates {
		if s.Live() != slices.Contains(live, s) {
			t.Errorf("%s is live %v", s, s.Live())
		}
		if s.Live() && len(next(ObjectAttempt, string(s))) == 0 {
			t.Errorf("%s is live for ever", s)
		}
	}
	if State("").Terminal() || State("").AtSite() || AttemptState("").Live() {
		t.Error("no state is a state")
	}
}
