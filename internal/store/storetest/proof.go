package storetest

import (
	"bytes"
	"fmt"
	"slices"
	"testing"
	"time"

	"clusy.io/clusy/internal/plan"
	"clusy.io/clusy/internal/problem"
	"clusy.io/clusy/internal/store"
)

// Proof returns a proof of a plan.
func Proof(id string, at time.Time) plan.Packed {
	return plan.Packed{ProofHead: plan.ProofHead{Plan: id, At: at, Digest: "d" + id, Items: 3, Given: 1, Carbon: 900, Bound: 800, Tenant: acme}, Body: []byte(id)}
}

// proofs: each is kept as it was given, once; the newest are listed first, and
// only so many stay.
func proofs(t *testing.T, d store.DB) {
	for n := range 60 {
		house(t, d, func(tx store.SystemTx) error {
			return tx.PutPlanProof(Proof(fmt.Sprintf("p%02d", n), Noon.Add(time.Duration(n%50)*time.Minute)))
		})
	}
	house(t, d, func(tx store.SystemTx) error {
		heads, err := tx.PlanProofs(100)
		if err != nil {
			return err
		}
		if len(heads) != 48 || heads[0].Plan != "p49" || heads[0] != Proof("p49", Noon.Add(49*time.Minute)).ProofHead {
			t.Errorf("%d proofs are kept, the newest is %+v", len(heads), heads[0])
		}
		if !slices.IsSortedFunc(heads, func(a, b plan.ProofHead) int { return b.At.Compare(a.At) }) {
			t.Error("they are not in order")
		}
		if few, err := tx.PlanProofs(2); err != nil || len(few) != 2 {
			t.Errorf("of two there are %d, %v", len(few), err)
		}
		p, err := tx.PlanProof("p49")
		if err != nil || p.Plan != "p49" || !bytes.Equal(p.Body, []byte("p49")) {
			t.Errorf("it is %+v, %v", p, err)
		}
		for _, gone := range []string{"p00", "p50", "nobody's"} {
			if _, err := tx.PlanProof(gone); !problem.Is(err, problem.NotFound) {
				t.Errorf("%s: %v", gone, err)
			}
		}
		return nil
	})
	for what, p := range map[string]plan.Packed{
		"twice": Proof("p49", Noon), "without a plan": Proof("", Noon), "empty": {ProofHead: Proof("x", Noon).ProofHead},
	} {
		err := d.System().Update(ctx, func(tx store.SystemTx) error { return tx.PutPlanProof(p) })
		if err == nil {
			t.Errorf("a proof is kept %s", what)
		}
	}
}
