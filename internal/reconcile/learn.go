package reconcile

import (
	"strconv"

	"clusy.io/clusy/internal/audit"
	"clusy.io/clusy/internal/problem"
	"clusy.io/clusy/internal/workload"
)

// learn adds what the end of an attempt tells of its class to what is known of
// it, in the same transaction: there is no run that counts twice or is
// forgotten. The event drifted goes on record when the runs are first seen to
// take longer than is declared, and again only after they did not.
func learn(t TenantTx, w *workload.Workload, a *workload.Attempt, drifted audit.Event) error {
	if w.Shape.Class == "" {
		return nil
	}
	// The placement is still there, and says which way the work went.
	p, _, err := t.Placement(w.ID)
	if err != nil {
		return err
	}
	r, ok := workload.RunOf(w.Shape, *a, p.Way)
	if !ok {
		return nil
	}
	before, err := t.History(w.Shape.Class)
	if problem.Is(err, problem.NotFound) {
		before = workload.History{Class: w.Shape.Class}
	} else if err != nil {
		return err
	}
	after := before.With(r)
	if err := t.PutHistory(after); err != nil {
		return err
	}
	now := workload.Learn(after)
	if !now.Drifted || workload.Learn(before).Drifted {
		return nil
	}
	drifted.Object = "class:" + after.Class
	drifted.Detail = map[string]string{"over": strconv.Itoa(now.Over), "of": strconv.Itoa(now.Judged), "declared": r.Declared.String(), "workload": w.ID}
	_, err = t.Append(drifted)
	return err
}
