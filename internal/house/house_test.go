package house

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"clusy.io/clusy"
	"clusy.io/clusy/internal/executor"
	"clusy.io/clusy/internal/intent"
	"clusy.io/clusy/internal/secret"
	"clusy.io/clusy/internal/store/pgtest"
	"clusy.io/clusy/internal/wire"
)

// TestMain lets the test binary be the shim of the executor.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "shim" {
		os.Exit(executor.ShimMain(os.Args[2:]))
	}
	code := m.Run()
	pgtest.StopShared()
	os.Exit(code)
}

var evening = time.Date(2023, 6, 6, 16, 0, 0, 0, time.UTC)

// run opens a house in dir and runs it until the test ends or stop is called.
func run(t *testing.T, cfg Config) (h *House, stop func()) {
	t.Helper()
	if cfg.Dir == "" {
		cfg.Dir = t.TempDir()
	}
	cfg.Listen, cfg.Version, cfg.Shim = "127.0.0.1:0", "test", []string{os.Args[0], "shim"}
	h, err := Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- h.Run(ctx) }()
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-done; err != nil {
			t.Errorf("the house ended with: %v", err)
		}
	}
	t.Cleanup(stop)
	eventually(t, 60*time.Second, "the sites register", func() bool {
		sites, err := client(h, h.Token).Sites(t.Context())
		return err == nil && len(sites.Items) >= len(cfg.Sites)
	})
	return h, stop
}

func client(h *House, token secret.Secret) *clusy.Client {
	return &clusy.Client{URL: h.URL, Token: token.Reveal()}
}

func eventually(t *testing.T, within time.Duration, what string, f func() bool) {
	t.Helper()
	for end := time.Now().Add(within); !f(); {
		if time.Now().After(end) {
			t.Fatalf("after %s still not: %s", within, what)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// submit seals an intent file to the house's enclave and submits it.
func submit(t *testing.T, h *House, key, yaml string) (clusy.Workload, error) {
	t.Helper()
	c := client(h, h.Token)
	st, err := c.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	in, err := intent.Parse([]byte(yaml), "test.yaml", st.Now)
	if err != nil {
		t.Fatal(err)
	}
	shape, err := intent.Blind(in, st.Now)
	if err != nil {
		t.Fatal(err)
	}
	sites, err := c.Sites(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	pub, err := intent.ParsePublic(sites.Items[0].Enclave.Key)
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := intent.Seal(in, pub)
	if err != nil {
		t.Fatal(err)
	}
	return c.Submit(t.Context(), key, clusy.Submission{Shape: wire.ShapeOut(shape), Sealed: sealed, Enclave: intent.KeyID(pub)})
}

func berlin() Config {
	return Config{Sites: []Site{{ID: "berlin", Zone: "DE-LU", Slots: 2, PUE: 1.2}}, Replay: &Replay{From: evening, Rate: 3600}}
}

func TestLoopbackOnly(t *testing.T) {
	for address, ok := range map[string]bool{
		"127.0.0.1:0": true, "localhost:0": true, "[::1]:0": true,
		"0.0.0.0:8400": false, ":8400": false, "192.0.2.1:8400": false, "example.org:80": false, "8400": false,
	} {
		if err := loopback(address); (err == nil) != ok {
			t.Errorf("listen on %q: %v, want ok %v", address, err, ok)
		}
	}
}

// A workload waits, runs for real, and is booked; its output and its name come
// back to its owner only.
func TestLifeOfAnIntent(t *testing.T) {
	h, stop := run(t, berlin())
	c := client(h, h.Token)
	w, err := submit(t, h, "k1", `apiVersion: clusy.io/v1
kind: Intent
metadata: {name: nightly}
run: {exec: [sh, -c, "echo out of the enclave; sleep 0.2"], env: {SECRET: hidden}}
shape: {duration: 30m, power: 400W}
when: {completeBy: +20h}
`)
	if err != nil {
		t.Fatal(err)
	}
	if w.State != "planned" || w.Plan == nil || w.Plan.Why.Text == "" {
		t.Errorf("after submission: %+v", w)
	}
	eventually(t, 60*time.Second, "it is booked", func() bool {
		w, err = c.Workload(t.Context(), w.ID)
		return err == nil && w.Account != nil && w.Account.Complete
	})
	if w.State != "succeeded" || len(w.Attempts) != 1 || w.Attempts[0].ExitCode == nil || *w.Attempts[0].ExitCode != 0 {
		t.Errorf("it ended as %+v", w)
	}
	if w.Account.EnergyKWh <= 0 || w.Account.Grade != "A" {
		t.Errorf("account %+v: want energy, and measured intensity", *w.Account)
	}
	es, err := c.Events(t.Context(), w.ID, "", 0)
	if err != nil || len(es.Items) < 8 {
		t.Errorf("%d events, err %v", len(es.Items), err)
	}

	// The viewer's key is the only one that opens the enclave's answers.
	var logs clusy.LogChunk
	openAnswer(t, c, "berlin", clusy.Question{What: "logs", Workloads: []string{w.ID}}, clusy.SealLogs, &logs)
	if string(logs.Data) != "out of the enclave\n" || !logs.Ended {
		t.Errorf("logs are %+v", logs)
	}
	var names clusy.Names
	openAnswer(t, c, "berlin", clusy.Question{What: "names", Workloads: []string{w.ID}}, clusy.SealNames, &names)
	if names.Names[w.ID] != "nightly" {
		t.Errorf("names are %v", names)
	}

	// The same submission again is the same workload; another one under the
	// same key is refused.
	if again, err := submit(t, h, "k1", sixLines); clusy.StatusOf(err) != 409 {
		t.Errorf("another submission under the same key: %v, %v", again.ID, err)
	}
	stop()
}

const sixLines = `apiVersion: clusy.io/v1
kind: Intent
run: {exec: [sh, -c, "true"]}
shape: {duration: 1h, power: 300W}
when: {completeBy: +10h}
`

func openAnswer(t *testing.T, c *clusy.Client, site string, q clusy.Question, purpose string, out any) {
	t.Helper()
	key, err := intent.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	q.Viewer = intent.EncodePublic(key.Public())
	r, err := c.Ask(t.Context(), site, q)
	if err != nil || r.Error != "" {
		t.Fatalf("question of %s: %v %s", q.What, err, r.Error)
	}
	plain, err := intent.OpenFrom(key, purpose, nil, r.Sealed)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(plain, out); err != nil {
		t.Fatal(err)
	}
}

// Infeasible work is refused with every reason and the nearest way out, and
// that way out is true.
func TestInfeasible(t *testing.T) {
	h, _ := run(t, berlin())
	_, err := submit(t, h, "k", `apiVersion: clusy.io/v1
kind: Intent
run: {exec: ["true"]}
shape: {duration: 5h, power: 1W}
when: {completeBy: +5h40m}
`)
	if clusy.StatusOf(err) != 422 {
		t.Fatalf("5 h of work in 5 h 40 m with a margin of an hour: %v", err)
	}
	p := err.(*clusy.Problem)
	if p.NearestCompleteBy.IsZero() || len(p.Errors) == 0 {
		t.Errorf("the refusal names no way out: %+v", p)
	}
}

// Cancelling works in each state, and what is cancelled never runs.
func TestCancel(t *testing.T) {
	h, _ := run(t, berlin())
	c := client(h, h.Token)
	truth := filepath.Join(t.TempDir(), "truth")
	yaml := func(window string, command string) string {
		return fmt.Sprintf(`apiVersion: clusy.io/v1
kind: Intent
run: {exec: [sh, -c, %q], grace: 1s}
shape: {duration: 2h, power: 1W}
when: {completeBy: %s}
`, command, window)
	}
	waiting, err := submit(t, h, "waiting", yaml("+30h", "echo ran >> "+truth))
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, 60*time.Second, "a site holds it", func() bool {
		w, err := c.Workload(t.Context(), waiting.ID)
		return err == nil && w.State == "held"
	})
	if _, err := c.Cancel(t.Context(), waiting.ID); err != nil {
		t.Fatal(err)
	}
	running, err := submit(t, h, "running", yaml("+4h", "sleep 60"))
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, 60*time.Second, "it runs", func() bool {
		w, err := c.Workload(t.Context(), running.ID)
		return err == nil && w.State == "running"
	})
	if _, err := c.Cancel(t.Context(), running.ID); err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{waiting.ID, running.ID} {
		eventually(t, 60*time.Second, id+" is cancelled", func() bool {
			w, err := c.Workload(t.Context(), id)
			return err == nil && w.State == "cancelled"
		})
	}
	if _, err := c.Cancel(t.Context(), running.ID); err != nil {
		t.Errorf("cancelled twice: %v", err)
	}
	// What never ran is accounted for: nothing, and that for good.
	if w, err := c.Workload(t.Context(), waiting.ID); err != nil || w.Account == nil || !w.Account.Complete || w.Account.Entries != 0 {
		t.Errorf("the account of what never ran is %+v, %v", w.Account, err)
	}
	if _, err := os.Stat(truth); err == nil {
		t.Error("what was cancelled has run")
	}
}

// Pages of a list hold every workload once, newest first, whatever is added
// while one reads.
func TestPaging(t *testing.T) {
	h, _ := run(t, berlin())
	c := client(h, h.Token)
	const yaml = "apiVersion: clusy.io/v1\nkind: Intent\nrun: {exec: [\"true\"]}\nshape: {duration: 10m, power: 1W}\nwhen: {completeBy: +40h}\n"
	var want []string
	for i := range 5 {
		w, err := submit(t, h, fmt.Sprint("page", i), yaml)
		if err != nil {
			t.Fatal(err)
		}
		want = append([]string{w.ID}, want...)
	}
	var got []string
	for cursor := ""; ; {
		p, err := c.Workloads(t.Context(), nil, cursor, 2)
		if err != nil || len(p.Items) > 2 {
			t.Fatal(len(p.Items), err)
		}
		for _, w := range p.Items {
			got = append(got, w.ID)
		}
		if cursor = p.Next; cursor == "" {
			break
		}
		if _, err := submit(t, h, rand.Text(), yaml); err != nil {
			t.Fatal(err)
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("pages hold %v, want %v", got, want)
	}
}

// get asks a path with a token and returns the status and body.
func get(t *testing.T, h *House, method, path string, token secret.Secret, body string, headers ...string) (int, []byte) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, h.URL+path, bytes.NewReader([]byte(body)))
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token.Reveal())
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, _ := io.ReadAll(res.Body)
	return res.StatusCode, b
}
