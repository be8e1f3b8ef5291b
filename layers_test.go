package clusy

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// layers is the law of the house: "a, b < c" means c may import a and b, and
// everything they may import. It is a statement of policy: a change here is a
// design decision and carries its reason in docs/decisions.
const layers = `
	# Ground: no room of ours below them.
	NONE < problem, secret, merkle, journal, figure;

	# Core: values in, values out. No clock, no I/O, no log, no goroutine.
	problem < grid, access;
	grid < forecast;
	grid, access < workload;
	forecast, workload < plan;
	workload, merkle < ledger;
	access, merkle < audit < assurance;
	plan, ledger < budget;
	secret, budget, assurance < CORE;

	# Adapters: one room for each thing outside the process.
	CORE < dial;
	dial < signal, siem, notify, keyring;
	keyring < store;

	# Enclave: the only rooms that may see a whole intent.
	CORE, keyring < intent;
	intent, journal < executor;

	# Services: they know the core, never an adapter and never one another.
	CORE, CLIENT < wire;
	executor, dial, wire < agent;
	CORE < reconcile;
	dial, wire < edge, authn, api, trust;
	CLIENT < web;

	# Composition: these introduce all the others and own nothing.
	agent, api, authn, edge, reconcile, signal, siem, notify, store, trust, web < house < sim < cmd;
	figure < cmd;
`

// rooms that are ground but bound by the core's rules all the same: their
// mathematics must give the same answer next year, and their drawings the same
// bytes.
var alsoPure = map[string]bool{"merkle": true, "problem": true, "figure": true}

// pure lists what the core may take from the standard library.
var pure = set(
	"bytes", "cmp", "compress/flate", "container/heap", "crypto/sha256", "embed", "encoding", "encoding/base64", "encoding/binary",
	"encoding/hex", "encoding/json", "errors", "fmt", "hash", "io", "iter", "maps", "math", "math/bits",
	"math/rand/v2", "slices", "sort", "strconv", "strings", "time", "unicode", "unicode/utf8",
)

// outside lists what a core room may take from elsewhere, and why.
var outside = map[string]map[string]string{
	"merkle": {
		"golang.org/x/mod/sumdb/tlog": "the tree, numbered as Go's checksum database numbers it",
		"golang.org/x/mod/sumdb/note": "the signed note that a checkpoint is",
		"crypto/ed25519":              "the signature of a note's key",
	},
	"access": {"github.com/cedar-policy/cedar-go": "policies that the reference engine can check"},
	"secret": {"log/slog": "a Secret must print as dots in a log too"},
	"figure": {"encoding/xml": "what people write into labels is escaped by the standard library"},
}

// clock lists the functions of time that read the clock, wait, or read files.
var clock = set("Now", "Since", "Until", "Sleep", "After", "AfterFunc", "Tick", "NewTimer", "NewTicker", "LoadLocation")

// lines lists what makes an outbound connection, by package: it stands in dial
// alone, so that there is one list of the places that Clusy speaks to.
var lines = map[string]map[string]bool{
	"net/http":   set("Client", "Transport", "DefaultClient", "DefaultTransport", "Get", "Head", "Post", "PostForm"),
	"crypto/tls": set("Config", "Dial", "DialWithDialer", "Dialer", "Client"),
	"net":        set("Dial", "DialTimeout", "DialTCP", "DialUDP", "DialIP", "DialUnix", "Dialer"),
}

// ownLines lists what may be used of them elsewhere, by directory, and why.
var ownLines = map[string]map[string]string{
	".": {
		"http.Client":        "the public client: who imports it brings the connections",
		"http.DefaultClient": "the public client, where nothing was brought",
	},
	"internal/house": {
		"http.Client":    "the pipe to the API in the same process",
		"http.Transport": "the pipe to the API in the same process",
	},
	"cmd/clusy": {
		"http.Client":        "bench brings the public client's connections, many at once",
		"http.Transport":     "bench brings the public client's connections, many at once",
		"http.DefaultClient": "doctor asks the server that the user named",
	},
}

func set(names ...string) map[string]bool {
	m := map[string]bool{}
	for _, n := range names {
		m[n] = true
	}
	return m
}

const module = "clusy.io/clusy"

func TestLayers(t *testing.T) {
	for _, broken := range lawBreakers(parseLayers(t, layers), goFiles(t, ".")) {
		t.Error(broken)
	}
}

// lawBreakers returns what in the files breaks the law, one sentence each.
func lawBreakers(may map[string]map[string]bool, dirs map[string][]*ast.File) (broken []string) {
	say := func(parts ...string) { broken = append(broken, strings.Join(parts, "")) }
	core := may["CORE"]
	for dir, files := range dirs {
		room := roomOf(dir)
		if room == "" {
			say(dir, " is in no room: code stands in the root, under internal/ or under cmd/")
			continue
		}
		if _, ok := may[room]; !ok && room != "ROOT" {
			say(dir, ": room ", strconv.Quote(room), " is not in the law; add it to layers")
			continue
		}
		strict := (core[room] || alsoPure[room]) && !strings.HasSuffix(dir, "/gen")
		for _, f := range files {
			names := map[string]string{} // the name a file uses → the package it means
			for _, im := range f.Imports {
				p, _ := strconv.Unquote(im.Path.Value)
				name := path.Base(p)
				if im.Name != nil {
					name = im.Name.Name
				}
				names[name] = p
				if name == "." {
					say(dir, " imports ", p, " without its name")
				}
				to, ours := strings.CutPrefix(p, module)
				switch to = strings.TrimPrefix(to, "/"); {
				case ours && to == "":
					if !may[room]["CLIENT"] {
						say(dir, " may not import the client")
					}
				case ours && room == "ROOT":
					say("the client may not import ", p, ": it is what other people import")
				case ours && roomOf(to) != room && !may[room][roomOf(to)]:
					say(dir, " may not import ", p)
				case !ours && strict && !pure[p] && outside[room][p] == "":
					say(dir, " is core and may not import ", strconv.Quote(p))
				}
			}
			if room != "dial" {
				ast.Inspect(f, func(n ast.Node) bool {
					sel, ok := n.(*ast.SelectorExpr)
					if !ok {
						return true
					}
					x, ok := sel.X.(*ast.Ident)
					if !ok || !lines[names[x.Name]][sel.Sel.Name] {
						return true
					}
					what := path.Base(names[x.Name]) + "." + sel.Sel.Name
					if ownLines[path.Clean(filepath.ToSlash(dir))][what] == "" {
						say(dir, " may not use ", what, ": connections come from dial")
					}
					return true
				})
			}
			if !strict {
				continue
			}
			ast.Inspect(f, func(n ast.Node) bool {
				switch n := n.(type) {
				case *ast.SelectorExpr:
					if x, ok := n.X.(*ast.Ident); ok && names[x.Name] == "time" && clock[n.Sel.Name] {
						say(dir, " is core and may not use time.", n.Sel.Name, ": take now as an argument")
					}
				case *ast.GoStmt:
					say(dir, " is core and may not start a goroutine")
				}
				return true
			})
		}
	}
	return broken
}

// TestLawBites shows that each kind of broken law is found.
func TestLawBites(t *testing.T) {
	may := parseLayers(t, layers)
	for name, c := range map[string]struct{ dir, src string }{
		"upward import":       {"internal/plan", `import "clusy.io/clusy/internal/store"`},
		"intent in reconcile": {"internal/reconcile", `import "clusy.io/clusy/internal/intent"`},
		"intent in api":       {"internal/api", `import "clusy.io/clusy/internal/intent"`},
		"store in api":        {"internal/api", `import "clusy.io/clusy/internal/store"`},
		"neighbour":           {"internal/signal", `import "clusy.io/clusy/internal/store"`},
		"subpackage":          {"internal/plan/deep", `import "clusy.io/clusy/internal/agent"`},
		"client in core":      {"internal/plan", `import "clusy.io/clusy"`},
		"room in client":      {".", `import "clusy.io/clusy/internal/grid"`},
		"impure import":       {"internal/plan", `import "os"`},
		"clock":               {"internal/plan", "import \"time\"\nvar x = time.Now()"},
		"clock by alias":      {"internal/plan", "import tick \"time\"\nvar x = tick.NewTimer"},
		"goroutine":           {"internal/ledger", `func f() { go f() }`},
		"unknown room":        {"internal/util", `var x int`},
		"no room":             {"scripts", `var x int`},
		"dot import":          {"internal/plan", `import . "strings"`},
		"line of its own":     {"internal/signal", "import \"net/http\"\nvar x http.Client"},
		"line by alias":       {"internal/api", "import web \"net/http\"\nvar x = web.Get"},
		"line to anywhere":    {"internal/agent", "import \"net\"\nvar x = net.Dial"},
		"trust of its own":    {"internal/signal/provider", "import \"crypto/tls\"\nvar x tls.Config"},
	} {
		f, err := parser.ParseFile(token.NewFileSet(), "x.go", "package x\n"+c.src, 0)
		if err != nil {
			t.Fatal(err)
		}
		if got := lawBreakers(may, map[string][]*ast.File{c.dir: {f}}); len(got) != 1 {
			t.Errorf("%s: law says %q, want one objection", name, got)
		}
	}
}

// parseLayers returns, for each room, the set of rooms that it may import.
func parseLayers(t *testing.T, law string) map[string]map[string]bool {
	t.Helper()
	may := map[string]map[string]bool{"NONE": {}, "CLIENT": {}}
	var text strings.Builder
	for line := range strings.Lines(law) {
		line, _, _ = strings.Cut(line, "#")
		text.WriteString(line + " ")
	}
	words := func(s string) []string {
		return strings.FieldsFunc(s, func(r rune) bool { return r == ',' || r == ' ' || r == '\t' || r == '\n' })
	}
	for rule := range strings.SplitSeq(text.String(), ";") {
		groups := strings.Split(rule, "<")
		for i := 1; i < len(groups); i++ {
			for _, to := range words(groups[i]) {
				if may[to] == nil {
					may[to] = map[string]bool{}
				}
				for _, from := range words(groups[i-1]) {
					if _, ok := may[from]; !ok {
						t.Fatalf("law names %q before it stands", from)
					}
					may[to][from] = true
					for r := range may[from] {
						may[to][r] = true
					}
				}
			}
		}
	}
	return may
}

// roomOf maps a directory to its room: internal/executor/kubernetes is executor.
func roomOf(dir string) string {
	parts := strings.Split(path.Clean(filepath.ToSlash(dir)), "/")
	switch {
	case parts[0] == ".":
		return "ROOT"
	case parts[0] == "cmd":
		return "cmd"
	case parts[0] == "internal" && len(parts) > 1:
		return parts[1]
	}
	return ""
}

func goFiles(t *testing.T, root string) map[string][]*ast.File {
	t.Helper()
	out := map[string][]*ast.File{}
	fset := token.NewFileSet()
	err := filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == "node_modules" || d.Name() == "testdata" || p != "." && strings.HasPrefix(d.Name(), ".")) {
			return filepath.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(p, ".go") || strings.HasSuffix(p, "_test.go") {
			return nil
		}
		f, err := parser.ParseFile(fset, p, nil, parser.ParseComments)
		out[filepath.Dir(p)] = append(out[filepath.Dir(p)], f)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestPackageDocs keeps a sign on every door: one package comment each.
func TestPackageDocs(t *testing.T) {
	for dir, files := range goFiles(t, ".") {
		n := 0
		for _, f := range files {
			if f.Doc != nil {
				n++
			}
		}
		if n != 1 {
			t.Errorf("%s has %d package comments, want 1", dir, n)
		}
	}
}
