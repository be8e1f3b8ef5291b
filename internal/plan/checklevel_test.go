package plan

import "testing"

// What an item takes itself is no claim beside it.
func TestAnItemIsNotInItsOwnWay(t *testing.T) {
	s := leaving()
	p := Compute(s)
	d := &doubt{s: s, p: p, now: s.Now, sites: map[string]Site{"a": s.Sites[0]}, items: map[string]Item{"w": s.Items[0]}, taken: map[string][]claim{}}
	if err := d.placements(); err != nil {
		t.Fatal(err)
	}
	if full := d.fullFor(s.Items[0], "a"); len(full) != 0 {
		t.Errorf("it is in its own way: %v", full)
	}
	other := s.Items[0]
	other.ID = "x"
	if full := d.fullFor(other, "a"); len(full) != 1 || !full[0].from.Equal(p.Placements[0].Start()) {
		t.Errorf("another finds the site full at %v", full)
	}
}
