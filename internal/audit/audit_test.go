package audit_test

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"reflect"
	"slices"
	"strconv"
	"testing"
	"time"

	"clusy.io/clusy/internal/audit"
	"clusy.io/clusy/internal/merkle"
)

// stable are the kinds that logs have been written with. A kind may be added
// here; none may be changed or removed, as a log cannot be rewritten.
var stable = []string{
	"attempt.moved", "budget.exceeded", "budget.exhaustion-forecast", "budget.removed", "budget.set", "class.drifted", "leader.elected", "ledger.entry", "log.opened", "plan.certified", "plan.committed", "plan.refused", "queue.removed", "queue.set",
	"signal.quarantined", "signal.refused", "signal.released", "signal.revised", "signal.stored", "site.registered", "site.seen", "token.created", "token.ended",
	"workload.cancel-requested", "workload.missed", "workload.moved", "workload.placed",
	"workload.submitted",
}

// declared reads the kinds from the source, so that a new one cannot be
// forgotten here.
func declared(t *testing.T) []string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "audit.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var kinds []string
	ast.Inspect(file, func(n ast.Node) bool {
		if v, ok := n.(*ast.ValueSpec); ok {
			if id, ok := v.Type.(*ast.Ident); ok && id.Name == "Kind" {
				for _, x := range v.Values {
					k, err := strconv.Unquote(x.(*ast.BasicLit).Value)
					if err != nil {
						t.Fatal(err)
					}
					kinds = append(kinds, k)
				}
			}
		}
		return true
	})
	slices.Sort(kinds)
	return kinds
}

func TestKindsAreStable(t *testing.T) {
	got := declared(t)
	for _, k := range stable {
		if !slices.Contains(got, k) {
			t.Errorf("%s is gone: logs that hold it could not be read", k)
		}
	}
	for _, k := range got {
		if !slices.Contains(stable, k) {
			t.Errorf("%s is new: add it to stable, where it stays for ever", k)
		}
	}
	if len(slices.Compact(slices.Clone(got))) != len(got) {
		t.Errorf("two kinds share a name: %q", got)
	}
}

// Every kind can stand on a leaf of the log.
func TestKindsFitALeaf(t *testing.T) {
	for _, k := range declared(t) {
		l := merkle.Leaf{V: merkle.LeafVersion, Tag: merkle.Tag("o", "t"), Kind: k, TenantPrev: -1}
		if _, err := l.Marshal(); err != nil {
			t.Errorf("%s: %v", k, err)
		}
	}
}

// The bytes of an event are what its leaf commits to: fields keep their names
// and order, and what is not set is not there.
func TestEventBytes(t *testing.T) {
	moved := audit.Event{
		At: time.Date(2026, 3, 14, 9, 26, 53, 589793000, time.UTC), Tenant: "acme", Actor: "site:berlin",
		Kind: audit.WorkloadMoved, Object: "workload:wl_1", From: "held", To: "running", Rev: 4,
		Detail: map[string]string{"b": "2", "a": "1"},
	}
	opened := audit.Event{At: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), Actor: "system", Kind: audit.LogOpened, Object: "log:a"}
	for want, e := range map[string]audit.Event{
		`{"at":"2026-03-14T09:26:53.589793Z","tenant":"acme","actor":"site:berlin","kind":"workload.moved","object":"workload:wl_1","from":"held","to":"running","rev":4,"detail":{"a":"1","b":"2"}}`: moved,
		`{"at":"2026-01-01T00:00:00Z","tenant":"","actor":"system","kind":"log.opened","object":"log:a"}`:                                                                                             opened,
	} {
		b, err := json.Marshal(e)
		if err != nil || string(b) != want {
			t.Errorf("event is\n%s (%v), want\n%s", b, err, want)
		}
		var again audit.Event
		if err := json.Unmarshal(b, &again); err != nil || !reflect.DeepEqual(again, e) {
			t.Errorf("%s read as %+v, %v", b, again, err)
		}
	}
}
