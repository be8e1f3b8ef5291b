package storetest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"

	"clusy.io/clusy/internal/audit"
	"clusy.io/clusy/internal/problem"
	"clusy.io/clusy/internal/store"
	"clusy.io/clusy/internal/workload"
)

func equal(t testing.TB, what string, got, want any) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s is\n%+v, want\n%+v", what, got, want)
	}
}

// roundTrip: every field of a workload and of an attempt comes back, also the
// ones that will be added.
func roundTrip(t *testing.T, d store.DB) {
	var w workload.Workload
	n := 0
	fill(reflect.ValueOf(&w).Elem(), &n)
	w.ID, w.Tenant, w.State, w.Rev = "wl_full", acme, workload.Accepted, 1
	var a workload.Attempt
	fill(reflect.ValueOf(&a).Elem(), &n)
	a.Workload, a.N, a.Tenant, a.State, a.Rev = w.ID, 1, acme, workload.AttemptOffered, 1
	update(t, d, acme, func(tx store.TenantTx) error {
		return errors.Join(tx.InsertWorkload(w, Event("")), tx.InsertAttempt(a, Event("")))
	})
	look(t, d, func(tx store.SystemTx) error {
		got, err := tx.Workload(w.ID)
		equal(t, "workload by its id alone", got, w)
		_, err2 := tx.Workload("wl_none")
		want(t, err2, problem.NotFound)
		return err
	})
	view(t, d, acme, func(tx store.TenantTx) error {
		gotW, err := tx.Workload(w.ID)
		equal(t, "workload", gotW, w)
		gotA, err2 := tx.Attempt(w.ID, 1)
		equal(t, "attempt", gotA, a)
		return errors.Join(err, err2)
	})

	// And so do the changes that a move or an update carries.
	w.Wanted, w.MissedAt, w.MissedCause, w.Cause = workload.WantMove, Noon.Add(3*time.Microsecond), "late", "site is full"
	progress := a
	progress.Active, progress.RunSince, progress.Suspensions, progress.Seen = 77*time.Second, Noon.Add(time.Hour), 9, Noon.Add(2*time.Hour)
	moved := progress
	moved.Expires, moved.Started, moved.Ended, moved.ExitCode, moved.Cause = Noon, Noon.Add(1), time.Time{}, 0, ""
	moved.Started = Noon.Add(time.Minute)
	update(t, d, acme, func(tx store.TenantTx) error {
		return errors.Join(tx.MoveWorkload(&w, workload.Planned, Event("")), tx.UpdateAttempt(&progress))
	})
	view(t, d, acme, func(tx store.TenantTx) error {
		gotW, err := tx.Workload(w.ID)
		equal(t, "moved workload", gotW, w)
		gotA, err2 := tx.Attempt(w.ID, 1)
		equal(t, "attempt in progress", gotA, progress)
		return errors.Join(err, err2)
	})
	update(t, d, acme, func(tx store.TenantTx) error { return tx.MoveAttempt(&moved, workload.AttemptHeld, Event("")) })
	view(t, d, acme, func(tx store.TenantTx) error {
		got, err := tx.Attempt(w.ID, 1)
		equal(t, "moved attempt", got, moved)
		return err
	})
	if w.Rev != 2 || moved.Rev != 2 || w.State != workload.Planned || moved.State != workload.AttemptHeld {
		t.Errorf("after a move, workload and attempt are %s at rev %d and %s at rev %d", w.State, w.Rev, moved.State, moved.Rev)
	}
}

// fill gives every field a value of its own.
func fill(v reflect.Value, n *int) {
	*n++
	switch {
	case v.Type() == reflect.TypeFor[time.Time]():
		v.Set(reflect.ValueOf(Noon.Add(time.Duration(*n) * time.Second)))
	case v.Kind() == reflect.Struct:
		for i := range v.NumField() {
			fill(v.Field(i), n)
		}
	case v.Kind() == reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		for i := range v.Len() {
			fill(v.Index(i), n)
		}
	case v.Kind() == reflect.Array:
		for i := range v.Len() {
			fill(v.Index(i), n)
		}
	case v.Kind() == reflect.String:
		v.SetString(fmt.Sprintf("text %d", *n))
	case v.Kind() == reflect.Bool:
		v.SetBool(true)
	case v.CanInt():
		v.SetInt(int64(*n))
	case v.CanUint():
		v.SetUint(uint64(*n % 250))
	default:
		panic("no value for a field of kind " + v.Kind().String())
	}
}

// legalFrom returns where an object in a state may go.
func legalFrom(o workload.Object, from string) (to []string) {
	for _, m := range workload.Legal() {
		if m.Object == o && m.From == from {
			to = append(to, m.To)
		}
	}
	return to
}

// pathTo returns moves that lead from a birth to a state.
func pathTo(o workload.Object, from, to string) []string {
	type step struct {
		at   string
		path []string
	}
	seen := map[string]bool{}
	for queue := []step{{from, nil}}; len(queue) > 0; queue = queue[1:] {
		s := queue[0]
		if s.at == to {
			return s.path
		}
		for _, next := range legalFrom(o, s.at) {
			if !seen[next] {
				seen[next] = true
				queue = append(queue, step{next, append(slices.Clone(s.path), next)})
			}
		}
	}
	return nil
}

// movesAsLegal tries every pair of states, legal or not.
func movesAsLegal(t *testing.T, d store.DB) {
	n := 0
	for _, from := range workload.States() {
		for _, to := range workload.States() {
			n++
			w := submit(t, d, acme, n)
			var path []workload.State
			for _, s := range pathTo(workload.ObjectWorkload, string(workload.Accepted), string(from)) {
				path = append(path, workload.State(s))
			}
			move(t, d, &w, path...)
			before, size0 := w, size(t, d)
			err := d.For(acme).Update(ctx, func(tx store.TenantTx) error { return tx.MoveWorkload(&w, to, Event("")) })
			if slices.Contains(legalFrom(workload.ObjectWorkload, string(from)), string(to)) {
				if err != nil || w.State != to || w.Rev != before.Rev+1 || !w.Changed.After(before.Changed) {
					t.Errorf("%s to %s: %v, now %s at rev %d", from, to, err, w.State, w.Rev)
				}
				continue
			}
			if !problem.Is(err, problem.Conflict) || w.Rev != before.Rev || size(t, d) != size0 {
				t.Errorf("%s to %s is not legal, and gave %v with %d leaves", from, to, err, size(t, d)-size0)
			}
		}
	}
	states := []workload.AttemptState{
		workload.AttemptOffered, workload.AttemptRevoked, workload.AttemptHeld, workload.AttemptReleased, workload.AttemptStarting,
		workload.AttemptRunning, workload.AttemptSuspended, workload.AttemptSucceeded, workload.AttemptFailed, workload.AttemptStopped, workload.AttemptLost,
	}
	for _, from := range states {
		for _, to := range states {
			n++
			a := Attempt(submit(t, d, acme, n), 1)
			update(t, d, acme, func(tx store.TenantTx) error { return tx.InsertAttempt(a, Event("")) })
			update(t, d, acme, func(tx store.TenantTx) error {
				for _, s := range pathTo(workload.ObjectAttempt, string(workload.AttemptOffered), string(from)) {
					if err := tx.MoveAttempt(&a, workload.AttemptState(s), Event("")); err != nil {
						return err
					}
				}
				return nil
			})
			rev := a.Rev
			err := d.For(acme).Update(ctx, func(tx store.TenantTx) error { return tx.MoveAttempt(&a, to, Event("")) })
			if legal := slices.Contains(legalFrom(workload.ObjectAttempt, string(from)), string(to)); legal != (err == nil) ||
				!legal && (!problem.Is(err, problem.Conflict) || a.Rev != rev) {
				t.Errorf("attempt from %s to %s: legal is %t, and the answer %v", from, to, legal, err)
			}
		}
	}
	live, lost := 0, 0
	look(t, d, func(tx store.SystemTx) error {
		standing, err := tx.States()
		for _, s := range standing {
			if s.Object == workload.ObjectAttempt && workload.AttemptState(s.State).Live() {
				live++
			}
			if s.Object == workload.ObjectAttempt && s.State == string(workload.AttemptLost) {
				lost++
			}
		}
		as, err2 := tx.LiveAttempts("")
		here, err3 := tx.LiveAttempts("berlin")
		there, err4 := tx.LiveAttempts("paris")
		ls, err5 := tx.LostAttempts("berlin")
		all, err6 := tx.LostAttempts("")
		if len(as) != live || len(here) != live || len(there) != 0 || len(ls) != lost || len(all) != lost {
			t.Errorf("%d live attempts, %d of them at berlin and %d at paris, %d lost; want %d, %d, 0, %d",
				len(as), len(here), len(there), len(ls), live, live, lost)
		}
		open, err7 := tx.OpenWorkloads()
		for _, w := range open {
			if w.State.Terminal() {
				t.Errorf("workload %s is %s and yet open", w.ID, w.State)
			}
		}
		if !slices.IsSortedFunc(open, func(a, b workload.Workload) int { return a.Created.Compare(b.Created) }) {
			t.Error("open workloads are not in the order of creation")
		}
		closedOnes := 0
		for _, s := range standing {
			if s.Object == workload.ObjectWorkload && workload.State(s.State).Terminal() {
				closedOnes++
			}
		}
		if len(open)+closedOnes != n {
			t.Errorf("%d workloads are open and %d are not, of %d", len(open), closedOnes, n)
		}
		return errors.Join(err, err2, err3, err4, err5, err6, err7)
	})
	sound(t, d)
}

// staleCopies: who read before a change cannot write after it, though the
// change was no move.
func staleCopies(t *testing.T, d store.DB) {
	w := submit(t, d, acme, 1)
	stale := w
	move(t, d, &w, workload.Planned)
	wants := func(err error) {
		t.Helper()
		before := size(t, d)
		want(t, err, problem.Conflict)
		if size(t, d) != before {
			t.Error("a refused change left a leaf")
		}
	}
	tryMove := func(w workload.Workload) error {
		return d.For(acme).Update(ctx, func(tx store.TenantTx) error { return tx.MoveWorkload(&w, workload.Planned, Event("")) })
	}
	wants(tryMove(stale))
	stale = w
	w.Wanted = workload.WantCancel
	update(t, d, acme, func(tx store.TenantTx) error { return tx.UpdateWorkload(&w, Event(audit.CancelRequested)) })
	if w.Rev != stale.Rev || !w.Changed.After(stale.Changed) {
		t.Errorf("an update takes rev %d to %d and changed from %s to %s", stale.Rev, w.Rev, stale.Changed, w.Changed)
	}
	wants(tryMove(stale)) // would lose the wish to cancel
	wants(d.For(acme).Update(ctx, func(tx store.TenantTx) error { return tx.UpdateWorkload(&stale, Event(audit.CancelRequested)) }))
	stale = w
	stale.State = workload.Accepted // a copy that lies about where it is
	wants(tryMove(stale))
	ok(t, tryMove(w))
	view(t, d, acme, func(tx store.TenantTx) error {
		now, err := tx.Workload(w.ID)
		if now.Wanted != workload.WantCancel {
			t.Errorf("the wish to cancel is lost: %+v", now)
		}
		return err
	})

	a := Attempt(w, 1)
	update(t, d, acme, func(tx store.TenantTx) error { return tx.InsertAttempt(a, Event("")) })
	old := a
	update(t, d, acme, func(tx store.TenantTx) error { return tx.MoveAttempt(&a, workload.AttemptHeld, Event("")) })
	wants(d.For(acme).Update(ctx, func(tx store.TenantTx) error { return tx.MoveAttempt(&old, workload.AttemptRevoked, Event("")) }))
	wants(d.For(acme).Update(ctx, func(tx store.TenantTx) error { return tx.UpdateAttempt(&old) }))

	// Nothing is changed that is not there.
	none := Workload(acme, 99)
	want(t, d.For(acme).Update(ctx, func(tx store.TenantTx) error { return tx.MoveWorkload(&none, workload.Planned, Event("")) }), problem.NotFound)
	noAttempt := Attempt(w, 9)
	want(t, d.For(acme).Update(ctx, func(tx store.TenantTx) error {
		return tx.MoveAttempt(&noAttempt, workload.AttemptHeld, Event(""))
	}), problem.NotFound)
	sound(t, d)
}

func oneLiveAttempt(t *testing.T, d store.DB) {
	w := submit(t, d, acme, 1)
	insert := func(a workload.Attempt) error {
		return d.For(acme).Update(ctx, func(tx store.TenantTx) error { return tx.InsertAttempt(a, Event("")) })
	}
	first := Attempt(w, 1)
	ok(t, insert(first))
	before := size(t, d)
	want(t, insert(Attempt(w, 2)), problem.Conflict) // the first one lives
	want(t, insert(Attempt(w, 1)), problem.Conflict) // it is there
	if size(t, d) != before {
		t.Error("a refused attempt left a leaf")
	}
	update(t, d, acme, func(tx store.TenantTx) error { return tx.MoveAttempt(&first, workload.AttemptRevoked, Event("")) })
	want(t, insert(Attempt(w, 3)), problem.Conflict) // the next is 2
	second := Attempt(w, 2)
	ok(t, insert(second))
	update(t, d, acme, func(tx store.TenantTx) error {
		for _, s := range []workload.AttemptState{workload.AttemptHeld, workload.AttemptLost} {
			if err := tx.MoveAttempt(&second, s, Event("")); err != nil {
				return err
			}
		}
		return nil
	})
	ok(t, insert(Attempt(w, 3)))
	// The lost one comes back while another lives: the database itself says no.
	err := d.For(acme).Update(ctx, func(tx store.TenantTx) error { return tx.MoveAttempt(&second, workload.AttemptRunning, Event("")) })
	want(t, err, problem.Conflict)
	view(t, d, acme, func(tx store.TenantTx) error {
		as, err := tx.Attempts(w.ID)
		if len(as) != 3 || as[0].N != 1 || as[2].N != 3 || as[1].State != workload.AttemptLost {
			t.Errorf("attempts are %+v", as)
		}
		return err
	})
	sound(t, d)
}

// births: nothing is born in the middle of its life.
func births(t *testing.T, d store.DB) {
	w := submit(t, d, acme, 1)
	insert := func(change func(*workload.Workload), e audit.Event) error {
		x := Workload(acme, 2)
		change(&x)
		return d.For(acme).Update(ctx, func(tx store.TenantTx) error { return tx.InsertWorkload(x, e) })
	}
	attempt := func(change func(*workload.Attempt)) error {
		x := Attempt(w, 1)
		change(&x)
		return d.For(acme).Update(ctx, func(tx store.TenantTx) error { return tx.InsertAttempt(x, Event("")) })
	}
	before := size(t, d)
	want(t, insert(func(x *workload.Workload) { x.State = workload.Running }, Event("")), problem.Conflict)
	want(t, insert(func(x *workload.Workload) { x.Rev = 4 }, Event("")), problem.Conflict)
	want(t, insert(func(x *workload.Workload) { x.ID = "" }, Event("")), problem.Invalid)
	want(t, insert(func(x *workload.Workload) { x.Created = time.Time{} }, Event("")), problem.Invalid)
	want(t, insert(func(x *workload.Workload) { x.ID = w.ID }, Event("")), problem.Conflict)
	want(t, attempt(func(x *workload.Attempt) { x.State = workload.AttemptRunning }), problem.Conflict)
	want(t, attempt(func(x *workload.Attempt) { x.Rev = 2 }), problem.Conflict)
	want(t, attempt(func(x *workload.Attempt) { x.Site = "" }), problem.Invalid)
	want(t, attempt(func(x *workload.Attempt) { x.Workload = "wl_none" }), problem.NotFound)
	// No change without an event that says who and when.
	for _, bad := range []audit.Event{{At: Noon}, {Actor: "token:x"}, {At: time.Unix(-5, 0), Actor: "token:x"}, {At: Noon, Actor: "token:x", Kind: audit.LedgerEntry}, {At: Noon, Actor: "token:x", Kind: "Not A Kind"}} {
		if insert(func(*workload.Workload) {}, bad) == nil {
			t.Errorf("a workload was born on the event %+v", bad)
		}
	}
	if d.For(acme).Update(ctx, func(tx store.TenantTx) error { x := w; return tx.UpdateWorkload(&x, Event("")) }) == nil {
		t.Error("an update went on record as nothing in particular")
	}
	if size(t, d) != before {
		t.Error("a refused birth left a leaf")
	}
	ok(t, insert(func(x *workload.Workload) { x.Rev, x.Changed = 0, time.Time{} }, Event("")))
	ok(t, attempt(func(x *workload.Attempt) { x.Rev, x.Changed = 0, time.Time{} }))
	view(t, d, acme, func(tx store.TenantTx) error {
		x, err := tx.Workload(Workload(acme, 2).ID)
		a, err2 := tx.Attempt(w.ID, 1)
		if x.Rev != 1 || !x.Changed.Equal(x.Created) || a.Rev != 1 || !a.Changed.Equal(Noon) {
			t.Errorf("born with rev %d at %s, and rev %d at %s", x.Rev, x.Changed, a.Rev, a.Changed)
		}
		return errors.Join(err, err2)
	})
	sound(t, d)
}

// model plays random moves against a map, and the log must tell the same.
func model(t *testing.T, d store.DB) {
	rng := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 1))
	seed := rng.Uint64()
	rng = rand.New(rand.NewPCG(seed, 2))
	t.Logf("seed %d", seed)
	mine := map[string]workload.Workload{}
	var ids []string
	moves := int64(0)
	for step := range 300 {
		if len(ids) == 0 || rng.IntN(10) == 0 {
			w := submit(t, d, acme, step)
			mine[w.ID] = w
			ids = append(ids, w.ID)
			moves++
			continue
		}
		w := mine[ids[rng.IntN(len(ids))]]
		to := workload.States()[rng.IntN(len(workload.States()))]
		if rng.IntN(3) > 0 {
			if next := legalFrom(workload.ObjectWorkload, string(w.State)); len(next) > 0 {
				to = workload.State(next[rng.IntN(len(next))])
			}
		}
		legal := slices.Contains(legalFrom(workload.ObjectWorkload, string(w.State)), string(to))
		drop := rng.IntN(4) == 0
		gone := errors.New("dropped")
		err := d.For(acme).Update(ctx, func(tx store.TenantTx) error {
			err := tx.MoveWorkload(&w, to, Event(""))
			if err == nil && drop {
				return gone
			}
			return err
		})
		switch {
		case legal && drop && errors.Is(err, gone):
		case legal && !drop && err == nil:
			mine[w.ID] = w
			moves++
		case !legal && problem.Is(err, problem.Conflict):
		default:
			t.Fatalf("seed %d, step %d: %s: legal %t, dropped %t, answer %v", seed, step, to, legal, drop, err)
		}
	}
	view(t, d, acme, func(tx store.TenantTx) error {
		for id, w := range mine {
			now, err := tx.Workload(id)
			ok(t, err)
			equal(t, id, now, w)
		}
		return nil
	})
	if r := sound(t, d); r.Moves != moves {
		t.Errorf("seed %d: %d moves on record, want %d", seed, r.Moves, moves)
	}
}
