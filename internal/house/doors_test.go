package house

import (
	"crypto/rand"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"clusy.io/clusy"
	"clusy.io/clusy/internal/access"
	"clusy.io/clusy/internal/api"
	"clusy.io/clusy/internal/audit"
	"clusy.io/clusy/internal/authn"
	"clusy.io/clusy/internal/intent"
	"clusy.io/clusy/internal/secret"
	"clusy.io/clusy/internal/store"
	"clusy.io/clusy/internal/workload"
)

// token makes a token with one grant, straight in the store.
func token(t *testing.T, h *House, tenant access.Tenant, role access.Role, site string, from, until time.Duration) secret.Secret {
	t.Helper()
	tok, err := authn.NewToken(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	hash, _ := authn.Hash(tok)
	now := time.Now().UTC().Truncate(time.Microsecond)
	who := access.Principal("token:" + strings.ToLower(rand.Text()))
	err = h.db.System().Update(t.Context(), func(tx store.SystemTx) error {
		return tx.PutToken(access.Token{ID: string(who), Hash: hash, Created: now, Grant: access.Grant{
			Holder: who, Tenant: tenant, Role: role, Site: site, From: now.Add(from), Until: now.Add(until),
		}}, audit.Event{At: now, Actor: "system:test", Kind: audit.TokenCreated})
	})
	if err != nil {
		t.Fatal(err)
	}
	return tok
}

// aPlan returns a plan that has a proof.
func aPlan(t *testing.T, h *House) string {
	t.Helper()
	for range 1200 {
		cs, err := client(h, h.Token).Certificates(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if len(cs.Items) > 0 {
			return cs.Items[0].Plan
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatal("no plan has a proof")
	return ""
}

// TestDoors tries every route without a key, with a wrong key, with one whose
// grant is over or not begun, with one that may not, and with another
// tenant's; and with the right one, so that shut is not mistaken for safe.
func TestDoors(t *testing.T) {
	cfg := berlin()
	cfg.Replay.Rate = 60
	h, _ := run(t, cfg)
	w, err := submit(t, h, "door", strings.Replace(sixLines, "true", "sleep 60", 1))
	if err != nil {
		t.Fatal(err)
	}
	key, err := intent.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	viewer := intent.EncodePublic(key.Public())
	es, err := client(h, h.Token).Events(t.Context(), w.ID, "", 1)
	if err != nil || len(es.Items) == 0 {
		t.Fatal("no events of the workload", err)
	}
	index, _ := json.Marshal(es.Items[0].Index)
	err = h.db.For(tenant).Update(t.Context(), func(tx store.TenantTx) error {
		return tx.PutHistory(workload.History{Class: "door-class", Runs: []workload.Run{{At: h.Clock.Now(), Length: time.Hour}}})
	})
	if err != nil {
		t.Fatal(err)
	}
	shape, _ := json.Marshal(w.Shape)
	member := `{"shape":` + string(shape) + `,"sealed":"AAAA","enclave":"` + w.Enclave + `"}`
	pair := `{"members":[` + member + `,` + member + `]}`
	code, b := get(t, h, "POST", "/v1/groups", h.Token, pair, "Idempotency-Key", "doors")
	var g clusy.Group
	if err := json.Unmarshal(b, &g); err != nil || code != http.StatusCreated || len(g.Members) != 2 {
		t.Fatalf("a group of two: %d %s", code, b)
	}
	paths := strings.NewReplacer("{id}", w.ID, "{group}", g.ID, "{plan}", aPlan(t, h), "{site}", "berlin", "{zone}", "DE-LU", "{index}", string(index), "{class}", "door-class", "{queue}", "doors", "{budget}", "doors")
	link, err := h.SignIn(access.Viewer)
	if err != nil {
		t.Fatal(err)
	}
	_, signIn, _ := strings.Cut(link.Reveal(), "#")
	bodies := map[string]string{
		"POST /v1/sessions":               `{"code":"` + signIn + `"}`,
		"POST /v1/workloads":              member,
		"POST /v1/groups":                 pair,
		"POST /v1/group-plans":            `{"members":[` + string(shape) + `]}`,
		"POST /v1/plans":                  string(shape),
		"PUT /v1/queues/{queue}":          `{"weight":2,"most":0.5}`,
		"PUT /v1/budgets/{budget}":        `{"measure":"kWh","limit":1000}`,
		"POST /v1/ledger/restatements":    `{"from":"2023-01-01T00:00:00Z","to":"2023-12-01T00:00:00Z","reason":"doors"}`,
		"POST /v1/sites/{site}/questions": `{"what":"names","workloads":["` + w.ID + `"],"viewer":"` + viewer + `"}`,
		"POST /v1/sites/{site}/sync": `{"incarnation":"x","seq":1,"maxEpoch":0,"site":{"zone":"DE-LU","engine":"process","pue":1.2,"enclave":{"id":"x","key":"x"}},` +
			`"reports":[],"meters":[],"waitSeconds":0}`,
	}
	queries := map[string]string{
		"GET /emissions/bylocation": "?location=DE-LU", "GET /emissions/bylocations": "?location=DE-LU", "GET /emissions/bylocations/best": "?location=DE-LU",
		"GET /emissions/forecasts/current":        "?location=DE-LU",
		"GET /emissions/average-carbon-intensity": "?location=DE-LU&startTime=2023-06-06T10:00Z&endTime=2023-06-06T12:00Z",
	}
	issued, _ := json.Marshal(h.Clock.Now())
	bodies["POST /emissions/forecasts/batch"] = `[{"location":"DE-LU","requestedAt":` + string(issued) + `}]`
	bodies["POST /emissions/average-carbon-intensity/batch"] = `[{"location":"DE-LU","startTime":"2023-06-06T10:00Z","endTime":"2023-06-06T12:00Z"}]`
	day := 24 * time.Hour
	mine := map[access.Role]secret.Secret{}
	for role := range access.Roles {
		site := ""
		if role == access.Agent {
			site = "berlin"
		}
		mine[role] = token(t, h, tenant, role, site, 0, day)
	}
	expired, early := token(t, h, tenant, access.Admin, "", -2*day, -day), token(t, h, tenant, access.Admin, "", day, 2*day)
	foreign, foreignAgent := token(t, h, "other", access.Admin, "", 0, day), token(t, h, "other", access.Agent, "elsewhere", 0, day)
	wrong, err := authn.NewToken(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}

	for _, r := range api.Routes {
		name := r.Method + " " + r.Path
		try := func(tok secret.Secret) (int, string) {
			code, b := get(t, h, r.Method, paths.Replace(r.Path)+queries[name], tok, bodies[name], "Idempotency-Key", rand.Text())
			return code, string(b)
		}
		if r.Permission == access.Public {
			if code, b := try(""); code/100 != 2 {
				t.Errorf("%s is public and answers %d %s", name, code, b)
			}
			continue
		}
		if r.Permission == "" {
			t.Errorf("%s has no permission in its row", name)
		}
		for what, tok := range map[string]secret.Secret{"no token": "", "an unknown token": wrong, "half a token": wrong[:20]} {
			if code, b := try(tok); code != http.StatusUnauthorized {
				t.Errorf("%s with %s: %d %.120s, want 401", name, what, code, b)
			}
		}
		for what, tok := range map[string]secret.Secret{"an expired grant": expired, "a grant not begun": early} {
			if code, b := try(tok); code != http.StatusForbidden {
				t.Errorf("%s with %s: %d %.120s, want 403", name, what, code, b)
			}
		}
		for role, tok := range mine {
			may := false
			for _, p := range access.Roles[role] {
				may = may || p == r.Permission
			}
			// Cancelling comes last: it ends the workload that all others look at.
			// Who signs out has no key for the doors that follow (TestSession).
			if (r.Permission == access.WorkloadCancel || name == "DELETE /v1/session") && may {
				continue
			}
			switch code, b := try(tok); {
			case !may && code != http.StatusForbidden:
				t.Errorf("%s as %s: %d %.120s, want 403", name, role, code, b)
			case may && code/100 != 2:
				t.Errorf("%s as %s: %d %.200s, want success", name, role, code, b)
			}
		}
		// What is another tenant's is not there; lists are empty of it.
		other := foreign
		if r.Permission == access.SiteSync {
			other = foreignAgent
		}
		code, b := try(other)
		switch {
		case (strings.Contains(b, w.ID) || strings.Contains(b, g.ID)) && code/100 == 2:
			t.Errorf("%s shows workload %s to another tenant", name, w.ID)
		case strings.Contains(b, "door-class") && code/100 == 2:
			t.Errorf("%s shows a class to another tenant", name)
		case strings.Contains(r.Path, "{id}"), strings.Contains(r.Path, "{group}"), strings.Contains(r.Path, "{class}"), strings.Contains(r.Path, "{index}"), strings.Contains(r.Path, "{site}"):
			if code != http.StatusNotFound {
				t.Errorf("%s as another tenant: %d %.120s, want 404", name, code, b)
			}
		}
	}
	// Another tenant cannot make a list show it either: by filter or cursor.
	for _, q := range []string{"/v1/ledger/entries?workload=" + w.ID, "/v1/workloads?state=planned,offered,held,running", "/v1/workloads?limit=500", "/v1/workloads?group=" + g.ID, "/v1/timeline", "/v1/timeline?id=" + w.ID, "/v1/events"} {
		if _, b := get(t, h, "GET", q, foreign, ""); strings.Contains(string(b), `"id":"`+w.ID) {
			t.Errorf("%s shows workload %s to another tenant", q, w.ID)
		}
	}
	if code, _ := get(t, h, "GET", "/v1/ledger/entries?workload="+w.ID, foreign, ""); code != http.StatusNotFound {
		t.Errorf("entries of another tenant's workload: %d, want 404", code)
	}
	if code, _ := get(t, h, "POST", "/v1/sites/nowhere/questions", mine[access.Viewer], bodies["POST /v1/sites/{site}/questions"]); code != http.StatusNotFound {
		t.Errorf("a question to a site that there is not: %d, want 404", code)
	}
	if code, b := get(t, h, "POST", "/v1/groups/"+g.ID+"/cancel", mine[access.Operator], ""); code != http.StatusOK {
		t.Errorf("an operator's cancel of a group: %d %s", code, b)
	}
	if code, b := get(t, h, "POST", "/v1/workloads/"+w.ID+"/cancel", mine[access.Operator], ""); code != http.StatusOK {
		t.Errorf("an operator's cancel: %d %s", code, b)
	}
	eventually(t, 60*time.Second, "it is cancelled", func() bool {
		got, err := client(h, h.Token).Workload(t.Context(), w.ID)
		return err == nil && got.State == "cancelled"
	})
}

// Every violation of a body is listed, with a pointer to its place.
func TestBodies(t *testing.T) {
	h, _ := run(t, berlin())
	post := func(body string) (int, clusy.Problem) {
		code, b := get(t, h, "POST", "/v1/plans", h.Token, body)
		var p clusy.Problem
		_ = json.Unmarshal(b, &p)
		return code, p
	}
	has := func(p clusy.Problem, pointer string) bool {
		for _, v := range p.Errors {
			if v.Pointer == pointer && v.Message != "" {
				return true
			}
		}
		return false
	}
	code, p := post(`{"duration":{"expectedSeconds":-1},"watts":"many","when":{"completeBy":"tomorrow"},"color":"green"}`)
	if code != 422 || !has(p, "/duration/expectedSeconds") || !has(p, "/watts") || !has(p, "/when/completeBy") || !has(p, "/color") {
		t.Errorf("a body with four faults: %d %+v", code, p)
	}
	code, p = post(`{"duration":{"expectedSeconds":3600,"p95Seconds":60,"maxSeconds":60},"watts":1,"when":{"completeBy":"2001-01-01T00:00:00Z"}}`)
	if code != 422 || !has(p, "/when/completeBy") || !has(p, "/duration/maxSeconds") {
		t.Errorf("a shape that contradicts itself: %d %+v", code, p)
	}
	for name, body := range map[string]string{
		"a key twice": `{"watts":1,"watts":2,"duration":{"expectedSeconds":1},"when":{"completeBy":"2023-06-08T00:00:00Z"}}`,
		"NaN":         `{"watts":NaN}`, "no JSON": `watts: 1`, "cut off": `{"watts":1`, "nothing": ` `, "an array": `[]`,
		"deep": strings.Repeat(`{"where":`, 200) + "1" + strings.Repeat("}", 200),
	} {
		if code, p := post(body); code != 400 && code != 422 {
			t.Errorf("%s: %d %+v, want 400 or 422", name, code, p)
		}
	}
	if code, _ := get(t, h, "POST", "/v1/plans", h.Token, `{"watts":`+strings.Repeat("1", 9<<20)+`}`); code != 413 {
		t.Errorf("a body of 9 MiB: %d, want 413", code)
	}
	for path, want := range map[string]int{
		"/v1/workloads?limit=0": 422, "/v1/workloads?limit=501": 422, "/v1/workloads?cursor=%21": 422, "/v1/workloads?state=lost": 422,
		"/v1/workloads?colour=red": 422, "/v1/nothing": 404, "/nothing": 404, "/v1/timeline?state=lost": 422, "/v1/events?after=x": 422, "/v1/outlooks?from=2023-06-07T00:00:00Z&to=2023-06-06T00:00:00Z": 422, "/v1/workloads/wl_none": 404, "/v1/zones/XX/intensity": 404, "/v1/zones/XX/forecast": 404, "/v1/zones/DE-LU/forecast?at=2019-01-01T00:00:00Z": 404,
		"/v1/zones/DE-LU/intensity?from=2023-06-07T00:00:00Z&to=2023-06-06T00:00:00Z": 422, "/v1/ledger/proofs/999999": 404,
	} {
		code, b := get(t, h, "GET", path, h.Token, "")
		var p clusy.Problem
		if err := json.Unmarshal(b, &p); code != want || err != nil || p.Status != want || p.Title == "" {
			t.Errorf("GET %s: %d %.150s, want a problem of %d", path, code, b, want)
		}
	}
}

// The API describes itself, and every route in it says which permission it
// needs.
func TestOpenAPI(t *testing.T) {
	h, _ := run(t, berlin())
	code, b := get(t, h, "GET", "/openapi.json", "", "")
	var doc struct {
		OpenAPI string `json:"openapi"`
		Paths   map[string]map[string]struct {
			Permission string `json:"x-permission"`
		} `json:"paths"`
	}
	if err := json.Unmarshal(b, &doc); code != 200 || err != nil || !strings.HasPrefix(doc.OpenAPI, "3.1") {
		t.Fatalf("/openapi.json: %d %v %.100s", code, err, b)
	}
	n := 0
	for path, ops := range doc.Paths {
		for method, op := range ops {
			n++
			if op.Permission == "" {
				t.Errorf("%s %s says no permission", method, path)
			}
		}
	}
	ours := 0
	for _, r := range api.Routes {
		if _, described := doc.Paths[r.Path][strings.ToLower(r.Method)]; described == r.Foreign {
			t.Errorf("%s %s is foreign: %v, and described: %v", r.Method, r.Path, r.Foreign, described)
		}
		if !r.Foreign {
			ours++
		}
	}
	if n != ours {
		t.Errorf("the description has %d operations, the table %d rows of ours", n, ours)
	}
}
