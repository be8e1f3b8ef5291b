package private

import (
	"bytes"
	"math"
	"reflect"
	"strings"
	"testing"

	"clusy.io/clusy/internal/plan/fleet"
)

// What an enclave says is made of its load and one number. Jobs of other
// shapes, ids, order and number that add up to the same load and the same cost say
// the same bytes, in every round.
func TestNoShapes(t *testing.T) {
	whole := week(0, 0.5, 1)
	for c := range whole.Room[0] {
		whole.Room[0][c] = 20
	}
	parts := *whole
	way := func(cpus float64, site, need int32) []fleet.Way {
		return []fleet.Way{{Site: site, Need: need, KW: cpus / 100, Use: []float64{cpus}}}
	}
	// Work that has no choice, so that its load is what we say it is: in one
	// enclave long jobs of many cpus, in the other one job for each cpu and hour.
	for i := range int32(12) {
		from, need, cpus := 10*i, 2+i%7, float64(1+i%4)
		whole.Jobs = append(whole.Jobs, fleet.Job{Release: from, Due: from + need, Ways: way(cpus, i%4, need), Missing: 1e6})
		for range int(cpus) {
			for h := range need {
				parts.Jobs = append(parts.Jobs, fleet.Job{Kind: fleet.Interruptible, Release: from + h, Due: from + h + 1, Ways: way(1, i%4, 1), Missing: 1e6})
			}
		}
	}
	one, other := heard(t, whole), heard(t, &parts)
	for i := range one {
		if !bytes.Equal(one[i], other[i]) {
			t.Errorf("round %d: one says %x, the other %x", i, one[i], other[i])
		}
	}
	if len(parts.Jobs) < 5*len(whole.Jobs) {
		t.Errorf("%d and %d jobs are too much alike for this test", len(whole.Jobs), len(parts.Jobs))
	}

	// Where there is no load, some is said; what is said differs by seed, and
	// never less than what is there.
	tm := padded(whole)
	e, err := NewEnclave(tm, 0, whole, 42)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		e.pass()
	}
	said, idle := e.tell(), 0
	for c, v := range said[0] {
		if float64(v)*tm.Quantum[0] < e.own[0][c] {
			t.Errorf("cell %d: %d quanta are said of a load of %v", c, v, e.own[0][c])
		}
		if e.own[0][c] == 0 && v > 0 {
			idle++
		}
	}
	if idle < 400 {
		t.Errorf("only %d idle cells look busy", idle)
	}
}

func padded(in *fleet.Instance) *Terms {
	tm := terms(in, 2, 9)
	tm.Pad, tm.Scale = 3, []float64{3}
	return tm
}

// heard returns what an enclave says in each round of a period in which the
// other one has nothing to plan.
func heard(t *testing.T, in *fleet.Instance) [][]byte {
	t.Helper()
	tm := padded(in)
	empty := *in
	empty.Jobs = nil
	var enclaves []*Enclave
	for k, jobs := range []*fleet.Instance{in, &empty} {
		e, err := NewEnclave(tm, k, jobs, uint64(k))
		if err != nil {
			t.Fatal(err)
		}
		enclaves = append(enclaves, e)
	}
	s, err := Open(tm)
	if err != nil {
		t.Fatal(err)
	}
	var out [][]byte
	for s.Phase() != Closed {
		answers := answer(t, s, enclaves)
		out = append(out, answers[0].Encode())
		s, _ = s.Next(answers)
	}
	return out
}

// What is written is read again, and nothing else is.
func TestMessages(t *testing.T) {
	tm := terms(mixed(1), 3, 8)
	a := &Announcement{Period: 9, Round: 7, Enclaves: 3, Rho: 0.3, Prices: tm.whole(), Load: tm.whole(), Grant: tm.whole()}
	b := &Answer{Period: math.MaxUint64, Round: 7, Enclave: 2, Bound: -12.5, Values: tm.whole()}
	for c := range a.Load[1] {
		a.Load[1][c], a.Grant[0][c], b.Values[1][c] = int64(c*c), int64(c%3), int64(1e12)-int64(c)
	}
	down, up := a.Encode(), b.Encode()
	if got, err := tm.DecodeAnnouncement(down); err != nil || !reflect.DeepEqual(got, a) {
		t.Errorf("%+v is read as %+v (%v)", a, got, err)
	}
	if got, err := tm.DecodeAnswer(up); err != nil || !reflect.DeepEqual(got, b) {
		t.Errorf("%+v is read as %+v (%v)", b, got, err)
	}
	a.Grant = nil
	if got, err := tm.DecodeAnnouncement(a.Encode()); err != nil || got.Grant != nil {
		t.Errorf("no grant is read as %v (%v)", got, err)
	}
	for n := range up {
		if _, err := tm.DecodeAnswer(up[:n]); err == nil {
			t.Errorf("an answer that is cut off after %d bytes is read", n)
		}
	}
	for n := range down {
		if _, err := tm.DecodeAnnouncement(down[:n]); err == nil {
			t.Errorf("an announcement that is cut off after %d bytes is read", n)
		}
	}
	for name, c := range map[string]struct {
		bytes []byte
		names string
	}{
		"a byte too many":    {append(bytes.Clone(up), 0), "1 bytes follow"},
		"another kind":       {down, "begin with 0xa2"},
		"a longer number":    {append([]byte{kindAnswer, 0x89, 0}, (&Answer{Values: tm.whole()}).Encode()[2:]...), "written shorter"},
		"a load below zero":  {(&Answer{Values: [][]int64{{-3}}}).Encode(), "values of -3 in cell 0 of cpu"},
		"a load without end": {(&Answer{Values: [][]int64{{1 << 60}}}).Encode(), "in cell 0 of cpu: from 0 to"},
	} {
		if _, err := tm.DecodeAnswer(c.bytes); err == nil || !strings.Contains(err.Error(), c.names) {
			t.Errorf("%s: refused with %v, want %q", name, err, c.names)
		}
	}
}

// FuzzAnswer: bytes from outside are read or refused, never more; what is read
// is written as the same bytes.
func FuzzAnswer(f *testing.F) {
	tm := terms(mixed(1), 3, 8)
	s, err := Open(tm)
	if err != nil {
		f.Fatal(err)
	}
	f.Add((&Answer{Values: tm.whole(), Bound: 1}).Encode())
	f.Add((&Announcement{Prices: tm.whole(), Load: tm.whole(), Grant: tm.whole()}).Encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		if a, err := tm.DecodeAnswer(b); err == nil {
			if !bytes.Equal(a.Encode(), b) {
				t.Errorf("%x is written as %x", b, a.Encode())
			}
			s.Next([]*Answer{a})
		}
		if a, err := tm.DecodeAnnouncement(b); err == nil && !bytes.Equal(a.Encode(), b) {
			t.Errorf("%x is written as %x", b, a.Encode())
		}
	})
}
