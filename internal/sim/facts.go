package sim

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"clusy.io/clusy/internal/audit"
	"clusy.io/clusy/internal/executor"
	"clusy.io/clusy/internal/ledger"
	"clusy.io/clusy/internal/plan"
	"clusy.io/clusy/internal/store"
	"clusy.io/clusy/internal/workload"
)

// Facts is all that the promises are held against: what was promised to those
// who submitted, what the tables and the log say, and what really ran. Where it
// comes from is no matter: a simulation, a kill test, or a server in production
// whose sites have been asked.
type Facts struct {
	Now       time.Time
	Ended     bool // nothing more is to come: all that was accepted must have ended
	Accepted  []Accepted
	Workloads map[string]workload.Workload
	Attempts  map[string][]workload.Attempt // by workload, in order
	Sites     map[string]plan.Site
	Events    []audit.Event // in the order of the log, without ledger entries
	Entries   []ledger.Entry
	Ran       []Ran
	// Log is what the store's own verification of log, tables and ledger says.
	Log error
	// Slip is by how much the clock of a site may have been wrong, at most.
	Slip time.Duration
	// Excused says why the world, and not we, kept an accepted workload from
	// being complete in time; "" if nothing did. Nil excuses nothing.
	Excused func(Accepted) string
}

// Ran is what really ran of one attempt, as its engine has it.
type Ran struct {
	Workload string
	Attempt  int
	Site     string
	Starts   int // of its program
	Started  time.Time
	Seen     executor.Observation
	Work     Work
}

// attemptOf reads the name of a task: see agent.hold.task.
func attemptOf(task string) (id string, n int) {
	i := strings.LastIndexByte(task, '-')
	n, _ = strconv.Atoi(task[i+1:])
	return "wl_" + strings.TrimPrefix(task[:i], "clusy-"), n
}

// facts reads all of it.
func (w *world) facts(ctx context.Context, ended bool) (*Facts, error) {
	f := &Facts{Now: w.clock.now, Ended: ended, Accepted: w.sent, Workloads: map[string]workload.Workload{}, Attempts: map[string][]workload.Attempt{},
		Sites: map[string]plan.Site{}, Excused: w.excuse}
	for _, t := range w.cfg.Faults.Trials {
		if t.Kind == Skew {
			f.Slip += t.Off.Abs()
		}
	}
	for _, s := range w.sites {
		starts := map[string]int{}
		for _, x := range s.engine.starts {
			starts[x.Task]++
		}
		for name, n := range starts {
			o, err := s.engine.Observe(ctx, name)
			if err != nil {
				return nil, err
			}
			id, attempt := attemptOf(name)
			f.Ran = append(f.Ran, Ran{id, attempt, s.ID, n, o.Started, o, s.engine.tasks[name].work})
		}
	}
	sortRan(f.Ran)
	err := w.db.System().View(ctx, func(tx store.SystemTx) error {
		stations, err := tx.Sites()
		if err != nil {
			return err
		}
		for _, s := range stations {
			f.Sites[s.ID] = s.Site
		}
		t := tx.For(tenant)
		for after := (workload.Cursor{}); ; {
			page, err := t.Workloads(store.Filter{After: after, Limit: store.MaxPage})
			if err != nil {
				return err
			}
			for _, wl := range page {
				f.Workloads[wl.ID] = wl
				if f.Attempts[wl.ID], err = t.Attempts(wl.ID); err != nil {
					return err
				}
				after = workload.Cursor{Created: wl.Created, ID: wl.ID}
			}
			if len(page) < store.MaxPage {
				break
			}
		}
		return eachLeaf(tx, func(l store.Leaf) error {
			if l.Kind == audit.LedgerEntry {
				e, err := ledger.Unmarshal(l.Body)
				f.Entries = append(f.Entries, e)
				return err
			}
			var e audit.Event
			err := json.Unmarshal(l.Body, &e)
			f.Events = append(f.Events, e)
			return err
		})
	})
	if err != nil {
		return nil, fmt.Errorf("read what came of it: %w", err)
	}
	_, f.Log = store.VerifyLog(ctx, w.db, w.trust, origin)
	return f, nil
}

// eachLeaf goes over the log.
func eachLeaf(tx store.SystemTx, do func(store.Leaf) error) error {
	size, err := tx.LogSize()
	if err != nil {
		return err
	}
	for from := int64(0); from < size; {
		leaves, err := tx.Leaves(from, min(size, from+store.MaxLeaves))
		if err != nil {
			return err
		}
		if len(leaves) == 0 {
			return fmt.Errorf("the log has %d leaves, and none after %d can be read", size, from)
		}
		for _, l := range leaves {
			if err := do(l); err != nil {
				return fmt.Errorf("leaf %d: %w", l.Index, err)
			}
		}
		from += int64(len(leaves))
	}
	return nil
}

// hash is the SHA-256 of the whole log, every event in its order, and of all
// that has really started.
func (w *world) hash(ctx context.Context) (string, error) {
	sum := sha256.New()
	var n [8]byte
	add := func(b []byte) {
		binary.BigEndian.PutUint64(n[:], uint64(len(b)))
		sum.Write(n[:])
		sum.Write(b)
	}
	err := w.db.System().View(ctx, func(tx store.SystemTx) error {
		return eachLeaf(tx, func(l store.Leaf) error {
			add(l.Leaf)
			add(l.Body)
			return nil
		})
	})
	for _, s := range w.sites {
		for _, x := range s.engine.starts {
			add([]byte(s.ID + " " + x.Task + " " + x.At.Format(time.RFC3339Nano)))
		}
	}
	return hex.EncodeToString(sum.Sum(nil)), err
}

// excuse says which fault kept a workload from being complete in time. Only
// faults excuse that we promise nothing about (RELIABILITY §4.2): a site that
// goes down under what it holds; and before it holds it, that the server or
// every site that could take it was away.
func (w *world) excuse(a Accepted) string {
	j := w.cfg.Jobs[a.Job]
	for _, t := range w.cfg.Faults.Trials {
		if t.To.Before(a.At) || t.From.After(a.Due) {
			continue
		}
		here := t.Site == j.Home || j.Movable && t.Site >= 0
		switch {
		case here && (t.Kind == SiteDown || t.Kind == AgentDown):
			return string(t.Kind) + " of " + w.cfg.Sites[t.Site].ID
		case here && (t.Kind == Cut || t.Kind == OneWay) && !w.heldBy(a, t.From):
			return string(t.Kind) + " of " + w.cfg.Sites[t.Site].ID + " before it was held"
		case t.Kind == ServerDown && !w.heldBy(a, t.From):
			return string(t.Kind) + " before it was held"
		}
	}
	return ""
}

// heldBy reports whether a site held a workload before a time.
func (w *world) heldBy(a Accepted, at time.Time) bool {
	held := false
	_ = w.db.For(tenant).View(w.ctx, func(tx store.TenantTx) error {
		events, err := tx.Events(store.EventFilter{Object: "attempt:" + a.Workload})
		for _, e := range events {
			held = held || e.Event.To == string(workload.AttemptHeld) && e.Event.At.Before(at)
		}
		return err
	})
	return held
}
