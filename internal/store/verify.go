package store

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"clusy.io/clusy/internal/audit"
	"clusy.io/clusy/internal/grid"
	"clusy.io/clusy/internal/ledger"
	"clusy.io/clusy/internal/merkle"
	"clusy.io/clusy/internal/workload"
)

// Report is what a verification found in order.
type Report struct {
	Head        merkle.Head // the newest checkpoint
	Checkpoints int64
	Events      int64
	Entries     int64 // ledger entries, each recomputed from its inputs
	Moves       int64 // changes of state, each a legal one
	Tenants     int64 // the house among them
}

// VerifyLog checks everything that a store says of its past: every signed
// checkpoint, every leaf and its body, every stored hash, every ledger entry
// from its inputs, every move, and that the moves give the states in the
// tables. The error names the first thing that is wrong; where it is in the
// log, it is a *merkle.Fault with the index.
func VerifyLog(ctx context.Context, d DB, trusted merkle.Verifiers, origin string) (r Report, err error) {
	err = d.System().View(ctx, func(tx SystemTx) error {
		v := &verifier{tx: tx, origin: origin, past: past{}, decided: map[int64]string{}, restated: map[int64]int64{}}
		if err := v.run(trusted); err != nil {
			return err
		}
		r = v.report
		return nil
	})
	return r, err
}

type verifier struct {
	tx      SystemTx
	origin  string
	auditor merkle.Auditor
	row     Leaf // the one being checked
	past    past
	decided map[int64]string
	// restated are the entries that no longer stand, and by which they are
	// replaced.
	restated map[int64]int64
	report   Report
}

func (v *verifier) run(trusted merkle.Verifiers) error {
	v.auditor = merkle.Auditor{Stored: v.tx.Hashes(), Inspect: v.inspect}
	for {
		notes, err := v.tx.Checkpoints(v.report.Head.Size)
		if err != nil {
			return err
		}
		if len(notes) == 0 {
			break
		}
		for _, n := range notes {
			c, err := merkle.OpenCheckpoint([]byte(n), trusted, v.origin)
			if err != nil {
				return fmt.Errorf("a checkpoint after leaf %d: %w", v.report.Head.Size-1, err)
			}
			if c.Size <= v.report.Head.Size {
				return fmt.Errorf("a checkpoint after leaf %d is of %d leaves", v.report.Head.Size-1, c.Size)
			}
			if err := v.upTo(c); err != nil {
				return err
			}
			v.report.Head = c.Head
			v.report.Checkpoints++
		}
	}
	if v.report.Head.Size == 0 {
		return errors.New("the log has no checkpoint")
	}
	for range v.auditor.Chains() {
		v.report.Tenants++
	}
	if err := v.decisions(); err != nil {
		return err
	}
	ids, err := v.past.differ(v.tx)
	if err != nil {
		return err
	}
	if len(ids) > 0 {
		return fmt.Errorf("the tables are not what the log says of %s", strings.Join(ids, ", "))
	}
	if ids, err = VerifyReplay(v.tx); err != nil {
		return err
	}
	if len(ids) > 0 {
		return fmt.Errorf("the table of transitions is not what the log says of %s", strings.Join(ids, ", "))
	}
	return nil
}

// upTo checks the leaves up to a checkpoint, and then the checkpoint.
func (v *verifier) upTo(c merkle.Checkpoint) error {
	for v.auditor.Size() < c.Size {
		leaves, err := v.tx.Leaves(v.auditor.Size(), c.Size)
		if err != nil {
			return err
		}
		for _, l := range leaves {
			v.row = l
			if err := v.auditor.Add(merkle.Record{Leaf: l.Leaf, Salt: l.Salt, Body: l.Body}); err != nil {
				return err
			}
		}
		if len(leaves) == 0 {
			break // Against will say what is missing
		}
	}
	return v.auditor.Against(c)
}

// inspect checks the body of a leaf that is in its place.
func (v *verifier) inspect(l merkle.Leaf, body []byte) error {
	if v.row.Index != l.Seq || string(v.row.Kind) != l.Kind || merkle.Tag(v.origin, string(v.row.Tenant)) != l.Tag {
		return errors.New("the row that holds it is of another leaf")
	}
	if l.Kind == string(audit.LedgerEntry) {
		return v.entry(l, body)
	}
	var e audit.Event
	if err := json.Unmarshal(body, &e); err != nil {
		return fmt.Errorf("it is no event: %w", err)
	}
	if again, err := json.Marshal(e); err != nil || !bytes.Equal(again, body) {
		return errors.New("it is not written in the canonical way")
	}
	if string(e.Kind) != l.Kind || e.Tenant != v.row.Tenant || usec(e.At) != l.At {
		return errors.New("it is another event than its leaf says")
	}
	v.report.Events++
	if e.Kind == audit.WorkloadPlaced {
		v.decided[l.Seq] = e.Detail["decision"]
	}
	if e.Rev == 0 {
		return nil
	}
	object, id, ok := strings.Cut(e.Object, ":")
	if !ok {
		return fmt.Errorf("a change of state of %q, which is nothing that has one", e.Object)
	}
	v.report.Moves++
	return v.past.move(Transition{l.Seq, workload.Object(object), id, e.Rev, e.From, e.To})
}

// entry makes a ledger entry again from its inputs, and compares these with
// the stored series.
func (v *verifier) entry(l merkle.Leaf, body []byte) error {
	e, err := ledger.Unmarshal(body)
	if err != nil {
		return err
	}
	if e.Meter.Tenant != v.row.Tenant || usec(e.Booked) != l.At {
		return errors.New("it is another entry than its leaf says")
	}
	if err := ledger.Recompute(e); err != nil {
		return err
	}
	if err := ledger.Check(e, func(ref string) (grid.Series, bool) {
		s, err := v.tx.Signal(ref)
		return s, err == nil
	}); err != nil {
		return err
	}
	if r := e.Restates; r != nil {
		if err := v.restates(l, e); err != nil {
			return fmt.Errorf("it restates entry %d: %w", r.Index, err)
		}
	}
	v.report.Entries++
	return nil
}

// restates proves that an entry takes the place of one that stood.
func (v *verifier) restates(l merkle.Leaf, e ledger.Entry) error {
	r := e.Restates
	if r.Index >= l.Seq {
		return errors.New("that is not before it")
	}
	if by, twice := v.restated[r.Index]; twice {
		return fmt.Errorf("entry %d has taken its place already", by)
	}
	leaves, err := v.tx.Leaves(r.Index, r.Index+1)
	if err != nil {
		return err
	}
	if len(leaves) != 1 || leaves[0].Kind != audit.LedgerEntry || leaves[0].Tenant != v.row.Tenant {
		return errors.New("that is no ledger entry of the same tenant")
	}
	old, err := ledger.Unmarshal(leaves[0].Body)
	if err != nil {
		return err
	}
	v.restated[r.Index] = l.Seq
	return ledger.CheckRestates(e, ledger.Line{Index: r.Index, Entry: old})
}

// decisions compares the stored decisions with their events.
func (v *verifier) decisions() error {
	for from := int64(0); ; {
		page, err := v.tx.Decided(from)
		if err != nil {
			return err
		}
		for _, d := range page {
			if want, ok := v.decided[d.Index]; !ok || d.Digest != want {
				return &merkle.Fault{Index: d.Index, Kind: string(audit.WorkloadPlaced), Err: errors.New("the stored decision is not the one on record")}
			}
			delete(v.decided, d.Index)
			from = d.Index + 1
		}
		if len(page) == 0 {
			break
		}
	}
	for _, index := range slices.Sorted(maps.Keys(v.decided)) {
		return &merkle.Fault{Index: index, Kind: string(audit.WorkloadPlaced), Err: errors.New("the decision on record is not stored")}
	}
	return nil
}

// VerifyReplay folds the transitions and returns, as "workload:…" and
// "attempt:…", what does not stand in the tables as they give it (invariant
// A3 of RELIABILITY §7). An empty answer means that replay gives the tables.
func VerifyReplay(tx SystemTx) ([]string, error) {
	p := past{}
	var wrong []string
	for from := int64(0); ; {
		page, err := tx.Transitions(from)
		if err != nil {
			return nil, err
		}
		for _, t := range page {
			if p.move(t) != nil {
				wrong = append(wrong, t.name())
			}
			from = t.Index + 1
		}
		if len(page) == 0 {
			break
		}
	}
	more, err := p.differ(tx)
	if err != nil {
		return nil, err
	}
	wrong = append(wrong, more...)
	slices.Sort(wrong)
	return slices.Compact(wrong), nil
}

func (t Transition) name() string { return string(t.Object) + ":" + t.ID }

// past is where every object stands after the moves so far.
type past map[string]Standing

// move takes one move, and returns an error if it cannot have happened.
func (p past) move(t Transition) error {
	before := p[t.name()]
	p[t.name()] = Standing{t.Object, t.ID, t.To, t.Rev}
	if t.From != before.State || t.Rev != before.Rev+1 {
		return fmt.Errorf("%s goes from %q to rev %d, but it was %q at rev %d", t.name(), t.From, t.Rev, before.State, before.Rev)
	}
	return workload.Move{Object: t.Object, From: t.From, To: t.To}.Check()
}

// differ returns what does not stand in the tables as it does in the past.
func (p past) differ(tx SystemTx) ([]string, error) {
	now, err := tx.States()
	if err != nil {
		return nil, err
	}
	var wrong []string
	left := maps.Clone(p)
	for _, s := range now {
		name := string(s.Object) + ":" + s.ID
		if p[name] != s {
			wrong = append(wrong, name)
		}
		delete(left, name)
	}
	for name := range left {
		wrong = append(wrong, name)
	}
	slices.Sort(wrong)
	return wrong, nil
}
