package store_test

import (
	"cmp"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"clusy.io/clusy/internal/store/db"
	"clusy.io/clusy/internal/workload"
)

func read(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return regexp.MustCompile(`--( [^n+].*|[^ ].*)?\n`).ReplaceAllString(string(b), "\n") // comments, but names
}

var (
	createTable = regexp.MustCompile(`(?s)CREATE TABLE (\w+) \((.*?)\n\);`)
	columnType  = regexp.MustCompile(`(?m)^\t(\w+)\s+(text|bigint|boolean|double precision|bytea)\b`)
	named       = regexp.MustCompile(`(?s)-- name: (\w+) :\w+\n(.*?;)`)
	touched     = regexp.MustCompile(`(?i)\b(?:FROM|JOIN|INTO|UPDATE)\s+(\w+)`)
)

// schema returns the columns of each table.
func schema(t *testing.T) map[string][]string {
	t.Helper()
	tables := map[string][]string{}
	files, err := filepath.Glob("sql/migration/*.sql")
	if err != nil || len(files) < 8 {
		t.Fatalf("migrations are %v, %v", files, err)
	}
	var all strings.Builder
	for _, f := range files {
		all.WriteString(read(t, f))
	}
	for _, m := range createTable.FindAllStringSubmatch(all.String(), -1) {
		for _, line := range strings.Split(m[2], "\n") {
			first, _, _ := strings.Cut(strings.TrimSpace(line), " ")
			if first == "" || slices.Contains([]string{"PRIMARY", "UNIQUE", "FOREIGN"}, first) {
				continue
			}
			c := columnType.FindStringSubmatch(line)
			if c == nil {
				t.Errorf("table %s has a column of a type that is not the same on every engine: %s", m[1], line)
				continue
			}
			tables[m[1]] = append(tables[m[1]], c[1])
		}
	}
	if len(tables) < 22 {
		t.Fatalf("found %d tables", len(tables))
	}
	return tables
}

func queries(t *testing.T) map[string]string {
	t.Helper()
	files, err := filepath.Glob("sql/query/*.sql")
	if err != nil || len(files) < 7 {
		t.Fatalf("query files are %v, %v", files, err)
	}
	all := map[string]string{}
	for _, f := range files {
		for _, m := range named.FindAllStringSubmatch(read(t, f), -1) {
			all[m[1]] = m[2]
		}
	}
	return all
}

// TestTenantLaw: a query that touches a table with a tenant names the tenant,
// or names itself System.
func TestTenantLaw(t *testing.T) {
	tables := schema(t)
	system := 0
	for name, q := range queries(t) {
		if strings.HasPrefix(name, "System") {
			system++
			continue
		}
		if bad := unwalled(tables, q); bad != "" {
			t.Errorf("query %s reaches table %s without naming a tenant:\n%s", name, bad, q)
		}
	}
	if system == 0 {
		t.Error("no query of the system's was found")
	}
	// The law itself can fail.
	for _, q := range []string{
		`SELECT * FROM workload WHERE id = $1;`,
		`SELECT * FROM workload WHERE tenant <> $1 AND id = $2;`,
		`SELECT * FROM workload WHERE tenant = $1 OR id = $2;`,
		`SELECT * FROM workload WHERE tenant = tenant AND id = $1;`,
		`SELECT leaf.* FROM ledger_entry JOIN leaf ON leaf.idx = ledger_entry.idx WHERE ledger_entry.tenant = $1;`,
		`SELECT * FROM site WHERE id IN (SELECT site FROM attempt WHERE n = $1);`,
		`UPDATE workload SET tenant = $1 WHERE id = $2;`,
		`UPDATE workload SET state = $2;`,
		`DELETE FROM placement WHERE workload = $1;`,
		`INSERT INTO meter (workload, body) VALUES ($1, $2);`,
		`INSERT INTO meter (workload, tenant, body) VALUES ($1, $2, $3) ON CONFLICT (workload) DO UPDATE SET body = excluded.body;`,
		`INSERT INTO meter (workload, tenant) SELECT workload, tenant FROM meter;`,
	} {
		if unwalled(tables, q) == "" {
			t.Errorf("the law lets pass: %s", q)
		}
	}
}

// unwalled returns a table with a tenant that q reaches without naming one.
func unwalled(tables map[string][]string, q string) string {
	reached := map[string]bool{}
	for _, m := range touched.FindAllStringSubmatch(q, -1) {
		if slices.Contains(tables[m[1]], "tenant") {
			reached[m[1]] = true
		}
	}
	for table := range reached {
		if insert := regexp.MustCompile(`(?is)^\s*INSERT INTO ` + table + ` \(([^)]*)\)\s*VALUES \(([^)]*)\)(.*)$`).FindStringSubmatch(q); insert != nil {
			columns := strings.Split(insert[1], ",")
			at := slices.IndexFunc(columns, func(c string) bool { return strings.TrimSpace(c) == "tenant" })
			values := strings.Split(insert[2], ",")
			if at < 0 || at >= len(values) || !strings.HasPrefix(strings.TrimSpace(values[at]), "$") {
				return table
			}
			if strings.Contains(insert[3], "DO UPDATE") && !strings.Contains(insert[3], table+".tenant = excluded.tenant") {
				return table
			}
			continue
		}
		_, where, ok := strings.Cut(q, "WHERE ")
		name := `\btenant`
		if len(reached) > 1 || strings.Contains(q, "JOIN") {
			name = `\b` + table + `\.tenant`
		}
		if !ok || !regexp.MustCompile(`(?:^|AND |\()`+name+` = \$\d`).MatchString(where) || regexp.MustCompile(`\bOR\b`).MatchString(where) {
			return table
		}
	}
	return ""
}

// TestSystemQueriesStayWithTheSystem: a tenant's transaction uses no query of
// the system's, but one to see that an id is free.
func TestSystemQueriesStayWithTheSystem(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	methods := 0
	for _, name := range files {
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range f.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if !ok || fn.Recv == nil {
				continue
			}
			star, ok := fn.Recv.List[0].Type.(*ast.StarExpr)
			if !ok {
				continue
			}
			if recv, ok := star.X.(*ast.Ident); !ok || recv.Name != "tenantTx" && recv.Name != "tx" {
				continue
			}
			methods++
			ast.Inspect(fn, func(n ast.Node) bool {
				sel, ok := n.(*ast.SelectorExpr)
				if ok && strings.HasPrefix(sel.Sel.Name, "System") && (fn.Name.Name != "InsertWorkload" || sel.Sel.Name != "SystemWorkload") {
					t.Errorf("%s: %s uses %s", name, fn.Name.Name, sel.Sel.Name)
				}
				return true
			})
		}
	}
	if methods < 20 {
		t.Errorf("looked at %d methods only", methods)
	}
}

// TestStatesInSQL: the states that the SQL lists are those that the core
// means.
func TestStatesInSQL(t *testing.T) {
	var terminal, live []string
	for _, s := range workload.States() {
		if s.Terminal() {
			terminal = append(terminal, string(s))
		}
	}
	for _, m := range workload.Legal() {
		if s := workload.AttemptState(m.To); m.Object == workload.ObjectAttempt && s.Live() {
			live = append(live, m.To)
		}
	}
	slices.Sort(live)
	live = slices.Compact(live)
	slices.Sort(terminal)
	list := regexp.MustCompile(`state (NOT IN|IN) \(([^)]*)\)`)
	files, _ := filepath.Glob("sql/*/*.sql")
	seen := 0
	for _, f := range files {
		for _, m := range list.FindAllStringSubmatch(read(t, f), -1) {
			got := strings.Split(strings.NewReplacer("'", "", " ", "").Replace(m[2]), ",")
			slices.Sort(got)
			want := live
			if m[1] == "NOT IN" {
				want = terminal
			}
			if !slices.Equal(got, want) {
				t.Errorf("%s lists the states %v, want %v", f, got, want)
			}
			seen++
		}
	}
	if seen < 8 {
		t.Errorf("saw %d lists of states only", seen)
	}
}

// TestNobodyWritesSeries: readers of a store share the values of its series, so
// nobody writes into values but those who make series of their own.
func TestNobodyWritesSeries(t *testing.T) {
	makers := []string{"../grid", "../forecast", "../signal"}
	looked := 0
	for _, root := range []string{"..", "../../cmd"} {
		err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
			if err != nil || slices.Contains(makers, name) {
				return cmp.Or(err, fs.SkipDir)
			}
			if d.IsDir() || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") || strings.Contains(name, "storetest") {
				return nil
			}
			f, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
			if err != nil {
				return err
			}
			looked++
			for _, w := range writes(f) {
				t.Errorf("%s writes into %s, which a series of the store may share", name, w)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if looked < 100 {
		t.Errorf("looked at %d files only", looked)
	}
	// The law itself can fail.
	for _, line := range []string{"s.Values[0] = 1", "s.Low[i], x = 1, 2", "s.High[2]++", "copy(s.Values, x)", "s.Values = append(s.Values[:2], 3)", "copy(s.Low[1:], x)", "slices.Sort(s.Values)", "clear(s.High)"} {
		f, err := parser.ParseFile(token.NewFileSet(), "", "package p; func f() { "+line+" }", 0)
		if err != nil {
			t.Fatal(err)
		}
		if len(writes(f)) == 0 {
			t.Errorf("the law lets pass: %s", line)
		}
	}
}

// writes returns the values of series that f writes into.
func writes(f *ast.File) (found []string) {
	values := func(e ast.Expr) (string, bool) {
		if s, ok := e.(*ast.SliceExpr); ok {
			e = s.X
		}
		s, ok := e.(*ast.SelectorExpr)
		if !ok || !slices.Contains([]string{"Values", "Low", "High"}, s.Sel.Name) {
			return "", false
		}
		return s.Sel.Name, true
	}
	target := func(e ast.Expr) {
		if i, ok := e.(*ast.IndexExpr); ok {
			if name, ok := values(i.X); ok {
				found = append(found, name)
			}
		}
	}
	ast.Inspect(f, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.AssignStmt:
			for _, e := range n.Lhs {
				target(e)
			}
		case *ast.IncDecStmt:
			target(n.X)
		case *ast.CallExpr:
			if len(n.Args) == 0 {
				break
			}
			name, ok := values(n.Args[0])
			if !ok {
				break
			}
			switch fn := n.Fun.(type) {
			case *ast.Ident:
				_, sliced := n.Args[0].(*ast.SliceExpr)
				if fn.Name == "copy" || fn.Name == "clear" || fn.Name == "append" && sliced {
					found = append(found, name)
				}
			case *ast.SelectorExpr:
				if p, ok := fn.X.(*ast.Ident); ok && p.Name == "slices" && slices.Contains([]string{"Sort", "SortFunc", "Reverse", "Delete", "Insert", "Replace"}, fn.Sel.Name) {
					found = append(found, name)
				}
			}
		}
		return true
	})
	return found
}

// TestGeneratedIsCurrent: the generated code is that of these queries.
func TestGeneratedIsCurrent(t *testing.T) {
	all := queries(t)
	for m := range reflect.TypeFor[db.Querier]().Methods() {
		if _, ok := all[m.Name]; !ok {
			t.Errorf("generated code has the query %s, which no file has: run sqlc generate", m.Name)
		}
		delete(all, m.Name)
	}
	for name := range all {
		t.Errorf("the query %s is not generated: run sqlc generate", name)
	}
	sqlc, err := exec.LookPath("sqlc")
	if err != nil {
		return // its output is committed, so that nobody needs it
	}
	if out, err := exec.Command(sqlc, "diff").CombinedOutput(); err != nil {
		t.Errorf("sqlc diff: %v\n%s", err, out)
	}
}
