package house

import (
	"slices"
	"time"

	"clusy.io/clusy/internal/access"
	"clusy.io/clusy/internal/budget"
	"clusy.io/clusy/internal/grid"
	"clusy.io/clusy/internal/plan"
	"clusy.io/clusy/internal/store"
	"clusy.io/clusy/internal/workload"
)

// Spending returns what the budgets of a tenant are held against; nil if it has
// none.
func (t tx) Spending(tenant access.Tenant, now time.Time) (*budget.Book, error) {
	mine := t.SystemTx.For(tenant)
	bs, err := mine.Budgets()
	if err != nil || len(bs) == 0 {
		return nil, err
	}
	r := budget.Records{Now: now, Tenant: tenant, Budgets: bs, Shapes: map[string]workload.Shape{}, Decided: map[string]plan.Placement{}, Open: map[string]bool{},
		Prices: map[grid.Zone][]grid.Prices{}}
	since := budget.Since(bs, now)
	for after := int64(-1); ; {
		ls, err := mine.EntriesFrom(since, after, store.MaxPage)
		if err != nil {
			return nil, err
		}
		r.Entries = append(r.Entries, ls...)
		if len(ls) < store.MaxPage {
			break
		}
		after = ls[len(ls)-1].Index
	}
	ms, err := t.UnsettledMeters()
	if err != nil {
		return nil, err
	}
	for _, m := range ms {
		if m.Tenant == tenant {
			r.Pending = append(r.Pending, m)
		}
	}
	open, err := t.OpenWorkloads()
	if err != nil {
		return nil, err
	}
	for _, w := range open {
		if w.Tenant == tenant {
			r.Shapes[w.ID], r.Open[w.ID] = w.Shape, true
		}
	}
	if err := t.named(mine, &r); err != nil {
		return nil, err
	}
	stations, err := t.Sites()
	if err != nil {
		return nil, err
	}
	for _, s := range stations {
		r.Sites = append(r.Sites, s.Site)
	}
	for _, zone := range plan.Zones(r.Sites) {
		if r.Prices[zone], err = t.Prices(zone, since); err != nil {
			return nil, err
		}
	}
	return budget.NewBook(r), nil
}

// named reads the shapes and placements of all workloads that r names.
func (t tx) named(mine store.TenantTx, r *budget.Records) error {
	names := map[string]bool{}
	for id := range r.Open {
		names[id] = true
	}
	for _, l := range r.Entries {
		names[l.Entry.Meter.Workload] = true
	}
	for _, m := range r.Pending {
		names[m.Workload] = true
	}
	ids := make([]string, 0, len(names))
	for id := range names {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	for page := range slices.Chunk(ids, store.MaxPage/2) {
		ps, err := mine.DecidedOf(page)
		if err != nil {
			return err
		}
		for id, p := range ps {
			r.Decided[id] = p
		}
		for _, id := range page {
			if _, known := r.Shapes[id]; known {
				continue
			}
			w, err := mine.Workload(id)
			if err != nil {
				return err
			}
			r.Shapes[id] = w.Shape
		}
	}
	return nil
}

// closed returns the times that budgets close to open work, by workload.
func (t tx) closed(open []workload.Workload, placements []plan.Placement, now time.Time) (map[string][]workload.Span, error) {
	all, err := t.Budgets()
	if err != nil || len(all) == 0 {
		return nil, err
	}
	books, out := map[access.Tenant]*budget.Book{}, map[string][]workload.Span{}
	for _, b := range all {
		if b.Then != budget.Hold || books[b.Tenant] != nil {
			continue
		}
		if books[b.Tenant], err = t.Spending(b.Tenant, now); err != nil {
			return nil, err
		}
	}
	of := map[string]plan.Placement{}
	for _, p := range placements {
		of[p.Workload] = p
	}
	for _, w := range open {
		// What runs is not stopped for a budget, however long it runs.
		if p, placed := of[w.ID]; placed && books[w.Tenant] != nil && w.State != workload.Running {
			if spans := books[w.Tenant].Closed(w.ID, w.Shape, p); len(spans) > 0 {
				out[w.ID] = spans
			}
		}
	}
	return out, nil
}
