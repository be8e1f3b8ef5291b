package access

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

var (
	noon        = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	permissions = []Permission{Public, WorkloadSubmit, WorkloadRead, WorkloadCancel, ClassRead, PlanDryRun, PlanRead, PlanProve, SignalRead, SiteRead, SiteSync, LedgerRead, LedgerRestate, StatusRead, EventRead, AuditRead, SessionRead, SessionLink, MetricsRead, QueueRead, QueueWrite, BudgetRead, BudgetWrite}
	roles       = []Role{Admin, Operator, Viewer, Agent, "unheard-of"}
)

func randomGrant(t *rapid.T) Grant {
	from := noon.Add(time.Duration(rapid.IntRange(-600, 600).Draw(t, "from")) * time.Second)
	return Grant{
		Holder: rapid.SampledFrom([]Principal{"token:a", "token:b", "site:x"}).Draw(t, "holder"),
		Role:   rapid.SampledFrom(roles).Draw(t, "role"),
		Tenant: rapid.SampledFrom([]Tenant{"t", "u"}).Draw(t, "tenant"),
		From:   from, Until: from.Add(time.Duration(rapid.IntRange(-60, 600).Draw(t, "length")) * time.Second),
	}
}

// May says yes exactly if one grant says so by itself: of that holder, on that
// tenant, in force, with that permission in its role.
func TestMayNeedsOneWholeGrant(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		grants := rapid.SliceOfN(rapid.Custom(randomGrant), 0, 6).Draw(t, "grants")
		who := rapid.SampledFrom([]Principal{"token:a", "token:b", "site:x", ""}).Draw(t, "who")
		p := rapid.SampledFrom(permissions).Draw(t, "permission")
		tenant := rapid.SampledFrom([]Tenant{"t", "u", ""}).Draw(t, "tenant")
		now := noon.Add(time.Duration(rapid.IntRange(-700, 1300).Draw(t, "now")) * time.Second)
		want := p == Public
		for _, g := range grants {
			holds := false
			for _, have := range Roles[g.Role] {
				holds = holds || have == p
			}
			if g.Holder == who && g.Tenant == tenant && holds && g.From.Compare(now) <= 0 && g.Until.Compare(now) > 0 {
				want = true
			}
		}
		if got := May(grants, who, p, tenant, now); got != want {
			t.Fatalf("May is %v, want %v", got, want)
		}
	})
}

// May is monotone in time: once no grant begins any more, a right that was
// lost does not come back; and no one has a right before the first grant.
func TestMayIsMonotoneInTime(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		grants := rapid.SliceOfN(rapid.Custom(randomGrant), 1, 6).Draw(t, "grants")
		p := rapid.SampledFrom(permissions[1:]).Draw(t, "permission")
		first, lastBegin := grants[0].From, grants[0].From
		for _, g := range grants {
			if g.From.Before(first) {
				first = g.From
			}
			if g.From.After(lastBegin) {
				lastBegin = g.From
			}
		}
		if May(grants, "token:a", p, "t", first.Add(-1)) {
			t.Fatal("a right before any grant")
		}
		had := true
		for s := range 700 {
			may := May(grants, "token:a", p, "t", lastBegin.Add(time.Duration(s)*time.Second))
			if may && !had {
				t.Fatalf("a right came back after %d s without a new grant", s)
			}
			had = may
		}
		if had {
			t.Fatal("a right without an end")
		}
	})
}

// More grants never take a right away, and the order of grants says nothing.
func TestMayIsMonotoneInGrants(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		grants := rapid.SliceOfN(rapid.Custom(randomGrant), 1, 6).Draw(t, "grants")
		p := rapid.SampledFrom(permissions).Draw(t, "permission")
		fewer := May(grants[1:], "token:a", p, "t", noon)
		if fewer && !May(grants, "token:a", p, "t", noon) {
			t.Fatal("a grant took a right away")
		}
		back := slices.Clone(grants)
		slices.Reverse(back)
		if May(grants, "token:a", p, "t", noon) != May(back, "token:a", p, "t", noon) {
			t.Fatal("the order of grants decides")
		}
	})
}

func TestGrantLive(t *testing.T) {
	g := Grant{From: noon, Until: noon.Add(time.Hour)}
	for d, want := range map[time.Duration]bool{-1: false, 0: true, time.Hour - 1: true, time.Hour: false} {
		if g.Live(noon.Add(d)) != want {
			t.Errorf("live %s after its beginning is %v", d, !want)
		}
	}
	if (Grant{}).Live(time.Time{}) {
		t.Error("a grant without an end is in force")
	}
	if (Grant{From: noon, Until: noon}).Live(noon) {
		t.Error("a grant of no length is in force")
	}
}

// Least privilege, as data: what each role may not do matters more than what
// it may.
func TestRoles(t *testing.T) {
	has := func(r Role, p Permission) bool { return slices.Contains(Roles[r], p) }
	for _, p := range Roles[Viewer] {
		if !has(Operator, p) {
			t.Errorf("an operator may not %s, a viewer may", p)
		}
	}
	for _, p := range Roles[Operator] {
		if !has(Admin, p) {
			t.Errorf("an admin may not %s, an operator may", p)
		}
	}
	for _, r := range []Role{Viewer, Operator, Admin} {
		if has(r, SiteSync) {
			t.Errorf("%s may take work as a site", r)
		}
	}
	for _, p := range []Permission{QueueWrite, BudgetWrite} {
		if has(Viewer, p) || has(Operator, p) || has(Agent, p) || !has(Admin, p) {
			t.Errorf("%s is not an admin's alone", p)
		}
	}
	for _, p := range []Permission{WorkloadSubmit, WorkloadCancel, PlanDryRun} {
		if has(Viewer, p) {
			t.Errorf("a viewer may %s", p)
		}
	}
	if len(Roles[Agent]) != 1 || !has(Agent, SiteSync) {
		t.Errorf("an agent may %v", Roles[Agent])
	}
	for r, ps := range Roles {
		for i, p := range ps {
			if slices.Contains(ps[:i], p) {
				t.Errorf("%s has %s twice", r, p)
			}
			if !slices.Contains(permissions, p) {
				t.Errorf("%s has %q, which this test does not know: add it, and who may not have it", r, p)
			}
		}
	}
	if !May(nil, "", Public, "", noon) || May(nil, "", StatusRead, "", noon) {
		t.Error("without any grant, exactly what is public may be done")
	}
}
