package plan

import (
	"math/rand/v2"
	"testing"
	"time"

	"clusy.io/clusy/internal/grid"
	"clusy.io/clusy/internal/workload"
)

// Whatever world a plan was made of, its proof holds when it is read again,
// and does not when anything in it is not what it was.
func TestProof(t *testing.T) {
	for seed := range uint64(60) {
		s := randomSnapshot(rand.New(rand.NewPCG(seed, 3)))
		p := Compute(s)
		packed, err := NewProof(s, p).Pack()
		if err != nil {
			t.Fatal(err)
		}
		pr, err := Unpack(packed)
		if err != nil {
			t.Fatal(err)
		}
		if err := pr.Verify(); err != nil {
			t.Errorf("seed %d: %v", seed, err)
		}
	}
}

func TestProofIsDoubted(t *testing.T) {
	s := scarce(40, 200)
	p := Compute(s)
	for name, change := range map[string]func(*Proof){
		"a cleaner grid":    func(pr *Proof) { pr.Series[0].Values[0] /= 2 },
		"another price":     func(pr *Proof) { pr.Plan.Certificate.Prices[0].PerSlot[0] += 5 },
		"a higher bound":    func(pr *Proof) { pr.Plan.Certificate.Bound += grid.Gram * 100 },
		"a later start":     func(pr *Proof) { pr.Plan.Placements[0].Spans[0].Start = pr.Now.Add(time.Second) },
		"a smaller site":    func(pr *Proof) { pr.Sites[0].Capacity.CPU = 1 },
		"an item more":      func(pr *Proof) { pr.Items = append(pr.Items, Item{ID: "more"}) },
		"no certificate":    func(pr *Proof) { pr.Plan.Certificate = nil; pr.Plan.ID = NewID(pr.Plan) },
		"a wider step":      func(pr *Proof) { pr.Plan.Certificate.Step *= 2 },
		"a tighter promise": func(pr *Proof) { pr.Items[0].Shape.When.CompleteBy = pr.Now },
	} {
		packed, err := NewProof(s, p).Pack()
		if err != nil {
			t.Fatal(err)
		}
		pr, err := Unpack(packed)
		if err != nil {
			t.Fatal(err)
		}
		if change(&pr); pr.Verify() == nil {
			t.Errorf("%s: it holds", name)
		}
	}
	packed, _ := NewProof(s, p).Pack()
	other := packed
	other.Digest = "another"
	if _, err := Unpack(other); err == nil {
		t.Error("it is opened under another digest")
	}
	for _, body := range [][]byte{nil, {1, 2, 3}, packed.Body[:len(packed.Body)/2]} {
		if _, err := Unpack(Packed{Body: body}); err == nil {
			t.Errorf("%d bytes are a proof", len(body))
		}
	}
}

// More time is worth something where cleaner hours come later, and never less
// than less time.
func TestQuotes(t *testing.T) {
	s := scarce(40, 200)
	p := Compute(s)
	worth := 0
	for _, pl := range p.Placements {
		qs := Quotes(s, p, pl.Workload)
		if len(qs) != len(quoted) {
			t.Fatalf("%s has %d quotes", pl.Workload, len(qs))
		}
		before := grid.Carbon(0)
		for _, q := range qs {
			if q.Saves < before || q.Carbon+q.Saves != pl.Carbon {
				t.Errorf("%s: %+v after %s", pl.Workload, q, before)
			}
			before = q.Saves
		}
		if before > 0 {
			worth++
			// The quote is kept: with that much more time it saves that much.
			far := qs[len(qs)-1]
			others, it := apart(s, p, pl.Workload)
			it.Shape.When.CompleteBy = it.Shape.When.CompleteBy.Add(far.More)
			if q, ok := admitted(others, it); !ok || placementOf(q, it.ID).Carbon != far.Carbon {
				t.Errorf("%s: with %s more it does not come to %s", it.ID, far.More, far.Carbon)
			}
		}
	}
	if worth < 3 {
		t.Errorf("more time is worth something to %d items", worth)
	}
	if qs := Quotes(s, p, "nobody"); qs != nil {
		t.Errorf("nobody has quotes: %v", qs)
	}
}

func placementOf(p Plan, id string) *Placement {
	for i := range p.Placements {
		if p.Placements[i].Workload == id {
			return &p.Placements[i]
		}
	}
	return nil
}

// apart is the world after p without one item, and that item.
func apart(s Snapshot, p Plan, id string) (others Snapshot, one Item) {
	items := s.Items
	s.Items = nil
	for _, it := range items {
		if it.ID == id {
			one = it
			continue
		}
		it.Placement = placementOf(p, it.ID)
		s.Items = append(s.Items, it)
	}
	return s, one
}

// A proof names the queues of those whose work it is about, and no others'.
func TestProofKeepsOthersQueues(t *testing.T) {
	s := scarce(4, 24)
	for i := range s.Items {
		s.Items[i].Tenant = "acme"
	}
	s.Queues = []workload.Queue{{Tenant: "acme", Name: "night", Most: 1000, Weight: 1}, {Tenant: "umbrella", Name: "secret-project", Most: 1000, Weight: 1}}
	pr := NewProof(s, Compute(s))
	if len(pr.Queues) != 1 || pr.Queues[0].Tenant != "acme" {
		t.Errorf("the proof has the queues %+v", pr.Queues)
	}
	if err := pr.Verify(); err != nil {
		t.Error(err)
	}
}
